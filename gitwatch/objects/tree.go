package objects

import (
	"bytes"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
)

// Modes of tree entries, in git's octal.
const (
	ModeTree       = 0o040000
	ModeFile       = 0o100644
	ModeExecutable = 0o100755
	ModeLink       = 0o120000
	ModeSubmodule  = 0o160000
)

// Entry is one line of a tree.
type Entry struct {
	Mode uint32
	Name string
	Hash plumbing.Hash
}

// ParseTree reads a tree object: known modes, no name twice, in git's order.
func ParseTree(id plumbing.Hash, raw []byte) ([]Entry, error) {
	bad := func(why string) ([]Entry, error) {
		return nil, fault.New(fault.Unprocessable, "the tree %s is malformed: %s", id, why)
	}
	var out []Entry
	var last string
	for len(raw) > 0 {
		space, nul := bytes.IndexByte(raw, ' '), bytes.IndexByte(raw, 0)
		if space < 1 || space > 6 || nul < space+2 || len(raw) < nul+21 {
			return bad("a broken entry")
		}
		e := Entry{Name: string(raw[space+1 : nul])}
		for _, c := range raw[:space] {
			if c < '0' || c > '7' {
				return bad("a mode that is no number")
			}
			e.Mode = e.Mode<<3 | uint32(c-'0')
		}
		copy(e.Hash[:], raw[nul+1:])
		raw = raw[nul+21:]
		sorted := e.Name
		switch e.Mode {
		case ModeTree:
			sorted += "/"
		case ModeFile, ModeExecutable, 0o100664, ModeLink, ModeSubmodule:
		default:
			return bad("the mode of " + Printable(e.Name, 100))
		}
		if len(out) > 0 && (sorted <= last || out[len(out)-1].Name == e.Name) {
			return bad("its entries are not in order")
		}
		last = sorted
		out = append(out, e)
	}
	return out, nil
}
