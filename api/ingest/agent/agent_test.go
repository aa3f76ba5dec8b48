package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"vigil/api/ingest/agent"
	"vigil/engine/series"
)

// sent is what the original's agent posts.
const sent = `{"timestamp":1700000000,"hostname":"web-1","metrics":{
 "cpu":{"cores":2,"usage_percent":12.5,"raw_data":"cpu 1 2 3"},
 "memory":{"total_kb":1000,"available_kb":400,"used_kb":600,"usage_percent":60},
 "disk":{"filesystems":[{"device":"/dev/a","mount_point":"/","total_gb":10,"used_gb":4,"free_gb":6},{"device":"/dev/b","mount_point":"/b","total_gb":1,"used_gb":1,"free_gb":0}]},
 "network":{"interfaces":[{"name":"eth0","rx_bytes":5,"tx_bytes":6}]}},"agent_version":"1.0.0"}`

func points(t *testing.T, b *series.Batch) []string {
	var out []string
	for _, it := range b.Items {
		ls, err := series.ParseKey(it.Key)
		if err != nil {
			t.Fatal(err)
		}
		p := b.Points[it.Lo]
		out = append(out, fmt.Sprintf("%s %d %v", ls, p.T, p.V))
	}
	return out
}

// TestAgentPayloadIsTaken: what the original's collector refused is stored, with
// its host.
func TestAgentPayloadIsTaken(t *testing.T) {
	if !agent.Is([]byte(sent)) {
		t.Fatal("not known")
	}
	var b series.Batch
	if err := agent.Fill(&b, []byte(sent)); err != nil {
		t.Fatal(err)
	}
	got := points(t, &b)
	if len(got) != 14 {
		t.Errorf("%d figures: %s", len(got), strings.Join(got, "\n"))
	}
	for _, want := range []string{
		`agent_cpu_usage_percent{host="web-1"} 1700000000000 12.5`,
		`agent_memory_total_kb{host="web-1"} 1700000000000 1000`,
		`agent_disk_filesystems_free_gb{device="/dev/b",host="web-1",mount_point="/b"} 1700000000000 0`,
		`agent_network_interfaces_rx_bytes{host="web-1",name="eth0"} 1700000000000 5`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, strings.Join(got, "\n"))
		}
	}
}

func TestAgentPayloadsThatAreRefused(t *testing.T) {
	for name, body := range map[string]string{
		"no host":   `{"metrics":{"cpu":{"cores":1}}}`,
		"no figure": `{"hostname":"a","metrics":{}}`,
		"deep":      `{"hostname":"a","metrics":` + strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20) + `}`,
		"many":      `{"hostname":"a","metrics":{"x":[` + strings.Repeat(`{"v":1},`, 6000) + `{"v":1}]}}`,
		"no tree":   `{"hostname":"a","metrics":[1]}`,
		"no time":   `{"timestamp":1e300,"hostname":"a","metrics":{"a":1}}`,
	} {
		var b series.Batch
		if err := agent.Fill(&b, []byte(body)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for _, body := range []string{`{"name":"a","metrics":{}}`, `{"name":"a","value":1}`, `[]`, `{`, ``} {
		if agent.Is([]byte(body)) {
			t.Errorf("%s passes for a payload", body)
		}
	}
}
