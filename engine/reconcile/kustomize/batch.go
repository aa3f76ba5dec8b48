package kustomize

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"vigil/engine/reconcile/kustomize/value"
)

// batch is some instances that come the same way, as the library gets them. It
// compares each document with each, so that it is given few at once.
type batch struct {
	of     []int // instances
	list   []*instance
	tokens *value.Tokens
}

const batchSize = 32

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
		if b == nil || len(b.of) == batchSize {
			b = &batch{tokens: value.New()}
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

// cost is the bytes that are read and written for a batch, about.
func (b *batch) cost() (work int64) {
	for level := range b.list[0].steps {
		for _, at := range b.patches(level) {
			work += int64(b.list[0].steps[level].node.patches[at].size)
		}
	}
	for _, i := range b.list {
		size := int64(len(i.from.json)) + eachWork
		for _, s := range i.steps {
			for _, at := range s.patches {
				size += int64(s.node.patches[at].size)
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

// rewritten is one level of a batch as a kustomization, with nothing in it but
// what was checked.
func (b *batch) rewritten(level int) []byte {
	n := b.list[0].steps[level].node
	var resources []string
	if level > 0 {
		resources = []string{fmt.Sprintf("../k%d", level-1)}
	} else {
		for k := range b.list {
			resources = append(resources, fmt.Sprintf("d%d.json", k))
		}
	}
	var patches []map[string]any
	for _, at := range b.patches(level) {
		q := n.patches[at]
		t := q.target
		if t == nil { // what it names may be in another batch
			t = &target{Kind: regexp.QuoteMeta(q.kind), Name: regexp.QuoteMeta(q.name)}
		}
		patches = append(patches, map[string]any{"patch": string(b.tokens.Patch(q.merge, q.ops)), "target": t})
	}
	var labels []map[string]any
	for _, pairs := range n.pairs() {
		if len(pairs) > 0 {
			labels = append(labels, map[string]any{"pairs": pairs})
		}
	}
	return value.Encode(map[string]any{"apiVersion": version, "kind": "Kustomization", "resources": resources, "patches": patches, "labels": labels,
		"namePrefix": n.spec.NamePrefix, "nameSuffix": n.spec.NameSuffix})
}
