package inits

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// runitKept lists the folders whose services runsvdir supervises.
func runitKept() []string { return []string{"/etc/service/", "/var/service/", "/run/runit/service/"} }

// runitFolder is the folder of a service, and whether it is one that is supervised.
func (m *Inits) runitFolder(service string) (dir string, kept bool) {
	for _, d := range runitKept() {
		if m.is(d + service) {
			return d + service, true
		}
	}
	return "/etc/sv/" + service, false
}

// Of supervise/status, 20 bytes: a TAI64N stamp of the last change, the pid (least
// byte first), paused, what is wanted (u or d), whether TERM was sent, and the state.
const (
	statusSize = 20
	taiUnix    = 1<<62 + 10 // the stamp of 1970
)

// lookRunit reads what sv status would.
func (m *Inits) lookRunit(_ context.Context, service string) (is standing, err error) {
	dir, kept := m.runitFolder(service)
	is = standing{active: "inactive", boot: "disabled"}
	if kept && !m.is(path.Join(dir, "down")) {
		is.boot = "enabled"
	}
	// runsv holds the other end of ok open for as long as it lives.
	ok, err := unix.Open(m.under(path.Join(dir, "supervise/ok")), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENOENT):
		return is, nil
	case err != nil:
		return standing{}, unseen(err, path.Join(dir, "supervise/ok"))
	}
	unix.Close(ok)
	b, err := m.text(path.Join(dir, "supervise/status"), statusSize+1)
	if err != nil {
		return standing{}, unseen(err, path.Join(dir, "supervise/status"))
	}
	if len(b) != statusSize {
		return standing{}, fault.New(fault.Unavailable, "%s has %d bytes, not the %d that runsv writes", path.Join(dir, "supervise/status"), len(b), statusSize)
	}
	switch pid, want, state := binary.LittleEndian.Uint32(b[12:16]), b[17], b[19]; {
	case state == 1 && pid != 0:
		is.active = "active"
		if sec := binary.BigEndian.Uint64(b[:8]); sec > taiUnix && sec < taiUnix+1<<40 {
			is.since = time.Unix(int64(sec-taiUnix), int64(binary.BigEndian.Uint32(b[8:12])))
		}
	case state == 2 && want != 'u':
		is.active = "deactivating"
	case want == 'u': // runsv starts it again within a second
		is.active = "activating"
	}
	return is, nil
}

// bootRunit switches by the file down, which keeps runsv from starting a service by
// itself, and has runsvdir see a service that it does not supervise yet.
func (m *Inits) bootRunit(_ context.Context, service string, on bool) error {
	dir, kept := m.runitFolder(service)
	r, err := os.OpenRoot(m.under(dir))
	if err != nil {
		return unseen(err, dir)
	}
	defer r.Close()
	if !on {
		f, err := r.OpenFile("down", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return fault.Wrap(fault.Unavailable, err, "%s cannot be disabled", service)
		}
		return fault.Wrap(fault.Unavailable, f.Close(), "%s cannot be disabled", service)
	}
	if err := r.Remove("down"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Unavailable, err, "%s cannot be enabled", service)
	}
	if kept {
		return nil
	}
	for _, d := range runitKept() {
		if !m.is(d) {
			continue
		}
		return fault.Wrap(fault.Unavailable, os.Symlink(m.under(dir), m.under(d+service)), "%s cannot be enabled", service)
	}
	return fault.New(fault.Unsupported, "there is no folder of runsvdir here to put %s into", service)
}
