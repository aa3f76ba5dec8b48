package vigiltest

import (
	"os/exec"
	"syscall"
	"testing"
)

// TestEndKept: a story leaves no process behind, and touches nobody else's.
func TestEndKept(t *testing.T) {
	dir := t.TempDir()
	begin := func(home string) *exec.Cmd {
		c := exec.Command("/bin/sleep", "1000")
		c.Env = []string{"A=b", "VIGIL_HOME=" + home}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
		return c
	}
	ours, theirs := begin(dir+"/data/process"), begin(dir+"-other/data/process")
	if n := endKept(dir); n != 1 {
		t.Fatalf("%d were ended", n)
	}
	if err := ours.Wait(); err == nil {
		t.Error("it ended by itself")
	}
	if theirs.Process.Signal(syscall.Signal(0)) != nil {
		t.Error("another one's is gone")
	}
}
