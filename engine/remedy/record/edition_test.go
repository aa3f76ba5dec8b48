package record

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"vigil/engine/audit"
	"vigil/engine/remedy/decide"
	"vigil/engine/remedy/given"
)

var update = flag.Bool("update", false, "write the export of today's edition anew")

// TestRecordsComeOutForEver: what was recorded by an edition of the gates is decided
// the same by those of today. The exports hold one record of each kind of decision, of
// each gate with each answer that it gives. When this fails because a reason was
// reworded or a gate is new, raise given.Edition, say of the gate that it is Since then,
// and write the export of the new edition with -update; when it fails otherwise, a
// record that somebody keeps would be called false. An export stays as it was written
// once a release has made such records.
func TestRecordsComeOutForEver(t *testing.T) {
	today := filepath.Join("testdata", fmt.Sprintf("edition%d.ndjson", given.Edition))
	if *update {
		if err := os.WriteFile(today, export(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(today); err != nil {
		t.Errorf("%v: write it with -update", err)
	}
	files, err := filepath.Glob("testdata/edition*.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]int{}
	for _, f := range files {
		comeOut(t, f, made)
	}
	for _, g := range new(decide.Rules).Gates() {
		if made[g.Name] == 0 {
			t.Errorf("the exports hold no answer of gate %s", g.Name)
		}
	}
	for _, what := range []string{given.OnClaim, given.OnEnd, given.OnNoStart, given.OnProof, given.OnRecovery, given.OnOrphan, given.OnReject, given.OnOffer, given.OnOutside, given.OnUnclaimed} {
		if made[what] == 0 {
			t.Errorf("the exports hold no decision called %q", what)
		}
	}
}

// comeOut decides the records of an export again, and counts what they tell of.
func comeOut(t *testing.T, file string, made map[string]int) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]*decide.Rules{"": {}}
	err = audit.WalkExport(bytes.NewReader(data), audit.NewVerifier(audit.Head{}), audit.Head{}, func(rec audit.Record, _ int) {
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
			t.Fatalf("%s: record %d: %v", file, rec.Seq, err)
		}
		if _, _, err := Again(rec, e, rules[e.Given.Config]); err != nil {
			t.Errorf("%s: record %d (%s): %v", file, rec.Seq, rec.Verb, err)
		}
		made[e.Given.What]++
		for _, g := range e.Gates {
			made[g.Gate]++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// export is a chain of records, one of each kind, of decisions that are drawn.
func export() []byte {
	var out bytes.Buffer
	var last audit.Record
	tell := func(r audit.Record) {
		r.Seq = last.Seq + 1
		last = audit.Seal(last.Hash, r)
		out.Write(audit.MarshalLine(last))
	}
	type decision struct {
		rules   *decide.Rules
		records []audit.Record
	}
	drawn := rapid.Custom(func(rt *rapid.T) decision {
		t := draw{rt}
		c := t.rules()
		m, ok := t.decided(c, now())
		if !ok {
			return decision{}
		}
		return decision{c, m.Audit}
	})
	seen := map[string]bool{}
	for seed := range 20_000 {
		d := drawn.Example(seed)
		for _, rec := range d.records {
			e, ok, err := Of(rec)
			if err != nil || !ok {
				continue
			}
			kind := e.Given.What + " " + rec.Verb
			if n := len(e.Gates); n > 0 {
				kind += " " + e.Gates[n-1].Gate + " " + e.Gates[n-1].Answer
			}
			if seen[kind] {
				continue
			}
			seen[kind] = true
			if digest := e.Given.Config; digest != "" && !seen[digest] {
				seen[digest] = true
				tell(audit.Record{At: rec.At, Actor: "vigild", Verb: decide.ConfigVerb, Object: decide.ConfigObject, Evidence: decide.Told(d.rules.Config)})
			}
			tell(rec)
		}
	}
	return out.Bytes()
}
