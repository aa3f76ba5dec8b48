package daemon

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notifier speaks to the service manager, if there is one. The watchdog is fed
// only while everything that decides or acts makes progress: a process that is
// merely alive is no reason not to restart it.
type notifier struct {
	log    *slog.Logger
	status func() string
	// progress says what has stood still, "" nothing.
	progress func() string
}

// run feeds the watchdog until ctx ends; then it says that vigild is stopping.
func (n *notifier) run(ctx context.Context) error {
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
			if stuck := n.progress(); stuck != "" {
				n.log.Error("no progress", "part", stuck)
				n.say("STATUS=no progress: " + stuck)
				continue
			}
			n.say("STATUS=" + n.status())
			if watchdog > 0 {
				n.say(daemon.SdNotifyWatchdog)
			}
		}
	}
}

func (n *notifier) ready() { n.say(daemon.SdNotifyReady + "\nSTATUS=" + n.status()) }

// reloading brackets a reload for service managers that wait for it.
func (n *notifier) reloading() { n.say(daemon.SdNotifyReloading) }

func (n *notifier) say(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		n.log.Debug("the service manager was not told", "err", err)
	}
}
