package disk

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
)

// maxGroup bounds how many jobs share one transaction.
const maxGroup = 64

// Job is one thing to write, whole or not at all.
type Job struct {
	// Vital jobs may use the room that the ballast gives up on a full disk.
	Vital bool
	// Run writes; it may be run again when the transaction is retried, and must
	// not keep anything from a run whose job failed.
	Run func(*conn.Conn) error
	// Done, if set, is called once the job is durable, before any later job runs.
	Done func()
}

// writer is the one connection that writes and the line of those who wait for it.
type writer struct {
	line    sync.Mutex
	waiting []*ticket
	leading bool
	gone    bool // as shut, for readers

	use   sync.Mutex // held while c is used
	c     *conn.Conn // nil after a failure, until it is opened again
	acked bool       // something was acknowledged by this process
	shut  bool
	later int64 // pages in the log before the next try to start it again

	unseen int   // commits since the log was looked at
	seen   int64 // bytes written until then
}

type ticket struct {
	Job
	ctx  context.Context
	err  error
	turn chan bool // true: lead the next group; false: your job is done
}

// Write runs a job in a transaction and returns when it is durable. Those who
// wait at the same time share one transaction; a job that fails takes back only
// itself. Once a job has begun, the end of ctx does not stop it. Unavailable:
// the disk cannot be written, nothing of the job is there.
func (f *File) Write(ctx context.Context, j Job) error {
	t := &ticket{Job: j, ctx: ctx, turn: make(chan bool, 1)}
	f.line.Lock()
	f.waiting = append(f.waiting, t)
	lead := !f.leading
	f.leading = true
	f.line.Unlock()
	if !lead && !<-t.turn {
		return t.err
	}
	f.line.Lock()
	group := f.waiting[:min(len(f.waiting), maxGroup)]
	f.waiting = f.waiting[len(group):]
	f.line.Unlock()

	f.use.Lock()
	f.runGroup(group)
	f.use.Unlock()

	f.line.Lock()
	if len(f.waiting) > 0 {
		f.waiting[0].turn <- true
	} else {
		f.leading, f.waiting = false, nil
	}
	f.line.Unlock()
	for _, o := range group {
		if o != t {
			o.turn <- false
		}
	}
	return t.err
}

// runGroup gives every ticket its verdict. use is held.
func (f *File) runGroup(group []*ticket) {
	short := f.ballast.isSpent() && !f.ballast.refill(f.deps.Clock())
	live := f.admit(group, short)
	err := f.transact(live)
	if conn.Full(err) && f.ballast.spend() {
		f.deps.Log.Warn("the disk is full: the ledger gave up its ballast", "path", f.ballast.path)
		f.stats.ballast.Add(1)
		for _, t := range live {
			t.err = nil
		}
		live = f.admit(live, true)
		err = f.transact(live)
	}
	if err != nil {
		f.stats.failures.Add(1)
		for _, t := range live {
			t.err = err
		}
		return
	}
	for _, t := range live {
		if t.err == nil && t.Done != nil {
			t.Done()
		}
	}
}

// admit leaves out who has gone, and who is not vital when the room is short.
func (f *File) admit(group []*ticket, short bool) []*ticket {
	live := make([]*ticket, 0, len(group))
	for _, t := range group {
		switch {
		case f.shut:
			t.err = fault.New(fault.Unavailable, "the ledger is closed")
		case t.ctx.Err() != nil:
			t.err = conn.Translate(t.ctx.Err(), "waiting for")
		case short && !t.Vital:
			t.err = fault.New(fault.Unavailable, "the disk is full: only attempts, decisions and audit are written").
				Mend("free some space, vigild goes on by itself").After(refillEvery)
		default:
			live = append(live, t)
		}
	}
	return live
}

// transact runs the jobs in one transaction. An error means that nothing of any
// of them is there; a job's own refusal is in its ticket.
func (f *File) transact(live []*ticket) (err error) {
	if len(live) == 0 {
		return nil
	}
	if err := f.connect(); err != nil {
		return err
	}
	defer func() {
		if err == nil {
			return
		}
		_, _ = f.c.Exec("ROLLBACK", conn.Row{}) // SQLite may have rolled back by itself
		if fault.KindOf(err) == fault.Corrupt {
			f.suspect(err)
		}
		if conn.Broken(err) && !conn.Full(err) {
			f.disconnect()
		}
	}()
	if _, err = f.c.Exec("BEGIN IMMEDIATE", conn.Row{}); err != nil {
		return err
	}
	kept := 0
	for _, t := range live {
		if len(live) > 1 {
			if _, err = f.c.Exec("SAVEPOINT job", conn.Row{}); err != nil {
				return err
			}
		}
		t.err = f.runJob(t)
		if conn.Broken(t.err) {
			return t.err
		}
		if t.err == nil {
			kept++
		} else if len(live) > 1 {
			if _, err = f.c.Exec("ROLLBACK TO job", conn.Row{}); err != nil {
				return err
			}
		}
		if len(live) > 1 {
			if _, err = f.c.Exec("RELEASE job", conn.Row{}); err != nil {
				return err
			}
		}
	}
	if kept == 0 {
		_, err = f.c.Exec("ROLLBACK", conn.Row{})
		return err
	}
	if _, err = f.c.Exec("COMMIT", conn.Row{}); err != nil {
		return err
	}
	f.acked = true
	f.stats.commits.Add(1)
	f.stats.jobs.Add(uint64(kept))
	f.watch()
	return nil
}

// runJob keeps a job's panic from leaving those behind it waiting for ever.
func (f *File) runJob(t *ticket) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.Wrap(fault.Internal, fmt.Errorf("%v\n%s", p, debug.Stack()), "a decision made inside the ledger's transaction failed")
		}
	}()
	return t.Run(f.c)
}

// connect opens the writer if it is not there. One that follows a failure must
// show everything that was acknowledged before it may write.
func (f *File) connect() error {
	if f.c != nil {
		return nil
	}
	c, err := conn.Open(f.writeDSN())
	if err != nil {
		return err
	}
	if f.acked {
		f.stats.reopened.Add(1)
		if err := f.schema.Verify(c); err != nil {
			c.Close() // the verdict is what matters
			return err
		}
	}
	f.c = c
	return nil
}

func (f *File) disconnect() {
	if f.c != nil {
		_ = f.c.Close() // it failed already, which has been told
		f.c, f.seen = nil, 0
	}
}
