package store_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/gitwatch/gittest"
	"vigil/gitwatch/pack"
	"vigil/gitwatch/store"
)

// TestMain is the child of the crash runs too: it lands one push and dies where
// it was told to.
func TestMain(m *testing.M) {
	if dir := os.Getenv("VIGIL_TEST_LAND"); dir != "" {
		if err := child(dir, os.Getenv("VIGIL_TEST_PACK"), os.Getenv("VIGIL_TEST_OLD"), os.Getenv("VIGIL_TEST_NEW"), os.Getenv("VIGIL_TEST_STEP")); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(dir, packFile, old, new, step string) error {
	armed := false
	s, err := store.Open(store.Config{Dir: dir, Branch: "main", Caps: pack.Defaults(), Step: func(name string) {
		if name == step && armed {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}})
	if err != nil {
		return err
	}
	armed = true
	b, err := os.ReadFile(packFile)
	if err != nil {
		return err
	}
	if step == "receive" { // half of the pack is in quarantine
		b = b[:len(b)/2]
	}
	q, err := s.Receive(context.Background(), bytes.NewReader(b))
	if step == "receive" {
		q2, _ := s.Receive(context.Background(), nil)
		_ = q2
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	if err != nil {
		return err
	}
	if err := q.Check(context.Background(), plumbing.NewHash(new)); err != nil {
		return err
	}
	if err := q.Land(store.Update{Ref: main, Old: plumbing.NewHash(old), New: plumbing.NewHash(new)}); err != nil {
		return err
	}
	fmt.Println("landed")
	q.Drop()
	return s.Compact(context.Background(), 0)
}

// TestKilledAtEachStepTheRefIsOldOrNew: kill -9 between pack, index, folder, ref
// and sweep, and at random moments. After the restart the ref is old or new, new
// if it was said so; what it names is all there; nothing is left in quarantine.
func TestKilledAtEachStepTheRefIsOldOrNew(t *testing.T) {
	d := gittest.Repo(t)
	old := d.Commit("old", "-- a.yaml --\na\n")
	oldPack := packOf(t, d, "HEAD")
	next := d.Import("main", "-- b.yaml --\nb\n-- c/d.yaml --\nd\n")
	file := filepath.Join(t.TempDir(), "next.pack")
	if err := os.WriteFile(file, packOf(t, d, "main", "^"+old), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(t *testing.T, step string, after time.Duration) (is string) {
		dir := filepath.Join(t.TempDir(), "repo")
		s := open(t, dir)
		q, err := s.Receive(context.Background(), bytes.NewReader(oldPack))
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Land(store.Update{Ref: main, New: plumbing.NewHash(old)}); err != nil {
			t.Fatal(err)
		}
		q.Drop()
		s.Close()
		var out bytes.Buffer
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "VIGIL_TEST_LAND="+dir, "VIGIL_TEST_PACK="+file, "VIGIL_TEST_OLD="+old, "VIGIL_TEST_NEW="+next, "VIGIL_TEST_STEP="+step)
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if after > 0 {
			kill := time.AfterFunc(after, func() { cmd.Process.Kill() })
			defer kill.Stop()
		}
		err = cmd.Wait()
		if step != "" && cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the child was not killed at %s: %v %s", step, err, &out)
		}
		s = open(t, dir)
		is = s.Ref(main).String()
		if is != old && is != next {
			t.Fatalf("the ref is at %s", is)
		}
		if bytes.Contains(out.Bytes(), []byte("landed")) && is != next {
			t.Fatal("what was said to have landed is not there")
		}
		left, err := filepath.Glob(filepath.Join(dir, "objects", "tmp_objdir-incoming-*"))
		if err != nil || len(left) > 0 {
			t.Fatalf("left in quarantine: %v %v", left, err)
		}
		if left, err = filepath.Glob(filepath.Join(dir, ".new-*")); err != nil || len(left) > 0 {
			t.Fatalf("files that never came to their name: %v %v", left, err)
		}
		d.In(dir).Git("fsck", "--full", "--strict", "--connectivity-only")
		if is == old { // and it can be pushed again
			land(t, s, d, next)
		}
		return is
	}
	for step, want := range map[string]string{"receive": old, "pack": old, "index": old, "folder": old, "ref": old, "sync packed-refs": old, "rename packed-refs": old, "sync repo": next, "sweep": next} {
		t.Run(step, func(t *testing.T) {
			if is := run(t, step, 0); is != want {
				t.Errorf("the ref is at %s, want %s", is, want)
			}
		})
	}
	runs := 12
	if os.Getenv("CI") == "true" {
		runs = 60
	}
	t.Run("random", func(t *testing.T) {
		seen := map[string]int{}
		for range runs {
			seen[run(t, "", time.Duration(1+rand.IntN(40))*time.Millisecond)]++
		}
		t.Logf("%d runs: old %d times, new %d times", runs, seen[old], seen[next])
	})
}
