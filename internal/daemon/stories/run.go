package stories

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"vigil/engine"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// Result is how one story went.
type Result struct {
	File     string   `json:"file"`
	Passed   bool     `json:"passed"`
	Expected int      `json:"expected"` // `at` lines
	Failures []string `json:"failures,omitempty"`
}

// Run runs the stories of the files, in order. Files ending in .yaml, .yml or
// .json are policies that every story may name. actions resolves the names of
// kinds and catalogue entries. An error says what could not be read at all.
func Run(files []string, actions remedy.Actions) ([]Result, error) {
	var shared []document.Document
	var issues fault.Issues
	var tales []string
	for _, f := range files {
		if !isPolicies(f) {
			tales = append(tales, f)
			continue
		}
		ds, err := load(f, &issues)
		if err != nil {
			return nil, err
		}
		shared = append(shared, ds...)
	}
	var out []Result
	for _, f := range tales {
		text, err := read(f)
		if err != nil {
			return nil, err
		}
		s, is := parse(f, text)
		issues = append(issues, is...)
		if len(is) > 0 {
			continue
		}
		docs, err := s.documents(shared, &issues)
		if err != nil {
			return nil, err
		}
		if len(issues) > 0 {
			continue
		}
		r, err := s.run(docs, actions)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, issues.Err()
}

func isPolicies(f string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(f))
}

func read(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "the file cannot be read")
	}
	if info.Size() > maxText || !info.Mode().IsRegular() {
		return nil, fault.New(fault.Invalid, "no regular file of at most %d bytes", maxText).At(file)
	}
	b, err := os.ReadFile(file)
	return b, fault.Wrap(fault.Invalid, err, "the file cannot be read")
}

func load(file string, issues *fault.Issues) ([]document.Document, error) {
	text, err := read(file)
	if err != nil {
		return nil, err
	}
	ds, is := document.Parse(file, text, document.Folder)
	*issues = append(*issues, is...)
	return ds, nil
}

// documents gathers the policies that a story speaks of.
func (s *story) documents(shared []document.Document, issues *fault.Issues) ([]engine.PolicyDocument, error) {
	known := slices.Clone(shared)
	for _, f := range s.loads {
		ds, err := load(filepath.Join(filepath.Dir(s.file), f), issues)
		if err != nil {
			return nil, err
		}
		known = append(known, ds...)
	}
	wanted := slices.Clone(s.policies)
	for _, n := range s.names {
		i := slices.IndexFunc(known, func(d document.Document) bool { return d.Kind == "Policy" && d.Name == n.text })
		if i < 0 {
			issues.Add(fmt.Sprintf("%s:%d", s.file, n.no), "there is no policy %q: write it under this line, load its file, or give its file beside the story", n.text)
			continue
		}
		wanted = append(wanted, known[i])
	}
	var out []engine.PolicyDocument
	for i, d := range wanted {
		p, is := engine.PolicyFromDocument(d)
		for j := range is {
			if i < len(s.shifts) {
				is[j].Place = shift(is[j].Place, s.shifts[i])
			}
		}
		*issues = append(*issues, is...)
		out = append(out, p)
	}
	return out, nil
}

// run feeds the samples in order of time and looks at each expected moment.
func (s *story) run(docs []engine.PolicyDocument, actions remedy.Actions) (Result, error) {
	res := Result{File: s.file, Expected: len(s.expects)}
	r, err := engine.NewRehearsal(docs, actions)
	if err != nil {
		return res, fmt.Errorf("%s: %w", s.file, err)
	}
	at := s.moments()
	times := make([]time.Duration, 0, len(at))
	for t := range at {
		times = append(times, t)
	}
	slices.Sort(times)
	seen := 0 // remediations told so far
	for _, e := range s.expects {
		for len(times) > 0 && times[0] <= e.at {
			m := at[times[0]]
			r.Feed(times[0], m.labels, m.values)
			times = times[1:]
		}
		r.Advance(e.at)
		fresh := r.Decided[seen:]
		if msg := e.check(r, fresh); msg != "" {
			res.Failures = append(res.Failures, fmt.Sprintf("%s:%d: at %s %s: %s", s.file, e.no, document.Duration(e.at), e.policy, msg))
		}
		if e.action != "" || e.noRemedy {
			seen = len(r.Decided)
		}
	}
	res.Passed = len(res.Failures) == 0
	return res, nil
}

type moment struct {
	labels []series.Labels
	values []float64
}

func (s *story) moments() map[time.Duration]*moment {
	out := map[time.Duration]*moment{}
	for _, t := range s.lines {
		for _, p := range t.points {
			m := out[p.at]
			if m == nil {
				m = &moment{}
				out[p.at] = m
			}
			m.labels, m.values = append(m.labels, t.labels), append(m.values, p.v)
		}
	}
	return out
}

// check says what is not as expected, "" nothing.
func (e expect) check(r *engine.Rehearsal, fresh []engine.Rehearsed) string {
	st, one := r.State(e.policy, e.labels)
	if !one {
		return "more than one instance fits; name more labels"
	}
	if st != e.state {
		return fmt.Sprintf("is %s, expected %s", st, e.state)
	}
	var mine []engine.Rehearsed
	for _, d := range fresh {
		if d.Remediation.Policy == e.policy && fits(d.Remediation.Labels, e.labels) {
			mine = append(mine, d)
		}
	}
	switch {
	case e.noRemedy && len(mine) > 0:
		return "a remedy was queued " + say(mine[0]) + ", expected none"
	case e.action == "":
		return ""
	case len(mine) == 0:
		return fmt.Sprintf("no remedy was queued, expected %s %s", e.action, e.target)
	}
	for _, d := range mine {
		if len(d.Remediation.Plan.Ladder) > 0 && d.Remediation.Plan.Ladder[0].Action == e.action && (e.target == "" || d.Remediation.Target == e.target) {
			return ""
		}
	}
	return fmt.Sprintf("the remedy was %s, expected %s %s", say(mine[0]), e.action, e.target)
}

func say(d engine.Rehearsed) string {
	action := "nothing"
	if l := d.Remediation.Plan.Ladder; len(l) > 0 {
		action = l[0].Action
	}
	return fmt.Sprintf("%s %s at %s", action, d.Remediation.Target, document.Duration(d.At))
}

func fits(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}
