package objects_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/gitwatch/objects"
)

const tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

func TestCommitSaysWhoWhenAndWhat(t *testing.T) {
	raw := "tree " + tree + "\nparent " + strings.Repeat("ab", 20) + "\nparent " + strings.Repeat("cd", 20) +
		"\nauthor Ada <L> Byron <ada@example.com> 1700000000 +0100\ncommitter  <bot@example.com> 1700000060 -0800\nencoding UTF-8\ngpgsig x\n tree y\n\nthe \x1b[31msubject\u202e\n\nbody\n"
	c, err := objects.ParseCommit(plumbing.ZeroHash, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if c.Tree.String() != tree || len(c.Parents) != 2 || c.Subject != "the ?[31msubject?" || string(c.Raw) != raw {
		t.Errorf("%+v", c)
	}
	if c.Author.Name != "Ada" || c.Author.Mail != "L> Byron <ada@example.com" || c.Committer.String() != " <bot@example.com>" || !c.Committer.When.Equal(time.Unix(1700000060, 0)) {
		t.Errorf("%+v %+v", c.Author, c.Committer)
	}
}

// TestCommitTrailers: in the last paragraph of the message, which is not its subject,
// and nowhere else.
func TestCommitTrailers(t *testing.T) {
	head := "tree " + tree + "\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\ngpgsig Confirm-Prune: yes\n Confirm-Prune: yes\n"
	for message, want := range map[string]string{
		"\nx\n\nConfirm-Prune: yes\n":                                    "yes",
		"\nx\r\n\r\nmore\r\n\r\nconfirm-prune:  yes \r\n\r\n":            "yes",
		"\nx\n\nSigned-off-by: A <a>\nConfirm-Prune: no\nFixes: #1":      "no",
		"\nx\n\nConfirm-Prune: no\nConfirm-Prune: yes\n":                 "yes",
		"\nx\n\nConfirm-Prune: yes\n\nand then it was taken out again\n": "",
		"\nConfirm-Prune: yes\n":                                         "",
		"\n\n\nConfirm-Prune: yes\n":                                     "",
		"\nx\n\n    Confirm-Prune: yes\n":                                "",
		"\nx\nConfirm-Prune: yes\n":                                      "",
		"\nx\n\nDo not write Confirm-Prune: yes\n":                       "",
		"\n": "", "": "",
	} {
		c, err := objects.ParseCommit(plumbing.ZeroHash, []byte(head+message))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Trailer("Confirm-Prune"); got != want {
			t.Errorf("%q: %q, expected %q", message, got, want)
		}
	}
}

func TestNamesThatCouldBeTakenForOthers(t *testing.T) {
	for _, good := range []string{"a.yaml", ".gitignore", ".gitattributes", ".gitmodules", "git", "gitx~", "übung.yaml", "日本.yaml", "a b", "x@y", "-x", "...x", strings.Repeat("n", 255)} {
		if why := objects.CheckName(good); why != "" {
			t.Errorf("%q: %s", good, why)
		}
	}
	for _, bad := range []string{"", ".", "..", ".git", ".GiT", ".git ", ".git.", ".git...", ".git:x", "git~1", "GIT~1", "git~12", ".g\u200cit", "a/b", "a\\b", "c:x", "a\x00", "a\n", "a\u0301", "a\u2028", "a\u3000b", strings.Repeat("n", 256)} {
		if objects.CheckName(bad) == "" {
			t.Errorf("%q is let in", bad)
		}
	}
}

func FuzzCheckName(f *testing.F) {
	f.Add("a.yaml")
	f.Add(".g\u200dit")
	f.Fuzz(func(t *testing.T, name string) {
		if objects.CheckName(name) != "" {
			return
		}
		seen := strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Cf, r) || unicode.Is(unicode.M, r) {
				return -1
			}
			return unicode.ToLower(r)
		}, strings.TrimRight(name, ". "))
		if seen == ".git" || seen == "" || strings.ContainsAny(name, "/\\\x00\n\r\x1b") {
			t.Fatalf("%q is let in", name)
		}
	})
}

// FuzzParseTree: what is taken is written again the same.
func FuzzParseTree(f *testing.F) {
	f.Add([]byte("100644 a\x00aaaaaaaaaaaaaaaaaaaa40000 b\x00bbbbbbbbbbbbbbbbbbbb"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, err := objects.ParseTree(plumbing.ZeroHash, raw)
		if err != nil {
			return
		}
		var b bytes.Buffer
		for _, e := range entries {
			fmt.Fprintf(&b, "%o %s\x00", e.Mode, e.Name)
			b.Write(e.Hash[:])
		}
		// A mode may have a zero before it, as old gits wrote it.
		if got := b.Len(); got > len(raw) || got == len(raw) && !bytes.Equal(b.Bytes(), raw) {
			t.Fatalf("%q became %q", raw, b.Bytes())
		}
	})
}

// FuzzParseCommit: text that is shown is printable, and bounded.
func FuzzParseCommit(f *testing.F) {
	f.Add([]byte("tree " + tree + "\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := objects.ParseCommit(plumbing.ZeroHash, raw)
		if err != nil {
			return
		}
		for _, s := range []string{c.Subject, c.Author.String(), c.Committer.String()} {
			if len(s) > 500 || strings.ContainsFunc(s, unicode.IsControl) {
				t.Fatalf("%q", s)
			}
		}
	})
}
