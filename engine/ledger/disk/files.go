package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// ioFault gives an error of the file system its kind.
func ioFault(err error, format string, args ...any) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.NotFound, err, format, args...)
	}
	return fault.Wrap(fault.Unavailable, err, format, args...)
}

// settle puts a finished file on disk under its name.
func settle(half, path string) error {
	h, err := os.OpenFile(half, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return ioFault(err, "opening %s", half)
	}
	if err := errors.Join(h.Chmod(0o600), h.Sync(), h.Close(), os.Rename(half, path), syncDir(filepath.Dir(path))); err != nil {
		return ioFault(err, "writing %s", path)
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return ioFault(err, "opening %s", from)
	}
	defer in.Close() // only read
	half := to + ".half"
	out, err := os.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return ioFault(err, "opening %s", half)
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return ioFault(err, "copying %s to %s", from, to)
	}
	return settle(half, to)
}

// writeFile replaces a small file whole.
func writeFile(path string, b []byte) error {
	half := path + ".half"
	if err := os.WriteFile(half, b, 0o600); err != nil {
		return ioFault(err, "writing %s", path)
	}
	return settle(half, path)
}

// fileSize is -1 where there is no file.
func fileSize(path string) int64 {
	st, err := os.Lstat(path)
	if err != nil {
		return -1
	}
	return st.Size()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
