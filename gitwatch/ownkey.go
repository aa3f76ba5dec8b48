package gitwatch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"vigil/engine/fault"
	"vigil/gitwatch/signers"
)

// OwnKey is the key that vigild signs its own commits with: a file of the data
// directory that only its owner may read, made when it is first needed. That it
// exists lets nobody in: whoever wants its commits adds it to the allowed signers.
// It may be used concurrently and blocks on the disk.
type OwnKey struct {
	path, comment string
	made          func(k *signers.Key, path string)

	mu  sync.Mutex
	key *signers.Key
}

// NewOwnKey touches nothing yet. The comment stands in the file; made is told of a
// new key, and may be nil.
func NewOwnKey(cfg Config, comment string, made func(k *signers.Key, path string)) *OwnKey {
	return &OwnKey{path: filepath.Join(cfg.DataDir, "git", "signing.key"), comment: comment, made: made}
}

// Get is the key. Unavailable: it cannot be read or made, or others may read it.
func (o *OwnKey) Get() (*signers.Key, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.key != nil {
		return o.key, nil
	}
	info, err := os.Lstat(o.path)
	if errors.Is(err, fs.ErrNotExist) {
		k, err := o.make()
		if err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "the key that vigild signs with cannot be made")
		}
		o.key = k
		if o.made != nil {
			o.made(k, o.path)
		}
		return k, nil
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the key that vigild signs with")
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fault.New(fault.Unavailable, "the key that vigild signs with is no file, or others than its owner may use it (%s)", info.Mode()).At(o.path).
			Mend("if nobody had it: chmod 600. Else take it out of the allowed signers and remove it: a new one is made")
	}
	text, err := readSmall(o.path, 64<<10)
	if err != nil {
		return nil, err
	}
	k, err := signers.ParseKey(text)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the key that vigild signs with cannot be read: %v", err).At(o.path).
			Mend("remove the file: a new key is made, which has to be added to the allowed signers")
	}
	o.key = k
	return k, nil
}

// make writes a new key beside its place, syncs it, and renames it there: after a
// crash there is a whole key or none.
func (o *OwnKey) make() (*signers.Key, error) {
	dir := filepath.Dir(o.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	k, text, err := signers.NewKey(o.comment)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, ".new-*") // 0600 from the start
	if err != nil {
		return nil, err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), o.path)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return k, errors.Join(d.Sync(), d.Close())
}
