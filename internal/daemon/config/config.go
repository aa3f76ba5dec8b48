// Package config is vigild's configuration as a whole: the rooms' own Config
// structs under their sections, where the file lies, what the environment
// overrides, and what a reload can change while running.
//
// Later words win: defaults, then the original system's environment names, then
// the file, then VIGIL_SECTION_KEY. Unknown keys are errors with their line. No
// file at all is a good configuration.
//
// It refuses settings that Git or the API could reach, and secrets in plain
// sight: a secret is `file:PATH` or `env:NAME`, and is never printed. It reads
// files and the environment that it is given, and starts nothing.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vigil/actions"
	"vigil/api"
	"vigil/engine"
	"vigil/engine/check"
	"vigil/engine/check/host"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/ledger"
	"vigil/engine/remedy"
	"vigil/engine/tsdb"
	"vigil/internal/daemon/archive"
	"vigil/internal/daemon/settings"
)

// Config is everything in vigil.toml.
type Config struct {
	DataDir string `toml:"data_dir"`

	Log       Log            `toml:"log"`
	API       api.Config     `toml:"api"`
	Store     tsdb.Config    `toml:"store"`
	Ledger    ledger.Config  `toml:"ledger"`
	Engine    engine.Config  `toml:"engine"`
	Host      host.Config    `toml:"host"`
	Checks    check.Probes   `toml:"checks"`
	Policies  Policies       `toml:"policies"`
	Remedy    remedy.Config  `toml:"remedy"`
	Snapshots Snapshots      `toml:"snapshots"`
	Audit     archive.Config `toml:"audit"`
	Self      Self           `toml:"self"`
	Stop      Stop           `toml:"stop"`
	Git       Git            `toml:"git"`

	actions.Config // [actions.NAME], [notify.NAME], [[process]]

	Tokens []Token `toml:"token"`
}

// CheckConfig is what the room of checks calls its configuration.
func (c Config) CheckConfig() check.Config { return check.Config{Host: c.Host, Checks: c.Checks} }

// Log is `[log]`.
type Log struct {
	Level  string `toml:"level"`  // debug, info, warn, error
	Format string `toml:"format"` // text, json
}

// Policies is `[policies]`.
type Policies struct {
	Dirs    []string          `toml:"dirs"`    // folders of YAML documents; empty: policies/ beside the config file
	Starter bool              `toml:"starter"` // the five policies inside the binary
	Rescan  document.Duration `toml:"rescan"`  // how often folders are read without a file event
}

// Snapshots is `[snapshots]`: verified copies of the ledger in the data
// directory, for when the file is found corrupt. The store keeps its own.
type Snapshots struct {
	Every document.Duration `toml:"every"` // 0 takes none
	Keep  int               `toml:"keep"`
}

// Self is `[self]`: what vigild tells of itself as series.
type Self struct {
	Every document.Duration `toml:"every"`
}

// Stop is `[stop]`.
type Stop struct {
	Within document.Duration `toml:"within"` // each part's time to stop
}

// Token is one `[[token]]` of the local file.
type Token struct {
	Name    string    `toml:"name"`
	Role    string    `toml:"role"`    // viewer, pusher, operator, admin
	Secret  string    `toml:"secret"`  // file:PATH or env:NAME
	Expires time.Time `toml:"expires"` // zero: never
}

// Defaults is what holds without a file. root says whose places are meant.
func Defaults(p Places) Config {
	return Config{
		DataDir:   p.Data,
		Log:       Log{Level: "info", Format: "text"},
		API:       api.Defaults(),
		Store:     tsdb.Defaults(),
		Ledger:    ledger.Defaults(),
		Engine:    engine.Defaults(),
		Host:      check.Defaults().Host,
		Checks:    check.Defaults().Checks,
		Policies:  Policies{Starter: true, Rescan: dur(30 * time.Second)},
		Remedy:    remedy.Defaults(),
		Audit:     archive.Defaults(),
		Snapshots: Snapshots{Every: dur(24 * time.Hour), Keep: 2},
		Self:      Self{Every: dur(10 * time.Second)},
		Stop:      Stop{Within: dur(15 * time.Second)},
		Git:       GitDefaults(),
		Config:    actions.Defaults(),
	}
}

func dur(d time.Duration) document.Duration { return document.Duration(d) }

// Validate asks every room about its part and gathers all answers.
func (c Config) Validate() error {
	var is fault.Issues
	add := func(section string, err error) {
		var many fault.Issues
		var one *fault.Error
		switch {
		case err == nil:
		case errors.As(err, &many):
			is = append(is, many...)
		case errors.As(err, &one) && one.Place != "":
			is = append(is, fault.Issue{Place: one.Place, Msg: one.Msg, Hint: one.Hint})
		default:
			for _, e := range parts(err) {
				is.Add(section, "%v", e)
			}
		}
	}
	add("api", c.API.Validate())
	c.Ledger.Dir, c.Store.Dir = c.DataDir, c.DataDir
	add("store", c.Store.Validate())
	add("ledger", c.Ledger.Validate())
	add("checks", c.CheckConfig().Validate())
	add("remedy", c.Remedy.Validate())
	add("actions", c.Config.Validate())
	add("git", c.Git.Validate())
	add("audit", c.Audit.Validate())
	if !filepath.IsAbs(c.DataDir) {
		is.Add("data_dir", "%q is not an absolute path", c.DataDir)
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.Log.Level)); err != nil {
		is.Add("log.level", "%q is not one of debug, info, warn, error", c.Log.Level)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		is.Add("log.format", "%q is neither text nor json", c.Log.Format)
	}
	within := func(key string, d document.Duration, lo, hi time.Duration) {
		if d.Std() < lo || d.Std() > hi {
			is.Add(key, "%s is not between %s and %s", d, dur(lo), dur(hi))
		}
	}
	within("policies.rescan", c.Policies.Rescan, time.Second, time.Hour)
	within("self.every", c.Self.Every, time.Second, time.Hour)
	within("stop.within", c.Stop.Within, time.Second, 10*time.Minute)
	if c.Snapshots.Every != 0 {
		within("snapshots.every", c.Snapshots.Every, time.Minute, 30*24*time.Hour)
	}
	if c.Snapshots.Keep < 1 || c.Snapshots.Keep > 100 {
		is.Add("snapshots.keep", "%d is not between 1 and 100", c.Snapshots.Keep)
	}
	if len(c.Policies.Dirs) > 100 {
		is.Add("policies.dirs", "%d folders, at most 100 are read", len(c.Policies.Dirs))
	}
	names := map[string]bool{}
	for i, t := range c.Tokens {
		t.issues(&is, fmt.Sprintf("token[%d]", i), names)
	}
	return is.Err()
}

// parts takes a joined error apart.
func parts(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return j.Unwrap()
	}
	return []error{err}
}

// Roles are the roles that a token may have.
var Roles = []string{"viewer", "pusher", "operator", "admin"}

func (t Token) issues(is *fault.Issues, place string, names map[string]bool) {
	switch {
	case t.Name == "" || len(t.Name) > 64 || strings.ContainsFunc(t.Name, func(r rune) bool { return r <= ' ' || r > '~' }):
		is.Add(place+".name", "%q is not a name of 1 to 64 printable letters", t.Name)
	case names[t.Name]:
		is.Add(place+".name", "%q is given twice", t.Name)
	}
	names[t.Name] = true
	if !slices.Contains(Roles, t.Role) {
		is.Add(place+".role", "%q is not one of %s", t.Role, strings.Join(Roles, ", "))
	}
	if !strings.HasPrefix(t.Secret, "file:") && !strings.HasPrefix(t.Secret, "env:") {
		is.Add(place+".secret", "a secret is file:PATH or env:NAME, never the secret itself")
	}
}

// Loaded is a configuration with where it came from.
type Loaded struct {
	Config
	File    string    // "" none was there
	Text    []byte    // of the file
	Env     []string  // VIGIL_ names that were used
	Legacy  []outcome // the original's names that were found
	Sources []string  // folders of documents, absolute

	env   []string
	usual string // where the file would be
}

// Lookup finds a name in the environment that the configuration was read with.
func (l *Loaded) Lookup(name string) (string, bool) { return lookup(l.env, name) }

// Missing are the folders of documents that somebody named and that do not exist.
// It is no mistake, they may be mounted later, but it is worth a word.
func (l *Loaded) Missing() (out []string) {
	for _, dir := range l.Sources {
		if _, err := os.Stat(dir); len(l.Policies.Dirs) > 0 && errors.Is(err, fs.ErrNotExist) {
			out = append(out, dir)
		}
	}
	return out
}

// ActionsConfig is what the room of acts gets: its part, with the places that it
// needs filled in.
func (l *Loaded) ActionsConfig() actions.Config {
	c := l.Config.Config
	c.DataDir, c.Source, c.Heal = l.DataDir, l.File, l.HealConfig()
	if l.Git.Enabled && l.Git.TrustActions {
		c.Own = l.vital()
	}
	return c
}

func lookup(env []string, name string) (string, bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(env[i], "="); ok && k == name {
			return v, true
		}
	}
	return "", false
}

// From says where to look for a configuration.
type From struct {
	File   string   // given by a person: it must exist
	Env    []string // "NAME=value"
	Places Places
	Change func(*Config) // flags of the command line, the last word
}

// ignored are VIGIL_ names that are no settings.
var ignored = []string{"VIGIL_CONFIG", "VIGIL_URL", "VIGIL_TOKEN", "VIGIL_SOCKET"}

// Load reads, overrides and validates. It blocks on disk. The error names every
// mistake with its place.
func Load(from From) (*Loaded, error) {
	lookup := func(name string) (string, bool) { return lookup(from.Env, name) }
	l := &Loaded{Config: Defaults(from.Places), env: from.Env, usual: from.Places.Config}
	var err error
	if l.Legacy, err = applyLegacy(lookup, &l.Config); err != nil {
		return nil, fault.New(fault.Unprocessable, "%v", err)
	}
	if err := l.readFile(from, lookup); err != nil {
		return nil, err
	}
	var issues fault.Issues
	if l.File != "" {
		issues = settings.Decode(l.File, l.Text, &l.Config)
	}
	used, more := settings.Environ(from.Env, &l.Config, ignored)
	l.Env, issues = used, append(issues, more...)
	if from.Change != nil {
		from.Change(&l.Config)
	}
	outranked(l.Legacy, &l.Config)
	l.settle(from.Places)
	if err := l.Validate(); err != nil {
		var many fault.Issues
		if !errors.As(err, &many) {
			return nil, err
		}
		issues = append(issues, l.placed(many)...)
	}
	if err := issues.Err(); err != nil {
		return nil, err
	}
	return l, nil
}

// SocketFor is the socket that a configuration names. A mistake elsewhere in the
// file does not hide it: whoever has just broken the file needs to ask the daemon
// that still runs. flaw is that mistake; with "" the socket is not known.
func SocketFor(from From) (socket string, flaw error) {
	l, flaw := Load(from)
	if flaw == nil {
		if l.API.Socket == api.Off {
			return "", fault.New(fault.Usage, "the configuration says that there is no socket").At("api.socket").Mend("give --url http://HOST:PORT, and --token for changes")
		}
		return l.API.Socket, nil
	}
	lookup := func(name string) (string, bool) { return lookup(from.Env, name) }
	l = &Loaded{Config: Defaults(from.Places), env: from.Env}
	if err := l.readFile(from, lookup); err != nil || !settings.Readable(l.Text) {
		return "", flaw
	}
	_ = settings.Decode(l.File, l.Text, &l.Config)        // flaw tells
	_, _ = settings.Environ(from.Env, &l.Config, ignored) // what these found
	if from.Change != nil {
		from.Change(&l.Config)
	}
	l.settle(from.Places)
	if !filepath.IsAbs(l.API.Socket) {
		return "", flaw
	}
	return l.API.Socket, flaw
}

// place turns a dotted key into the place that a person must look at.
func (l *Loaded) place(key string) string {
	for _, k := range settings.Scalars(&l.Config) {
		if k.String() == key && slices.Contains(l.Env, k.Env()) {
			return k.Env()
		}
	}
	for _, o := range l.Legacy {
		if o.Key == key && o.Key != "" {
			return o.Name
		}
	}
	if l.File == "" {
		return "config"
	}
	for i, p := range l.Processes { // the room of acts names processes, the file counts them
		if rest, ok := strings.CutPrefix(key+".", "process."+p.Name+"."); ok {
			key = strings.TrimSuffix(fmt.Sprintf("process[%d].%s", i, rest), ".")
			break
		}
	}
	return settings.Place(l.File, l.Text, key)
}

func (l *Loaded) readFile(from From, lookup func(string) (string, bool)) error {
	file, must := from.File, true
	if file == "" {
		file, _ = lookup("VIGIL_CONFIG")
	}
	if file == "" {
		if v, ok := lookup("CONFIG_PATH"); ok && v != "" {
			if !strings.HasSuffix(v, ".toml") {
				l.Legacy = append(l.Legacy, outcome{Name: "CONFIG_PATH", Text: "the original's YAML config is not read; settings are TOML, and policies go into a folder of policies.dirs"})
			} else {
				file = v
			}
		}
	}
	if file == "" {
		file, must = from.Places.Config, false
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "config file")
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		if must {
			return fault.New(fault.NotFound, "the config file does not exist").At(file).Mend("leave --config away to run without one")
		}
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "the config file cannot be read")
	}
	if !info.Mode().IsRegular() || info.Size() > settings.MaxSize {
		return fault.New(fault.Invalid, "the config file is no regular file of at most %d bytes", settings.MaxSize).At(file)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fault.New(fault.Forbidden, "anybody may write the config file, which names programs to run").At(file).Mend("chmod o-w %s", file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "the config file cannot be read")
	}
	l.File, l.Text = file, text
	return nil
}

// settle fills in what depends on other settings.
func (l *Loaded) settle(p Places) {
	l.Sources = slices.Clone(l.Policies.Dirs)
	if len(l.Sources) == 0 {
		dir := filepath.Dir(p.Config)
		if l.File != "" {
			dir = filepath.Dir(l.File)
		}
		l.Sources = []string{filepath.Join(dir, "policies")}
	}
	if l.API.Socket == "" {
		l.API.Socket = p.Socket
	}
	if l.File != "" { // paths in the file are relative to its folder
		base := filepath.Dir(l.File)
		for _, path := range []*string{&l.DataDir, &l.API.Socket, &l.API.TLSCert, &l.API.TLSKey} {
			if *path != "" && *path != api.Off && !filepath.IsAbs(*path) {
				*path = filepath.Join(base, *path)
			}
		}
		for i := range l.Processes {
			if cwd := &l.Processes[i].Cwd; *cwd != "" && !filepath.IsAbs(*cwd) {
				*cwd = filepath.Join(base, *cwd)
			}
		}
		for _, dirs := range [][]string{l.Sources, l.Checks.PluginDirs, l.Checks.SecretDirs} {
			for i, d := range dirs {
				if d != "" && !filepath.IsAbs(d) {
					dirs[i] = filepath.Join(base, d)
				}
			}
		}
	}
}
