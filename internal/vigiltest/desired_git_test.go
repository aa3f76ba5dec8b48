package vigiltest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"vigil/api/contract"
	"vigil/gitwatch/gittest"
)

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// TestDesired_OfTwoPushesOneWins: twenty times two people push from the same
// commit at the same moment. One is taken, the other is told to fetch, and what
// holds is what was taken.
func TestDesired_OfTwoPushesOneWins(t *testing.T) {
	f := newField(t, 1, "")
	f.mustBeReady(Binary)
	f.follows(f.document("a", "first\n"))
	url := f.url()
	people := []*gittest.Dir{f.work, gittest.New(t)}
	people[1].Git("clone", "-q", "-b", "main", url, ".")
	for round := range 20 {
		var said [2]string
		var commits [2]string
		var won [2]bool
		for i, p := range people {
			commits[i] = p.Commit("race", "-- host.yaml --\n"+f.document("a", fmt.Sprintf("round %d of %d\n", round, i)))
		}
		var all sync.WaitGroup
		for i, p := range people {
			all.Go(func() {
				out, err := p.Try("push", "-q", url, "HEAD:main")
				said[i], won[i] = out, err == nil
			})
		}
		all.Wait()
		if won[0] == won[1] {
			t.Fatalf("round %d: %v\n%s\n%s", round, won, said[0], said[1])
		}
		first := 0
		if won[1] {
			first = 1
		}
		if !strings.Contains(said[1-first], "fetch first") {
			t.Errorf("round %d: the other is told %s", round, said[1-first])
		}
		if row := f.rest(commits[first]); row.State != "good" {
			t.Fatalf("round %d: %s is %s: %s", round, commits[first], row.State, row.Why)
		}
		f.becomes("a", fmt.Sprintf("file 0644 round %d of %d\n", round, first))
		people[1-first].Git("fetch", "-q", url, "main")
		people[1-first].Git("reset", "-q", "--hard", "FETCH_HEAD")
	}
	f.stop()
}

// TestDesired_HistoryIsRewrittenByRightAlone: a forced push, a removed branch and
// a history without a common root are refused to who may only push; who may rewind
// has the forced push taken and applied.
func TestDesired_HistoryIsRewrittenByRightAlone(t *testing.T) {
	token := "[[token]]\nname = %q\nrole = %q\nsecret = \"env:%s\"\n"
	f := newField(t, 1, fmt.Sprintf(token, "ada", "admin", "ADA")+fmt.Sprintf(token, "pat", "operator", "PAT"))
	admin, secret := "ada-"+strings.Repeat("0123456789abcdef", 2), "pat-"+strings.Repeat("0123456789abcdef", 2)
	f.env = append(f.env, "ADA="+admin, "PAT="+secret)
	put(t, filepath.Join(f.dir, "data", "token"), admin) // as where the daemon makes one
	f.mustBeReady(Binary)
	one := f.follows(f.document("a", "one\n"))
	two := f.follows(f.document("a", "two\n"))
	_, at, _ := strings.Cut(f.url(), "@")
	pusher := "http://pat:" + secret + "@" + at
	stays := func(when string) {
		t.Helper()
		if got := f.refs()["refs/heads/main"]; got != two {
			t.Fatalf("%s: the branch is at %s", when, got)
		}
		f.becomes("a", "file 0644 two\n")
	}
	f.work.Git("reset", "-q", "--hard", one)
	other := f.work.Commit("another two", "-- host.yaml --\n"+f.document("a", "another two\n"))
	f.work.Git("checkout", "-q", "--orphan", "rootless")
	orphan := f.work.Commit("no root", "-- host.yaml --\n"+f.document("a", "rootless\n"))
	for _, tt := range []struct {
		name, url string
		spec      string
		want      string
	}{
		{"a forced push", pusher, "+" + other + ":main", "may not rewind"},
		{"an orphan root", pusher, "+" + orphan + ":main", "may not rewind"},
		{"a removed branch", pusher, ":main", "remove"},
		{"a removed branch, by an admin", f.url(), ":main", "remove"},
		{"a tag", pusher, orphan + ":refs/tags/v1", ""},
		{"what vigild says itself", f.url(), "+" + orphan + ":refs/vigil/good", ""},
	} {
		out, err := f.work.Try("push", "-q", tt.url, tt.spec)
		if err == nil || !strings.Contains(out, tt.want) {
			t.Errorf("%s: %v %s", tt.name, err, out)
		}
		stays(tt.name)
	}
	for commit, how := range map[string]string{other: "another two", orphan: "rootless"} {
		if out, err := f.work.Try("push", "-q", f.url(), "+"+commit+":main"); err != nil {
			t.Fatalf("who may rewind may not: %s", out)
		}
		if row := f.rest(commit); row.State != "good" {
			t.Fatalf("%s is %s: %s", commit, row.State, row.Why)
		}
		f.becomes("a", "file 0644 "+how+"\n")
	}
	f.stop()
}

// TestDesired_ACorruptCloneIsSaid: the repository in the data directory is damaged
// while vigild is down or while it runs. It is said and on record, what was
// applied stays, and the next push from a clone works.
func TestDesired_ACorruptCloneIsSaid(t *testing.T) {
	f := newField(t, 1, "")
	without(f, slowRounds)
	f.mustBeReady(Binary)
	n := 0
	next := func() {
		t.Helper()
		n++
		f.follows(f.document("a", fmt.Sprintf("state %d\n", n), quick))
	}
	each := func(pattern string, do func(string) error) error {
		files, err := filepath.Glob(filepath.Join(f.bare(), pattern))
		if err != nil || len(files) == 0 {
			return fmt.Errorf("nothing is called %s: %w", pattern, err)
		}
		for _, file := range files {
			if err := os.Chmod(file, 0o600); err != nil {
				return err
			}
			if err := do(file); err != nil {
				return err
			}
		}
		return nil
	}
	flip := func(file string) error {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for i := 20; i < len(b)-20; i += 7 {
			b[i] ^= 0x55
		}
		return os.WriteFile(file, b, 0o600)
	}
	for _, tt := range []struct {
		name   string
		damage func() error
	}{
		{"flipped bytes in packs", func() error { return each("objects/pack/*.pack", flip) }},
		{"flipped bytes in indexes", func() error { return each("objects/pack/*.idx", flip) }},
		{"packs cut short", func() error { return each("objects/pack/*.pack", func(p string) error { return os.Truncate(p, 40) }) }},
		{"packs gone", func() error { return each("objects/pack/*", os.Remove) }},
		{"refs cut short", func() error { return each("packed-refs", func(p string) error { return os.Truncate(p, 60) }) }},
		{"refs of nonsense", func() error {
			return each("packed-refs", func(p string) error { return os.WriteFile(p, []byte("nonsense\x00\n"), 0o600) })
		}},
	} {
		t.Run("at the start, "+tt.name, func(t *testing.T) {
			next()
			was := is(f.at("a"))
			f.stop()
			if err := tt.damage(); err != nil {
				t.Fatal(err)
			}
			f.mustBeReady(Binary)
			if !strings.Contains(f.log.String(), "corrupt") {
				t.Errorf("it is not said:\n%s", f.log)
			}
			if got := is(f.at("a")); got != was {
				t.Errorf("what was applied is %q now", got)
			}
			next()
			f.heals()
		})
	}
	for _, tt := range []struct {
		name   string
		damage func() error
	}{
		{"packs gone", func() error { return each("objects/pack/*", os.Remove) }},
		{"refs gone", func() error { return each("packed-refs", os.Remove) }},
		{"flipped bytes in packs", func() error { return each("objects/pack/*.pack", flip) }},
	} {
		t.Run("while it runs, "+tt.name, func(t *testing.T) {
			next()
			if err := tt.damage(); err != nil {
				t.Fatal(err)
			}
			f.heals()
			n++
			commit := f.work.Commit("next", "-- host.yaml --\n"+f.document("a", fmt.Sprintf("state %d\n", n), quick))
			if said, ok := f.push(); !ok {
				t.Logf("the push is refused: %s", said)
				f.heals()
			}
			f.lane.kill()
			f.mustBeReady(Binary)
			f.lane.resume(t.Context())
			if said, ok := f.push(); !ok {
				t.Fatalf("after a start the push is refused: %s", said)
			}
			if row := f.rest(commit); row.State != "good" {
				t.Fatalf("%s is %s: %s", commit, row.State, row.Why)
			}
			f.becomes("a", fmt.Sprintf("file 0644 state %d\n", n))
			f.heals()
		})
	}
	f.stop()
}

// heals: a change by hand comes back.
func (f *field) heals() {
	f.t.Helper()
	was := is(f.at("a"))
	put(f.t, f.at("a"), "by hand\n")
	f.becomes("a", was)
}

// TestDesired_ASourceThatIsGoneIsSaid: the repository that is followed is moved
// away. It is said, drift is healed meanwhile, and when it is back so is what was
// committed meanwhile.
func TestDesired_ASourceThatIsGoneIsSaid(t *testing.T) {
	for _, source := range []string{"path", "remote"} {
		t.Run(source, func(t *testing.T) {
			repo := gittest.Repo(t)
			setting := fmt.Sprintf("source = \"path\"\npath = %q\npoll = \"1s\"\n", repo.Path)
			if source == "remote" {
				setting = fmt.Sprintf("source = \"remote\"\nurl = \"file://%s\"\npoll = \"1s\"\n", repo.Path)
			}
			f := newField(t, 1, setting)
			f.work = repo
			commit := func(text string) {
				t.Helper()
				repo.Commit(text, "-- host.yaml --\n"+f.document("a", text+"\n", quick))
			}
			commit("one")
			f.mustBeReady(Binary)
			f.becomes("a", "file 0644 one\n")
			commit("two")
			f.becomes("a", "file 0644 two\n")
			away := repo.Path + ".away"
			if err := os.Rename(repo.Path, away); err != nil {
				t.Fatal(err)
			}
			var d contract.Desired
			stalled := func() bool {
				d = contract.Desired{}
				if err := f.get(t.Context(), "/api/v1/desired", &d); err != nil {
					t.Fatal(err)
				}
				return d.Stalled != ""
			}
			if !Until(stalled) {
				t.Fatalf("it is not said: %+v\n%s", d, f.log)
			}
			t.Logf("stalled: %s", d.Stalled)
			f.heals()
			f.lane.kill() // and a start without it changes nothing
			f.mustBeReady(Binary)
			f.heals()
			if err := os.Rename(away, repo.Path); err != nil {
				t.Fatal(err)
			}
			commit("three")
			f.becomes("a", "file 0644 three\n")
			if !Until(func() bool { return !stalled() }) {
				t.Errorf("it is still said: %+v", d)
			}
			f.stop()
		})
	}
}
