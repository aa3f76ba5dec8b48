package offline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/policy/record"
	"vigil/engine/remedy"
	"vigil/engine/remedy/decide"
	"vigil/engine/remedy/given"
	"vigil/engine/series"
)

// TestDecisionsComeOutAsTheyWereWritten: from the evidence alone; a record that
// says something else is named, even where its hash is right.
func TestDecisionsComeOutAsTheyWereWritten(t *testing.T) {
	cond, is := policy.Compile(policy.Spec{Match: "heat", Fire: `avg("1m") > 5`, Clear: "value < 3"})
	if len(is) > 0 {
		t.Fatal(is)
	}
	in := cond.Instance(series.FromMap("heat", map[string]string{"service": "web"}))
	in.Observe(0, 1, series.Point{T: 1000, V: 9})
	ev := in.Evaluate(1000, false, 0)
	now := clock.Stamp{Wall: 5_000_000, Boot: 9, BootID: "a"}
	was := policy.Firing{State: policy.StateOK, Since: now, Known: now, Seen: 500}
	_, tr, _ := policy.Advance(cond, was, ev, "", now)
	whole := record.Evidence{From: tr.From, To: tr.To, Value: 9, Step: record.StepOf(cond, was, ev, now), Explanation: in.Explain()}
	older := whole
	older.Step, older.From = nil, policy.StateRecovering
	write := func(e record.Evidence) []byte {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	honest := write(whole)
	change := func(old, by string) []byte {
		out := bytes.Replace(honest, []byte(old), []byte(by), 1)
		if bytes.Equal(out, honest) {
			t.Fatalf("%s is not in %s", old, honest)
		}
		return out
	}
	for name, c := range map[string]struct {
		evidence []byte
		n        int
		want     string
	}{
		"honest":                    {honest, 1, ""},
		"of before steps were kept": {write(older), 1, ""},
		"another end":               {change(`"To":"firing"`, `"To":"pending"`), 0, "from ok to pending; its step goes from ok to firing"},
		"another beginning":         {change(`"was":{"state":"ok"`, `"was":{"state":"firing"`), 0, "its step goes from"},
		"another wait":              {change(`"terms":{}`, `"terms":{"for":"5m"}`), 0, "its step goes from ok to pending"},
		"no evidence":               {nil, 0, ""},
		"no condition":              {[]byte(`{"reason":"x"}`), 0, ""},
		"another verdict":           {change(`"value":"true"`, `"value":"false"`), 0, "audit record 1 (firing:hot/1): "},
		"another window":            {change(`"call":"avg(\"1m\")","value":"9"`, `"call":"avg(\"1m\")","value":"4"`), 0, "audit record 1 (firing:hot/1): "},
		"another expression":        {change(`"fire":"avg(\"1m\") \u003e 5"`, `"fire":"avg(\"1m\") \u003e 50"`), 0, "audit record 1 (firing:hot/1): "},
		"no expression":             {change(`"fire":"avg(\"1m\") \u003e 5"`, `"fire":"nonsense("`), 0, "audit record 1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := audit.Seal(audit.Hash{}, audit.Record{Seq: 1, Actor: "policy:hot", Verb: "firing.fire", Object: "firing:hot/1", Evidence: c.evidence})
			d, err := Decisions(bytes.NewReader(audit.MarshalLine(r)))
			n := d.Firings
			if c.want == "" && n != c.n || c.want == "" && err != nil || c.want != "" && (fault.KindOf(err) != fault.Corrupt || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%d, %v; want %d, %q", n, err, c.n, c.want)
			}
		})
	}
}

// life is what is told of a remediation, move after move, as the ledger writes it down.
type life struct {
	t     *testing.T
	rules *decide.Rules
	recs  []audit.Record
}

func (l *life) tell(rs ...audit.Record) {
	l.recs = append(l.recs, rs...)
}

// export seals what was told, from one record on, and writes it down.
func (l *life) export(from int) *bytes.Reader {
	var prev audit.Hash
	var out []byte
	for i, r := range l.recs {
		r.Seq = int64(i + 1)
		r = audit.Seal(prev, r)
		if prev = r.Hash; i >= from {
			out = append(out, audit.MarshalLine(r)...)
		}
	}
	return bytes.NewReader(out)
}

// lived is a remediation that a storm holds, that then acts, fails, is tried again,
// does not help, and is given up with its breaker open.
func lived(t *testing.T) *life {
	t.Helper()
	conf := remedy.Defaults()
	conf.Break.Failures = 1
	rules, err := decide.New(conf)
	if err != nil {
		t.Fatal(err)
	}
	l := &life{t: t, rules: rules}
	now := clock.Stamp{Wall: 1_790_000_000_000_000, Boot: int64(time.Hour), BootID: "a"}
	l.tell(audit.Record{At: now, Actor: "vigild", Verb: decide.ConfigVerb, Object: decide.ConfigObject, Evidence: decide.Told(conf)})
	r := remedy.Remediation{ID: 3, Source: remedy.FromPolicy, Policy: "hot", Target: "web", State: remedy.Queued,
		Plan: remedy.Plan{Ladder: []remedy.Rung{{Action: "service", Tries: 2}}}}
	f := remedy.Facts{Holds: 1, Warm: true, Trusted: true, Spec: remedy.Spec{Subject: "systemd:web.service", Kind: "service", Class: remedy.Probed, Cost: 2, Summary: "restart web.service"}}
	cond, is := policy.Compile(policy.Spec{Match: "heat", Fire: "value > 5"})
	if len(is) > 0 {
		t.Fatal(is)
	}
	in := cond.Instance(series.FromMap("heat", nil))
	in.Observe(0, 1, series.Point{T: 1000, V: 9})
	in.Evaluate(1000, true, 0)
	f.Evidence = audit.Evidence(record.Held{State: policy.StateFiring, Explanation: in.Explain()})
	step := func(m remedy.Move, err error) remedy.Move {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		l.tell(m.Audit...)
		r, now = m.Next, now.Add(10*time.Minute)
		return m
	}
	var stormy remedy.History
	for _, s := range []string{"a", "b", "c", "d", "e"} {
		stormy.Subjects = append(stormy.Subjects, remedy.Touched{Subject: s, At: now})
	}
	claim := func(h remedy.History) remedy.Move {
		return step(rules.Decide(r, h, decide.Case{Facts: f, Epoch: 1, Now: now}), nil)
	}
	claim(stormy)
	m := claim(remedy.History{})
	step(rules.Ended(r, *m.Open, remedy.Result{Error: "exit 1"}, now, 0.5))
	m = claim(remedy.History{LastEnd: r.AttemptEnd, LastEndBy: r.ID})
	step(rules.Ended(r, *m.Open, remedy.Result{OK: true}, now, 0.5))
	step(rules.Verified(r, remedy.History{}, remedy.Verification{Reason: "still hot", Evidence: []byte(`{"value":9}`)}, now, 0.5))
	return l
}

// TestDecisionsOfANewerVigild: a gate that is not known here is no lie when a newer
// vigild asked it, and is one when the record says that it is of this edition.
func TestDecisionsOfANewerVigild(t *testing.T) {
	for name, c := range map[string]struct {
		old, by string
		kind    fault.Kind
		want    string
	}{
		"a gate of a newer one":       {`"gates":["pause",`, `"gates":["pause","tides",`, fault.Unsupported, `(attempt:1-3-1): unknown gate "tides": made by a newer vigild, of edition`},
		"an order of a newer one":     {`"gates":["pause","mode",`, `"gates":["mode","pause",`, fault.Unsupported, "made by a newer vigild"},
		"a decision of a newer one":   {`"config":`, `"what":"moon","config":`, fault.Unsupported, "made by a newer vigild"},
		"nothing new":                 {`"gates":["pause",`, `"gates":["pause",`, fault.OK, ""},
		"a gate that there never was": {`"gates":["pause",`, `"gates":["pause","tides",`, fault.Corrupt, `unknown gate "tides"`},
	} {
		l := lived(t)
		i := slices.IndexFunc(l.recs, func(r audit.Record) bool { return r.Verb == "attempt.start" })
		text := strings.Replace(string(l.recs[i].Evidence), c.old, c.by, 1)
		if c.old != c.by && text == string(l.recs[i].Evidence) {
			t.Fatalf("%s: %s is not in %s", name, c.old, text)
		}
		if c.kind != fault.Corrupt {
			text = strings.Replace(text, fmt.Sprintf(`"edition":%d`, given.Edition), fmt.Sprintf(`"edition":%d`, given.Edition+1), 1)
		}
		l.recs[i].Evidence = []byte(text)
		if _, err := Decisions(l.export(0)); fault.KindOf(err) != c.kind || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGatesComeOutAsTheyWereWritten: what the gates answered, what was opened, the
// wait, the breaker and the storm brake come out of an export again; what somebody
// changed and sealed anew is named, in the record itself and in those that its move
// tells beside it. Older records and unknown configurations are counted.
func TestGatesComeOutAsTheyWereWritten(t *testing.T) {
	var verbs []string
	for _, r := range lived(t).recs {
		verbs = append(verbs, r.Verb)
	}
	if got, want := strings.Join(verbs, " "), "config.gates gate.hold storm.brake attempt.start attempt.end remediation.retry attempt.start attempt.end verify.failed breaker.open remediation.gave_up"; got != want {
		t.Fatalf("the life is %s, want %s", got, want)
	}
	swap := func(i int, old, by string) func(*life) {
		return func(l *life) {
			was := l.recs[i].Evidence
			l.recs[i].Evidence = bytes.Replace(was, []byte(old), []byte(by), 1)
			if bytes.Equal(was, l.recs[i].Evidence) {
				l.t.Fatalf("%s is not in %s", old, was)
			}
		}
	}
	for name, c := range map[string]struct {
		spoil func(*life)
		from  int
		want  Decided
		err   string
	}{
		"honest":                          {func(*life) {}, 0, Decided{Remediations: 5}, ""},
		"the configuration is told later": {func(l *life) { l.recs = append(l.recs[1:], l.recs[0]) }, 0, Decided{Remediations: 5}, ""},
		"without its configuration":       {func(*life) {}, 1, Decided{Unknown: 5}, ""},
		"cut amid a move":                 {func(l *life) { l.tell(l.recs[0]) }, 5, Decided{Remediations: 3}, ""},
		"of before it was kept":           {swap(3, `"given"`, `"given_not"`), 0, Decided{Remediations: 4, Bare: 1}, ""},
		"ended with its firing": {func(l *life) {
			m, err := remedy.Withdraw(remedy.Remediation{ID: 4, State: remedy.Queued}, "it cleared", l.recs[0].At)
			if err != nil {
				l.t.Fatal(err)
			}
			l.tell(m.Audit...)
		}, 0, Decided{Remediations: 5}, ""},
		"another verdict":             {swap(1, `"answer":"hold"`, `"answer":"refuse"`), 0, Decided{}, "audit record 2 (remediation:3): gate storm is written as refuse (storm brake"},
		"a gate that was passed over": {swap(3, `"storm",`, ``), 0, Decided{}, "gate breaker, in the place of storm, is written as admit"},
		"another fact":                {swap(3, `"holds":1`, `"holds":-1`), 0, Decided{}, "audit record 4 (attempt:1-3-1): gate recheck is written as admit and comes out as drop"},
		"another wait":                {swap(5, `"jitter":0.5`, `"jitter":0.9`), 0, Decided{}, "the time until is written as 1000000000 and comes out as 1800000000"},
		"another configuration":       {swap(0, `"Failures":1`, `"Failures":9`), 0, Decided{Unknown: 5}, ""},
		"another breaker":             {swap(10, `"breaker":{"failures":1`, `"breaker":{"failures":2`), 0, Decided{}, "the breaker is written as"},
		"another act":                 {func(l *life) { l.recs[3].Reason = "stop web.service" }, 0, Decided{}, `its reason is written as "stop web.service" and comes out as "restart web.service"`},
		"another end beside it":       {func(l *life) { l.recs[4].Reason = "done" }, 0, Decided{}, `record 5 before it (attempt:1-3-1): its reason is written as "done" and comes out as "failed: exit 1"`},
		"another brake beside it":     {func(l *life) { l.recs[2].Verb = "storm.calm" }, 0, Decided{}, `audit record 3 (host): its verb is written as "storm.calm"`},
		"no brake":                    {func(l *life) { l.recs = append(l.recs[:2:2], l.recs[3:]...) }, 0, Decided{}, `comes out as "storm.brake"`},
		"no evidence at all":          {swap(3, `{"gates"`, `["gates"`), 0, Decided{}, "audit record 4"},
		"a condition that was over":   {swap(3, `"condition":{"state":"firing"`, `"condition":{"state":"ok"`), 0, Decided{}, "the gates went by a condition that is true; it comes out as false"},
		"a condition that is not so":  {swap(3, `"text":"value > 5","value":"true"`, `"text":"value > 5","value":"false"`), 0, Decided{}, "value > 5 is written as false and comes out as true"},
	} {
		t.Run(name, func(t *testing.T) {
			l := lived(t)
			c.spoil(l)
			got, err := Decisions(l.export(c.from))
			if c.err == "" && (err != nil || got != c.want) || c.err != "" && (fault.KindOf(err) != fault.Corrupt || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%+v, %v; want %+v, %q", got, err, c.want, c.err)
			}
		})
	}
}
