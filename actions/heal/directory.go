package heal

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"vigil/actions/param"
	"vigil/actions/place"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// directory makes, dresses or removes one folder; never what is in it.
type directory struct{ touch }

// Resolve: path (required), permissions, owner, group; absent: true removes the
// folder if it is empty; parents: true makes those above it that are missing.
func (a directory) Resolve(r remedy.Request) (remedy.Spec, error) {
	_, s, err := a.read(r)
	return s, err
}

func (a directory) read(r remedy.Request) (w fileWant, s remedy.Spec, err error) {
	p := param.Read(r.With)
	w.path = a.touch.path(p)
	w.absent, w.parents = flag(p, "absent"), flag(p, "parents")
	w.attr = readAttributes(p)
	if a.conf.Above != nil && a.conf.Above(w.path) && (w.absent || w.attr != attributes{}) {
		p.Bad("path", "in %s lie programs that others run; the local config allows to change it with git.trust_commands", w.path)
	}
	if w.absent && w.attr.permissions+w.attr.group != "" {
		p.Bad("absent", "what is to be absent has no group and no permissions")
	}
	if err := p.Err(); err != nil {
		return w, s, err
	}
	verb := "set up the folder "
	if w.absent {
		verb = "remove the folder "
	}
	return w, remedy.Spec{Subject: "file:" + w.path, Kind: "directory", Class: remedy.Convergent, Cost: 2, Timeout: 30 * time.Second, Summary: verb + w.path}, nil
}

func (a directory) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	w, _, err := a.read(r)
	if err != nil {
		return remedy.Result{}, err
	}
	attr, p, err := a.hold(w)
	if err != nil {
		if w.absent && fault.KindOf(err) == fault.NotFound {
			return done(false, nil), nil
		}
		return remedy.Result{}, err
	}
	defer p.Close()
	if ctx.Err() != nil {
		return remedy.Result{Error: "cut short: " + ctx.Err().Error(), TimedOut: true}, nil
	}
	st, there, err := p.Stat()
	if err != nil {
		return remedy.Result{}, err
	}
	folder := there && st.Mode&unix.S_IFMT == unix.S_IFDIR
	back := undoFolder(r, w, st, there)
	switch {
	case there && !folder:
		return remedy.Result{Error: w.path + " is no folder, and is not replaced by one"}, nil
	case w.absent && !there, !w.absent && folder && !differ(attr, st):
		return done(false, nil), nil
	case w.absent:
		err = p.Remove(true)
	default:
		if !there {
			err = p.Mkdir()
		}
		if err == nil && (w.attr != attributes{}) {
			err = p.Dress(attr, true)
		}
	}
	if err != nil {
		return failed(err)
	}
	return done(true, &back), nil
}

// Foresee says which account is not there; see remedy.Foreseer.
func (a directory) Foresee(r remedy.Request) error {
	w, _, err := a.read(r)
	if err == nil && !w.absent {
		_, err = w.attr.numbers()
	}
	return err
}

func (a directory) hold(w fileWant) (place.Attributes, *place.Place, error) {
	attr, err := w.attr.numbers()
	if err != nil {
		return attr, nil, err
	}
	p, err := place.Open(w.path, place.Way{Owner: attr.UID, Parents: w.parents, Refused: a.conf.Refused})
	return attr, p, err
}

// Undo says what brings the folder back as it stands now.
func (a directory) Undo(_ context.Context, r remedy.Request) (remedy.Request, error) {
	w, _, err := a.read(r)
	if err != nil {
		return remedy.Request{}, err
	}
	_, p, err := a.hold(w)
	if err != nil {
		return remedy.Request{}, err
	}
	defer p.Close()
	st, there, err := p.Stat()
	if err != nil {
		return remedy.Request{}, err
	}
	return undoFolder(r, w, st, there), nil
}

// missing are the parameters that take away what was not there.
func missing(w fileWant) map[string]any {
	m := map[string]any{"path": w.path, "absent": true}
	if w.attr.owner != "" {
		m["owner"] = w.attr.owner
	}
	return m
}

func undoFolder(r remedy.Request, w fileWant, st unix.Stat_t, there bool) remedy.Request {
	if there {
		r.With = with(w.path, st)
	} else {
		r.With = missing(w)
	}
	return r
}
