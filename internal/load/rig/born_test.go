package rig

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// A figure that ends with the birth of a child is worth what the child says.
func TestAChildTellsItsBirth(t *testing.T) {
	for _, plain := range []bool{false, true} {
		if !plain && runtime.GOARCH != "amd64" {
			continue
		}
		dir := t.TempDir()
		child, err := NewChild(dir, plain)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "births")
		var pids []int
		before := time.Now()
		for _, stay := range []bool{false, true, false} {
			argv := child.Argv(file, stay)
			cmd := exec.Command(argv[0], argv[1:]...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			pids = append(pids, cmd.Process.Pid)
			err := Until(20*time.Second, "it has told its birth", func() bool {
				got, err := child.Births(file)
				return err != nil || len(got) == len(pids)
			})
			if err != nil {
				t.Fatal(err)
			}
			if stay {
				if err := cmd.Process.Kill(); err != nil {
					t.Error("plain", plain, "did not stay:", err)
				}
			}
			if err := cmd.Wait(); err == nil == stay {
				t.Error("plain", plain, "stay", stay, "ended with", err)
			}
		}
		got, err := child.Births(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range got {
			if b.PID != pids[i] || b.At.Before(before) || b.At.After(time.Now()) {
				t.Errorf("plain %v: birth %d is %+v, of process %d since %v", plain, i, b, pids[i], before)
			}
			before = b.At
		}
	}
}
