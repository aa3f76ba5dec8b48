package supervise

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"vigil/actions/launch"
	"vigil/engine/fault"
)

// farPast stands for "began before anything we could compare with".
var farPast = time.Unix(0, 0)

func (r Ready) none() bool {
	return len(r.Exec) == 0 && r.TCP == "" && r.HTTP == "" && r.File == "" && r.After == 0
}

// ready blocks until the process serves. It asks often at first, since most are
// ready at once, and more seldom as time goes by.
func (k *keeper) ready(ctx context.Context, gone <-chan struct{}, began time.Time) error {
	r := k.def.Load().Ready
	if r.none() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout())
	defer cancel()
	if r.After > 0 {
		return k.pause(ctx, gone, r.After, nil)
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, Proxy: nil},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	end, _ := ctx.Deadline()
	var last error
	for wait := 2 * time.Millisecond; ; wait = min(wait*3/2, 250*time.Millisecond) {
		err := k.ask(ctx, client, began)
		if err == nil {
			return nil
		}
		// A question cut short explains nothing; a dial may say so before the context does.
		if last == nil || ctx.Err() == nil && time.Now().Before(end) {
			last = err
		}
		if err := k.pause(ctx, gone, wait, last); err != nil {
			return err
		}
	}
}

// pause waits d; last is why the process was not ready when last asked.
func (k *keeper) pause(ctx context.Context, gone <-chan struct{}, d time.Duration, last error) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-gone:
		return fault.New(fault.Conflict, "process %s ended before it was ready", k.name)
	case <-ctx.Done():
		if last == nil {
			last = ctx.Err()
		}
		return fault.Wrap(fault.Timeout, last, "process %s runs but is not ready", k.name)
	}
}

// ask looks once.
func (k *keeper) ask(ctx context.Context, client *http.Client, began time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	d := k.def.Load()
	switch r := d.Ready; {
	case len(r.Exec) > 0:
		o, err := k.s.deps.Launcher.Run(ctx, launch.Program{
			Argv: r.Exec, Env: k.env()[:2], Dir: d.Cwd, User: d.User, Group: d.Group, Output: 1024, KillRest: true, Timeout: 5 * time.Second,
		})
		if err != nil {
			return err
		}
		if o.Exit != 0 {
			return fmt.Errorf("%s exited with %d: %s", r.Exec[0], o.Exit, o.Output)
		}
		return nil
	case r.TCP != "":
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.TCP)
		if err != nil {
			return err
		}
		return c.Close()
	case r.HTTP != "":
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, r.HTTP, nil)
		if err != nil {
			return err
		}
		a, err := client.Do(q)
		if err != nil {
			return err
		}
		_ = a.Body.Close()
		if a.StatusCode >= 400 {
			return fmt.Errorf("%s answers %s", r.HTTP, a.Status)
		}
		return nil
	case r.File != "":
		st, err := os.Stat(r.File)
		if err != nil {
			return err
		}
		// File times may be a tick of the kernel behind the clock.
		if st.ModTime().Before(began.Add(-10 * time.Millisecond)) {
			return fmt.Errorf("%s is older than the process", r.File)
		}
	}
	return nil
}
