package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vigil/engine/fault"
	"vigil/gitwatch/gittest"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/pack"
	"vigil/gitwatch/store"
)

// TestCorruptRepositoryIsSetAside: a flipped byte, a lost pack, a lost index, a
// torn list of refs: each is named, and an empty repository takes its place.
func TestCorruptRepositoryIsSetAside(t *testing.T) {
	d := gittest.Repo(t)
	tip := d.Commit("one", "-- a.yaml --\n"+strings.Repeat("some text that is long enough\n", 50))
	for name, harm := range map[string]func(dir, pack string) error{
		"flipped byte": func(_, p string) error {
			b, err := os.ReadFile(p + ".pack")
			if err != nil {
				return err
			}
			b[len(b)/2] ^= 0x40
			os.Chmod(p+".pack", 0o600)
			return os.WriteFile(p+".pack", b, 0o600)
		},
		"lost pack":   func(_, p string) error { return os.Remove(p + ".pack") },
		"lost index":  func(_, p string) error { return os.Remove(p + ".idx") },
		"empty index": func(_, p string) error { os.Chmod(p+".idx", 0o600); return os.Truncate(p+".idx", 0) },
		"cut pack":    func(_, p string) error { os.Chmod(p+".pack", 0o600); return os.Truncate(p+".pack", 30) },
		"torn refs": func(dir, _ string) error {
			return os.WriteFile(filepath.Join(dir, "packed-refs"), []byte(tip[:17]), 0o600)
		},
		"ref to nothing": func(dir, _ string) error {
			return os.WriteFile(filepath.Join(dir, "packed-refs"), []byte(strings.Repeat("ab", 20)+" "+main+"\n"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "repo")
			cfg := store.Config{Dir: dir, Branch: "main", Caps: pack.Defaults()}
			s := open(t, dir)
			land(t, s, d, tip)
			s.Close()
			packs, _ := filepath.Glob(filepath.Join(dir, "objects/pack/*.pack"))
			if len(packs) != 1 {
				t.Fatal(packs)
			}
			if err := harm(dir, strings.TrimSuffix(packs[0], ".pack")); err != nil {
				t.Fatal(err)
			}
			s, lost, err := store.OpenOrRemake(cfg)
			if err != nil || lost == nil || fault.KindOf(lost) != fault.Corrupt {
				t.Fatalf("lost %v, err %v", lost, err)
			}
			defer s.Close()
			if !s.Ref(main).IsZero() {
				t.Error("the new repository has refs")
			}
			if _, err := os.Stat(dir + ".corrupt"); err != nil {
				t.Error(err)
			}
			land(t, s, d, tip) // and it works
		})
	}
}

// TestEachFlippedByteIsSeenAtOpen: wherever it lies in the pack.
func TestEachFlippedByteIsSeenAtOpen(t *testing.T) {
	d := gittest.Repo(t)
	tip := d.Commit("one", "-- a.yaml --\nsome text\n-- b.yaml --\nother text\n")
	dir := filepath.Join(t.TempDir(), "repo")
	cfg := store.Config{Dir: dir, Branch: "main", Caps: pack.Defaults()}
	s := open(t, dir)
	land(t, s, d, tip)
	s.Close()
	packs, _ := filepath.Glob(filepath.Join(dir, "objects/pack/*.pack"))
	sound, err := os.ReadFile(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(packs[0], 0o600); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(sound); i += 7 {
		bad := bytes.Clone(sound)
		bad[i] ^= 1
		if err := os.WriteFile(packs[0], bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := store.Open(cfg); fault.KindOf(err) != fault.Corrupt {
			s.Close()
			t.Errorf("byte %d of %d: %v", i, len(sound), err)
		}
	}
	if err := os.WriteFile(packs[0], sound, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

// TestFolderIsNoPattern: the data directory may be named in any way. Characters that
// mean something in a pattern must not hide what is in it.
func TestFolderIsNoPattern(t *testing.T) {
	for _, name := range []string{"a[b]", "a*", "a?b", `a\b`, "[", "a b"} {
		d := gittest.Repo(t)
		dir := filepath.Join(t.TempDir(), name, "repo")
		s := open(t, dir)
		tip := d.Commit("one", "-- a.yaml --\nsome text\n")
		land(t, s, d, tip)
		s.Close()
		left := filepath.Join(dir, "objects", "tmp_objdir-incoming-1")
		if err := os.Mkdir(left, 0o700); err != nil {
			t.Fatal(err)
		}
		s, lost, err := store.OpenOrRemake(store.Config{Dir: dir, Branch: "main", Caps: pack.Defaults()})
		if err != nil || lost != nil || s.Ref(main).String() != tip {
			t.Errorf("%s: %v, lost %v", name, err, lost)
			continue
		}
		s.Close()
		if _, err := os.Lstat(left); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: what a crash left is there still", name)
		}
	}
}

// TestCompactKeepsEverythingReachable: many pushes become one pack while a
// reader goes on reading.
func TestCompactKeepsEverythingReachable(t *testing.T) {
	d := gittest.Repo(t)
	dir := filepath.Join(t.TempDir(), "repo")
	s := open(t, dir)
	var tips []string
	for i := range 12 {
		tips = append(tips, d.Commit(fmt.Sprint(i), fmt.Sprintf("-- f%d.yaml --\n%d\n-- same.yaml --\nsame %d\n", i%3, i, i)))
		land(t, s, d, tips[i])
	}
	if err := s.Mark(store.Good, plumbing.NewHash(tips[3])); err != nil {
		t.Fatal(err)
	}
	before := s.View()
	defer before.Close()
	if err := s.Compact(context.Background(), 4); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Packs != 1 || st.Objects != 48 {
		t.Errorf("%+v", st)
	}
	if _, err := before.Files(context.Background(), mustCommit(t, before, tips[11]).Tree, objects.TreeDefaults()); err != nil {
		t.Errorf("a reader from before: %v", err)
	}
	d.In(dir).Git("fsck", "--full", "--strict")
	packs, _ := filepath.Glob(filepath.Join(dir, "objects/pack/*"))
	if len(packs) != 2 {
		t.Errorf("%v", packs)
	}
	s.Close()
	s = open(t, dir)
	if s.Ref(store.Good).String() != tips[3] || s.Ref(main).String() != tips[11] {
		t.Error("refs are lost")
	}
	if err := s.Compact(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	d.In(dir).Git("fsck", "--full", "--strict")
}

// TestCompactBetweenCheckAndLandLosesNothing: a push that rests upon objects that
// no ref reaches, and the store lets go of them after they were looked at.
func TestCompactBetweenCheckAndLandLosesNothing(t *testing.T) {
	ctx := context.Background()
	d := gittest.Repo(t)
	dir := filepath.Join(t.TempDir(), "repo")
	s := open(t, dir)
	one := d.Commit("one", "-- a --\na\n")
	land(t, s, d, one)
	two := d.Commit("two", "-- b --\nb\n")
	land(t, s, d, two)
	if err := s.Mark(main, plumbing.NewHash(one)); err != nil { // two is out of reach now
		t.Fatal(err)
	}
	three := d.Commit("three", "-- c --\nc\n")
	q, err := s.Receive(ctx, bytes.NewReader(packOf(t, d, "HEAD", "^"+two)))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Drop()
	if err := q.Check(ctx, plumbing.NewHash(three)); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(ctx, 0); err != nil {
		t.Fatal(err)
	}
	err = q.Land(store.Update{Ref: main, Old: plumbing.NewHash(one), New: plumbing.NewHash(three)})
	if err == nil || !strings.Contains(err.Error(), " is missing") {
		t.Errorf("%v; want that something of %s is missing", err, two)
	}
	if s.Ref(main).String() != one {
		t.Error("the branch names what is not all there")
	}
	d.In(dir).Git("fsck", "--full", "--strict")
}

// TestObjectsAreOnDiskBeforeTheRef: the order of syncs and renames of a push.
func TestObjectsAreOnDiskBeforeTheRef(t *testing.T) {
	d := gittest.Repo(t)
	one := d.Commit("one", "-- a --\na\n")
	var steps []string
	s, err := store.Open(store.Config{Dir: filepath.Join(t.TempDir(), "repo"), Branch: "main", Caps: pack.Defaults(), Step: func(n string) { steps = append(steps, n) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	steps = nil
	land(t, s, d, one)
	want := []string{"pack", "sync in.pack", "sync in.idx", "index", "folder", "sync pack", "ref", "sync packed-refs", "rename packed-refs", "sync repo", "sweep"}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Error(diff)
	}
}

// TestLandThatCannotWriteTheRefsMovesNothing: the disk refuses the list of refs.
func TestLandThatCannotWriteTheRefsMovesNothing(t *testing.T) {
	d := gittest.Repo(t)
	dir := filepath.Join(t.TempDir(), "repo")
	s := open(t, dir)
	one := d.Commit("one", "-- a --\na\n")
	if err := os.MkdirAll(filepath.Join(dir, "packed-refs", "in-the-way"), 0o700); err != nil {
		t.Fatal(err)
	}
	q, err := s.Receive(context.Background(), bytes.NewReader(packOf(t, d, "HEAD")))
	if err != nil {
		t.Fatal(err)
	}
	err = q.Land(store.Update{Ref: main, New: plumbing.NewHash(one)})
	if fault.KindOf(err) != fault.Unavailable || !s.Ref(main).IsZero() {
		t.Errorf("%v, the branch is at %s", err, s.Ref(main))
	}
	q.Drop()
	if err := os.RemoveAll(filepath.Join(dir, "packed-refs")); err != nil {
		t.Fatal(err)
	}
	land(t, s, d, one)
}

func mustCommit(t *testing.T, v *objects.View, h string) objects.Commit {
	t.Helper()
	c, err := v.Commit(plumbing.NewHash(h))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestWriteMakesCommitsThatGitTakes: files written, changed and removed, beside
// the branch and upon it, and read back the same.
func TestWriteMakesCommitsThatGitTakes(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "repo")
	s := open(t, dir)
	note := store.Note{Author: objects.Person{Name: "vigild <x>", Mail: "vigild@host\n", When: time.Unix(1_700_000_000, 0)}, Message: "drift\n\nof /etc/motd"}
	one, err := s.Write(ctx, main, plumbing.ZeroHash, []store.Change{{"README.md", []byte("hi\n")}, {"base/a.yaml", []byte("a\n")}, {"base/b/c.yaml", []byte("c\n")}, {"base.txt", []byte("x\n")}}, note)
	if err != nil {
		t.Fatal(err)
	}
	drift, err := s.WriteUpon(ctx, store.Update{Ref: "refs/heads/drift/web/1"}, one.ID, []store.Change{{"base/a.yaml", []byte("b\n")}, {"base/b/c.yaml", nil}}, note)
	if err != nil {
		t.Fatal(err)
	}
	if s.Ref(main) != one.ID || s.Ref("refs/heads/drift/web/1") != drift.ID || drift.Subject != "drift" || drift.Author.Mail != "vigild@host" {
		t.Errorf("%+v", drift)
	}
	v := s.View()
	defer v.Close()
	files, err := v.Files(ctx, drift.Tree, objects.TreeDefaults())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Path+"="+string(f.Data))
	}
	if want := "README.md=hi\n base.txt=x\n base/a.yaml=b\n"; strings.Join(got, " ") != want {
		t.Errorf("%q", got)
	}
	gittest.New(t).In(dir).Git("fsck", "--full", "--strict")
	for path, want := range map[string]string{"../x": "leads to another folder", "a//b": "empty", ".git/config": ".git", "base": "a file stands", "base.txt/x": "a file stands"} {
		if _, err := s.Write(ctx, main, one.ID, []store.Change{{path, []byte("x")}}, note); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := s.Write(ctx, main, drift.ID, nil, note); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a write upon another parent than the branch's: %v", err)
	}
}

// TestRefsAreOneTransaction: of two updates one is stale, and neither moves.
func TestRefsAreOneTransaction(t *testing.T) {
	d := gittest.Repo(t)
	dir := filepath.Join(t.TempDir(), "repo")
	s := open(t, dir)
	one := d.Commit("one", "-- a --\na\n")
	land(t, s, d, one)
	q, err := s.Receive(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Drop()
	h := plumbing.NewHash(one)
	err = q.Land(store.Update{Ref: "refs/heads/x", New: h}, store.Update{Ref: main, New: h})
	if fault.KindOf(err) != fault.Conflict || !s.Ref("refs/heads/x").IsZero() {
		t.Errorf("%v, x is at %s", err, s.Ref("refs/heads/x"))
	}
	if err := q.Land(store.Update{Ref: "refs/heads/main/sub", New: h}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a branch beneath a branch: %v", err)
	}
	var wait sync.WaitGroup
	won := make(chan int, 16)
	for i := range 16 {
		wait.Go(func() {
			q, err := s.Receive(context.Background(), nil)
			if err != nil {
				return
			}
			defer q.Drop()
			if q.Land(store.Update{Ref: "refs/heads/once", New: h}) == nil {
				won <- i
			}
		})
	}
	wait.Wait()
	if len(won) != 1 {
		t.Errorf("%d of 16 won", len(won))
	}
}

// TestLooseRefsOfAGitAreTakenIn: somebody ran git in the folder.
func TestLooseRefsOfAGitAreTakenIn(t *testing.T) {
	d := gittest.Repo(t)
	dir := filepath.Join(t.TempDir(), "repo")
	s := open(t, dir)
	one := d.Commit("one", "-- a --\na\n")
	land(t, s, d, one)
	s.Close()
	d.In(dir).Git("update-ref", "refs/heads/side", one)
	s = open(t, dir)
	if s.Ref("refs/heads/side").String() != one {
		t.Error("the loose ref is not seen")
	}
	if _, err := os.Stat(filepath.Join(dir, "refs/heads/side")); err == nil {
		t.Error("the loose ref still stands beside the list")
	}
}

// TestSelectSendsExactlyWhatIsMissing: over random histories, what is sent with
// what the client has is everything under the want; and nothing of it did the
// client have under the commits it named, but what returned to an older state.
// Where clocks are wrong more may be sent, never less.
func TestSelectSendsExactlyWhatIsMissing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ctx := context.Background()
		dir, err := os.MkdirTemp(t.TempDir(), "r")
		if err != nil {
			rt.Fatal(err)
		}
		s, err := store.Open(store.Config{Dir: filepath.Join(dir, "repo"), Branch: "main", Caps: pack.Defaults()})
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		n := rapid.IntRange(2, 6).Draw(rt, "commits")
		wrong := rapid.Bool().Draw(rt, "clocks are wrong")
		var tips []plumbing.Hash
		for i := range n {
			parent := plumbing.ZeroHash
			if i > 0 {
				parent = tips[rapid.IntRange(0, i-1).Draw(rt, "parent")]
			}
			path := fmt.Sprintf("d%d/f%d", rapid.IntRange(0, 1).Draw(rt, "dir"), rapid.IntRange(0, 2).Draw(rt, "file"))
			at := int64(1_700_000_000 + i)
			if wrong {
				at = 1_700_000_000 + rapid.Int64Range(-100, 100).Draw(rt, "clock")
			}
			c, err := s.WriteUpon(ctx, store.Update{Ref: fmt.Sprintf("refs/heads/b%d", i)}, parent,
				[]store.Change{{path, fmt.Appendf(nil, "%d", rapid.IntRange(0, 3).Draw(rt, "text"))}}, store.Note{Author: objects.Person{Name: "a", Mail: "a@b", When: time.Unix(at, 0)}, Message: fmt.Sprint(i)})
			if err != nil {
				rt.Fatal(err)
			}
			tips = append(tips, c.ID)
		}
		want, have := tips[rapid.IntRange(0, n-1).Draw(rt, "want")], tips[rapid.IntRange(0, n-1).Draw(rt, "have")]
		v := s.View()
		defer v.Close()
		sel := func(a objects.Ask) map[plumbing.Hash]bool {
			r, err := v.Select(ctx, a)
			if err != nil {
				rt.Fatal(err)
			}
			m := map[plumbing.Hash]bool{}
			for _, h := range r.Objects {
				if m[h] {
					rt.Fatalf("%s twice", h)
				}
				m[h] = true
			}
			return m
		}
		all, theirs := sel(objects.Ask{Wants: []plumbing.Hash{want}}), sel(objects.Ask{Wants: []plumbing.Hash{have}})
		sent := sel(objects.Ask{Wants: []plumbing.Hash{want}, Haves: []plumbing.Hash{have}})
		for h := range all {
			if !sent[h] && !theirs[h] {
				rt.Fatalf("%s is neither sent nor theirs", h)
			}
		}
		for h := range sent {
			if !all[h] {
				rt.Fatalf("%s is sent and not wanted", h)
			}
			if kind, _ := v.Kind(h); kind == plumbing.CommitObject && theirs[h] && !wrong {
				rt.Fatalf("the commit %s is sent again", h)
			}
		}
		ready, err := v.Ready(ctx, objects.Ask{Wants: []plumbing.Hash{want}, Haves: []plumbing.Hash{have}})
		common := false
		for h := range all {
			if kind, _ := v.Kind(h); kind == plumbing.CommitObject {
				common = common || theirs[h]
			}
		}
		if err != nil || ready != common {
			rt.Fatalf("ready %v, %v; a common ancestor %v", ready, err, common)
		}
		forward, err := v.Descends(ctx, want, have)
		if err != nil || forward != all[have] {
			rt.Fatalf("descends %v, %v; it is %v", forward, err, all[have])
		}
		// And the pack of it is one that index-pack would take.
		var b bytes.Buffer
		hs := make([]plumbing.Hash, 0, len(sent))
		for h := range sent {
			hs = append(hs, h)
		}
		v.Sort(hs)
		if _, err := v.WritePack(&b, hs, rapid.Bool().Draw(rt, "offsets")); err != nil {
			rt.Fatal(err)
		}
		name := filepath.Join(dir, "out")
		if err := os.WriteFile(name+".pack", b.Bytes(), 0o600); err != nil {
			rt.Fatal(err)
		}
		if n, err := pack.Index(ctx, name, pack.Defaults()); err != nil || n != len(sent) {
			rt.Fatalf("%d of %d objects, %v", n, len(sent), err)
		}
	})
}

func FuzzCheckRef(f *testing.F) {
	for _, s := range []string{"refs/heads/main", "refs/heads/../x", "refs/heads/a.lock", "refs//x", "refs/heads/-x", "refs/heads/a@{1}", "refs/heads/\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if store.CheckRef(name) != nil {
			return
		}
		path := filepath.Join("/repo", name)
		if path != "/repo/"+name || !strings.HasPrefix(path, "/repo/refs/") || strings.ContainsAny(name, " ~^:?*[\\\n\x00") || strings.Contains(name, "..") || strings.Contains(name, "@{") {
			t.Fatalf("%q is let in", name)
		}
	})
}

// TestFilesTakenAwayUnderTheStoreComeBack: what is open and in memory is written
// anew with the next push, whatever of the folder is gone; what is damaged is told
// with its mend, and nothing moves.
func TestFilesTakenAwayUnderTheStoreComeBack(t *testing.T) {
	ctx := context.Background()
	for _, tt := range []struct {
		name string
		take func(dir string) error
		back bool
	}{
		{"the packs", func(dir string) error { return removeAll(filepath.Join(dir, "objects/pack/*")) }, true},
		{"an index", func(dir string) error { return removeAll(filepath.Join(dir, "objects/pack/*.idx")) }, true},
		{"the objects", func(dir string) error { return os.RemoveAll(filepath.Join(dir, "objects")) }, true},
		{"the refs", func(dir string) error { return os.Remove(filepath.Join(dir, "packed-refs")) }, true},
		{"everything", os.RemoveAll, true},
		{"the bytes", func(dir string) error {
			packs, err := filepath.Glob(filepath.Join(dir, "objects/pack/*.pack"))
			for _, p := range packs {
				err = errors.Join(err, os.Chmod(p, 0o600), os.Truncate(p, 12))
			}
			return err
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := gittest.Repo(t)
			dir := filepath.Join(t.TempDir(), "repo")
			var lost error
			s, err := store.Open(store.Config{Dir: dir, Branch: "main", Caps: pack.Defaults(), Mended: func(err error) { lost = err }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			one := d.Commit("one", "-- a --\na\n")
			land(t, s, d, one)
			two := d.Commit("two", "-- b --\nb\n")
			land(t, s, d, two)
			if err := s.Mark(store.Good, plumbing.NewHash(one)); err != nil || lost != nil {
				t.Fatal(err, lost)
			}
			if err := tt.take(dir); err != nil {
				t.Fatal(err)
			}
			three := d.Commit("three", "-- c --\nc\n")
			if !tt.back {
				_, err := s.Receive(ctx, bytes.NewReader(packOf(t, d, "HEAD", "^"+two)))
				if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "restart vigild") || lost != nil {
					t.Errorf("%v, lost %v", err, lost)
				}
				if s.Compact(ctx, 0) == nil {
					t.Error("packs that cannot be read were put together")
				}
				if again, was, err := store.OpenOrRemake(store.Config{Dir: dir, Branch: "main", Caps: pack.Defaults()}); err != nil || was == nil {
					t.Errorf("after a restart: %v, lost %v", err, was)
				} else {
					again.Close()
				}
				return
			}
			land(t, s, d, three)
			if lost == nil {
				t.Error("nobody was told")
			}
			s.Close()
			s = open(t, dir)
			if s.Ref(main).String() != three || s.Ref(store.Good).String() != one {
				t.Errorf("after a restart: %v", s.Refs())
			}
			d.In(dir).Git("fsck", "--full", "--strict")
		})
	}
}

func removeAll(pattern string) error {
	found, err := filepath.Glob(pattern)
	for _, f := range found {
		err = errors.Join(err, os.Remove(f))
	}
	return err
}
