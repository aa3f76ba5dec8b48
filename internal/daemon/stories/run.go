// Package stories plays policy stories (engine/policy/story) through the engine
// itself on a virtual clock, stopping before the commit: `vigild test`.
//
// It refuses effects; reading the files that it is given is all its I/O.
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
	"vigil/engine/policy/story"
	"vigil/engine/rehearse"
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

// Run plays the stories of the files, in order. Files ending in .yaml, .yml or
// .json are policies that every story may name. actions resolves the names of
// kinds and catalogue entries. An error says what could not be read at all.
func Run(files []string, actions remedy.Actions) ([]Result, error) {
	var shared []document.Document
	var issues fault.Issues
	var out []Result
	for _, f := range files {
		if isPolicies(f) {
			ds, err := load(f, &issues)
			if err != nil {
				return nil, err
			}
			shared = append(shared, ds...)
		}
	}
	for _, f := range files {
		if isPolicies(f) {
			continue
		}
		text, err := read(f)
		if err != nil {
			return nil, err
		}
		s, is := story.Parse(f, text)
		issues = append(issues, is...)
		if len(is) > 0 {
			continue
		}
		docs, err := documents(s, f, shared, &issues)
		if err != nil {
			return nil, err
		}
		if len(issues) > 0 {
			continue
		}
		r, err := play(f, s, docs, actions)
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
	if info.Size() > story.MaxBytes || !info.Mode().IsRegular() {
		return nil, fault.New(fault.Invalid, "no regular file of at most %d bytes", story.MaxBytes).At(file)
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

// documents finds the policies that a story names: in the file that it names
// with them, beside the story, or among those given for all.
func documents(s *story.Story, file string, shared []document.Document, issues *fault.Issues) ([]engine.PolicyDocument, error) {
	var out []engine.PolicyDocument
	for _, p := range s.Policies {
		among := shared
		if p.File != "" {
			path := p.File
			if !filepath.IsAbs(path) {
				path = filepath.Join(filepath.Dir(file), path)
			}
			ds, err := load(path, issues)
			if fault.KindOf(err) == fault.NotFound {
				*issues = append(*issues, fault.Issue{Place: p.Place, Msg: fmt.Sprintf("there is no file %s", path), Hint: "the path begins at the folder of the story"})
				continue
			}
			if err != nil {
				return nil, err
			}
			among = ds
		}
		i := slices.IndexFunc(among, func(d document.Document) bool { return d.Kind == "Policy" && d.Name == p.Name })
		if i < 0 {
			missing := fault.Issue{Place: p.Place, Msg: fmt.Sprintf("there is no policy %q", p.Name), Hint: "name its file after it, or give its file beside the story"}
			if p.File != "" {
				missing.Msg += " in " + p.File
				missing.Hint = "write the name that its document has"
			}
			*issues = append(*issues, missing)
			continue
		}
		doc, is := engine.PolicyFromDocument(among[i])
		*issues = append(*issues, is...)
		out = append(out, doc)
	}
	return out, nil
}

// play feeds the samples in order of time and looks at each expected moment.
func play(file string, s *story.Story, docs []engine.PolicyDocument, actions remedy.Actions) (Result, error) {
	res := Result{File: file, Expected: len(s.Expect)}
	r, err := rehearse.New(docs, actions)
	if err != nil {
		return res, fmt.Errorf("%s: %w", file, err)
	}
	at := moments(s)
	times := make([]time.Duration, 0, len(at))
	for t := range at {
		times = append(times, t)
	}
	slices.Sort(times)
	seen := map[string]int{} // remediations of a policy told so far
	for _, e := range s.Expect {
		for len(times) > 0 && times[0] <= e.At {
			m := at[times[0]]
			r.Feed(times[0], m.labels, m.values)
			times = times[1:]
		}
		r.Advance(e.At)
		if msg := check(e, r, r.Decided[seen[e.Policy]:]); msg != "" {
			res.Failures = append(res.Failures, fmt.Sprintf("%s: at %s %s: %s", e.Place, document.Duration(e.At), e.Policy, msg))
		}
		if e.Remedy != nil || e.None {
			seen[e.Policy] = len(r.Decided)
		}
	}
	res.Passed = len(res.Failures) == 0
	return res, nil
}

type moment struct {
	labels []series.Labels
	values []float64
}

func moments(s *story.Story) map[time.Duration]*moment {
	out := map[time.Duration]*moment{}
	for _, t := range s.Series {
		for _, p := range t.Points {
			d := time.Duration(p.T) * time.Millisecond
			m := out[d]
			if m == nil {
				m = &moment{}
				out[d] = m
			}
			m.labels, m.values = append(m.labels, t.Labels), append(m.values, p.V)
		}
	}
	return out
}

// check says what is not as expected, "" nothing. fresh is what was queued since
// the expectation before that asked.
func check(e story.Expectation, r *rehearse.Rehearsal, fresh []rehearse.Rehearsed) string {
	want := e.Labels.Map()
	st, one := r.State(e.Policy, want)
	if !one {
		return "more than one instance fits; name more labels"
	}
	if st != e.State {
		return fmt.Sprintf("is %s, expected %s", st, e.State)
	}
	var mine []rehearse.Rehearsed
	for _, d := range fresh {
		if d.Remediation.Policy == e.Policy && fits(d.Remediation.Labels, want) {
			mine = append(mine, d)
		}
	}
	switch {
	case e.None && len(mine) > 0:
		return "a remedy was queued: " + say(mine[0]) + "; expected none"
	case e.Remedy == nil:
		return ""
	case len(mine) == 0:
		return fmt.Sprintf("no remedy was queued, expected %s %s", e.Remedy.Action, e.Remedy.Target)
	}
	for _, d := range mine {
		l := d.Remediation.Plan.Ladder
		if len(l) > 0 && l[0].Action == e.Remedy.Action && (e.Remedy.Target == "" || d.Remediation.Target == e.Remedy.Target) {
			return ""
		}
	}
	return fmt.Sprintf("the remedy was %s; expected %s %s", say(mine[0]), e.Remedy.Action, e.Remedy.Target)
}

func say(d rehearse.Rehearsed) string {
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
