package catalogue

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"vigil/actions/param"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// Entry is one named action of the catalogue.
type Entry struct {
	Kind        string            `toml:"kind"` // exec or http
	Description string            `toml:"description"`
	Params      map[string]string `toml:"params"`      // name to the pattern that its whole value must match
	Timeout     time.Duration     `toml:"timeout"`     // 0 is 30 s
	Class       remedy.Class      `toml:"class"`       // "" is unsafe, or probed for an idempotent http
	Cost        *float64          `toml:"cost"`        // points of the host's budget; unset is 1
	Capture     bool              `toml:"capture"`     // evidence first
	Subject     string            `toml:"subject"`     // what it locks, a {param} may stand in it; "" is the entry with its parameters
	Concurrency int               `toml:"concurrency"` // how many may run at once; 0 is any number
	Mutex       string            `toml:"mutex"`       // entries of the same mutex never run at once

	// exec
	Argv      []string          `toml:"argv"`  // absolute path first; {param} fills a whole element
	Probe     []string          `toml:"probe"` // exit 0: it was done, 1: it was not; for class probed
	User      string            `toml:"user"`
	Group     string            `toml:"group"`
	Env       map[string]string `toml:"env"`
	PassEnv   []string          `toml:"pass_env"` // names taken over from vigild's own environment
	Cwd       string            `toml:"cwd"`
	KillAfter time.Duration     `toml:"kill_after"` // between SIGTERM and SIGKILL; 0 is 1 s
	Output    int               `toml:"output"`     // bytes kept; 0 is 64 KiB, which is also the most
	Limits    map[string]uint64 `toml:"limits"`
	SHA256    string            `toml:"sha256"`
	Isolation string            `toml:"isolation"` // unit: a transient unit of systemd, which outlives vigild; "" and none: a child of vigild

	// http
	Method     string            `toml:"method"`     // "" is POST
	URL        string            `toml:"url"`        // the host stands here; {param} may be a whole path segment
	Query      map[string]string `toml:"query"`      // {param} may be a whole value
	Headers    map[string]string `toml:"headers"`    // the last word may be file:/path or env:NAME
	JSON       map[string]any    `toml:"json"`       // body; {param} may be a whole value
	Expect     []int             `toml:"expect"`     // statuses of success; none is 200 to 299
	Idempotent bool              `toml:"idempotent"` // the other side honours Idempotency-Key
	Allow      []string          `toml:"allow"`      // local hosts, addresses, prefixes that may be reached
}

var (
	entryName   = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	placeholder = regexp.MustCompile(`\{([a-z][a-z0-9_-]*)\}`)
	digest      = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
)

// Validate names every fault of the entries by its key path. taken are names
// that no entry may have.
func Validate(entries map[string]Entry, taken []string) (is fault.Issues) {
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		at := "actions." + name
		if !entryName.MatchString(name) {
			is.Add(at, "%q is not a name: lower-case letters, digits, '-', '_', at most 63", name)
		} else if slices.Contains(taken, name) {
			is.Add(at, "%s is the name of a built-in kind", name)
		}
		entries[name].validate(at, &is)
	}
	return is
}

func (e Entry) validate(at string, is *fault.Issues) {
	for _, name := range slices.Sorted(maps.Keys(e.Params)) {
		if _, err := param.NewPattern(e.Params[name]); err != nil {
			is.Add(at+".params."+name, "%v", err)
		}
		if !placeholder.MatchString("{" + name + "}") {
			is.Add(at+".params."+name, "%q is not a name: lower-case letters, digits, '-', '_'", name)
		}
	}
	if e.Timeout < 0 || e.Timeout > 24*time.Hour {
		is.Add(at+".timeout", "%v is not between 0 and 24h", e.Timeout)
	}
	if e.Cost != nil && (*e.Cost < 0 || *e.Cost > 100) {
		is.Add(at+".cost", "%g is not between 0 and 100", *e.Cost)
	}
	if e.Concurrency < 0 {
		is.Add(at+".concurrency", "%d is negative", e.Concurrency)
	}
	if e.Class != "" && e.Class != remedy.Unsafe && e.Class != remedy.Probed && e.Class != remedy.Convergent {
		is.Add(at+".class", "%q is not a class: unsafe, probed or convergent", e.Class)
	}
	e.known(at+".subject", e.Subject, is)
	switch e.Kind {
	case "exec":
		e.validateExec(at, is)
	case "http":
		e.validateHTTP(at, is)
	case "":
		is.Add(at+".kind", "the kind is missing: exec or http")
	default:
		is.Add(at+".kind", "%q is not a kind of the catalogue: exec or http", e.Kind)
	}
}

// known checks that what stands in braces is a parameter.
func (e Entry) known(at, text string, is *fault.Issues) {
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if _, ok := e.Params[m[1]]; !ok {
			*is = append(*is, fault.Issue{Place: at, Msg: fmt.Sprintf("{%s} is not a parameter of this entry", m[1]),
				Hint: "write its pattern: params." + m[1] + " = '...'"})
		}
	}
}

// whole checks that a placeholder fills all of text or is not in it.
func (e Entry) whole(at, text string, is *fault.Issues) {
	if loc := placeholder.FindStringIndex(text); loc != nil && (loc[0] != 0 || loc[1] != len(text)) {
		is.Add(at, "%q holds a parameter among other text; it must fill the whole element", text)
		return
	}
	e.known(at, text, is)
}
