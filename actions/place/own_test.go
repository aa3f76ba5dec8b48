package place_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"vigil/actions/place"
	"vigil/engine/fault"
)

// TestOpen_VigildsOwnIsKnownUnderAnyName: what is refused is known by what it is.
// Links stand for bind mounts here: both give a folder two names; where this test
// may mount, it does that too.
func TestOpen_VigildsOwnIsKnownUnderAnyName(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"real/etc/data/in", "real/web", "mnt"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(dir, "real/etc/vigil.toml"), nil, 0o600))
	must(t, os.Symlink(filepath.Join(dir, "real"), filepath.Join(dir, "link")))
	under := func(base string) (out []string) {
		for _, p := range []string{"etc/data", "etc/vigil.toml", "etc/token"} { // the last is not there yet
			out = append(out, filepath.Join(dir, base, p))
		}
		return out
	}
	try := func(base string, refused []string) {
		t.Helper()
		sight := new(place.Sight) // one look for all that are foreseen says the same
		for p, no := range map[string]bool{
			"etc/data": true, "etc/data/x": true, "etc/data/in/x": true, "etc/vigil.toml": true, "etc/token": true, "etc": true,
			"etc/other": false, "web": false, "web/vigil.toml": false,
		} {
			pl, err := place.Open(filepath.Join(dir, base, p), place.Way{Owner: -1, Refused: refused})
			if err == nil {
				pl.Close()
			}
			if no != (fault.KindOf(err) == fault.Forbidden) || !no && err != nil {
				t.Errorf("%s/%s: %v", base, p, err)
			}
			_, _, err = place.Foresee(filepath.Join(dir, base, p), place.Way{Owner: -1, Refused: refused}, place.Intent{Writes: true, Attr: place.Attributes{Mode: -1, UID: -1, GID: -1},
				Sight: sight, Left: func(string) (folder, there, known bool) { return false, false, false }})
			if no != (fault.KindOf(err) == fault.Forbidden) {
				t.Errorf("foreseen, %s/%s: %v", base, p, err)
			}
		}
	}
	// What is vigild's own and not there yet is not made by another name either.
	made := func(base, own string) {
		t.Helper()
		refused := []string{filepath.Join(dir, own, "run/own"), filepath.Join(dir, own, "web/deep/own/token")}
		for p, no := range map[string]bool{"run/own/x": true, "run/own/deep/x": true, "run/other/x": false, "web/deep/own/token": true, "web/deep/own/other": false} {
			pl, err := place.Open(filepath.Join(dir, base, p), place.Way{Owner: -1, Parents: true, Refused: refused})
			if err == nil {
				pl.Close()
			}
			if no != (fault.KindOf(err) == fault.Forbidden) || !no && err != nil {
				t.Errorf("making %s/%s: %v", base, p, err)
			}
			must(t, os.RemoveAll(filepath.Join(dir, "real/run")))
			must(t, os.RemoveAll(filepath.Join(dir, "real/web/deep")))
		}
	}
	try("real", under("link"))
	made("real", "link")
	mnt := filepath.Join(dir, "mnt")
	if err := unix.Mount(filepath.Join(dir, "real"), mnt, "", unix.MS_BIND, ""); err != nil {
		t.Logf("nothing can be mounted here: %v", err)
		return
	}
	defer func() { must(t, unix.Unmount(mnt, unix.MNT_DETACH)) }()
	try("mnt", under("real"))
	made("mnt", "real")
}

// TestForesee_LooksOnceForAllThatAreForeseenTogether: where vigild's own lies is asked
// for the first of them, and by an act of its own anew. What was known to be vigild's
// own is known wherever it is taken meanwhile.
func TestForesee_LooksOnceForAllThatAreForeseenTogether(t *testing.T) {
	dir := t.TempDir()
	own, moved := filepath.Join(dir, "own"), filepath.Join(dir, "moved")
	must(t, os.Mkdir(own, 0o755))
	foresee := func(at string, sight *place.Sight) fault.Kind {
		_, _, err := place.Foresee(filepath.Join(at, "x"), place.Way{Owner: -1, Refused: []string{own}}, place.Intent{Writes: true,
			Attr: place.Attributes{Mode: -1, UID: -1, GID: -1}, Sight: sight, Left: func(string) (folder, there, known bool) { return false, false, false }})
		return fault.KindOf(err)
	}
	sight := new(place.Sight)
	if got := foresee(own, sight); got != fault.Forbidden {
		t.Errorf("vigild's own: %v", got)
	}
	must(t, os.Rename(own, moved))
	if got := foresee(moved, sight); got != fault.Forbidden {
		t.Errorf("it was looked at again: %v", got)
	}
	if got := foresee(moved, nil); got != fault.OK {
		t.Errorf("an act of its own does not look: %v", got)
	}
}
