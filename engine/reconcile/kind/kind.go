// Package kind is the kinds of documents that describe the machine: one file a
// kind, one line each in [Kinds].
//
// A kind reads the spec of its document strictly, checks it against the local
// trust, and gives a reconcile.Resource that knows what it wants. Kinds that
// belong to vigild itself (policies, checks, silences, maintenance) are named
// here and read elsewhere.
//
// It refuses I/O but through reconcile.World in Observe, and commands and paths
// that the local config does not allow. Invariant, for every kind: any drift is
// gone after the steps of one Heal, and a second Heal has no steps. A new kind
// (Container, Package, User, Mount, ...) is one file and one line.
package kind

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"path"
	"strings"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/sealed"
)

// definition is one kind: how its spec is read, and what of it an orphan needs.
type definition struct {
	name   string
	read   func(*site) resource
	retire func(reconcile.Key, reconcile.State) reconcile.Resource // nil: nothing is taken away
}

// Kinds lists every kind that describes the machine. Those of later (Container,
// Package, User, Group, AuthorizedKeys, Mount, Hosts, KernelModule,
// KubernetesObject) go here.
func kinds() []definition {
	return []definition{
		{"Cron", readCron, retireFile},
		{"Directory", readDirectory, retireDirectory},
		{"File", readFile, retireFile},
		{"Process", readProcess, nil},
		{"Service", readService, retireService},
		{"Sysctl", readSysctl, retireSysctl},
		{"Timer", readTimer, retireService},
	}
}

// Owned lists the kinds that belong to vigild itself.
func Owned() []string { return []string{"Check", "Maintenance", "Policy", "Silence"} }

// Names lists every kind that a document may have.
func Names() []string {
	names := Owned()
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// resource is what reading gives: a Resource, what its Hash is made of, and what
// it claims in the world for itself (a part of a file as file:PATH#field).
type resource interface {
	reconcile.Resource
	wants() any
	claims() []string
}

// Deps is what reading needs beside the document.
type Deps struct {
	Trust reconcile.Trust
	Box   *sealed.Box
	// Source is the bytes of a file of the same tree, by its whole path in it.
	Source func(path string) ([]byte, bool)
}

// Read reads one document. All issues are returned at once; beside issues the
// item is nil. claims are the things in the world that no other document may
// speak of. Pure, concurrent.
func Read(doc document.Document, d Deps) (item *reconcile.Item, claims []string, is fault.Issues) {
	for _, k := range kinds() {
		if k.name != doc.Kind {
			continue
		}
		s := &site{doc: doc, Deps: d, Common: reconcile.Common{Mode: reconcile.Enforce, Pace: reconcile.PaceDefaults()}}
		r := k.read(s)
		s.common()
		if len(s.issues) > 0 {
			return nil, nil, s.issues
		}
		it := &reconcile.Item{Resource: r, Common: s.Common, Place: doc.Place, Hash: hash(r.wants(), s.Common)}
		return it, r.claims(), nil
	}
	i := fault.Issue{Place: doc.Place, Msg: fmt.Sprintf("there is no kind %q", doc.Kind), Hint: "the kinds are " + strings.Join(Names(), ", ")}
	if near := document.Nearest(doc.Kind, Names()); near != "" {
		i.Hint = "did you mean " + near + "?"
	}
	return nil, nil, fault.Issues{i}
}

// Retire is the resource that takes away what was once written and is wanted no
// more, from what the ledger remembers of it; ok is false when nothing of it is
// ever taken away.
func Retire(key reconcile.Key, last reconcile.State) (r reconcile.Resource, ok bool) {
	for _, k := range kinds() {
		if k.name == key.Kind && k.retire != nil {
			r = k.retire(key, last)
		}
	}
	return r, r != nil
}

func hash(parts ...any) string {
	h := fnv.New128a()
	for _, p := range parts {
		b, err := json.Marshal(p)
		if err != nil {
			return "" // plain data always becomes JSON
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// site is one document while it is read.
type site struct {
	Deps
	reconcile.Common
	doc    document.Document
	issues fault.Issues
}

// spec decodes the spec into a kind's own struct.
func (s *site) spec(into any) { s.issues = append(s.issues, s.doc.Spec.Decode(into)...) }

func (s *site) bad(field, format string, args ...any) { s.mend(field, "", format, args...) }

func (s *site) mend(field, hint, format string, args ...any) {
	s.issues = append(s.issues, fault.Issue{Place: s.doc.Spec.Place(strings.Split(field, ".")...), Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// oneOf reads a word; empty is the first.
func (s *site) oneOf(field, v string, of ...string) string {
	for _, o := range of {
		if v == o {
			return v
		}
	}
	if v != "" {
		s.mend(field, document.Nearest(v, of), "%s: %q is none of %s", field, v, strings.Join(of, ", "))
	}
	return of[0]
}

// common checks the fields that all kinds have.
func (s *site) common() {
	c := &s.Common
	c.Mode = reconcile.Mode(s.oneOf("mode", string(c.Mode), "enforce", "detect", "once", "absent"))
	c.Conflict = s.oneOf("conflict", c.Conflict, reconcile.GitWins, reconcile.Hold)
	for _, on := range c.DependsOn {
		if kind, name, ok := strings.Cut(on, "/"); !ok || kind == "" || name == "" {
			s.mend("dependsOn", "write Kind/name, such as File/motd", "%q names no document", on)
		}
	}
	for i, n := range c.Notify {
		if n.Action == "" {
			s.bad("notify", "notify[%d] names no action", i)
		}
		for k, v := range n.With {
			switch v.(type) {
			case string, float64, bool:
			default:
				s.bad("notify", "notify[%d].with.%s: expected text, a number or a truth value", i, k)
			}
		}
	}
	for _, p := range c.Ignore {
		if p == "" || strings.Count(p, "*") > 8 {
			s.bad("ignore", "%q is no pattern of field names with at most eight *", p)
		}
	}
	if h := c.Health; h != nil {
		if (h.Expr == "") == (h.Check == "") {
			s.bad("health", "health needs one of expr and check")
		}
		if h.Successes == 0 {
			h.Successes = 1
		}
		if h.Successes < 0 || h.Successes > 1000 {
			s.bad("health.successes", "expected 1 to 1000 successes")
		}
	}
	if c.Pace.MaxAttempts < 1 || c.Pace.MaxAttempts > 1000 {
		s.bad("heal.maxAttempts", "expected 1 to 1000 attempts")
	}
}

// path checks a path that the document wants to touch, and returns it.
func (s *site) path(field, p string, whole bool) string {
	switch {
	case p == "":
		s.bad(field, "%s is missing", field)
	case !path.IsAbs(p) || path.Clean(p) != p || p == "/" || len(p) > 4095 || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }):
		s.mend(field, "write it whole, without . or .. and without a slash at its end", "%q is no plain absolute path", p)
	default:
		if why, mend := s.Trust.Path(p, whole); why != "" {
			s.mend(field, mend, "%s", why)
		}
	}
	return p
}

// command refuses what makes a program run, unless the local config trusts it.
func (s *site) command(field, what string) {
	if !s.Trust.Commands {
		s.mend(field, "the local config allows that with git.trust_commands = true and signed commits", "%s is a command, and documents are not trusted with commands here", what)
	}
}

// text reads a value that may be sealed: text, or {age: "-----BEGIN AGE ..."}.
// must says that plain text is a mistake here.
func (s *site) text(field string, n document.Node, must bool) string {
	switch {
	case n.Absent():
		return ""
	case n.IsMapping():
		var v struct {
			Age string `yaml:"age"`
		}
		if is := n.Decode(&v); len(is) > 0 {
			s.issues = append(s.issues, is...)
			return ""
		}
		return s.open(field, v.Age)
	case !n.IsScalar():
		s.bad(field, "%s: expected text or {age: ...}", field)
	case strings.HasPrefix(strings.TrimSpace(n.Text()), sealed.Header):
		return s.open(field, n.Text())
	case must:
		s.mend(field, "seal it for this host with age -a -r RECIPIENT", "%s is secret and stands here in plain text", field)
	default:
		var v string
		s.issues = append(s.issues, n.Decode(&v)...)
		return v
	}
	return ""
}

func (s *site) open(field, armored string) string {
	v, err := s.Box.Open(armored)
	if err != nil {
		s.bad(field, "%s cannot be opened: %v", field, err)
	}
	return v
}

// source is a file of the tree, beside the document unless its path is whole.
func (s *site) source(field, name string) []byte {
	file, _, _ := strings.Cut(s.doc.Place, ":")
	p := path.Clean(path.Join(path.Dir(file), name))
	if strings.HasPrefix(name, "/") {
		p = strings.TrimPrefix(path.Clean(name), "/")
	}
	if s.Source != nil && !strings.HasPrefix(p, "../") {
		if b, ok := s.Source(p); ok {
			return b
		}
	}
	s.bad(field, "there is no file %s in the tree", p)
	return nil
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func yes(b bool) string {
	if b {
		return reconcile.Yes
	}
	return reconcile.No
}

// still is a context's end as an error, for Observe loops.
func still(ctx context.Context) error {
	if ctx.Err() != nil {
		return fault.Wrap(fault.Cancelled, ctx.Err(), "looking at the world")
	}
	return nil
}
