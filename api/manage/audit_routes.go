package manage

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/guard"
	"vigil/engine/audit"
	"vigil/engine/fault"
)

// auditPage is how many records are read at a time when all are wanted.
const auditPage = 500

func (m *Manage) audits(r *face.Registrar) {
	face.Handle(r, face.Line("GET", "/api/v1/audit", guard.Read, "listAudit", "Records of the audit chain, oldest first", "audit", 0),
		func(ctx context.Context, _ guard.Caller, in *struct {
			After  string `query:"after" doc:"Cursor: the next of an earlier page, or a sequence number"`
			Object string `query:"object" maxLength:"512" example:"remediation:17"`
			Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
		}) (*face.Reply[contract.AuditList], error) {
			after, err := face.Cursor(in.After, "after")
			if err != nil {
				return nil, err
			}
			rs, err := m.Reader.Audit(ctx, after, in.Object, in.Limit)
			if err != nil {
				return nil, err
			}
			out := contract.AuditList{Records: make([]contract.AuditRecord, len(rs))}
			for i, r := range rs {
				out.Records[i] = wireRecord(r)
			}
			if len(rs) == in.Limit {
				out.Next = strconv.FormatInt(rs[len(rs)-1].Seq, 10)
			}
			return face.Say(out)
		})

	face.Handle(r, face.Line("GET", "/api/v1/audit/verify", guard.Read, "verifyAudit", "Recompute the whole audit chain", "audit", 0),
		func(ctx context.Context, _ guard.Caller, _ *face.None) (*face.Reply[contract.AuditVerified], error) {
			if !m.verifying.TryLock() {
				return nil, busy()
			}
			defer m.verifying.Unlock()
			v, err := m.verify(ctx)
			if err != nil {
				return nil, err
			}
			return face.Say(v)
		})

	face.Handle(r, face.Line("POST", "/api/v1/audit/prune", guard.Administer, "pruneAudit", "Remove the oldest audit records, which an export holds", "audit", 0),
		func(ctx context.Context, c guard.Caller, in *struct{ Body contract.AuditPrune }) (*face.Reply[contract.AuditPruned], error) {
			hash, err := audit.ParseHash(in.Body.Hash)
			if err != nil {
				return nil, face.Unfit("this is not a SHA-256 in hex", in.Body.Hash, "body", "hash")
			}
			p, err := m.prune(ctx, c.Actor, audit.Head{Seq: in.Body.Seq, Hash: hash})
			if err != nil {
				return nil, err
			}
			return face.Say(p)
		})
}

func busy() error {
	return fault.New(fault.Exhausted, "the chain is being verified or pruned already").After(5 * time.Second)
}

// prune removes the records up to upto and tells how many they were. What may go
// is the ledger's word, which also records it.
func (m *Manage) prune(ctx context.Context, actor string, upto audit.Head) (out contract.AuditPruned, err error) {
	if m.Prune == nil {
		return out, fault.New(fault.Unavailable, "there is no chain here that could be pruned")
	}
	if !m.verifying.TryLock() {
		return out, busy()
	}
	defer m.verifying.Unlock()
	first, err := m.Reader.Audit(ctx, 0, "", 1)
	if err != nil {
		return out, err
	}
	if err := m.Prune(ctx, actor, upto); err != nil {
		return out, err
	}
	out = contract.AuditPruned{OK: true, First: upto.Seq, Seq: upto.Seq, Hash: upto.Hash.String()}
	if len(first) > 0 {
		out.First = first[0].Seq
	}
	out.Removed = out.Seq - out.First + 1
	return out, nil
}

// verify recomputes the chain, and counts the times at which it had to begin
// anew because the ledger was lost: those are no fault of this chain, but what
// stood before them is not in it.
func (m *Manage) verify(ctx context.Context) (contract.AuditVerified, error) {
	var out contract.AuditVerified
	if m.Verify == nil {
		return out, fault.New(fault.Unavailable, "there is no chain here that could be verified")
	}
	first, err := m.Reader.Audit(ctx, 0, "", 1)
	if err != nil {
		return out, err
	}
	if len(first) > 0 {
		out.First = first[0].Seq
	}
	head, err := m.Verify(ctx, func(n int64) { out.Records = n })
	out.Last, out.Head = head.Seq, head.Hash.String()
	if fault.KindOf(err) == fault.Corrupt { // an answer and not an error: the question was answered
		out.Fault = err.Error()
		var b *audit.Broken
		if errors.As(err, &b) {
			out.Fault = b.Error()
		}
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.OK = true
	told, err := m.Reader.Audit(ctx, 0, "ledger", auditPage)
	for _, r := range told {
		if r.Verb == "ledger.gap" {
			out.Gaps++
		}
	}
	return out, err
}

func wireRecord(r audit.Record) contract.AuditRecord {
	out := contract.AuditRecord{Seq: r.Seq, Time: contract.Time(r.At), Actor: r.Actor, Verb: r.Verb, Object: r.Object, Reason: r.Reason,
		Prev: r.Prev.String(), Hash: r.Hash.String()}
	if json.Valid(r.Evidence) {
		out.Evidence = json.RawMessage(r.Evidence)
	} else if len(r.Evidence) > 0 {
		out.Evidence, _ = json.Marshal(string(r.Evidence))
	}
	return out
}

// Export streams the chain as NDJSON, in the canonical lines that
// `vigild audit verify` checks offline. A plain handler: it writes as it reads,
// and its time is bounded per page and not in all. An error after the first
// line cuts the connection, so that a part never passes for the whole.
func (m *Manage) Export(w http.ResponseWriter, r *http.Request) error {
	after, err := face.Cursor(r.URL.Query().Get("after"), "after")
	if err != nil {
		return err
	}
	ctl := http.NewResponseController(w)
	for first := true; ; first = false {
		rs, err := m.Reader.Audit(r.Context(), after, "", auditPage)
		if err != nil {
			if first {
				return err
			}
			m.Log.Error("the audit export was cut", "after", after, "error", err)
			panic(http.ErrAbortHandler)
		}
		if first {
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.WriteHeader(http.StatusOK)
		}
		_ = ctl.SetWriteDeadline(time.Now().Add(30 * time.Second))
		for _, rec := range rs {
			if _, err := w.Write(audit.MarshalLine(rec)); err != nil {
				return nil // the reader went away; nobody is left to tell
			}
			after = rec.Seq
		}
		if len(rs) < auditPage {
			return nil
		}
		if err := ctl.Flush(); err != nil {
			return fault.New(fault.Cancelled, "the reader went away")
		}
	}
}
