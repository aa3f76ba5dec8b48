// Package life reads the state of a firing as encoding/json writes it, and nothing else:
// a start has thousands of them.
//
// It refuses every text that is written in another way, which json reads. Starts nothing.
package life

import (
	"strings"

	"vigil/engine/clock"
	"vigil/engine/policy"
)

// Reader reads states one after another: every field in its place, and nothing between.
// All of them are of one boot or two. The zero Reader is ready; not concurrent.
type Reader struct {
	rest string
	boot string // id of the newest boot that was read: kept once for all
	bad  bool
}

// Read fills f, which is zero; false: the text is not as json writes a state whose value
// is 0, or says what only json should read, and f is to be thrown away.
func (l *Reader) Read(text string, f *policy.Firing) bool {
	l.rest, l.bad = text, false
	l.want(`{"state":`)
	f.State = l.state()
	l.want(`,"since":`)
	f.Since = l.stamp()
	for _, x := range []struct {
		key string
		to  *clock.Stamp
	}{{`,"fired":`, &f.Fired}, {`,"true":`, &f.True}, {`,"false":`, &f.False}} {
		if l.is(x.key) {
			*x.to = l.stamp()
		}
	}
	if l.is(`,"recent":[`) {
		for more := true; more && !l.bad; more = l.is(",") {
			yes := l.is("true")
			if !yes {
				l.want("false")
			}
			f.Recent = append(f.Recent, yes)
		}
		l.want("]")
	}
	if l.is(`,"changes":[`) {
		for more := true; more && !l.bad; more = l.is(",") {
			f.Changes = append(f.Changes, l.stamp())
		}
		l.want("]")
	}
	if l.is(`,"before":`) {
		f.Before = l.state()
	}
	if l.is(`,"by":`) {
		f.By = strings.Clone(l.text())
	}
	l.want(`,"value":0,"seen":`) // the value has a column of its own
	f.Seen = l.number()
	if l.is(`,"seen_at":`) {
		f.SeenAt = l.stamp()
	}
	if l.is(`,"known":`) {
		f.Known = l.stamp()
	}
	if l.is(`,"every":`) {
		f.Every = l.number()
	}
	f.Told = l.is(`,"told":true`)
	l.want("}")
	return !l.bad && l.rest == ""
}

func (l *Reader) is(text string) bool {
	rest, is := strings.CutPrefix(l.rest, text)
	l.rest = rest
	return is
}

func (l *Reader) want(text string) {
	if !l.is(text) {
		l.bad = true
	}
}

// text is a quoted text without anything that stands for something else; a piece of
// what is read.
func (l *Reader) text() string {
	l.want(`"`)
	n := strings.IndexByte(l.rest, '"')
	if n < 0 {
		l.bad = true
		return ""
	}
	s := l.rest[:n]
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '\\' {
			l.bad = true
		}
	}
	l.rest = l.rest[n+1:]
	return s
}

func (l *Reader) state() policy.State {
	s := policy.State(l.text())
	for _, known := range []policy.State{policy.StateFiring, policy.StatePending, policy.StateOK, policy.StateUnknown, policy.StateRecovering, policy.StateFlapping, policy.StateSuppressed} {
		if s == known {
			return known
		}
	}
	l.bad = true
	return ""
}

func (l *Reader) stamp() (s clock.Stamp) {
	l.want(`{"wall":`)
	s.Wall = l.number()
	l.want(`,"boot":`)
	s.Boot = l.number()
	if l.is(`,"boot_id":`) {
		if id := l.text(); id != l.boot {
			l.boot = strings.Clone(id)
		}
		s.BootID = l.boot
	}
	l.want("}")
	return s
}

// number is an integer of at most 18 digits.
func (l *Reader) number() (n int64) {
	minus := l.is("-")
	i := 0
	for i < len(l.rest) && l.rest[i] >= '0' && l.rest[i] <= '9' && i <= 18 {
		n = 10*n + int64(l.rest[i]-'0')
		i++
	}
	if i == 0 || i > 18 || i > 1 && l.rest[0] == '0' {
		l.bad = true
		return 0
	}
	l.rest = l.rest[i:]
	if minus {
		return -n
	}
	return n
}
