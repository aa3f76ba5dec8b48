package actions_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"vigil/actions"
	"vigil/actions/actiontest"
	"vigil/actions/heal"
	"vigil/engine/remedy/foresee"
)

// stand puts something at a path.
func stand(t testing.TB, what, path string) {
	t.Helper()
	var err error
	switch what {
	case "file":
		err = os.WriteFile(path, []byte("old"), 0o644)
	case "folder":
		err = os.Mkdir(path, 0o755)
	case "full folder":
		err = errors.Join(os.Mkdir(path, 0o755), os.WriteFile(path+"/x", nil, 0o644))
	case "others' folder":
		err = errors.Join(os.Mkdir(path, 0o755), os.Chmod(path, 0o777))
	case "link":
		err = os.Symlink("elsewhere", path)
	case "link to a folder":
		err = os.Symlink(filepath.Dir(path), path)
	case "pipe":
		err = syscall.Mkfifo(path, 0o644)
	case "program":
		err = errors.Join(os.WriteFile(path, []byte("old"), 0o755), os.Chmod(path, 0o4755))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestHeal_WhatIsForeseenIsWhatHappens: whatever stands at a path and on the way to it,
// an act is refused beforehand if, and only if, it fails.
func TestHeal_WhatIsForeseenIsWhatHappens(t *testing.T) {
	dir := t.TempDir()
	s := build(t, actions.Config{Heal: heal.Config{Paths: []string{dir}, Refused: []string{dir + "/in/vigil"}}}, actions.Deps{})
	refused, done := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		in, f := dir+"/in", dir+"/in/f"
		if err := os.RemoveAll(in); err != nil {
			rt.Fatal(err)
		}
		way := rapid.SampledFrom([]string{"folder", "folder", "folder", "nothing", "file", "others' folder", "link to a folder"}).Draw(rt, "on the way")
		stand(t, way, in)
		if way == "folder" {
			stand(t, rapid.SampledFrom([]string{"nothing", "file", "folder", "full folder", "link", "link to a folder", "pipe", "program"}).Draw(rt, "there"), f)
		}
		kind := rapid.SampledFrom([]string{"file", "directory"}).Draw(rt, "kind")
		w := with{"path": f}
		switch act := rapid.SampledFrom([]string{"write", "dress", "remove"}).Draw(rt, "act"); {
		case act == "remove":
			w["absent"] = true
		case act == "dress":
			w["permissions"] = "0600"
		case kind == "file":
			w["content"] = "new"
		}
		if os.Geteuid() == 0 && way == "folder" && rapid.Bool().Draw(rt, "of a user") {
			if err := os.Chown(in, 7, 7); err != nil {
				rt.Fatal(err)
			}
			w[rapid.SampledFrom([]string{"owner", "within"}).Draw(rt, "whose")] = rapid.SampledFrom([]string{"7", "8"}).Draw(rt, "who")
		}
		if rapid.Bool().Draw(rt, "parents") {
			w["parents"] = true
		}
		a := action(t, s, kind)
		foreseen := a.(foresee.Foreseer).Foresee(request(kind, w), &foresee.Ahead{})
		if way == "nothing" {
			if _, err := os.Lstat(in); err == nil {
				rt.Fatal("it made a folder")
			}
		}
		res, err := a.Run(t.Context(), request(kind, w))
		if err == nil && !res.OK {
			err = errors.New(res.Error)
		}
		if (err == nil) != (foreseen == nil) {
			rt.Fatalf("foreseen: %v\nit came: %v", foreseen, err)
		}
		if err != nil {
			refused++
		} else {
			done++
		}
	})
	if refused == 0 || done == 0 {
		t.Errorf("%d refused and %d done: only one of the two was tried", refused, done)
	}
}

// TestHeal_ForeseesAfterTheStepsBefore: what earlier steps of a plan make or remove
// counts, and where a program runs before nobody knows.
func TestHeal_ForeseesAfterTheStepsBefore(t *testing.T) {
	dir := t.TempDir()
	stand(t, "file", dir+"/f")
	stand(t, "full folder", dir+"/d")
	stand(t, "others' folder", dir+"/open")
	s := healing(t, dir)
	type step struct {
		kind string
		w    with
	}
	write := func(p string) step { return step{"file", with{"path": dir + p, "content": "x"}} }
	checked := func(p string) step {
		return step{"file", with{"path": dir + "/new", "content": "x", "validate": fmt.Sprintf(`[%q,"{}"]`, dir+p)}}
	}
	folder := func(p string) step { return step{"directory", with{"path": dir + p}} }
	away := func(kind, p string) step { return step{kind, with{"path": dir + p, "absent": true}} }
	for name, c := range map[string]struct {
		before []step
		act    step
		says   string
	}{
		"no folder":                  {nil, write("/new/x"), "/new is not there, so "},
		"the folder is made before":  {[]step{folder("/new")}, write("/new/x"), ""},
		"a folder above is not all":  {[]step{folder("/new")}, write("/new/deep/x"), "/new/deep is not there"},
		"made by the way":            {[]step{{"file", with{"path": dir + "/new/deep/y", "content": "", "parents": true}}}, write("/new/deep/x"), ""},
		"the folder goes before":     {[]step{away("file", "/d/x"), away("directory", "/d")}, write("/d/y"), "/d is not there"},
		"a file for a folder":        {nil, write("/d"), "/d is no file, and is not replaced by one (look at it"},
		"the folder went":            {[]step{away("file", "/d/x"), away("directory", "/d")}, write("/d"), ""},
		"a folder for a file":        {nil, folder("/f"), "/f is no folder, and is not replaced by one"},
		"the file went":              {[]step{away("file", "/f")}, folder("/f"), ""},
		"in a file":                  {nil, write("/f/x"), "/f is a symbolic link or no folder"},
		"in a file that went":        {[]step{away("file", "/f"), folder("/f")}, write("/f/x"), ""},
		"a folder that is not empty": {nil, away("directory", "/d"), "/d is not empty, and is only removed when it is: x is in it"},
		"emptied before":             {[]step{away("file", "/d/x")}, away("directory", "/d"), ""},
		"a folder as a file":         {nil, away("file", "/d"), "is not removed as a file (kind: Directory"},
		"others can write":           {nil, write("/open/x"), "others can write in "},
		"nothing validates":          {nil, checked("/none"), "/none: no such file or directory (install the program"},
		"no program validates":       {nil, checked("/f"), "/f is not an executable file"},
		"it is brought before":       {[]step{write("/none")}, checked("/none"), ""},
		"they could":                 {[]step{{"directory", with{"path": dir + "/open", "permissions": "0755"}}}, write("/open/x"), ""},
	} {
		for _, programs := range []bool{false, true} {
			f := foresee.Ahead{Programs: programs}
			var err error
			for _, st := range append(c.before, c.act) {
				if err = action(t, s, st.kind).(foresee.Foreseer).Foresee(request(st.kind, st.w), &f); err != nil && len(c.before) > 0 && st.kind == c.before[0].kind && st.w["path"] == c.before[0].w["path"] {
					t.Errorf("%s: before it: %v", name, err)
				}
			}
			switch {
			case programs && err != nil:
				t.Errorf("%s: though a program runs before: %v", name, err)
			case !programs && c.says == "" && err != nil, !programs && c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
				t.Errorf("%s: %v, want %q", name, err, c.says)
			}
		}
	}
}

// TestHeal_ForeseesAFullDisk: one that has no room for the bytes that a plan brings, all
// of them together, or for another file.
func TestHeal_ForeseesAFullDisk(t *testing.T) {
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk")
	if !actiontest.Disk(t, disk, 256<<10) {
		return
	}
	s := healing(t, dir)
	var f foresee.Ahead
	ask := func(name string, bytes int64) string {
		t.Helper()
		f.Bytes = bytes
		err := action(t, s, "file").(foresee.Foreseer).Foresee(request("file", with{"path": disk + "/" + name, "sha256": strings.Repeat("0", 64)}), &f)
		if err == nil {
			return ""
		}
		return err.Error()
	}
	if got := ask("a", 100<<10); got != "" {
		t.Errorf("there is room: %s", got)
	}
	if got := ask("b", 200<<10); !strings.Contains(got, disk+"/b cannot be written: it takes 204800 bytes, and the file system of "+disk+" has ") || !strings.Contains(got, "(make room there") {
		t.Errorf("with what comes before there is none: %q", got)
	}
	if got := ask("c", 100<<10); got != "" {
		t.Errorf("what is refused takes no room: %s", got)
	}
	f = foresee.Ahead{}
	if err := os.WriteFile(disk+"/old", make([]byte, 100<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ask("old", 100<<10) + ask("a", 100<<10); got != "" {
		t.Errorf("what is replaced makes room: %s", got)
	}
	if err := os.Remove(disk + "/old"); err != nil {
		t.Fatal(err)
	}
	f = foresee.Ahead{}
	if err := os.WriteFile(disk+"/full", make([]byte, 252<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ask("a", 8<<10); !strings.Contains(got, "cannot be written: it takes 8192 bytes") {
		t.Errorf("it is full: %q", got)
	}
	if res, err := action(t, s, "file").Run(t.Context(), request("file", with{"path": disk + "/full", "absent": true})); err != nil || !res.OK {
		t.Errorf("room is made on a full disk: %+v %v", res, err)
	}
}

// TestHeal_ForeseesWhoItIs: a vigild that may not write in a folder, or give a file
// away, says so before it tries.
func TestHeal_ForeseesWhoItIs(t *testing.T) {
	dir := t.TempDir()
	shut := dir + "/shut"
	stand(t, "folder", shut)
	stand(t, "file", shut+"/own")
	for p, mode := range map[string]os.FileMode{filepath.Dir(dir): 0o755, dir: 0o755, shut: 0o555} {
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
	}
	s := healing(t, dir)
	type asked struct {
		kind string
		w    with
		says string
	}
	var got []error
	want := []asked{
		{"file", with{"path": shut + "/f", "content": "x"}, "vigild, which runs as uid "},
		{"file", with{"path": shut + "/f", "absent": true}, "may not write in " + shut + " (give it the folder"},
		{"directory", with{"path": shut + "/d"}, "may not write in " + shut},
		{"file", with{"path": shut + "/own", "permissions": "0600"}, ""}, // it stays in its folder
		{"directory", with{"path": shut, "owner": "54321"}, "set owner and mode of " + shut + ": operation not permitted"},
	}
	given := asked{"file", with{"path": dir + "/f", "content": "x", "owner": "54321"}, "set owner and mode of " + dir + "/f: operation not permitted"}
	if os.Geteuid() != 0 {
		want = append(want, given)
	}
	ask := func(a asked) error {
		return action(t, s, a.kind).(foresee.Foreseer).Foresee(request(a.kind, a.w), &foresee.Ahead{})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with who it is
		if os.Geteuid() == 0 {
			_ = unix.Setfsuid(65534) // the kernel takes the rights over files away with it
		}
		for _, a := range want {
			got = append(got, ask(a))
		}
	}()
	<-done
	for i, a := range want {
		if (got[i] == nil) != (a.says == "") || got[i] != nil && !strings.Contains(got[i].Error(), a.says) {
			t.Errorf("%s %v: %v, want %q", a.kind, a.w, got[i], a.says)
		}
	}
}
