package pack

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
)

// frame is an object whose deltas are being applied.
type frame struct {
	kind  plumbing.ObjectType
	data  []byte
	kids  []int
	depth int
}

// resolve names every delta, from the bases down, depth first, so that only
// the bases of one chain are held at a time.
func (x *indexer) resolve() error {
	left := 0
	for _, it := range x.items {
		if !it.known {
			left++
		}
	}
	for i, it := range x.items {
		if !it.known || it.kind == plumbing.OFSDeltaObject || it.kind == plumbing.REFDeltaObject {
			continue
		}
		kids := x.kids(i)
		if len(kids) == 0 {
			continue
		}
		_, data, err := x.load(i)
		if err != nil {
			return err
		}
		n, err := x.descend(frame{kind: it.kind, data: data, kids: kids})
		if err != nil {
			return err
		}
		left -= n
	}
	if left > 0 {
		return fmt.Errorf("%d deltas whose bases are not in it", left)
	}
	return nil
}

// descend applies everything that stands upon one base and says how much.
func (x *indexer) descend(root frame) (done int, err error) {
	stack := []frame{root}
	holding := len(root.data)
	for len(stack) > 0 {
		if done%64 == 0 && x.ctx.Err() != nil {
			return done, x.ctx.Err()
		}
		top := &stack[len(stack)-1]
		kind, base, depth, i := top.kind, top.data, top.depth+1, top.kids[0]
		if top.kids = top.kids[1:]; len(top.kids) == 0 {
			holding -= len(base)
			stack = stack[:len(stack)-1]
		}
		if depth > x.caps.Depth {
			return done, fault.New(fault.TooLarge, "a chain of deltas deeper than %d", x.caps.Depth)
		}
		_, delta, err := x.load(i)
		if err != nil {
			return done, err
		}
		data, err := patch(base, delta, x.caps.Object)
		if err != nil {
			return done, err
		}
		it := &x.items[i]
		it.name, it.known = plumbing.ComputeHash(kind, data), true
		if err := x.take(it.name); err != nil {
			return done, err
		}
		done++
		if kids := x.kids(i); len(kids) > 0 {
			if holding += len(data); holding > held {
				return done, fault.New(fault.TooLarge, "deltas that need over %d bytes at once", held)
			}
			stack = append(stack, frame{kind, data, kids, depth})
		}
	}
	return done, nil
}

// kids are the deltas upon an object whose name is known, given out once.
func (x *indexer) kids(i int) []int {
	name := x.items[i].name
	kids := append(x.byOffset[i], x.byName[name]...)
	delete(x.byOffset, i)
	delete(x.byName, name)
	return kids
}

// load inflates one entry.
func (x *indexer) load(i int) (header, []byte, error) {
	end := x.size - trailer
	if i+1 < len(x.items) {
		end = x.items[i+1].offset
	}
	at := x.items[i].offset
	buf := make([]byte, end-at)
	if _, err := x.file.ReadAt(buf, at); err != nil && !errors.Is(err, io.EOF) {
		return header{}, nil, err
	}
	h, err := readHeader(bytes.NewReader(buf))
	if err != nil {
		return h, nil, err
	}
	data, err := x.inflate.inflate(buf[h.n:], h.size)
	return h, data, err
}
