package supervise

import (
	"bytes"
	"context"
	"encoding/json"
	"os"

	"vigil/actions/launch"
	"vigil/engine/fault"
)

// record is what is remembered of one process: one small file each, written in
// place within one sector. A torn one is found by its JSON, and then the mark in
// the environment stands in.
type record struct {
	Boot    string `json:"boot"`
	Pid     int    `json:"pid"`
	Start   uint64 `json:"start"`
	Stopped bool   `json:"stopped"`
	Sum     string `json:"sum,omitempty"` // of the definition that it was started with
}

const sector = 512

// remember has r on disk when it returns nil.
func (k *keeper) remember(r record) error {
	r.Boot = k.s.deps.Clock().BootID
	b, err := json.Marshal(r)
	if err != nil || len(b) > sector {
		return fault.New(fault.Internal, "record of process %s does not fit: %v", k.name, err)
	}
	b = append(b, bytes.Repeat([]byte{' '}, sector-len(b))...)
	return fault.Wrap(fault.Unavailable, k.s.folder().Overwrite(k.name+".state", b), "record of process %s", k.name)
}

func (k *keeper) recall() (r record, ok bool) {
	b, err := os.ReadFile(k.s.path(k.name + ".state"))
	if err != nil || len(b) > 8*sector {
		return record{}, false
	}
	return r, json.Unmarshal(b, &r) == nil
}

// adopt takes hold of the process that an earlier vigild started. One that is not to
// be started with vigild, and that nobody started since the host booted, is stopped:
// were it only down, its own policy would start it at once.
func (k *keeper) adopt(ctx context.Context) (adopted, stopped bool) {
	r, known := k.recall()
	d := k.def.Load()
	of := d.as(r.Sum)
	var child *launch.Child
	if known && r.Pid > 1 && r.Boot == k.s.deps.Clock().BootID {
		child, _ = launch.Adopt(r.Pid, r.Start)
	}
	if child == nil {
		if child = k.search(); child != nil && (d.sum == "" || launch.Marked(child.Pid, d.mark())) {
			of = d
		}
		r.Stopped = r.Stopped && child == nil // what was stopped and runs was started since
	}
	if known && r.Stopped {
		k.mu.Lock()
		k.stopped = true
		k.mu.Unlock()
	}
	if child == nil {
		reason := "not running when vigild started"
		if r.Stopped {
			reason = "stopped before vigild started"
		}
		waits := !r.Stopped && !d.auto() && (r.Pid == 0 || r.Boot != k.s.deps.Clock().BootID)
		if waits {
			reason = "not to be started with vigild (autostart = false)"
		}
		k.mu.Lock()
		k.since, k.stopped = k.s.deps.Clock(), r.Stopped || waits
		k.s.deps.Event(Event{Name: k.name, Reason: reason, Asked: k.stopped, At: k.since})
		k.mu.Unlock()
		return false, r.Stopped
	}
	if child.Pid != r.Pid || child.Start != r.Start {
		if err := k.remember(record{Pid: child.Pid, Start: child.Start, Sum: of.sum}); err != nil {
			k.s.deps.Log.Error("a process could not be recorded", "process", k.name, "err", err)
		}
	}
	gone := k.take(child, of)
	if gone == nil {
		return true, false
	}
	k.s.deps.Log.Info("process adopted", "process", k.name, "pid", child.Pid)
	if d.Ready.none() || d.Ready.After > 0 {
		k.rise(child, "adopted")
		return true, false
	}
	k.s.spawn(func() {
		if k.ready(ctx, gone, farPast) == nil {
			k.rise(child, "adopted")
		}
	})
	return true, false
}

// search finds a process that was started in the moment of a crash, before it
// was on disk: the oldest session leader that carries both our marks.
func (k *keeper) search() *launch.Child {
	var best launch.Process
	home := "VIGIL_HOME=" + k.s.dir
	_ = launch.Walk(func(p launch.Process) bool {
		if p.Session == p.Pid && p.State != 'Z' && (best.Pid == 0 || p.Start < best.Start) &&
			launch.Marked(p.Pid, k.mark()) && launch.Marked(p.Pid, home) {
			best = p
		}
		return true
	})
	if best.Pid == 0 {
		return nil
	}
	c, _ := launch.Adopt(best.Pid, best.Start)
	return c
}
