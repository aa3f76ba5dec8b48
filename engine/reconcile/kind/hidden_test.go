package kind_test

import (
	"encoding/json"
	"strings"
	"testing"

	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kind"
)

// TestFile_WhatAClosedFileHoldsIsNotToldByADifference: viewers see differences, and
// not everybody on the host may read the file. What is healed is the same.
func TestFile_WhatAClosedFileHoldsIsNotToldByADifference(t *testing.T) {
	it := item(t, `{kind: File, metadata: {name: f}, spec: {path: /etc/f, match: ini, values: {db: {password: wanted}}}}`)
	for perm, hidden := range map[string]bool{"0600": true, "0640": true, "0644": false} {
		m := newModel()
		m.files["/etc/f"] = &entry{kind: "file", content: "[db]\npassword = canary\nuser = x\n", perm: perm}
		seen, err := it.Observe(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		ds := it.Differences(nil, seen)
		if len(ds) != 1 || hidden != (ds[0].Wanted == reconcile.Hidden) || hidden != (ds[0].Found == reconcile.Hidden) || !hidden && ds[0].Found != "canary" {
			t.Errorf("%s: %+v", perm, ds)
		}
		steps, _ := it.Plan(seen, ds)
		if len(steps) != 1 || !strings.Contains(string(steps[0].Content), "password = wanted") || !strings.Contains(string(steps[0].Content), "user = x") {
			t.Errorf("%s: %+v", perm, steps)
		}
	}
	closed := item(t, `{kind: File, metadata: {name: f}, spec: {path: /etc/f, permissions: "0600", match: json, values: {password: wanted}}}`)
	seen, err := closed.Observe(t.Context(), newModel())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range closed.Differences(nil, seen) { // there is no file yet
		if strings.Contains(d.Wanted, "wanted") {
			t.Errorf("%+v", d)
		}
	}
}

// TestFile_ALineOfAClosedFileIsToldByItsNumber: the name of a difference goes wherever
// the difference does, and that of a line is the line. Healed, ignored and taken away
// is the line itself.
func TestFile_ALineOfAClosedFileIsToldByItsNumber(t *testing.T) {
	doc := func(more string) *reconcile.Item {
		return item(t, `{kind: File, metadata: {name: f}, spec: {path: /etc/f, match: lines, lines: [user x, password canary]`+more+`}}`)
	}
	for perm, field := range map[string]string{"0600": "line#2", "0640": "line#2", "0644": "line:password canary"} {
		for _, more := range []string{"", ", mode: absent"} {
			it, m := doc(more), newModel()
			stands := "user x\nother\n"
			if more != "" {
				stands = "password canary\nother\n"
			}
			m.files["/etc/f"] = &entry{kind: "file", content: stands, perm: perm}
			seen, err := it.Observe(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			ds := it.Differences(nil, seen)
			told, err := json.Marshal(ds)
			if err != nil || len(ds) != 1 || ds[0].Field != field || strings.Contains(string(told), "canary") != (perm == "0644") {
				t.Fatalf("%s%s: %s %v", perm, more, told, err)
			}
			steps, _ := it.Plan(seen, ds)
			want := map[string]string{"": "user x\nother\npassword canary\n", ", mode: absent": "other\n"}[more]
			if len(steps) != 1 || string(steps[0].Content) != want {
				t.Errorf("%s%s: %+v", perm, more, steps)
			}
			if left := doc(more+`, ignore: ["line:password*"]`).Differences(nil, seen); len(left) > 0 {
				t.Errorf("%s%s: ignored, and differs in %+v", perm, more, left)
			}
		}
	}
	m := newModel()
	m.files["/etc/f"] = &entry{kind: "file", content: "user x\npassword canary\n", perm: "0600"}
	it := doc("")
	seen, err := it.Observe(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	orphan, ok := kind.Retire(it.Key(), reconcile.Written(seen.State, nil))
	if !ok {
		t.Fatal("it is never taken away")
	}
	if seen, err = orphan.Observe(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	ds := orphan.Compare(nil, seen)
	if steps := orphan.Heal(seen, ds); len(ds) != 2 || ds[0].Field != "line#1" || ds[1].Field != "line#2" || len(steps) != 1 || string(steps[0].Content) != "" {
		t.Errorf("%+v %+v", ds, steps)
	}
}

// TestFile_WhatIsWrongWithAClosedFileIsNotToldInItsWords.
func TestFile_WhatIsWrongWithAClosedFileIsNotToldInItsWords(t *testing.T) {
	it := item(t, `{kind: File, metadata: {name: f}, spec: {path: /etc/f, match: toml, values: {user: x}}}`)
	for perm, hidden := range map[string]bool{"0600": true, "0644": false} {
		m := newModel()
		m.files["/etc/f"] = &entry{kind: "file", content: "user = \"x\"\ncanary\n", perm: perm}
		if _, err := it.Observe(t.Context(), m); err == nil || strings.Contains(err.Error(), "canary") == hidden {
			t.Errorf("%s: %v", perm, err)
		}
	}
}

// TestFile_APartFitsIntoARecord: what cannot be remembered is refused when it is
// read, not when it was written.
func TestFile_APartFitsIntoARecord(t *testing.T) {
	var lines []string
	for i := range 3000 {
		lines = append(lines, strings.Repeat("x", 100)+strings.Repeat("y", i%7)+string(rune('a'+i%26))+strings.Repeat("z", i/26))
	}
	_, is := read(t, `{kind: File, metadata: {name: f}, spec: {path: /etc/f, match: lines, lines: [`+strings.Join(lines, ", ")+`]}}`, trusting())
	if len(is) != 1 || !strings.Contains(is.Error(), "are kept") {
		t.Errorf("%.300v", is)
	}
}
