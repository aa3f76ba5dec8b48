package objects

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
)

// Commit is what a commit object says.
type Commit struct {
	ID        plumbing.Hash
	Tree      plumbing.Hash
	Parents   []plumbing.Hash
	Author    Person
	Committer Person
	Subject   string // the first line of the message, printable
	Raw       []byte // the object, as it was hashed and signed; not to be changed
}

// Person is who, and when by their own clock.
type Person struct {
	Name, Mail string
	When       time.Time
}

func (p Person) String() string { return p.Name + " <" + p.Mail + ">" }

const maxParents = 64

// ParseCommit reads a commit object strictly: tree, parents, author and
// committer, each where git writes it.
func ParseCommit(id plumbing.Hash, raw []byte) (Commit, error) {
	c := Commit{ID: id, Raw: raw}
	bad := func(why string) (Commit, error) {
		return Commit{}, fault.New(fault.Unprocessable, "the commit %s is malformed: %s", id, why)
	}
	head, message, ok := bytes.Cut(raw, []byte("\n\n"))
	if !ok {
		if head, ok = bytes.CutSuffix(raw, []byte("\n")); !ok {
			return bad("it has no end of its header")
		}
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return bad("a NUL in its header")
	}
	lines := strings.Split(string(head), "\n")
	take := func(key string) (string, bool) {
		if len(lines) == 0 {
			return "", false
		}
		v, ok := strings.CutPrefix(lines[0], key+" ")
		if ok {
			lines = lines[1:]
		}
		return v, ok
	}
	tree, ok := take("tree")
	if !ok || !plumbing.IsHash(tree) {
		return bad("no tree")
	}
	c.Tree = plumbing.NewHash(tree)
	for {
		p, ok := take("parent")
		if !ok {
			break
		}
		if !plumbing.IsHash(p) || len(c.Parents) >= maxParents {
			return bad("its parents")
		}
		c.Parents = append(c.Parents, plumbing.NewHash(p))
	}
	var err error
	author, ok := take("author")
	if c.Author, err = person(author); !ok || err != nil {
		return bad("its author")
	}
	committer, ok := take("committer")
	if c.Committer, err = person(committer); !ok || err != nil {
		return bad("its committer")
	}
	for _, l := range lines {
		for _, once := range []string{"tree ", "parent ", "author ", "committer "} {
			if strings.HasPrefix(l, once) {
				return bad("a second " + strings.TrimSpace(once))
			}
		}
	}
	subject, _, _ := bytes.Cut(bytes.TrimLeft(message, "\n"), []byte("\n"))
	c.Subject = Printable(string(subject), 200)
	return c, nil
}

// Trailer is what the message says of a key in its last paragraph, in the form that
// `git commit --trailer` writes, `Key: value`; "" nothing. Of several the last one
// counts. The subject is no trailer, whatever it looks like.
func (c Commit) Trailer(key string) (value string) {
	_, message, _ := bytes.Cut(c.Raw, []byte("\n\n"))
	text := strings.TrimSpace(strings.ReplaceAll(string(message), "\r\n", "\n"))
	at := strings.LastIndex(text, "\n\n")
	if at < 0 {
		return ""
	}
	for line := range strings.SplitSeq(text[at+2:], "\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(k, key) {
			value = strings.TrimSpace(v)
		}
	}
	return value
}

func person(s string) (Person, error) {
	open, end := strings.Index(s, "<"), strings.LastIndex(s, "> ")
	if open < 0 || end < open {
		return Person{}, errors.New("no address")
	}
	p := Person{Name: Printable(strings.TrimSpace(s[:open]), 200), Mail: Printable(s[open+1:end], 200)}
	at, zone, ok := strings.Cut(s[end+2:], " ")
	sec, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil || sec < 0 || sec > 1<<40 || len(zone) != 5 {
		return Person{}, errors.New("no time")
	}
	p.When = time.Unix(sec, 0).UTC()
	return p, nil
}

// Printable is text that a terminal and a log can be shown: control and
// direction characters become `?`, and at most limit bytes are kept.
func Printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\ufffd',
			r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff:
			return '?'
		}
		return r
	}, s)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "..."
	}
	return s
}
