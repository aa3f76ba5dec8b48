package units

import (
	"context"
	"regexp"
	"strings"

	"vigil/engine/document"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/site"
)

// sysctlSpec is a document of kind Sysctl.
type sysctlSpec struct {
	reconcile.Common `yaml:",inline"`
	Name             string        `yaml:"name"`  // net.ipv4.ip_forward, or with slashes when a part has a dot
	Value            document.Node `yaml:"value"` // text or a number
}

type sysctl struct {
	key    reconcile.Key
	name   string // with slashes
	value  string
	path   string // of the file that keeps it over a reboot
	text   []byte
	absent bool
}

var sysctlValue = regexp.MustCompile(`^[!-~]+( [!-~]+)*$`)

// sysctlFolder is where values are kept over a reboot.
const sysctlFolder = "/etc/sysctl.d/"

// Sysctl reads a document of this kind.
func Sysctl(s *site.Site) site.Resource {
	v := sysctlSpec{Common: s.Common}
	s.Decode(&v)
	s.Common = v.Common
	name := v.Name
	if !strings.Contains(name, "/") {
		name = strings.ReplaceAll(name, ".", "/")
	}
	if !reconcile.Parameter(name) {
		s.Mend("name", "write one such as net.ipv4.ip_forward", "%q is no kernel parameter", v.Name)
	}
	if reconcile.NamesProgram(name) {
		s.AsCommand("name", v.Name)
	}
	value := strings.Join(strings.Fields(v.Value.Text()), " ")
	if v.Mode != reconcile.Absent && (len(value) > 1024 || !sysctlValue.MatchString(value)) {
		s.Bad("value", "expected the value as one line of text or a number")
	}
	r := newSysctl(reconcile.Key{Kind: s.Doc.Kind, Name: s.Doc.Name, Subject: "sysctl:" + name})
	r.value, r.absent = value, v.Mode == reconcile.Absent
	r.text = []byte("# kept by vigild: " + r.key.Ref() + "\n" + name + " = " + value + "\n")
	return r
}

func newSysctl(k reconcile.Key) *sysctl {
	name := strings.TrimPrefix(k.Subject, "sysctl:")
	return &sysctl{key: k, name: name, path: sysctlFolder + "90-vigil-" + strings.ReplaceAll(name, "/", "-") + ".conf"}
}

func (r *sysctl) Key() reconcile.Key { return r.key }
func (r *sysctl) Wants() any         { return []any{r.key, r.value, r.absent} }
func (r *sysctl) Claims() []string   { return []string{r.key.Subject, "file:" + r.path} }

func (r *sysctl) Observe(ctx context.Context, w reconcile.World) (reconcile.Observed, error) {
	st := reconcile.State{reconcile.Exists: reconcile.Yes}
	if !r.absent {
		v, ok, err := w.Sysctl(ctx, r.name)
		if err != nil {
			return reconcile.Observed{}, err
		}
		st["running"] = strings.Join(strings.Fields(v), " ")
		st[reconcile.Exists] = site.Truth(ok)
	}
	f, err := w.File(ctx, r.path, reconcile.LookHash)
	if err != nil {
		return reconcile.Observed{}, err
	}
	if f.Type != "" {
		st["persisted"] = f.SHA256
	}
	return reconcile.Observed{State: st}, nil
}

func (r *sysctl) Compare(last reconcile.State, seen reconcile.Observed) []reconcile.Difference {
	if r.absent {
		return site.Gone(seen.State, "persisted")
	}
	return reconcile.Diff(reconcile.State{"running": r.value, "persisted": site.Sum(r.text)}, last, seen.State)
}

func (r *sysctl) Heal(_ reconcile.Observed, diffs []reconcile.Difference) (steps []reconcile.Step) {
	for _, d := range diffs {
		switch d.Field {
		case "running":
			steps = append(steps, reconcile.Step{Action: "sysctl", With: map[string]any{"name": r.name, "value": r.value}, Summary: "set " + r.name + " = " + r.value})
		case "persisted":
			steps = append(steps, site.Keep(r.path, r.text, r.absent))
		}
	}
	if r.absent && len(steps) > 0 {
		steps[0].Final = "the running value of " + r.name + " stays until the machine starts again"
	}
	return steps
}

// RetireSysctl takes the kept value away; what the kernel has now stays.
func RetireSysctl(k reconcile.Key, _ reconcile.State) reconcile.Resource {
	r := newSysctl(k)
	r.absent = true
	return r
}
