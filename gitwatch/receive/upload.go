package receive

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/receive/wire"
)

// maxTalk bounds the bytes of a request that asks for objects.
const maxTalk = 16 << 20

// upload answers a POST to git-upload-pack: it gives objects away.
func (s *Server) upload(ctx context.Context, w http.ResponseWriter, r *http.Request, body io.Reader) error {
	in := bufio.NewReaderSize(io.LimitReader(body, maxTalk), 32<<10)
	v := s.deps.Store.View()
	defer v.Close()
	t := &talk{s: s, ctx: ctx, v: v, in: in, w: w}
	if version(r) == 2 {
		return t.command(s)
	}
	return t.zero()
}

// talk is one request about objects. Errors are spoken in the protocol: a git
// client shows them as such.
type talk struct {
	s    *Server
	ctx  context.Context
	v    *objects.View
	in   *bufio.Reader
	w    http.ResponseWriter
	buf  []byte
	ask  objects.Ask
	caps capabilities
}

// fail tells the client in its protocol.
func (t *talk) fail(err error) error {
	text := err.Error()
	if !fault.KindOf(err).Public() {
		text = t.s.hidden(err)
	}
	wire.WritePacket(t.w, "ERR %s\n", text) // who went away hears nothing
	return nil
}

// next is the next line; ok is false at a flush, a delimiter or the end.
func (t *talk) next() (line string, kind wire.Kind, ok bool, err error) {
	kind, b, err := wire.ReadPacket(t.in, &t.buf)
	if err == io.EOF {
		return "", wire.End, false, nil
	}
	if err != nil {
		return "", kind, false, malformed("%v", err)
	}
	if kind != wire.Data {
		return "", kind, false, nil
	}
	return strings.TrimSuffix(string(b), "\n"), wire.Data, true, nil
}

// item takes one line of what protocol 0 and 2 have in common.
func (t *talk) item(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	put := func(to *[]plumbing.Hash, most int) error {
		if !plumbing.IsHash(rest) {
			return malformed("%s without a hash", word)
		}
		if len(*to) >= most {
			return fault.New(fault.TooLarge, "more than %d lines of %s", most, word)
		}
		*to = append(*to, plumbing.NewHash(rest))
		return nil
	}
	switch word {
	case "want":
		if err := put(&t.ask.Wants, maxWants); err != nil {
			return err
		}
		if kind, err := t.v.Kind(t.ask.Wants[len(t.ask.Wants)-1]); err != nil || kind != plumbing.CommitObject {
			return fault.New(fault.NotFound, "upload-pack: not our ref %s", rest)
		}
		return nil
	case "have":
		return put(&t.ask.Haves, maxHaves)
	case "shallow":
		if err := put(&t.ask.Shallow, maxShallow); err != nil {
			return err
		}
		if last := len(t.ask.Shallow) - 1; !t.v.Has(t.ask.Shallow[last]) {
			t.ask.Shallow = t.ask.Shallow[:last] // of a history that is not ours
		}
		return nil
	case "deepen":
		n, err := strconv.Atoi(rest)
		if err != nil || n < 1 {
			return malformed("deepen wants a number above 0")
		}
		t.ask.Depth = min(n, objects.Everything)
		return nil
	}
	return fault.New(fault.Unsupported, "%q is not spoken here", objects.Printable(word, 40))
}

// common keeps the haves that are ours.
func (t *talk) common() []plumbing.Hash {
	var out []plumbing.Hash
	for _, h := range t.ask.Haves {
		if kind, err := t.v.Kind(h); err == nil && kind == plumbing.CommitObject {
			out = append(out, h)
		}
	}
	return out
}

// send writes the pack in bands.
func (t *talk) send(out *wire.Bands, sel objects.Selection) error {
	if !t.caps.has("no-progress") {
		out.Say(strconv.Itoa(len(sel.Objects)) + " objects")
	}
	buffered := bufio.NewWriterSize(out, wire.MaxData)
	if _, err := t.v.WritePack(buffered, sel.Objects, t.caps.has("ofs-delta")); err != nil {
		if t.ctx.Err() == nil {
			out.Fatal(t.s.hidden(err))
		}
		return nil // the answer has begun
	}
	if err := buffered.Flush(); err != nil {
		return nil // the client went away
	}
	t.s.did.fetches.Add(1)
	t.s.did.sent.Add(out.Sent())
	_ = out.Close() // a client that went away has what it wanted
	return nil
}
