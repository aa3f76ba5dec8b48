package vigiltest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"vigil/api/contract"
	"vigil/engine/ledger"
)

// keptNames are the processes that commits of the campaign declare.
var keptNames = []string{"p0", "p1"}

// keptProgram is what each of them is: it holds a lock as long as it lives, and tells when
// it waits for that in vain, for then another one of its name runs.
const keptProgram = `exec 9>>"$1.lock"; flock -w 5 9 || echo "$REVISION" >>"$1.two"; exec sleep 100000`

// process draws the document of a process, "" none, and how it has to be. Three of four
// times it is one of few commands, so that many a commit leaves it as it runs.
func process(r *rand.Rand, name string, n int, pace string) (doc, how string) {
	if r.IntN(5) < 2 {
		return "", ""
	}
	of := fmt.Sprintf("g%d", r.IntN(3))
	if r.IntN(4) == 0 {
		of = fmt.Sprintf("r%d", n)
	}
	how, state := "runs as "+of, "running"
	if r.IntN(4) == 0 {
		how, state = "stopped", "stopped"
	}
	doc = fmt.Sprintf("apiVersion: vigil/v1\nkind: Process\nmetadata: {name: %s}\nspec:\n  argv: [/bin/sh, -c, '%s', sh, %%MANAGED%%/../kept/%s]\n  env: {REVISION: %s}\n  hold: 10ms\n  state: %s\n%s",
		name, keptProgram, name, of, state, pace)
	if r.IntN(3) == 0 {
		doc += "  ready: {after: 20ms}\n"
	}
	if r.IntN(3) == 0 {
		doc += "  dependsOn: [File/always]\n"
	}
	return doc, how
}

// neverUp is a process that cannot be brought up.
const neverUp = "apiVersion: vigil/v1\nkind: Process\nmetadata: {name: wrong}\nspec:\n  argv: [/bin/false]\n  ready: {after: 5s}\n  dependsOn: [File/always]\n"

// own is what a commit says of vigild itself: a mark in each document, "" where it has none.
type own struct{ policy, check, action string }

// draw draws the documents; a policy names the action of its own commit where there is one.
func (o *own) draw(r *rand.Rand, n int) (docs []string) {
	mark := fmt.Sprintf("of-revision-%d", n)
	if r.IntN(3) > 0 {
		o.action = mark
		docs = append(docs, fmt.Sprintf("apiVersion: vigil/v1\nkind: Action\nmetadata: {name: carried-act}\nspec: {kind: exec, argv: [/bin/true, %s], description: %s}\n", mark, mark))
	}
	if r.IntN(3) > 0 {
		o.check = mark
		docs = append(docs, fmt.Sprintf("apiVersion: vigil/v1\nkind: Check\nmetadata: {name: carried-check}\nspec: {kind: process, cmdline: %s, every: 1h}\n", mark))
	}
	if r.IntN(3) > 0 {
		o.policy = mark
		doc := fmt.Sprintf("apiVersion: vigil/v1\nkind: Policy\nmetadata: {name: carried}\nspec:\n  description: %s\n  match: campaign_load\n  fire: value > 100\n", mark)
		if o.action != "" {
			doc += "  remedy: {target: x, ladder: [{action: carried-act}]}\n"
		}
		docs = append(docs, doc)
	}
	return docs
}

// marked finds the mark of a document's text.
func marked(text []byte) string {
	_, after, ok := strings.Cut(string(text), "of-revision-")
	if !ok {
		return ""
	}
	end := strings.IndexFunc(after, func(r rune) bool { return r < '0' || r > '9' })
	return "of-revision-" + after[:end]
}

// together looks at what is on disk of vigild's own documents: they are those of one
// commit, and at rest of the one that holds.
func (f *follower) together(ctx context.Context, led *ledger.Ledger) {
	s, err := led.Desired(ctx)
	if err != nil {
		f.say("the desired state cannot be read: %v", err)
		return
	}
	all, err := led.Load(ctx)
	if err != nil {
		f.say("the ledger cannot be loaded: %v", err)
		return
	}
	var is own
	for _, p := range all.Policies {
		if p.Name == "carried" {
			is.policy = marked(p.Text)
		}
	}
	for _, c := range s.Checks {
		is.check = marked(c.Text)
	}
	for _, e := range s.Entries {
		is.action = marked(e.Text)
	}
	if f.rest {
		want := own{}
		if w := f.commits[f.holds]; w != nil {
			want = w.own
		}
		if is != want {
			f.say("at rest, policy, check and action are %+v, %s wants %+v", is, f.holds, want)
		}
		return
	}
	if is == (own{}) {
		return
	}
	for _, w := range f.commits {
		if w.own == is {
			return
		}
	}
	f.say("policy, check and action are of no one commit: %+v", is)
}

// copied is the ledger as a dead daemon left it, read elsewhere, so that the next start
// finds what it would have found.
func (f *follower) copied(ctx context.Context) {
	dir, err := os.MkdirTemp(f.dir, "copy")
	if err != nil {
		f.t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"ledger.db", "ledger.db-wal"} {
		b, err := os.ReadFile(filepath.Join(f.dir, "data", name))
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			f.t.Fatal(err)
		}
	}
	if led := f.ledger(dir); led != nil {
		f.together(ctx, led)
		led.Close()
	}
}

// keep is what runs of one process.
type keep struct {
	pid int
	as  string
}

// kept is every process that runs by the marks of this host's daemons, by name.
func (f *follower) kept() map[string][]keep {
	out := map[string][]keep{}
	home := "VIGIL_HOME=" + f.dir + "/"
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(env, []byte(home)) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if sid, _, errno := syscall.RawSyscall(syscall.SYS_GETSID, uintptr(pid), 0, 0); errno != 0 || int(sid) != pid {
			continue // what it started, such as flock
		}
		vars := map[string]string{}
		for v := range strings.SplitSeq(string(env), "\x00") {
			name, value, _ := strings.Cut(v, "=")
			vars[name] = value
		}
		name := vars["VIGIL_PROCESS"]
		out[name] = append(out[name], keep{pid, vars["REVISION"]})
	}
	return out
}

// twice says of each process that more than one of it runs, while no daemon does.
func (f *follower) twice() {
	for name, ks := range f.kept() {
		if len(ks) > 1 {
			f.say("process %s runs %d times: %+v", name, len(ks), ks)
		}
	}
	f.waited()
}

// waited says of each process that one of it was started while another one lived on.
func (f *follower) waited() {
	for _, name := range keptNames {
		if b, err := os.ReadFile(filepath.Join(f.dir, "kept", name+".two")); err == nil {
			f.say("process %s was started while another one ran: %s", name, b)
		}
	}
}

// running compares the processes, their definitions and their records with what a commit
// wants, once; it says what differs.
func (f *follower) running(w *wanted, say func(string, ...any)) {
	is, dir := f.kept(), filepath.Join(f.dir, "data", "process")
	for _, name := range slices.Concat(keptNames, []string{"wrong"}) {
		how := ""
		if w != nil {
			how = w.kept[name]
		}
		ks := is[name]
		var rec struct {
			Pid     int
			Stopped bool
			Sum     string
		}
		def, err := os.ReadFile(filepath.Join(dir, name+".process"))
		if b, err := os.ReadFile(filepath.Join(dir, name+".state")); err == nil {
			_ = json.Unmarshal(b, &rec)
		}
		hash := sha256.Sum256(def)
		switch {
		case how == "" && (len(ks) > 0 || !os.IsNotExist(err)):
			say("process %s is kept (%+v, definition %v) and nobody wants it", name, ks, err)
		case how == "":
		case err != nil:
			say("process %s: %s, and has no definition: %v", name, how, err)
		case how == "stopped" && (len(ks) > 0 || !rec.Stopped):
			say("process %s is to be stopped: %+v, recorded %+v", name, ks, rec)
		case how == "stopped":
		case len(ks) != 1 || "runs as "+ks[0].as != how:
			say("process %s: %s is wanted, there is %+v", name, how, ks)
		case rec.Stopped || rec.Pid != ks[0].pid || rec.Sum != hex.EncodeToString(hash[:]):
			say("process %s runs as %+v and is recorded as %+v, its definition is %x", name, ks, rec, hash)
		}
	}
}

// fell strikes a process down by hand, as the kernel does one that takes too much.
func (f *follower) fell(name string) {
	for _, k := range f.kept()[name] {
		_ = syscall.Kill(k.pid, syscall.SIGKILL)
	}
}

// entry compares what can be named with what the commit defines.
func (f *follower) entry(ctx context.Context, want string, say func(string, ...any)) {
	var c contract.Catalogue
	err := f.get(ctx, "/api/v1/catalogue", &c)
	is := ""
	for _, e := range c.Actions {
		if e.Name == "carried-act" {
			is = e.Description
		}
	}
	if is != want {
		say("the action is %q, wanted %q: %v", is, want, err)
	}
}
