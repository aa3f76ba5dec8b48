package actions

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"vigil/actions/blob"
	"vigil/actions/catalogue"
	"vigil/actions/declare"
	"vigil/actions/detach"
	"vigil/actions/launch"
	"vigil/actions/outward"
	"vigil/actions/supervise"
	"vigil/actions/units"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// Deps is what this room needs. ProcessEvent is called at the very moment of a
// process's death or readiness; it must neither block nor call back.
type Deps struct {
	Clock        clock.Clock
	Log          *slog.Logger
	ProcessEvent func(supervise.Event)
	ProcessNames func()          // which processes are kept, or what they are, has changed; as ProcessEvent
	Resolve      outward.Resolve // nil is the host's resolver
}

// Set is every action that can be taken on this host. It is a remedy.Actions;
// its methods may be called concurrently.
type Set struct {
	deps     Deps
	launcher *launch.Launcher
	keeper   *supervise.Supervisor
	units    *units.Manager
	detacher *detach.Detacher
	crowd    catalogue.Crowd
	contents *blob.Store
	changing sync.Mutex // over a change of conf and table together
	conf     atomic.Pointer[Config]
	table    atomic.Pointer[table]
}

// table is every kind and entry as they are at one moment; it is never changed. It
// is a remedy.Actions.
type table struct {
	actions map[string]remedy.Action
	built   map[string]remedy.Action // the kinds alone
	book    *catalogue.Catalogue
	written map[string]Written // those of the repository
	gone    map[string]string  // names that the repository took away since the start, and how
}

func (t *table) Action(name string) (remedy.Action, bool) {
	a, ok := t.actions[name]
	return a, ok
}

// Names leaves out what documents alone ask for: nobody else may name it.
func (t *table) Names() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(t.actions)), func(n string) bool { return n == declare.Kind })
}

// builtin is one kind that policies may name.
type builtin struct {
	name  string
	build func(*Set, Config) (remedy.Action, error)
}

// kinds lists every built-in kind: one file and one line each. The kinds that
// come later (patch, container, kubernetes, git-revert, reboot) go here.
func kinds() []builtin {
	return []builtin{
		{declare.Kind, newDeclare},
		{"directory", newHeal("directory")},
		{"file", newHeal("file")},
		{"notify", newNotify},
		{"process", newProcess},
		{"service", newService},
		{"signal", newSignal},
		{"sysctl", newHeal("sysctl")},
		{"unit", newHeal("unit")},
		{"wait", newWait},
	}
}

func kindNames() []string {
	names := catalogue.Kinds()
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// New builds every kind and entry; it starts nothing. Errors are those of
// Validate, and Forbidden for a config file that others can write.
func New(c Config, d Deps) (*Set, error) {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Clock == nil {
		d.Clock = clock.System()
	}
	s := &Set{deps: d, contents: blob.New(filepath.Join(c.DataDir, "content"))}
	var err error
	if s.launcher, err = launch.New(launch.Config{CgroupRoot: c.CgroupRoot}, launch.Deps{Log: d.Log}); err != nil {
		return nil, err
	}
	if s.units, err = units.New(units.Config{Bus: c.Bus, Root: c.Root, Own: os.Getenv("INVOCATION_ID")}, units.Deps{Launcher: s.launcher}); err != nil {
		return nil, err
	}
	dc := detach.Config{Self: c.Wrapper}
	if c.DataDir != "" {
		dc.Dir = filepath.Join(c.DataDir, "attempt")
	}
	if s.detacher, err = detach.New(dc, detach.Deps{Units: s.units}); err != nil {
		return nil, err
	}
	s.keeper, err = supervise.New(
		supervise.Config{Processes: c.Processes, Dir: filepath.Join(c.DataDir, "process"), Declared: c.Heal.Processes},
		supervise.Deps{Launcher: s.launcher, Clock: d.Clock, Log: d.Log, Event: d.ProcessEvent, Names: d.ProcessNames})
	if err != nil {
		return nil, err
	}
	return s, s.load(c)
}

// Reload takes over another catalogue and other receivers, all or nothing. Acts
// in progress end as they began. Conflict: the processes differ, which needs a
// restart of vigild.
func (s *Set) Reload(c Config) error {
	old := s.conf.Load()
	if !reflect.DeepEqual(old.Processes, c.Processes) || old.CgroupRoot != c.CgroupRoot {
		return fault.New(fault.Conflict, "[[process]] and cgroup_root cannot change while vigild runs").
			Mend("restart vigild; the processes go on running and are adopted")
	}
	return s.load(c)
}

func (s *Set) load(c Config) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := c.Validate(); err != nil {
		return err
	}
	if err := c.trusted(); err != nil {
		return err
	}
	t := &table{}
	if old := s.table.Load(); old != nil {
		t = old
	}
	built := map[string]remedy.Action{}
	for _, k := range kinds() {
		a, err := k.build(s, c)
		if err != nil {
			return err
		}
		if a != nil { // nil: the config has no use for this kind
			built[k.name] = a
		}
	}
	next, err := s.assemble(c, built, t.written)
	if err != nil {
		return err
	}
	next.gone = t.gone
	s.conf.Store(&c)
	s.table.Store(next)
	return nil
}

// assemble puts the kinds, the entries of a config and those of the repository into
// one table.
func (s *Set) assemble(c Config, built map[string]remedy.Action, written map[string]Written) (*table, error) {
	t := &table{actions: maps.Clone(built), built: built, written: written}
	if err := fits(c, written).Err(); err != nil {
		return nil, err
	}
	entries := maps.Clone(c.Catalogue)
	if entries == nil {
		entries = map[string]catalogue.Entry{}
	}
	for name, w := range written {
		entries[name] = w.Entry
	}
	var err error
	if t.book, err = catalogue.New(entries, catalogue.Deps{Launcher: s.launcher, Resolve: s.deps.Resolve, Crowd: &s.crowd, Detacher: s.detacher}); err != nil {
		return nil, err
	}
	maps.Copy(t.actions, t.book.Actions())
	return t, nil
}

// Action finds a kind or a catalogue entry.
func (s *Set) Action(name string) (remedy.Action, bool) { return s.table.Load().Action(name) }

// Names lists every kind and entry that can be named, sorted.
func (s *Set) Names() []string { return s.table.Load().Names() }

// Processes is the supervisor of `[[process]]` and of what documents declare.
func (s *Set) Processes() *supervise.Supervisor { return s.keeper }

// Units is what starts and stops the init system's units, and hears of it when
// others do.
func (s *Set) Units() *units.Manager { return s.units }

// Launcher is the one place where programs start.
func (s *Set) Launcher() *launch.Launcher { return s.launcher }

// Run ends what a dead vigild left half done, then keeps the processes until
// ctx ends. It blocks; the processes go on running afterwards.
func (s *Set) Run(ctx context.Context) error {
	if n := s.launcher.Sweep(); n > 0 {
		s.deps.Log.Warn("programs of an earlier vigild were still running and were killed", "cgroups", n)
	}
	err := s.keeper.Run(ctx)
	s.launcher.Close()
	return err
}
