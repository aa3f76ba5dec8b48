package vigiltest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

var remediationsLine = regexp.MustCompile(`(?m)^vigil_remediations\{state="(\w+)"\} (\d+)$`)

// TestHostileStorm: ten thousand series that all fire in one request, each with a
// remediation: decided, held back by the brake, and no more memory than anything
// else may take.
func TestHostileStorm(t *testing.T) {
	v := newVictim(t)
	put(t, filepath.Join(v.dir, "policies", "storm.yaml"), `apiVersion: vigil/v1
kind: Policy
metadata: {name: storm}
spec:
  match: storm
  fire: value > 0
  accept: open
  remedy:
    ladder: [{action: loud, timeout: 1s, settle: 0s}]
    verify: {within: 1s}
`)
	if !Until(func() bool {
		status, _, err := v.ask(t.Context(), "GET", "/api/v1/policies/storm", nil)
		return err == nil && status == http.StatusOK
	}) {
		t.Fatal("the policy is not read")
	}
	const n = 10_000
	status, answer, err := v.send(hostile{path: "/api/v1/ingest", header: map[string]string{"Content-Type": "application/x-ndjson"}, body: func() io.Reader {
		var b bytes.Buffer
		for i := range n {
			fmt.Fprintf(&b, `{"name":"storm","value":1,"tags":{"id":"host-%d","instance":"10.0.%d.1:9100"}}`+"\n", i, i%250)
		}
		return &b
	}})
	if err != nil || status/100 != 2 {
		t.Fatalf("the samples are not taken: %d %.300s %v", status, answer, err)
	}
	v.serves()
	var decided, held int
	if !Until(func() bool {
		_, text, err := v.ask(t.Context(), "GET", "/metrics", nil)
		decided, held = 0, 0
		for _, m := range remediationsLine.FindAllSubmatch(text, -1) {
			k, _ := strconv.Atoi(string(m[2]))
			if decided += k; string(m[1]) == "held" {
				held = k
			}
		}
		return err == nil && decided >= n && held >= n/100
	}) {
		t.Errorf("%d remediations are in the ledger, %d are held back, of %d that fire", decided, held, n)
	}
	v.serves()
	peak := v.peak()
	t.Logf("peak %d MiB", peak>>20)
	if peak > mostMemory {
		t.Errorf("the daemon had %d MiB at its peak", peak>>20)
	}
	v.stop()
}
