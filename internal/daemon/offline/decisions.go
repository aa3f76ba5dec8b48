package offline

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"

	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/policy"
)

// Decisions evaluates every decision about a firing in an audit export again,
// from the evidence in its record alone, and counts them. Corrupt names the first
// record whose condition does not come out as it was written.
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
		var e policy.Explanation
		if err := json.Unmarshal(r.Evidence, &e); err != nil {
			return n, fault.New(fault.Corrupt, "the evidence of audit record %d: %v", r.Seq, err)
		}
		if e.Fire == nil {
			continue // closed, not decided
		}
		fire, clear, err := policy.Replay(e)
		if err != nil {
			return n, fault.New(fault.Corrupt, "the evidence of audit record %d: %v", r.Seq, err)
		}
		if got := fire.String(); got != e.Fire.Value {
			return n, fault.New(fault.Corrupt, "audit record %d says that %s was %s; from its evidence it is %s", r.Seq, e.Fire.Text, e.Fire.Value, got)
		}
		if e.Clear != nil && clear.String() != e.Clear.Value {
			return n, fault.New(fault.Corrupt, "audit record %d says that %s was %s; from its evidence it is %s", r.Seq, e.Clear.Text, e.Clear.Value, clear)
		}
		n++
	}
	if err := sc.Err(); err != nil {
		return n, fault.Wrap(fault.Unavailable, err, "reading an audit export")
	}
	return n, nil
}
