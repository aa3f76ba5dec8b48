// Package blob keeps bytes by their sha256, under the data directory: what an act
// is to write, and what stood there before it, for undo.
//
// A request then names its content and does not hold it, so that neither the
// ledger nor the audit holds what is in a file. It refuses bytes over a cap and
// bytes that are not what their name says. A blob is on the disk when Put has
// returned; one that a crash cut short is never read as whole. What is lent is in
// memory alone, bounded, and gone with the process. Starts nothing; concurrent.
package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"vigil/engine/fault"
)

// Max is the bytes of one blob.
const Max = 16 << 20

// Store is a folder of blobs.
type Store struct {
	dir  string
	lent loans
}

// New names the folder; it is made at the first Put.
func New(dir string) *Store { return &Store{dir: dir} }

var name = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Sum is the name of bytes.
func Sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// Put keeps b and returns its name.
func (s *Store) Put(b []byte) (string, error) {
	if len(b) > Max {
		return "", fault.New(fault.TooLarge, "%d bytes cannot be kept, at most %d are", len(b), Max)
	}
	sum := Sum(b)
	at := filepath.Join(s.dir, sum)
	if have, err := s.read(sum); err == nil && len(have) == len(b) {
		now := time.Now()
		_ = os.Chtimes(at, now, now) // wanted again: a sweep leaves it
		return sum, nil
	}
	if err := s.write(at, b); err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "content cannot be kept")
	}
	return sum, nil
}

func (s *Store) write(at string, b []byte) (err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(s.dir, "new-*")
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(b); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), at); err != nil {
		return err
	}
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Get is the bytes of a name: NotFound, or Corrupt when they are others.
func (s *Store) Get(sum string) ([]byte, error) {
	if !name.MatchString(sum) {
		return nil, fault.New(fault.Unprocessable, "%.80q is no sha256", sum)
	}
	if b := s.lent.borrowed(sum); b != nil {
		return b, nil
	}
	return s.read(sum)
}

// read is Get from the disk.
func (s *Store) read(sum string) ([]byte, error) {
	f, err := os.Open(filepath.Join(s.dir, sum))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "the content %s is not kept here", sum)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the content %s", sum)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, Max+1))
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the content %s", sum)
	}
	if Sum(b) != sum {
		return nil, fault.New(fault.Corrupt, "the content %s is not what was kept", sum)
	}
	return b, nil
}

// Sweep removes what keep does not want and is older than age, and returns how
// many that were.
func (s *Store) Sweep(age time.Duration, now time.Time, keep func(sum string) bool) (int, error) {
	es, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fault.Wrap(fault.Unavailable, err, "kept content")
	}
	n := 0
	for _, e := range es {
		if i, err := e.Info(); err != nil || now.Sub(i.ModTime()) < age || name.MatchString(e.Name()) && keep(e.Name()) {
			continue
		}
		if os.Remove(filepath.Join(s.dir, e.Name())) == nil {
			n++
		}
	}
	return n, nil
}
