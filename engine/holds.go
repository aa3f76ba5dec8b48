package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// holdBook is what people have said must not be acted on. Reads take a read
// lock; the ledger has every hold before the book does.
type holdBook struct {
	mu   sync.RWMutex
	all  map[string]heldUp
	safe Hold // safe mode, set at start; not in the ledger, it lives as long as the run
}

type heldUp struct {
	Hold
	sel series.Selector
}

// longestHandsOff is the most that a subject can be left alone by one word.
const longestHandsOff = 24 * time.Hour

func (b *holdBook) load(hs []Hold) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = make(map[string]heldUp, len(hs))
	for _, h := range hs {
		sel, _ := selectorOf(h.Matchers)
		b.all[h.ID] = heldUp{h, sel}
	}
}

func selectorOf(text string) (series.Selector, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	return policy.ParseSelector(text)
}

// facts fills what the gates pause, window and hands-off ask.
func (b *holdBook) facts(f *remedy.Facts, r remedy.Remediation, now clock.Stamp) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.safe.ID != "" && !now.Reached(b.safe.Until) {
		f.Paused, f.PausedUntil = b.safe.Reason, b.safe.Until
	}
	var ls series.Labels
	for _, h := range b.all {
		until, in := h.inForce(now)
		if !in {
			continue
		}
		said := fmt.Sprintf("%s (%s)", h.Reason, h.Actor)
		switch h.Kind {
		case HoldPause:
			f.Paused, f.PausedUntil = said, until
		case HoldHandsOff:
			if h.Subject == f.Spec.Subject {
				f.HandsOff, f.HandsOffUntil = said, until
			}
		case HoldSilence, HoldMaintenance:
			if ls == nil {
				ls = aboutLabels(r)
			}
			if h.sel.Matches(ls) && (f.WindowUntil.IsZero() || until.Reached(f.WindowUntil)) {
				f.Window, f.WindowUntil = string(h.Kind)+" "+h.ID+": "+said, until
			}
		}
	}
}

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
func (h Hold) inForce(now clock.Stamp) (until clock.Stamp, in bool) {
	if !h.Ended.IsZero() || !now.Reached(h.From) {
		return until, false
	}
	if !h.Until.IsZero() && now.Reached(h.Until) {
		return until, false
	}
	if h.Schedule == "" {
		return h.Until, true
	}
	end, in, err := remedy.InWindow(h.Schedule, h.Zone, time.Duration(h.Length), now.Time())
	if err != nil || !in {
		return until, false
	}
	return now.Add(end.Sub(now.Time())), true
}

// PutHold writes down a hold and returns it with its id. A pause, a silence and
// hands-off must end; a maintenance window may recur.
func (e *Engine) PutHold(ctx context.Context, actor string, h Hold) (Hold, error) {
	if err := e.usable(); err != nil {
		return h, err
	}
	now := e.clock()
	sel, is := checkHold(h, now)
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
	if h.Kind == HoldHandsOff && (h.Until.IsZero() || h.Until.Reached(now.Add(longestHandsOff))) {
		h.Until = now.Add(longestHandsOff)
	}
	verb := string(h.Kind) + ".put"
	if h.ID == "" {
		h.ID = newID(now)
	}
	d := &Decision{At: now, Holds: []Hold{h}, Audit: []audit.Record{{
		At: now, Actor: actor, Verb: verb, Object: "hold:" + h.ID, Reason: h.Reason, Evidence: holdEvidence(h),
	}}}
	if _, err := e.journal.Commit(ctx, d); err != nil {
		return h, err
	}
	e.holds.mu.Lock()
	e.holds.all[h.ID] = heldUp{h, sel}
	e.holds.mu.Unlock()
	e.nudge()
	return h, nil
}

func checkHold(h Hold, now clock.Stamp) (series.Selector, fault.Issues) {
	var is fault.Issues
	sel, err := selectorOf(h.Matchers)
	if err != nil {
		is.Add("/matchers", "%s", err.Error())
	}
	if strings.TrimSpace(h.Reason) == "" {
		is.Add("/reason", "say why: a hold without a reason cannot be judged by the next person")
	}
	switch h.Kind {
	case HoldPause, HoldSilence:
		if h.Until.IsZero() {
			is.Add("/until", "a %s must end: give for or until", h.Kind)
		}
	case HoldHandsOff:
		if h.Subject == "" {
			is.Add("/subject", "hands-off needs a subject, such as systemd:web.service")
		}
	case HoldMaintenance:
		if h.Schedule == "" && h.Until.IsZero() {
			is.Add("/until", "a maintenance window needs an end or a schedule")
		}
		if h.Schedule != "" {
			if h.Length <= 0 {
				is.Add("/length", "a recurring window needs a length")
			} else if _, _, err := remedy.InWindow(h.Schedule, h.Zone, time.Duration(h.Length), now.Time()); err != nil {
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
func (e *Engine) ReleaseHold(ctx context.Context, actor, id string) error {
	if err := e.usable(); err != nil {
		return err
	}
	now := e.clock()
	e.holds.mu.Lock()
	h, ok := e.holds.all[id]
	safe := e.holds.safe.ID == id && id != ""
	e.holds.mu.Unlock()
	if !ok && !safe {
		return fault.New(fault.NotFound, "no hold %q stands", id).Mend("vigild silence list and vigild maintenance list show what does")
	}
	kind := h.Kind
	d := &Decision{At: now}
	if safe {
		kind = HoldPause
	} else {
		d.Released = []string{id}
	}
	d.Audit = []audit.Record{{At: now, Actor: actor, Verb: string(kind) + ".release", Object: "hold:" + id, Reason: "ended by " + actor}}
	if _, err := e.journal.Commit(ctx, d); err != nil {
		return err
	}
	e.holds.mu.Lock()
	delete(e.holds.all, id)
	if safe {
		e.holds.safe = Hold{}
	}
	e.holds.mu.Unlock()
	e.nudge()
	return nil
}

// Holds lists what stands, newest first; what has run out is left out.
func (e *Engine) Holds() []Hold {
	now := e.clock()
	e.holds.mu.Lock()
	defer e.holds.mu.Unlock()
	var out []Hold
	if e.holds.safe.ID != "" && !now.Reached(e.holds.safe.Until) {
		out = append(out, e.holds.safe)
	}
	for id, h := range e.holds.all {
		if !h.Until.IsZero() && now.Reached(h.Until) {
			delete(e.holds.all, id)
			continue
		}
		out = append(out, h.Hold)
	}
	slices.SortFunc(out, func(a, b Hold) int {
		return cmp.Or(-cmp.Compare(a.Created.Wall, b.Created.Wall), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// newID is unique and sorts by time: 11 hex digits of Unix ms, then 8 random.
func newID(now clock.Stamp) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails, by its contract
	return fmt.Sprintf("%011x%s", now.Millis(), hex.EncodeToString(b[:]))
}

func holdEvidence(h Hold) []byte {
	m := map[string]string{
		"kind": string(h.Kind), "matchers": h.Matchers, "subject": h.Subject, "schedule": h.Schedule, "zone": h.Zone,
		"from": h.From.Time().Format(time.RFC3339),
	}
	if !h.Until.IsZero() {
		m["until"] = h.Until.Time().Format(time.RFC3339)
	}
	b, _ := json.Marshal(m) // a map of strings always marshals
	return b
}
