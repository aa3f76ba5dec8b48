package offline

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/policy"
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
	in.Evaluate(1000, false, 0)
	honest, err := json.Marshal(struct {
		From, To policy.State
		Value    float64
		policy.Explanation
	}{"ok", "firing", 9, in.Explain()})
	if err != nil {
		t.Fatal(err)
	}
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
		"honest":             {honest, 1, ""},
		"no evidence":        {nil, 0, ""},
		"no condition":       {[]byte(`{"reason":"x"}`), 0, ""},
		"another verdict":    {change(`"value":"true"`, `"value":"false"`), 0, "audit record 1 says"},
		"another window":     {change(`"call":"avg(\"1m\")","value":"9"`, `"call":"avg(\"1m\")","value":"4"`), 0, "audit record 1 says"},
		"another expression": {change(`"fire":"avg(\"1m\") \u003e 5"`, `"fire":"avg(\"1m\") \u003e 50"`), 0, "audit record 1 says"},
		"no expression":      {change(`"fire":"avg(\"1m\") \u003e 5"`, `"fire":"nonsense("`), 0, "audit record 1"},
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
