package reconcile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vigil/engine/fault"
	"vigil/engine/reconcile"
)

type state = reconcile.State

// TestDiff_NamesHowADifferenceCameAbout: the whole table of three states.
func TestDiff_NamesHowADifferenceCameAbout(t *testing.T) {
	on := func(v string) state { return state{"exists": "yes", "sha256": v} }
	tests := []struct {
		name                string
		desired, last, seen state
		want                []reconcile.Difference
	}{
		{"equal", on("a"), on("a"), on("a"), nil},
		{"never written", on("a"), nil, on("b"), []reconcile.Difference{{Field: "sha256", Wanted: "a", Found: "b", Class: reconcile.Pending}}},
		{"desired changed", on("b"), on("a"), on("a"), []reconcile.Difference{{Field: "sha256", Wanted: "b", Found: "a", Class: reconcile.Pending}}},
		{"somebody touched it", on("a"), on("a"), on("x"), []reconcile.Difference{{Field: "sha256", Wanted: "a", Found: "x", Class: reconcile.Drift}}},
		{"both", on("b"), on("a"), on("x"), []reconcile.Difference{{Field: "sha256", Wanted: "b", Found: "x", Class: reconcile.Conflict}}},
		{"somebody did it already", on("b"), on("a"), on("b"), nil},
		{"new", on("a"), nil, state{"exists": "no"}, []reconcile.Difference{{Field: "exists", Wanted: "yes", Found: "no", Class: reconcile.Pending}}},
		{"deleted", on("a"), on("a"), state{"exists": "no"}, []reconcile.Difference{{Field: "exists", Wanted: "yes", Found: "no", Class: reconcile.Missing}}},
		{"swapped for a link", on("a"), on("a"), state{"exists": "link"}, []reconcile.Difference{{Field: "exists", Wanted: "yes", Found: "link", Class: reconcile.Missing}}},
		{"should be gone and is", state{"exists": "no"}, on("a"), state{"exists": "no"}, nil},
		{"should be gone", state{"exists": "no"}, nil, on("a"), []reconcile.Difference{{Field: "exists", Wanted: "no", Found: "yes", Class: reconcile.Pending}}},
		{"others' fields", state{"exists": "yes"}, nil, on("z"), nil},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, reconcile.Diff(tt.desired, tt.last, tt.seen)); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

func TestCarry_KeepsSinceWhen(t *testing.T) {
	old, now := time.Unix(100, 0), time.Unix(200, 0)
	before := []reconcile.Difference{{Field: "a", Wanted: "1", Found: "2", Since: old}, {Field: "b", Wanted: "1", Found: "2", Since: old}}
	got := reconcile.Carry(before, []reconcile.Difference{{Field: "a", Wanted: "1", Found: "2"}, {Field: "b", Wanted: "1", Found: "3"}}, now)
	if !got[0].Since.Equal(old) || !got[1].Since.Equal(now) {
		t.Errorf("%v", got)
	}
}

// stub is a resource that differs in what it is told, and heals each difference
// by a step of its name.
type stub struct{ ref string }

func (s stub) Key() reconcile.Key {
	kind, name, _ := strings.Cut(s.ref, "/")
	return reconcile.Key{Subject: s.ref, Kind: kind, Name: name}
}
func (s stub) Observe(context.Context, reconcile.World) (reconcile.Observed, error) {
	return reconcile.Observed{}, nil
}
func (s stub) Compare(last state, seen reconcile.Observed) []reconcile.Difference {
	return reconcile.Diff(state{"a": "1", "b": "1", "b:x": "1"}, last, seen.State)
}
func (s stub) Heal(_ reconcile.Observed, ds []reconcile.Difference) (out []reconcile.Step) {
	for _, d := range ds {
		out = append(out, reconcile.Step{Action: d.Field})
	}
	return out
}

func acts(steps []reconcile.Step) (out []string) {
	for _, s := range steps {
		out = append(out, s.Action)
	}
	return out
}

// TestItem_ModesIgnoreAndConflicts: one ignore engine, whoever asks.
func TestItem_ModesIgnoreAndConflicts(t *testing.T) {
	seen := reconcile.Observed{State: state{"exists": "yes", "a": "2", "b": "2", "b:x": "2"}}
	last := state{"exists": "yes", "a": "1", "b": "0"}
	for _, tt := range []struct {
		name             string
		c                reconcile.Common
		differs, plan    []string
		held             int
		last             state
		remembersIgnored bool
	}{
		{"enforce", reconcile.Common{Mode: reconcile.Enforce}, []string{"a", "b", "b:x"}, []string{"a", "b", "b:x"}, 0, last, true},
		{"detect", reconcile.Common{Mode: reconcile.Detect}, []string{"a", "b", "b:x"}, nil, 3, last, true},
		{"once, written", reconcile.Common{Mode: reconcile.Once}, nil, nil, 0, last, true},
		{"once, new", reconcile.Common{Mode: reconcile.Once}, []string{"a", "b", "b:x"}, []string{"a", "b", "b:x"}, 0, nil, true},
		{"ignore", reconcile.Common{Ignore: reconcile.Ignore{"b*"}}, []string{"a"}, []string{"a"}, 0, last, false},
		{"hold", reconcile.Common{Conflict: reconcile.Hold}, []string{"a", "b", "b:x"}, nil, 3, last, true},
	} {
		it := &reconcile.Item{Resource: stub{"S/x"}, Common: tt.c}
		ds := it.Differences(tt.last, seen)
		var fields []string
		for _, d := range ds {
			fields = append(fields, d.Field)
		}
		steps, held := it.Plan(seen, ds)
		if !slices.Equal(fields, tt.differs) || !slices.Equal(acts(steps), tt.plan) || len(held) != tt.held {
			t.Errorf("%s: differs %v, plan %v, held %v", tt.name, fields, acts(steps), held)
		}
		if _, ok := reconcile.Written(seen.State, tt.c.Ignore)["b"]; ok != tt.remembersIgnored {
			t.Errorf("%s: what others have is remembered as written", tt.name)
		}
		// Whatever else asks to heal what is ignored is told no as well.
		if steps, _ := it.Plan(seen, it.Compare(tt.last, seen)); tt.name == "ignore" && !slices.Equal(acts(steps), []string{"a"}) {
			t.Errorf("%s: a rollback would write %v", tt.name, acts(steps))
		}
	}
	if (reconcile.Ignore{"*"}).Covers(reconcile.Exists) {
		t.Error("a document may not leave its own existence to others")
	}
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		p, s string
		want bool
	}{{"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"*b", "ab", true}, {"a*c*e", "abcde", true}, {"a*c*e", "abde", false},
		{"*", "", true}, {"a*a", "a", false}, {"json:/a/*", "json:/a/b", true}, {"", "", true}, {"", "x", false}} {
		if got := reconcile.Glob(tt.p, tt.s); got != tt.want {
			t.Errorf("%q %q: %v", tt.p, tt.s, got)
		}
	}
}

// TestOrder_PutsCausesFirst for any graph without circles, and names a circle.
func TestOrder_PutsCausesFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "n")
		items := make([]*reconcile.Item, n)
		for i := range items {
			items[i] = &reconcile.Item{Resource: stub{fmt.Sprintf("S/%02d", i)}}
			if i > 0 {
				for range rapid.IntRange(0, 3).Draw(t, "edges") {
					items[i].DependsOn = append(items[i].DependsOn, fmt.Sprintf("S/%02d", rapid.IntRange(0, i-1).Draw(t, "on")))
				}
			}
		}
		shuffled := slices.Clone(items)
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)).Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if is := reconcile.Order(shuffled, nil); len(is) > 0 {
			t.Fatal(is)
		}
		place := map[string]int{}
		for i, it := range shuffled {
			place[it.Key().Ref()] = i
		}
		for _, it := range shuffled {
			for _, on := range it.DependsOn {
				if place[on] >= place[it.Key().Ref()] || shuffled[place[on]].Level >= it.Level {
					t.Fatalf("%s comes before %s", it.Key().Ref(), on)
				}
			}
		}
	})
	ring := []*reconcile.Item{
		{Resource: stub{"S/a"}, Common: reconcile.Common{DependsOn: []string{"S/b"}}, Place: "x:1:1"},
		{Resource: stub{"S/b"}, Common: reconcile.Common{DependsOn: []string{"S/c"}}},
		{Resource: stub{"S/c"}, Common: reconcile.Common{DependsOn: []string{"S/b"}}, Place: "y:1:1"},
		{Resource: stub{"S/d"}, Common: reconcile.Common{DependsOn: []string{"S/dd", "S/e"}}},
	}
	is := reconcile.Order(ring, nil)
	text := is.Error()
	for _, want := range []string{"circle: S/b -> S/c -> S/b", "S/d depends on S/e, which is not there"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
}

// TestPace_StopsAFightAndForgetsIt: attempts in a row are spaced and capped,
// quiet resets them, and nothing stops for ever.
func TestPace_StopsAFightAndForgetsIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := reconcile.PaceDefaults()
		p.MaxAttempts = rapid.IntRange(1, 10).Draw(t, "most")
		now, h, waited := time.Unix(1e9, 0), reconcile.Heals{}, time.Duration(0)
		for i := range 40 {
			step := time.Duration(rapid.Int64Range(0, int64(20*time.Minute)).Draw(t, "step"))
			now = now.Add(step)
			if !h.Due(p, now) {
				if wait := h.Until.Sub(now); wait > time.Hour {
					t.Fatalf("has to wait %v", wait)
				}
				if until, stopped := h.Stopped(p, now); stopped && until.IsZero() {
					t.Fatal("stopped for ever")
				}
				continue
			}
			before := h
			h = h.After(p, []reconcile.Difference{{Field: "sha256", Wanted: "a", Found: fmt.Sprint(i)}}, now)
			switch {
			case h.Count == 1 && before.Count > 0 && now.Sub(before.Last) < p.QuietReset.Std():
				t.Fatal("the count was forgotten without quiet")
			case h.Count > 1 && h.Until.Sub(now) < waited:
				t.Fatalf("the wait went down from %v to %v within one row", waited, h.Until.Sub(now))
			}
			waited = h.Until.Sub(now)
			if h.Count == 1 {
				waited = 0
			}
			if h.Wanted != "a" || h.Found == "" {
				t.Fatal("the two values are not named")
			}
		}
		if !h.Due(p, now.Add(2*time.Hour)) {
			t.Fatal("is never tried again")
		}
		if h.Count > 0 && h.Due(p, h.Last.Add(-time.Hour)) {
			t.Fatal("a clock that went back freed it")
		}
	})
}

func TestGuard_RefusesToTakeTooMuchAway(t *testing.T) {
	for _, tt := range []struct {
		stands, goes, wanted int
		confirmed, ok        bool
	}{{10, 0, 10, false, true}, {10, 5, 5, false, true}, {10, 6, 4, false, false}, {10, 6, 4, true, true},
		{100, 20, 80, false, true}, {100, 21, 79, false, false}, {1, 1, 0, false, false}, {1, 1, 0, true, true}, {0, 0, 0, false, true}} {
		for source, hint := range map[string]string{"push": "-o confirm-prune", "": "-o confirm-prune", "path": `--trailer "Confirm-Prune: yes"`, "remote": `--trailer "Confirm-Prune: yes"`} {
			err := reconcile.Guard(tt.stands, tt.goes, tt.wanted, tt.confirmed, source)
			if (err == nil) != tt.ok || err != nil && (fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), hint)) {
				t.Errorf("%+v, %q: %v", tt, source, err)
			}
		}
	}
}

// TestTrust_IsSmall: nothing by default, never vigild's own, no commands unasked.
func TestTrust_IsSmall(t *testing.T) {
	some := reconcile.Trust{Paths: []string{"/etc", "/srv/web"}, Refused: []string{"/etc/vigil", "/srv/web/vigild"}}
	all := some
	all.Commands = true
	for _, tt := range []struct {
		t    reconcile.Trust
		path string
		says string
	}{
		{reconcile.TrustDefaults(), "/etc/motd", "none of the folders"},
		{some, "/etc/motd", ""},
		{some, "/etcetera", "none of the folders"},
		{some, "/srv/web/x/y", ""},
		{some, "/srv/web/.config/htop/htoprc", ""},
		{some, "/etc/hosts", ""},
		{all, "/etc/vigil/vigil.toml", "vigild itself"},
		{all, "/etc/vigil", "vigild itself"},
		{all, "/srv/web", "vigild itself"},
		{some, "/etc/systemd/system/x.service", "programs run"},
		{some, "/etc/cron.d/x", "programs run"},
		{some, "/etc/sudoers.d/x", "programs run"},
		{all, "/etc/cron.d/x", ""},
		{reconcile.Trust{Paths: []string{"/"}, Commands: true}, "/proc/sys/x", "kernel"},
	} {
		why, _ := tt.t.Path(tt.path)
		if tt.says == "" && why != "" || !strings.Contains(why, tt.says) {
			t.Errorf("%s: %q, want %q", tt.path, why, tt.says)
		}
	}
	some.Kinds = []string{"File", "Service", "Cron", "Sysctl"}
	if got := some.Places(); !slices.Equal(got, []string{"/etc", "/srv/web"}) {
		t.Errorf("without commands the actions may touch %v", got)
	}
	if got := some.Made(); !slices.Equal(got, []string{"/etc/sysctl.d/90-vigil-*.conf"}) {
		t.Errorf("the kinds make %v", got)
	}
	for _, p := range []string{"/etc/sysctl.d/x.conf", "/etc/environment", "/etc/tmpfiles.d/x.conf", "/etc/polkit-1/rules.d/x", "/etc/ld.so.preload", "/srv/web/home/ada/.ssh/authorized_keys", "/srv/web/.bashrc",
		"/etc/apt/sources.list.d/x.list", "/etc/yum.repos.d/x.repo", "/etc/aliases", "/etc/conf.d/web", "/etc/hosts.equiv", "/etc/skel/x", "/etc/request-key.d/x.conf",
		"/srv/web/.config/systemd/user/x.service", "/srv/web/.config/autostart", "/srv/web/.forward", "/srv/web/.bash_aliases",
		"/etc/default/cron", "/etc/sysconfig/sshd", "/etc/perl/strict.pm", "/etc/python3.11/sitecustomize.py", "/etc/ssl/openssl.cnf", "/etc/X11/Xsession.d/1x", "/etc/containers/systemd/x.container",
		"/etc/docker/daemon.json", "/etc/kubernetes/manifests/x.yaml", "/etc/needrestart/conf.d/x.conf", "/srv/web/.config/containers/systemd/x.container", "/srv/web/.local/share/systemd/user/x.service",
		"/srv/web/.local/bin/ls", "/srv/web/.vimrc"} {
		if why, _ := some.Path(p); !strings.Contains(why, "programs run or let people in") {
			t.Errorf("%s: %q", p, why)
		}
	}
	if !some.Above("/etc") || !some.Above("/etc/cron.d") || some.Above("/srv/web") || all.Above("/etc") {
		t.Error("which folders hold what makes programs run")
	}
	if (reconcile.Trust{Paths: []string{"etc", "/a/../b"}}).Validate() == nil {
		t.Error("paths that are none were taken")
	}
}

// TestUnitName: a name without the ending of a unit is a service's, dots or not.
func TestUnitName(t *testing.T) {
	for in, want := range map[string]string{"web": "web.service", "web.service": "web.service", "a.timer": "a.timer", "org.web": "org.web.service", "web@1": "web@1.service"} {
		if got := reconcile.UnitName(in); got != want {
			t.Errorf("%s is %s, expected %s", in, got, want)
		}
	}
}
