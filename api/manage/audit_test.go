package manage

import (
	"context"
	"errors"
	"strings"
	"testing"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/fault"
)

// store is a reader with some records.
type store struct {
	engine.Reader
	records []audit.Record
}

func (s store) Audit(context.Context, int64, string, int) ([]audit.Record, error) {
	return s.records, nil
}

// TestPruneTellsWhatWent: what is told is what the ledger was asked for; while the
// chain is read nothing is taken from it; a refusal is the ledger's own.
func TestPruneTellsWhatWent(t *testing.T) {
	no := fault.New(fault.Conflict, "it is the head")
	for _, tc := range []struct {
		what    string
		ledger  func(context.Context, string, audit.Head) error
		reading bool
		kind    fault.Kind
	}{
		{what: "good", ledger: func(context.Context, string, audit.Head) error { return nil }},
		{what: "refused", ledger: func(context.Context, string, audit.Head) error { return no }, kind: fault.Conflict},
		{what: "not here", kind: fault.Unavailable},
		{what: "read", ledger: func(context.Context, string, audit.Head) error { t.Error("pruned under a reader"); return nil }, reading: true, kind: fault.Exhausted},
	} {
		m := &Manage{Deps: Deps{Reader: store{records: []audit.Record{{Seq: 3}}}, Prune: tc.ledger}}
		if tc.reading {
			m.verifying.Lock()
		}
		p, err := m.prune(t.Context(), "local", audit.Head{Seq: 7})
		switch {
		case fault.KindOf(err) != tc.kind:
			t.Errorf("%s: %v, want %s", tc.what, err, tc.kind)
		case err == nil && (!p.OK || p.First != 3 || p.Seq != 7 || p.Removed != 5):
			t.Errorf("%s: %+v", tc.what, p)
		}
	}
}

// TestVerifyAsksTheStoreForTheEnds: a cut end, and a row that cannot be read, are
// answers that name the record; a disk that fails is not; lost ledgers are told.
func TestVerifyAsksTheStoreForTheEnds(t *testing.T) {
	gap := []audit.Record{{Seq: 1, Verb: "ledger.gap"}, {Seq: 2, Verb: "ledger.restore"}}
	for _, tc := range []struct {
		what, fault string
		err         error
		records     []audit.Record
		gaps        int
		failed      bool
	}{
		{what: "good"},
		{what: "lost once", records: gap, gaps: 1},
		{what: "cut", err: fault.Wrap(fault.Corrupt, &audit.Broken{Seq: 8, Problem: audit.Short, Msg: "it ends"}, "broken"), fault: "record 8"},
		{what: "unread", err: fault.New(fault.Corrupt, "a moment was expected"), fault: "a moment"},
		{what: "disk", err: errors.New("input/output error"), failed: true},
	} {
		m := &Manage{Deps: Deps{Reader: store{records: tc.records}, Verify: func(context.Context, func(int64)) (audit.Head, error) { return audit.Head{Seq: 7}, tc.err }}}
		v, err := m.verify(t.Context())
		if tc.failed != (err != nil) || v.OK != (tc.err == nil) || !strings.Contains(v.Fault, tc.fault) || v.Gaps != tc.gaps {
			t.Errorf("%s: %+v, %v", tc.what, v, err)
		}
	}
}
