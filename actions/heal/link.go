package heal

import (
	"strconv"

	"golang.org/x/sys/unix"

	"vigil/actions/param"
	"vigil/actions/place"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// linked reads the parameter link. No document, ladder or person makes links: where one
// leads, other programs write, and the folders that may be touched would not bound them.
func (w *fileWant) linked(p *param.Reader, r remedy.Request) {
	w.link = p.Text("link", false)
	switch {
	case w.link == "":
	case !r.Back:
		p.Bad("link", "a link is put back where one stood, and not made")
	case !hexSum.MatchString(w.link):
		p.Bad("link", "%q is no sha256 in hex", w.link)
	case w.absent || w.sha != "" || w.content != nil || w.validate != nil || w.attr.permissions != "":
		p.Bad("link", "a link has no content and no permissions")
	}
}

// writes says that what is in the file, or where the link leads, becomes another.
func (w fileWant) writes() bool { return w.sha != "" || w.content != nil || w.link != "" }

// keepLink is the way back to the link that stands: where it leads, which is kept as bytes
// are, and whose it is.
func (a file) keepLink(h *held, r remedy.Request, w fileWant) (*remedy.Request, error) {
	target, err := h.Target()
	if err != nil {
		return nil, err
	}
	sum, err := a.deps.Contents.Put([]byte(target))
	if err != nil {
		return nil, err
	}
	r.Back = true
	r.With = map[string]any{"path": w.path, "link": sum, "owner": strconv.FormatUint(uint64(h.st.Uid), 10), "group": strconv.FormatUint(uint64(h.st.Gid), 10)}
	w.stays(r.With)
	w.unchanged(r.With)
	return &r, nil
}

// relink puts a link back. What was is that of its place now: notThere for a link.
func (a file) relink(h *held, r remedy.Request, w fileWant, target, was string) (remedy.Result, error) {
	if h.there && h.st.Mode&unix.S_IFMT == unix.S_IFLNK {
		now, err := h.Target()
		if err != nil {
			return failed(err)
		}
		if now == target && !differ(place.Attributes{Mode: -1, UID: h.attr.UID, GID: h.attr.GID}, h.st) {
			return done(false, nil), nil
		}
	}
	if w.was != "" && w.was != was {
		return remedy.Result{Stale: true, Error: w.path + " changed since it was looked at, and is not replaced by the link that it was"}, nil
	}
	undo, err := a.keep(h, r, w)
	if err != nil && fault.KindOf(err) != fault.Unsupported {
		return failed(err)
	}
	if err := h.Link(target, h.attr); err != nil {
		return failed(err)
	}
	return done(true, undo), nil
}
