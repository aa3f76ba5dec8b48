package revision_test

import "testing"

// TestRevision_TheWayBackIsNotPaced: how often a thing was healed before does not
// hold up what the way back leaves to be healed.
func TestRevision_TheWayBackIsNotPaced(t *testing.T) {
	r := newRig(t).start()
	slow := "  heal: {backoff: 1h}"
	r.good("a1", r.file("a", "one\n", slow))
	r.touch("a", "by hand\n")
	r.until("the first heal", func() bool { return r.is("a") == "one\n" })
	r.until("its end", func() bool {
		ds, err := r.ledger.Drifts(t.Context(), 0, "File/a", false, 10)
		return err == nil && len(ds) == 1 && !ds[0].Ended.IsZero()
	})
	bad := r.file("b", "two\n", "  validate: [/bin/false, \"{}\"]", "  dependsOn: [File/a]")
	if _, err := r.push("b2", r.file("a", "changed\n", slow), bad); err == nil || r.is("a") != "one\n" {
		t.Fatalf("err %v a=%q", err, r.is("a"))
	}
	r.touch("a", "left by the way back\n")
	r.until("it is healed at once", func() bool { return r.is("a") == "one\n" })
}
