// Package site is what every kind needs while its document is read: strict
// decoding with places, the checks of the local trust, values that may be sealed,
// files of the tree; and the small steps that several kinds share.
//
// It refuses knowledge of any kind. Pure but for the issues that a [Site]
// gathers; a Site serves one document and one goroutine.
package site

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/sealed"
)

// Resource is what reading gives: a Resource, what its Hash is made of, and what
// it claims in the world for itself (a part of a file as file:PATH#field).
type Resource interface {
	reconcile.Resource
	Wants() any
	Claims() []string
}

// Deps is what reading needs beside the document.
type Deps struct {
	Trust reconcile.Trust
	Box   *sealed.Box
	// Source is the bytes of a file of the same tree, by its whole path in it.
	Source func(path string) ([]byte, bool)
}

// Site is one document while it is read.
type Site struct {
	Deps
	reconcile.Common
	Doc    document.Document
	Issues fault.Issues
	Sealed bool // some value was opened
}

// Decode decodes the spec into a kind's own struct.
func (s *Site) Decode(into any) { s.Issues = append(s.Issues, s.Doc.Spec.Decode(into)...) }

// Bad adds an issue at a field of the spec, its parts joined by dots.
func (s *Site) Bad(field, format string, args ...any) { s.Mend(field, "", format, args...) }

// Mend is Bad with a hint.
func (s *Site) Mend(field, hint, format string, args ...any) {
	s.Issues = append(s.Issues, fault.Issue{Place: s.Doc.Spec.Place(strings.Split(field, ".")...), Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// OneOf reads a word; empty is the first.
func (s *Site) OneOf(field, v string, of ...string) string {
	for _, o := range of {
		if v == o {
			return v
		}
	}
	if v != "" {
		hint := ""
		if near := document.Nearest(v, of); near != "" {
			hint = "did you mean " + near + "?"
		}
		s.Mend(field, hint, "%s: %q is none of %s", field, v, strings.Join(of, ", "))
	}
	return of[0]
}

// CheckCommon checks the fields that all kinds have.
func (s *Site) CheckCommon() {
	c := &s.Common
	c.Mode = reconcile.Mode(s.OneOf("mode", string(c.Mode), "enforce", "detect", "once", "absent"))
	c.Conflict = s.OneOf("conflict", c.Conflict, reconcile.GitWins, reconcile.Hold)
	for _, on := range c.DependsOn {
		if kind, name, ok := strings.Cut(on, "/"); !ok || kind == "" || name == "" {
			s.Mend("dependsOn", "write Kind/name, such as File/motd", "%q names no document", on)
		}
	}
	for i, n := range c.Notify {
		if n.Action == "" {
			s.Bad("notify", "notify[%d] names no action", i)
		}
		for k, v := range n.With {
			switch v.(type) {
			case string, float64, bool:
			default:
				s.Bad("notify", "notify[%d].with.%s: expected text, a number or a truth value", i, k)
			}
		}
	}
	for _, p := range c.Ignore {
		if p == "" || strings.Count(p, "*") > 8 {
			s.Bad("ignore", "%q is no pattern of field names with at most eight *", p)
		}
	}
	if h := c.Health; h != nil {
		if (h.Expr == "") == (h.Check == "") {
			s.Bad("health", "health needs one of expr and check")
		}
		if h.Successes == 0 {
			h.Successes = 1
		}
		if h.Successes < 0 || h.Successes > 1000 {
			s.Bad("health.successes", "expected 1 to 1000 successes")
		}
	}
	if c.Pace.MaxAttempts < 1 || c.Pace.MaxAttempts > 1000 {
		s.Bad("heal.maxAttempts", "expected 1 to 1000 attempts")
	}
}

// Path checks a path that the document wants to touch, and returns it.
func (s *Site) Path(field, p string) string {
	switch {
	case p == "":
		s.Bad(field, "%s is missing", field)
	case !path.IsAbs(p) || path.Clean(p) != p || p == "/" || len(p) > 4095 || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }):
		s.Mend(field, "write it whole, without . or .. and without a slash at its end", "%q is no plain absolute path", p)
	default:
		if why, mend := s.Trust.Path(p); why != "" {
			s.Mend(field, mend, "%s", why)
		}
	}
	return p
}

// AsCommand refuses what makes a program run, unless the local config trusts it.
func (s *Site) AsCommand(field, what string) {
	if !s.Trust.Commands {
		s.Mend(field, "the local config allows that with git.trust_commands = true and signed commits", "%s is a command, and documents are not trusted with commands here", what)
	}
}

// Text reads a value that may be sealed: text, or {age: "-----BEGIN AGE ..."}.
// must says that plain text is a mistake here.
func (s *Site) Text(field string, n document.Node, must bool) string {
	switch {
	case n.Absent():
		return ""
	case n.IsMapping():
		var v struct {
			Age string `yaml:"age"`
		}
		if is := n.Decode(&v); len(is) > 0 {
			s.Issues = append(s.Issues, is...)
			return ""
		}
		return s.open(field, v.Age)
	case !n.IsScalar():
		s.Bad(field, "%s: expected text or {age: ...}", field)
	case strings.HasPrefix(strings.TrimSpace(n.Text()), sealed.Header):
		return s.open(field, n.Text())
	case must:
		s.Mend(field, "seal it for this host with age -a -r RECIPIENT", "%s is secret and stands here in plain text", field)
	default:
		var v string
		s.Issues = append(s.Issues, n.Decode(&v)...)
		return v
	}
	return ""
}

func (s *Site) open(field, armored string) string {
	s.Sealed = true
	v, err := s.Box.Open(armored)
	if err != nil {
		s.Bad(field, "%s cannot be opened: %v", field, err)
	}
	return v
}

// FromTree is a file of the tree, beside the document unless its path is whole.
func (s *Site) FromTree(field, name string) []byte {
	file, _, _ := strings.Cut(s.Doc.Place, ":")
	p := path.Clean(path.Join(path.Dir(file), name))
	if strings.HasPrefix(name, "/") {
		p = strings.TrimPrefix(path.Clean(name), "/")
	}
	if s.Source != nil && !strings.HasPrefix(p, "../") {
		if b, ok := s.Source(p); ok {
			return b
		}
	}
	s.Bad(field, "there is no file %s in the tree", p)
	return nil
}

// Sum is the sha256 of bytes, in hex.
func Sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// Truth is yes or no.
func Truth(b bool) string {
	if b {
		return reconcile.Yes
	}
	return reconcile.No
}

// Still is a context's end as an error, for Observe loops.
func Still(ctx context.Context) error {
	if ctx.Err() != nil {
		return fault.Wrap(fault.Cancelled, ctx.Err(), "looking at the world")
	}
	return nil
}
