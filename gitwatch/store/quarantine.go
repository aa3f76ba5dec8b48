package store

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/pack"
)

// incoming begins the names of quarantine folders; git looks away from them.
const incoming = "tmp_objdir-incoming-"

// Quarantine is objects that nobody has decided about: beside the store, and
// gone with Drop. It is for one goroutine.
type Quarantine struct {
	store *Store
	dir   string
	pack  *pack.Pack // nil: nothing new came
	view  *objects.View
	epoch int                        // of the store, when the view was made
	whole map[plumbing.Hash]struct{} // of what came, with everything that it refers to
}

// Receive takes a pack from a stream into quarantine and indexes it under the
// caps. A nil stream is a quarantine without objects of its own. The errors are
// those of pack.Index, and TooLarge while the bytes still come. It blocks on the
// stream and the disk. The caller ends it with Drop, landed or not.
func (s *Store) Receive(ctx context.Context, r io.Reader) (*Quarantine, error) {
	return s.fill(ctx, func(f *os.File) error {
		if r == nil {
			return nil
		}
		n, err := io.Copy(f, io.LimitReader(r, s.cfg.Caps.Bytes+1))
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "the pack ends early")
		}
		if n > s.cfg.Caps.Bytes {
			return fault.New(fault.TooLarge, "a pack of over %d bytes", s.cfg.Caps.Bytes)
		}
		return nil
	})
}

// fill makes a quarantine around a pack that write puts into a file; an empty
// file is no pack.
func (s *Store) fill(ctx context.Context, write func(*os.File) error) (*Quarantine, error) {
	if err := s.mend(ctx); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(filepath.Join(s.cfg.Dir, "objects"), incoming)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "no quarantine can be made")
	}
	q := &Quarantine{store: s, dir: dir, whole: map[plumbing.Hash]struct{}{}}
	if err := q.take(ctx, write); err != nil {
		q.Drop()
		return nil, err
	}
	return q, nil
}

func (q *Quarantine) take(ctx context.Context, write func(*os.File) error) error {
	name := filepath.Join(q.dir, "in")
	f, err := os.OpenFile(name+".pack", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "no quarantine can be made")
	}
	err = write(f)
	info, serr := f.Stat()
	if err = errors.Join(err, serr, f.Close()); err != nil {
		return err
	}
	packs, epoch := q.store.held()
	defer release(packs)
	q.epoch = epoch
	if info.Size() > 0 {
		n, err := pack.Index(ctx, name, q.store.cfg.Caps)
		if err != nil {
			return err
		}
		if n > 0 {
			if q.pack, err = pack.Open(name); err != nil {
				return err
			}
			packs = append(packs, q.pack)
			q.pack.Hold()
		}
	}
	q.view = &objects.View{Set: pack.NewSet(q.store.cfg.Caps, packs...)}
	return nil
}

func (s *Store) held() ([]*pack.Pack, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	packs := append([]*pack.Pack(nil), s.packs...)
	for _, p := range packs {
		p.Hold()
	}
	return packs, s.epoch
}

func release(packs []*pack.Pack) {
	for _, p := range packs {
		p.Release()
	}
}

// View reads the store with the quarantine's objects; it ends with Drop.
func (q *Quarantine) View() *objects.View { return q.view }

// Bytes and Objects are what came.
func (q *Quarantine) Bytes() int64 {
	if q.pack == nil {
		return 0
	}
	return q.pack.Size()
}

// Objects is how many objects came.
func (q *Quarantine) Objects() int {
	if q.pack == nil {
		return 0
	}
	return q.pack.Count()
}

// Check says what is missing under the tips, Unprocessable with its name. What
// the store already had is complete and is not walked.
func (q *Quarantine) Check(ctx context.Context, tips ...plumbing.Hash) error {
	for _, t := range tips {
		if _, err := q.view.Commit(t); err != nil {
			if fault.KindOf(err) == fault.NotFound {
				return fault.New(fault.Unprocessable, "the object %s is missing", t)
			}
			return err
		}
	}
	return q.connected(ctx, tips)
}

// connected walks everything under the objects that the store does not have and
// that was not walked before.
func (q *Quarantine) connected(ctx context.Context, from []plumbing.Hash) error {
	main := q.store.View()
	defer main.Close()
	walked := map[plumbing.Hash]struct{}{}
	err := q.view.Connected(ctx, from, func(h plumbing.Hash) bool {
		if _, ok := q.whole[h]; ok || main.Has(h) {
			return true
		}
		walked[h] = struct{}{}
		return false
	})
	if err == nil {
		maps.Copy(q.whole, walked)
	}
	return err
}

// rest walks what came and no tip reaches. It lands with the others, and counts as
// complete from then on, so a tip of another push may rest upon it.
func (q *Quarantine) rest() error {
	if q.pack == nil {
		return nil
	}
	var from []plumbing.Hash
	for _, h := range q.pack.Hashes() {
		if _, ok := q.whole[h]; ok {
			continue
		}
		kind, err := q.view.Kind(h)
		if err != nil {
			return err
		}
		if kind != plumbing.TagObject { // no commit refers to one, and no ref may
			from = append(from, h)
		}
	}
	return q.connected(context.Background(), from)
}

// Land makes the objects part of the store and moves the refs: all of them if
// every one still has its old value, none otherwise (Conflict), and none when
// something is missing under any object that came (Unprocessable). When it returns
// nil, objects and refs are on the disk.
func (q *Quarantine) Land(us ...Update) error {
	s := q.store
	s.land.Lock()
	defer s.land.Unlock()
	for _, u := range us {
		if was := s.Ref(u.Ref); was != u.Old {
			return moved(u.Ref, u.Old, was)
		}
	}
	if err := q.again(us); err != nil {
		return err
	}
	if err := q.rest(); err != nil {
		return err
	}
	if q.pack != nil {
		if err := q.move(); err != nil {
			return fault.Wrap(fault.Unavailable, err, "the objects cannot be stored")
		}
	}
	s.step("ref")
	if len(us) == 0 {
		return nil
	}
	return s.move(us)
}

// again checks anew when the store let go of objects since the view was made:
// what counted as known then may be gone. The caller holds land.
func (q *Quarantine) again(us []Update) error {
	packs, epoch := q.store.held()
	defer release(packs)
	if epoch == q.epoch {
		return nil
	}
	if q.pack != nil {
		packs = append(packs, q.pack)
		q.pack.Hold()
	}
	q.view.Close()
	clear(q.whole)
	q.view, q.epoch = &objects.View{Set: pack.NewSet(q.store.cfg.Caps, packs...)}, epoch
	var tips []plumbing.Hash
	for _, u := range us {
		if !u.New.IsZero() {
			tips = append(tips, u.New)
		}
	}
	return q.Check(context.Background(), tips...)
}

// move brings the pack into the store: the index last, since a pack without one
// is not looked at.
func (q *Quarantine) move() error {
	s := q.store
	from, to := filepath.Join(q.dir, "in"), filepath.Join(s.cfg.Dir, "objects", "pack", "pack-"+q.pack.Sum().String())
	if _, err := os.Lstat(to + ".idx"); err == nil {
		return nil // the same pack again
	}
	s.step("pack")
	for _, f := range []string{from + ".pack", from + ".idx"} {
		if err := s.sync(f); err != nil {
			return err
		}
	}
	if err := os.Rename(from+".pack", to+".pack"); err != nil {
		return err
	}
	s.step("index")
	if err := os.Rename(from+".idx", to+".idx"); err != nil {
		return err
	}
	s.step("folder")
	if err := s.sync(filepath.Dir(to)); err != nil {
		return err
	}
	p, err := pack.Open(to)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.packs = append(s.packs, p)
	s.mu.Unlock()
	return nil
}

// Drop ends the quarantine and removes what is left of it. Twice is harmless.
func (q *Quarantine) Drop() {
	if q.dir == "" {
		return
	}
	if q.view != nil {
		q.view.Close()
	}
	if q.pack != nil {
		q.pack.Release()
	}
	q.store.step("sweep")
	os.RemoveAll(q.dir) // what stays is swept at the next start
	q.dir = ""
}
