package actions_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vigil/actions/blob"
	"vigil/engine/remedy"
)

// TestHeal_ALinkIsPutBackAndNeverMade: what a policy, a person or a notify asks for makes
// no link, whatever is kept; the way back of an act does where nobody wrote since.
func TestHeal_ALinkIsPutBackAndNeverMade(t *testing.T) {
	dir := t.TempDir()
	s := healing(t, dir)
	f := filepath.Join(dir, "f")
	must(t, os.Symlink("away", f))
	a := action(t, s, "file")
	back, err := a.(remedy.Undoer).Undo(t.Context(), request("file", with{"path": f, "content": "x", "was": "absent"}))
	if err != nil || !back.Back || back.With["link"] != blob.Sum([]byte("away")) {
		t.Fatalf("%+v %v", back, err)
	}
	asked := back
	asked.Back = false
	for what, w := range map[string]with{"as it is": back.With, "with labels": {"path": f, "link": back.With["link"]}} {
		asked.With = w
		asked.Labels = map[string]string{remedy.LabelBack: "yes"}
		if _, err := a.Resolve(asked); err == nil || !strings.Contains(err.Error(), "is put back where one stood, and not made") {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := a.Run(t.Context(), asked); err == nil {
			t.Errorf("%s: it was made", what)
		}
	}
	for _, more := range []with{{"content": "x"}, {"absent": true}, {"permissions": "0644"}, {"link": "away"}} {
		bad := back
		bad.With = maps.Clone(back.With)
		maps.Copy(bad.With, more)
		if _, err := a.Resolve(bad); err == nil {
			t.Errorf("%v was taken", bad.With)
		}
	}
	if res := run(t, s, "file", with{"path": f, "content": "x", "was": "absent"}); !res.OK {
		t.Fatal(res)
	}
	must(t, os.WriteFile(f, []byte("somebody's"), 0o644))
	if res, err := a.Run(t.Context(), back); err != nil || res.OK || !res.Stale || !strings.HasSuffix(picture(t, f), `"somebody's"`) {
		t.Errorf("what somebody wrote since: %+v %v leaves %s", res, err, picture(t, f))
	}
	must(t, os.WriteFile(f, []byte("x"), 0o644))
	if res, err := a.Run(t.Context(), back); err != nil || !res.OK || !strings.HasSuffix(picture(t, f), "-> away") {
		t.Errorf("%+v %v leaves %s", res, err, picture(t, f))
	}
}

// TestHeal_TheWayBackIsInTheSameFolder: a file of root's in a user's folder comes back,
// for the act went there too.
func TestHeal_TheWayBackIsInTheSameFolder(t *testing.T) {
	dir := t.TempDir()
	s := healing(t, dir)
	d, f := filepath.Join(dir, "d"), filepath.Join(dir, "d", "f")
	stand(t, "folder", d)
	owner := with{}
	if os.Geteuid() == 0 { // nobody else has folders of others
		must(t, os.Chown(d, 7, 7))
		owner["owner"] = "7"
	}
	for _, c := range []struct {
		what, before string
		w            with
	}{{"a link", "->", with{"content": "x"}}, {"written", "root's", with{"content": "x"}}, {"removed", "root's", with{"absent": true}}, {"made", "", with{"content": "x"}}} {
		what, w := c.what, c.w
		must(t, os.RemoveAll(f))
		switch c.before {
		case "":
		case "->":
			must(t, os.Symlink("away", f))
		default:
			must(t, os.WriteFile(f, []byte(c.before), 0o644))
		}
		before := picture(t, f)
		maps.Copy(w, owner)
		w["path"] = f
		back, err := action(t, s, "file").(remedy.Undoer).Undo(t.Context(), request("file", w))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if res := run(t, s, "file", w); !res.OK {
			t.Fatalf("%s: %+v", what, res)
		}
		if res, err := action(t, s, "file").Run(t.Context(), back); err != nil || !res.OK || picture(t, f) != before {
			t.Errorf("%s: %+v %v leaves %s, and it was %s", what, res, err, picture(t, f), before)
		}
	}
}
