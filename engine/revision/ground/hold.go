package ground

import (
	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/reconcile"
)

// suspendOf is a suspend in force that covers a thing ("*": everything).
func (g *Ground) SuspendOf(ref string) (engine.Suspend, bool) {
	now := g.Clock()
	g.Mu.RLock()
	defer g.Mu.RUnlock()
	for _, s := range g.Suspends {
		if now.Reached(s.Until) {
			continue
		}
		if s.Selector == "*" || ref != "*" && reconcile.Glob(s.Selector, ref) {
			return s, true
		}
	}
	return engine.Suspend{}, false
}

func (g *Ground) Suspended(ref string) bool { _, is := g.SuspendOf(ref); return is }

func (g *Ground) SuspendedAll() bool { return g.Suspended("*") }

// suspendHeld is suspendOf for who holds g.mu.
func (g *Ground) SuspendHeld(ref string, now clock.Stamp) (engine.Suspend, bool) {
	for _, s := range g.Suspends {
		if !now.Reached(s.Until) && (s.Selector == "*" || reconcile.Glob(s.Selector, ref)) {
			return s, true
		}
	}
	return engine.Suspend{}, false
}
