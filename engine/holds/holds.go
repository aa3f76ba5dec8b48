// Package holds is the word of people that something must not be acted on:
// pauses, silences, maintenance windows, hands-off.
//
// The ledger has every hold before the book does; a hold ends at its time, is
// never extended by itself, and never returns. It refuses holds without a reason
// and, but for recurring maintenance, without an end. Reading takes a read lock
// of memory only. It starts nothing.
package holds

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/remedy/window"
	"vigil/engine/series"
)

// Book is what stands. Methods may be called concurrently.
type Book struct {
	journal engine.Journal
	clock   clock.Clock
	subject func(string) string
	nudge   func()

	mu   sync.RWMutex
	all  map[string]heldUp
	safe engine.Hold // safe mode, set at start; not in the ledger, it lives as long as the run
}

type heldUp struct {
	engine.Hold
	sel series.Selector
}

// longestHandsOff is the most that a subject can be left alone by one word.
const longestHandsOff = 24 * time.Hour

// New makes an empty book; nudge tells the worker to look. subject is that of
// engine.Deps, and may be nil.
func New(j engine.Journal, c clock.Clock, subject func(string) string, nudge func()) *Book {
	if subject == nil {
		subject = func(s string) string { return s }
	}
	return &Book{journal: j, clock: c, subject: subject, nudge: nudge, all: map[string]heldUp{}}
}

// Load takes over what the ledger kept, and the safe mode of this start (zero: none).
func (b *Book) Load(hs []engine.Hold, safe engine.Hold) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.safe = safe
	b.all = make(map[string]heldUp, len(hs))
	for _, h := range hs {
		sel, _ := selectorOf(h.Matchers)
		b.all[h.ID] = heldUp{h, sel}
	}
}

func selectorOf(text string) (series.Selector, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	// Nobody silences by the name of a metric alone, so the braces may be left away.
	if op, brace := strings.IndexAny(text, "=!"), strings.Index(text, "{"); op > 0 && (brace < 0 || op < brace) {
		text = "{" + text + "}"
	}
	return policy.ParseSelector(text)
}

// Facts fills what the gates pause, window and hands-off ask.
func (b *Book) Facts(f *remedy.Facts, r remedy.Remediation, now clock.Stamp) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	f.Paused, f.PausedUntil = b.paused(now)
	var ls series.Labels
	for _, h := range b.all {
		until, in := inForce(h.Hold, now)
		if !in {
			continue
		}
		said := said(h.Hold)
		switch h.Kind {
		case engine.HoldHandsOff:
			if leaves(h.Subject, f.Spec.Subject, r) || b.subject(h.Subject) == f.Spec.Subject && f.Spec.Subject != "" {
				f.HandsOff, f.HandsOffUntil = said, until
			}
		case engine.HoldSilence, engine.HoldMaintenance:
			if ls == nil {
				ls = aboutLabels(r)
			}
			if h.sel.Matches(ls) && (f.WindowUntil.IsZero() || until.Reached(f.WindowUntil)) {
				f.Window, f.WindowUntil = string(h.Kind)+" "+h.ID+": "+said, until
			}
		}
	}
}

// leaves says whether a word to leave one subject alone is about what r acts on.
// No kind of ours computes the subject of what others do: it is left alone when
// its target is that subject, or what that subject is called for people.
func leaves(alone, subject string, r remedy.Remediation) bool {
	if subject != "" || r.Source != remedy.FromExternal {
		return alone == subject
	}
	_, name, _ := strings.Cut(alone, ":")
	return slices.Contains([]string{alone, name, strings.TrimSuffix(name, ".service"), name[strings.LastIndex(name, "/")+1:]}, r.Target)
}

// Paused says why nothing is acted on now, and until when; "" when it is.
func (b *Book) Paused(now clock.Stamp) (why string, until clock.Stamp) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.paused(now)
}

func (b *Book) paused(now clock.Stamp) (why string, until clock.Stamp) {
	if b.safe.ID != "" && !now.Reached(b.safe.Until) {
		why, until = b.safe.Reason, b.safe.Until
	}
	for _, h := range b.all {
		if h.Kind != engine.HoldPause {
			continue
		}
		if end, in := inForce(h.Hold, now); in && (why == "" || end.Reached(until)) { // the last to end is the one that counts
			why, until = said(h.Hold), end
		}
	}
	return why, until
}

// said is a hold in the words of who made it.
func said(h engine.Hold) string { return fmt.Sprintf("%s (%s)", h.Reason, h.Actor) }

// aboutLabels is what silences and maintenance windows select by: the labels of
// the firing, and policy, target and severity.
func aboutLabels(r remedy.Remediation) series.Labels {
	ls := series.FromMap("", r.Labels)
	for _, l := range []series.Label{{Name: "policy", Value: r.Policy}, {Name: "target", Value: r.Target}, {Name: "severity", Value: r.Severity}} {
		if ls.Get(l.Name) == "" {
			ls = ls.With(l.Name, l.Value)
		}
	}
	return ls
}

// inForce says whether a hold holds now, and until when.
func inForce(h engine.Hold, now clock.Stamp) (until clock.Stamp, in bool) {
	if !h.Ended.IsZero() || !now.Reached(h.From) {
		return until, false
	}
	if !h.Until.IsZero() && now.Reached(h.Until) {
		return until, false
	}
	if h.Schedule == "" {
		return h.Until, true
	}
	in, end, err := window.In(h.Schedule, h.Zone, time.Duration(h.Length), now.Time())
	if err != nil || !in {
		return until, false
	}
	return now.Add(end.Sub(now.Time())), true
}

// PutHold writes down a hold and returns it with its id. A pause, a silence and
// hands-off must end; a maintenance window may recur.
func (b *Book) PutHold(ctx context.Context, actor string, h engine.Hold) (engine.Hold, error) {
	now := b.clock()
	sel, is := checkHold(h, now)
	if name := sel.Name(); name != "" {
		is = append(is, fault.Issue{Place: "/matchers", Msg: name + " is the name of a metric, which no remediation has: it would match nothing", Hint: `write labels, such as service="web", policy="` + name + `" or target="` + name + `"`})
	}
	if err := is.Err(); err != nil {
		return h, err
	}
	h.Actor, h.Created, h.Ended = actor, now, clock.Stamp{}
	if h.From.IsZero() {
		h.From = now
	}
	if h.Owner == "" {
		h.Owner = "api"
	}
	if h.Kind == engine.HoldHandsOff && h.Until.IsZero() {
		h.Until = now.Add(longestHandsOff)
	}
	verb := string(h.Kind) + ".put"
	if h.ID == "" {
		h.ID = newID(now)
	}
	d := &engine.Decision{At: now, Holds: []engine.Hold{h}, Audit: []audit.Record{{
		At: now, Actor: actor, Verb: verb, Object: "hold:" + h.ID, Reason: h.Reason, Evidence: holdEvidence(h),
	}}}
	if _, err := b.journal.Commit(ctx, d); err != nil {
		return h, err
	}
	b.mu.Lock()
	b.all[h.ID] = heldUp{h, sel}
	b.mu.Unlock()
	b.nudge()
	return h, nil
}

func checkHold(h engine.Hold, now clock.Stamp) (series.Selector, fault.Issues) {
	var is fault.Issues
	sel, err := selectorOf(h.Matchers)
	if err != nil {
		is.Add("/matchers", "%s", err.Error())
	}
	if strings.TrimSpace(h.Reason) == "" {
		is.Add("/reason", "say why: a hold without a reason cannot be judged by the next person")
	}
	switch h.Kind {
	case engine.HoldPause, engine.HoldSilence:
		if h.Until.IsZero() {
			is.Add("/until", "a %s must end: give for or until", h.Kind)
		}
	case engine.HoldHandsOff:
		if h.Subject == "" {
			is.Add("/subject", "hands-off needs a subject, such as systemd:web.service")
		}
		if !h.Until.IsZero() && !now.Add(longestHandsOff).Reached(h.Until) {
			is.Add("/for", "hands-off lasts at most 24h (say it again tomorrow, or disable the policy)")
		}
	case engine.HoldMaintenance:
		if h.Schedule == "" && h.Until.IsZero() {
			is.Add("/until", "a maintenance window needs an end or a schedule")
		}
		if h.Schedule != "" {
			if h.Length <= 0 {
				is.Add("/length", "a recurring window needs a length")
			} else if _, _, err := window.In(h.Schedule, h.Zone, time.Duration(h.Length), now.Time()); err != nil {
				is.Add("/schedule", "%s", err.Error())
			}
		}
	default:
		is.Add("/kind", "%q is not one of pause, silence, maintenance, hands_off", h.Kind)
	}
	if !h.Until.IsZero() && now.Reached(h.Until) {
		is.Add("/until", "%s is over already", h.Until.Time().Format(time.RFC3339))
	}
	return sel, is
}

// ReleaseHold ends a hold before its time.
func (b *Book) ReleaseHold(ctx context.Context, actor, id string) error {
	now := b.clock()
	b.mu.Lock()
	h, ok := b.all[id]
	safe := b.safe.ID == id && id != ""
	b.mu.Unlock()
	if !ok && !safe {
		return fault.New(fault.NotFound, "no hold %q stands", id).Mend("the lists of vigild silence, vigild maintenance and vigild hands-off show what does")
	}
	if ok && h.Owner == string(document.Git) {
		return fault.New(fault.Conflict, "the hold %q stands in Git, which would bring it back", id).Mend("take its document away there")
	}
	kind := h.Kind
	d := &engine.Decision{At: now}
	if safe {
		kind = engine.HoldPause
	} else {
		d.Released = []string{id}
	}
	d.Audit = []audit.Record{{At: now, Actor: actor, Verb: string(kind) + ".release", Object: "hold:" + id, Reason: "ended by " + actor}}
	if _, err := b.journal.Commit(ctx, d); err != nil {
		return err
	}
	b.mu.Lock()
	delete(b.all, id)
	if safe {
		b.safe = engine.Hold{}
	}
	b.mu.Unlock()
	b.nudge()
	return nil
}

// Holds lists what stands, newest first; what has run out is left out.
func (b *Book) Holds() []engine.Hold {
	now := b.clock()
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []engine.Hold
	if b.safe.ID != "" && !now.Reached(b.safe.Until) {
		out = append(out, b.safe)
	}
	for id, h := range b.all {
		if !h.Until.IsZero() && now.Reached(h.Until) {
			delete(b.all, id)
			continue
		}
		out = append(out, h.Hold)
	}
	slices.SortFunc(out, func(x, y engine.Hold) int {
		return cmp.Or(-cmp.Compare(x.Created.Wall, y.Created.Wall), cmp.Compare(x.ID, y.ID))
	})
	return out
}

// newID is unique and sorts by time: 11 hex digits of Unix ms, then 8 random.
func newID(now clock.Stamp) string {
	var r [4]byte
	_, _ = rand.Read(r[:]) // never fails, by its contract
	return fmt.Sprintf("%011x%s", now.Millis(), hex.EncodeToString(r[:]))
}

func holdEvidence(h engine.Hold) []byte {
	m := map[string]string{
		"kind": string(h.Kind), "matchers": h.Matchers, "subject": h.Subject, "schedule": h.Schedule, "zone": h.Zone,
		"from": h.From.Time().Format(time.RFC3339),
	}
	if !h.Until.IsZero() {
		m["until"] = h.Until.Time().Format(time.RFC3339)
	}
	return audit.Evidence(m)
}
