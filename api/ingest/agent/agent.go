// Package agent reads the nested payload of the original's Go agent: one host's
// figures as a tree, flattened into samples with the host as a label.
//
// A number at metrics.memory.total_kb becomes agent_memory_total_kb{host}; in a
// list, the texts of an entry become its labels: agent_disk_filesystems_free_gb
// {host,device,mount_point}. The names carry the prefix since vigild measures
// its own host under the plain ones, which cannot be pushed.
//
// It refuses payloads over a size, trees over a depth and entries over a count
// before it builds anything of them. Pure; it may be called concurrently.
package agent

import (
	"encoding/json"
	"maps"
	"math"
	"slices"

	"vigil/api/problem"
	"vigil/engine/fault"
	"vigil/engine/series"
)

// Caps: a real payload has a few kilobytes and some dozen figures.
const (
	MaxBody    = 256 << 10
	maxDepth   = 6
	maxSamples = 5000
	maxText    = 512
)

// payload is the outside of the tree.
type payload struct {
	Name      *json.RawMessage `json:"name"`
	Timestamp *float64         `json:"timestamp"`
	Hostname  string           `json:"hostname"`
	Metrics   map[string]any   `json:"metrics"`
}

// Is says whether a text is such a payload and not a plain sample: an object
// with metrics and without a name. A text that is not JSON is neither.
func Is(text []byte) bool {
	if len(text) > MaxBody {
		return false
	}
	var p struct {
		Name    *json.RawMessage `json:"name"`
		Metrics *json.RawMessage `json:"metrics"`
	}
	return json.Unmarshal(text, &p) == nil && p.Name == nil && p.Metrics != nil
}

// Fill appends the figures of a payload to the batch.
func Fill(b *series.Batch, text []byte) error {
	var p payload
	if err := json.Unmarshal(text, &p); err != nil {
		return problem.Invalid{{Type: "dict_type", Loc: []any{"body", "metrics"}, Msg: "Input should be a valid dictionary"}}
	}
	if p.Hostname == "" || len(p.Hostname) > maxText {
		return problem.Invalid{{Type: "missing", Loc: []any{"body", "hostname"}, Msg: "Field required"}}
	}
	t := int64(series.NoTime)
	if p.Timestamp != nil {
		if math.Abs(*p.Timestamp) > 1e14 {
			return problem.Invalid{problem.Value("timestamp is no time in Unix seconds", *p.Timestamp, "body", "timestamp")}
		}
		t = int64(math.Round(*p.Timestamp * 1000))
	}
	f := &flat{batch: b, t: t}
	if err := f.object("agent", p.Metrics, []series.Label{{Name: "host", Value: p.Hostname}}, 0); err != nil {
		return err
	}
	if len(b.Items) == 0 {
		return problem.Invalid{problem.Value("there is no number in it", nil, "body", "metrics")}
	}
	return nil
}

type flat struct {
	batch *series.Batch
	t     int64
}

func (f *flat) object(name string, m map[string]any, ls []series.Label, depth int) error {
	if depth > maxDepth {
		return problem.Invalid{problem.Value("nested too deep", nil, "body", "metrics")}
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if err := f.value(name+"_"+k, m[k], ls, depth); err != nil {
			return err
		}
	}
	return nil
}

func (f *flat) value(name string, v any, ls []series.Label, depth int) error {
	switch v := v.(type) {
	case float64:
		if len(f.batch.Items) == maxSamples {
			return fault.New(fault.TooLarge, "the payload has over %d figures", maxSamples)
		}
		f.batch.Add(series.New(append(slices.Clone(ls), series.Label{Name: series.NameLabel, Value: name})...), f.t, v)
	case map[string]any:
		return f.object(name, v, ls, depth+1)
	case []any:
		for _, e := range v {
			m, ok := e.(map[string]any)
			if !ok {
				continue // a list of bare values has nothing to tell them apart
			}
			own := slices.Clone(ls)
			for _, k := range slices.Sorted(maps.Keys(m)) {
				if s, ok := m[k].(string); ok && k != "host" && len(s) <= maxText && len(own) < 16 {
					own = append(own, series.Label{Name: k, Value: s})
				}
			}
			if err := f.object(name, m, own, depth+1); err != nil {
				return err
			}
		}
	}
	return nil // texts and nulls are no figures
}
