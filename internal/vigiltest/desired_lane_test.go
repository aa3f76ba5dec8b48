package vigiltest

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vigil/api/client"
	"vigil/api/contract"
	"vigil/gitwatch/gittest"
)

// desiredConfig takes what is pushed, and lets documents touch one folder.
const desiredConfig = campaignConfig + `
[git]
kinds = ["File", "Directory", "Policy"]
paths = [%q]
soak = "50ms"
resync = "5s"
`

// field is one host that follows a repository: a lane with a managed folder,
// what lies beside it and must never change, and a person's clone.
type field struct {
	*lane
	work   *gittest.Dir
	beside map[string]string // what is not vigild's business: path -> how it is
}

// newField makes the host; config comes after desiredConfig, whose last table is
// [git].
func newField(t testing.TB, seed uint64, config string) *field {
	t.Helper()
	dir, err := os.MkdirTemp("", "vf") // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	l := prepared(t, dir, seed)
	f := &field{lane: l, work: gittest.New(t)}
	f.work.Git("init", "-q", "-b", "main")
	for _, file := range []string{"managed/keep.txt", "managed/sub/keep.txt", "beside/a", "beside/sub/b"} {
		put(t, filepath.Join(dir, file), "not vigild's: "+file+"\n")
	}
	f.beside = f.others()
	put(t, filepath.Join(dir, "vigil.toml"), fmt.Sprintf(desiredConfig, f.managed())+config)
	for i, e := range l.env {
		if strings.HasPrefix(e, "VIGIL_API_LISTEN=") {
			l.env[i] = "VIGIL_API_LISTEN=127.0.0.1:0"
		}
	}
	return f
}

// sign gives the person a key that the host knows, and makes every commit signed.
// It returns the settings that require it.
func (f *field) sign() string {
	f.t.Helper()
	key := filepath.Join(f.dir, "key")
	if err := command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key); err != nil {
		f.t.Fatal(err)
	}
	pub, err := os.ReadFile(key + ".pub")
	if err != nil {
		f.t.Fatal(err)
	}
	put(f.t, filepath.Join(f.dir, "signers"), "ada@example.com "+string(pub))
	for k, v := range map[string]string{"gpg.format": "ssh", "user.signingkey": key, "commit.gpgsign": "true"} {
		f.work.Git("config", k, v)
	}
	return fmt.Sprintf("require_signed = true\ntrust_commands = true\nallowed_signers = %q\n", filepath.Join(f.dir, "signers"))
}

func (f *field) managed() string { return filepath.Join(f.dir, "managed") }
func (f *field) bare() string    { return filepath.Join(f.dir, "data", "git", "desired") }

// at is a path of the managed folder.
func (f *field) at(name string) string { return filepath.Join(f.managed(), name) }

// url is where the daemon that runs now takes pushes.
func (f *field) url() string {
	f.t.Helper()
	secret, err := os.ReadFile(filepath.Join(f.dir, "data", "token"))
	m := readyLine.FindStringSubmatch(f.log.String())
	if err != nil || m == nil {
		f.t.Fatalf("vigild does not say where it listens: %v\n%s", err, f.log)
	}
	return "http://ada:" + strings.TrimSpace(string(secret)) + "@" + m[1] + "/git/desired"
}

// push pushes the clone's HEAD; ok: it was answered that the branch has moved.
func (f *field) push(options ...string) (said string, ok bool) {
	f.t.Helper()
	args := append([]string{"push", "-q"}, options...)
	said, err := f.work.Try(append(args, f.url(), "HEAD:main")...)
	return said, err == nil
}

// refs reads the refs of the daemon's repository where they lie.
func (f *field) refs() map[string]string {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.bare(), "packed-refs"))
	if err != nil && !os.IsNotExist(err) {
		f.t.Fatal(err)
	}
	refs := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if id, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(line, "#") {
			refs[name] = id
		}
	}
	return refs
}

// others is how everything is that no document ever speaks of.
func (f *field) others() map[string]string {
	f.t.Helper()
	out := map[string]string{}
	for _, name := range []string{"managed/keep.txt", "managed/sub", "managed/sub/keep.txt", "beside", "beside/a", "beside/sub", "beside/sub/b"} {
		path := filepath.Join(f.dir, name)
		info, err := os.Lstat(path)
		if err != nil {
			out[name] = err.Error()
			continue
		}
		st := info.Sys().(*syscall.Stat_t)
		text := ""
		if info.IsDir() {
			text = f.names(path)
		} else {
			b, err := os.ReadFile(path)
			text = fmt.Sprint(string(b), err, info.ModTime(), st.Ino)
		}
		out[name] = fmt.Sprint(info.Mode(), st.Uid, st.Gid, text)
	}
	return out
}

func (f *field) names(dir string) string {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err.Error()
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// is is how one file or folder is; "" it is not there.
func is(path string) string {
	info, err := os.Lstat(path)
	if err != nil {
		return ""
	}
	if info.IsDir() {
		return fmt.Sprintf("folder %04o", info.Mode().Perm())
	}
	if !info.Mode().IsRegular() {
		return info.Mode().String()
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("file %04o %s", info.Mode().Perm(), b)
}

// host is how everything in the managed folder is, by path below it, but for what
// is not vigild's.
func (f *field) host() map[string]string {
	f.t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(f.managed(), func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // it went meanwhile
		}
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(f.managed(), path)
		if name == "." || name == "sub" || filepath.Base(name) == "keep.txt" {
			return nil
		}
		if how := is(path); how != "" {
			out[name] = how
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

// get asks the daemon for something.
func (f *field) get(ctx context.Context, path string, into any) error {
	status, text, err := f.ask(ctx, "GET", path, nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("GET %s: %d %s", path, status, text)
	}
	return json.Unmarshal(text, into)
}

// desired is where the host says that it stands, and the newest revisions, newest
// first.
func (f *field) desired(ctx context.Context) (d contract.Desired, rows []contract.Revision, err error) {
	var list contract.RevisionList
	if err = f.get(ctx, "/api/v1/revisions?limit=200", &list); err == nil {
		err = f.get(ctx, "/api/v1/desired", &d)
	}
	return d, list.Revisions, err
}

// open are the acts of the desired state that have not ended.
func (f *field) open(ctx context.Context) (out []string, err error) {
	page, err := f.client.Actions(ctx, client.ActionQuery{Limit: 200})
	if err != nil {
		return nil, err
	}
	for _, a := range page.Actions {
		switch a.State {
		case "queued", "held", "running", "verifying":
			if a.Source == "reconcile" {
				out = append(out, fmt.Sprintf("action %d on %s is %s %s %s", a.ID, a.Target, a.State, a.Gate, a.Reason))
			}
		}
	}
	return out, nil
}

// rest waits until the revision that the branch is at has come to its end, and
// returns its row.
func (f *field) rest(commit string) contract.Revision {
	f.t.Helper()
	var row contract.Revision
	if !Until(func() bool {
		_, rows, err := f.desired(f.t.Context())
		if err != nil || len(rows) == 0 {
			return false
		}
		row = rows[0]
		return row.Commit == commit && row.EndedAt != nil
	}) {
		f.t.Fatalf("%s does not come to its end: %+v\n%s", commit, row, f.log)
	}
	return row
}

// becomes waits until a path is so.
func (f *field) becomes(name, how string) {
	f.t.Helper()
	if !Until(func() bool { return is(f.at(name)) == how }) {
		f.t.Fatalf("%s is %.200q, wanted %.200q\n%s", name, is(f.at(name)), how, f.log)
	}
}
