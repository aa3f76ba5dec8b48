package ground

import (
	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/reconcile"
)

// SuspendOf is a suspend in force that covers a thing ("*": everything). It takes
// Mu.
func (g *Ground) SuspendOf(ref string) (engine.Suspend, bool) {
	now := g.Clock()
	g.Mu.RLock()
	defer g.Mu.RUnlock()
	return g.SuspendHeld(ref, now)
}

// Suspended says that a thing is left alone now.
func (g *Ground) Suspended(ref string) bool { _, is := g.SuspendOf(ref); return is }

// SuspendedAll says that everything is.
func (g *Ground) SuspendedAll() bool { return g.Suspended("*") }

// SuspendHeld is SuspendOf for who holds Mu.
func (g *Ground) SuspendHeld(ref string, now clock.Stamp) (engine.Suspend, bool) {
	for _, s := range g.Suspends {
		if !now.Reached(s.Until) && (s.Selector == "*" || reconcile.Glob(s.Selector, ref)) {
			return s, true
		}
	}
	return engine.Suspend{}, false
}
