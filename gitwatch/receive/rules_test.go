package receive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"vigil/engine/fault"
	"vigil/gitwatch/gittest"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/receive"
	"vigil/gitwatch/store"
)

// pushes runs git push and wants words in what the pusher sees; a push that
// should be refused must leave the branch where it was.
func pushes(t *testing.T, s *server, d *gittest.Dir, ok bool, want string, args ...string) string {
	t.Helper()
	before := s.tip()
	out, err := d.Try(append([]string{"push"}, args...)...)
	if (err == nil) != ok || !strings.Contains(out, want) {
		t.Errorf("git push %s: %v, want success %v and %q\n%s", strings.Join(args, " "), err, ok, want, out)
	}
	if !ok && s.tip() != before {
		t.Errorf("a refused push moved the branch to %s", s.tip())
	}
	return out
}

func TestHistoryIsRewrittenOnlyByWhoMay(t *testing.T) {
	s := newServer(t)
	a := gittest.Repo(t)
	pushes(t, s, a, false, "there is no such branch here", s.url, ":refs/heads/main")
	one := a.Commit("one", first)
	two := a.Commit("two", "-- x.yaml --\nx\n")
	pushes(t, s, a, true, "applied", s.url, "main")
	pushes(t, s, a, false, "not a fast-forward, and ada may not rewind", "-f", s.url, one+":main")
	pushes(t, s, a, false, "a branch is not removed by a push", s.url, ":main")
	pushes(t, s, a, false, "only refs/heads/main", s.as("admin"), ":refs/heads/nothere")
	pushes(t, s, a, false, "a branch is not removed by a push", s.as("admin"), ":main")

	a.Git("checkout", "-q", "--orphan", "fresh")
	orphan := a.Commit("orphan", "-- y.yaml --\ny\n")
	pushes(t, s, a, false, "not a fast-forward", "-f", s.url, "fresh:main")
	if s.tip() != two {
		t.Fatal("the branch moved")
	}
	pushes(t, s, a, true, "applied", "-f", s.as("admin"), "fresh:main")
	if s.tip() != orphan || s.opts.By.Name != "root" {
		t.Errorf("%s %+v", s.tip(), s.opts)
	}
}

func TestOldHashIsCompared(t *testing.T) {
	s := newServer(t)
	a := gittest.Repo(t)
	one := a.Commit("one", first)
	pushes(t, s, a, true, "", s.url, "main")
	a.Commit("two", "-- x.yaml --\nx\n")
	pushes(t, s, a, true, "", s.url, "main")
	// A client that was told the branch is at one, though it has moved since.
	code, body := post(t, s, "git-receive-pack", "operator", nil,
		pkt("%s %s refs/heads/main\x00report-status", one, one)+"0000"+string(emptyPack()))
	if code != 200 || !strings.Contains(body, "ng refs/heads/main") || !strings.Contains(body, "fetch first") {
		t.Errorf("%d %q", code, body)
	}
}

// TestTwoPushesRaceAndOneWins: both pass every check at the same old value; the
// branch is then one of the two.
func TestTwoPushesRaceAndOneWins(t *testing.T) {
	var gate sync.WaitGroup
	gate.Add(2)
	var racing atomic.Bool
	s := newServer(t, func(_ *receive.Config, d *receive.Deps, _ *store.Config) {
		d.Inspect = func(context.Context, objects.Snapshot, receive.Options, func(string)) error {
			if racing.Load() {
				gate.Done()
				gate.Wait()
			}
			return nil
		}
	})
	a := gittest.Repo(t)
	a.Commit("base", first)
	pushes(t, s, a, true, "", s.url, "main")
	left := a.Commit("left", "-- l.yaml --\nl\n")
	a.Git("branch", "left")
	a.Git("reset", "-q", "--hard", "HEAD~1")
	right := a.Commit("right", "-- r.yaml --\nr\n")
	racing.Store(true)
	var errs [2]error
	var outs [2]string
	var wait sync.WaitGroup
	wait.Go(func() { outs[0], errs[0] = a.Try("push", s.url, "left:main") })
	wait.Go(func() { outs[1], errs[1] = a.Try("push", s.url, "main:main") })
	wait.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("%v %v\n%s\n%s", errs[0], errs[1], outs[0], outs[1])
	}
	want, loser := left, outs[1]
	if errs[1] == nil {
		want, loser = right, outs[0]
	}
	if s.tip() != want || !strings.Contains(loser, "fetch first") {
		t.Errorf("the branch is at %s, the winner pushed %s; the loser saw\n%s", s.tip(), want, loser)
	}
	if n := len(s.landings()); n != 2 {
		t.Errorf("%d landings", n)
	}
	gittest.New(t).In(s.store.Dir()).Git("fsck", "--full", "--strict")
}

func TestAtomicIsAllOrNothing(t *testing.T) {
	s := newServer(t, func(c *receive.Config, _ *receive.Deps, _ *store.Config) {
		c.Writable = []string{"refs/heads/review/*"}
	})
	a := gittest.Repo(t)
	a.Commit("one", first)
	pushes(t, s, a, false, "atomic", "--atomic", s.url, "main", "main:refs/heads/forbidden")
	if n := len(s.store.Refs()); n != 0 || len(s.landings()) != 0 {
		t.Fatalf("%d refs, %d landings", n, len(s.landings()))
	}
	pushes(t, s, a, false, "only refs/heads/main", s.url, "main:refs/heads/forbidden")
	out, err := a.Try("push", s.url, "main", "main:refs/heads/forbidden")
	if err == nil || s.tip() == "" {
		t.Errorf("without --atomic the good one lands: %v\n%s", err, out)
	}
	a.Commit("two", "-- x.yaml --\nx\n")
	pushes(t, s, a, true, "", "--atomic", s.url, "main", "main:refs/heads/review/x")
	if n := len(s.store.Refs()); n != 2 {
		t.Errorf("%d refs", n)
	}
	pushes(t, s, a, false, "not removed", s.url, ":refs/heads/review/x")
	pushes(t, s, a, true, "", s.as("admin"), ":refs/heads/review/x")
	for _, ref := range []string{"refs/tags/v1", "refs/vigil/good", "refs/notes/x", "refs/heads/reviews"} {
		pushes(t, s, a, false, "can be pushed to", s.url, "main:"+ref)
	}
}

// TestWhatIsMissingOnceStaysMissing: a push of two branches, one of which rests upon a
// commit that nobody has. Its objects must not come into the repository beside those
// of the other: they would count as complete from then on, and the next push of the
// same branch be let in.
func TestWhatIsMissingOnceStaysMissing(t *testing.T) {
	blob := object{kind: 3, size: -1, data: []byte("x\n")}
	root := tree("100644 a.yaml", hashOf("blob", blob.data))
	good := commit(hashOf("tree", root))
	torn := bytes.Replace(good, []byte("author"), []byte("parent "+strings.Repeat("ab", 20)+"\nauthor"), 1)
	id := func(c []byte) string { return fmt.Sprintf("%x", hashOf("commit", c)) }
	pack := makePack(4, object{kind: 1, size: -1, data: good}, object{kind: 1, size: -1, data: torn}, object{kind: 2, size: -1, data: root}, blob)
	for _, atomic := range []string{"", " atomic"} {
		s := newServer(t, func(c *receive.Config, _ *receive.Deps, _ *store.Config) { c.Writable = []string{"refs/heads/x"} })
		_, body := post(t, s, "git-receive-pack", "operator", nil, pkt("%s %s refs/heads/main\x00report-status%s", zero, id(good), atomic)+pkt("%s %s refs/heads/x", zero, id(torn))+"0000"+string(pack))
		if !strings.Contains(body, "ng refs/heads/x the object abab") || s.tip() != "" || leftovers(t, s) != 0 {
			t.Errorf("%q: %q, the branch is at %q", atomic, body, s.tip())
		}
		_, body = post(t, s, "git-receive-pack", "operator", nil, pkt("%s %s refs/heads/x\x00report-status", zero, id(torn))+"0000"+string(emptyPack()))
		if !strings.Contains(body, "ng refs/heads/x the object") || len(s.store.Refs()) != 0 {
			t.Errorf("%q: afterwards: %q, %v", atomic, body, s.store.Refs())
		}
	}
}

func TestPushOptions(t *testing.T) {
	broken := fault.Issues{{Place: "base/motd.yaml:1:1", Msg: "unknown field xx", Hint: "did you mean x"}, {Place: "vigil.yaml:2:3", Msg: "a tab"}}
	s := newServer(t, func(_ *receive.Config, d *receive.Deps, _ *store.Config) {
		d.Inspect = func(_ context.Context, s objects.Snapshot, o receive.Options, say func(string)) error {
			for _, f := range s.Files {
				if f.Path == "broken.yaml" {
					return broken
				}
			}
			say("plan: 1 to create, 0 to remove")
			say("\x1b[31mred\x1b[0m and \u202eturned")
			return nil
		}
		landed := d.Landed
		d.Landed = func(ctx context.Context, r objects.Revision, o receive.Options, say func(string)) error {
			if o.Reason == "sick" {
				return fault.New(fault.Unprocessable, "web.service did not become healthy")
			}
			return landed(ctx, r, o, say)
		}
	})
	a := gittest.Repo(t)
	one := a.Commit("one", first)
	out := pushes(t, s, a, false, "dry run, nothing was moved", "-o", "dry-run", s.url, "main")
	if !strings.Contains(out, "remote: plan: 1 to create") || len(s.landings()) != 0 || s.tip() != "" {
		t.Errorf("a dry run:\n%s", out)
	}
	if strings.Contains(out, "\x1b[31m") || strings.Contains(out, "\u202e") {
		t.Error("control characters reach the pusher's terminal")
	}
	pushes(t, s, a, false, `the push option "dryrun" is not known`, "-o", "dryrun", s.url, "main")
	pushes(t, s, a, true, "applied "+one[:10], "-o", "wait", "-o", "confirm-prune", "-o", "reason=spring cleaning", s.url, "main")
	if !s.opts.Wait || !s.opts.ConfirmPrune || s.opts.Reason != "spring cleaning" || s.opts.By.Name != "ada" {
		t.Errorf("%+v", s.opts)
	}
	a.Commit("bad", "-- broken.yaml --\nx\n")
	out = pushes(t, s, a, false, "2 things are wrong", s.url, "main")
	for _, line := range []string{"remote: base/motd.yaml:1:1: unknown field xx (did you mean x)", "remote: vigil.yaml:2:3: a tab"} {
		if !strings.Contains(out, line) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
	a.Git("rm", "-q", "broken.yaml")
	sick := a.Commit("sick", "-- base/motd.yaml --\nkind: File\nx: 1\n")
	out, err := a.Try("push", "-o", "wait", "-o", "reason=sick", s.url, "main")
	if err == nil || strings.Count(out, "web.service did not become healthy") != 1 || strings.Contains(out, "demultiplex") ||
		!strings.Contains(out, "! [remote rejected] main -> main (the branch has moved, but web.service did not become healthy)") {
		t.Errorf("a push that waits for a sick revision: %v\n%s", err, out)
	}
	if s.tip() != sick {
		t.Error("the branch is not where the pusher was told")
	}
}

func TestSignatureVerdictReachesThePusher(t *testing.T) {
	refuse := errors.New("")
	s := newServer(t, func(_ *receive.Config, d *receive.Deps, _ *store.Config) {
		d.Verify = func(_ context.Context, s objects.Snapshot) (string, error) {
			if len(s.Commits) == 0 || len(s.Tip.Raw) == 0 {
				t.Error("nothing to verify was handed over")
			}
			if s.Revision.Subject == "unsigned" {
				return "", refuse
			}
			return "ada@example.com", nil
		}
	})
	refuse = fault.New(fault.Forbidden, "the commit is not signed").Mend("git commit -S")
	a := gittest.Repo(t)
	a.Commit("unsigned", first)
	pushes(t, s, a, false, "the commit is not signed", s.url, "main")
	a.Git("commit", "-q", "--amend", "-m", "signed")
	pushes(t, s, a, true, "remote: signed by ada@example.com", s.url, "main")
	if r := s.landings(); len(r) != 1 || r[0].Signer != "ada@example.com" {
		t.Errorf("%+v", r)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	s := newServer(t)
	a := gittest.Repo(t)
	a.Commit("one", first)
	pushes(t, s, a, false, "Authentication failed", s.as("wrong"), "main")
	pushes(t, s, a, false, "403", s.as("viewer"), "main")
	pushes(t, s, a, true, "", s.url, "main")
	b := gittest.New(t)
	b.Git("clone", "-q", s.as("viewer"), "b")
	if out, err := b.Try("clone", "-q", s.as("wrong"), "c"); err == nil {
		t.Errorf("a clone with a wrong token: %s", out)
	}
	if out, err := b.Try("clone", "-q", strings.Replace(s.url, "desired", "other", 1), "d"); err == nil || !strings.Contains(out, "not found") {
		t.Errorf("a clone of another name: %s", out)
	}
	b.Git("clone", "-q", s.url+".git", "e")
}

// TestGitOnTheHostChangesNothing: hooks and settings in the repository's folder,
// and in the tree that is pushed, are inert.
func TestGitOnTheHostChangesNothing(t *testing.T) {
	s := newServer(t)
	a := gittest.Repo(t)
	a.Write("-- trap --\n#!/bin/sh\necho trapped >&2\nexit 1\n")
	a.Commit("one", "-- hooks/pre-receive --\n#!/bin/sh\nexit 1\n-- config --\n[core]\n\tfsmonitor = false\n-- .gitattributes --\n* filter=evil\n-- .gitmodules --\n[submodule \"x\"]\n\tpath = x\n\turl = ext::sh\n")
	h := gittest.New(t).In(s.store.Dir())
	h.Write("-- hooks/pre-receive --\n#!/bin/sh\nexit 1\n-- hooks/update --\n#!/bin/sh\nexit 1\n")
	h.Git("config", "receive.denyNonFastForwards", "true")
	h.Git("config", "transfer.hideRefs", "refs/heads")
	pushes(t, s, a, true, "applied", s.url, "main")
	b := gittest.New(t)
	b.Git("clone", "-q", s.url, "b")
}

// TestPusherThatLeavesTakesNothingBack: the client goes away while it waits for
// health. What landed stays, and its place is free for others.
func TestPusherThatLeavesTakesNothingBack(t *testing.T) {
	waiting, left := make(chan struct{}), make(chan struct{})
	s := newServer(t, func(c *receive.Config, d *receive.Deps, _ *store.Config) {
		c.AtOnce = 1
		d.Landed = func(ctx context.Context, _ objects.Revision, o receive.Options, say func(string)) error {
			if !o.Wait {
				return nil
			}
			say("waiting for web.service")
			close(waiting)
			<-ctx.Done()
			close(left)
			return fault.Wrap(fault.Cancelled, ctx.Err(), "nobody listens any more")
		}
	})
	a := gittest.Repo(t)
	one := a.Commit("one", first)
	bundle := a.Path + "/b"
	a.Git("bundle", "create", "-q", bundle, "HEAD")
	raw := readFile(t, bundle)
	body := pkt("%s %s refs/heads/main\x00report-status side-band-64k push-options", zero, one) + "0000" + pkt("wait") + "0000" + string(raw[bytes.Index(raw, []byte("\n\n"))+2:])
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, "POST", strings.Replace(s.url, "ada:operator@", "", 1)+"/git-receive-pack", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("ada", "operator")
	r.Header.Set("Content-Type", "application/x-git-receive-pack-request")
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	line := make([]byte, 64)
	if n, err := res.Body.Read(line); err != nil || !strings.Contains(string(line[:n]), "waiting for web.service") {
		t.Errorf("%q %v: what is said does not come at once", line[:n], err)
	}
	<-waiting
	b := gittest.New(t)
	b.Git("clone", "-q", s.url, "b") // the one place is free
	leave()
	<-left
	if s.tip() != one {
		t.Errorf("the branch is at %q", s.tip())
	}
	a.Commit("two", "-- x.yaml --\nx\n")
	pushes(t, s, a, true, "", s.url, "main")
}
