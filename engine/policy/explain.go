package policy

import (
	"maps"
	"strconv"

	"vigil/engine/policy/lang"
	"vigil/engine/series"
)

// maxEvidence is how many samples of a window an explanation holds.
const maxEvidence = 20

// Explanation is what one Evaluate stood on. It can be stored as JSON (numbers
// that may be missing are text) and re-evaluated offline; see policy/record.
type Explanation struct {
	At      int64             `json:"at"`
	Series  string            `json:"series"`
	Labels  map[string]string `json:"labels,omitempty"`
	Target  string            `json:"target,omitempty"`
	Expr    Expressions       `json:"expr"`
	Inputs  map[string]string `json:"inputs"` // value, age, firing, ...
	Fire    *Node             `json:"fire"`
	Clear   *Node             `json:"clear,omitempty"`
	Windows []WindowEvidence  `json:"windows,omitempty"` // every distinct window call, in the order of the code
}

// Expressions are the sources that were evaluated.
type Expressions struct {
	Match string `json:"match"`
	Fire  string `json:"fire"`
	Clear string `json:"clear,omitempty"`
}

// Node is one node of an explained expression.
type Node struct {
	Text  string  `json:"text"`  // source of this node
	Value string  `json:"value"` // true, false, unknown, the number, or the text in quotes
	Args  []*Node `json:"args,omitempty"`
}

// WindowEvidence is what a window held.
type WindowEvidence struct {
	Call    string   `json:"call"`  // avg("5m")
	Value   string   `json:"value"` // unknown, or the number
	Series  int      `json:"series,omitempty"`
	Count   int      `json:"count"`
	First   int64    `json:"first,omitempty"`   // Unix ms, of the samples given
	Last    int64    `json:"last,omitempty"`    // Unix ms
	Samples []Sample `json:"samples,omitempty"` // the newest, at most 20
}

// Sample is a sample whose value may be no number JSON knows.
type Sample struct {
	T int64  `json:"t"` // Unix ms
	V string `json:"v"`
}

// Explain is the expression tree of the last Evaluate with the value of every
// node and the samples used, for the audit record. It allocates.
func (in *Instance) Explain() Explanation {
	c := in.c
	e := Explanation{
		At:     in.looked,
		Series: in.Labels.String(),
		Labels: in.Labels.Map(),
		Target: in.Target,
		Expr:   Expressions{c.Spec.Match, c.Spec.Fire, c.Spec.Clear},
		Inputs: in.in.Texts(),
	}
	e.Fire = in.node(c.fire)
	if c.clear != nil {
		e.Clear = in.node(c.clear)
	}
	for i := range c.calls {
		e.Windows = append(e.Windows, in.evidence(i))
	}
	return e
}

// Values are the numbers that the condition stood on, by the name that the
// expression has for each: value, age, avg("5m"); unknown where one is missing.
func (e Explanation) Values() map[string]string {
	out := make(map[string]string, len(e.Inputs)+len(e.Windows))
	maps.Copy(out, e.Inputs)
	for _, w := range e.Windows {
		out[w.Call] = w.Value
	}
	return out
}

func (in *Instance) node(t *lang.Tree) *Node {
	n := &Node{Text: t.Text}
	if s, ok := in.c.code.Text(t, in.Labels, in.Target); ok {
		n.Value = strconv.Quote(s)
	} else if v := in.machine.Value(t); in.c.code.Truth(t) {
		n.Value = TruthOf(v).String()
	} else {
		n.Value = lang.Figure(v)
	}
	for _, a := range t.Args {
		n.Args = append(n.Args, in.node(a))
	}
	return n
}

func (in *Instance) evidence(i int) WindowEvidence {
	at, call := in.c.calls[i], &in.c.code.Calls[i]
	w := WindowEvidence{Call: call.Text, Value: lang.Figure(in.in.Calls[i])}
	track := in.own
	if at.source != 0 {
		track = nil
		for _, p := range in.joined[at.source].parts {
			if !p.track.Ended() {
				w.Series++
				track = p.track
			}
		}
	}
	if track == nil || w.Series > 1 {
		return w
	}
	w.Count = int(track.Stat(at.span, series.StatCount, 0, in.looked, &in.scratch))
	for _, p := range track.Samples(at.span, in.looked, maxEvidence, nil) {
		w.Samples = append(w.Samples, Sample{p.T, strconv.FormatFloat(p.V, 'g', -1, 64)})
	}
	if n := len(w.Samples); n > 0 {
		w.First, w.Last = w.Samples[0].T, w.Samples[n-1].T
	}
	return w
}
