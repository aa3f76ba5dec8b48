package receive

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
	"vigil/gitwatch/receive/wire"
	"vigil/gitwatch/store"
)

// Bounds of what a client may ask in one request.
const (
	maxCommands = 64
	maxOptions  = 32
	maxWants    = 1024
	maxHaves    = 65536
	maxShallow  = 65536
)

// order is what comes before the pack of a push.
type order struct {
	updates []store.Update
	caps    capabilities
	options []string
	probe   bool // an empty request: only whether it would be let in
}

// capabilities are what the client said it can do.
type capabilities map[string]string

func (c capabilities) has(name string) bool { _, ok := c[name]; return ok }

func parseCapabilities(s string) capabilities {
	c := capabilities{}
	for _, f := range strings.Fields(s) {
		k, v, _ := strings.Cut(f, "=")
		c[k] = v
	}
	return c
}

func malformed(format string, args ...any) error {
	return fault.New(fault.Invalid, format, args...)
}

// deletes says whether no pack follows.
func (o order) deletes() bool {
	for _, u := range o.updates {
		if !u.New.IsZero() {
			return false
		}
	}
	return true
}

// parseOrder reads commands and push options and leaves the reader where the
// pack begins.
func parseOrder(r *bufio.Reader) (order, error) {
	o := order{caps: capabilities{}}
	var buf []byte
	shallow := 0
	for first := true; ; first = false {
		kind, line, err := wire.ReadPacket(r, &buf)
		if err == io.EOF && first {
			return order{probe: true}, nil
		}
		if err != nil {
			return o, malformed("the list of commands ends early")
		}
		if kind == wire.Flush {
			if first {
				return order{probe: true}, nil
			}
			break
		}
		if kind != wire.Data {
			return o, malformed("the list of commands has a packet that does not belong there")
		}
		// Shallow lines may come before the command that has the capabilities.
		if i := bytes.IndexByte(line, 0); i >= 0 && len(o.updates) == 0 {
			o.caps = parseCapabilities(string(line[i+1:]))
			line = line[:i]
		}
		text := strings.TrimSuffix(string(line), "\n")
		if id, ok := strings.CutPrefix(text, "shallow "); ok {
			if !plumbing.IsHash(id) {
				return o, malformed("a shallow line without a hash")
			}
			if shallow++; shallow > maxShallow {
				return o, fault.New(fault.TooLarge, "more than %d shallow lines", maxShallow)
			}
			continue // what is missing is found by looking
		}
		u, err := parseUpdate(text)
		if err != nil {
			return o, err
		}
		for _, other := range o.updates {
			if other.Ref == u.Ref {
				return o, malformed("two commands for %s", u.Ref)
			}
		}
		if o.updates = append(o.updates, u); len(o.updates) > maxCommands {
			return o, fault.New(fault.TooLarge, "more than %d refs in one push", maxCommands)
		}
	}
	if len(o.updates) == 0 {
		return o, malformed("a push without a command")
	}
	if !o.caps.has("push-options") {
		return o, nil
	}
	for {
		kind, line, err := wire.ReadPacket(r, &buf)
		if err != nil || kind != wire.Data && kind != wire.Flush {
			return o, malformed("the push options end early")
		}
		if kind == wire.Flush {
			return o, nil
		}
		if o.options = append(o.options, strings.TrimSuffix(string(line), "\n")); len(o.options) > maxOptions {
			return o, fault.New(fault.TooLarge, "more than %d push options", maxOptions)
		}
	}
}

// parseUpdate reads `old new ref`. Whether the ref may be named so is decided
// with everything else about it.
func parseUpdate(text string) (store.Update, error) {
	parts := strings.SplitN(text, " ", 3)
	if len(parts) != 3 || !plumbing.IsHash(parts[0]) || !plumbing.IsHash(parts[1]) {
		return store.Update{}, malformed("a command that is not OLD NEW REF")
	}
	u := store.Update{Ref: parts[2], Old: plumbing.NewHash(parts[0]), New: plumbing.NewHash(parts[1])}
	if u.Ref == "" || strings.ContainsFunc(u.Ref, unicode.IsControl) {
		return u, malformed("a command for a ref that has no name")
	}
	return u, nil
}
