package vigiltest

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var desiredRuns = flag.Int("desired-runs", 0, "kills of TestDesiredCampaign; without it 24, and .ci/run asks for 200")

// desiredPoints are the places between a push and a good revision where the daemon
// kills itself, and among how many passes of each one is chosen.
var desiredPoints = []struct {
	name string
	of   int
}{
	{"pack", 2}, {"index", 2}, {"folder", 2}, {"ref", 3}, {"sync packed-refs", 5}, {"rename packed-refs", 5}, {"sweep", 3},
	{"land.before", 2}, {"land.after", 2}, {"adopt.before", 2}, {"adopt.after", 2}, {"apply.before", 2}, {"apply.after", 2},
	{"step.before", 4}, {"step.after", 4}, {"claim.before", 8}, {"claim.after", 8}, {"act.before", 8}, {"act.after", 8},
	{"finish.before", 8}, {"finish.after", 8}, {"check.before", 2}, {"check.after", 2}, {"good.before", 2}, {"good.after", 2},
	{"undo.before", 1}, {"undo.after", 1}, {"back.before", 3}, {"back.after", 3}, {"bad.before", 1}, {"bad.after", 1},
}

// TestDesiredCampaign kills the whole daemon again and again while a person pushes
// revisions with stock git and changes managed files by hand: at random moments,
// and at named points between pack, ref, landing, adopting, each step, health,
// good, and taking back. After the kills the ref is old or new, the host is brought to a whole
// commit's state, and nothing is left over.
//
//	go test ./internal/vigiltest -run 'TestDesiredCampaign$' -desired-runs 2000 -timeout 0
func TestDesiredCampaign(t *testing.T) {
	runs := *desiredRuns
	if runs <= 0 {
		runs = 24
	}
	campaign(t, runs, follow)
}

// TestDesiredCampaignFindsPlantedBugs: see TestCampaignFindsPlantedBugs.
func TestDesiredCampaignFindsPlantedBugs(t *testing.T) {
	tests := []struct{ plant, want string }{
		{"no-way-back", "is there and nobody wants it"},
		{"unsettled", "of the journal are left"},
		{"goodwill", "cannot be good"},
		{"torn", "is half written"},
		{"apart", "policy, check and action are"},
		{"twins", "runs 2 times"},
	}
	for _, tt := range tests {
		t.Run(tt.plant, func(t *testing.T) {
			t.Parallel()
			for s := range uint64(6) {
				bad := strings.Join(follow(t, s, 8, tt.plant), "\n")
				if strings.Contains(bad, tt.want) {
					t.Logf("seed %d: %s", s, bad[:min(300, len(bad))])
					return
				}
			}
			t.Errorf("the planted bug %s was not found", tt.plant)
		})
	}
}

// follower is one host of the campaign with what a person knows of it.
type follower struct {
	*field
	commits map[string]*wanted
	landed  string // what the branch was last known to be at
	sent    string // what was pushed since and not answered, "" nothing
	n       int
	holds   string    // the commit that holds, as it was last looked
	touched bool      // files were changed by hand since the host was seen at rest
	rest    bool      // the host was seen at rest, and nothing was done since
	pending []*wanted // pushed since then: any of them may be under way
	audit   []string  // hashes of the chain as it was read before
	bad     []string
}

func (f *follower) say(format string, args ...any) {
	f.bad = append(f.bad, fmt.Sprintf(format, args...))
}

// follow is the life of one host: killed runs times, brought to rest, stopped. It
// returns what was wrong, at once when something is.
func follow(t *testing.T, seed uint64, runs int, planted string) []string {
	f := &follower{field: newField(t, seed, ""), commits: map[string]*wanted{}}
	settings, err := os.ReadFile(f.dir + "/vigil.toml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(settings), `"Policy"]`, `"Policy", "Check", "Action", "Process"]`, 1)
	put(t, f.dir+"/vigil.toml", text+f.sign()+"trust_actions = true\n")
	if err := os.Mkdir(f.dir+"/kept", 0o755); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	binary, env := Binary, []string(nil)
	if planted != "" {
		binary, env = Pointed, []string{"VIGIL_PLANT=" + planted}
		f.rests = 30 * time.Second
	}
	for range runs {
		span := time.Duration(0)
		switch f.rand.IntN(10) {
		case 0, 1, 2, 3: // at a named point
			p := desiredPoints[f.rand.IntN(len(desiredPoints))]
			f.start(Pointed, append(env, fmt.Sprintf("VIGIL_CRASH_POINT=%s:%d", p.name, 1+f.rand.IntN(p.of)))...)
			span = 2 * time.Second
		case 4: // while it starts
			f.start(binary, env...)
			wait(f.rand.IntN(200), f.done)
			f.kill()
			continue
		default: // at any moment
			f.start(binary, env...)
			span = time.Duration(f.rand.IntN(900)) * time.Millisecond
		}
		if f.ready() {
			f.lane.resume(ctx)
			f.under(ctx, span)
		} else if code := f.cmd.ProcessState.ExitCode(); code != -1 {
			f.say("the daemon does not start, exit code %d: %s", code, f.log)
		}
		f.kill()
		f.corpse(ctx)
		if len(f.bad) > 0 {
			return f.bad
		}
	}
	f.mustBeReady(binary, env...)
	f.lane.resume(ctx)
	f.arrive()
	f.settle(ctx)
	if len(f.bad) == 0 {
		f.stop()
		f.rest = true
		f.corpse(ctx)
	}
	return f.bad
}

// under has somebody push and touch files until the span is over or the daemon has
// died; every third time it is first looked whether all came to rest.
func (f *follower) under(ctx context.Context, span time.Duration) {
	f.arrive()
	if f.rand.IntN(3) == 0 {
		f.settle(ctx)
	}
	end := time.Now().Add(span)
	killer := time.AfterFunc(span, f.strike())
	defer killer.Stop()
	for len(f.bad) == 0 && !f.dead() && time.Now().Before(end) {
		switch f.rand.IntN(6) {
		case 0, 1:
			f.touch()
		case 2:
			wait(f.rand.IntN(150), f.done)
		default:
			f.commit()
		}
	}
}

// strike kills the daemon that runs now, whatever runs later.
func (f *follower) strike() func() {
	p := f.cmd.Process
	return func() { _ = p.Kill() }
}

// arrive looks at where the branch is: at what was acknowledged, or at what was
// pushed without an answer.
func (f *follower) arrive() {
	is := f.refs()["refs/heads/main"]
	if is != f.landed && (is == "" || is != f.sent) {
		f.say("the branch is at %q; %q was acknowledged and %q pushed", is, f.landed, f.sent)
	}
	f.landed, f.sent = is, ""
	if is != "" {
		f.work.Git("reset", "-q", "--hard", is)
	}
}

// commit makes a revision and pushes it.
func (f *follower) commit() {
	f.n++
	archive, w := compose(f.rand, f.n)
	// In the commit too: what is asked of a push is not known when it is landed after a crash.
	w.hash = f.work.Commit(fmt.Sprintf("revision %d, %s\n\nConfirm-Prune: yes", f.n, w.fate), strings.ReplaceAll(archive, "%MANAGED%", f.managed()))
	f.commits[w.hash] = w
	f.rest, w.shaken = false, f.touched
	f.pending = append(f.pending, w)
	if w.fate != refused {
		f.sent = w.hash
	}
	options := []string{"-o", "confirm-prune"}
	if f.rand.IntN(3) == 0 {
		options = append(options, "-o", "wait")
	}
	said, ok := f.push(options...)
	switch at := f.refs()["refs/heads/main"]; {
	case ok && w.fate == refused:
		f.say("revision %d has wrong documents and was taken: %s", f.n, said)
	case ok || at == w.hash && !f.dead(): // not good, or not to its end, with -o wait
		f.landed, f.sent = w.hash, ""
	case w.fate == refused || f.dead():
	case strings.Contains(said, "not loaded yet") || strings.Contains(said, "stopping"):
		f.sent = ""
	default:
		if !quicklyDead(f) {
			f.say("revision %d, %s, was refused: %s", f.n, w.fate, said)
		}
	}
	if f.landed != "" && !f.dead() {
		f.work.Git("reset", "-q", "--hard", f.landed)
	}
}

// quicklyDead says whether the daemon is dying: its end may be seen later than
// the end of a connection.
func quicklyDead(f *follower) bool {
	wait(10_000, f.done)
	return f.dead()
}

// touch changes a managed file by hand, as people and their tools do.
func (f *follower) touch() {
	w := f.commits[f.landed]
	if w == nil {
		return
	}
	names := make([]string, 0, len(w.host))
	for name := range w.host {
		names = append(names, name)
	}
	for name := range w.kept {
		names = append(names, "process "+name)
	}
	slices.Sort(names)
	name := names[f.rand.IntN(len(names))]
	if !f.rest {
		// It may be the very moment at which it is looked at; and an older one may still
		// be on its way back, which the kills stretched over many pushes.
		w.shaken = true
		for _, c := range f.pending {
			c.shaken = true
		}
	}
	f.rest, f.touched = false, true
	if p, is := strings.CutPrefix(name, "process "); is {
		f.fell(p)
		return
	}
	vandalize(f.rand, f.at(name))
}

// vandalize does one of the things to a file or folder that people do.
func vandalize(r *rand.Rand, path string) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
	case info.IsDir() && r.IntN(2) == 0:
		_ = os.RemoveAll(path)
	case info.IsDir() || r.IntN(4) == 0:
		_ = os.Chmod(path, 0o750)
	case r.IntN(3) == 0:
		_ = os.Remove(path)
	case r.IntN(2) == 0:
		if os.WriteFile(path+".swp", []byte(byHand), 0o644) == nil {
			_ = os.Rename(path+".swp", path)
		}
	default:
		if b, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0); err == nil {
			_, _ = b.WriteString(byHand)
			_ = b.Close()
		}
	}
}
