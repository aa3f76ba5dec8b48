package clock

import (
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// System reads the host's clocks: the wall clock, CLOCK_BOOTTIME, and the
// kernel's boot id (read once). Where there is no boot id the process's own
// start stands in, so stamps of two runs never pass for one boot.
func System() Clock {
	id := bootID()
	return func() Stamp {
		var ts unix.Timespec
		var boot int64
		if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) == nil {
			boot = ts.Nano()
		}
		return Stamp{Wall: time.Now().UnixMicro(), Boot: boot, BootID: id}
	}
}

var bootID = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if id := strings.TrimSpace(string(b)); err == nil && id != "" {
		return id
	}
	return "process-" + time.Now().UTC().Format(time.RFC3339Nano)
})
