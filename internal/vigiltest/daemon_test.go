package vigiltest

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vigil/api/client"
	"vigil/api/contract"
)

// Everything that a daemon started has ended when Run returns.
func TestDaemonLeavesNothingBehind(t *testing.T) {
	before := goleak.IgnoreCurrent()
	d := Start(t, "", "")
	if _, err := d.Client.Ingest(t.Context(), contract.Sample{Name: "x", Value: 1}); err != nil {
		t.Fatal(err)
	}
	d.Stop()
	goleak.VerifyNone(t, before)
}

// vigild's own figures are series, so that policies may watch vigild; nobody can
// push under their names.
func TestDaemonWatchesItself(t *testing.T) {
	d := Start(t, "", "[self]\nevery = \"1s\"\n")
	names := []string{"vigil_evaluation_queue", "vigil_log_syncs_total", "vigil_ledger_commits_total", "vigil_worker_capacity", "vigil_host_cpus", "vigil_uptime_seconds"}
	for _, name := range names {
		d.Await(name, func() bool {
			r, err := d.Client.Range(t.Context(), name, time.Now().Add(-time.Minute), time.Now().Add(time.Minute), 1, 10)
			return err == nil && len(r.Series) == 1 && len(r.Series[0].Points) > 0
		})
		if _, err := d.Client.Ingest(t.Context(), contract.Sample{Name: name, Value: 1}); err == nil {
			t.Errorf("%s can be pushed", name)
		}
	}
	page, err := d.Client.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names[:4] {
		if !strings.Contains(string(page), "\n"+name) {
			t.Errorf("/metrics does not tell %s", name)
		}
	}
}

// The first token is made once, at the first start, for its owner alone.
func TestDaemonMakesOneFirstToken(t *testing.T) {
	d := Start(t, "", "")
	file := filepath.Join(d.Dir, "data", "token")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	secret, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{URL: d.URL, Token: strings.TrimSpace(string(secret))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteToken(t.Context(), "first"); err != nil {
		t.Fatalf("the first token is no admin: %v", err)
	}
	d.Stop()
	d = Start(t, d.Dir, "")
	list, err := d.Client.Tokens(t.Context())
	if err != nil || len(list.Tokens) != 0 {
		t.Errorf("a deleted token came back: %v %v", list.Tokens, err)
	}
}

// A gap is never silent: what was damaged is moved aside, and the audit says so.
func TestDaemonAuditsDamage(t *testing.T) {
	d := Start(t, "", "[policies]\nstarter = false\n")
	if _, err := d.Client.Ingest(t.Context(), contract.Sample{Name: "x", Value: 1}); err != nil {
		t.Fatal(err)
	}
	d.Stop()
	db := filepath.Join(d.Dir, "data", "samples.db")
	text, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		text[i] ^= 0x5a
	}
	if err := os.WriteFile(db, text, 0o600); err != nil {
		t.Fatal(err)
	}
	d = Start(t, d.Dir, "[policies]\nstarter = false\n")
	d.Await("the audit record of the damage", func() bool {
		list, err := d.Client.Audit(t.Context(), "", "store:samples", 10)
		return err == nil && len(list.Records) > 0 && strings.HasPrefix(list.Records[0].Verb, "store.")
	})
	v, err := d.Client.AuditVerify(t.Context())
	if err != nil || !v.OK {
		t.Errorf("%v %v", v, err)
	}
}

// A service manager is told that vigild is ready, that it lives, and that it
// stops.
func TestDaemonSpeaksToTheServiceManager(t *testing.T) {
	dir, err := os.MkdirTemp("", "vn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	sock := filepath.Join(dir, "n")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: sock, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", sock)
	t.Setenv("WATCHDOG_USEC", "300000")
	t.Setenv("WATCHDOG_PID", "")
	os.Unsetenv("WATCHDOG_PID")
	said := make(chan string, 100)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				close(said)
				return
			}
			said <- string(buf[:n])
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	hear := func(want string) {
		t.Helper()
		for {
			select {
			case s := <-said:
				if strings.Contains(s, want) {
					return
				}
			case <-ctx.Done():
				t.Fatalf("never heard %s", want)
			}
		}
	}
	d := Start(t, "", "")
	hear("READY=1")
	hear("WATCHDOG=1")
	d.Stop()
	hear("STOPPING=1")
}
