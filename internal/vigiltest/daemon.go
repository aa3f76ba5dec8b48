package vigiltest

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vigil/api/client"
	"vigil/internal/daemon"
	"vigil/internal/daemon/config"
)

// Daemon is a whole vigild inside a test.
type Daemon struct {
	Dir    string // config, policies and data live here
	URL    string // "": no TCP
	Client *client.Client
	Log    *logged

	t    testing.TB
	stop context.CancelFunc
	done chan error
}

// Start runs a daemon with this vigil.toml on a folder of its own (dir "", or
// one that an earlier daemon left) and waits until it is ready. It listens on a
// free port unless the file says otherwise. It is stopped with the test.
func Start(t testing.TB, dir, toml string) *Daemon {
	t.Helper()
	return StartBetween(t, dir, toml, daemon.Seams{})
}

// StartBetween is Start with the test standing between the rooms.
func StartBetween(t testing.TB, dir, toml string, seams daemon.Seams) *Daemon {
	t.Helper()
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "vd"); err != nil { // short: a socket's path has a limit
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
	}
	file := filepath.Join(dir, "vigil.toml")
	if err := os.WriteFile(file, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &Daemon{Dir: dir, Log: &logged{}, t: t, done: make(chan error, 1)}
	places := config.Places{Config: file, Data: filepath.Join(dir, "data"), Socket: filepath.Join(dir, "s", "v.sock")}
	ready := make(chan daemon.Running, 1)
	dm, err := daemon.New(daemon.Options{
		From: config.From{File: file, Places: places, Change: func(c *config.Config) {
			if c.API.Listen == "127.0.0.1:8000" {
				c.API.Listen = "127.0.0.1:0"
			}
		}},
		Log: d.Log, Version: "test", Ready: func(r daemon.Running) { ready <- r }, Seams: seams,
	})
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, d.stop = context.WithCancel(context.Background())
	go func() { d.done <- dm.Run(ctx) }()
	t.Cleanup(d.Stop)
	select {
	case r := <-ready:
		if r.Listen != nil {
			d.URL = "http://" + r.Listen.String()
		}
		if d.Client, err = client.New(client.Config{Socket: r.Socket}); err != nil {
			t.Fatal(err)
		}
	case err := <-d.done:
		d.done <- err
		t.Fatalf("the daemon ended: %v\n%s", err, d.Log)
	case <-time.After(Patience):
		t.Fatalf("the daemon is not ready:\n%s", d.Log)
	}
	return d
}

// Stop stops the daemon and waits; a second call does nothing.
func (d *Daemon) Stop() {
	d.t.Helper()
	if d.stop == nil {
		return
	}
	if d.Client != nil {
		d.Client.Close()
	}
	d.stop()
	d.stop = nil
	if err := <-d.done; err != nil {
		d.t.Errorf("the daemon ended with %v\n%s", err, d.Log)
	}
}

// Await asks until ok is true, and fails the test with what was expected and
// what the daemon said when patience is over.
func (d *Daemon) Await(what string, ok func() bool) {
	d.t.Helper()
	if !Until(ok) {
		d.t.Fatalf("%s did not happen; the daemon said\n%s", what, d.Log)
	}
}
