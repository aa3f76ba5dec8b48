package git

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/load"
	"vigil/gitwatch"
	"vigil/gitwatch/gittest"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/receive"
	"vigil/gitwatch/store"
)

// keeper remembers what it was told; it is a ledger of revisions too.
type keeper struct {
	mu     sync.Mutex
	rows   []engine.Revision
	seen   []engine.Revision // was asked about
	refuse error
}

func (k *keeper) Inspect(_ context.Context, r engine.Revision, set *reconcile.Set, say func(string)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	say("plan")
	k.seen = append(k.seen, r)
	return k.refuse
}

func (k *keeper) Land(_ context.Context, r engine.Revision) (int64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r.N = int64(len(k.rows) + 1)
	k.rows = append(k.rows, r)
	return r.N, k.refuse
}

func (k *keeper) Await(context.Context, int64, func(string)) error { return nil }

func (k *keeper) Revisions(_ context.Context, before int64, limit int) (out []engine.Revision, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range slices.Backward(k.rows) {
		if (before == 0 || r.N < before) && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

func (k *keeper) commits() (out []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.rows {
		out = append(out, r.Commit)
	}
	return out
}

func open(t *testing.T, change func(*gitwatch.Config)) *Repository {
	t.Helper()
	cfg := gitwatch.Defaults()
	cfg.DataDir = t.TempDir()
	if change != nil {
		change(&cfg)
	}
	r, err := Open(Config{Git: cfg, Host: load.Host{Name: "web1"}, Trust: reconcile.Trust{Kinds: []string{"File"}, Paths: []string{"/srv"}}},
		Deps{Clock: clock.System(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func (r *Repository) commit(t *testing.T, files map[string]string) string {
	t.Helper()
	return r.commitSaying(t, "x\n", files)
}

func (r *Repository) commitSaying(t *testing.T, message string, files map[string]string) string {
	t.Helper()
	var cs []store.Change
	for p, text := range files {
		cs = append(cs, store.Change{Path: p, Data: []byte(text)})
	}
	c, err := r.store.Write(t.Context(), r.store.Branch(), r.store.Ref(r.store.Branch()), cs,
		store.Note{Author: objects.Person{Name: "Ada", Mail: "ada@example.org", When: time.Now()}, Message: message})
	if err != nil {
		t.Fatal(err)
	}
	return c.ID.String()
}

func tree(name string) map[string]string {
	return map[string]string{name + ".yaml": "apiVersion: vigil/v1\nkind: File\nmetadata: {name: " + name + "}\nspec: {path: /srv/" + name + ", content: x}\n"}
}

// TestCatchUp_LandsWhatACrashCutOff, once; and nothing that was landed, went bad,
// or that a person went back from.
func TestCatchUp_LandsWhatACrashCutOff(t *testing.T) {
	r := open(t, nil)
	k := &keeper{}
	s, err := New(r, k, k)
	if err != nil {
		t.Fatal(err)
	}
	look := func(want ...string) {
		t.Helper()
		for range 2 {
			if err := s.catchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := k.commits(); !slices.Equal(got, want) {
			t.Errorf("landed %v, expected %v", got, want)
		}
	}
	look()
	first := r.commit(t, tree("a"))
	look(first)
	second := r.commit(t, tree("b"))
	look(first, second)
	k.rows[1].State = engine.RevisionBad
	k.rows = append(k.rows, engine.Revision{N: 3, Commit: first, Return: 1, State: engine.RevisionGood})
	look(first, second, first)
	third := r.commit(t, tree("c"))
	look(first, second, first, third)
	if got := k.rows[3]; got.Author != "Ada <ada@example.org>" || got.Source != "push" || got.Ref != "refs/heads/main" || got.Tree == "" || got.Subject != "x" {
		t.Errorf("%+v", got)
	}
}

// TestLost_ABranchThatWasThere: refs that went away while nobody looked are said,
// until the branch is pushed again; a branch that was never there is not lost, nor
// one of another name.
func TestLost_ABranchThatWasThere(t *testing.T) {
	r := open(t, nil)
	k := &keeper{}
	s, err := New(r, k, k)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Lost(t.Context()); err != nil {
		t.Errorf("a new repository has lost %v", err)
	}
	first := r.commit(t, tree("a"))
	if err := s.catchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Lost(t.Context()); err != nil {
		t.Errorf("nothing is lost: %v", err)
	}
	if err := r.store.Mark(r.store.Branch(), plumbing.ZeroHash); err != nil {
		t.Fatal(err)
	}
	if err := s.Lost(t.Context()); err == nil || !strings.Contains(err.Error(), first[:10]) || !strings.Contains(s.Stalled(), "push the branch again") {
		t.Errorf("lost: %v, stalled: %q", err, s.Stalled())
	}
	if _, err := s.land(t.Context(), engine.Revision{Commit: first, Ref: r.store.Branch()}); err != nil || s.Stalled() != "" {
		t.Errorf("pushed again: %v, stalled: %q", err, s.Stalled())
	}
	k.rows = []engine.Revision{{N: 1, Commit: first, Ref: "refs/heads/old"}}
	if err := s.Lost(t.Context()); err != nil {
		t.Errorf("the branch of the config is another one now: %v", err)
	}
}

// TestStalled_UntilItIsLanded: a ledger that refuses is said, and no more once it
// takes.
func TestStalled_UntilItIsLanded(t *testing.T) {
	r := open(t, nil)
	k := &keeper{refuse: errors.New("the disk is full")}
	s, err := New(r, k, k)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.landed(t.Context(), objects.Revision{Commit: strings.Repeat("a", 40)}, receive.Options{}, func(string) {}); err == nil || !strings.Contains(err.Error(), "is tried again") {
		t.Errorf("the pusher hears %v", err)
	}
	if s.Stalled() != "the disk is full" {
		t.Errorf("stalled: %q", s.Stalled())
	}
	k.refuse = nil
	if err := s.landed(t.Context(), objects.Revision{Commit: strings.Repeat("b", 40)}, receive.Options{}, func(string) {}); err != nil || s.Stalled() != "" {
		t.Errorf("%v, stalled: %q", err, s.Stalled())
	}
}

// TestLand_WhatCouldNotBeWrittenDownIsTriedAgain: as it was pushed, without a start and
// without another push; not once the branch has moved on, and not twice.
func TestLand_WhatCouldNotBeWrittenDownIsTriedAgain(t *testing.T) {
	r := open(t, nil)
	k := &keeper{refuse: errors.New("the disk is full")}
	s, err := New(r, k, k)
	if err != nil {
		t.Fatal(err)
	}
	push := func(name string) string {
		t.Helper()
		id := r.commit(t, tree(name))
		o := receive.Options{By: receive.Pusher{Name: "ada"}, Reason: "it is time", ConfirmPrune: true}
		if err := s.landed(t.Context(), objects.Revision{Commit: id}, o, func(string) {}); (err == nil) != (k.refuse == nil) {
			t.Fatal(err)
		}
		return id
	}
	one := push("one")
	s.landWaiting(t.Context())
	if n := len(k.rows); n != 2 || s.Stalled() != "the disk is full" {
		t.Errorf("%d were tried, stalled: %q", n, s.Stalled())
	}
	k.refuse = nil
	for range 2 {
		s.landWaiting(t.Context())
	}
	if n := len(k.rows); n != 3 || s.Stalled() != "" {
		t.Fatalf("%d were tried, stalled: %q", n, s.Stalled())
	}
	if got := k.rows[2]; got.Commit != one || got.Pusher != "ada" || got.Reason != "it is time" || !got.Confirmed {
		t.Errorf("landed %+v", got)
	}
	k.refuse = errors.New("the disk is full")
	push("two")
	r.commit(t, tree("three")) // and is about to be landed by who pushed it
	k.refuse = nil
	s.landWaiting(t.Context())
	if n := len(k.rows); n != 4 {
		t.Errorf("%d were tried, though the branch has moved on", n)
	}
}

// TestVerify_TheAdoptedTreeSaysWhoSigns: not the tree that is judged, neither to
// let itself in nor to take the rule away.
func TestVerify_TheAdoptedTreeSaysWhoSigns(t *testing.T) {
	r := open(t, nil)
	root := func(required string) map[string]string {
		return map[string]string{"vigil.yaml": "apiVersion: vigil/v1\nkind: Vigil\nmetadata: {name: x}\nspec:\n  signers: {required: " + required + ", file: signers}\n", "signers": ""}
	}
	verify := func(commit, before string) error {
		t.Helper()
		v := r.store.View()
		defer v.Close()
		snap, err := objects.ReadRevision(t.Context(), v, objects.Push, r.store.Branch(), plumbing.NewHash(commit), plumbing.NewHash(before), r.cfg.Git.Tree)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Verify(t.Context(), snap)
		return err
	}
	plain := r.commit(t, tree("a"))
	if err := verify(plain, ""); err != nil {
		t.Errorf("nothing requires a signature yet: %v", err)
	}
	requires := r.commit(t, root("true"))
	if err := verify(requires, plain); err != nil {
		t.Errorf("the commit that brings the rule is judged by the one before: %v", err)
	}
	off := r.commit(t, root("false"))
	if err := verify(off, requires); err == nil || !strings.Contains(err.Error(), "not signed") {
		t.Errorf("an unsigned commit took the rule away: %v", err)
	}
	// What was applied counts, not where the branch was.
	if err := r.Mark(t.Context(), "applied", plain); err != nil {
		t.Fatal(err)
	}
	if err := verify(off, requires); err != nil {
		t.Errorf("the rule was never applied: %v", err)
	}
}

// TestWebhook_MeansLookNow, when it is signed, and nothing when it is not.
func TestWebhook_MeansLookNow(t *testing.T) {
	upstream := open(t, nil)
	first := upstream.commit(t, tree("a"))
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, func(c *gitwatch.Config) {
		c.Source, c.URL, c.Poll, c.WebhookSecret = "remote", "file://"+upstream.store.Dir(), time.Hour, "file:"+secret
	})
	k := &keeper{}
	s := running(t, r, k)
	until := func(want ...string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !slices.Equal(k.commits(), want); {
			if time.Now().After(end) {
				t.Fatalf("landed %v, expected %v (stalled: %q)", k.commits(), want, s.Stalled())
			}
			<-time.After(2 * time.Millisecond)
		}
	}
	until(first)
	ask := func(signature string) int {
		q := httptest.NewRequest(http.MethodPost, "/api/v1/git/webhook", strings.NewReader("body"))
		q.Header.Set("X-Hub-Signature-256", signature)
		w := httptest.NewRecorder()
		s.Webhook().ServeHTTP(w, q)
		return w.Code
	}
	if code := ask("sha256=00"); code != http.StatusForbidden {
		t.Errorf("a forged webhook: %d", code)
	}
	mac := hmac.New(sha256.New, []byte("key"))
	mac.Write([]byte("body"))
	second := upstream.commit(t, tree("b"))
	if code := ask("sha256=" + hex.EncodeToString(mac.Sum(nil))); code != http.StatusAccepted {
		t.Errorf("a signed webhook: %d", code)
	}
	until(first, second)
	// Nobody pushes where commits come from elsewhere, whatever the role.
	q := httptest.NewRequest("GET", "/git/desired/info/refs?service=git-receive-pack", nil)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, q)
	if w.Code != http.StatusForbidden {
		t.Errorf("a push to a clone of a remote: %d", w.Code)
	}
}

// running is a source at work until the test ends.
func running(t *testing.T, r *Repository, k *keeper) *Source {
	t.Helper()
	s, err := New(r, k, k)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	return s
}

// TestSource_ACommitConfirmsAPrune: where nobody pushes there are no push options, so
// the commit itself says it, to the verdict and to what lands; so it is for one that is
// taken up at the start.
func TestSource_ACommitConfirmsAPrune(t *testing.T) {
	const says = "x\n\nConfirm-Prune: yes\n"
	upstream := open(t, nil)
	upstream.commit(t, tree("a"))
	r := open(t, func(c *gitwatch.Config) {
		c.Source, c.Path, c.Poll = "path", upstream.store.Dir(), time.Second
	})
	k := &keeper{}
	s := running(t, r, k)
	landed := func(n int) {
		t.Helper()
		for end := time.Now().Add(time.Minute); len(k.commits()) < n; {
			if time.Now().After(end) {
				t.Fatalf("landed %v, expected %d (stalled: %q)", k.commits(), n, s.Stalled())
			}
			<-time.After(2 * time.Millisecond)
		}
	}
	landed(1)
	upstream.commitSaying(t, says, tree("b"))
	landed(2)
	k.mu.Lock()
	for i, want := range []bool{false, true} {
		if k.seen[i].Confirmed != want || k.rows[i].Confirmed != want {
			t.Errorf("commit %d: inspected %v, landed %v, expected %v", i, k.seen[i].Confirmed, k.rows[i].Confirmed, want)
		}
	}
	k.mu.Unlock()

	late := open(t, nil)
	k = &keeper{}
	s, err := New(late, k, k)
	if err != nil {
		t.Fatal(err)
	}
	late.commitSaying(t, says, tree("a"))
	if err := s.catchUp(t.Context()); err != nil || len(k.rows) != 1 || !k.rows[0].Confirmed {
		t.Errorf("taken up at the start: %v %+v", err, k.rows)
	}
}

// TestLoad_NamesWhatIsWrong: no such commit, no documents that can be read, health
// that cannot be asked.
func TestLoad_NamesWhatIsWrong(t *testing.T) {
	r := open(t, nil)
	r.deps.Health = func(h reconcile.Health) error {
		if h.Check == "none" {
			return errors.New("there is no check of that name")
		}
		return nil
	}
	if _, err := r.Load(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "nothing was ever pushed") {
		t.Errorf("an empty repository: %v", err)
	}
	good := r.commit(t, tree("a"))
	if set, err := r.Load(t.Context(), good); err != nil || len(set.Items) != 1 {
		t.Errorf("%v, %v", set, err)
	}
	for commit, want := range map[string]string{
		"HEAD": "no commit that came", strings.Repeat("a", 40): "",
		r.commit(t, map[string]string{"b.yaml": "kind: ["}): "b.yaml:2:1",
		r.commit(t, map[string]string{"b.yaml": strings.Replace(tree("b")["b.yaml"], "content: x", "content: x, health: {check: none}", 1)}): "b.yaml:1:1: health: there is no check",
	} {
		if set, err := r.Load(t.Context(), commit); err == nil || set != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; expected %q", commit, set, err, want)
		}
	}
}

// TestRefused_IsWhatTheSourceHas: a commit that is refused at the look is known by name
// and reason, short or whole, until the source is looked at again and it is taken.
func TestRefused_IsWhatTheSourceHas(t *testing.T) {
	work := gittest.Repo(t)
	commit := work.Commit("first", "-- motd.yaml --\n"+tree("motd")["motd.yaml"])
	r := open(t, func(cfg *gitwatch.Config) {
		cfg.Source, cfg.Path, cfg.Poll, cfg.RequireSigned = string(objects.Path), work.Path, time.Hour, false
	})
	k := &keeper{refuse: errors.New("it is in the way")}
	s, err := New(r, k, k)
	if err != nil {
		t.Fatal(err)
	}
	if tip, why := s.Refused(""); why != nil {
		t.Errorf("before a look: %s, %v", tip, why)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	gittest.Until(t, "it is refused", func() bool { _, why := s.Refused(""); return why != nil })
	for asked, known := range map[string]bool{"": true, commit: true, commit[:4]: true, commit[:3]: false, "ffff": commit[:4] == "ffff", commit + "0": false} {
		tip, why := s.Refused(asked)
		if known != (why != nil) || known && (tip != commit || why.Error() != "it is in the way") {
			t.Errorf("asked about %q: %s, %v", asked, tip, why)
		}
	}
	k.mu.Lock()
	k.refuse = nil
	k.mu.Unlock()
	s.Again()
	gittest.Until(t, "it is taken", func() bool { return len(k.commits()) == 1 })
	gittest.Until(t, "it is said no more", func() bool { _, why := s.Refused(commit); return why == nil })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
