package rows

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
)

// A sheet is many rows for one statement: their numbers as text of one width, and
// the bytes that they carry laid end to end. One call a row costs more than the
// row, and twenty allocations; a sheet costs one call, and its buffers are used
// again and again.
type sheet struct {
	numbers []byte
	bodies  []byte
	rows    int
}

// Bounds of a sheet: what its buffers grow to is kept.
const (
	sheetRows  = 2048
	sheetBytes = 512 << 10
)

// numberWidth holds every int64.
const numberWidth = 20

func (s *sheet) full() bool { return s.rows >= sheetRows || len(s.bodies) >= sheetBytes }

func (s *sheet) reset() { s.numbers, s.bodies, s.rows = s.numbers[:0], s.bodies[:0], 0 }

// row ends a row: its numbers, and the bytes of bodies from on.
func (s *sheet) row(from int, numbers ...int64) {
	for _, n := range numbers {
		s.number(n)
	}
	s.number(int64(from) + 1) // SQL counts from 1
	s.number(int64(len(s.bodies) - from))
	s.rows++
}

func (s *sheet) number(n int64) {
	from := len(s.numbers)
	s.numbers = strconv.AppendInt(s.numbers, n, 10)
	for len(s.numbers)-from < numberWidth {
		s.numbers = append(s.numbers, ' ')
	}
}

// put runs a statement over the sheet, says how many rows it changed, and empties
// the sheet.
func (s *sheet) put(ctx context.Context, tx *sql.Tx, st *sql.Stmt) (changed int64, err error) {
	defer s.reset()
	r, err := tx.StmtContext(ctx, st).ExecContext(ctx, s.numbers, s.bodies, s.rows)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// sheetOf is the select that gives the rows of a sheet back: the named numbers,
// then body.
func sheetOf(names ...string) string {
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

// The statements over sheets.
var (
	insertRows = "INSERT INTO chunk(series,mint,maxt,count,blob) " + sheetOf("series", "mint", "maxt", "count")
	extendRows = "UPDATE chunk SET maxt=s.maxt, count=chunk.count+s.count, blob=CAST(chunk.blob||s.body AS BLOB) FROM (" +
		sheetOf("series", "mint", "maxt", "count") + ") AS s WHERE chunk.series=s.series AND chunk.mint=s.mint"
	replaceTails = "INSERT INTO tail(bucket,body) " + sheetOf("bucket") + " WHERE true ON CONFLICT DO UPDATE SET body=excluded.body"
)
