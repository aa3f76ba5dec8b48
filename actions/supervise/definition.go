package supervise

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"time"

	"vigil/actions/launch"
	"vigil/actions/supervise/defined"
	"vigil/engine/fault"
)

// definition is what a process is. One of the local config has no sum: it changes
// with a restart of vigild alone, and the process is adopted as it runs.
type definition struct {
	Process
	raw []byte
	sum string // sha256 of raw, in hex
}

func sum(raw []byte) string {
	h := sha256.Sum256(raw)
	return hex.EncodeToString(h[:])
}

// mark is by what a process is known to have been started with this definition.
func (d *definition) mark() string { return "VIGIL_DEFINITION=" + d.sum }

// as is the definition of a process that was started with the one of a sum: of
// another one nothing but that is known.
func (d *definition) as(sum string) *definition {
	if sum == d.sum {
		return d
	}
	other := *d
	other.sum = sum
	return &other
}

func (d *definition) program(env []string) launch.Program {
	return launch.Program{Argv: d.Argv, Env: env, Dir: d.Cwd, User: d.User, Group: d.Group, Limits: d.Limits}
}

// MaxDefinition is the bytes of one definition.
const MaxDefinition = 64 << 10

// maxReady bounds how long a declared process may take until it serves.
const maxReady = time.Hour

// Parse reads a definition: the settings of a `[[process]]` but its name, as JSON.
// It may list under sealed which of env is not to be told. Unprocessable: all that
// is wrong with it; TooLarge.
func Parse(name string, raw []byte) (Process, error) {
	if !nameShape.MatchString(name) {
		return Process{}, fault.New(fault.Unprocessable, "%q is not the name of a process: lower-case letters, digits, '-', '_', '.', at most 63", name)
	}
	if len(raw) > MaxDefinition {
		return Process{}, fault.New(fault.TooLarge, "the definition of process %s has %d bytes, at most %d are taken", name, len(raw), MaxDefinition)
	}
	var v struct {
		Process
		Sealed []string `json:"sealed"`
	}
	r := json.NewDecoder(bytes.NewReader(raw))
	r.DisallowUnknownFields()
	if err := r.Decode(&v); err != nil {
		return Process{}, fault.New(fault.Unprocessable, "the definition of process %s cannot be read: %v", name, err)
	}
	if _, err := r.Token(); !errors.Is(err, io.EOF) {
		return Process{}, fault.New(fault.Unprocessable, "the definition of process %s does not end where it should", name)
	}
	p := v.Process
	var is fault.Issues
	if p.Name != "" || p.Autostart != nil {
		is.Add("process."+name, "a definition has neither name nor autostart")
	}
	p.Name = name
	p.validate("process."+name, &is)
	if p.Ready.timeout() > maxReady {
		is.Add("process."+name+".ready", "%v is longer than %v", p.Ready.timeout(), maxReady)
	}
	return p, is.Err()
}

// recallDefinitions reads what an earlier vigild was told to keep. It changes
// nothing; what cannot be read is told, and is defined anew by its document.
func (s *Supervisor) recallDefinitions() {
	for _, name := range s.folder().Names() {
		switch {
		case !nameShape.MatchString(name):
			continue
		case s.local[name]:
			s.deps.Log.Warn("a process of a document is now one of the local config, which is kept in its place", "process", name)
			continue
		case !s.declared:
			s.deps.Log.Warn("a process of a document is kept no more, since documents bring no processes here; if it runs, it runs on", "process", name)
			continue
		case len(s.procs) >= maxKept:
			s.deps.Log.Error("a process of a document is not kept: there are too many", "process", name, "most", maxKept)
			continue
		}
		raw, err := s.folder().Get(name, MaxDefinition)
		var p Process
		if err == nil {
			p, err = Parse(name, raw)
		}
		if err != nil {
			s.deps.Log.Error("the definition of a process cannot be read", "process", name, "err", err)
			continue
		}
		s.procs[name] = s.keeps(name, &definition{Process: p, raw: raw, sum: sum(raw)})
	}
}

// folder is where the definitions of what is declared lie.
func (s *Supervisor) folder() defined.Folder { return defined.Folder{Dir: s.dir} }
