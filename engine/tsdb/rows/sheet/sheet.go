// Package sheet is many rows for one statement of SQLite: their numbers as text of
// one width, and the bytes that they carry laid end to end, which the statement
// takes apart again.
//
// One call a row costs more than the row does, and twenty allocations; a sheet
// costs one call, and its buffers are used again and again. It refuses nothing and
// holds what it is given until Put or Reset. A sheet is for one goroutine.
package sheet

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
)

// Sheet is one; the zero value is empty.
type Sheet struct {
	Bodies  []byte // append the bytes of a row here, then call Row
	numbers []byte
	rows    int
}

// Bounds of a sheet: what its buffers grow to is kept.
const (
	maxRows  = 2048
	maxBytes = 512 << 10
)

// numberWidth holds every int64.
const numberWidth = 20

// Full says that it is time for Put.
func (s *Sheet) Full() bool { return s.rows >= maxRows || len(s.Bodies) >= maxBytes }

// Len is how many rows there are.
func (s *Sheet) Len() int { return s.rows }

// Reset empties it.
func (s *Sheet) Reset() { s.numbers, s.Bodies, s.rows = s.numbers[:0], s.Bodies[:0], 0 }

// Row ends a row: its numbers, and the bytes of Bodies from on.
func (s *Sheet) Row(from int, numbers ...int64) {
	for _, n := range numbers {
		s.number(n)
	}
	s.number(int64(from) + 1) // SQL counts from 1
	s.number(int64(len(s.Bodies) - from))
	s.rows++
}

func (s *Sheet) number(n int64) {
	from := len(s.numbers)
	s.numbers = strconv.AppendInt(s.numbers, n, 10)
	for len(s.numbers)-from < numberWidth {
		s.numbers = append(s.numbers, ' ')
	}
}

// Put runs a statement over the sheet, says how many rows it changed, and empties
// the sheet.
func (s *Sheet) Put(ctx context.Context, tx *sql.Tx, st *sql.Stmt) (changed int64, err error) {
	defer s.Reset()
	r, err := tx.StmtContext(ctx, st).ExecContext(ctx, s.numbers, s.Bodies, s.rows)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// Select gives the rows of a sheet back in a statement that Put runs: the named
// numbers, then body.
func Select(names ...string) string {
	width := (len(names) + 2) * numberWidth
	number := func(i int) string {
		return fmt.Sprintf("CAST(substr(?1, i*%d+%d, %d) AS INTEGER)", width, i*numberWidth+1, numberWidth)
	}
	var b strings.Builder
	b.WriteString("WITH RECURSIVE line(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM line WHERE i+1<?3) SELECT ")
	for i, name := range names {
		b.WriteString(number(i) + " AS " + name + ", ")
	}
	b.WriteString("substr(?2, " + number(len(names)) + ", " + number(len(names)+1) + ") AS body FROM line")
	return b.String()
}
