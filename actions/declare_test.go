package actions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"vigil/actions"
	"vigil/actions/actiontest"
	"vigil/actions/blob"
	"vigil/actions/heal"
	"vigil/actions/launch"
	"vigil/actions/supervise"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
	"vigil/engine/remedy/foresee"
)

// brings is a set in which documents may bring processes; they end with the test.
func brings(t *testing.T, local ...supervise.Process) *actions.Set {
	t.Helper()
	s := build(t, actions.Config{CgroupRoot: "off", Processes: local, Heal: heal.Config{Processes: true, Refused: []string{"/no/such/vigild", own(t)}}}, actions.Deps{})
	t.Cleanup(func() {
		for _, i := range s.Processes().List() {
			if i.Declared {
				_, _ = s.Processes().Forget(t.Context(), i.Name)
			}
		}
	})
	return s
}

// own is a program that stands for vigild's own.
func own(t testing.TB) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// step is what the keeper of the desired state asks for.
func step(t testing.TB, s *actions.Set, verb string, c reconcile.Command) remedy.Request {
	t.Helper()
	sum, err := s.Contents().Put(c.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	r := request("declare", with{"process": "own", "verb": verb, "sha256": sum})
	if verb == "remove" {
		delete(r.With, "sha256")
	}
	r.Source, r.Policy = remedy.FromReconcile, ""
	return r
}

var sleeps = reconcile.Command{Argv: []string{"/bin/sleep", "1000"}, Log: "none", StopTimeout: time.Second}

// TestDeclare_Suite holds the kind to what remedy.Action promises.
func TestDeclare_Suite(t *testing.T) {
	s := brings(t)
	never := sleeps
	never.Ready = reconcile.Ready{File: filepath.Join(t.TempDir(), "never")}
	slow := step(t, s, "run", never)
	slow.With["process"], slow.Timeout = "slow", 200*time.Millisecond
	refused := step(t, s, "run", sleeps)
	refused.With["sha256"] = strings.Repeat("0", 64)
	actiontest.Run(t, actiontest.Case{
		Action: action(t, s, "declare"), Good: step(t, s, "run", sleeps), Needs: []string{"process"},
		Spec: remedy.Spec{Subject: "process:own", Kind: "declare", Class: remedy.Convergent, Cost: 2},
		Bad: []actiontest.Bad{bad(with{"process": "own", "verb": "run"}, "no sha256"), bad(with{"process": "own", "verb": "remove", "sha256": strings.Repeat("0", 64)}, "has no definition"),
			bad(with{"process": "own", "verb": "runs", "sha256": strings.Repeat("0", 64)}, "did you mean run?"), bad(with{"process": "own", "verb": "remove", "within": "9h"}, "longer than")},
		Slow: &slow, Refused: &refused,
	})
}

// TestDeclare_IsForDocumentsAlone: a policy, a person and what follows a change name
// a sum of bytes that anything may have put there, and are refused; where commands
// are not trusted the kind is not there at all.
func TestDeclare_IsForDocumentsAlone(t *testing.T) {
	s := brings(t)
	a := action(t, s, "declare")
	for _, from := range []remedy.Source{"", remedy.FromPolicy, remedy.FromAPI, remedy.FromExternal} {
		r := step(t, s, "run", sleeps)
		r.Source = from
		_, err := a.Resolve(r)
		if _, acts := a.Run(t.Context(), r); fault.KindOf(err) != fault.Unprocessable || acts == nil || !strings.Contains(err.Error(), "documents of kind Process alone") {
			t.Errorf("%q: %v, %v", from, err, acts)
		}
	}
	if l := s.Processes().List(); len(l) > 0 {
		t.Errorf("kept: %+v", l)
	}
	if _, there := build(t, actions.Config{}, actions.Deps{}).Action("declare"); there {
		t.Error("it is there without trust")
	}
	for _, w := range []map[string]any{step(t, s, "run", sleeps).With, nil} {
		p := remedy.Plan{Ladder: []remedy.Rung{{Action: "declare", With: w}}}
		if is := p.Check(s); len(is) != 1 || !strings.Contains(is.Error(), "documents of kind Process alone") {
			t.Errorf("a policy may name it: %v", is)
		}
	}
	listed := slices.ContainsFunc(s.Catalogue(), func(l actions.Listed) bool { return l.Name == "declare" })
	if listed || slices.Contains(s.Names(), "declare") {
		t.Error("it is among what can be named")
	}
}

func foreseen(a remedy.Action, r remedy.Request, f *foresee.Ahead) error {
	return a.(foresee.Foreseer).Foresee(r, f)
}

// TestDeclare_WhatThisHostCannotStart is said before anything is queued, and again
// by the act; nothing is kept then.
func TestDeclare_WhatThisHostCannotStart(t *testing.T) {
	s := brings(t, supervise.Process{Name: "local", Argv: []string{"/bin/sleep", "1000"}, Autostart: new(bool)})
	a := action(t, s, "declare")
	open := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(open, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(own(t), link); err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(t.TempDir(), "theirs")
	if err := errors.Join(os.Mkdir(theirs, 0o755), os.Chmod(theirs, 0o777)); err != nil {
		t.Fatal(err)
	}
	for says, c := range map[string]reconcile.Command{
		"theirs/x.log":                {Argv: []string{"/bin/sleep", "1"}, Log: theirs + "/x.log"},
		"no/x.log is not there (make": {Argv: []string{"/bin/sleep", "1"}, Log: "/usr/no/x.log"},
		"is a folder, and no program": {Argv: []string{"/usr"}},
		"/no/such/program: /no: no such file or directory (install":       {Argv: []string{"/no/such/program"}},
		"others could change it":                                          {Argv: []string{open}},
		"belongs to vigild itself":                                        {Argv: []string{link}},
		"which no document":                                               {Argv: []string{"/bin/sleep", "1"}, Ready: reconcile.Ready{Exec: []string{own(t)}}},
		`user "nobody-of-that-name"`:                                      {Argv: []string{"/bin/sleep", "1"}, User: "nobody-of-that-name"},
		"it runs in, /no/such/folder: no such file or directory (make it": {Argv: []string{"/bin/sleep", "1"}, Cwd: "/no/such/folder"},
		"no signal":           {Argv: []string{"/bin/sleep", "1"}, StopSignal: "SIGFOO"},
		`no limit "ram"`:      {Argv: []string{"/bin/sleep", "1"}, Limits: map[string]uint64{"ram": 1}},
		"of the local config": {Argv: []string{"/bin/sleep", "1"}},
	} {
		r := step(t, s, "run", c)
		if says == "of the local config" {
			r.With["process"] = "local"
		}
		err := foreseen(a, r, &foresee.Ahead{Content: c.Bytes()})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: foreseen is %v", says, err)
		}
		if res, err := a.Run(t.Context(), r); res.OK || !strings.Contains(fmt.Sprint(err, res.Error), says) {
			t.Errorf("%s: %+v, %v", says, res, err)
		}
	}
	if l := s.Processes().List(); len(l) != 1 {
		t.Errorf("kept: %+v", l)
	}
	good := step(t, s, "run", sleeps)
	if err := foreseen(a, good, &foresee.Ahead{Content: sleeps.Bytes()}); err != nil {
		t.Errorf("a good one: %v", err)
	}
	// What acts before it make is there by then.
	late := reconcile.Command{Argv: []string{"/srv/new/program"}, Cwd: "/srv/new"}
	var f foresee.Ahead
	f.Leaves("/srv/new/program", foresee.File)
	f.Leaves("/srv/new", foresee.Directory)
	for says, f := range map[string]foresee.Ahead{"": f, "/srv/new/program": {}, "-": {Programs: true}} {
		f.Content = late.Bytes()
		err := foreseen(a, step(t, s, "run", late), &f)
		if wrong := says == "/srv/new/program"; (err != nil) != wrong || wrong && !strings.Contains(err.Error(), says) || !f.Programs {
			t.Errorf("%q: %v, runs a program: %v", says, err, f.Programs)
		}
	}
}

// TestDeclare_UndoBringsBackWhatWasKept: from nothing, from another command, from
// one that was held, and from removing it.
func TestDeclare_UndoBringsBackWhatWasKept(t *testing.T) {
	other := sleeps
	other.Argv = []string{"/bin/sleep", "2000"}
	ways := map[string]func(*testing.T, *actions.Set) remedy.Request{
		"run":    func(t *testing.T, s *actions.Set) remedy.Request { return step(t, s, "run", sleeps) },
		"other":  func(t *testing.T, s *actions.Set) remedy.Request { return step(t, s, "run", other) },
		"hold":   func(t *testing.T, s *actions.Set) remedy.Request { return step(t, s, "hold", sleeps) },
		"remove": func(t *testing.T, s *actions.Set) remedy.Request { return step(t, s, "remove", sleeps) },
	}
	type stand struct {
		definition    string
		kept, running bool
	}
	for before, first := range ways {
		for after, then := range ways {
			t.Run(before+", "+after, func(t *testing.T) {
				s := brings(t)
				a := action(t, s, "declare")
				look := func() stand {
					raw, _ := s.Processes().Definition("own")
					i, kept := s.Processes().Look("own")
					return stand{string(raw), kept, i.Running}
				}
				act := func(r remedy.Request) {
					t.Helper()
					if res, err := a.Run(t.Context(), r); err != nil || !res.OK {
						t.Fatalf("%v: %+v, %v", r.With, res, err)
					}
				}
				act(first(t, s))
				was := look()
				r := then(t, s)
				back, err := a.(remedy.Undoer).Undo(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				act(r)
				act(back)
				if got := look(); got != was {
					t.Errorf("was %+v, came back as %+v", was, got)
				}
			})
		}
	}
}

// TestDeclare_BytesThatWereLentAndAreGone: an act that a crash cut short is done
// again without its bytes where they are on disk, and fails where they are not.
func TestDeclare_BytesThatWereLentAndAreGone(t *testing.T) {
	s := brings(t)
	a := action(t, s, "declare")
	r := step(t, s, "run", sleeps)
	if res, err := a.Run(t.Context(), r); err != nil || !res.OK {
		t.Fatalf("%+v, %v", res, err)
	}
	if _, err := s.Contents().Sweep(0, time.Now().Add(time.Hour), func(string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if res, err := a.Run(t.Context(), r); err != nil || !res.OK || res.Data["changed"] != false {
		t.Errorf("on disk: %+v, %v", res, err)
	}
	r.With = maps.Clone(r.With)
	r.With["sha256"] = blob.Sum([]byte("x"))
	if _, err := a.Run(t.Context(), r); fault.KindOf(err) != fault.NotFound {
		t.Errorf("nowhere: %v", err)
	}
}

// TestDeclare_TheWordsAreThoseOfTheConfig: what a document can say of a command is
// read by the supervisor as it was meant, setting by setting, and there is none that
// the document lacks.
func TestDeclare_TheWordsAreThoseOfTheConfig(t *testing.T) {
	c := reconcile.Command{Argv: []string{"/bin/x", "a b"}, User: "u", Group: "g", Env: map[string]string{"A": "b"}, Cwd: "/c", Hold: 2 * time.Second, StopSignal: "SIGINT", StopTimeout: 3 * time.Second,
		Log: "/l", LogMax: 7, Limits: map[string]uint64{"nofile": 9}, Sealed: []string{"A"}, Ready: reconcile.Ready{TCP: "h:1", Timeout: time.Minute}}
	p, err := supervise.Parse("own", c.Bytes())
	want := supervise.Process{Name: "own", Argv: c.Argv, User: "u", Group: "g", Env: c.Env, Cwd: "/c", Hold: 2 * time.Second, StopSignal: "SIGINT", StopTimeout: 3 * time.Second, Log: "/l", LogMax: 7, Limits: c.Limits,
		Ready: supervise.Ready{TCP: "h:1", Timeout: time.Minute}}
	if err != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("%+v, %v", p, err)
	}
	for _, r := range []reconcile.Ready{{Exec: []string{"/bin/y"}}, {HTTP: "http://h"}, {File: "/f"}, {After: time.Second}} {
		c.Ready = r
		p, err := supervise.Parse("own", c.Bytes())
		if got := (reconcile.Ready{Exec: p.Ready.Exec, TCP: p.Ready.TCP, HTTP: p.Ready.HTTP, File: p.Ready.File, After: p.Ready.After, Timeout: p.Ready.Timeout}); err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%+v became %+v, %v", r, got, err)
		}
	}
	words := func(of any, tag string) map[string]bool {
		out := map[string]bool{}
		for i := range reflect.TypeOf(of).NumField() {
			name, _, _ := strings.Cut(reflect.TypeOf(of).Field(i).Tag.Get(tag), ",")
			out[name] = true
		}
		return out
	}
	theirs, ours := words(supervise.Process{}, "toml"), words(reconcile.Command{}, "json")
	delete(theirs, "name")
	delete(theirs, "autostart") // that is the state of the document
	delete(ours, "sealed")
	if !maps.Equal(theirs, ours) || !maps.Equal(words(supervise.Ready{}, "toml"), words(reconcile.Ready{}, "json")) {
		t.Errorf("a [[process]] has %v, a document %v", theirs, ours)
	}
	if b, err := json.Marshal(reconcile.Command{Argv: []string{"/bin/x"}}); err != nil || string(b) != `{"argv":["/bin/x"]}` {
		t.Errorf("%s, %v", b, err)
	}
}

// TestProcess_MayComeWithADocument: a policy names a process that is not there yet,
// where documents may bring it; a name that none can have is refused still.
func TestProcess_MayComeWithADocument(t *testing.T) {
	s := brings(t)
	a := action(t, s, "process")
	if _, err := a.Resolve(request("process", with{"process": "own", "verb": "restart"})); err != nil {
		t.Error(err)
	}
	if _, err := a.Run(t.Context(), request("process", with{"process": "own"})); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
	if _, err := a.Resolve(request("process", with{"process": "../own"})); fault.KindOf(err) != fault.Unprocessable {
		t.Errorf("%v", err)
	}
	res, err := action(t, s, "declare").Run(t.Context(), step(t, s, "hold", sleeps))
	if err != nil || !res.OK {
		t.Fatalf("%+v, %v", res, err)
	}
	if res, err = a.Run(t.Context(), request("process", with{"process": "own"})); err != nil || !res.OK {
		t.Errorf("%+v, %v", res, err)
	}
	i, _ := s.Processes().Look("own")
	if p, err := launch.Look(i.Pid); err != nil || p.Name != "sleep" {
		t.Errorf("%+v, %v", p, err)
	}
}
