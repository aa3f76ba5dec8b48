package place

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Foresee says why nothing can be written at a path, whatever stands there by then:
// the file system of its folder, or of the nearest one above it that is there, is
// read-only for this process. itself asks about the folder at the path where there is
// one, for what is done to it and not beside it. It makes nothing, follows no link,
// and does not block for long. What it cannot see it does not know: the act says so.
func Foresee(path string, itself bool) error {
	parts, err := split(path)
	if err != nil {
		return err
	}
	if !itself {
		parts = parts[:len(parts)-1]
	}
	at, err := root()
	if err != nil {
		return err
	}
	defer func() { unix.Close(at) }()
	folder := "/"
	for _, n := range parts {
		next, _, err := step(at, n, false)
		if err != nil {
			break
		}
		unix.Close(at)
		at, folder = next, filepath.Join(folder, n)
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(at, &fs); err == nil && fs.Flags&unix.ST_RDONLY != 0 {
		return readOnly(path, folder)
	}
	return nil
}
