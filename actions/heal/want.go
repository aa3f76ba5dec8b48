package heal

import (
	"cmp"
	"context"
	"path"

	"golang.org/x/sys/unix"

	"vigil/actions/param"
	"vigil/actions/place"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/remedy/foresee"
)

// want is what a request says of a file as well as of a folder.
type want struct {
	path    string
	absent  bool
	parents bool   // those above that are missing are made
	within  string // in whose folder it may be, beside root's and vigild's; "" the owner's
	attr    attributes
}

func (t touch) want(p *param.Reader) want {
	return want{path: t.path(p), absent: flag(p, "absent"), parents: flag(p, "parents"), within: p.Text("within", false), attr: readAttributes(p)}
}

// foresee says what stops the act on this host after those before it, and notes what it
// leaves; see foresee.Foreseer. in says what the act is about. What stands there now
// is st.
func (t touch) foresee(w want, f *foresee.Ahead, in place.Intent) (st unix.Stat_t, there bool, err error) {
	attr, err := w.attr.numbers()
	if err != nil {
		return st, false, err
	}
	within, err := w.host(attr.UID)
	if err != nil {
		return st, false, err
	}
	if f.Taken == nil {
		f.Taken = map[uint64]int64{}
	}
	sight, _ := f.Sight.(*place.Sight)
	if sight == nil {
		sight = new(place.Sight)
		f.Sight = sight
	}
	in.Absent, in.Attr, in.Guess, in.Taken, in.Sight = w.absent, attr, f.Programs, f.Taken, sight
	in.Left = func(path string) (folder, there, known bool) {
		l, known := f.At(path)
		return l == foresee.Directory, l != foresee.Nothing, known
	}
	st, there, err = place.Foresee(w.path, place.Way{Owner: within, Parents: w.parents, Refused: t.conf.Refused}, in)
	switch {
	case w.absent:
		f.Leaves(w.path, foresee.Nothing)
		return st, there, err
	case in.Folder:
		f.Leaves(w.path, foresee.Directory)
	default:
		f.Leaves(w.path, foresee.File)
	}
	for d := path.Dir(w.path); w.parents && d != "/"; d = path.Dir(d) {
		f.Leaves(d, foresee.Directory)
	}
	return st, there, err
}

// host is in whose folder it may be.
func (w want) host(owner int) (int, error) {
	if w.within == "" {
		return owner, nil
	}
	a, err := attributes{owner: w.within}.numbers()
	return a.UID, err
}

// missing are the parameters that take away what was not there.
func (w want) missing() map[string]any {
	m := map[string]any{"path": w.path, "absent": true}
	w.stays(m)
	return m
}

// stays lets the way back go into the folder that the act went into, whoever the thing
// belongs to by then.
func (w want) stays(with map[string]any) {
	if within := cmp.Or(w.within, w.attr.owner); within != "" {
		with["within"] = within
	}
}

// held is a place, what stands there, and the attributes that it is to have.
type held struct {
	*place.Place
	attr  place.Attributes
	st    unix.Stat_t
	there bool
}

// mode is that of the file once it is written.
func (h *held) mode() uint32 {
	switch {
	case h.attr.Mode >= 0:
		return uint32(h.attr.Mode)
	case h.there && h.st.Mode&unix.S_IFMT == unix.S_IFREG:
		return h.st.Mode & 0o7777
	}
	return 0o644 // see place.Write
}

// hold looks the accounts up, takes hold of the folder and looks at what is in it.
// The caller closes it.
func (t touch) hold(w want) (*held, error) {
	attr, err := w.attr.numbers()
	if err != nil {
		return nil, err
	}
	within, err := w.host(attr.UID)
	if err != nil {
		return nil, err
	}
	p, err := place.Open(w.path, place.Way{Owner: within, Parents: w.parents, Refused: t.conf.Refused})
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
