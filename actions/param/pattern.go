package param

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// Pattern is what the whole value of a catalogue parameter must match. A value
// may begin with '-', and so be taken for an option, only if the text of the
// pattern itself begins with a '-' (after a '^', with or without a backslash):
// then its author has thought of it.
type Pattern struct {
	text   string
	re     *regexp.Regexp
	dashed bool
}

// MaxValue bounds one value, in bytes.
const MaxValue = 4096

// maxSize bounds what one pattern takes in memory: a step takes some 40 to 160 bytes. What
// is repeated is there as often as it may occur, so a short text can be a huge pattern.
const maxSize = 20_000

// Size is how many steps a pattern takes when it is compiled, counted without
// compiling it; 0 for what is no pattern.
func Size(text string) int {
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0
	}
	return size(re)
}

func size(re *syntax.Regexp) int {
	n, shared := steps(re)
	return n + shared
}

// steps are those of an expression, and what its classes of characters take, which
// are there once however often they are repeated.
func steps(re *syntax.Regexp) (n, shared int) {
	n, shared = 1, len(re.Rune)/10
	switch re.Op {
	case syntax.OpLiteral:
		n, shared = len(re.Rune), 0
	case syntax.OpRepeat:
		n = 0
	}
	for _, sub := range re.Sub {
		m, s := steps(sub)
		n, shared = n+m, shared+s
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return n, shared
}

// NewPattern compiles the text of a pattern and anchors it.
func NewPattern(text string) (Pattern, error) {
	if text == "" {
		return Pattern{}, fmt.Errorf("a parameter needs a pattern")
	}
	if len(text) > 1024 {
		return Pattern{}, fmt.Errorf("the pattern has %d bytes, at most 1024 are taken", len(text))
	}
	// Alone first: `a)|(?:b` would otherwise slip out of the anchors.
	alone, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return Pattern{}, fmt.Errorf("%q is not a pattern: %v", text, err)
	}
	if n := size(alone); n > maxSize {
		return Pattern{}, fmt.Errorf("%.80q would take %d steps when it is compiled, at most %d are taken: shorten what is repeated", text, n, maxSize)
	}
	re, err := regexp.Compile(`\A(?:` + text + `)\z`)
	if err != nil {
		return Pattern{}, fmt.Errorf("%q is not a pattern: %v", text, err)
	}
	t := strings.TrimPrefix(text, "^")
	return Pattern{text, re, strings.HasPrefix(t, "-") || strings.HasPrefix(t, `\-`)}, nil
}

// Check says what is wrong with a value, nil nothing.
func (p Pattern) Check(v string) error {
	switch {
	case len(v) > MaxValue:
		return fmt.Errorf("the value has %d bytes, at most %d are taken", len(v), MaxValue)
	case !utf8.ValidString(v):
		return fmt.Errorf("%q is not UTF-8", v)
	case strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }):
		return fmt.Errorf("%q holds a control character", v)
	case strings.HasPrefix(v, "-") && !p.dashed:
		return fmt.Errorf("%q begins with '-' and could be taken for an option; the pattern does not say that it may", v)
	case !p.re.MatchString(v):
		return fmt.Errorf("%q does not match %s", v, p.text)
	}
	return nil
}

func (p Pattern) String() string { return p.text }
