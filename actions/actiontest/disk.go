package actiontest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// inside says that this process is in namespaces of its own.
const inside = "ACTIONTEST_INSIDE"

// Disk mounts a file system of this size on dir, which it makes. A user who may not
// is given a user namespace: the test then runs again inside it, and Disk returns
// false when that run is over.
func Disk(t *testing.T, dir string, size int) bool {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("actiontest", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size))
	if err == nil {
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		return true
	}
	if !errors.Is(err, syscall.EPERM) || os.Getenv(inside) != "" {
		t.Fatalf("no small file system can be mounted: %v", err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("in a namespace of its own: %v\n%s", err, out)
	}
	return false
}
