package gitwatch

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"vigil/engine/fault"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/pack"
	"vigil/gitwatch/store"
)

// Config is `[git]` of the local config. None of it can come from Git or the
// API: it says what a push may do.
type Config struct {
	Enabled bool   `toml:"enabled"`
	Source  string `toml:"source"` // push, path or remote
	Name    string `toml:"name"`   // in the URL, /git/NAME
	Branch  string `toml:"branch"` // the one that is the desired state

	Path    string        `toml:"path"`    // of a repository on this machine, bare or with a working tree
	URL     string        `toml:"url"`     // https, ssh or file
	Poll    time.Duration `toml:"poll"`    // of a remote, give or take a fifth; of a path, besides its events
	Timeout time.Duration `toml:"timeout"` // of one look at either

	Username   string `toml:"username"`
	Password   string `toml:"password"`    // file: or env:
	SSHKey     string `toml:"ssh_key"`     // file: of a private key without passphrase
	KnownHosts string `toml:"known_hosts"` // path; an ssh host that is not in it is refused

	RequireSigned  bool   `toml:"require_signed"`
	AllowedSigners string `toml:"allowed_signers"` // path of a list on this machine
	SignersInTree  string `toml:"signers_in_tree"` // path of a list in the tree; that of the adopted commit counts
	VerifyAll      bool   `toml:"verify_all"`      // each new commit, not the newest alone

	Kinds         []string `toml:"kinds"`          // of documents that a revision may hold
	Paths         []string `toml:"paths"`          // that documents may touch
	TrustCommands bool     `toml:"trust_commands"` // commands in documents are run; wants signatures
	TrustActions  bool     `toml:"trust_actions"`  // documents define entries of the catalogue; wants signatures
	Writable      []string `toml:"writable"`       // branches beside Branch that can be pushed to

	WebhookSecret string `toml:"webhook_secret"` // file: or env:; none, no webhook

	Pack pack.Caps        `toml:"pack"` // of what comes in at once
	Tree objects.TreeCaps `toml:"tree"` // of one revision

	DataDir string `toml:"-"` // the repository is DataDir/git/NAME
}

// The sources by their name in the config.
const (
	fromPush   = "push"
	fromPath   = "path"
	fromRemote = "remote"
)

// Defaults take pushes, of documents that are vigild's own alone.
func Defaults() Config {
	return Config{
		Enabled: true, Source: fromPush, Name: "desired", Branch: "main", Poll: time.Minute, Timeout: 5 * time.Minute,
		Kinds: []string{"Policy", "Check", "Silence", "Maintenance"},
		Pack:  pack.Defaults(), Tree: objects.TreeDefaults(),
	}
}

const least = time.Second

// Validate names every fault by its key.
func (c Config) Validate() error {
	var is fault.Issues
	note := func(key string, err error) {
		if err != nil {
			is.Add("git."+key, "%v", err)
		}
	}
	if !c.Enabled {
		return nil
	}
	switch c.Source {
	case fromPush:
	case fromPath:
		if !filepath.IsAbs(c.Path) {
			is.Add("git.path", "%q is not an absolute path of a repository", c.Path)
		}
	case fromRemote:
		c.validateRemote(&is)
	default:
		is.Add("git.source", "%q is not push, path or remote", c.Source)
	}
	if c.Name == "" || strings.ContainsAny(c.Name, "/.%?# \\") {
		is.Add("git.name", "%q is no name for a repository", c.Name)
	}
	note("branch", store.CheckRef("refs/heads/"+c.Branch))
	for key, d := range map[string]time.Duration{"poll": c.Poll, "timeout": c.Timeout} {
		if d < least {
			is.Add("git."+key, "at least %v", least)
		}
	}
	for _, w := range c.Writable {
		note("writable", store.CheckPattern(w))
	}
	for key, path := range map[string]string{"known_hosts": c.KnownHosts, "allowed_signers": c.AllowedSigners} {
		if path != "" && !filepath.IsAbs(path) {
			is = append(is, fault.Issue{Place: "git." + key, Msg: fmt.Sprintf("%q is not an absolute path", path), Hint: "write it from the root, such as /etc/vigil/" + key})
		}
	}
	if c.RequireSigned && c.AllowedSigners == "" {
		is = append(is, fault.Issue{Place: "git.allowed_signers", Msg: "signatures are required, so the first commit needs a list on this machine",
			Hint: "allowed_signers = \"/etc/vigil/signers\", with a line each: ada@example.org ssh-ed25519 AAAA..."})
	}
	if c.TrustCommands && !c.RequireSigned {
		is = append(is, fault.Issue{Place: "git.trust_commands", Msg: "commands from Git are run only when require_signed is true",
			Hint: "set require_signed = true and list who may sign in allowed_signers"})
	}
	if c.TrustActions && !c.RequireSigned {
		is = append(is, fault.Issue{Place: "git.trust_actions", Msg: "actions are taken from Git only when require_signed is true",
			Hint: "set require_signed = true and list who may sign in allowed_signers"})
	}
	note("password", checkSecret(c.Password))
	note("ssh_key", checkSecret(c.SSHKey))
	note("webhook_secret", checkSecret(c.WebhookSecret))
	note("pack", c.Pack.Validate())
	note("tree", c.Tree.Validate())
	return is.Err()
}

func (c Config) validateRemote(is *fault.Issues) {
	at, err := parseRemote(c.URL)
	switch {
	case err != nil:
		is.Add("git.url", "%v", err)
	case at.Protocol == "ssh" && (c.KnownHosts == "" || c.SSHKey == ""):
		is.Add("git.url", "ssh needs known_hosts and ssh_key")
	case at.Protocol == "http" && c.Password != "":
		is.Add("git.password", "a password is not sent over plain http")
	}
}

// StoreConfig is where the repository is.
func (c Config) StoreConfig() store.Config {
	return store.Config{Dir: filepath.Join(c.DataDir, "git", c.Name), Branch: c.Branch, Caps: c.Pack}
}
