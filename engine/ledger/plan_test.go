package ledger

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"vigil/engine/clock"
	"vigil/engine/ledger/conn"
)

// TestTheQueueIsReadByItsIndex: a look at the queue costs what is in the queue,
// however long the history is. SQLite uses a partial index only where it sees the
// index's own condition.
func TestTheQueueIsReadByItsIndex(t *testing.T) {
	cfg := Defaults()
	cfg.Dir, cfg.BallastMB = t.TempDir(), 0
	l, err := Open(cfg, Deps{Clock: clock.System(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	for name, sql := range map[string]string{
		"Due":        "SELECT id FROM remediations WHERE " + waiting + " AND " + strings.ReplaceAll(reached, "?", "1"),
		"Unfinished": "SELECT * FROM remediations WHERE " + unfinished,
		"Desired":    "SELECT * FROM remediations WHERE " + active + " AND source = 'reconcile' ORDER BY id",
	} {
		var plan []string
		err := l.file.Read(t.Context(), func(c *conn.Conn) error {
			return c.Query(context.Background(), "EXPLAIN QUERY PLAN "+sql, conn.Row{}, func(cs *conn.Cells) error {
				cs.Int()
				cs.Int()
				cs.Int()
				plan = append(plan, cs.Text())
				return nil
			})
		})
		text := strings.Join(plan, "; ")
		if err != nil || strings.Contains(text, "SCAN remediations") || !strings.Contains(text, "remediations_waiting") {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}
