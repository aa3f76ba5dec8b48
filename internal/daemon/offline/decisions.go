package offline

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"

	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/policy/record"
)

// Decisions makes every decision about a firing in an audit export again, from the
// evidence in its record alone: what the condition came to, and the step that the
// firing took for it. It counts them. Corrupt names the first record that does not
// come out as it was written.
func Decisions(in io.Reader) (n int, err error) {
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 0, 64<<10), audit.MaxLine)
	for sc.Scan() {
		r, err := audit.ParseLine(sc.Bytes())
		if err != nil {
			return n, err
		}
		if !strings.HasPrefix(r.Verb, "firing.") || len(r.Evidence) == 0 {
			continue
		}
		var e record.Evidence
		if err := json.Unmarshal(r.Evidence, &e); err != nil {
			return n, fault.New(fault.Corrupt, "the evidence of audit record %d: %v", r.Seq, err)
		}
		if e.Fire == nil {
			continue // closed, not decided
		}
		if err := e.Again(); err != nil {
			return n, fault.New(fault.Corrupt, "audit record %d (%s): %v", r.Seq, r.Object, err)
		}
		n++
	}
	if err := sc.Err(); err != nil {
		return n, fault.Wrap(fault.Unavailable, err, "reading an audit export")
	}
	return n, nil
}
