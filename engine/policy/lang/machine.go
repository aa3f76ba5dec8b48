package lang

import (
	"math"
	"slices"
	"strings"

	"vigil/engine/series"
)

// Machine is Code for one series: what labels decide is decided, and the rest is
// a short list of steps. One goroutine.
type Machine struct {
	values []float64
	steps  []step
	lists  [][]float64 // of in
}

// step is a node whose value can change.
type step struct {
	op          op
	to, a, b, c uint16
}

// Machine makes the machine of a series; target is the instance's target.
func (c *Code) Machine(labels series.Labels, target string) *Machine {
	m := &Machine{values: make([]float64, len(c.nodes))}
	texts := make([]string, len(c.nodes))
	for i := range c.nodes {
		n := &c.nodes[i]
		switch {
		case n.kind == text:
			texts[i] = n.text(labels, target)
		case n.static:
			m.values[i] = n.fold(m.values, texts)
		default:
			s := step{n.op, uint16(i), uint16(n.a), uint16(n.b), uint16(n.c)}
			if n.op == opIn {
				s.b = uint16(len(m.lists))
				m.lists = append(m.lists, n.nums)
			}
			m.steps = append(m.steps, s)
		}
	}
	return m
}

// Bytes is the memory of one machine.
func (c *Code) Bytes() int { return len(c.nodes) * (8 + 10) }

func (n *node) text(labels series.Labels, target string) string {
	switch n.op {
	case opLabel:
		return labels.Get(n.str)
	case opName:
		return labels.Name()
	case opTarget:
		return target
	}
	return n.str
}

// fold computes a node that depends on constants and labels alone.
func (n *node) fold(values []float64, texts []string) float64 {
	switch n.op {
	case opConst:
		return n.num
	case opTextEqual:
		return truth(texts[n.a] == texts[n.b])
	case opTextNotEqual:
		return truth(texts[n.a] != texts[n.b])
	case opTextIn:
		return truth(slices.Contains(n.strs, texts[n.a]))
	case opMatches:
		return truth(n.re.MatchString(texts[n.a]))
	case opContains:
		return truth(strings.Contains(texts[n.a], texts[n.b]))
	case opStartsWith:
		return truth(strings.HasPrefix(texts[n.a], texts[n.b]))
	case opEndsWith:
		return truth(strings.HasSuffix(texts[n.a], texts[n.b]))
	case opIn:
		return isIn(values[n.a], n.nums)
	}
	return apply(n.op, values[n.a], values[n.b], values[n.c])
}

// literal is the value of a node that depends on constants alone.
func (c *Code) literal(i int) float64 {
	n := &c.nodes[i]
	if n.op == opConst {
		return n.num
	}
	values := make([]float64, i+1)
	texts := make([]string, i+1)
	for j := 0; j <= i; j++ {
		if x := &c.nodes[j]; x.kind == text {
			texts[j] = x.str
		} else if x.literal {
			values[j] = x.fold(values, texts)
		}
	}
	return values[i]
}

// Run computes every node. It does not allocate.
func (m *Machine) Run(in *Inputs) {
	v := m.values
	for i := range m.steps {
		s := &m.steps[i]
		var x float64
		switch s.op {
		case opCall:
			x = in.Calls[s.a]
		case opValue:
			x = in.Value
		case opAge:
			x = in.Age
		case opFiring:
			x = in.Firing
		case opFiringFor:
			x = in.FiringFor
		case opHour:
			x = in.Hour
		case opWeekday:
			x = in.Weekday
		case opGreater:
			x = truth(v[s.a] > v[s.b])
			if v[s.a] != v[s.a] || v[s.b] != v[s.b] {
				x = math.NaN()
			}
		case opAnd:
			x = and(v[s.a], v[s.b])
		case opIn:
			x = isIn(v[s.a], m.lists[s.b])
		default:
			x = apply(s.op, v[s.a], v[s.b], v[s.c])
		}
		if x-x != 0 { // infinite: an operand that is not finite is unknown
			x = math.NaN()
		}
		v[s.to] = x
	}
}

// apply is the meaning of every operation on numbers and truths; the answer may
// be infinite, which means unknown.
func apply(o op, a, b, c float64) float64 {
	switch o {
	case opAnd:
		return and(a, b)
	case opOr:
		return or(a, b)
	case opNot:
		return 1 - a
	case opChoose:
		switch {
		case a == 1:
			return b
		case a == 0:
			return c
		}
		return math.NaN()
	}
	if math.IsNaN(a) || math.IsNaN(b) || math.IsNaN(c) {
		return math.NaN()
	}
	var x float64
	switch o {
	case opNegate:
		x = -a
	case opAdd:
		x = a + b
	case opSub:
		x = a - b
	case opMul:
		x = a * b
	case opDiv:
		x = a / b
	case opMod:
		x = math.Mod(a, b)
	case opPow:
		x = math.Pow(a, b)
	case opEqual:
		x = truth(a == b)
	case opNotEqual:
		x = truth(a != b)
	case opLess:
		x = truth(a < b)
	case opLessEqual:
		x = truth(a <= b)
	case opGreater:
		x = truth(a > b)
	case opGreaterEqual:
		x = truth(a >= b)
	case opAbs:
		x = math.Abs(a)
	case opRound:
		x = math.Round(a)
	case opFloor:
		x = math.Floor(a)
	case opCeil:
		x = math.Ceil(a)
	case opMin:
		x = min(a, b)
	case opMax:
		x = max(a, b)
	case opClamp:
		x = min(max(a, b), c)
	default:
		return math.NaN()
	}
	if math.IsInf(x, 0) {
		return math.NaN()
	}
	return x
}

// and is false as soon as one side is, else unknown as soon as one side is.
func and(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return a + b - 1 // NaN stays
}

// or is true as soon as one side is, else unknown as soon as one side is.
func or(a, b float64) float64 {
	if a == 1 || b == 1 {
		return 1
	}
	return a + b // NaN stays
}

func isIn(x float64, list []float64) float64 {
	if math.IsNaN(x) {
		return x
	}
	return truth(slices.Contains(list, x))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Value is the value of a tree's node after Run: 1 or 0 for a truth, NaN for
// unknown.
func (m *Machine) Value(t *Tree) float64 { return m.values[t.node] }

// Text gives back what a text is on this series, for explanations: ok is false
// for a tree that is not text.
func (c *Code) Text(t *Tree, labels series.Labels, target string) (s string, ok bool) {
	n := &c.nodes[t.node]
	if n.kind != text {
		return "", false
	}
	return n.text(labels, target), true
}

// Truth reports whether a tree is true or false rather than a number.
func (c *Code) Truth(t *Tree) bool { return c.nodes[t.node].kind == boolean }
