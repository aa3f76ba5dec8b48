// Package conn is one SQLite connection as the ledger wants it: prepared
// statements kept, values written and read in order, a checksum on each row,
// and errors of the closed list.
//
// It goes below database/sql to the driver's own interface, since a pool that
// retries, converts and replaces connections by itself would hide the failures
// that the ledger must see. It refuses knowledge of what rows mean. A Conn
// belongs to one goroutine at a time; nothing is started.
package conn

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"modernc.org/sqlite"
)

// maxStatements bounds the prepared statements a connection keeps.
const maxStatements = 128

// Conn is one connection with its prepared statements. One goroutine at a time.
type Conn struct {
	c     driver.Conn
	stmts map[string]*statement
	bytes int64 // see Written
}

// Written is about how many bytes Exec has been given and rows have changed, 256 for
// each row: enough to know when the log is worth a look.
func (c *Conn) Written() int64 { return c.bytes }

type statement struct {
	driver.StmtExecContext
	driver.StmtQueryContext
	driver.Stmt
}

// DSN names a connection to the file at path through a registered VFS ("" the
// system's); more are further parameters. Everything that must hold for every
// connection stands here and nowhere else.
func DSN(path, vfs, more string) string {
	var b strings.Builder
	b.WriteString("file:" + (&url.URL{Path: path}).EscapedPath() + "?" + more)
	b.WriteString("&_synchronous=FULL&_busy_timeout=5000&_foreign_keys=1&_dqs=0&_defensive=1&_error_rc=1")
	for _, p := range []string{
		"trusted_schema=off", "cell_size_check=on", "mmap_size=0", "cache_size=-1000", "temp_store=memory",
		"wal_autocheckpoint=0", "journal_size_limit=10485760",
	} {
		b.WriteString("&_pragma=" + p)
	}
	if vfs != "" {
		b.WriteString("&vfs=" + vfs)
	}
	return b.String()
}

// Open opens a connection.
func Open(dsn string) (*Conn, error) {
	c, err := (&sqlite.Driver{}).Open(dsn)
	if err != nil {
		return nil, Translate(err, "opening the database")
	}
	return &Conn{c: c, stmts: map[string]*statement{}}, nil
}

// Close finalizes the statements and closes the connection.
func (c *Conn) Close() error {
	c.forget()
	return Translate(c.c.Close(), "closing the database")
}

func (c *Conn) forget() {
	for _, s := range c.stmts {
		_ = s.Stmt.Close() // reports the last error of its execution, which was told then
	}
	clear(c.stmts)
}

func (c *Conn) prepare(sql string) (*statement, error) {
	if s, ok := c.stmts[sql]; ok {
		return s, nil
	}
	if len(c.stmts) >= maxStatements {
		c.forget()
	}
	s, err := c.c.Prepare(sql)
	if err != nil {
		return nil, Translate(err, "preparing a statement")
	}
	st := &statement{Stmt: s}
	var ok1, ok2 bool
	st.StmtExecContext, ok1 = s.(driver.StmtExecContext)
	st.StmtQueryContext, ok2 = s.(driver.StmtQueryContext)
	if !ok1 || !ok2 {
		return nil, errors.New("disk: the SQLite driver lacks statements with context")
	}
	c.stmts[sql] = st
	return st, nil
}

// Exec runs one statement and returns how many rows it changed.
func (c *Conn) Exec(sql string, row Row) (changed int64, err error) {
	if row.err != nil {
		return 0, row.err
	}
	s, err := c.prepare(sql)
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(context.Background(), row.v)
	if err != nil {
		return 0, Translate(err, "writing")
	}
	n, err := r.RowsAffected()
	c.bytes += row.size() + 256*n
	return n, Translate(err, "writing")
}

// CheckSums reads every row of a table and compares its checksum, which is over the
// columns in the order of the writer. Corrupt: the first row that is not what was
// written.
func (c *Conn) CheckSums(ctx context.Context, table, columns string) error {
	return c.Query(ctx, "SELECT "+columns+", sum FROM "+table, Row{}, func(cs *Cells) error { return cs.Open(table) })
}

// Query runs one statement and calls each for every row, whose cells are valid
// until it returns. It holds its read transaction no longer than that.
func (c *Conn) Query(ctx context.Context, sql string, row Row, each func(*Cells) error) (err error) {
	if row.err != nil {
		return row.err
	}
	s, err := c.prepare(sql)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, row.v)
	if err != nil {
		return Translate(err, "reading")
	}
	defer func() {
		if cerr := rows.Close(); err == nil {
			err = Translate(cerr, "reading")
		}
	}()
	vals := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(vals); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return Translate(err, "reading")
		}
		cells := Cells{v: vals}
		if err := each(&cells); err != nil {
			return err
		}
		if cells.err != nil {
			return cells.err
		}
	}
}

// Int runs a statement whose answer is one number, 0 if it has no row.
func (c *Conn) Int(ctx context.Context, sql string, args ...int64) (n int64, err error) {
	var row Row
	for _, a := range args {
		row.Int(a)
	}
	err = c.Query(ctx, sql, row, func(cs *Cells) error { n = cs.Int(); return nil })
	return n, err
}

// Checkpoint moves the log into the file; pages says how long the log is and
// done how much of it is in the file; busy, that somebody stood in the way of
// the rest. It waits for nobody longer than patience. Only the writer calls it.
func (c *Conn) Checkpoint(mode string, patience time.Duration) (pages, done int64, busy bool, err error) {
	if patience != Patient {
		if err := c.wait(patience); err != nil {
			return 0, 0, false, err
		}
		defer func() { err = errors.Join(err, c.wait(Patient)) }()
	}
	err = c.Query(context.Background(), "PRAGMA wal_checkpoint("+mode+")", Row{}, func(cs *Cells) error {
		busy = cs.Bool()
		pages, done = cs.Int(), cs.Int()
		return nil
	})
	return pages, done, busy, err
}

// Patient is how long a statement waits for a lock, as DSN says.
const Patient = 5 * time.Second

func (c *Conn) wait(d time.Duration) error {
	return c.Query(context.Background(), fmt.Sprintf("PRAGMA busy_timeout=%d", d.Milliseconds()), Row{}, func(*Cells) error { return nil })
}
