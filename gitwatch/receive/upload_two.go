package receive

import (
	"maps"
	"slices"
	"strings"

	"vigil/engine/fault"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/receive/wire"
)

// command speaks protocol 2: one command a request, see gitprotocol-v2(5).
func (t *talk) command(s *Server) error {
	name, args := "", false
	for !args {
		line, kind, ok, err := t.next()
		if err != nil {
			return t.fail(err)
		}
		if !ok {
			if kind == wire.Delim {
				args = true
				continue
			}
			break
		}
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "command":
			name = value
		case "agent", "session-id", "server-option":
		case "object-format":
			if value != "sha1" {
				return t.fail(fault.New(fault.Unsupported, "object-format %s is not spoken here", objects.Printable(value, 40)))
			}
		default:
			return t.fail(fault.New(fault.Unsupported, "the capability %q is not spoken here", objects.Printable(key, 40)))
		}
	}
	switch name {
	case "":
		return nil // an empty request: is anybody there
	case "ls-refs":
		return t.list(s, args)
	case "fetch":
		return t.fetch(args)
	}
	return t.fail(fault.New(fault.Unsupported, "the command %q is not spoken here", objects.Printable(name, 40)))
}

// maxPrefixes bounds the filters of ls-refs; beyond them all refs are listed, as
// the protocol allows.
const maxPrefixes = 1024

func (t *talk) list(s *Server, args bool) error {
	var prefixes []string
	symrefs, unborn := false, false
	for args {
		line, _, ok, err := t.next()
		if err != nil {
			return t.fail(err)
		}
		if !ok {
			break
		}
		prefix, isPrefix := strings.CutPrefix(line, "ref-prefix ")
		switch {
		case isPrefix:
			if len(prefixes) <= maxPrefixes {
				prefixes = append(prefixes, prefix)
			}
		case line == "symrefs":
			symrefs = true
		case line == "unborn":
			unborn = true
		case line == "peel": // there are no tags
		default:
			return t.fail(fault.New(fault.Unsupported, "%q is not spoken here", objects.Printable(line, 40)))
		}
	}
	wanted := func(name string) bool {
		return len(prefixes) == 0 || len(prefixes) > maxPrefixes ||
			slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	}
	refs, branch := s.deps.Store.Refs(), s.deps.Store.Branch()
	if wanted("HEAD") {
		head := ""
		if symrefs {
			head = " symref-target:" + branch
		}
		if tip, ok := refs[branch]; ok {
			wire.WritePacket(t.w, "%s HEAD%s\n", tip, head)
		} else if unborn {
			wire.WritePacket(t.w, "unborn HEAD%s\n", head)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		if wanted(name) {
			wire.WritePacket(t.w, "%s %s\n", refs[name], name)
		}
	}
	return wire.WriteFlush(t.w)
}

func (t *talk) fetch(args bool) error {
	t.caps = capabilities{"side-band-64k": ""}
	done := false
	for args {
		line, _, ok, err := t.next()
		if err != nil {
			return t.fail(err)
		}
		if !ok {
			break
		}
		switch line {
		case "done":
			done = true
		case "ofs-delta", "no-progress":
			t.caps[line] = ""
		case "thin-pack", "include-tag":
		default:
			if err := t.item(line); err != nil {
				return t.fail(err)
			}
		}
	}
	if len(t.ask.Wants) == 0 {
		return t.fail(malformed("a fetch that wants nothing"))
	}
	if !done {
		on, err := t.acknowledge()
		if err != nil || !on {
			return err
		}
	}
	sel, err := t.v.Select(t.ctx, t.ask)
	if err != nil {
		return t.fail(err)
	}
	if t.ask.Depth > 0 {
		wire.WritePacket(t.w, "shallow-info\n")
		t.shallows(sel)
		wire.WriteDelim(t.w)
	}
	wire.WritePacket(t.w, "packfile\n")
	return t.send(wire.NewBands(t.w, wire.MaxData), sel)
}

// acknowledge says which haves are ours, and whether that is enough.
func (t *talk) acknowledge() (enough bool, err error) {
	common := t.common()
	ready := len(t.ask.Haves) == 0 && t.ask.Depth > 0
	if len(common) > 0 {
		if ready, err = t.v.Ready(t.ctx, objects.Ask{Wants: t.ask.Wants, Haves: common, Shallow: t.ask.Shallow}); err != nil {
			return false, t.fail(err)
		}
	}
	wire.WritePacket(t.w, "acknowledgments\n")
	if len(common) == 0 {
		wire.WritePacket(t.w, "NAK\n")
	}
	for _, h := range common {
		wire.WritePacket(t.w, "ACK %s\n", h)
	}
	if !ready {
		return false, wire.WriteFlush(t.w)
	}
	wire.WritePacket(t.w, "ready\n")
	return true, wire.WriteDelim(t.w)
}
