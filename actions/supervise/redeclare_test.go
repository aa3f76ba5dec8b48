package supervise_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vigil/engine/fault"
)

// TestDeclare_WhatRunsEndsAsItWasDefined: a new definition brings another stop signal;
// what runs knows the one that it was started with.
func TestDeclare_WhatRunsEndsAsItWasDefined(t *testing.T) {
	h := declaring(t, t.TempDir())
	p := worker(t)
	p.Name, p.StopSignal = "", "SIGINT"
	one, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	first, err := h.Declare(t.Context(), "web", one, true)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it works", func() bool { return strings.Contains(read(t, h, "web"), "works") })
	if _, err := h.Declare(t.Context(), "web", raw(t), true); err != nil {
		t.Fatal(err)
	}
	if e := h.wait(t, "down", down); e.Pid != first.Pid || e.Signal != "SIGINT" {
		t.Errorf("told as %+v", e)
	}
}

// TestForget_IsStoppedOnDiskBeforeItsDefinitionGoes: who finds the definition after a
// crash in between starts nothing.
func TestForget_IsStoppedOnDiskBeforeItsDefinitionGoes(t *testing.T) {
	dir := t.TempDir()
	h := declaring(t, dir)
	if _, err := h.Declare(t.Context(), "web", raw(t), true); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "web.process")
	if err := errors.Join(os.Remove(at), os.MkdirAll(at+"/in the way", 0o700)); err != nil { // it cannot go
		t.Fatal(err)
	}
	i, err := h.Forget(t.Context(), "web")
	state, _ := os.ReadFile(filepath.Join(dir, "web.state"))
	if fault.KindOf(err) != fault.Unavailable || i.Running || !strings.Contains(string(state), `"stopped":true`) {
		t.Errorf("%+v, %v, remembered as %s", i, err, strings.TrimSpace(string(state)))
	}
}
