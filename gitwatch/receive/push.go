package receive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"vigil/engine/fault"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/receive/wire"
	"vigil/gitwatch/store"
)

// push is one push under way.
type push struct {
	s        *Server
	who      Pusher
	order    order
	options  Options
	out      *wire.Bands
	verdicts []error // for each update; nil is that it may move
	unpack   error   // the pack itself was refused

	revision *objects.Revision // of the watched branch, once it moved
	sick     error             // what became of it, where the push waited for that
}

// receive answers a POST to git-receive-pack: it takes objects in. What is
// decided is said in the protocol; the error is for what the log should have.
func (s *Server) receive(ctx context.Context, deadline time.Time, w http.ResponseWriter, body io.Reader, who Pusher, release func()) error {
	in := bufio.NewReaderSize(body, 64<<10)
	o, err := parseOrder(in)
	if err != nil {
		return err
	}
	if o.probe {
		return nil // a client with much to send asks first whether it may
	}
	size := 0
	if o.caps.has("side-band-64k") {
		size = wire.MaxData
	}
	p := &push{s: s, who: who, order: o, out: wire.NewBands(w, size), verdicts: make([]error, len(o.updates))}
	stop := p.out.Alive()
	defer stop()
	bounded, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	p.run(bounded, in)
	release() // waiting for health is no work
	p.record()
	if p.revision != nil && s.deps.Landed != nil {
		http.NewResponseController(w).SetWriteDeadline(time.Time{}) // waiting is what was asked for
		err := s.deps.Landed(ctx, *p.revision, p.options, p.out.Say)
		if p.options.Wait {
			p.sick = err
		} else if err != nil {
			p.tell(err)
		}
	}
	p.report()
	if err := p.out.Close(); err != nil {
		s.deps.Log.Debug("a git client went away", "err", err)
	}
	if err := s.deps.Store.Compact(context.WithoutCancel(ctx), store.ManyPacks); err != nil {
		s.deps.Log.Error("the packs of the repository cannot be put together", "err", err)
	}
	return nil
}

// run decides, and moves what may move.
func (p *push) run(ctx context.Context, in io.Reader) {
	var err error
	if p.options, err = parseOptions(p.order.options); err != nil {
		p.refuseAll(err)
		io.Copy(io.Discard, io.LimitReader(in, maxTalk)) // a client that still writes does not listen
		return
	}
	p.options.By = p.who
	if p.order.deletes() {
		in = nil
	}
	q, err := p.s.deps.Store.Receive(ctx, in)
	if err != nil {
		p.unpack = err
		p.refuseAll(err)
		return
	}
	defer q.Drop()
	for i, u := range p.order.updates {
		p.verdicts[i] = p.judge(ctx, q, u)
	}
	p.decide(q)
}

// record counts the push and logs each ref that moved, for those that nobody
// else hears of.
func (p *push) record() {
	moved := false
	for i, u := range p.order.updates {
		if p.verdicts[i] == nil {
			moved = true
			p.s.deps.Log.Info("a ref was pushed", "ref", u.Ref, "old", u.Old, "new", u.New, "by", p.who.Name)
		}
	}
	if moved {
		p.s.did.pushes.Add(1)
		return
	}
	p.s.did.refused.Add(1)
}

func (p *push) refuseAll(err error) {
	for i := range p.verdicts {
		p.verdicts[i] = err
	}
}

// judge says why a ref may not move. The rules stand in their order.
func (p *push) judge(ctx context.Context, q *store.Quarantine, u store.Update) error {
	st := p.s.deps.Store
	if err := store.CheckRef(u.Ref); err != nil {
		return err
	}
	watched := u.Ref == st.Branch()
	if !watched && !p.s.writable(u.Ref) {
		return fault.New(fault.Forbidden, "only %s can be pushed to", strings.Join(append([]string{st.Branch()}, p.s.cfg.Writable...), ", ")).
			Mend("git push origin HEAD:%s", strings.TrimPrefix(st.Branch(), "refs/heads/"))
	}
	if was := st.Ref(u.Ref); was != u.Old {
		return fault.New(fault.Conflict, "it has moved meanwhile; fetch first")
	}
	if u.New.IsZero() {
		if u.Old.IsZero() { // a git that was asked to delete what it does not know
			return fault.New(fault.NotFound, "there is no such branch here")
		}
		if watched || !p.who.Rewind {
			return fault.New(fault.Forbidden, "a branch is not removed by a push")
		}
		return nil
	}
	if err := q.Check(ctx, u.New); err != nil {
		return err
	}
	forward, err := q.View().Descends(ctx, u.New, u.Old)
	if err != nil {
		return err
	}
	if !forward && !p.who.Rewind {
		return fault.New(fault.Forbidden, "not a fast-forward, and %s may not rewind", p.who.Name).Mend("git pull --rebase first; only an admin rewrites history")
	}
	if !watched {
		return nil
	}
	return p.inspect(ctx, q, u)
}

// writable says whether a ref is in the list.
func (s *Server) writable(ref string) bool {
	for _, w := range s.cfg.Writable {
		if prefix, many := strings.CutSuffix(w, "*"); ref == w || many && strings.HasPrefix(ref, prefix) {
			return true
		}
	}
	return false
}

// inspect reads the revision and asks those who judge it.
func (p *push) inspect(ctx context.Context, q *store.Quarantine, u store.Update) error {
	snap, err := objects.ReadRevision(ctx, q.View(), objects.Push, u.Ref, u.New, u.Old, p.s.cfg.Tree)
	if err != nil {
		return err
	}
	if p.s.deps.Verify != nil {
		signer, err := p.s.deps.Verify(ctx, snap)
		if err != nil {
			return err
		}
		if snap.Revision.Signer = signer; signer != "" {
			p.out.Say("signed by " + signer)
		}
	}
	if p.s.deps.Inspect != nil {
		if err := p.s.deps.Inspect(ctx, snap, p.options, p.out.Say); err != nil {
			return err
		}
	}
	p.revision = &snap.Revision
	return nil
}

var errDry = errors.New("dry run, nothing was moved")

// decide moves what may move, all together when the push is atomic.
func (p *push) decide(q *store.Quarantine) {
	if p.options.DryRun {
		for i, v := range p.verdicts {
			if v == nil {
				p.verdicts[i] = errDry
			}
		}
	}
	if p.order.caps.has("atomic") {
		for _, v := range p.verdicts {
			if v != nil {
				p.spoil()
				return
			}
		}
		if err := q.Land(p.order.updates...); err != nil {
			p.refuseAll(err)
			p.revision = nil
		}
		return
	}
	for i, u := range p.order.updates {
		if p.verdicts[i] == nil {
			p.verdicts[i] = q.Land(u)
		}
		if p.verdicts[i] != nil && u.Ref == p.s.deps.Store.Branch() {
			p.revision = nil
		}
	}
}

// spoil refuses the rest of an atomic push.
func (p *push) spoil() {
	p.revision = nil
	for i, v := range p.verdicts {
		if v == nil {
			p.verdicts[i] = fault.New(fault.Conflict, "atomic push failure")
		}
	}
}

// tell shows every line of an error to the pusher.
func (p *push) tell(err error) {
	var is fault.Issues
	if errors.As(err, &is) {
		for _, i := range is {
			p.out.Say(i.String())
		}
		return
	}
	p.out.Say(p.public(err))
}

// public is the text of an error as far as a stranger may read it.
func (p *push) public(err error) string {
	switch {
	case errors.Is(err, errDry), fault.KindOf(err).Public():
		return err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "it took too long"
	case errors.Is(err, context.Canceled):
		return "the client went away"
	}
	return p.s.hidden(err, "by", p.who.Name)
}

// report says what became of each ref, in report-status or its second version,
// which for what is said here are the same.
func (p *push) report() {
	for i, v := range p.verdicts {
		if v != nil && p.unpack == nil && !errors.Is(v, errDry) && (i == 0 || v != p.verdicts[i-1]) {
			p.tell(v)
		}
	}
	reports := p.order.caps.has("report-status") || p.order.caps.has("report-status-v2")
	sick := ""
	if p.sick != nil {
		all := "the branch has moved, but " + p.public(p.sick)
		if sick = oneLine(all); sick != all || !reports {
			p.tell(p.sick)
		}
	}
	if !reports {
		return
	}
	var b strings.Builder
	if p.unpack != nil {
		p.tell(p.unpack)
		wire.WritePacket(&b, "unpack %s\n", oneLine(p.public(p.unpack)))
	} else {
		wire.WritePacket(&b, "unpack ok\n")
	}
	for i, u := range p.order.updates {
		switch {
		case p.verdicts[i] != nil:
			wire.WritePacket(&b, "ng %s %s\n", u.Ref, oneLine(p.why(p.verdicts[i])))
		case sick != "" && u.Ref == p.s.deps.Store.Branch(): // git has no other way to fail a push
			wire.WritePacket(&b, "ng %s %s\n", u.Ref, sick)
		default:
			wire.WritePacket(&b, "ok %s\n", u.Ref)
		}
	}
	wire.WriteFlush(&b)
	fmt.Fprint(p.out, b.String())
}

// why is the reason in the few words that stand beside a ref.
func (p *push) why(err error) string {
	var is fault.Issues
	if errors.As(err, &is) && len(is) > 1 {
		return fmt.Sprintf("%d things are wrong", len(is))
	}
	var one *fault.Error
	if errors.As(err, &one) && one.Kind.Public() && one.Place == "" {
		return one.Msg
	}
	return p.public(err)
}

// oneLine fits a reason into a status line.
func oneLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return objects.Printable(s, 200) // git shows it as it comes
}
