package receive_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vigil/gitwatch/gittest"
)

const first = `
-- vigil.yaml --
roots: [base]
-- base/motd.yaml --
kind: File
`

// TestStockClientInEachProtocol: clone an empty repository, push, clone it,
// fetch what is new, with each protocol version that git has.
func TestStockClientInEachProtocol(t *testing.T) {
	for _, v := range []string{"0", "1", "2"} {
		t.Run("v"+v, func(t *testing.T) {
			s := newServer(t)
			d := gittest.New(t)
			d.Env = []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=protocol.version", "GIT_CONFIG_VALUE_0=" + v}
			d.Git("clone", "-q", s.url, "a")
			a := d.In("a")
			if v == "2" && a.Git("symbolic-ref", "HEAD") != "refs/heads/main" {
				t.Error("an empty clone is not on main")
			}
			a.Git("checkout", "-q", "-B", "main")
			one := a.Commit("one", first)
			out := a.Git("push", "origin", "main")
			if !strings.Contains(out, "remote: applied "+one[:10]) {
				t.Errorf("the pusher did not see what happened:\n%s", out)
			}
			if s.tip() != one {
				t.Fatalf("the branch is at %s", s.tip())
			}
			d.Git("clone", "-q", s.url, "b")
			b := d.In("b")
			if b.Git("rev-parse", "HEAD") != one {
				t.Error("the clone has another commit")
			}
			if out := b.Git("fsck", "--full", "--strict"); out != "" {
				t.Error(out)
			}
			two := a.Commit("two", "-- base/hosts.yaml --\nkind: Hosts\n")
			a.Git("push", "-q", "origin", "main")
			b.Git("pull", "-q", "--ff-only")
			if b.Git("rev-parse", "HEAD") != two {
				t.Error("the fetch brought another commit")
			}
			b.Git("fsck", "--full", "--strict")
			if out := a.Git("push", "origin", "main"); !strings.Contains(out, "up-to-date") {
				t.Error(out)
			}
			gittest.New(t).In(s.store.Dir()).Git("fsck", "--full", "--strict")
			if st := s.handler.Stats(); st.Pushes != 2 || st.Fetches != 2 || st.Sent == 0 || st.Refused != 0 || st.Working != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// TestIncrementalFetchSendsOnlyWhatIsNew: one file changed of three hundred, and
// only what is new crosses the wire.
func TestIncrementalFetchSendsOnlyWhatIsNew(t *testing.T) {
	for _, v := range []string{"0", "2"} {
		t.Run("v"+v, func(t *testing.T) {
			s := newServer(t)
			d := gittest.New(t)
			d.Env = []string{"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=protocol.version", "GIT_CONFIG_VALUE_0=" + v, "GIT_CONFIG_KEY_1=fetch.unpackLimit", "GIT_CONFIG_VALUE_1=1"}
			d.Git("init", "-q", "-b", "main", "a")
			a := d.In("a")
			a.Git("remote", "add", "origin", s.url)
			a.Import("main", manyFiles(300))
			a.Git("push", "-q", "origin", "main")
			d.Git("clone", "-q", s.url, "b")
			b := d.In("b")
			a.Import("main", "-- hosts/h00/file-00000.yaml --\nchanged\n")
			a.Git("push", "-q", "origin", "main")
			out := b.Git("fetch", "-v", "origin")
			packs, err := filepath.Glob(filepath.Join(b.Path, ".git/objects/pack/*.pack"))
			if err != nil || len(packs) != 2 {
				t.Fatalf("%d packs, %v\n%s", len(packs), err, out)
			}
			small := int64(1 << 40)
			for _, p := range packs {
				info, err := os.Stat(p)
				if err != nil {
					t.Fatal(err)
				}
				small = min(small, info.Size())
			}
			if small > 8<<10 {
				t.Errorf("the fetch brought %d bytes for one changed file", small)
			}
			b.Git("fsck", "--full")
		})
	}
}

// TestIncrementalFetchFindsCommonGround: the client has hundreds of commits of
// its own, so that finding a common one takes several requests.
func TestIncrementalFetchFindsCommonGround(t *testing.T) {
	for _, v := range []string{"0", "2"} {
		t.Run("v"+v, func(t *testing.T) {
			s := newServer(t)
			d := gittest.New(t)
			d.Env = []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=protocol.version", "GIT_CONFIG_VALUE_0=" + v}
			d.Git("init", "-q", "-b", "main", "a")
			a := d.In("a")
			a.Git("remote", "add", "origin", s.url)
			a.Import("main", manyFiles(20))
			a.Git("push", "-q", "origin", "main")
			d.Git("clone", "-q", s.url, "b")
			b := d.In("b")
			b.Import("main", make([]string, 120)...)
			next := a.Import("main", "-- x.yaml --\nx\n")
			a.Git("push", "-q", "origin", "main")
			b.Git("fetch", "-q", "origin")
			if b.Git("rev-parse", "origin/main") != next {
				t.Error("the fetch brought another commit")
			}
			b.Git("fsck", "--full")
		})
	}
}

func TestShallowClonesDeepen(t *testing.T) {
	for _, v := range []string{"0", "2"} {
		t.Run("v"+v, func(t *testing.T) {
			s := newServer(t)
			d := gittest.New(t)
			d.Env = []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=protocol.version", "GIT_CONFIG_VALUE_0=" + v}
			d.Git("init", "-q", "-b", "main", "a")
			a := d.In("a")
			a.Git("remote", "add", "origin", s.url)
			for _, n := range []string{"one", "two", "three", "four"} {
				a.Commit(n, "-- "+n+" --\n"+n+"\n")
			}
			a.Git("push", "-q", "origin", "main")
			d.Git("clone", "-q", "--depth", "1", s.url, "b")
			b := d.In("b")
			count := func(want string) {
				t.Helper()
				if got := b.Git("rev-list", "--count", "HEAD"); got != want {
					t.Errorf("%s commits, want %s", got, want)
				}
				b.Git("fsck", "--full")
			}
			count("1")
			b.Git("fetch", "-q", "--depth", "2")
			count("2")
			a.Commit("five", "-- five --\n5\n")
			a.Git("push", "-q", "origin", "main")
			b.Git("pull", "-q", "--ff-only")
			count("3")
			b.Commit("six", "-- six --\n6\n")
			b.Git("push", "-q", "origin", "HEAD:main")
			count("4")
			b.Git("fetch", "-q", "--unshallow")
			count("6")
		})
	}
}

// TestLargePushIsProbedAndChunked: over http.postBuffer git asks with an empty
// request first and then sends chunks.
func TestLargePushIsProbedAndChunked(t *testing.T) {
	s := newServer(t)
	a := gittest.Repo(t)
	a.Git("config", "http.postBuffer", "65536")
	a.Git("config", "core.compression", "0")
	tip := a.Import("main", manyFiles(600))
	a.Git("push", "-q", s.url, "main")
	if s.tip() != tip {
		t.Error("the push did not land")
	}
	tip = a.Import("main", "-- hosts/h00/file-00000.yaml --\nchanged\n")
	a.Git("repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=50")
	a.Git("push", "-q", s.url, "main:main")
	if s.tip() != tip {
		t.Error("the push did not land")
	}
	b := gittest.New(t)
	b.Git("clone", "-q", s.url, "b")
	b.In("b").Git("fsck", "--full")
}

func TestRefsOfOursAreServedBack(t *testing.T) {
	s := newServer(t)
	a := gittest.Repo(t)
	one := a.Commit("one", first)
	a.Git("push", "-q", s.url, "main")
	if err := s.store.Mark("refs/vigil/applied", s.store.Ref("refs/heads/main")); err != nil {
		t.Fatal(err)
	}
	a.Git("fetch", "-q", s.url, "refs/vigil/*:refs/vigil/*")
	if got := a.Git("rev-parse", "refs/vigil/applied"); got != one {
		t.Errorf("refs/vigil/applied is %s", got)
	}
	if out, err := a.Try("push", s.url, "main:refs/vigil/good"); err == nil || !strings.Contains(out, "only refs/heads/main can be pushed to") {
		t.Errorf("a push to a ref of ours: %v\n%s", err, out)
	}
}
