package disk

import (
	"context"

	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
)

// Read runs view on a read-only connection, inside one transaction, so that all
// its queries see one state. It waits for a free connection; view must return
// soon, since the log cannot start again while it reads.
func (f *File) Read(ctx context.Context, view func(*conn.Conn) error) error {
	var c *conn.Conn
	select {
	case c = <-f.readers:
	case <-ctx.Done():
		return conn.Translate(ctx.Err(), "reading")
	}
	defer func() { f.readers <- c }()
	if f.isShut() {
		return fault.New(fault.Unavailable, "the ledger is closed")
	}
	if c == nil { // lost to an earlier failure
		fresh, err := conn.Open(f.readDSN())
		if err != nil {
			return err
		}
		c = fresh
	}
	err := within(c, view)
	if fault.KindOf(err) == fault.Corrupt {
		f.suspect(err)
	}
	if conn.Broken(err) {
		_ = c.Close() // it failed already, which is told
		c = nil
	}
	return err
}

func within(c *conn.Conn, view func(*conn.Conn) error) error {
	if _, err := c.Exec("BEGIN", conn.Row{}); err != nil {
		return err
	}
	err := view(c)
	if err != nil {
		_, _ = c.Exec("ROLLBACK", conn.Row{}) // SQLite may have ended it by itself
		return err
	}
	_, err = c.Exec("COMMIT", conn.Row{})
	return err
}

func (f *File) isShut() bool {
	f.line.Lock()
	defer f.line.Unlock()
	return f.gone
}
