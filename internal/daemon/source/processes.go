package source

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vigil/engine/document"
)

// BuiltinDeps is what the policies of the binary need. Apply leaves what is in force
// with these documents, all or nothing; Check says what it would refuse, and changes
// nothing. Kept names the processes that are kept, of the local config and of documents.
type BuiltinDeps struct {
	Apply func(ctx context.Context, ds []document.Document) error
	Check func(ds []document.Document) error
	Kept  func() (local, declared []string)
	Log   *slog.Logger
}

// Builtin keeps in force the policies that no folder holds: those of the binary, and
// one for each process that is kept, for as long as it is. Concurrent.
type Builtin struct {
	d     BuiltinDeps
	nudge chan struct{}

	mu      sync.Mutex
	starter bool

	left atomic.Pointer[[]string] // policies of processes that are refused; written with mu held
}

// NewBuiltin has put nothing in force yet.
func NewBuiltin(d BuiltinDeps) *Builtin { return &Builtin{d: d, nudge: make(chan struct{}, 1)} }

// Changed says that other processes are kept than before, or otherwise. It never blocks.
func (b *Builtin) Changed() {
	select {
	case b.nudge <- struct{}{}:
	default:
	}
}

// Trouble says which policies of processes are not in force, if any. It never blocks.
func (b *Builtin) Trouble() []string {
	left := b.out()
	if len(left) == 0 {
		return nil
	}
	return []string{"policies of kept processes that are not in force, since somebody else has the name: " + strings.Join(left, ", ")}
}

func (b *Builtin) out() []string {
	if left := b.left.Load(); left != nil {
		return *left
	}
	return nil
}

// tryAgain is when a policy that was refused is tried again: its name may be free.
const tryAgain = 30 * time.Second

// Run follows what Changed says, until ctx ends.
func (b *Builtin) Run(ctx context.Context) error {
	tick := time.NewTicker(tryAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.nudge:
			b.again(ctx, false)
		case <-tick.C:
			b.again(ctx, true)
		}
	}
}

// again puts what is kept now in force, with the pack as it was said last; onlyLeft:
// if something was left out.
func (b *Builtin) again(ctx context.Context, onlyLeft bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if onlyLeft && len(b.out()) == 0 {
		return
	}
	if err := b.put(ctx, b.starter); err != nil && ctx.Err() == nil {
		b.d.Log.Error("the policies of kept processes are not in force", "err", err)
		b.left.Store(&[]string{"all of them"})
	}
}

// Put makes them what they should be; starter is whether the pack of the binary is
// with them. A document's process whose policy is refused, since somebody else has
// one of that name, is told and left out: what it costs others is nothing.
func (b *Builtin) Put(ctx context.Context, starter bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.put(ctx, starter)
}

// put is Put with mu held.
func (b *Builtin) put(ctx context.Context, starter bool) error {
	var base []document.Document
	if starter {
		ds, is := Starter()
		if err := is.Err(); err != nil {
			return err
		}
		base = ds
	}
	local, declared := b.d.Kept()
	own, is := Processes(local)
	if err := is.Err(); err != nil {
		return err
	}
	base = append(base, own...)
	theirs, is := Processes(declared)
	if err := is.Err(); err != nil {
		return err
	}
	err := b.d.Apply(ctx, append(slices.Clip(base), theirs...))
	if err == nil {
		b.starter = starter
		b.left.Store(nil)
		return nil
	}
	if len(theirs) == 0 || ctx.Err() != nil {
		return err
	}
	var left []string
	all := base
	for _, d := range theirs {
		if err := b.d.Check(append(slices.Clip(base), d)); err != nil {
			left = append(left, d.Name)
			if !slices.Contains(b.out(), d.Name) {
				b.d.Log.Error("no policy watches over a process of a document; its document does, at every look", "policy", d.Name, "err", err)
			}
			continue
		}
		all = append(slices.Clip(all), d)
	}
	if len(left) == 0 { // it is not one of them
		return err
	}
	b.starter = starter
	b.left.Store(&left)
	return b.d.Apply(ctx, all)
}
