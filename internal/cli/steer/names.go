package steer

import (
	"context"
	"maps"
	"slices"
	"strings"

	"vigil/internal/cli/session"
)

type actionNamesCmd struct{}

// Run lists kinds and entries of the catalogue.
func (c *actionNamesCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	list, err := r.Catalogue(ctx)
	if err != nil {
		return err
	}
	return s.Print(list, func() error {
		rows := make([][]string, 0, len(list.Actions))
		for _, a := range list.Actions {
			rows = append(rows, []string{a.Name, a.Kind, a.From, strings.Join(slices.Sorted(maps.Keys(a.Params)), " "), a.Description})
		}
		return s.Table([]string{"NAME", "KIND", "FROM", "PARAMETERS", "DESCRIPTION"}, rows)
	})
}
