package heal

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"vigil/actions/blob"
	"vigil/actions/catalogue"
	"vigil/actions/launch"
	"vigil/actions/param"
	"vigil/actions/place"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/remedy/foresee"
)

// file writes, dresses or removes one file.
type file struct {
	touch
	deps Deps
}

type fileWant struct {
	want
	sha, was string
	link     string // of the target that a link had
	content  *string
	validate []string
	closed   bool // what is in it is not to be told, whatever its mode
}

var hexSum = regexp.MustCompile(`^[0-9a-f]{64}$`)

// notThere is the value of `was` for a file that has to be missing.
const notThere = "absent"

// Resolve: path (required); content (text) or sha256 (of content that is kept),
// or absent: true, or neither, which leaves the bytes alone; permissions, owner,
// group; within (a user in whose folder it may be, else the owner); was (the sha256 that the file has to have still, or "absent"); parents:
// true makes missing folders; link (the sha256 of the target, kept) where what was done is
// taken back and a link stood there; validate (a JSON list: argv, in which {} is the new
// file; it has to exit with 0); closed: true tells nothing of what that says.
func (a file) Resolve(r remedy.Request) (remedy.Spec, error) {
	_, s, err := a.read(r)
	return s, err
}

func (a file) read(r remedy.Request) (w fileWant, s remedy.Spec, err error) {
	p := param.Read(r.With)
	w.want = a.want(p)
	w.sha, w.was = p.Text("sha256", false), p.Text("was", false)
	if v, ok := p.Take("content"); ok {
		t := p.Text("content", false)
		if v == "" || t != "" {
			w.content = &t
		}
	}
	if v := p.Text("validate", false); v != "" {
		switch err := json.Unmarshal([]byte(v), &w.validate); {
		case !a.conf.Commands:
			p.Bad("validate", "commands are not trusted here; git.trust_commands of the local config says so")
		case err != nil || len(w.validate) == 0 || !slices.Contains(w.validate, "{}"):
			p.Bad("validate", `expected a list of text in JSON, one of which is {}: ["/usr/sbin/nginx","-tc","{}"]`)
		}
	}
	w.closed = flag(p, "closed")
	if w.attr.program() && !a.conf.Commands {
		p.Bad("permissions", "%s makes a program that runs as its owner; the local config allows that with git.trust_commands", w.attr.permissions)
	}
	if w.sha != "" && !hexSum.MatchString(w.sha) {
		p.Bad("sha256", "%q is no sha256 in hex", w.sha)
	}
	if w.was != "" && w.was != notThere && !hexSum.MatchString(w.was) {
		p.Bad("was", "%q is no sha256 in hex, and not absent", w.was)
	}
	w.linked(p, r)
	writes := w.writes()
	switch {
	case w.sha != "" && w.content != nil:
		p.Bad("content", "content and sha256 exclude each other")
	case w.absent && (writes || w.attr.permissions+w.attr.group != "" || w.validate != nil):
		p.Bad("absent", "what is to be absent has no content, no group and no permissions")
	case !w.absent && !writes && w.attr == attributes{}:
		p.Bad("path", "nothing is said about the file: content, sha256, absent, permissions, owner or group")
	case w.validate != nil && !writes:
		p.Bad("validate", "there is no new content to validate")
	}
	if err := p.Err(); err != nil {
		return w, s, err
	}
	verb := "write "
	switch {
	case w.link != "":
		verb = "put back the link "
	case w.absent:
		verb = "remove "
	case !writes:
		verb = "set permissions and owner of "
	}
	return w, remedy.Spec{Subject: "file:" + w.path, Kind: "file", Class: remedy.Convergent, Cost: 2, Timeout: time.Minute, Summary: verb + w.path}, nil
}

func (a file) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	w, spec, err := a.read(r)
	if err != nil {
		return remedy.Result{}, err
	}
	if r.Timeout > 0 {
		spec.Timeout = r.Timeout
	}
	ctx, stop := context.WithTimeout(ctx, spec.Timeout)
	defer stop()
	content, lost := a.bytes(w)
	if lost != nil && fault.KindOf(lost) != fault.NotFound {
		return remedy.Result{}, lost
	}
	if err := a.keeps(w.path, content); err != nil && w.link == "" {
		return remedy.Result{}, err
	}
	h, res, err := a.begin(ctx, w.want)
	if h == nil {
		return res, err
	}
	defer h.Close()
	attr, st, there := h.attr, h.st, h.there
	sum := notThere
	regular := there && st.Mode&unix.S_IFMT == unix.S_IFREG
	if regular {
		if sum, err = h.Sum(blob.Max); err != nil {
			return failed(err)
		}
	}
	if lost != nil { // lent, and the process ended since: the act may have been done before
		if sum == w.sha && !differ(attr, st) {
			return done(false, nil), nil
		}
		return remedy.Result{}, lost
	}
	if w.link != "" && lost == nil {
		return a.relink(h, r, w, string(content), sum)
	}
	if content != nil && regular && sum == blob.Sum(content) {
		content = nil // the bytes are right already
		if !differ(attr, st) {
			return done(false, nil), nil
		}
	} else if w.was != "" && w.was != sum && (there || !w.absent) {
		return remedy.Result{Stale: true, Error: w.path + " changed since it was looked at, and is not overwritten"}, nil
	}
	if content != nil && regular {
		if err := a.ownersProgram(w, st); err != nil {
			return failed(err)
		}
	}
	undo, lost := a.keep(h, r, w)
	var changed bool
	switch {
	case w.absent && !there:
	case w.absent:
		changed, err = true, h.Remove(false)
	case content != nil:
		changed, err = true, h.Write(content, attr, a.check(ctx, w, h))
	case !there:
		err = fault.New(fault.Conflict, "%s is not there", w.path)
	case regular && !differ(attr, st):
	default:
		changed, err = true, a.dress(h)
	}
	if err != nil {
		return failed(err)
	}
	res = done(changed, undo)
	if changed && lost != nil {
		res.Data["not_undoable"] = lost.Error()
	}
	return res, nil
}

// Sweep takes away the new file that was not in its place yet when vigild died.
func (a file) Sweep(_ context.Context, r remedy.Request) error {
	w, _, err := a.read(r)
	if err != nil {
		return err
	}
	w.parents = false
	h, err := a.hold(w.want)
	if fault.KindOf(err) == fault.NotFound || fault.KindOf(err) == fault.Conflict {
		return nil // the folder is gone, or not one that was written in
	}
	if err != nil {
		return err
	}
	defer h.Close()
	return h.Sweep()
}

// Foresee says what stops the act on this host; see foresee.Foreseer.
func (a file) Foresee(r remedy.Request, f *foresee.Ahead) error {
	w, _, err := a.read(r)
	if err != nil {
		return err
	}
	in := place.Intent{Writes: w.writes(), Bytes: f.Bytes, Most: blob.Max}
	if w.content != nil {
		in.Bytes = int64(len(*w.content))
	}
	st, there, err := a.foresee(w.want, f, in)
	if err != nil || !in.Writes || f.Programs {
		return err
	}
	if there {
		err = a.ownersProgram(w, st)
	}
	if err == nil && w.validate != nil && w.validate[0] != "{}" {
		if left, known := f.At(w.validate[0]); !known || left != foresee.File {
			err = launch.Startable(launch.Program{Argv: w.validate[:1]})
		}
	}
	return err
}

// ownersProgram refuses new bytes for what runs as its owner where commands are not
// trusted.
func (a file) ownersProgram(w fileWant, st unix.Stat_t) error {
	if a.conf.Commands || w.attr.permissions != "" || st.Mode&unix.S_IFMT != unix.S_IFREG || !runsAsOwner(st.Mode) {
		return nil
	}
	return fault.New(fault.Conflict, "%s runs as its owner (mode %04o): what is in it is a command, and documents are not trusted with commands here", w.path, st.Mode&0o7777)
}

// bytes is the content that is wanted, nil none.
func (a file) bytes(w fileWant) ([]byte, error) {
	switch {
	case w.content != nil:
		return []byte(*w.content), nil
	case w.sha+w.link != "":
		b, err := a.deps.Contents.Get(w.sha + w.link) // there is one of them
		if b == nil && err == nil {
			b = []byte{}
		}
		return b, err
	}
	return nil, nil
}

// dress changes the file in place; one with several names is written anew, so
// that the others keep what they have.
func (a file) dress(h *held) error {
	if h.st.Nlink < 2 || h.st.Mode&unix.S_IFMT != unix.S_IFREG {
		return h.Dress(h.attr, false)
	}
	b, _, _, err := h.Read(blob.Max)
	if err != nil {
		return err
	}
	return h.Write(b, h.attr, nil)
}

// check runs the validate command on the new file before it counts. What it says of a
// file that not everybody may read may quote it, and is not told.
func (a file) check(ctx context.Context, w fileWant, h *held) func(string) error {
	if w.validate == nil {
		return nil
	}
	return func(path string) error {
		argv := slices.Clone(w.validate)
		for i, x := range argv {
			if x == "{}" {
				argv[i] = path
			}
		}
		o, err := a.deps.Launcher.Run(ctx, launch.Program{Argv: argv, Env: catalogue.FixedEnv(), Timeout: 30 * time.Second, KillRest: true})
		switch {
		case err != nil:
			return err
		case o.TimedOut || o.Cancelled:
			return fault.New(fault.Timeout, "the validation of %s did not end in time", w.path)
		case o.Exit != 0:
			if w.closed || h.mode()&0o004 == 0 {
				o.Output = ""
				return fault.New(fault.Conflict, "%s stays as it is: %s refuses the new one (%s; what it said is not told, since the file is not for everybody)", w.path, argv[0], ended(o))
			}
			return fault.New(fault.Conflict, "%s stays as it is: %s refuses the new one (%s)", w.path, argv[0], ended(o))
		}
		return nil
	}
}

// Undo says what brings back of the file, as it stands now, what the act changes;
// the rest is others'. Bytes that the act replaces are kept for that: TooLarge
// when there are too many, Unsupported for what is no file. An act that wants the
// file to be as it was looked at has a way back that wants it as the act left it.
func (a file) Undo(_ context.Context, r remedy.Request) (remedy.Request, error) {
	w, _, err := a.read(r)
	if err != nil {
		return remedy.Request{}, err
	}
	h, err := a.hold(w.want)
	if err != nil {
		return remedy.Request{}, err
	}
	defer h.Close()
	back, err := a.keep(h, r, w)
	if err != nil {
		return remedy.Request{}, err
	}
	return *back, nil
}

func (a file) keep(h *held, r remedy.Request, w fileWant) (*remedy.Request, error) {
	back := r
	switch {
	case !h.there:
		back.With = w.missing()
		w.unchanged(back.With)
		return &back, nil
	case h.st.Mode&unix.S_IFMT == unix.S_IFLNK && (w.absent || w.writes()):
		return a.keepLink(h, r, w)
	case h.st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, fault.New(fault.Unsupported, "%s is no regular file, and what it was does not come back", w.path)
	}
	if runsAsOwner(h.st.Mode) && !a.conf.Commands {
		return nil, fault.New(fault.Unsupported, "%s runs as its owner (mode %04o), and does not come back so", w.path, h.st.Mode&0o7777).Mend("git.trust_commands = true lets it")
	}
	back.With = w.before(h.st)
	if !w.absent && !w.writes() {
		return &back, nil // the bytes are not touched
	}
	b, st, there, err := h.Read(blob.Max)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, fault.New(fault.Conflict, "%s went away while it was looked at", w.path)
	}
	sum, err := a.deps.Contents.Put(b)
	if err != nil {
		return nil, err
	}
	back.With = w.before(st)
	back.With["sha256"] = sum
	w.unchanged(back.With)
	return &back, nil
}

// unchanged makes the way back of an act that wants the file as it was looked at
// want it as the act leaves it: what others wrote since is theirs.
func (w fileWant) unchanged(with map[string]any) {
	switch {
	case w.was == "" || w.absent:
	case w.content != nil:
		with["was"] = blob.Sum([]byte(*w.content))
	case w.sha != "":
		with["was"] = w.sha
	}
}

// ended says how a program refused, with the beginning of what it said.
func ended(o launch.Outcome) string {
	how := fmt.Sprintf("exit %d", o.Exit)
	if o.Signal != "" {
		how = "signal " + o.Signal
	}
	if said := strings.TrimSpace(o.Output); said != "" {
		how += fmt.Sprintf(": %.500s", said)
	}
	return how
}
