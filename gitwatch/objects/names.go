package objects

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxName = 255

// CheckName says what is wrong with the name of a file or folder in a tree, ""
// for nothing. Names that some file system takes for .git, for another name or
// for a path are refused, since what a person reviewed and what a tool makes of
// the tree must be one thing.
func CheckName(name string) string {
	switch {
	case name == "":
		return "a name that is empty"
	case name == "." || name == "..":
		return "a name that leads to another folder"
	case len(name) > maxName:
		return fmt.Sprintf("a name of over %d bytes", maxName)
	case !utf8.ValidString(name):
		return "a name that is not UTF-8"
	case strings.ContainsAny(name, "/\\"):
		return "a slash or backslash in a name"
	case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") || strings.HasPrefix(name, " "):
		return "a name that begins with a space or ends with a space or a dot"
	case len(name) > 1 && name[1] == ':':
		return "a name that begins as a drive does"
	}
	for _, r := range name {
		switch {
		case r < ' ' || r == 0x7f || unicode.Is(unicode.C, r):
			return fmt.Sprintf("a control or invisible character (%U) in a name", r)
		case unicode.Is(unicode.M, r):
			return fmt.Sprintf("a combining character (%U) in a name; write it composed", r)
		case unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || r != ' ' && unicode.Is(unicode.Zs, r):
			return fmt.Sprintf("an unusual space (%U) in a name", r)
		}
	}
	plain, _, _ := strings.Cut(fold(name), ":")
	plain = strings.TrimRight(plain, ". ")
	if plain == ".git" || strings.HasPrefix(plain, "git~") {
		return "a name that a file system may take for .git"
	}
	return ""
}

// fold is one spelling for all names that differ in case alone.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return unicode.ToLower(least)
	}, name)
}
