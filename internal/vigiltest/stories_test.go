package vigiltest

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// TestStories runs every script of testdata/scripts against the real binary.
func TestStories(t *testing.T) {
	testscript.Run(t, Params(Binary, "../../testdata/scripts"))
}
