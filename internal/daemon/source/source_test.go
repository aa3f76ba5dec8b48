package source

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vigil/engine/document"
	"vigil/engine/fault"
)

// sink remembers the names that hold.
type sink struct {
	holds []string
	times int
	fail  error
}

func (s *sink) as(kinds ...string) Sink {
	return Sink{Kinds: kinds, Apply: func(_ context.Context, ds []document.Document) error {
		if s.fail != nil {
			return s.fail
		}
		s.times++
		s.holds = nil
		for _, d := range ds {
			s.holds = append(s.holds, d.Name)
		}
		return nil
	}}
}

func folder(t *testing.T, s *sink) (*Folder, string) {
	dir := filepath.Join(t.TempDir(), "policies")
	return New(Deps{Dirs: []string{dir}, Sinks: []Sink{s.as("Policy")}, Log: slog.New(slog.DiscardHandler), Rescan: time.Hour}), dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func policy(name string) string {
	return "apiVersion: vigil/v1\nkind: Policy\nmetadata: {name: " + name + "}\nspec: {match: x, fire: value > 1}\n"
}

func TestFolderIsAppliedWholeOrNotAtAll(t *testing.T) {
	var s sink
	f, dir := folder(t, &s)
	look := func() error { _, err := f.Reload(t.Context(), false); return err }

	if err := look(); err != nil || s.times != 1 || len(s.holds) != 0 {
		t.Fatalf("a folder that never was: %v, applied %d times", err, s.times)
	}
	write(t, filepath.Join(dir, "a.yaml"), policy("a"))
	if err := look(); err != nil || strings.Join(s.holds, " ") != "a" {
		t.Fatalf("%v %v", err, s.holds)
	}
	look()
	if s.times != 2 {
		t.Error("an unchanged folder was applied again")
	}
	write(t, filepath.Join(dir, "b.yaml"), "apiVersion: vigil/v1\nkind: Policy\nmetadata: {nam: b}\nspec: {}\n")
	if err := look(); err == nil || !strings.Contains(err.Error(), "b.yaml:3") {
		t.Errorf("a mistake is not named with its place: %v", err)
	}
	if strings.Join(s.holds, " ") != "a" || f.State().Err == nil {
		t.Error("half a folder was applied, or nobody was told")
	}
	write(t, filepath.Join(dir, "b.yaml"), policy("b"))
	if err := look(); err != nil || strings.Join(s.holds, " ") != "a b" || f.State().Err != nil {
		t.Errorf("%v %v", err, s.holds)
	}
}

// A watcher that finds the same mistake again says nothing; a person who asks gets
// an answer each time.
func TestFolderAnswersWhoeverAsks(t *testing.T) {
	var s sink
	f, dir := folder(t, &s)
	var log bytes.Buffer
	f.deps.Log = slog.New(slog.NewTextHandler(&log, nil))
	write(t, filepath.Join(dir, "a.yaml"), "kind: [")
	for i, want := range []int{1, 1, 2, 3} {
		if _, err := f.Reload(t.Context(), i > 1); err == nil {
			t.Fatal("no error")
		}
		if n := strings.Count(log.String(), "not applied"); n != want {
			t.Errorf("look %d: said %d times, want %d", i, n, want)
		}
	}
}

// A lost mount is no order to forget every policy.
func TestFolderThatVanishedTakesNothingAway(t *testing.T) {
	var s sink
	f, dir := folder(t, &s)
	write(t, filepath.Join(dir, "a.yaml"), policy("a"))
	if _, err := f.Reload(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	os.RemoveAll(dir)
	if _, err := f.Reload(t.Context(), false); fault.KindOf(err) != fault.NotFound {
		t.Errorf("error %v", err)
	}
	if strings.Join(s.holds, " ") != "a" {
		t.Errorf("holds %v", s.holds)
	}
	write(t, filepath.Join(dir, "note.txt"), "emptied on purpose")
	if _, err := f.Reload(t.Context(), false); err != nil || len(s.holds) != 0 {
		t.Errorf("an emptied folder: %v %v", err, s.holds)
	}
}

func TestFolderTriesAgainAfterAFault(t *testing.T) {
	var s sink
	f, dir := folder(t, &s)
	write(t, filepath.Join(dir, "a.yaml"), policy("a"))
	s.fail = errors.New("disk is full")
	if _, err := f.Reload(t.Context(), false); err == nil {
		t.Fatal("no error")
	}
	s.fail = nil
	if _, err := f.Reload(t.Context(), false); err != nil || len(s.holds) != 1 {
		t.Errorf("not applied after the fault went away: %v %v", err, s.holds)
	}
}

func TestFolderRefusesTwinsAndStrangers(t *testing.T) {
	var s sink
	f, dir := folder(t, &s)
	write(t, filepath.Join(dir, "a.yaml"), policy("a"))
	write(t, filepath.Join(dir, "z.yaml"), policy("a"))
	write(t, filepath.Join(dir, "s.yaml"), "apiVersion: vigil/v1\nkind: Cluster\nmetadata: {name: c}\nspec: {x: 1}\n")
	_, err := f.Reload(t.Context(), false)
	if err == nil || !strings.Contains(err.Error(), "a.yaml:1") || !strings.Contains(err.Error(), "z.yaml:1") || !strings.Contains(err.Error(), "Cluster") {
		t.Errorf("error %v", err)
	}
}

func TestStarterPackIsFiveHarmlessPolicies(t *testing.T) {
	ds, is := Starter()
	if len(is) > 0 {
		t.Fatal(is)
	}
	if len(ds) != 5 {
		t.Errorf("%d policies, want five", len(ds))
	}
	for _, d := range ds {
		if mode := d.Spec.Get("mode").Text(); mode != "suggest" {
			t.Errorf("%s has mode %q", d.Name, mode)
		}
	}
}

func TestProcessesMakeOnePolicyEach(t *testing.T) {
	ds, is := Processes([]string{"worker-2", "web"})
	if len(is) > 0 || len(ds) != 2 || ds[1].Name != "process-worker-2" {
		t.Fatalf("%v %v", ds, is)
	}
	if m := ds[0].Spec.Get("match").Text(); m != `vigil_process_standing{process="web"}` {
		t.Errorf("match %s", m)
	}
}
