package holds

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/series"
)

// The kinds of documents that are holds.
const (
	KindSilence     = "Silence"
	KindMaintenance = "Maintenance"
)

// silenceSpec and maintenanceSpec are the documents. Their times are absolute: a
// length would begin anew with each commit.
type silenceSpec struct {
	Match  string    `yaml:"match"`
	Reason string    `yaml:"reason"`
	From   time.Time `yaml:"from"`
	Until  time.Time `yaml:"until"`
}

type maintenanceSpec struct {
	Match    string            `yaml:"match"`
	Reason   string            `yaml:"reason"`
	From     time.Time         `yaml:"from"`
	Until    time.Time         `yaml:"until"`
	Schedule string            `yaml:"schedule"`
	Zone     string            `yaml:"zone"`
	Length   document.Duration `yaml:"length"`
}

// nameRule keeps the id of a hold fit for a URL.
var nameRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// FromDocument reads a document of kind Silence or Maintenance. One that is over
// is no mistake: trees outlive nights. Pure.
func FromDocument(d document.Document) (engine.Hold, fault.Issues) {
	h := engine.Hold{ID: string(d.Owner) + "-" + strings.ToLower(d.Kind) + "-" + d.Name, Owner: string(d.Owner)}
	var is fault.Issues
	if !nameRule.MatchString(d.Name) {
		is.Add(d.Place, "%q cannot name a %s: 1 to 63 letters, digits, dots, dashes and underscores", d.Name, strings.ToLower(d.Kind))
	}
	stamp := func(t time.Time) clock.Stamp {
		if t.IsZero() {
			return clock.Stamp{}
		}
		return clock.Stamp{Wall: t.UnixMicro()}
	}
	switch d.Kind {
	case KindSilence:
		var s silenceSpec
		is = append(is, d.Spec.Decode(&s)...)
		h.Kind, h.Matchers, h.Reason, h.From, h.Until = engine.HoldSilence, s.Match, s.Reason, stamp(s.From), stamp(s.Until)
	case KindMaintenance:
		var s maintenanceSpec
		is = append(is, d.Spec.Decode(&s)...)
		h.Kind, h.Matchers, h.Reason, h.From, h.Until = engine.HoldMaintenance, s.Match, s.Reason, stamp(s.From), stamp(s.Until)
		h.Schedule, h.Zone, h.Length = s.Schedule, s.Zone, int64(s.Length)
	default:
		is.Add(d.Place, "a document of kind %q is no hold", d.Kind)
	}
	if len(is) > 0 {
		return h, is
	}
	// Judged as of a moment before its end, so that being over is none of its mistakes.
	now := h.From
	if !h.Until.IsZero() {
		now = h.Until.Add(-time.Second)
	}
	_, bad := checkHold(h, now)
	if !h.From.IsZero() && !h.Until.IsZero() && h.From.Reached(h.Until) {
		bad.Add("/until", "it ends before it begins")
	}
	for _, i := range bad {
		field := strings.TrimPrefix(i.Place, "/")
		if field == "matchers" {
			field = "match"
		}
		if i.Place = d.Spec.Place(field); i.Place == "" {
			i.Place = d.Place
		}
		i.Msg = field + ": " + i.Msg
		is = append(is, i)
	}
	return h, is
}

// ChangesOf says what ApplyDocuments would do: "create Silence/deploy".
func (b *Book) ChangesOf(owner document.Owner, ds []document.Document) ([]string, error) {
	c, err := b.documents("", owner, ds)
	return c.says, err
}

// ApplyDocuments makes the silences and maintenance windows of one owner exactly
// these documents, in one transaction: one issue and nothing of them is applied.
// Those that are over are left out.
func (b *Book) ApplyDocuments(ctx context.Context, actor string, owner document.Owner, ds []document.Document) error {
	c, err := b.documents(actor, owner, ds)
	if err != nil || len(c.says) == 0 {
		return err
	}
	if _, err := b.journal.Commit(ctx, &c.Decision); err != nil {
		return err
	}
	b.mu.Lock()
	for i, h := range c.Holds {
		b.all[h.ID] = heldUp{h, c.selectors[i]}
	}
	for _, id := range c.Released {
		delete(b.all, id)
	}
	b.mu.Unlock()
	b.nudge()
	return nil
}

// edit is a change of the holds of one owner.
type edit struct {
	engine.Decision
	selectors []series.Selector // of Decision.Holds
	says      []string
}

func (b *Book) documents(actor string, owner document.Owner, ds []document.Document) (c edit, err error) {
	now := b.clock()
	c.At = now
	var is fault.Issues
	wanted := map[string]bool{}
	standing := map[string]engine.Hold{}
	for _, h := range b.Holds() {
		if h.Owner == string(owner) {
			standing[h.ID] = h
		}
	}
	note := func(verb, ref string, h engine.Hold, act, reason string) {
		c.says = append(c.says, verb+" "+ref)
		c.Audit = append(c.Audit, audit.Record{At: now, Actor: actor, Verb: string(h.Kind) + "." + act, Object: "hold:" + h.ID, Reason: reason, Evidence: holdEvidence(h)})
	}
	for _, d := range ds {
		if d.Kind != KindSilence && d.Kind != KindMaintenance {
			continue
		}
		h, bad := FromDocument(d)
		if is = append(is, bad...); len(bad) > 0 || !h.Until.IsZero() && now.Reached(h.Until) {
			continue
		}
		wanted[h.ID] = true
		old, stands := standing[h.ID]
		if h.Actor, h.Created = actor, now; h.From.IsZero() {
			h.From = now
			if stands {
				h.From = old.From
			}
		}
		if stands && sameHold(old, h) {
			continue
		}
		sel, _ := selectorOf(h.Matchers) // read above
		c.Holds, c.selectors = append(c.Holds, h), append(c.selectors, sel)
		verb := "create"
		if stands {
			verb = "change"
		}
		note(verb, d.Kind+"/"+d.Name, h, "put", h.Reason)
	}
	for id, h := range standing {
		if !wanted[id] {
			c.Released = append(c.Released, id)
			note("end", strings.TrimPrefix(id, string(owner)+"-"), h, "release", "its document is gone")
		}
	}
	slices.Sort(c.says)
	return c, is.Err()
}

// sameHold says whether two holds mean the same, whoever said them and when.
func sameHold(a, b engine.Hold) bool {
	a.Actor, a.Created, a.From.Boot, a.From.BootID, a.Until.Boot, a.Until.BootID = b.Actor, b.Created, b.From.Boot, b.From.BootID, b.Until.Boot, b.Until.BootID
	return a == b
}
