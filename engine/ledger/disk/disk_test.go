package disk

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
)

func openAt(t *testing.T, dir string, migrations ...string) (*File, error) {
	t.Helper()
	ok := func(*conn.Conn) error { return nil }
	return Open(context.Background(), Config{Dir: dir, Name: "ledger.db", Readers: 1, CheckTime: time.Second, Upkeep: time.Second, LogPages: 100},
		Schema{AppID: 77, Migrations: migrations, Verify: ok, Check: func(context.Context, *conn.Conn) error { return nil }},
		Deps{Clock: clock.System(), Log: slog.New(slog.DiscardHandler)})
}

func count(t *testing.T, f *File, sql string) (n int64) {
	t.Helper()
	err := f.Read(context.Background(), func(c *conn.Conn) (err error) {
		n, err = c.Int(context.Background(), sql)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestMigrationsGoForwardAndKeepACopy: each step runs once, in a transaction of
// its own; an older file is copied and verified first; a failing step leaves the
// file as it was, and the next start tries again.
func TestMigrationsGoForwardAndKeepACopy(t *testing.T) {
	dir := t.TempDir()
	one, two := "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1)", "CREATE TABLE b (x INTEGER) STRICT; INSERT INTO b SELECT x + 1 FROM a"
	f, err := openAt(t, dir, one)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := openAt(t, dir, one, "CREATE TABLE b (x INTEGER) STRICT; INSERT INTO none VALUES (1)"); err == nil {
		t.Fatal("a failing step went unnoticed")
	}
	keep := filepath.Join(dir, "ledger.db.before-v2")
	if err := os.Remove(keep); err != nil {
		t.Fatalf("no copy was kept: %v", err)
	}
	f, err = openAt(t, dir, one, two)
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, f, "SELECT x FROM b") + 10*count(t, f, "SELECT count(*) FROM a"); n != 12 {
		t.Fatalf("%d", n)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := conn.Open(conn.DSN(keep, "", "mode=ro&immutable=1"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, err := c.Int(context.Background(), "SELECT x FROM a"); n != 1 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	if n, err := c.Int(context.Background(), "PRAGMA user_version"); n != 1 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	_, err = openAt(t, dir, one)
	if fault.KindOf(err) != fault.Unsupported {
		t.Fatalf("an older vigild on a newer file: %v", err)
	}
	if f, err = openAt(t, dir, one, two); err != nil { // and the refusal left it usable
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestConnectionsAreWhatTheRulesSay: the settings that durability and safety
// stand on hold for the writer and for every reader.
func TestConnectionsAreWhatTheRulesSay(t *testing.T) {
	f, err := openAt(t, t.TempDir(), "CREATE TABLE a (x INTEGER) STRICT")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for pragma, want := range map[string]int64{
		"synchronous": 2, "wal_autocheckpoint": 0, "trusted_schema": 0, "cell_size_check": 1, "foreign_keys": 1, "mmap_size": 0,
	} {
		if n, err := f.c.Int(context.Background(), "PRAGMA "+pragma); err != nil || n != want {
			t.Errorf("writer: %s is %d, %v", pragma, n, err)
		}
		if n := count(t, f, "PRAGMA "+pragma); n != want {
			t.Errorf("reader: %s is %d", pragma, n)
		}
	}
	err = f.Read(context.Background(), func(c *conn.Conn) error { _, err := c.Exec("INSERT INTO a VALUES (1)", conn.Row{}); return err })
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a reader wrote: %v", err)
	}
	if n := count(t, f, "SELECT count(*) FROM a"); n != 0 {
		t.Errorf("%d rows", n)
	}
}

// TestCellsRefuseWhatWasNotWritten: a changed value, type or order is found.
func TestCellsRefuseWhatWasNotWritten(t *testing.T) {
	f, err := openAt(t, t.TempDir(), "CREATE TABLE a (t TEXT, i INTEGER, b BLOB, at TEXT, sum INTEGER) STRICT")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at := clock.Stamp{Wall: -5, Boot: 7, BootID: "with a space"}
	for _, change := range []string{"", "t = 'y'", "i = 8", "b = x'00'", "b = NULL", "at = NULL", "at = '-5 7 other'", "sum = sum + 1"} {
		err := f.Write(context.Background(), Job{Run: func(c *conn.Conn) error {
			var row conn.Row
			row.Text("x\x00y")
			row.Int(7)
			row.Blob([]byte{1, 2})
			row.Stamp(at)
			row.Seal()
			if _, err := c.Exec("DELETE FROM a", conn.Row{}); err != nil {
				return err
			}
			if _, err := c.Exec("INSERT INTO a VALUES (?, ?, ?, ?, ?)", row); err != nil {
				return err
			}
			if change == "" {
				return nil
			}
			_, err := c.Exec("UPDATE a SET "+change, conn.Row{})
			return err
		}})
		if err != nil {
			t.Fatal(err)
		}
		err = f.Read(context.Background(), func(c *conn.Conn) error {
			return c.Query(context.Background(), "SELECT * FROM a", conn.Row{}, func(cs *conn.Cells) error {
				if err := cs.Open("a"); err != nil {
					return err
				}
				if s, n, b, w := cs.Text(), cs.Int(), cs.Blob(), cs.Stamp(); s != "x\x00y" || n != 7 || len(b) != 2 || w != at {
					t.Errorf("%q %d %v %v", s, n, b, w)
				}
				return nil
			})
		})
		if (fault.KindOf(err) == fault.Corrupt) != (change != "") {
			t.Errorf("%s: %v", change, err)
		}
	}
}
