package trust_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vigil/actions/launch/trust"
	"vigil/engine/fault"
)

func TestMain(m *testing.M) {
	syscall.Umask(0o022) // what others may write is refused, and the folders of a test are no exception
	os.Exit(m.Run())
}

// TestTrusted: the file, every folder above it, and every link on the way.
func TestTrusted(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := func(s string) string { return filepath.Join(dir, s) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"good", "open", "sticky", "open/inner"} {
		must(os.Mkdir(in(d), 0o755))
		must(os.WriteFile(in(d+"/x"), nil, 0o755))
	}
	must(os.Chmod(in("open"), 0o777))
	must(os.Chmod(in("sticky"), 0o777|os.ModeSticky))
	must(os.WriteFile(in("good/group"), nil, 0o755))
	must(os.Chmod(in("good/group"), 0o775))
	must(os.WriteFile(in("good/all"), nil, 0o755))
	must(os.Chmod(in("good/all"), 0o757)) // its group may not, everybody else may
	must(os.Symlink("../good/x", in("good/link")))
	must(os.Symlink(in("open/x"), in("good/away")))
	must(os.Symlink("loop", in("good/loop")))
	must(os.Symlink(in("good"), in("open/door")))
	for path, want := range map[string]string{
		in("good/x"): "", in("good/link"): "", in("sticky/x"): "", in("good/../good/x"): "",
		in("open/x"): "open belongs", in("open/inner/x"): "open belongs", in("good/group"): "good/group belongs", in("good/all"): "good/all belongs",
		in("good/away"): "open belongs", in("open/door/x"): "open belongs", in("good/loop"): "more than 40 links",
		in("good/none"): "no such file", "x": "absolute", "": "absolute",
	} {
		real, err := trust.Path(path)
		if (err == nil) != (want == "") || want != "" && !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: %s, %v; want %q", path, real, err, want)
		}
		if err == nil && strings.HasSuffix(path, "link") && real != in("good/x") {
			t.Errorf("%s leads to %s", path, real)
		}
	}
	if os.Geteuid() == 0 { // somebody else's file, folder and link
		must(os.Chown(in("sticky/x"), 65534, 65534))
		must(os.Lchown(in("good/link"), 65534, 65534))
		for _, p := range []string{in("sticky/x"), in("good/link")} {
			if _, err := trust.Path(p); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%s of another user: %v", p, err)
			}
		}
	}
}
