package source_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vigil/engine/document"
	"vigil/internal/daemon/source"
)

// book is an engine's policies of the binary: those of taken names are refused.
type book struct {
	mu              sync.Mutex
	local, declared []string
	taken           string
	have            []string
	applied         int
}

func (b *book) kept() (local, declared []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.local), slices.Clone(b.declared)
}

func (b *book) check(ds []document.Document) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range ds {
		if d.Name == b.taken {
			return errors.New(d.Name + " is somebody else's")
		}
	}
	return nil
}

func (b *book) apply(_ context.Context, ds []document.Document) error {
	if err := b.check(ds); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.have, b.applied = nil, b.applied+1
	for _, d := range ds {
		b.have = append(b.have, d.Name)
	}
	return nil
}

func (b *book) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

func (b *book) has() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.have, " ")
}

// TestBuiltin_FollowsTheProcesses: a policy comes and goes with its process; one that
// is refused is left out alone; the local config's has to be taken.
func TestBuiltin_FollowsTheProcesses(t *testing.T) {
	b := &book{local: []string{"local"}}
	p := source.NewBuiltin(source.BuiltinDeps{Apply: b.apply, Check: b.check, Kept: b.kept, Log: slog.New(slog.DiscardHandler)})
	if err := p.Put(t.Context(), false); err != nil || b.has() != "process-local" {
		t.Fatalf("%s, %v", b.has(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	left := ""
	told := func(name string) bool {
		is := strings.Join(p.Trouble(), "")
		return name == "" && is == "" || name != "" && strings.HasSuffix(is, ": "+name)
	}
	wait := func(want string) {
		t.Helper()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(time.Minute); b.has() != want || !told(left); <-tick.C {
			if time.Now().After(end) {
				t.Fatalf("in force is %q and left out %q, want %q and %q", b.has(), p.Trouble(), want, left)
			}
		}
	}
	for _, step := range []struct {
		declared string
		taken    string
		want     string
	}{
		{"one", "", "process-local process-one"},
		{"one two three", "process-two", "process-local process-one process-three"},
		{"two", "process-two", "process-local"},
		{"two", "", "process-local process-two"},
		{"", "", "process-local"},
	} {
		b.set(func() { b.declared, b.taken = strings.Fields(step.declared), step.taken })
		left = step.taken
		p.Changed()
		wait(step.want)
	}
	// What a reload said about the pack of the binary stands when a process comes.
	if err := p.Put(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	with := b.has()
	b.set(func() { b.declared, b.taken = []string{"late"}, "" })
	p.Changed()
	wait(with + " process-late")
	if !strings.Contains(with, "starter-") {
		t.Errorf("the pack is not in force: %s", with)
	}
	b.set(func() { b.taken = "process-local" })
	if err := p.Put(t.Context(), false); err == nil {
		t.Error("the local config's policy is refused, and nobody hears of it")
	}
}

// TestBuiltin_TriesAgainWhatWasRefused: a name may become free without anybody saying
// so; where nothing was refused nothing is done. What was said of the pack holds beside
// a policy that was left out.
func TestBuiltin_TriesAgainWhatWasRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{declared: []string{"one"}, taken: "process-one"}
		p := source.NewBuiltin(source.BuiltinDeps{Apply: b.apply, Check: b.check, Kept: b.kept, Log: slog.New(slog.DiscardHandler)})
		if err := p.Put(t.Context(), true); err != nil || strings.Contains(b.has(), "process-one") {
			t.Fatal(b.has(), err)
		}
		pack := b.has()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		time.AfterFunc(time.Minute, func() { b.set(func() { b.taken = "" }) })
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
		if b.has() != pack+" process-one" || !strings.Contains(pack, "starter-") {
			t.Errorf("in force is %q, want the pack and process-one", b.has())
		}
		if b.applied > 5 { // at first, twice in vain, and when it was free
			t.Errorf("%d times put in force", b.applied)
		}
	})
}
