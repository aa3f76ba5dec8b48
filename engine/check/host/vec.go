package host

import "vigil/engine/series"

// maxCached bounds each cache of names that come from outside (devices, mount
// points, sensors); a full cache is emptied and fills again.
const maxCached = 4096

// vec is one metric with labels; it keeps the label sets it has made, so that a
// series costs one map lookup a round and no allocation.
type vec struct {
	name string
	keys []string
	made map[string]series.Labels
	key  []byte
}

func newVec(name string, keys ...string) *vec {
	return &vec{name: name, keys: keys, made: map[string]series.Labels{}}
}

// at is the label set for these values, one for each key.
func (v *vec) at(values ...[]byte) series.Labels {
	v.key = v.key[:0]
	for _, x := range values {
		v.key = append(v.key, x...)
		v.key = append(v.key, 0xff)
	}
	if ls, ok := v.made[string(v.key)]; ok {
		return ls
	}
	ls := []series.Label{{Name: series.NameLabel, Value: v.name}}
	for i, k := range v.keys {
		ls = append(ls, series.Label{Name: k, Value: string(values[i])})
	}
	if len(v.made) >= maxCached {
		clear(v.made)
	}
	out := series.New(ls...)
	v.made[string(v.key)] = out
	return out
}

// one is the label set of a metric without labels.
func one(name string) series.Labels {
	return series.New(series.Label{Name: series.NameLabel, Value: name})
}

// names lists what several of them are called.
func vecNames(vs ...*vec) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = v.name
	}
	return out
}

func labelNames(ls ...series.Labels) []string {
	out := make([]string, len(ls))
	for i, l := range ls {
		out[i] = l.Name()
	}
	return out
}
