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
			after, err := cursor(in.After, "after")
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
				return nil, fault.New(fault.Exhausted, "the chain is being verified already").After(5 * time.Second)
			}
			defer m.verifying.Unlock()
			v, err := m.verify(ctx)
			if err != nil {
				return nil, err
			}
			return face.Say(v)
		})
}

func cursor(s, field string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, face.Unfit("this is not a cursor", s, "query", field)
	}
	return n, nil
}

// verify walks the chain from its oldest record. Where older ones were pruned,
// the first record says where the chain begins; what stood before is unproven.
func (m *Manage) verify(ctx context.Context) (contract.AuditVerified, error) {
	v := audit.NewVerifier(audit.Head{})
	var out contract.AuditVerified
	after := int64(0)
	for {
		rs, err := m.Reader.Audit(ctx, after, "", auditPage)
		if err != nil {
			return out, err
		}
		for _, r := range rs {
			if out.First == 0 {
				if out.First = r.Seq; r.Seq > 1 {
					v = audit.LooseVerifier()
				}
			}
			if err := v.Next(r); err != nil {
				return broken(out, v, err)
			}
			after = r.Seq
		}
		if len(rs) < auditPage {
			break
		}
	}
	out.OK, out.Records, out.Last, out.Head = true, v.Count(), v.Head().Seq, v.Head().Hash.String()
	return out, nil
}

// broken is an answer and not an error: the question was answered.
func broken(out contract.AuditVerified, v *audit.Verifier, err error) (contract.AuditVerified, error) {
	out.Records, out.Last, out.Head = v.Count(), v.Head().Seq, v.Head().Hash.String()
	out.Fault = err.Error()
	var b *audit.Broken
	if errors.As(err, &b) {
		out.Fault = b.Error()
	}
	return out, nil
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
	after, err := cursor(r.URL.Query().Get("after"), "after")
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
