package vigiltest

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vigil/api/apitest"
)

// TestContractOfTheWholeDaemon asks every line of the HTTP contract of the real
// binary, over TCP with the token that its first start made.
func TestContractOfTheWholeDaemon(t *testing.T) {
	dir, err := os.MkdirTemp("", "vt") // a socket's path may not be long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	config := filepath.Join(dir, "vigil.toml")
	if err := os.WriteFile(config, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	log := &logged{}
	cmd := exec.Command(Binary, "run")
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "VIGIL_CONFIG=" + config, "VIGIL_DATA_DIR=" + filepath.Join(dir, "data"),
		"VIGIL_API_SOCKET=" + filepath.Join(dir, "s", "v.sock"), "VIGIL_API_LISTEN=127.0.0.1:0",
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the daemon ended with %v:\n%s", err, log)
		}
	})
	if !Until(func() bool { return readyLine.MatchString(log.String()) }) {
		t.Fatalf("vigild is not ready:\n%s", log)
	}
	secret, err := os.ReadFile(filepath.Join(dir, "data", "token"))
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	client, base := &http.Client{Transport: tr}, "http://"+readyLine.FindStringSubmatch(log.String())[1]
	apitest.Run(t, client, base, strings.TrimSpace(string(secret)), apitest.Contract)
	t.Run("ours", func(t *testing.T) { apitest.Run(t, client, base, strings.TrimSpace(string(secret)), apitest.Ours) })
}
