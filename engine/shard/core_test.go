package shard

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// mesh is layers of width policies, each of which depends on all of the next
// layer: width to the power of layers paths.
func mesh(layers, width int) map[string]*Dep {
	deps := map[string]*Dep{}
	for l := range layers {
		for w := range width {
			d := &Dep{Causing: new(atomic.Int32)}
			for n := range width {
				if l+1 < layers {
					d.On = append(d.On, fmt.Sprint(l+1, "/", n))
				}
			}
			deps[fmt.Sprint(l, "/", w)] = d
		}
	}
	return deps
}

// TestDeepestCauseIsFoundOnce: in a mesh with more paths than could be walked,
// with nothing firing, with a cause at the bottom, and in a circle.
func TestDeepestCauseIsFoundOnce(t *testing.T) {
	const layers = 40
	deps := mesh(layers, 8)
	ask := func() string { return deepest(deps, deps["0/0"].On, map[string]bool{}) }
	if got := ask(); got != "" {
		t.Errorf("nothing fires, and the cause is %s", got)
	}
	deps["1/3"].Causing.Store(1)
	deps[fmt.Sprint(layers-1, "/7")].Causing.Store(1)
	if got, want := ask(), fmt.Sprint(layers-1, "/7"); got != want {
		t.Errorf("the cause is %s, want %s", got, want)
	}
	deps[fmt.Sprint(layers-1, "/7")].Causing.Store(0)
	deps[fmt.Sprint(layers-1, "/0")].On = []string{"1/3"}
	if got := ask(); got != "1/3" {
		t.Errorf("with a circle the cause is %s", got)
	}
}
