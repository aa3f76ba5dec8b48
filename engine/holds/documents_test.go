package holds_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/holds"
)

// journal keeps what is committed, or refuses.
type journal struct {
	all    []*engine.Decision
	refuse error
}

func (j *journal) Load(context.Context) (*engine.Snapshot, error) { return &engine.Snapshot{}, nil }
func (j *journal) Commit(_ context.Context, d *engine.Decision) (engine.Receipt, error) {
	if j.refuse == nil {
		j.all = append(j.all, d)
	}
	return engine.Receipt{}, j.refuse
}

func docs(t *testing.T, text string) []document.Document {
	t.Helper()
	ds, is := document.Parse("h.yaml", []byte(text), document.Git)
	if len(is) > 0 {
		t.Fatal(is)
	}
	return ds
}

func hold(kind, name, spec string) string {
	return "---\napiVersion: vigil/v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: {" + spec + "}\n"
}

// TestDocuments_AreHeldExactly: added, changed, left, ended; what is over is left
// out; what others said is not touched; and a refused transaction changes nothing.
func TestDocuments_AreHeldExactly(t *testing.T) {
	now := clock.Stamp{Wall: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).UnixMicro(), Boot: 1, BootID: "b"}
	j := &journal{}
	b := holds.New(j, func() clock.Stamp { return now }, nil, func() {})
	ctx := t.Context()
	mine, err := b.PutHold(ctx, "ada", engine.Hold{Kind: engine.HoldSilence, Matchers: `{a="b"}`, Reason: "mine", Until: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	const deploy = `match: '{service="web"}', reason: deploy, until: 2026-05-02T00:00:00Z`
	nights := hold("Maintenance", "nights", `match: '{service="db"}', reason: nights, schedule: "0 3 * * *", length: 1h, zone: Europe/Berlin`)
	for _, step := range []struct {
		text string
		want []string // changes
		ids  []string
	}{
		{hold("Silence", "deploy", deploy) + nights + hold("Silence", "old", `reason: x, until: 2020-01-01T00:00:00Z`),
			[]string{"create Maintenance/nights", "create Silence/deploy"}, []string{"git-maintenance-nights", "git-silence-deploy"}},
		{hold("Silence", "deploy", deploy) + nights, nil, []string{"git-maintenance-nights", "git-silence-deploy"}},
		{hold("Silence", "deploy", strings.Replace(deploy, "reason: deploy", "reason: again", 1)) + nights, []string{"change Silence/deploy"}, []string{"git-maintenance-nights", "git-silence-deploy"}},
		{nights, []string{"end silence-deploy"}, []string{"git-maintenance-nights"}},
		{hold("Policy", "p", "match: x, fire: value > 1"), []string{"end maintenance-nights"}, nil},
	} {
		ds := docs(t, step.text)
		says, err := b.ChangesOf(document.Git, ds)
		if err != nil || !slices.Equal(says, step.want) {
			t.Fatalf("%v, %v; expected %v", says, err, step.want)
		}
		before := len(j.all)
		j.refuse = errors.New("the disk is full")
		if err := b.ApplyDocuments(ctx, "commit:1", document.Git, ds); (err == nil) != (len(step.want) == 0) {
			t.Errorf("refused: %v", err)
		}
		if says, _ := b.ChangesOf(document.Git, ds); !slices.Equal(says, step.want) {
			t.Errorf("a refused transaction changed something: %v", says)
		}
		j.refuse = nil
		if err := b.ApplyDocuments(ctx, "commit:1", document.Git, ds); err != nil {
			t.Fatal(err)
		}
		if n := len(j.all) - before; n != min(1, len(step.want)) {
			t.Errorf("%d transactions", n)
		} else if n == 1 && len(j.all[before].Audit) != len(step.want) {
			t.Errorf("%d audit records for %v", len(j.all[before].Audit), step.want)
		}
		var ids []string
		for _, h := range b.Holds() {
			if h.ID != mine.ID {
				ids = append(ids, h.ID)
			}
		}
		slices.Sort(ids)
		if !slices.Equal(ids, step.ids) {
			t.Errorf("after %v stand %v, expected %v", step.want, ids, step.ids)
		}
		if len(ids) > 0 {
			if err := b.ReleaseHold(ctx, "ada", ids[0]); fault.KindOf(err) != fault.Conflict {
				t.Errorf("a hold of Git was ended elsewhere: %v", err)
			}
		}
	}
	if hs := b.Holds(); len(hs) != 1 || hs[0].ID != mine.ID {
		t.Errorf("another's hold: %+v", hs)
	}
}

// TestDocuments_MistakesHaveTheirPlace: and nothing is applied beside one.
func TestDocuments_MistakesHaveTheirPlace(t *testing.T) {
	j := &journal{}
	b := holds.New(j, clock.System(), nil, func() {})
	for _, tt := range []struct{ text, want string }{
		{hold("Silence", "a", `match: '{a="b"}', until: 2999-01-01T00:00:00Z`), "say why"},
		{hold("Silence", "a", `match: '{a="b"}', reason: r`), "until"},
		{hold("Silence", "a", `match: 'a b c', reason: r, until: 2999-01-01T00:00:00Z`), "h.yaml:10:15: match"},
		{hold("Silence", "a", `match: '{a="b"}', reason: r, for: 2h`), "unknown field"},
		{hold("Silence", "a/b", `reason: r, until: 2999-01-01T00:00:00Z`), "cannot name a silence"},
		{hold("Silence", "a", `reason: r, from: 2999-01-02T00:00:00Z, until: 2999-01-01T00:00:00Z`), "ends before"},
		{hold("Maintenance", "a", `reason: r`), "an end or a schedule"},
		{hold("Maintenance", "a", `reason: r, schedule: "0 3 * * *"`), "length"},
		{hold("Maintenance", "a", `reason: r, schedule: "61 3 * * *", length: 1h`), "schedule"},
		{hold("Maintenance", "a", `reason: r, schedule: "0 3 * * *", zone: Mars/Olympus, length: 1h`), "schedule"},
	} {
		err := b.ApplyDocuments(t.Context(), "x", document.Git, docs(t, hold("Silence", "good", `reason: r, until: 2999-01-01T00:00:00Z`)+tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "h.yaml:") {
			t.Errorf("%s: %v, expected %q with its place", tt.text, err, tt.want)
		}
	}
	if len(j.all) > 0 || len(b.Holds()) > 0 {
		t.Error("something was applied")
	}
}
