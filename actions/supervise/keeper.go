package supervise

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"vigil/actions/launch"
	"vigil/engine/clock"
	"vigil/engine/fault"
)

// keeper keeps one process. Whoever holds turn may start, stop and define; mu
// guards what the watcher and readers share with it.
type keeper struct {
	s    *Supervisor
	name string
	def  atomic.Pointer[definition] // nil: not on disk yet, so that nobody knows of it
	turn chan struct{}

	mu      sync.Mutex
	child   *launch.Child
	of      *definition   // that child was started with
	gone    chan struct{} // closed when child has ended and its death was told
	up      bool
	asked   bool // the coming death is wanted
	stopped bool
	starts  int
	since   clock.Stamp
	began   clock.Stamp // of the newest child, as this vigild knows it
	last    Event       // the last death
}

func (k *keeper) info() Info {
	d := k.def.Load()
	k.mu.Lock()
	defer k.mu.Unlock()
	i := Info{Name: k.name, Up: k.up, Stopped: k.stopped, Starts: k.starts, Since: k.since, Current: true}
	if d != nil {
		i.Declared, i.Hold = d.sum != "", d.Stands()
	}
	if k.child != nil {
		i.Running, i.Pid, i.Start = true, k.child.Pid, k.child.Start
		i.Current = d != nil && k.of.sum == d.sum
		stood, same := k.s.deps.Clock().Sub(k.since)
		i.Rising = !k.up || same && stood < i.Hold
	}
	return i
}

// start has the turn.
func (k *keeper) start(ctx context.Context) (changed bool, err error) {
	k.mu.Lock()
	child, gone, up := k.child, k.gone, k.up
	k.mu.Unlock()
	if child != nil && up {
		return false, nil
	}
	if child == nil {
		began := time.Now()
		if child, gone, err = k.fork(); err != nil {
			return false, err
		}
		changed = true
		if k.def.Load().Ready.none() {
			k.rise(child, "started")
			return true, nil
		}
		return true, k.await(ctx, child, gone, began)
	}
	return false, k.await(ctx, child, gone, time.Time{})
}

// fork starts the process, has it on disk, and sets its watcher.
func (k *keeper) fork() (*launch.Child, chan struct{}, error) {
	files, closeFiles, err := k.files()
	if err != nil {
		return nil, nil, err
	}
	defer closeFiles()
	d := k.def.Load()
	child, err := k.s.deps.Launcher.Start(d.program(k.env()), files)
	if err != nil {
		return nil, nil, err
	}
	// On disk before anybody hears of it. If it cannot be written the process is
	// still known by its mark, so it is not worth a failed start.
	if err := k.remember(record{Pid: child.Pid, Start: child.Start, Sum: d.sum}); err != nil {
		k.s.deps.Log.Error("a process could not be recorded", "process", k.name, "err", err)
	}
	k.mu.Lock()
	k.starts++
	k.stopped = false
	k.mu.Unlock()
	gone := k.take(child, d)
	if gone == nil {
		return nil, nil, fault.New(fault.Unavailable, "process %s was started while vigild was stopping; it is adopted at the next start", k.name)
	}
	return child, gone, nil
}

func (k *keeper) env() []string {
	d := k.def.Load()
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
		k.mark(), "VIGIL_HOME=" + k.s.dir,
	}
	if d.sum != "" {
		env = append(env, d.mark())
	}
	for _, n := range slices.Sorted(maps.Keys(d.Env)) {
		env = append(env, n+"="+d.Env[n])
	}
	return env
}

func (k *keeper) mark() string { return "VIGIL_PROCESS=" + k.name }

// take makes child, which was started with of, the one that is kept, and watches
// it. Nil when Run has ended.
func (k *keeper) take(child *launch.Child, of *definition) chan struct{} {
	gone := make(chan struct{})
	k.mu.Lock()
	k.child, k.of, k.gone, k.up, k.asked, k.since = child, of, gone, false, false, k.s.deps.Clock()
	k.began = k.since
	k.mu.Unlock()
	if !k.s.spawn(func() { k.watch(child, gone) }) {
		child.Release()
		return nil
	}
	return gone
}

// watch waits for the death of child and tells it.
func (k *keeper) watch(child *launch.Child, gone chan struct{}) {
	defer close(gone)
	defer child.Release()
	if child.Dead() != nil {
		return // let go of
	}
	// What is left of its group would hold its ports and its files. The number of
	// the group is safe as long as the zombie is ours; an adopted one's is not.
	if child.Ours() {
		child.SignalGroup(unix.SIGKILL)
	} else {
		launch.FellSession(child.Pid, child.Start)
	}
	exit, sig, known := child.Reap()
	e := Event{Name: k.name, Pid: child.Pid, Exit: exit, Signal: sig, At: k.s.deps.Clock()}
	switch {
	case sig != "":
		e.Reason = "ended by " + sig
	case known:
		e.Reason = fmt.Sprintf("exited with %d", exit)
	default:
		e.Reason = "ended, its exit was not ours to see"
	}
	k.mu.Lock()
	e.Asked, e.Starts = k.asked, k.starts
	k.child, k.up, k.since, k.last = nil, false, e.At, e
	k.s.deps.Event(e) // under the lock: up and down are told in their order
	k.mu.Unlock()
}

// rise tells that child is up, unless it has died meanwhile.
func (k *keeper) rise(child *launch.Child, reason string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.child != child {
		return false
	}
	if !k.up {
		k.up, k.since = true, k.s.deps.Clock()
		k.s.deps.Event(Event{Name: k.name, Up: true, Pid: child.Pid, Reason: reason, Starts: k.starts, At: k.since})
	}
	return true
}

// await has the turn and waits for readiness.
func (k *keeper) await(ctx context.Context, child *launch.Child, gone <-chan struct{}, began time.Time) error {
	err := k.ready(ctx, gone, began)
	if err == nil && k.rise(child, "ready") {
		return nil
	}
	select {
	case <-gone:
		k.mu.Lock()
		defer k.mu.Unlock()
		return fault.New(fault.Conflict, "process %s ended before it was ready: %s", k.name, k.last.Reason)
	default:
	}
	return err
}

func (k *keeper) stopForGood(ctx context.Context) (bool, error) {
	changed, err := k.stop(ctx)
	if err != nil {
		return changed, err
	}
	k.mu.Lock()
	k.stopped = true
	k.mu.Unlock()
	return changed, k.remember(record{Stopped: true})
}

func (k *keeper) restart(ctx context.Context) (bool, error) {
	if changed, err := k.stop(ctx); err != nil {
		return changed, err
	}
	return k.start(ctx)
}

// dying is how long a killed process may take to be gone: one in an
// uninterruptible sleep may take for ever.
const dying = 5 * time.Second

// stop has the turn: the stop signal, the patience, then SIGKILL for the group.
func (k *keeper) stop(ctx context.Context) (changed bool, err error) {
	k.mu.Lock()
	child, gone, of := k.child, k.gone, k.of
	k.asked = true
	k.mu.Unlock()
	if child == nil {
		return false, nil
	}
	sig, _ := of.signal() // what runs knows the signal that it was started with
	if err := child.Signal(sig); err != nil && fault.KindOf(err) != fault.NotFound {
		return false, err
	}
	patience := time.NewTimer(of.patience())
	defer patience.Stop()
	select {
	case <-gone:
		return true, nil
	case <-patience.C:
	case <-ctx.Done():
	}
	_ = child.Signal(unix.SIGKILL)
	last := time.NewTimer(dying)
	defer last.Stop()
	select {
	case <-gone:
		return true, nil
	case <-last.C:
		return true, fault.New(fault.Timeout, "process %s (pid %d) does not end, though it was killed", k.name, child.Pid).
			Mend("it hangs in the kernel: look at /proc/%d/stack and at the disk or network it waits for", child.Pid)
	}
}

// letGo ends the watching, not the process.
func (k *keeper) letGo() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.child != nil {
		k.child.Release()
	}
}
