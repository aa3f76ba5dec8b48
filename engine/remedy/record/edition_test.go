package record

import (
	"bytes"
	_ "embed"
	"testing"

	"vigil/engine/audit"
	"vigil/engine/remedy/decide"
	"vigil/engine/remedy/given"
)

// edition1 is an export with one record of each kind of decision, of each gate with
// each answer that it gives.
//
//go:embed testdata/edition1.ndjson
var edition1 []byte

// TestRecordsComeOutForEver: what was recorded by an edition of the gates is decided
// the same by those of today. When this fails because a reason was reworded, raise
// given.Edition and add an export of the new one; when it fails otherwise, a record
// that somebody keeps would be called false.
func TestRecordsComeOutForEver(t *testing.T) {
	rules := map[string]*decide.Rules{"": {}}
	made := map[string]int{}
	err := audit.WalkExport(bytes.NewReader(edition1), audit.NewVerifier(audit.Head{}), audit.Head{}, func(rec audit.Record, _ int) {
		if rec.Verb == decide.ConfigVerb {
			c, err := decide.Stored(rec.Evidence)
			if err != nil {
				t.Fatal(err)
			}
			rules[c.Digest()] = c
			return
		}
		e, ok, err := Of(rec)
		if err != nil || !ok {
			t.Fatalf("record %d: %v", rec.Seq, err)
		}
		if _, _, err := Again(rec, e, rules[e.Given.Config]); err != nil {
			t.Errorf("record %d (%s): %v", rec.Seq, rec.Verb, err)
		}
		made[e.Given.What]++
		for _, g := range e.Gates {
			made[g.Gate]++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range new(decide.Rules).Gates() {
		if made[g.Name] == 0 {
			t.Errorf("the export holds no answer of gate %s", g.Name)
		}
	}
	for _, what := range []string{given.OnClaim, given.OnEnd, given.OnNoStart, given.OnProof, given.OnRecovery, given.OnOrphan, given.OnReject, given.OnOffer, given.OnOutside, given.OnUnclaimed} {
		if made[what] == 0 {
			t.Errorf("the export holds no decision called %q", what)
		}
	}
}
