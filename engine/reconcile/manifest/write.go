package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"vigil/engine/document"
	"vigil/engine/reconcile/sealed"
)

// maxInline is how long a text may be that stands in the document itself.
const maxInline = 64 << 10

// writer writes a document in block style.
type writer struct{ b strings.Builder }

func (w *writer) head(kind, name string) {
	fmt.Fprintf(&w.b, "apiVersion: %s\nkind: %s\nmetadata:\n  name: %s\nspec:\n", document.Version, kind, scalar(name))
}

func (w *writer) scalar(key, v string) { fmt.Fprintf(&w.b, "  %s: %s\n", key, scalar(v)) }
func (w *writer) quoted(key, v string) { fmt.Fprintf(&w.b, "  %s: %s\n", key, quoted(v)) }
func (w *writer) word(key, v string)   { fmt.Fprintf(&w.b, "  %s: %s\n", key, v) }

// text writes a value that may have several lines.
func (w *writer) text(indent int, key, v string) {
	head, body := value(v, indent+2, 2)
	fmt.Fprintf(&w.b, "%s%s: %s\n%s", strings.Repeat(" ", indent), scalar(key), head, body)
}

// content writes bytes as text under a key, or as a file beside the document.
func (w *writer) content(m *Manifest, key string, data []byte) {
	if Inline(data) {
		w.text(2, key, string(data))
		return
	}
	name := "files/" + plain(m.Name)
	w.scalar("source", name)
	m.Files = append(m.Files, File{path.Join(path.Dir(m.Path), name), data})
}

// Inline says that bytes can stand in a document as text.
func Inline(data []byte) bool {
	return len(data) <= maxInline && utf8.Valid(data) && !bytes.HasPrefix(bytes.TrimSpace(data), []byte(sealed.Header)) &&
		!bytes.ContainsFunc(data, func(r rune) bool { return !shown(r) && r != '\n' && r != '\t' && r != '\r' })
}

// shown says that YAML takes a rune as it stands.
func shown(r rune) bool {
	return r >= ' ' && r < 0x7f || r > 0xa0 && r != 0xfeff && r != 0x2028 && r != 0x2029 && !unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Noncharacter_Code_Point, r) && r != utf8.RuneError
}

var (
	bare     = regexp.MustCompile(`^[A-Za-z/_][A-Za-z0-9/_.@:=+-]*$`)
	reserved = []string{"true", "false", "yes", "no", "on", "off", "y", "n", "null"}
)

// scalar is a text on one line, without quotes where none are needed.
func scalar(s string) string {
	if bare.MatchString(s) && !strings.HasSuffix(s, ":") && !slices.Contains(reserved, strings.ToLower(s)) {
		return s
	}
	return quoted(s)
}

// quoted is a text on one line in double quotes, the same in YAML and in JSON.
func quoted(s string) string {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always becomes JSON
	var out strings.Builder
	for _, r := range strings.TrimSuffix(buf.String(), "\n") {
		if !shown(r) && r < 0x10000 {
			fmt.Fprintf(&out, `\u%04x`, r)
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}

// value is a text as it stands after its key: what follows on the line, and the
// lines below it. indent is that of the lines below, step how much it is deeper
// than the key.
func value(s string, indent, step int) (head, body string) {
	if !strings.Contains(s, "\n") || strings.Contains(s, "\r") || strings.Trim(s, "\n \t") == "" {
		return scalar(s), ""
	}
	head = "|"
	if s[0] == ' ' || s[0] == '\n' || s[0] == '\t' {
		head += strconv.Itoa(step)
	}
	switch {
	case !strings.HasSuffix(s, "\n"):
		head += "-"
	case strings.HasSuffix(s, "\n\n"):
		head += "+"
	}
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSuffix(s, "\n") + "\n") {
		if line != "\n" {
			b.WriteString(strings.Repeat(" ", indent))
		}
		b.WriteString(line)
	}
	return head, b.String()
}

var accountName = regexp.MustCompile(`^[a-z_][a-z0-9_.-]{0,31}\$?$`)

// account is a user or group as a document names it: by number where the name is
// none that documents take.
func account(name string, id uint32) string {
	if accountName.MatchString(name) {
		return name
	}
	return strconv.FormatUint(uint64(id), 10)
}

// secrets are the shapes of text that is likely not meant for others.
var secrets = []struct {
	what string
	is   *regexp.Regexp
}{
	{"a private key", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----`)},
	{"an age identity", regexp.MustCompile(`AGE-SECRET-KEY-1[0-9A-Z]{20}`)},
	{"an access key", regexp.MustCompile(`\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bxox[abp]-[0-9A-Za-z-]{10}`)},
	{"the hash of a password", regexp.MustCompile(`\$(y|gy|7|6|5|2[abxy]|argon2id?)\$[A-Za-z0-9./$,=+-]{16}`)},
	{"a token of vigild", regexp.MustCompile(`\bvgl_[A-Za-z0-9_-]{16}`)},
	{"what looks like a password", regexp.MustCompile(`(?im)^[^#;\n]*\b[a-z_.-]*(password|passwd|passphrase|secret|api[_-]?key|auth[_-]?token|access[_-]?token)\b["']?\s*[=:]\s*["']?[^\s"'#;,]{4}`)},
	{"a password in a URL", regexp.MustCompile(`[a-z][a-z0-9+.-]*://[^\s/:@]{1,64}:[^\s/@]{3,}@`)},
}

// Secretive says what in a text looks like a secret, "" nothing. It may be wrong
// either way: it is there to make a person look.
func Secretive(content []byte) string {
	for _, s := range secrets {
		if s.is.Match(content) {
			return s.what
		}
	}
	return ""
}

// Number says that a text is a whole number as YAML writes one too.
func Number(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return digits != "" && len(digits) < 16 && strings.Trim(digits, "0123456789") == "" && (digits == "0" || digits[0] != '0') && s != "-0"
}
