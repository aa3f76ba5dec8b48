// Package nagios reads what a Nagios plugin prints: its text and its
// performance data.
//
// The format is that of the Nagios plugin guidelines: the first line is
// "text | perfdata"; further lines are long text until one holds a bar, after
// which everything is perfdata again. Real plugins bend it (decimal commas,
// bars and blanks in labels, "U" for unknown, units of their own), so what can be
// understood is taken and the rest is counted, never an error.
//
// Pure and bounded: [MaxPerf] values, labels and units cut to [MaxLabel] bytes.
package nagios

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// The bounds of one output.
const (
	MaxPerf  = 512
	MaxLabel = 128
)

// The statuses by exit code.
const (
	OK       = 0
	Warning  = 1
	Critical = 2
	Unknown  = 3
)

// Word is the status as people say it.
func Word(status int) string {
	if status < OK || status > Unknown {
		status = Unknown
	}
	return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[status]
}

// Status is the status of an exit code: anything but 0, 1 and 2 is unknown.
func Status(exit int) int {
	if exit < OK || exit > Critical {
		return Unknown
	}
	return exit
}

// Perf is one value in base units.
type Perf struct {
	Label string
	Unit  string // "s", "B", "%", "c" (a counter), "" or the plugin's own
	Value float64
}

// Output is what was understood.
type Output struct {
	Text string // of the first line
	Perf []Perf
	Bad  int // perfdata words that were not understood, values unknown to the plugin not counted
}

// Parse reads a plugin's output.
func Parse(out []byte) (o Output) {
	text := strings.ToValidUTF8(string(out), "\uFFFD")
	first, rest, _ := strings.Cut(text, "\n")
	line, perf, _ := strings.Cut(first, "|")
	o.Text = strings.TrimSpace(line)
	o.read(perf)
	if _, more, ok := strings.Cut(rest, "|"); ok {
		o.read(more)
	}
	return o
}

// read takes perfdata word by word.
func (o *Output) read(s string) {
	for {
		s = strings.TrimLeft(s, " \t\r\n")
		if s == "" || len(o.Perf) == MaxPerf {
			return
		}
		label, rest, ok := cutLabel(s)
		if !ok {
			o.Bad++
			return // without an equals sign nothing after it can be a value
		}
		word := rest
		if i := strings.IndexAny(rest, " \t\r\n"); i >= 0 {
			word, s = rest[:i], rest[i:]
		} else {
			s = ""
		}
		value, _, _ := strings.Cut(word, ";")
		p, known, ok := parseValue(value)
		switch {
		case !ok || label == "":
			o.Bad++
		case known && !o.has(label, p.Unit):
			p.Label = label
			o.Perf = append(o.Perf, p)
		}
	}
}

// has says whether a label is there already: the first value stands.
func (o *Output) has(label, unit string) bool {
	for _, p := range o.Perf {
		if p.Label == label && p.Unit == unit {
			return true
		}
	}
	return false
}

// cutLabel cuts "label=" or "'any label'=" off; a quote within is doubled.
func cutLabel(s string) (label, rest string, ok bool) {
	if s[0] != '\'' {
		label, rest, ok = strings.Cut(s, "=")
		// A word without an equals sign before a good one is dropped with it.
		if i := strings.LastIndexAny(label, " \t\r\n"); i >= 0 {
			label = label[i+1:]
		}
		return clip(label), rest, ok
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		if i+1 < len(s) && s[i+1] == '=' {
			return clip(b.String()), s[i+2:], true
		}
		return "", "", false
	}
	return "", "", false
}

func clip(s string) string {
	if len(s) <= MaxLabel {
		return s
	}
	s = s[:MaxLabel]
	for len(s) > 0 && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

// parseValue reads "12.5ms". known is false for "U", the plugin's own unknown.
func parseValue(s string) (p Perf, known, ok bool) {
	if s == "U" || s == "u" {
		return p, false, true
	}
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.' || s[i] == ',' || (s[i] == '-' || s[i] == '+') && (i == 0 || isExponent(s[i-1])) || isExponent(s[i]) && i > 0 && exponentFollows(s[i+1:])) {
		i++
	}
	v, err := strconv.ParseFloat(decimal(s[:i]), 64)
	if err != nil {
		return p, false, false
	}
	unit, scale := base(s[i:])
	return Perf{Unit: unit, Value: v * scale}, true, true
}

func isExponent(c byte) bool { return c == 'e' || c == 'E' }

// exponentFollows tells 1e3 from 1E, a unit.
func exponentFollows(s string) bool {
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		s = s[1:]
	}
	return len(s) > 0 && s[0] >= '0' && s[0] <= '9'
}

// decimal makes a decimal comma a point; with both, the last one is the point
// and the other parts thousands.
func decimal(s string) string {
	comma, point := strings.LastIndexByte(s, ','), strings.LastIndexByte(s, '.')
	switch {
	case comma < 0:
		return s
	case point > comma:
		return strings.ReplaceAll(s, ",", "")
	default:
		s = strings.ReplaceAll(s[:comma], ".", "") + "." + s[comma+1:]
		return strings.ReplaceAll(s, ",", "")
	}
}

// units is what plugins write and what it is in base units. The plugins that
// print bytes in thousands of thousands count 1024 (check_disk, check_swap), so
// KB is read as KiB.
var units = []struct {
	word, base string
	scale      float64
}{
	{"s", "s", 1}, {"ms", "s", 1e-3}, {"us", "s", 1e-6}, {"µs", "s", 1e-6}, {"ns", "s", 1e-9},
	{"sec", "s", 1}, {"min", "s", 60},
	{"b", "B", 1}, {"kb", "B", 1 << 10}, {"mb", "B", 1 << 20}, {"gb", "B", 1 << 30}, {"tb", "B", 1 << 40}, {"pb", "B", 1 << 50},
	{"kib", "B", 1 << 10}, {"mib", "B", 1 << 20}, {"gib", "B", 1 << 30}, {"tib", "B", 1 << 40}, {"pib", "B", 1 << 50},
	{"%", "%", 1}, {"c", "c", 1}, {"", "", 1},
}

func base(unit string) (string, float64) {
	if unit == "C" { // degrees, which some plugins write where c would be a counter
		return "C", 1
	}
	for _, u := range units {
		if strings.EqualFold(u.word, unit) {
			return u.base, u.scale
		}
	}
	return clip(unit), 1
}
