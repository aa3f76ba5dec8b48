package decide

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vigil/engine/clock"
	"vigil/engine/remedy"
)

// TestLookback_LeavesOutNothingThatCounts: what the query does not ask for changes
// no verdict and no move, whoever asked for the act and whatever was done lately.
func TestLookback_LeavesOutNothingThatCounts(t *testing.T) {
	c := rules(t)
	rapid.Check(t, func(t *rapid.T) {
		s := calm()
		s.r.Source = rapid.SampledFrom([]remedy.Source{remedy.FromPolicy, remedy.FromAPI, remedy.FromReconcile}).Draw(t, "source")
		if s.r.Source != remedy.FromPolicy {
			s.r.Policy = ""
		}
		s.r.Plan.Asked = rapid.Bool().Draw(t, "asked")
		s.f.Spec.Class = rapid.SampledFrom([]remedy.Class{remedy.Convergent, remedy.Probed, remedy.Unsafe}).Draw(t, "class")
		starts := func(name string) (out []clock.Stamp) {
			for i := rapid.SampledFrom([]int{0, 0, 3, 4, 20, 60}).Draw(t, name); i > 0; i-- {
				out = append(out, s.now.Add(-time.Duration(i)*time.Second))
			}
			return out
		}
		s.h.BySubject, s.h.ByPolicy, s.h.ByKind = starts("of the subject"), starts("of the policy"), starts("of the kind")
		for _, name := range []string{"a", "b", "c", "d", "e", "f"}[:rapid.IntRange(0, 6).Draw(t, "touched")] {
			s.h.Subjects = append(s.h.Subjects, touched(s.now, name)...)
		}
		if rapid.Bool().Draw(t, "storm") {
			s.h.Storm = s.now.Add(time.Minute)
		}
		if rapid.Bool().Draw(t, "open breaker") {
			s.h.Breaker = remedy.Breaker{Failures: 3, Opened: 1, Until: s.now.Add(time.Minute)}
		}
		less, q := s.h, c.Lookback(&s.r, s.f.Spec)
		for per, list := range map[*int64]*[]clock.Stamp{&q.SubjectPer: &less.BySubject, &q.PolicyPer: &less.ByPolicy, &q.KindPer: &less.ByKind} {
			if *per == 0 {
				*list = nil
			}
		}
		if q.Storm == 0 {
			less.Subjects = nil
		}
		a := Case{Facts: s.f, Epoch: 1, Now: s.now}
		if d := cmp.Diff(c.Decide(s.r, s.h, a), c.Decide(s.r, less, a)); d != "" {
			t.Fatal(d)
		}
	})
}

// TestLookback_ReadsNothingForARevision: a step of a revision and the end of a
// verification look at their own subject alone, and a file that is written back
// not at the acts of the whole host: thousands of them follow one another.
func TestLookback_ReadsNothingForARevision(t *testing.T) {
	c, s := rules(t), calm()
	s.r.Source, s.r.Policy, s.f.Spec.Class = remedy.FromReconcile, "", remedy.Convergent
	if q := c.Lookback(&s.r, s.f.Spec); q.KindPer != 0 || q.Storm != 0 || q.SubjectPer == 0 || q.Kind != "service" {
		t.Errorf("writing back looks at %+v", q)
	}
	s.r.Plan.Asked = true
	if q := c.Lookback(&s.r, s.f.Spec); q != (remedy.Query{Subject: s.f.Spec.Subject, Kind: "service"}) {
		t.Errorf("a step of a revision looks at %+v", q)
	}
	if q := Past(&s.r); q != (remedy.Query{Subject: s.r.Subject}) {
		t.Errorf("the end of a verification looks at %+v", q)
	}
}
