package made

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Cron is one line of a file of /etc/cron.d, with its variables.
type Cron struct {
	Schedule string // five fields with a space between them, or @daily and the like
	User     string
	Command  []string // argv
	Env      map[string]string
}

// Text is the file; ref is the document's, such as Cron/backup.
func (c Cron) Text(ref string) []byte {
	var b bytes.Buffer
	b.WriteString("# kept by vigild: " + ref + "\n")
	for _, k := range slices.Sorted(maps.Keys(c.Env)) {
		b.WriteString(k + "=\"" + c.Env[k] + "\"\n")
	}
	words := make([]string, len(c.Command))
	for i, w := range c.Command {
		words[i] = cronQuote(w)
	}
	b.WriteString(c.Schedule + " " + c.User + " " + strings.Join(words, " ") + "\n")
	return b.Bytes()
}

var (
	plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@=,+-]+$`)
	field     = regexp.MustCompile(`^(@[a-z]+|[0-9*/,A-Za-z-]+)$`)
	variable  = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)="([^"']*)"$`)
)

// cronQuote writes one argument so that the shell which cron itself starts takes
// it for one word, and cron no % for the end of a line.
func cronQuote(w string) string {
	if plainWord.MatchString(w) {
		return w
	}
	return "'" + strings.NewReplacer("'", `'\''`, "%", `'\%'`).Replace(w) + "'"
}

// ReadCron is the line of a file; ok is false when the fields of a document could
// not have made that file.
func ReadCron(ref string, text []byte) (c Cron, ok bool) {
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) < 2 {
		return c, false
	}
	last := len(lines) - 1
	for _, l := range lines[1:last] {
		m := variable.FindStringSubmatch(l)
		if m == nil {
			return c, false
		}
		if c.Env == nil {
			c.Env = map[string]string{}
		}
		c.Env[m[1]] = m[2]
	}
	fields := 5
	if strings.HasPrefix(lines[last], "@") {
		fields = 1
	}
	parts := strings.SplitN(lines[last], " ", fields+2)
	if len(parts) < fields+2 {
		return c, false
	}
	for _, f := range parts[:fields] {
		if !field.MatchString(f) { // a line that somebody made a comment, for one
			return c, false
		}
	}
	c.Schedule, c.User, c.Command = strings.Join(parts[:fields], " "), parts[fields], cronWords(parts[fields+1])
	return c, bytes.Equal(c.Text(ref), text)
}

// cronWords takes apart what cronQuote wrote.
func cronWords(s string) (out []string) {
	var w strings.Builder
	quoted, begun := false, false
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case ch == '\'':
			quoted, begun = !quoted, true
		case ch == '\\' && !quoted && i+1 < len(s):
			i++
			w.WriteByte(s[i])
		case ch == ' ' && !quoted:
			out, begun = append(out, w.String()), false
			w.Reset()
		default:
			w.WriteByte(ch)
			begun = true
		}
	}
	if begun {
		out = append(out, w.String())
	}
	return out
}
