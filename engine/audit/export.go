package audit

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"vigil/engine/clock"
	"vigil/engine/fault"
)

// MaxLine bounds one exported line in bytes.
const MaxLine = 8 << 20

// line is the export's shape; the order of its fields is the canonical one.
type line struct {
	Seq      int64           `json:"seq"`
	Time     string          `json:"time"` // for people; wall is what is hashed
	Wall     int64           `json:"wall"`
	Boot     int64           `json:"boot"`
	BootID   string          `json:"boot_id"`
	Actor    string          `json:"actor"`
	Verb     string          `json:"verb"`
	Object   string          `json:"object"`
	Reason   string          `json:"reason"`
	Evidence json.RawMessage `json:"evidence,omitempty"`
	Raw      string          `json:"evidence_base64,omitempty"` // evidence that is not one line of compact JSON
	Prev     string          `json:"prev"`
	Hash     string          `json:"hash"`
}

// MarshalLine is r as one line of an export, its newline included. It is
// canonical: one record has one line, see ParseLine.
func MarshalLine(r Record) []byte {
	l := line{
		Seq: r.Seq, Time: r.At.Time().Format(time.RFC3339Nano),
		Wall: r.At.Wall, Boot: r.At.Boot, BootID: r.At.BootID,
		Actor: r.Actor, Verb: r.Verb, Object: r.Object, Reason: r.Reason,
		Prev: r.Prev.String(), Hash: r.Hash.String(),
	}
	if embeds(r.Evidence) {
		l.Evidence = r.Evidence
	} else {
		l.Raw = base64.StdEncoding.EncodeToString(r.Evidence)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil {
		// Unreachable: every field is text, a number, or JSON that embeds checked.
		return []byte("{}\n")
	}
	return b.Bytes()
}

// embeds says that evidence stands in a line byte for byte as it is.
func embeds(e []byte) bool {
	if len(e) == 0 || !utf8.Valid(e) || !json.Valid(e) {
		return false
	}
	var b bytes.Buffer
	return json.Compact(&b, e) == nil && bytes.Equal(b.Bytes(), e)
}

// ParseLine reads a line that MarshalLine wrote. Nothing is forgiven: a line
// that is not exactly what MarshalLine gives for the record it holds (an extra
// field, another spacing, a second key of one name) is of kind Corrupt, so that
// two readers of one export can never see two different things.
func ParseLine(b []byte) (Record, error) {
	if len(b) > MaxLine {
		return Record{}, fault.New(fault.TooLarge, "an audit line has %d bytes, at most %d are read", len(b), MaxLine)
	}
	b = bytes.TrimSuffix(b, []byte("\n"))
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return Record{}, fault.Wrap(fault.Corrupt, err, "not an audit line")
	}
	r := Record{
		Seq: l.Seq, At: clock.Stamp{Wall: l.Wall, Boot: l.Boot, BootID: l.BootID},
		Actor: l.Actor, Verb: l.Verb, Object: l.Object, Reason: l.Reason, Evidence: l.Evidence,
	}
	if l.Raw != "" {
		raw, err := base64.StdEncoding.DecodeString(l.Raw)
		if err != nil {
			return Record{}, fault.Wrap(fault.Corrupt, err, "audit line %d: evidence_base64", l.Seq)
		}
		r.Evidence = raw
	}
	if err := errors.Join(unhex(&r.Prev, l.Prev), unhex(&r.Hash, l.Hash)); err != nil {
		return Record{}, fault.Wrap(fault.Corrupt, err, "audit line %d", l.Seq)
	}
	if again := MarshalLine(r); !bytes.Equal(again[:len(again)-1], b) {
		return Record{}, fault.New(fault.Corrupt, "audit line %d is not written as an export writes it", l.Seq).
			Mend("export it again; a program between the two changed it")
	}
	return r, nil
}

// ParseHash reads what Hash.String writes.
func ParseHash(s string) (Hash, error) {
	var h Hash
	err := unhex(&h, s)
	return h, fault.Wrap(fault.Invalid, err, "the hash of an audit record")
}

func unhex(h *Hash, s string) error {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return fmt.Errorf("%.80q is not a SHA-256 in hex", s)
	}
	copy(h[:], b)
	return nil
}

// VerifyExport feeds every line of an export to v and then ends it at known. It
// blocks on in. Errors are of kind Corrupt and wrap a *Broken, or are in's own.
func VerifyExport(in io.Reader, v *Verifier, known Head) error {
	return WalkExport(in, v, known, func(Record, int) {})
}

// WalkExport is VerifyExport that hands over each record once it was found good,
// with the bytes of its line, newline included. What was handed over is proven
// only when WalkExport returns nil.
func WalkExport(in io.Reader, v *Verifier, known Head, each func(r Record, size int)) error {
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 0, 64<<10), MaxLine)
	for sc.Scan() {
		r, err := ParseLine(sc.Bytes())
		if err != nil {
			seq := v.Head().Seq + 1
			return fault.Wrap(fault.Corrupt, &Broken{seq, Unread, err.Error()}, "the audit chain is broken")
		}
		if err := v.Next(r); err != nil {
			return err
		}
		each(r, len(sc.Bytes())+1)
	}
	if errors.Is(sc.Err(), bufio.ErrTooLong) {
		return fault.New(fault.TooLarge, "the line after audit record %d is longer than %d bytes", v.Head().Seq, MaxLine)
	}
	if sc.Err() != nil {
		return fault.Wrap(fault.Unavailable, sc.Err(), "reading an audit export")
	}
	return v.End(known)
}
