package kind_test

import (
	"strings"
	"testing"

	"vigil/engine/reconcile"
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
