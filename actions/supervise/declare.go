package supervise

import (
	"context"
	"os"

	"vigil/engine/fault"
)

// Declare keeps a process as raw defines it (see [Parse]), beside those of the
// local config, and starts it, anew when what runs was started with another
// definition; without run it keeps it stopped. The definition is on disk before
// anything starts. What is so already is left. It blocks as Start and Stop do, with
// their errors; Conflict too for a name of the local config, Forbidden when nothing
// may be declared here.
func (s *Supervisor) Declare(ctx context.Context, name string, raw []byte, run bool) (Info, error) {
	d, err := s.Declarable(name, raw)
	if err != nil {
		return Info{}, err
	}
	for {
		k, err := s.reserve(name)
		if err != nil {
			return Info{}, err
		}
		over, err := s.turn(ctx, k)
		if err != nil {
			select {
			case k.turn <- struct{}{}:
				s.drop(k)
				<-k.turn
			default: // who has the turn defines it, or drops it
			}
			return Info{}, err
		}
		if !s.kept(k) { // it was forgotten while we waited
			over()
			continue
		}
		changed, err := k.declare(ctx, &definition{Process: d, raw: raw, sum: sum(raw)}, run)
		i := k.info()
		over()
		i.Changed = changed
		return i, err
	}
}

// Declarable is what raw defines, if a process of that name may be declared here.
// It changes nothing.
func (s *Supervisor) Declarable(name string, raw []byte) (Process, error) {
	switch {
	case !s.declared:
		return Process{}, fault.New(fault.Forbidden, "process %s: documents bring no processes here", name).
			Mend("the local config allows that with git.trust_commands = true and Process in git.kinds")
	case s.local[name]:
		return Process{}, localName(name)
	}
	return Parse(name, raw)
}

func localName(name string) error {
	return fault.New(fault.Conflict, "process %s is a [[process]] of the local config, and its command stands there alone", name).
		Mend("leave out argv, or give the document another name")
}

// reserve is the keeper of a name, made where there is none. A new one is known to
// nobody until its definition is on disk.
func (s *Supervisor) reserve(name string) (*keeper, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.procs[name]; k != nil {
		return k, nil
	}
	if len(s.procs) >= maxKept {
		return nil, fault.New(fault.Exhausted, "process %s: %d processes are kept already, and that is the most", name, len(s.procs))
	}
	k := s.keeps(name, nil)
	s.procs[name] = k
	return k, nil
}

// kept says that a keeper was not dropped.
func (s *Supervisor) kept(k *keeper) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.procs[k.name] == k
}

// drop lets go of a keeper that nothing defines; its turn is the caller's, so that
// nobody is just about to.
func (s *Supervisor) drop(k *keeper) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.procs[k.name] == k && k.def.Load() == nil {
		delete(s.procs, k.name)
	}
}

// declare has the turn.
func (k *keeper) declare(ctx context.Context, d *definition, run bool) (changed bool, err error) {
	old := k.def.Load()
	if i := k.info(); !run && (old == nil || i.Running || !i.Stopped) {
		// On disk before what defines it: a crash in between starts nothing.
		if changed, err = true, k.rest(ctx, old); err != nil {
			k.s.drop(k)
			return true, err
		}
	}
	if old == nil || old.sum != d.sum {
		if err := k.s.folder().Put(k.name, d.raw); err != nil {
			k.s.drop(k)
			return false, err
		}
		k.def.Store(d)
		k.s.deps.Names()
		if changed = true; old == nil {
			k.adopt(ctx) // what defined it before may have been lost, and not what runs by it
		}
	}
	i := k.info()
	if !run {
		if i.Running { // what defined it before was lost
			_, err = k.stopForGood(ctx)
		}
		return changed, err
	}
	if i.Running && !i.Current {
		if _, err := k.stop(ctx); err != nil {
			return true, err
		}
	}
	started, err := k.start(ctx)
	return changed || started, err
}

// rest stops what a definition keeps, for good. Without one nothing is kept, and what is
// remembered is that nothing is to run, beside what is found to.
func (k *keeper) rest(ctx context.Context, old *definition) error {
	if old != nil {
		_, err := k.stopForGood(ctx)
		return err
	}
	r := record{Stopped: true}
	if c := k.search(); c != nil {
		r.Pid, r.Start = c.Pid, c.Start
		c.Release()
	}
	return k.remember(r)
}

// oldLogs is how many logs of processes that are kept no more stay: why one did not
// work is of interest just then.
const oldLogs = 50

// Forget stops a process that was declared and keeps it no more; its log stays, and
// the newest of such logs alone. It blocks as Stop does. That there is none is no
// error; Conflict: it is the local config's.
func (s *Supervisor) Forget(ctx context.Context, name string) (Info, error) {
	if s.local[name] {
		return Info{}, localName(name)
	}
	k := s.keeper(name)
	if k == nil {
		was, err := s.folder().Remove(name)
		_ = os.Remove(s.path(name + ".state")) // what was to be declared stopped, and was not
		return Info{Name: name, Changed: was}, err
	}
	over, err := s.turn(ctx, k)
	if err != nil {
		return Info{}, err
	}
	defer over()
	if !s.kept(k) {
		return Info{Name: name}, nil
	}
	// That it is stopped is on disk before its definition goes: a crash in between starts
	// nothing.
	if _, err := k.stopForGood(ctx); err != nil {
		return k.info(), err
	}
	log := k.def.Load().Log
	if _, err := s.folder().Remove(name); err != nil {
		return k.info(), err
	}
	s.mu.Lock()
	delete(s.procs, name)
	s.mu.Unlock()
	_ = os.Remove(s.path(name + ".state")) // what stays is room that is lost, and no more
	if log == "" {
		s.folder().Prune(".log", oldLogs, func(name string) bool { return s.keeper(name) != nil })
	}
	k.mu.Lock()
	s.deps.Event(Event{Name: name, Reason: "kept no more", Asked: true, Gone: true, At: s.deps.Clock()})
	k.mu.Unlock()
	s.deps.Names()
	return Info{Name: name, Changed: true}, nil
}

// Definition is what defines a process that was declared; false: none was.
func (s *Supervisor) Definition(name string) ([]byte, bool) {
	k := s.keeper(name)
	if k == nil || s.local[name] {
		return nil, false
	}
	return k.def.Load().raw, true
}
