package lang

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/expr-lang/expr/ast"

	"vigil/engine/document"
	"vigil/engine/series"
)

func (b *Builder) call(n *ast.CallNode) *Tree {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return b.refuse(n, "", "methods are not part of this language")
	}
	if _, ok := windows[callee.Value]; ok {
		return b.window(n, callee.Value)
	}
	f, ok := scalars[callee.Value]
	switch {
	case ok:
	case later[callee.Value]:
		return b.refuse(n, "", "%s comes later", callee.Value)
	default:
		return b.refuse(n, suggestFunction(callee.Value), "unknown function %s", strconv.Quote(callee.Value))
	}
	if len(n.Arguments) != f.args {
		return b.refuse(n, "", "%s takes %s, %d given", callee.Value, arguments(f.args), len(n.Arguments))
	}
	switch f.op {
	case opHour, opWeekday:
		b.code.Uses.Hour = true
		return b.leaf(n, node{op: f.op, kind: number}, callee.Value)
	}
	args := make([]*Tree, len(n.Arguments))
	for i, a := range n.Arguments {
		if args[i] = b.expr(a); args[i] == nil || !b.want(a, args[i], number) {
			return nil
		}
	}
	return b.over(n, node{op: f.op, kind: number}, "", args...)
}

func arguments(n int) string {
	switch n {
	case 0:
		return "nothing"
	case 1:
		return "one argument"
	}
	return strconv.Itoa(n) + " arguments"
}

// window compiles f([q,] "window" [, horizon] [, "selector"]); all arguments are
// constants.
func (b *Builder) window(n *ast.CallNode, name string) *Tree {
	f := windows[name]
	shape := name + `("5m")`
	if f.lead {
		shape = name + `(0.95, "5m")`
	} else if f.trail {
		shape = name + `("1h", "4h")`
	}
	args := n.Arguments
	least := 1
	if f.lead || f.trail {
		least = 2
	}
	if len(args) < least || len(args) > least+1 {
		return b.refuse(n, "write "+shape+", with a selector as last argument for another series", "%s takes %s and may take a selector, %d given", name, arguments(least), len(args))
	}
	c := Call{Text: n.String(), Stat: f.stat}
	ok := true
	if f.lead {
		t := b.expr(args[0])
		if t == nil || !b.want(args[0], t, number) {
			return nil
		}
		if !b.code.nodes[t.node].literal {
			return b.refuse(args[0], "write "+shape, "the quantile must be a constant")
		}
		if c.Arg = b.code.literal(t.node); c.Arg < 0 || c.Arg > 1 {
			return b.refuse(args[0], "the median is quantile(0.5, ...)", "a quantile lies between 0 and 1")
		}
		args = args[1:]
	}
	c.Window, ok = b.duration(args[0], "a window", shape)
	if f.trail && ok {
		var horizon time.Duration
		horizon, ok = b.duration(args[1], "a horizon", shape)
		c.Arg = horizon.Seconds()
		args = args[1:]
	}
	if !ok {
		return nil
	}
	if len(args) == 2 {
		s, isText := args[1].(*ast.StringNode)
		if !isText || s.Value == "" {
			return b.refuse(args[1], `write another_metric{service="web"} in quotes`, "a selector must be constant text")
		}
		c.Selector = s.Value
		c.Place = position(b.field, b.src, args[1].Location().From)
	}
	k := number
	if f.stat == series.StatAbsent {
		k = boolean
		b.code.Uses.Absent = true
	}
	if c.Selector == "" && (f.stat == series.StatAbsent || f.stat == series.StatCount) {
		b.code.Uses.Silence = true
	}
	key := fmt.Sprintf("w%d %d %x %s", c.Stat, c.Window, math.Float64bits(c.Arg), c.Selector)
	if _, there := b.index[key]; !there {
		b.code.Calls = append(b.code.Calls, c)
	}
	return b.leaf(n, node{op: opCall, kind: k, a: len(b.code.Calls) - 1}, key)
}

func (b *Builder) duration(n ast.Node, what, shape string) (time.Duration, bool) {
	s, ok := n.(*ast.StringNode)
	if !ok {
		b.refuse(n, "write "+shape, "%s must be a constant duration in quotes", what)
		return 0, false
	}
	d, err := document.ParseDuration(s.Value)
	switch {
	case err != nil:
		b.refuse(n, "write "+shape, "%v", err)
	case d.Std() < MinWindow:
		b.refuse(n, "", "%s must be at least 1ms", what)
	case d.Std() > MaxWindow:
		b.refuse(n, "", "%s may be at most %s", what, document.Duration(MaxWindow))
	default:
		return d.Std(), true
	}
	return 0, false
}
