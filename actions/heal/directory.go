package heal

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"vigil/actions/param"
	"vigil/actions/place"
	"vigil/engine/remedy"
	"vigil/engine/remedy/foresee"
)

// directory makes, dresses or removes one folder; never what is in it.
type directory struct{ touch }

// Resolve: path (required), permissions, owner, group; absent: true removes the
// folder if it is empty; parents: true makes those above it that are missing.
func (a directory) Resolve(r remedy.Request) (remedy.Spec, error) {
	_, s, err := a.read(r)
	return s, err
}

func (a directory) read(r remedy.Request) (w want, s remedy.Spec, err error) {
	p := param.Read(r.With)
	w = a.want(p)
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
	h, res, err := a.begin(ctx, w)
	if h == nil {
		return res, err
	}
	defer h.Close()
	folder := h.there && h.st.Mode&unix.S_IFMT == unix.S_IFDIR
	back := undoFolder(r, w, h)
	switch {
	case h.there && !folder:
		return failed(place.NoFolder(w.path))
	case w.absent && !h.there, !w.absent && folder && !differ(h.attr, h.st):
		return done(false, nil), nil
	case w.absent:
		err = h.Remove(true)
	default:
		if !h.there {
			err = h.Mkdir()
		}
		if err == nil && (w.attr != attributes{}) {
			err = h.Dress(h.attr, true)
		}
	}
	if err != nil {
		return failed(err)
	}
	return done(true, &back), nil
}

// Foresee is that of a file.
func (a directory) Foresee(r remedy.Request, f *foresee.Ahead) error {
	w, _, err := a.read(r)
	if err != nil {
		return err
	}
	_, _, err = a.foresee(w, f, place.Intent{Folder: true})
	return err
}

// Undo says what brings the folder back as it stands now.
func (a directory) Undo(_ context.Context, r remedy.Request) (remedy.Request, error) {
	w, _, err := a.read(r)
	if err != nil {
		return remedy.Request{}, err
	}
	h, err := a.hold(w)
	if err != nil {
		return remedy.Request{}, err
	}
	defer h.Close()
	if h.there && h.st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return remedy.Request{}, place.NoFolder(w.path) // the act will refuse it
	}
	return undoFolder(r, w, h), nil
}

func undoFolder(r remedy.Request, w want, h *held) remedy.Request {
	if h.there {
		r.With = w.before(h.st)
	} else {
		r.With = w.missing()
	}
	return r
}
