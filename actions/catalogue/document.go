package catalogue

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"vigil/actions/param"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// DocumentKind is the kind of the documents that define an entry.
const DocumentKind = "Action"

// maxDocument bounds one document, in bytes.
const maxDocument = 64 << 10

// Room is what all documents of a repository may take together, and what is left of it
// while they are read.
type Room struct {
	Bytes int // of their text
	Steps int // of their patterns, as param.Size counts them
}

// Whole is all the room there is: 4 MiB, 250,000 steps.
func Whole() *Room { return &Room{Bytes: 4 << 20, Steps: 250_000} }

// spec is the spec of a document: the words of `[actions.NAME]`, in their order.
type spec struct {
	Kind        string            `yaml:"kind"`
	Description string            `yaml:"description"`
	Params      map[string]string `yaml:"params"`
	Timeout     document.Duration `yaml:"timeout"`
	Class       remedy.Class      `yaml:"class"`
	Cost        *float64          `yaml:"cost"`
	Capture     bool              `yaml:"capture"`
	Subject     string            `yaml:"subject"`
	Concurrency int               `yaml:"concurrency"`
	Mutex       string            `yaml:"mutex"`

	Argv      []string          `yaml:"argv"`
	Probe     []string          `yaml:"probe"`
	User      string            `yaml:"user"`
	Group     string            `yaml:"group"`
	Env       map[string]string `yaml:"env"`
	PassEnv   []string          `yaml:"pass_env"`
	Cwd       string            `yaml:"cwd"`
	KillAfter document.Duration `yaml:"kill_after"`
	Output    int               `yaml:"output"`
	Limits    map[string]uint64 `yaml:"limits"`
	SHA256    string            `yaml:"sha256"`
	Isolation string            `yaml:"isolation"`

	Method     string            `yaml:"method"`
	URL        string            `yaml:"url"`
	Query      map[string]string `yaml:"query"`
	Headers    map[string]string `yaml:"headers"`
	JSON       map[string]any    `yaml:"json"`
	Expect     []int             `yaml:"expect"`
	Idempotent bool              `yaml:"idempotent"`
	Allow      []string          `yaml:"allow"`
}

func (s spec) entry() Entry {
	return Entry{
		Kind: s.Kind, Description: s.Description, Params: s.Params, Timeout: time.Duration(s.Timeout), Class: s.Class, Cost: s.Cost,
		Capture: s.Capture, Subject: s.Subject, Concurrency: s.Concurrency, Mutex: s.Mutex,
		Argv: s.Argv, Probe: s.Probe, User: s.User, Group: s.Group, Env: s.Env, PassEnv: s.PassEnv, Cwd: s.Cwd,
		KillAfter: time.Duration(s.KillAfter), Output: s.Output, Limits: s.Limits, SHA256: s.SHA256, Isolation: s.Isolation,
		Method: s.Method, URL: s.URL, Query: s.Query, Headers: s.Headers, JSON: s.JSON, Expect: s.Expect, Idempotent: s.Idempotent, Allow: s.Allow,
	}
}

// FromDocument reads an entry from a document, with the rules of the local config,
// and takes of the room what it needs, which is counted before anything is compiled.
// Whether anybody may define it, and whether its name is free, is not asked here. All
// issues are told at once. Not concurrent on one room.
func FromDocument(d document.Document, left *Room) (Entry, fault.Issues) {
	text, err := d.Text()
	var bad fault.Issues
	switch {
	case errors.As(err, &bad):
		return Entry{}, bad
	case err != nil:
		return Entry{}, fault.Issues{{Place: d.Place, Msg: err.Error()}}
	case len(text) > maxDocument:
		return Entry{}, fault.Issues{{Place: d.Place, Msg: fmt.Sprintf("an action takes at most %d KiB", maxDocument>>10), Hint: "put what is long into a file that the program reads"}}
	case len(text) > left.Bytes:
		return Entry{}, fault.Issues{{Place: d.Place, Msg: fmt.Sprintf("with this one the actions take more than %d KiB together", Whole().Bytes>>10)}}
	}
	var s spec
	is := d.Spec.Decode(&s)
	e, steps := s.entry(), 0
	for _, p := range e.Params {
		steps += param.Size(p)
	}
	switch {
	case len(is) > 0:
		return e, is
	case steps > left.Steps:
		return e, fault.Issues{{Place: d.Spec.Place("params"), Hint: "shorten what they repeat",
			Msg: fmt.Sprintf("with this one the patterns of the actions take more than %d steps together", Whole().Steps)}}
	}
	left.Bytes, left.Steps = left.Bytes-len(text), left.Steps-steps
	return e, placed(Validate(map[string]Entry{d.Name: e}, nil), d)
}

var elements = regexp.MustCompile(`\[(\d+)\]`)

// placed says of issues with key paths of the config where they stand in a document.
func placed(is fault.Issues, d document.Document) (out fault.Issues) {
	for _, i := range is {
		path, inside := strings.CutPrefix(i.Place, "actions."+d.Name+".")
		i.Place = d.Place
		if inside {
			i.Place = d.Spec.Place(strings.Split(elements.ReplaceAllString(path, ".$1"), ".")...)
		}
		out = append(out, i)
	}
	return out
}
