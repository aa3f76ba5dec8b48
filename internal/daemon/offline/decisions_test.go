package offline

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/policy/record"
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
			n, err := Decisions(bytes.NewReader(audit.MarshalLine(r)))
			if n != c.n || c.want == "" && err != nil || c.want != "" && (fault.KindOf(err) != fault.Corrupt || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%d, %v; want %d, %q", n, err, c.n, c.want)
			}
		})
	}
}
