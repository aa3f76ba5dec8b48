package heal

import (
	"context"

	"golang.org/x/sys/unix"

	"vigil/actions/param"
	"vigil/actions/place"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// want is what a request says of a file as well as of a folder.
type want struct {
	path    string
	absent  bool
	parents bool // those above that are missing are made
	attr    attributes
}

func (t touch) want(p *param.Reader) want {
	return want{path: t.path(p), absent: flag(p, "absent"), parents: flag(p, "parents"), attr: readAttributes(p)}
}

// foresee says which account is not there, and which folder is read-only; see
// remedy.Foreseer. itself: a folder that is there is changed, and not the one that it
// lies in.
func (w want) foresee(itself bool) error {
	if !w.absent {
		if _, err := w.attr.numbers(); err != nil {
			return err
		}
	}
	return place.Foresee(w.path, itself)
}

// missing are the parameters that take away what was not there.
func (w want) missing() map[string]any {
	m := map[string]any{"path": w.path, "absent": true}
	if w.attr.owner != "" {
		m["owner"] = w.attr.owner
	}
	return m
}

// held is a place, what stands there, and the attributes that it is to have.
type held struct {
	*place.Place
	attr  place.Attributes
	st    unix.Stat_t
	there bool
}

// hold looks the accounts up, takes hold of the folder and looks at what is in it.
// The caller closes it.
func (t touch) hold(w want) (*held, error) {
	attr, err := w.attr.numbers()
	if err != nil {
		return nil, err
	}
	p, err := place.Open(w.path, place.Way{Owner: attr.UID, Parents: w.parents, Refused: t.conf.Refused})
	if err != nil {
		return nil, err
	}
	h := &held{Place: p, attr: attr}
	if h.st, h.there, err = p.Stat(); err != nil {
		p.Close()
		return nil, err
	}
	return h, nil
}

// begin is hold for an act. Without a place the act is over, as the rest says:
// what is to be absent is in a folder that is not there, or its time has passed.
func (t touch) begin(ctx context.Context, w want) (*held, remedy.Result, error) {
	h, err := t.hold(w)
	switch {
	case err != nil && w.absent && fault.KindOf(err) == fault.NotFound:
		return nil, done(false, nil), nil
	case err != nil:
		return nil, remedy.Result{}, err
	case ctx.Err() != nil:
		h.Close()
		return nil, remedy.Result{Error: "cut short: " + ctx.Err().Error(), TimedOut: true}, nil
	}
	return h, remedy.Result{}, nil
}
