package receive

import (
	"strings"

	"vigil/gitwatch/objects"
	"vigil/gitwatch/receive/wire"
)

// zero speaks protocol 0 and 1 as they are over HTTP: every request begins with
// the whole state, see gitprotocol-http(5) and gitprotocol-pack(5).
func (t *talk) zero() error {
	t.caps = capabilities{}
	for first := true; ; first = false {
		line, kind, ok, err := t.next()
		if err != nil {
			return t.fail(err)
		}
		if !ok {
			if kind != wire.Flush && !(first && kind == wire.End) {
				return t.fail(malformed("the list of wants ends early"))
			}
			break
		}
		if first {
			if want, caps, found := strings.Cut(line, " "); found && want == "want" && len(caps) > 40 {
				line, t.caps = line[:len("want ")+40], parseCapabilities(caps[40:])
			}
		}
		if strings.HasPrefix(line, "have ") {
			return t.fail(malformed("a have among the wants"))
		}
		if err := t.item(line); err != nil {
			return t.fail(err)
		}
	}
	if len(t.ask.Wants) == 0 {
		return nil
	}
	var sel *objects.Selection
	if t.ask.Depth > 0 {
		s, err := t.v.Select(t.ctx, objects.Ask{Wants: t.ask.Wants, Depth: t.ask.Depth, Shallow: t.ask.Shallow})
		if err != nil {
			return t.fail(err)
		}
		sel = &s
		t.shallows(s)
		wire.WriteFlush(t.w)
	}
	done, any, err := t.haves()
	if err != nil {
		return t.fail(err)
	}
	if !any && !done && sel != nil {
		return nil // only the shallow list was asked for
	}
	common := t.common()
	detailed := t.caps.has("multi_ack_detailed")
	for i, h := range common {
		if detailed {
			wire.WritePacket(t.w, "ACK %s common\n", h)
		} else if i == 0 {
			wire.WritePacket(t.w, "ACK %s\n", h)
		}
	}
	if !done {
		ready, err := t.v.Ready(t.ctx, t.ask)
		if err != nil {
			return t.fail(err)
		}
		if ready && detailed {
			wire.WritePacket(t.w, "ACK %s ready\n", common[len(common)-1])
		}
		if len(common) == 0 || detailed {
			wire.WritePacket(t.w, "NAK\n")
		}
		return nil
	}
	switch {
	case len(common) == 0:
		wire.WritePacket(t.w, "NAK\n")
	case detailed:
		wire.WritePacket(t.w, "ACK %s\n", common[len(common)-1])
	}
	return t.pack()
}

// haves reads until done or the end; a flush in between asks for an answer,
// which over HTTP comes at the end alone.
func (t *talk) haves() (done, any bool, err error) {
	for {
		line, kind, ok, err := t.next()
		if err != nil {
			return false, any, err
		}
		switch {
		case !ok && kind == wire.End:
			return false, any, nil
		case !ok:
			any = true
		case line == "done":
			return true, true, nil
		case !strings.HasPrefix(line, "have "):
			return false, any, malformed("%q among the haves", objects.Printable(line, 40))
		default:
			any = true
			if err := t.item(line); err != nil {
				return false, any, err
			}
		}
	}
}

func (t *talk) shallows(s objects.Selection) {
	for _, h := range s.Shallow {
		wire.WritePacket(t.w, "shallow %s\n", h)
	}
	for _, h := range s.Unshallow {
		wire.WritePacket(t.w, "unshallow %s\n", h)
	}
}

// pack chooses and sends.
func (t *talk) pack() error {
	sel, err := t.v.Select(t.ctx, t.ask)
	if err != nil {
		return t.fail(err)
	}
	size := 0
	switch {
	case t.caps.has("side-band-64k"):
		size = wire.MaxData
	case t.caps.has("side-band"):
		size = 995
	}
	return t.send(wire.NewBands(t.w, size), sel)
}
