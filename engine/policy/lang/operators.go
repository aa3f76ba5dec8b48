package lang

import (
	"strconv"

	"github.com/expr-lang/expr/ast"
)

var arithmetic = map[string]op{"+": opAdd, "-": opSub, "*": opMul, "/": opDiv, "%": opMod, "**": opPow, "^": opPow}

var comparison = map[string]op{"==": opEqual, "!=": opNotEqual, "<": opLess, "<=": opLessEqual, ">": opGreater, ">=": opGreaterEqual}

var onText = map[string]op{"contains": opContains, "startsWith": opStartsWith, "endsWith": opEndsWith}

func (b *Builder) binary(n *ast.BinaryNode) *Tree {
	switch n.Operator {
	case "in":
		return b.in(n)
	case "matches":
		return b.matches(n)
	}
	l, r := b.expr(n.Left), b.expr(n.Right)
	if l == nil || r == nil {
		return nil
	}
	if o, ok := arithmetic[n.Operator]; ok {
		if !b.want(n.Left, l, number) || !b.want(n.Right, r, number) {
			return nil
		}
		return b.over(n, node{op: o, kind: number}, "", l, r)
	}
	if o, ok := comparison[n.Operator]; ok {
		return b.compare(n, o, l, r)
	}
	if o, ok := onText[n.Operator]; ok {
		if !b.want(n.Left, l, text) || !b.want(n.Right, r, text) {
			return nil
		}
		return b.over(n, node{op: o, kind: boolean}, "", l, r)
	}
	switch n.Operator {
	case "and", "&&", "or", "||":
		if !b.want(n.Left, l, boolean) || !b.want(n.Right, r, boolean) {
			return nil
		}
		o := opAnd
		if n.Operator == "or" || n.Operator == "||" {
			o = opOr
		}
		return b.over(n, node{op: o, kind: boolean}, "", l, r)
	}
	return b.refuse(n, "", "the operator %s is not part of this language", n.Operator)
}

func (b *Builder) compare(n *ast.BinaryNode, o op, l, r *Tree) *Tree {
	left, right := b.code.nodes[l.node].kind, b.code.nodes[r.node].kind
	switch {
	case left != right:
		return b.refuse(n, "", "%s is %s and %s is %s: they cannot be compared", short(l.Text), left, short(r.Text), right)
	case left == number:
	case o != opEqual && o != opNotEqual:
		return b.refuse(n, "", "only numbers have an order, %s is %s", short(l.Text), left)
	case left == text && o == opEqual:
		o = opTextEqual
	case left == text:
		o = opTextNotEqual
	}
	t := b.over(n, node{op: o, kind: boolean}, "", l, r)
	b.bound(l.node, r.node)
	b.bound(r.node, l.node)
	return t
}

// bound notes that a quantity which grows with time is compared with a constant:
// that is when the truth can change without a sample.
func (b *Builder) bound(quantity, constant int) {
	c := b.code.nodes[constant]
	if !c.literal {
		return
	}
	switch v := b.code.literal(constant); b.code.nodes[quantity].op {
	case opAge:
		b.code.Uses.Age.Bounds = append(b.code.Uses.Age.Bounds, v)
	case opFiringFor:
		b.code.Uses.FiringFor.Bounds = append(b.code.Uses.FiringFor.Bounds, v)
	}
}

// in compares with a constant list of numbers, or of texts.
func (b *Builder) in(n *ast.BinaryNode) *Tree {
	l := b.expr(n.Left)
	items, ok := n.Right.(*ast.ArrayNode)
	if !ok {
		return b.refuse(n.Right, "write [1, 2, 3]", "in needs a constant list")
	}
	if l == nil {
		return nil
	}
	k := b.code.nodes[l.node].kind
	if k != number && k != text {
		return b.refuse(n.Left, "", "expected a number or text before in, %s is %s", short(l.Text), k)
	}
	x := node{op: opIn, kind: boolean}
	extra := ""
	for _, item := range items.Nodes {
		t := b.expr(item)
		if t == nil || !b.want(item, t, k) {
			return nil
		}
		v := b.code.nodes[t.node]
		if !v.literal {
			return b.refuse(item, "", "a list holds constants only")
		}
		if k == text {
			x.op = opTextIn
			x.strs = append(x.strs, v.str)
			extra += strconv.Quote(v.str)
			continue
		}
		x.nums = append(x.nums, b.code.literal(t.node))
		extra += strconv.Itoa(t.node) + ","
	}
	if k == text {
		x.op = opTextIn
	}
	return b.over(n, x, extra, l)
}

func (b *Builder) matches(n *ast.BinaryNode) *Tree {
	l, re := b.expr(n.Left), b.pattern(n.Right)
	if l == nil || re == nil || !b.want(n.Left, l, text) {
		return nil
	}
	return b.over(n, node{op: opMatches, kind: boolean, re: re}, re.String(), l)
}
