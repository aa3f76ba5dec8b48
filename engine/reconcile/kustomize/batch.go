package kustomize

import (
	"fmt"
	"slices"
	"strings"
)

// batch is the instances that come the same way: their patches are read once.
type batch struct {
	of   []int // instances
	list []*instance
}

// batches groups the instances that have patches, and counts the work.
func (p *planner) batches(root *node, list []*instance) (out []*batch) {
	open := map[string]*batch{}
	for at, i := range list {
		if !i.patched() {
			continue
		}
		var way strings.Builder
		for _, s := range i.steps {
			fmt.Fprintf(&way, "%d/", s.node.at)
		}
		b := open[way.String()]
		if b == nil {
			b = &batch{}
			open[way.String()] = b
			out = append(out, b)
		}
		b.of, b.list = append(b.of, at), append(b.list, i)
	}
	work := int64(0)
	for _, b := range out {
		work += b.cost()
	}
	if work > maxWork {
		p.add(root.file, "fewer or smaller patches, or narrower targets", "its patches are too much work for %d documents", len(list))
		return nil
	}
	return out
}

// cost is the bytes that are read and written for a batch, about, and as many for what
// else they cost.
func (b *batch) cost() (work int64) {
	for level := range b.list[0].steps {
		for _, at := range b.patches(level) {
			work += b.list[0].steps[level].node.patches[at].size
		}
	}
	for _, i := range b.list {
		size := i.from.size + eachWork
		for _, s := range i.steps {
			for _, at := range s.patches {
				size += s.node.patches[at].size
				work += size
			}
		}
		work += size
	}
	return work
}

// patches are those of one level that are for any of the batch.
func (b *batch) patches(level int) (all []int) {
	for _, i := range b.list {
		all = append(all, i.steps[level].patches...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
