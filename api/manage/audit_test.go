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

// store is a reader that knows its ends.
type store struct {
	engine.Reader
	records []audit.Record
	err     error
}

func (s store) Audit(context.Context, int64, string, int) ([]audit.Record, error) {
	return s.records, nil
}

func (s store) AuditVerify(context.Context, func(int64)) (audit.Head, error) {
	return audit.Head{Seq: 7}, s.err
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
		m := &Manage{Deps: Deps{Reader: store{records: tc.records, err: tc.err}}}
		v, err := m.verify(t.Context())
		if tc.failed != (err != nil) || v.OK != (tc.err == nil) || !strings.Contains(v.Fault, tc.fault) || v.Gaps != tc.gaps {
			t.Errorf("%s: %+v, %v", tc.what, v, err)
		}
	}
}
