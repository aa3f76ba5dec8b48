package actions

import (
	"context"

	"vigil/actions/blob"
	"vigil/actions/heal"
	"vigil/engine/remedy"
)

// newHeal builds a kind of the room heal; none where the config has no use for it.
func newHeal(name string) func(*Set, Config) (remedy.Action, error) {
	return func(s *Set, c Config) (remedy.Action, error) {
		h := c.Heal
		h.Root = c.Root
		return heal.New(name, h, heal.Deps{Launcher: s.launcher, Units: s.units, Contents: s.contents}), nil
	}
}

// Contents keeps the bytes that requests of the kind file name by their sha256.
func (s *Set) Contents() *blob.Store { return s.contents }

// UnitState is how a unit stands, by systemd's own names, for who compares it
// with what should be. Reads only.
func (s *Set) UnitState(ctx context.Context, unit string) (map[string]any, error) {
	return s.units.State(ctx, unit)
}
