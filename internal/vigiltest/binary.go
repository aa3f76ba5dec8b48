// Package vigiltest is the whole daemon inside a test, and the verbs of the
// scripts in testdata/scripts.
//
// Everything is real: the binary is the one that users get, built once for a
// test run; stores, sockets and processes are the host's. Nothing sleeps: what
// takes time is waited for by asking again until a deadline.
//
// It refuses to be part of the program: only tests import it. What a script
// started is killed and waited for when the script ends.
package vigiltest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Main builds the binary for a package's tests, runs them, and cleans up: call
// it from TestMain. Binary is where it lies.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "vigild-build")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	Binary, Pointed = filepath.Join(dir, "vigild"), filepath.Join(dir, "pointed")
	for file, pkg := range map[string]string{Binary: "vigil", Pointed: "vigil/internal/vigiltest/pointed"} {
		cmd := exec.Command("go", "build", "-o", file, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
		if text, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, text)
			return 1
		}
	}
	return m.Run()
}

// Binary is the path of the vigild that Main built, Pointed that of the same
// daemon with points to die at.
var Binary, Pointed string

// Patience is how long anything is waited for: it is for a machine that has much else
// to do, and promises nothing.
const Patience = 2 * time.Minute

// Late says that something took longer than was promised, and that this is not for
// the machine: one that has much else to do, so that vigild needs long to say its
// version, is granted twenty times that.
func Late(took, promised time.Duration) bool {
	if took <= promised {
		return false
	}
	began := time.Now()
	if exec.Command(Binary, "version").Run() != nil {
		return true
	}
	return took > 20*time.Since(began)
}

// Until asks again and again until ok is true or patience is over; it reports
// which.
func Until(ok func() bool) bool { return until(Patience, ok) }

func until(patience time.Duration, ok func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for {
		if ok() {
			return true
		}
		select {
		case <-end:
			return ok()
		case <-tick.C:
		}
	}
}
