package kernel

import (
	"strings"

	"vigil/engine/series"
)

// MaxCached bounds each cache of names that come from outside (devices, mount
// points, sensors); a full cache is emptied and fills again.
const MaxCached = 4096

// Vec is one metric with labels; it keeps the label sets it has made, so that a
// series costs one map lookup a round and no allocation.
type Vec struct {
	Name string
	keys []string
	made map[string]series.Labels
	key  []byte
}

// NewVec makes a metric with these label names.
func NewVec(name string, keys ...string) *Vec {
	return &Vec{Name: name, keys: keys, made: map[string]series.Labels{}}
}

// At is the label set for these values, one for each key. The kernel lets names
// be any bytes; what is not UTF-8 in them is replaced.
func (v *Vec) At(values ...[]byte) series.Labels {
	v.key = v.key[:0]
	for _, x := range values {
		v.key = append(v.key, x...)
		v.key = append(v.key, 0xff)
	}
	if ls, ok := v.made[string(v.key)]; ok {
		return ls
	}
	ls := []series.Label{{Name: series.NameLabel, Value: v.Name}}
	for i, k := range v.keys {
		ls = append(ls, series.Label{Name: k, Value: strings.ToValidUTF8(string(values[i]), "\uFFFD")})
	}
	if len(v.made) >= MaxCached {
		clear(v.made)
	}
	out := series.New(ls...)
	v.made[string(v.key)] = out
	return out
}

// One is the label set of a metric without labels.
func One(name string) series.Labels {
	return series.New(series.Label{Name: series.NameLabel, Value: name})
}

// Shared is the labels of a gauge under a name that the original's clients push
// too: origin="host" keeps what vigild measured apart from what they send, and
// nobody else may write that label.
func Shared(name string) series.Labels {
	return series.New(series.Label{Name: series.NameLabel, Value: name}, series.Label{Name: series.OriginLabel, Value: "host"})
}

// Names lists what several of them are called.
func Names(vs ...*Vec) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = v.Name
	}
	return out
}

// LabelNames lists what these series are called.
func LabelNames(ls ...series.Labels) []string {
	out := make([]string, len(ls))
	for i, l := range ls {
		out[i] = l.Name()
	}
	return out
}
