package config

import (
	"cmp"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"vigil/actions/heal"
	"vigil/api"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kind"
	"vigil/engine/reconcile/load"
	"vigil/engine/reconcile/sealed"
	"vigil/engine/revision"
	"vigil/gitwatch"
)

// Git is `[git]`: where revisions come from, what a revision may touch, and how
// eagerly this host follows it.
type Git struct {
	gitwatch.Config
	Keep
	Hostname    string            `toml:"hostname"`     // which hosts/NAME of the tree is ours; "" the machine's name
	Labels      map[string]string `toml:"labels"`       // which environments of vigil.yaml are ours
	AgeIdentity string            `toml:"age_identity"` // file: of the identities that sealed values are opened with
}

// Keep is how a revision is kept; see revision.Config.
type Keep = revision.Config

// GitDefaults take pushes, and let documents touch nothing outside vigild until
// paths says where.
func GitDefaults() Git {
	g := Git{Config: gitwatch.Defaults(), Keep: revision.Defaults(), Labels: map[string]string{}}
	g.Kinds, g.Paths, g.Writable = reconcile.TrustDefaults().Kinds, []string{}, []string{}
	return g
}

// Bounds of the labels of a host.
const maxLabels = 100

// Validate names every fault by its key. It reads nothing.
func (g Git) Validate() error {
	if !g.Enabled {
		return nil
	}
	var is fault.Issues
	var theirs fault.Issues
	switch err := g.Config.Validate(); {
	case err == nil:
	case errors.As(err, &theirs):
		is = append(is, theirs...)
	default:
		is.Add("git", "%v", err)
	}
	if err := g.Keep.Validate(); errors.As(err, &theirs) {
		for _, i := range theirs {
			i.Place = "git." + i.Place
			is = append(is, i)
		}
	}
	known := kind.Names()
	for _, k := range g.Kinds {
		if !slices.Contains(known, k) {
			is = append(is, fault.Issue{Place: "git.kinds", Msg: "there is no kind " + k, Hint: "the kinds are " + strings.Join(slices.Sorted(slices.Values(known)), ", ")})
		}
	}
	if err := (reconcile.Trust{Paths: g.Paths}).Validate(); errors.As(err, &theirs) {
		is = append(is, theirs...)
	}
	if strings.ContainsAny(g.Hostname, "/\x00 ") || g.Hostname == "." || g.Hostname == ".." || len(g.Hostname) > 253 {
		is.Add("git.hostname", "%q is no name of a host", g.Hostname)
	}
	if len(g.Labels) > maxLabels {
		is.Add("git.labels", "%d labels, at most %d are read", len(g.Labels), maxLabels)
	}
	if file, ok := strings.CutPrefix(g.AgeIdentity, "file:"); g.AgeIdentity != "" && (!ok || !filepath.IsAbs(file)) {
		is.Add("git.age_identity", "this is file:/absolute/path, never the identity itself")
	}
	return is.Err()
}

// Pushed says that revisions come by git push.
func (g Git) Pushed() bool { return g.Enabled && g.Source == "push" }

// GitConfig is what the room of commits gets: its part, with the place that it
// needs filled in.
func (l *Loaded) GitConfig() gitwatch.Config {
	c := l.Git.Config
	c.DataDir = l.DataDir
	return c
}

// Chosen is what documents are chosen by.
func (l *Loaded) Chosen() (load.Host, error) {
	name := l.Git.Hostname
	if name == "" {
		var err error
		if name, err = os.Hostname(); err != nil {
			return load.Host{}, fault.Wrap(fault.Unavailable, err, "the name of this machine").(*fault.Error).At("git.hostname")
		}
	}
	return load.Host{Name: name, Labels: l.Git.Labels}, nil
}

// Box opens sealed values; one that opens nothing without age_identity. A file of
// identities that others may read is refused, as every secret is.
func (l *Loaded) Box() (*sealed.Box, error) {
	file := strings.TrimPrefix(l.Git.AgeIdentity, "file:")
	if file == "" {
		return sealed.New("")
	}
	bad := func(err error) error {
		return fault.New(fault.Unprocessable, "the age identity cannot be used: %v", err).At("git.age_identity").Mend("age-keygen -o %s, readable by vigild's user alone", file)
	}
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, bad(err)
	case info.Mode().Perm()&0o077 != 0:
		return nil, bad(errors.New("others may read it"))
	case info.Size() > 64<<10:
		return nil, bad(errors.New("it has over 64 KiB"))
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, bad(err)
	}
	box, err := sealed.New(string(text))
	if err != nil {
		return nil, bad(err)
	}
	return box, nil
}

// CheckGit looks at the files that `[git]` names, so that a mistake is told at the
// start and not at the first push.
func (l *Loaded) CheckGit() error {
	if !l.Git.Enabled {
		return nil
	}
	err := l.checkGit()
	var e *fault.Error
	if errors.As(err, &e) && strings.HasPrefix(e.Place, "git.") { // a key: say where it stands
		at := e.At(l.place(e.Place))
		at.Msg = e.Place + ": " + e.Msg
		return at
	}
	return err
}

func (l *Loaded) checkGit() error {
	if path := l.Git.AllowedSigners; path != "" {
		if _, err := gitwatch.ReadSigners(path); err != nil {
			var is fault.Issues
			if errors.As(err, &is) {
				return is
			}
			return fault.New(fault.Unprocessable, "%v", err).At("git.allowed_signers").Mend("a file of root or vigild's user that nobody else can write")
		}
	}
	if _, err := l.Box(); err != nil {
		return err
	}
	_, err := l.Chosen()
	return err
}

// Trust is what documents of a revision may touch. It looks at the disk, for what
// is refused is refused by its real path too.
func (l *Loaded) Trust() reconcile.Trust {
	g := l.Git
	return reconcile.Trust{Kinds: g.Kinds, Paths: g.Paths, Commands: g.TrustCommands, Actions: g.TrustActions, Refused: l.own()}
}

// HealConfig is what the acts of desired state may touch: nothing when there is
// no source of revisions.
func (l *Loaded) HealConfig() heal.Config {
	if !l.Git.Enabled {
		return heal.Config{}
	}
	t := l.Trust()
	has := func(kinds ...string) bool {
		return slices.ContainsFunc(kinds, func(k string) bool { return slices.Contains(t.Kinds, k) })
	}
	return heal.Config{Paths: t.Places(), Made: t.Made(), Opens: t.Opens, Above: t.Above, Refused: t.Refused, Commands: t.Commands, Sysctl: has("Sysctl"), Units: has("Service", "Timer"), Processes: t.Commands && has("Process")}
}

// whole are those of the names that are whole paths, each by its real path too.
func whole(names ...string) (paths []string) {
	for _, p := range names {
		p = strings.TrimPrefix(p, "file:")
		if p == "" || p == api.Off || !filepath.IsAbs(p) {
			continue
		}
		paths = append(paths, filepath.Clean(p))
		if real, err := filepath.EvalSymlinks(p); err == nil {
			paths = append(paths, real)
		} else if dir, err := filepath.EvalSymlinks(filepath.Dir(p)); err == nil { // not there yet
			paths = append(paths, filepath.Join(dir, filepath.Base(p)))
		}
	}
	return paths
}

// vital is what vigild itself is made of: its binary, its config, its data, its
// secrets. No entry of the repository may name any of it.
func (l *Loaded) vital() (paths []string) {
	add := func(ps ...string) { paths = append(paths, whole(ps...)...) }
	if exe, err := os.Executable(); err == nil {
		add(exe)
	}
	add(cmp.Or(l.File, l.usual), l.DataDir, l.API.Socket, l.API.TLSCert, l.API.TLSKey)
	g := l.Git
	add(g.AllowedSigners, g.KnownHosts, g.Password, g.SSHKey, g.WebhookSecret, g.AgeIdentity)
	for _, t := range l.Tokens {
		add(t.Secret)
	}
	for _, name := range slices.Sorted(maps.Keys(l.Notify)) {
		r := l.Notify[name]
		add(r.Secret)
		if strings.HasPrefix(r.URL, "file:") {
			add(r.URL)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// own is everything that makes vigild what it is: beside what is vital the folders
// that it takes documents, programs and secrets from and, unless commands from Git
// are trusted, the programs that its config names. Who could write there would no
// longer be bounded by the config.
func (l *Loaded) own() []string {
	paths := l.vital()
	add := func(ps ...string) { paths = append(paths, whole(ps...)...) }
	add(l.Sources...)
	add(l.Checks.PluginDirs...)
	add(l.Checks.SecretDirs...)
	if !l.Git.TrustCommands {
		for _, p := range l.Processes {
			add(programs(p.Argv)...)
		}
		for _, name := range slices.Sorted(maps.Keys(l.Catalogue)) {
			add(programs(l.Catalogue[name].Argv)...)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// carriers run a program that their arguments name: a script, or another command.
var carriers = regexp.MustCompile(`^(sh|bash|dash|ash|ksh|zsh|fish|busybox|env|nice|ionice|nohup|setsid|timeout|sudo|su|runuser|chroot|setpriv|systemd-run|flock|stdbuf|time|xargs|awk|gawk|mawk|sed|expect|tclsh|make|java|ruby|perl|node|nodejs|deno|php|lua|Rscript|python[0-9.]*|perl[0-9.]+|php[0-9.]+|ruby[0-9.]+|lua[0-9.]+)$`)

// programs are the files of a command line that say what it does: the program, and
// behind an interpreter or a wrapper the next whole path, which it runs. What
// follows that one is data.
func programs(argv []string) (out []string) {
	for i, a := range argv {
		if i > 0 && !filepath.IsAbs(a) {
			continue
		}
		if out = append(out, a); !carriers.MatchString(filepath.Base(a)) {
			break
		}
	}
	return out
}
