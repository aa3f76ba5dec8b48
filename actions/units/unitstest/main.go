package unitstest

import (
	"context"
	"fmt"
	"os"
	ossignal "os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// wrapping is the word by which a test binary knows that it is the wrapper.
const wrapping = "__attempt"

// Main is the TestMain of tests whose transient units are run by a wrapper, which
// is this very binary: run does the wrapper's work in a folder.
func Main(m *testing.M, run func(ctx context.Context, dir string) error) {
	if len(os.Args) == 3 && os.Args[1] == wrapping {
		ctx, stop := ossignal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := run(ctx, os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil { // the race detector makes each wrapper wait a second
		panic(err)
	}
	syscall.Umask(0o022) // what others may write is refused, and the folders of a test are no exception
	goleak.VerifyTestMain(m)
}

// Wrapper is the command line of the wrapper, without its folder.
func Wrapper(t testing.TB) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self, wrapping}
}
