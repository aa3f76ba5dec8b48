package conn

import (
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
	"time"

	"vigil/engine/clock"
	"vigil/engine/fault"
)

// Row collects the values of one row, or of a statement, in order. The zero Row
// is empty. The first error is kept and returned by Exec or Query.
type Row struct {
	v   []driver.NamedValue
	err error
}

func (r *Row) add(v driver.Value) {
	r.v = append(r.v, driver.NamedValue{Ordinal: len(r.v) + 1, Value: v})
}

// size is the bytes of its texts and blobs.
func (r Row) size() (n int64) {
	for _, v := range r.v {
		switch v := v.Value.(type) {
		case string:
			n += int64(len(v))
		case []byte:
			n += int64(len(v))
		}
	}
	return n
}

// Clone is a row that grows on its own.
func (r Row) Clone() Row { return Row{v: slices.Clip(r.v), err: r.err} }

// Text adds a text.
func (r *Row) Text(s string) { r.add(s) }

// Int adds a number.
func (r *Row) Int(n int64) { r.add(n) }

// Bool adds 0 or 1.
func (r *Row) Bool(b bool) {
	if b {
		r.add(int64(1))
	} else {
		r.add(int64(0))
	}
}

// Blob adds bytes; empty ones are NULL.
func (r *Row) Blob(b []byte) {
	if len(b) == 0 {
		r.add(nil)
		return
	}
	r.add(b)
}

// Stamp adds a moment as "wall boot boot_id"; never is NULL.
func (r *Row) Stamp(s clock.Stamp) {
	if s.IsZero() {
		r.add(nil)
		return
	}
	b := make([]byte, 0, 80)
	b = strconv.AppendInt(b, s.Wall, 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, s.Boot, 10)
	b = append(b, ' ')
	r.add(string(append(b, s.BootID...)))
}

// Time adds a time of the wall clock alone, in UTC; zero is NULL. Unprocessable:
// its year has no four digits.
func (r *Row) Time(t time.Time) {
	if t.IsZero() {
		r.add(nil)
		return
	}
	b, err := t.UTC().MarshalText()
	if err != nil && r.err == nil {
		r.err = fault.Wrap(fault.Unprocessable, err, "a time cannot be stored")
	}
	r.add(string(b))
}

// JSON adds a value as JSON of at most max bytes. Unprocessable: it has none;
// TooLarge: it is longer.
func (r *Row) JSON(what string, v any, max int) {
	b, err := json.Marshal(v)
	switch {
	case r.err != nil:
	case err != nil:
		r.err = fault.Wrap(fault.Unprocessable, err, "%s cannot be stored", what)
	case len(b) > max:
		r.err = fault.New(fault.TooLarge, "%s takes %d bytes as JSON, at most %d are stored", what, len(b), max)
	}
	r.add(string(b))
}

// Bound refuses a row with more than max bytes in all.
func (r *Row) Bound(what string, max int) {
	n := 0
	for _, v := range r.v {
		switch x := v.Value.(type) {
		case string:
			n += len(x)
		case []byte:
			n += len(x)
		}
	}
	if n > max && r.err == nil {
		r.err = fault.New(fault.TooLarge, "%s takes %d bytes, at most %d are stored", what, n, max)
	}
}

// Seal adds the checksum over all values so far; Cells.Open compares it.
func (r *Row) Seal() {
	var s uint32
	var scratch []byte
	for _, v := range r.v {
		s, scratch = sum(s, scratch[:0], v.Value)
	}
	r.Int(int64(s))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum goes on with a checksum over the type, length and bytes of one value.
func sum(s uint32, b []byte, v driver.Value) (uint32, []byte) {
	switch x := v.(type) {
	case nil:
		b = append(b, 'n')
	case int64:
		b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(x))
	case string:
		b = append(binary.BigEndian.AppendUint32(append(b, 't'), uint32(len(x))), x...)
	case []byte:
		b = append(binary.BigEndian.AppendUint32(append(b, 'b'), uint32(len(x))), x...)
	default: // a type that Row never writes
		b = append(b, '?')
	}
	return crc32.Update(s, castagnoli, b), b
}

// Cells is one row that was read; its values are taken in order. The first
// mismatch is kept; Query returns it.
type Cells struct {
	v   []driver.Value
	i   int
	err error
}

// Open compares the checksum in the last column with the values before it.
// Corrupt: they are not what was written.
func (c *Cells) Open(what string) error {
	var s uint32
	var scratch []byte
	n := len(c.v) - 1
	for _, v := range c.v[:n] {
		s, scratch = sum(s, scratch[:0], v)
	}
	if want, ok := c.v[n].(int64); !ok || want != int64(s) {
		return fault.New(fault.Corrupt, "a row of %s in the ledger is not what was written", what).
			Mend("restore a snapshot with `vigild restore`, or let vigild start again, which checks the file")
	}
	return nil
}

// Last takes a number off the end: a key that is not under the checksum.
func (c *Cells) Last() int64 {
	n, ok := c.v[len(c.v)-1].(int64)
	c.v = c.v[:len(c.v)-1]
	if !ok {
		c.bad("a number at the end")
	}
	return n
}

func (c *Cells) next() driver.Value {
	if c.i >= len(c.v) {
		c.bad("a value more")
		return nil
	}
	c.i++
	return c.v[c.i-1]
}

func (c *Cells) bad(want string) {
	if c.err == nil {
		c.err = fault.New(fault.Corrupt, "column %d of a row in the ledger: %s was expected", c.i, want)
	}
}

// Text takes a text.
func (c *Cells) Text() string {
	s, ok := c.next().(string)
	if !ok {
		c.bad("a text")
	}
	return s
}

// TextOrNull takes a text; NULL is "".
func (c *Cells) TextOrNull() string {
	if c.i < len(c.v) && c.v[c.i] == nil {
		c.i++
		return ""
	}
	return c.Text()
}

// Int takes a number; NULL is 0.
func (c *Cells) Int() int64 {
	switch n := c.next().(type) {
	case nil:
		return 0
	case int64:
		return n
	}
	c.bad("a number")
	return 0
}

// Bool takes 0 or 1.
func (c *Cells) Bool() bool { return c.Int() != 0 }

// Blob takes bytes; NULL is nil.
func (c *Cells) Blob() []byte {
	switch b := c.next().(type) {
	case nil:
		return nil
	case []byte:
		return b
	}
	c.bad("bytes")
	return nil
}

// Stamp takes a moment.
func (c *Cells) Stamp() (s clock.Stamp) {
	v := c.next()
	if v == nil {
		return s
	}
	t, _ := v.(string)
	wall, rest, ok1 := strings.Cut(t, " ")
	boot, id, ok2 := strings.Cut(rest, " ")
	w, err1 := strconv.ParseInt(wall, 10, 64)
	b, err2 := strconv.ParseInt(boot, 10, 64)
	if !ok1 || !ok2 || err1 != nil || err2 != nil {
		c.bad("a moment")
		return s
	}
	return clock.Stamp{Wall: w, Boot: b, BootID: id}
}

// Time takes a time that Row.Time wrote.
func (c *Cells) Time() (t time.Time) {
	v := c.next()
	if v == nil {
		return t
	}
	s, _ := v.(string)
	if err := t.UnmarshalText([]byte(s)); err != nil {
		c.bad("a time")
	}
	return t
}

// JSONOrNull takes a value that Row.JSON wrote; NULL leaves into alone.
func (c *Cells) JSONOrNull(into any) {
	if c.i < len(c.v) && c.v[c.i] == nil {
		c.i++
		return
	}
	c.JSON(into)
}

// JSON takes a value that Row.JSON wrote.
func (c *Cells) JSON(into any) { c.JSONOr(into, func(string) bool { return false }) }

// JSONOr is JSON for a text that read does not say it has read.
func (c *Cells) JSONOr(into any, read func(text string) bool) {
	s := c.Text()
	if c.err == nil && !read(s) && json.Unmarshal([]byte(s), into) != nil {
		c.bad("JSON of another shape")
	}
}
