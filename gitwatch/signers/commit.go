package signers

import (
	"bytes"
	"strconv"
	"time"
)

// signed is a commit taken apart: what was signed, and by what.
type signed struct {
	payload   []byte // the object without its signature
	signature []byte // armored
	mail      string // of the committer
	when      time.Time
}

var signatureHeader = []byte("gpgsig ")

// split takes the signature out of the header of a commit, byte by byte as it
// stands there; everything else is what was signed.
func split(raw []byte) (signed, error) {
	var c signed
	rest := raw
	c.payload = make([]byte, 0, len(raw))
	inside, found, committer := false, false, false
	for len(rest) > 0 && rest[0] != '\n' {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line = rest[:i+1]
		}
		rest = rest[len(line):]
		switch {
		case inside && line[0] == ' ':
			c.signature = append(c.signature, line[1:]...)
			continue
		case bytes.HasPrefix(line, signatureHeader):
			if found {
				return c, refuse("the commit has two signatures")
			}
			inside, found = true, true
			c.signature = append(c.signature, line[len(signatureHeader):]...)
			continue
		case bytes.HasPrefix(line, []byte("gpgsig")):
			return c, refuse("the commit has a signature of another hash than SHA-1")
		case bytes.HasPrefix(line, []byte("committer ")):
			if committer {
				return c, refuse("the commit has two committers")
			}
			committer = true
			if !c.by(line) {
				return c, refuse("the commit's committer cannot be read")
			}
		}
		inside = false
		c.payload = append(c.payload, line...)
	}
	if !committer {
		return c, refuse("the commit has no committer")
	}
	c.payload = append(c.payload, rest...)
	return c, nil
}

// by reads address and time of a committer line.
func (c *signed) by(line []byte) bool {
	open, end := bytes.IndexByte(line, '<'), bytes.LastIndexByte(line, '>')
	if open < 0 || end < open {
		return false
	}
	c.mail = string(line[open+1 : end])
	fields := bytes.Fields(line[end+1:])
	if len(fields) != 2 {
		return false
	}
	sec, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil || sec < 0 || sec > 1<<40 {
		return false
	}
	c.when = time.Unix(sec, 0).UTC()
	return true
}
