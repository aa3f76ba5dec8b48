// Package look is the commands that only look: the host, stories, the audit
// chain, what the collector measures, whether the daemon is ready.
package look

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/guptarohit/asciigraph"

	"vigil/api/contract"
	"vigil/engine/fault"
	"vigil/internal/cli/session"
)

type StatusCmd struct {
	For  session.Span `help:"How far back the plots go, such as 6h or 7d." default:"30m"`
	Plot bool         `help:"Draw large plots instead of one line each."`
}

// Help shows examples.
func (StatusCmd) Help() string {
	return "Examples:\n  vigild status\n  vigild status --for 6h --plot\n  vigild status -o json"
}

// plotted are the gauges that the status shows.
var plotted = []struct {
	name, label, unit string
	top               float64 // 0: as high as it gets
}{
	{"cpu_percent", "cpu", "%", 100},
	{"memory_percent", "memory", "%", 100},
	{"disk_free_percent", "disk free", "%", 100},
	{"node_load1", "load", "", 0},
}

// Run shows the host.
func (c *StatusCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	st, err := r.Status(ctx)
	if err != nil {
		return err
	}
	firings, err := r.Firings(ctx, "", "")
	if err != nil {
		return err
	}
	des, err := r.Desired(ctx)
	if err != nil && fault.KindOf(err) != fault.NotFound { // a daemon of before has no such route
		return err
	}
	if s.Output == "json" {
		return s.Print(struct {
			contract.Status
			Firings []contract.Firing `json:"firings"`
			Desired contract.Desired  `json:"desired"`
		}{st, firings.Firings, des}, nil)
	}
	headline(s, st)
	now := time.Now()
	for _, p := range plotted {
		got, err := r.Range(ctx, p.name, now.Add(-time.Duration(c.For)), now, 1, 5000)
		if err != nil {
			return err
		}
		c.plot(s, p.label, p.unit, p.top, got)
	}
	fmt.Fprintf(s.Out, "\n%s over %d series; %d firing, %d pending; actions: %s\n", session.Count(st.Policies, "policy", "policies"), st.Instances, st.Firing, st.Pending, states(st.Actions))
	if des.Enabled {
		fmt.Fprintln(s.Out, stands(s, des))
	}
	var rows [][]string
	for _, f := range firings.Firings {
		if f.State == "ok" || f.State == "unknown" && f.Value == nil {
			continue
		}
		v := "-"
		if f.Value != nil {
			v = strconv.FormatFloat(*f.Value, 'g', 5, 64)
		}
		age := "-"
		if f.Since != nil {
			age = session.Since(*f.Since)
		}
		rows = append(rows, []string{f.State, f.Policy, about(f), f.Severity, v, age})
	}
	if len(rows) > 0 {
		fmt.Fprintln(s.Out)
		if err := s.Table([]string{"STATE", "POLICY", "ABOUT", "SEVERITY", "VALUE", "FOR"}, rows); err != nil {
			return err
		}
	}
	if err := unwell(s, st.Checks); err != nil {
		return err
	}
	if len(st.Holds) > 0 {
		fmt.Fprintln(s.Out)
		return s.HoldTable(st.Holds, st.Holds)
	}
	return nil
}

// unwell lists the checks that are not as they were asked to be, whether or not a
// policy watches them.
func unwell(s *session.Session, c contract.Checks) error {
	if len(c.Unwell) == 0 {
		return nil
	}
	var rows [][]string
	for _, x := range c.Unwell {
		well := "never"
		if x.LastSuccess != nil {
			well = session.Since(*x.LastSuccess)
		}
		rows = append(rows, []string{x.State, x.Name, x.Kind, well, x.Reason})
	}
	fmt.Fprintln(s.Out)
	if err := s.Table([]string{"STATE", "CHECK", "KIND", "WELL", "REASON"}, rows); err != nil {
		return err
	}
	if more := c.States["down"] + c.States["error"] + c.States["grace"] - len(c.Unwell); more > 0 {
		fmt.Fprintf(s.Out, "and %d more\n", more)
	}
	return nil
}

// about is what an instance is called: its target, else what its series is
// labelled with.
func about(f contract.Firing) string {
	if f.Target != "" {
		return f.Target
	}
	var out []string
	for name, value := range f.Labels {
		if name != "__name__" {
			out = append(out, name+"="+strconv.Quote(value))
		}
	}
	if len(out) == 0 {
		return f.Labels["__name__"]
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func headline(s *session.Session, st contract.Status) {
	word := s.Paint(session.Green, "healthy")
	switch {
	case !st.Ready:
		word = s.Paint(session.Red, "not ready: "+session.Plain(strings.Join(st.Reasons, "; ")))
	case len(st.Degraded) > 0:
		word = s.Paint(session.Yellow, "degraded: "+session.Plain(strings.Join(st.Degraded, "; ")))
	case st.Firing > 0:
		word = s.Paint(session.Red, fmt.Sprintf("%d firing", st.Firing))
	}
	var until *time.Time // when the last pause ends
	for _, h := range st.Holds {
		if h.Kind == "pause" && h.Until != nil && (until == nil || h.Until.After(*until)) {
			until = h.Until
		}
	}
	if until != nil {
		word += s.Paint(session.Yellow, ", all acts paused until "+session.Moment(until))
	}
	fmt.Fprintf(s.Out, "%s  %s\nvigild %s, up %s; host up %s\n\n", s.Paint(session.Bold, session.Plain(st.Node)), word, st.Version,
		session.Ago(time.Duration(st.Uptime*float64(time.Second))), session.Ago(time.Duration(st.HostUptime*float64(time.Second))))
}

// stands is the desired state in a line.
func stands(s *session.Session, d contract.Desired) string {
	if d.Applied == "" && d.State == "" {
		line := "desired state: no commit yet"
		switch {
		case d.Stalled != "":
			line += "; " + s.Paint(session.Red, "stalled: "+session.Plain(d.Stalled))
		case d.Source == "push":
			line += "; vigild init makes the first one"
		}
		return line
	}
	commit := d.Applied[:min(10, len(d.Applied))]
	if commit == "" {
		commit = "no commit"
	}
	line := "desired state: " + commit + " applied"
	switch {
	case d.State == "":
	case d.State == "applying":
		line = "desired state: " + commit + " is " + s.Paint(session.Yellow, "being applied")
	case d.State == "good":
		line += ", " + s.Paint(session.Green, "good")
	default:
		line += "; the newest revision is " + s.Paint(session.Yellow, session.Plain(d.State))
		if d.Why != "" {
			line += " (" + session.Plain(d.Why) + ")"
		}
	}
	line += "; " + session.Count(d.Resources, "thing", "things")
	if d.Drifted > 0 {
		line += ", " + s.Paint(session.Red, fmt.Sprintf("%d drifted", d.Drifted))
	}
	if d.Unseen > 0 {
		line += ", " + s.Paint(session.Red, fmt.Sprintf("%d cannot be looked at", d.Unseen))
	}
	if d.Stopped > 0 {
		line += ", " + s.Paint(session.Red, fmt.Sprintf("%d undone by somebody else again and again", d.Stopped))
	}
	if len(d.Suspends) > 0 {
		line += fmt.Sprintf(", %d suspended", len(d.Suspends))
	}
	if d.Mode == "detect" {
		line += ", mode detect: nothing is healed"
	}
	if d.Stalled != "" {
		line += "; " + s.Paint(session.Red, "stalled: "+session.Plain(d.Stalled))
	}
	return line
}

func states(m map[string]int) string {
	var out []string
	for k, n := range m {
		if n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, k))
		}
	}
	if len(out) == 0 {
		return "none yet"
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (c *StatusCmd) plot(s *session.Session, label, unit string, top float64, got contract.Range) {
	vs := points(got)
	if len(vs) == 0 {
		fmt.Fprintf(s.Out, "  %-10s no data yet\n", label)
		return
	}
	last := vs[len(vs)-1]
	if !c.Plot {
		fmt.Fprintf(s.Out, "  %-10s %6.1f%-1s %s\n", label, last, unit, spark(squeeze(vs, 48), top))
		return
	}
	fmt.Fprintln(s.Out, asciigraph.Plot(squeeze(vs, 60), asciigraph.Height(6), asciigraph.Caption(label+" "+unit), asciigraph.Precision(2)))
}

// points are the values of the first series, oldest first.
func points(r contract.Range) []float64 {
	if len(r.Series) == 0 {
		return nil
	}
	var out []float64
	for _, p := range r.Series[0].Points {
		if v, ok := p[1].(float64); ok && !math.IsNaN(v) && !math.IsInf(v, 0) {
			out = append(out, v)
		}
	}
	return out
}

// squeeze takes the highest of each stretch, so that a short peak stays seen.
func squeeze(vs []float64, width int) []float64 {
	if len(vs) <= width {
		return vs
	}
	out := make([]float64, width)
	for i := range out {
		out[i] = slices.Max(vs[i*len(vs)/width : (i+1)*len(vs)/width])
	}
	return out
}

var bars = []rune("▁▂▃▄▅▆▇█")

// spark draws one line of bars from 0 to top.
func spark(vs []float64, top float64) string {
	if top == 0 {
		top = max(slices.Max(vs), 1e-9)
	}
	var b strings.Builder
	for _, v := range vs {
		i := int(v / top * float64(len(bars)))
		b.WriteRune(bars[min(max(i, 0), len(bars)-1)])
	}
	return b.String()
}
