package stand

import (
	"time"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// Start is the move that opens the next attempt.
func Start(m remedy.Remediation, epoch int64, now clock.Stamp) remedy.Move {
	m.State, m.Attempt, m.Started = remedy.Running, m.Attempt+1, now
	a := &remedy.Attempt{
		Epoch: epoch, Remediation: m.ID, N: m.Attempt, Action: "purge", Subject: m.Subject, Class: remedy.Unsafe, Started: now,
		Request: remedy.Request{Action: "purge", With: map[string]any{"site": "a", "n": 1.5, "force": true}, Severity: "critical", Rung: 1, Values: map[string]string{"value": "0.97"}, Timeout: time.Minute},
	}
	a.Request.Attempt = a.ID()
	return remedy.Move{Next: m, Open: a, Audit: []audit.Record{Record("attempt.start", a.ID())}}
}

// Finish is the move that closes an attempt and succeeds.
func Finish(m remedy.Remediation, a remedy.Attempt, now clock.Stamp) remedy.Move {
	a.Finished, a.Result, a.Capture = now, remedy.Result{OK: true, Output: "done"}, []byte(`{"top":[]}`)
	m.State, m.Finished, m.AttemptEnd = remedy.Succeeded, now, now
	return remedy.Move{Next: m, Close: &a, Audit: []audit.Record{Record("attempt.finish", a.ID())}}
}

// Record is an audit record with evidence.
func Record(verb, object string) audit.Record {
	return audit.Record{
		At: clock.Stamp{Wall: 5, Boot: 6, BootID: "boot-a"}, Actor: "policy:p", Verb: verb, Object: object,
		Reason: "because", Evidence: []byte(`{"value":0.97}`),
	}
}

// Order is a queued remediation of the policy hot.
func Order(target, subject string) remedy.Remediation {
	d := document.Duration(30 * time.Second)
	return remedy.Remediation{
		Source: remedy.FromPolicy, Policy: "hot", Fingerprint: 1<<63 + 7, Labels: map[string]string{"host": target}, Target: target,
		Severity: "warning", Priority: "medium", Actor: "policy:hot", State: remedy.Queued, Subject: subject,
		Created: clock.Stamp{Wall: 1_764_000_000_000_000, Boot: 1, BootID: "boot-a"},
		Plan:    remedy.Plan{Ladder: []remedy.Rung{{Action: "purge", With: map[string]any{"site": "a"}, Timeout: &d, Tries: 2}}, Mode: "act"},
	}
}

// Firing is one of a policy on a host, whose row is at version.
func Firing(policyName, host string, version int64) engine.FiringRow {
	ls := series.New(series.Label{Name: "__name__", Value: "cpu"}, series.Label{Name: "host", Value: host})
	s := clock.Stamp{Wall: 1_764_000_000_000_000, Boot: 77, BootID: "boot-a"}
	return engine.FiringRow{
		Policy: policyName, Fingerprint: ls.Fingerprint(), Labels: ls, Target: host, Version: version, Evaluation: 9,
		State: policy.Firing{State: policy.StateFiring, Since: s, Fired: s, Recent: []bool{true, false}, Changes: []clock.Stamp{s}, Value: 0.97, Seen: 123},
	}
}

// Policy is a row of a policy, at version.
func Policy(name string, version int64) engine.PolicyRow {
	return engine.PolicyRow{Name: name, Owner: "api", Place: "api", Enabled: true, Text: []byte(`{"name":"` + name + `"}`), Version: version,
		Created: clock.Stamp{Wall: 1, Boot: 2, BootID: "b"}, Updated: clock.Stamp{Wall: 3, Boot: 4, BootID: "b"}}
}

// Small is a decision of everyday size: firing, remediation, two records.
func Small(version int64) *engine.Decision {
	d := Queued()
	d.Position = uint64(version + 1)
	d.Firings = []engine.FiringRow{Firing("hot", "web1", version)}
	d.Audit = append(d.Audit, Record("firing.fire", "firing:hot"))
	return d
}

// Queued is a decision that queues one remediation.
func Queued() *engine.Decision {
	return &engine.Decision{
		At:           clock.Stamp{Wall: 1_764_000_000_000_000, Boot: 1, BootID: "boot-a"},
		Remediations: []remedy.Remediation{Order("web1", "systemd:web.service")},
		Audit:        []audit.Record{Record("remediation.queue", "remediation:1")},
	}
}
