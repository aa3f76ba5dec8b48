// Package made is the text of the files that vigild makes of the fields of a
// document, and the fields of such a text: a timer of systemd, a file of cron.
//
// What Read takes, Text gives back byte for byte, so a document that says what was
// read is true of the file. It refuses everything else that systemd or cron would
// understand: a file that somebody wrote anew is no work of a document's fields.
// Pure; it judges nothing, the kinds do.
package made

import (
	"bytes"
	"strings"

	"vigil/engine/document"
)

// Timer is what a timer of systemd starts, and when.
type Timer struct {
	Unit            string // with its suffix
	OnCalendar      []string
	OnBoot          document.Duration
	Every           document.Duration // after the unit, or else the timer, was last started
	RandomizedDelay document.Duration
	Persistent      bool
}

// Text is the unit file; ref is the document's, such as Timer/backup.
func (t Timer) Text(ref string) []byte {
	var b bytes.Buffer
	b.WriteString("# kept by vigild: " + ref + "\n[Unit]\nDescription=starts " + t.Unit + "\n\n[Timer]\nUnit=" + t.Unit + "\n")
	for _, c := range t.OnCalendar {
		b.WriteString("OnCalendar=" + c + "\n")
	}
	for _, x := range []struct {
		key string
		d   document.Duration
	}{
		// A unit that was never started has no time to count from: the timer's own start is the first.
		{"OnBootSec", t.OnBoot}, {"OnActiveSec", t.Every}, {"OnUnitActiveSec", t.Every}, {"RandomizedDelaySec", t.RandomizedDelay},
	} {
		if x.d > 0 {
			b.WriteString(x.key + "=" + span(x.d) + "\n")
		}
	}
	if t.Persistent {
		b.WriteString("Persistent=true\n")
	}
	b.WriteString("\n[Install]\nWantedBy=timers.target\n")
	return b.Bytes()
}

// ReadTimer is the timer of a unit file; ok is false when the fields of a document
// could not have made that file.
func ReadTimer(ref string, text []byte) (t Timer, ok bool) {
	for line := range strings.Lines(string(text)) {
		key, v, is := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !is {
			continue
		}
		var err error
		switch key {
		case "Unit":
			t.Unit = v
		case "OnCalendar":
			t.OnCalendar = append(t.OnCalendar, v)
		case "OnBootSec":
			t.OnBoot, err = length(v)
		case "OnUnitActiveSec":
			t.Every, err = length(v)
		case "RandomizedDelaySec":
			t.RandomizedDelay, err = length(v)
		case "Persistent":
			t.Persistent = v == "true"
		}
		if err != nil {
			return t, false
		}
	}
	return t, t.Unit != "" && bytes.Equal(t.Text(ref), text)
}

// span is a duration with a space between its units, as systemd writes it.
func span(d document.Duration) string {
	var b strings.Builder
	text := d.String()
	for i, c := range text {
		if i > 0 && c >= '0' && c <= '9' && (text[i-1] < '0' || text[i-1] > '9') {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

func length(v string) (document.Duration, error) {
	return document.ParseDuration(strings.ReplaceAll(v, " ", ""))
}
