package vigiltest

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vigil/api/contract"
)

// TestDesired_WhatRunsOnIsNoDrift: vigild is killed and takes long to find out what
// still runs of what it kept. Nobody compares before that: a process that a document
// wants, and that ran all the time, is neither drift nor healed.
func TestDesired_WhatRunsOnIsNoDrift(t *testing.T) {
	f := newField(t, 1, `
[[process]]
name = "first"
argv = ["/bin/sleep", "1000"]
[[process]]
name = "worker"
argv = ["/bin/sleep", "1000"]
`)
	t.Cleanup(func() { f.kill(); endKept(f.dir) })
	file := filepath.Join(f.dir, "vigil.toml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, file, strings.Replace(string(text), `"Policy"]`, `"Policy", "Process"]`, 1))
	f.mustBeReady(Binary)
	f.follows("apiVersion: vigil/v1\nkind: Process\nmetadata: {name: worker}\nspec: {state: running}\n")
	f.kill()

	// The record of the process that is adopted first can be read no sooner than the
	// other end of the pipe writes it.
	record := filepath.Join(f.dir, "data", "process", "first.state")
	if text, err = os.ReadFile(record); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(record); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(record, 0o600); err != nil {
		t.Fatal(err)
	}
	f.start(Binary)
	var pipe *os.File
	if !quickly(func() bool { // without a reader there is none
		pipe, err = os.OpenFile(record, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		return err == nil
	}) {
		t.Fatalf("nobody reads the record: %v\n%s", err, f.log)
	}
	defer pipe.Close()
	end := time.After(500 * time.Millisecond) // a daemon that does not wait looks long before
	for early := false; !early; {
		select {
		case <-end:
			early = true
		case <-time.After(10 * time.Millisecond):
			early = strings.Contains(f.log.String(), "drift")
		}
	}
	if _, err := pipe.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := pipe.Close(); err != nil {
		t.Fatal(err)
	}
	if !f.ready() {
		t.Fatalf("vigild ended by itself:\n%s", f.log)
	}
	var r contract.Resource
	if !Until(func() bool {
		err := f.get(t.Context(), "/api/v1/resources/Process/worker", &r)
		return err == nil && r.LookedAt != nil
	}) {
		t.Fatalf("it is not looked at: %+v\n%s", r, f.log)
	}
	var list contract.DriftList
	if err := f.get(t.Context(), "/api/v1/drift/history?limit=10", &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Drifts) > 0 || r.Status != "in_sync" {
		t.Errorf("a process that ran all the time is %s (%s), and on record is %+v", r.Status, r.Reason, list.Drifts)
	}
	f.stop()
}
