package actions_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"vigil/actions"
	"vigil/actions/actiontest"
	"vigil/actions/blob"
	"vigil/actions/heal"
	"vigil/actions/units/unitstest"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

func healing(t testing.TB, dir string) *actions.Set {
	t.Helper()
	return build(t, actions.Config{Heal: heal.Config{Paths: []string{dir}, Refused: []string{filepath.Join(dir, "vigil")}, Commands: true}}, actions.Deps{})
}

func run(t testing.TB, s *actions.Set, name string, w with) remedy.Result {
	t.Helper()
	res, err := action(t, s, name).Run(t.Context(), request(name, w))
	if err != nil {
		t.Fatalf("%s %v: %v", name, w, err)
	}
	return res
}

// TestHeal_NothingMayBeTouchedByDefault: without a word of the local config
// there is none of these kinds.
func TestHeal_NothingMayBeTouchedByDefault(t *testing.T) {
	s := build(t, actions.Config{}, actions.Deps{})
	for _, k := range heal.Kinds() {
		if _, ok := s.Action(k); ok || slices.Contains(s.Names(), k) {
			t.Errorf("there is %s", k)
		}
	}
}

// TestHeal_Suite holds the kinds that heal to what remedy.Action promises.
func TestHeal_Suite(t *testing.T) {
	dir, root := t.TempDir(), t.TempDir()
	param := script(t, root, "proc/sys/net/ipv4/ip_forward", "0\n")
	p := unitstest.Start(t)
	p.Unit("web.service", "loaded", "active", 1)
	if err := os.Symlink("/etc", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	s := build(t, actions.Config{Root: root, Bus: p.Address, Heal: heal.Config{Paths: []string{dir}, Refused: []string{dir + "/vigil"}, Sysctl: true, Units: true}}, actions.Deps{})
	f, d := filepath.Join(dir, "f"), filepath.Join(dir, "d")
	sum, err := s.Contents().Put([]byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(name string, w with) *remedy.Request { r := request(name, w); return &r }
	for name, c := range map[string]actiontest.Case{
		"file": {
			Good: request("file", with{"path": f, "sha256": sum, "permissions": "0640"}), Needs: []string{"path"},
			Spec: remedy.Spec{Subject: "file:" + f, Kind: "file", Class: remedy.Convergent, Cost: 2},
			Bad: []actiontest.Bad{bad(with{"path": "/etc/passwd", "content": "x"}, "none of the folders"), bad(with{"path": dir + "/../x", "content": "x"}, "plain absolute"),
				bad(with{"path": dir + "/vigil/x", "content": "x"}, "vigild itself"), bad(with{"path": dir, "absent": true}, "vigild itself"), bad(with{"path": f}, "nothing is said"),
				bad(with{"path": f, "content": "x", "sha256": sum}, "exclude"), bad(with{"path": f, "absent": true, "content": "x"}, "no content"),
				bad(with{"path": f, "sha256": "x"}, "no sha256"), bad(with{"path": f, "content": "x", "permissions": "rw"}, "octal"),
				bad(with{"path": f, "content": "x", "validate": `["/bin/true","{}"]`}, "not trusted"), bad(with{"path": f, "content": "x", "was": "y"}, "no sha256")},
			Refused: ask("file", with{"path": dir + "/link/f", "content": "x"}),
		},
		"directory": {
			Good: request("directory", with{"path": d, "permissions": "0750"}), Needs: []string{"path"},
			Spec:    remedy.Spec{Subject: "file:" + d, Kind: "directory", Class: remedy.Convergent, Cost: 2},
			Bad:     []actiontest.Bad{bad(with{"path": "/srv/x"}, "none of the folders"), bad(with{"path": d, "absent": true, "group": "root"}, "absent")},
			Refused: ask("directory", with{"path": dir + "/none/d"}),
		},
		"sysctl": {
			Good: request("sysctl", with{"name": "net.ipv4.ip_forward", "value": "1"}), Needs: []string{"name", "value"},
			Spec: remedy.Spec{Subject: "sysctl:net/ipv4/ip_forward", Kind: "sysctl", Class: remedy.Convergent, Cost: 1},
			Bad: []actiontest.Bad{bad(with{"name": "kernel.core_pattern", "value": "|x"}, "names a program"), bad(with{"name": "net/../../x", "value": "1"}, "no kernel parameter"),
				bad(with{"name": "vm.swappiness", "value": "é"}, "plain text")},
			Refused: ask("sysctl", with{"name": "net.none", "value": "1"}),
		},
		"unit": {
			Good: request("unit", with{"unit": "web", "verb": "enable"}), Needs: []string{"unit", "verb"},
			Spec: remedy.Spec{Subject: "systemd:web.service", Kind: "unit", Class: remedy.Convergent, Cost: 1},
			Bad: []actiontest.Bad{bad(with{"unit": "../x", "verb": "mask"}, "not the name"), bad(with{"unit": "vigild", "verb": "mask"}, "vigild itself"), bad(with{"unit": "web", "verb": "start"}, "none of"),
				bad(with{"unit": "web", "verb": "daemon-reload"}, "all units")},
			Refused: ask("unit", with{"unit": "none", "verb": "enable"}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.Action = action(t, s, name)
			actiontest.Run(t, c)
			if _, ok := c.Action.(remedy.Undoer); !ok {
				t.Error("cannot be undone")
			}
		})
	}
	if b, _ := os.ReadFile(param); string(b) != "1\n" {
		t.Errorf("the parameter is %q", b)
	}
	if got := p.Asked(); !slices.Equal(got[:2], []string{"EnableUnitFiles web.service", "Reload"}) || slices.Contains(got[2:], "Reload") {
		t.Errorf("systemd was asked %v: a second time changes nothing, so nothing is read anew", got)
	}
}

// picture is everything that stands at a path.
func picture(t testing.TB, path string) string {
	t.Helper()
	st, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return "nothing"
	}
	if err != nil {
		t.Fatal(err)
	}
	sys := st.Sys().(*syscall.Stat_t)
	out := fmt.Sprintf("%v %d:%d", st.Mode(), sys.Uid, sys.Gid)
	if st.Mode()&os.ModeSymlink != 0 {
		to, err := os.Readlink(path)
		if err != nil {
			t.Fatal(err)
		}
		out += " -> " + to
	}
	if st.Mode().IsRegular() {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out += fmt.Sprintf(" %q", b)
	}
	return out
}

// TestHeal_AFileWithoutEndIsNotRead: whoever owns a file makes it a tebibyte long for
// nothing. Whether it has the right bytes is told by its size, and nobody waits for it.
func TestHeal_AFileWithoutEndIsNotRead(t *testing.T) {
	dir := t.TempDir()
	s := healing(t, dir)
	f := filepath.Join(dir, "f")
	for _, c := range []struct {
		w     with
		ok    bool
		stale bool
	}{
		{with{"path": f, "content": "x"}, true, false},
		{with{"path": f, "content": "x", "was": strings.Repeat("ab", 32)}, false, true},
		{with{"path": f, "permissions": "0600"}, true, false},
		{with{"path": f, "absent": true}, true, false},
	} {
		if err := errors.Join(os.WriteFile(f, nil, 0o644), os.Truncate(f, 1<<40)); err != nil {
			t.Fatal(err)
		}
		res := run(t, s, "file", c.w)
		if res.OK != c.ok || res.Stale != c.stale {
			t.Errorf("%v: %+v", c.w, res)
		}
	}
	if _, err := os.Lstat(f); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is there: %v", err)
	}
}

// TestHeal_UndoBringsBackWhatStood: for any request and whatever stood there; and
// the result of the act names the same request.
func TestHeal_UndoBringsBackWhatStood(t *testing.T) {
	dir := t.TempDir()
	s := healing(t, dir)
	f, precious := filepath.Join(dir, "f"), script(t, dir, "precious", "and nobody's business")
	theirs := picture(t, precious)
	rapid.Check(t, func(rt *rapid.T) {
		if err := os.RemoveAll(f); err != nil {
			rt.Fatal(err)
		}
		kind := rapid.SampledFrom([]string{"file", "directory"}).Draw(rt, "kind")
		perm := rapid.SampledFrom([]string{"0600", "0644", "4755", "0400"})
		link := kind == "file" && rapid.Bool().Draw(rt, "a link")
		if link {
			if err := os.Symlink(rapid.SampledFrom([]string{"precious", "none", "{{ target }}\xff"}).Draw(rt, "leads to"), f); err != nil {
				rt.Fatal(err)
			}
			if os.Geteuid() == 0 {
				if err := os.Lchown(f, 7, 8); err != nil {
					rt.Fatal(err)
				}
			}
		} else if rapid.Bool().Draw(rt, "there") {
			w := with{"path": f, "permissions": perm.Draw(rt, "permissions before")}
			if os.Geteuid() == 0 {
				w["owner"], w["group"] = rapid.SampledFrom([]string{"0", "7"}).Draw(rt, "owner"), "8"
			}
			if kind == "file" {
				w["content"] = rapid.SampledFrom([]string{"", "before"}).Draw(rt, "content")
			}
			if res := run(t, s, kind, w); !res.OK {
				rt.Fatal(res)
			}
		}
		before := picture(t, f)
		w := with{"path": f}
		switch {
		case rapid.Bool().Draw(rt, "absent"):
			w["absent"] = true
		case kind == "file" && (before == "nothing" || link || rapid.Bool().Draw(rt, "writes")):
			w["content"] = rapid.SampledFrom([]string{"", "before", "after"}).Draw(rt, "new content")
			fallthrough
		default:
			w["permissions"] = perm.Draw(rt, "permissions after")
		}
		a := action(t, s, kind)
		back, err := a.(remedy.Undoer).Undo(t.Context(), request(kind, w))
		if err != nil {
			rt.Fatal(err)
		}
		res := run(t, s, kind, w)
		after := picture(t, f)
		if !res.OK || (res.Data["changed"] == true) != (before != after) {
			rt.Fatalf("%q became %q and it says %+v", before, after, res)
		}
		if u, ok := res.Data["undo"].(map[string]any); ok && !maps.Equal(u["with"].(map[string]any), back.With) {
			rt.Fatalf("the result says %v, Undo said %v", u, back.With)
		}
		if res := run(t, s, kind, w); res.Data["changed"] != false || picture(t, f) != after {
			rt.Fatalf("the second time changes something: %+v", res)
		}
		ask := request(kind, back.With)
		ask.Back = true
		for _, changes := range []bool{before != after, false} {
			if res, err := a.Run(t.Context(), ask); err != nil || !res.OK || picture(t, f) != before || (res.Data["changed"] == true) != changes {
				rt.Fatalf("%q became %q and was brought back to %q by %v: %+v, %v", before, after, picture(t, f), back.With, res, err)
			}
		}
		if got := picture(t, precious); got != theirs {
			rt.Fatalf("where a link leads was touched: %s", got)
		}
	})
}

// TestHeal_TheWayBackLeavesOthersAlone: what an act does not change is not brought
// back, and what somebody else has removed meanwhile needs no removing.
func TestHeal_TheWayBackLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	s := healing(t, dir)
	f, d := filepath.Join(dir, "f"), filepath.Join(dir, "d")
	run(t, s, "file", with{"path": f, "content": "a", "permissions": "0640"})
	res := run(t, s, "file", with{"path": f, "content": "b"})
	if err := os.Chmod(f, 0o600); err != nil { // by somebody else
		t.Fatal(err)
	}
	back := res.Data["undo"].(map[string]any)["with"].(map[string]any)
	if res := run(t, s, "file", back); !res.OK || !strings.HasPrefix(picture(t, f), "-rw------- ") || !strings.HasSuffix(picture(t, f), `"a"`) {
		t.Errorf("%v brought back %s: %+v", back, picture(t, f), res)
	}
	run(t, s, "directory", with{"path": d, "permissions": "0750"})
	res = run(t, s, "directory", with{"path": d, "permissions": "0700"})
	if got, want := res.Data["undo"].(map[string]any)["with"].(map[string]any), (with{"path": d, "permissions": "0750"}); !maps.Equal(got, want) {
		t.Errorf("the way back of a folder's mode is %v, want %v", got, want)
	}
	gone := with{"path": f, "absent": true, "was": blob.Sum([]byte("b"))}
	if res := run(t, s, "file", gone); res.OK {
		t.Errorf("a file with other bytes was removed: %+v", res)
	}
	if err := os.Remove(f); err != nil {
		t.Fatal(err)
	}
	if res := run(t, s, "file", gone); !res.OK || res.Data["changed"] != false {
		t.Errorf("what is gone already: %+v", res)
	}
}

// TestFile_BytesThatWereLentAndAreGone: after a crash the act that was done says so,
// and one that was not is an error that names the content; nothing is written.
func TestFile_BytesThatWereLentAndAreGone(t *testing.T) {
	dir := t.TempDir()
	s := healing(t, dir)
	f := filepath.Join(dir, "f")
	want := with{"path": f, "sha256": blob.Sum([]byte("a")), "permissions": "0640"}
	_, giveBack, ok := s.Contents().Lend([]byte("a"))
	if !ok {
		t.Fatal("nothing is lent")
	}
	if res := run(t, s, "file", want); !res.OK || res.Data["changed"] != true {
		t.Errorf("while it is lent: %+v", res)
	}
	giveBack()
	if res := run(t, s, "file", want); !res.OK || res.Data["changed"] != false {
		t.Errorf("done already: %+v", res)
	}
	for what, spoil := range map[string]func() error{
		"other bytes": func() error { return os.WriteFile(f, []byte("b"), 0o640) },
		"other mode":  func() error { return errors.Join(os.WriteFile(f, []byte("a"), 0o640), os.Chmod(f, 0o600)) },
		"gone":        func() error { return os.Remove(f) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := action(t, s, "file").Run(t.Context(), request("file", want)); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestFile_WhoChangedItMeanwhileWins.
func TestFile_WhoChangedItMeanwhileWins(t *testing.T) {
	dir := t.TempDir()
	s := healing(t, dir)
	f := filepath.Join(dir, "f")
	if res := run(t, s, "file", with{"path": f, "content": "a", "was": blob.Sum([]byte("x"))}); res.OK {
		t.Errorf("it is not there and was written: %+v", res)
	}
	if res := run(t, s, "file", with{"path": f, "content": "a", "was": "absent"}); !res.OK {
		t.Errorf("%+v", res)
	}
	if res := run(t, s, "file", with{"path": f, "content": "b", "was": "absent"}); res.OK || !res.Stale || !strings.Contains(res.Error, "changed since") {
		t.Errorf("%+v", res)
	}
	if res := run(t, s, "file", with{"path": f, "content": "b", "was": blob.Sum([]byte("a"))}); !res.OK {
		t.Errorf("%+v", res)
	}
	// The same act again, after a crash: it was done, whatever stood there before.
	if res := run(t, s, "file", with{"path": f, "content": "b", "was": blob.Sum([]byte("a"))}); !res.OK || res.Data["changed"] != false {
		t.Errorf("again: %+v", res)
	}
}

// TestFile_AValidateCommandSaysNo: the old file stays, its words are told.
func TestFile_AValidateCommandSaysNo(t *testing.T) {
	dir := t.TempDir()
	s := healing(t, dir)
	f := filepath.Join(dir, "f")
	check := script(t, t.TempDir(), "check", "#!/bin/sh\ngrep -q good \"$1\" || { echo it is bad; exit 3; }\n")
	w := with{"path": f, "content": "good", "validate": fmt.Sprintf(`[%q,"{}"]`, check)}
	if res := run(t, s, "file", w); !res.OK {
		t.Errorf("%+v", res)
	}
	w["content"] = "worse"
	if res := run(t, s, "file", w); res.OK || !strings.Contains(res.Error, "it is bad") || !strings.Contains(picture(t, f), "good") {
		t.Errorf("%+v leaves %s", res, picture(t, f))
	}
	// What it says of a file that is not for everybody may quote it.
	for what, closed := range map[string]func() with{
		"by what is asked": func() with { return with{"permissions": "0640"} },
		"by how it stands": func() with { must(t, os.Chmod(f, 0o600)); return with{} },
		"by what is in it": func() with { return with{"closed": true} },
	} {
		asked := maps.Clone(w)
		maps.Copy(asked, closed())
		res := run(t, s, "file", asked)
		if res.OK || strings.Contains(fmt.Sprint(res), "it is bad") || !strings.Contains(res.Error, "exit 3; what it said is not told") {
			t.Errorf("%s: %+v", what, res)
		}
		must(t, os.Chmod(f, 0o644))
	}
}

// TestFile_AHardLinkIsNotDressed: the other name keeps what it has.
func TestFile_AHardLinkIsNotDressed(t *testing.T) {
	dir := t.TempDir()
	s := healing(t, dir)
	f, other := script(t, dir, "f", "x"), filepath.Join(dir, "other")
	if err := os.Link(f, other); err != nil {
		t.Fatal(err)
	}
	before := picture(t, other)
	if res := run(t, s, "file", with{"path": f, "permissions": "0600"}); !res.OK || picture(t, other) != before || !strings.Contains(picture(t, f), "-rw-------") {
		t.Errorf("%+v: %s and %s", res, picture(t, f), picture(t, other))
	}
}

// TestUnit_UndoIsTheOppositeOnlyIfSomethingChanges.
func TestUnit_UndoIsTheOppositeOnlyIfSomethingChanges(t *testing.T) {
	p := unitstest.Start(t)
	p.Unit("web.service", "loaded", "active", 1)
	s := build(t, actions.Config{Bus: p.Address, Heal: heal.Config{Units: true}}, actions.Deps{})
	u := action(t, s, "unit").(remedy.Undoer)
	verb := func(v string) string {
		back, err := u.Undo(t.Context(), request("unit", with{"unit": "web", "verb": v}))
		if err != nil {
			t.Fatal(err)
		}
		return back.With["verb"].(string)
	}
	if v := verb("enable"); v != "disable" {
		t.Errorf("before: %s", v)
	}
	run(t, s, "unit", with{"unit": "web", "verb": "enable"})
	if v := verb("enable"); v != "enable" {
		t.Errorf("enabled already: %s", v)
	}
	if _, err := u.Undo(t.Context(), request("unit", with{"verb": "daemon-reload"})); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("daemon-reload: %v", err)
	}
	st, err := s.UnitState(t.Context(), "web.service")
	if err != nil || st["UnitFileState"] != "enabled" || st["ActiveState"] != "active" {
		t.Errorf("%v, %v", st, err)
	}
	if st, err := s.UnitState(t.Context(), "none.service"); err != nil || st["LoadState"] != "not-found" {
		t.Errorf("%v, %v", st, err)
	}
}

// TestContents_AreWhatTheirNameSays, and what no act names is swept.
func TestContents_AreWhatTheirNameSays(t *testing.T) {
	dir := t.TempDir()
	s := blob.New(dir)
	a, err := s.Put([]byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := s.Get(a); err != nil || !bytes.Equal(b, []byte("a")) {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := s.Get(blob.Sum([]byte("none"))); fault.KindOf(err) != fault.NotFound {
		t.Errorf("none: %v", err)
	}
	if _, err := s.Get("../../etc/passwd"); fault.KindOf(err) != fault.Unprocessable {
		t.Errorf("no name: %v", err)
	}
	st, err := os.Stat(filepath.Join(dir, a))
	if err != nil || st.Mode().Perm()&0o077 != 0 {
		t.Errorf("others can read it: %v, %v", st.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(dir, a), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(a); fault.KindOf(err) != fault.Corrupt {
		t.Errorf("damaged: %v", err)
	}
	if _, err := s.Put([]byte("a")); err != nil { // what is damaged is written anew
		t.Fatal(err)
	}
	if b, err := s.Get(a); err != nil || string(b) != "a" {
		t.Errorf("written anew: %q, %v", b, err)
	}
	b, err := s.Put([]byte("b"))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(0, st.ModTime().Add(1e12), func(sum string) bool { return sum == a }); err != nil || n != 1 {
		t.Errorf("swept %d, %v", n, err)
	}
	if _, err := s.Get(b); fault.KindOf(err) != fault.NotFound {
		t.Errorf("what nobody names is still there: %v", err)
	}
	if _, err := s.Put(make([]byte, blob.Max+1)); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("too much: %v", err)
	}
}

// TestFile_InAFolderOfItsOwner: a folder of another user is touched only for a
// file of that user's, and what was made there can be taken back.
func TestFile_InAFolderOfItsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		return // there is no other user to be
	}
	dir := t.TempDir()
	s := healing(t, dir)
	home := filepath.Join(dir, "home")
	run(t, s, "directory", with{"path": home, "owner": "1234", "permissions": "0755"})
	f := filepath.Join(home, "f")
	if res, err := action(t, s, "file").Run(t.Context(), request("file", with{"path": f, "content": "x"})); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a file of root's in a folder of another: %+v, %v", res, err)
	}
	w := with{"path": f, "content": "x", "owner": "1234"}
	back, err := action(t, s, "file").(remedy.Undoer).Undo(t.Context(), request("file", w))
	if err != nil {
		t.Fatal(err)
	}
	if res := run(t, s, "file", w); !res.OK || !strings.Contains(picture(t, f), "1234:") {
		t.Errorf("%+v: %s", res, picture(t, f))
	}
	if res := run(t, s, "file", back.With); !res.OK || picture(t, f) != "nothing" {
		t.Errorf("taken back by %v: %+v, %s", back.With, res, picture(t, f))
	}
}
