package look

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"vigil/internal/cli/session"
	"vigil/internal/daemon/offline"
)

type CollectCmd struct {
	Once bool `help:"Measure once and print (the default; here for scripts that say so)." default:"true"`
}

// Help shows an example.
func (CollectCmd) Help() string {
	return "Example:\n  vigild collect --once | grep node_filesystem\n\nNeeds no daemon. Rates are taken over one second."
}

// Run measures the host and prints what it measured in the Prometheus text format.
func (c *CollectCmd) Run(ctx context.Context, s *session.Session) error {
	l, err := s.Load()
	if err != nil {
		return err
	}
	got, err := offline.CollectOnce(ctx, l)
	if len(got) == 0 && err != nil {
		return err
	}
	if err != nil {
		fmt.Fprintln(s.Err, "vigild: not everything could be measured:", err)
	}
	type row struct {
		Labels map[string]string `json:"labels"`
		Value  *float64          `json:"value"`
	}
	rows := make([]row, 0, len(got))
	for _, m := range got {
		r := row{Labels: m.Labels.Map()}
		if !math.IsNaN(m.Value) && !math.IsInf(m.Value, 0) {
			r.Value = &m.Value
		}
		rows = append(rows, r)
	}
	return s.Print(rows, func() error {
		for _, m := range got {
			fmt.Fprintf(s.Out, "%s %s\n", m.Labels, strconv.FormatFloat(m.Value, 'g', -1, 64))
		}
		return nil
	})
}
