// Package manager speaks to the service manager that started vigild, if there is
// one, by the protocol of sd_notify(3): ready, reloading, stopping, a line of
// status, and the watchdog.
//
// It refuses to decide what progress is: it asks. It ends with Run's context.
package manager

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Manager tells the service manager how vigild does. The watchdog is fed only
// while everything that decides or acts makes progress: a process that is merely
// alive is no reason not to restart it. Its methods may be called concurrently.
type Manager struct {
	Log    *slog.Logger
	Status func() string
	// Progress says what has stood still, "" nothing.
	Progress func() string
}

// Run feeds the watchdog until ctx ends; then it says that vigild is stopping.
func (n *Manager) Run(ctx context.Context) error {
	defer n.say(daemon.SdNotifyStopping)
	every := 10 * time.Second
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err == nil && watchdog > 0 {
		every = watchdog / 3
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if stuck := n.Progress(); stuck != "" {
				n.Log.Error("no progress", "part", stuck)
				n.say("STATUS=no progress: " + stuck)
				continue
			}
			n.say("STATUS=" + n.Status())
			if watchdog > 0 {
				n.say(daemon.SdNotifyWatchdog)
			}
		}
	}
}

// Ready says that everything runs, at start and after a reload.
func (n *Manager) Ready() { n.say(daemon.SdNotifyReady + "\nSTATUS=" + n.Status()) }

// Reloading brackets a reload for service managers that wait for it.
func (n *Manager) Reloading() { n.say(daemon.SdNotifyReloading) }

func (n *Manager) say(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		n.Log.Debug("the service manager was not told", "err", err)
	}
}
