package contract

import (
	"os"
	"path/filepath"
	"strconv"
)

// SocketPath is where the Unix socket lies: as configured, else /run/vigil for
// root, $XDG_RUNTIME_DIR/vigil for others, and a folder of one's own under the
// temporary folder where there is none. Server and
// client meet there, so both ask this function.
func SocketPath(configured string) string {
	if configured != "" {
		return configured
	}
	if os.Geteuid() == 0 {
		return "/run/vigil/vigil.sock"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "vigil", "vigil.sock")
	}
	return filepath.Join(os.TempDir(), "vigil-"+strconv.Itoa(os.Geteuid()), "vigil.sock")
}
