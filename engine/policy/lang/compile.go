package lang

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"vigil/engine/document"
	"vigil/engine/fault"
)

// Builder compiles expressions into one Code.
type Builder struct {
	code  Code
	index map[string]int // nodes by what they compute

	field, src string
	issues     fault.Issues
	depth      int
	full       bool
}

// Code is what was compiled so far.
func (b *Builder) Code() *Code {
	// A copy, of exact size: what only compiling needs must not live as long as the code.
	c := b.code
	c.nodes, c.Calls = slices.Clone(c.nodes), slices.Clone(c.Calls)
	return &c
}

// Condition compiles an expression that is true or false. Issues name the field
// and the column in it.
func (b *Builder) Condition(field, src string) (*Tree, fault.Issues) {
	if b.index == nil {
		b.index = map[string]int{}
	}
	root, issues := parse(field, src)
	if len(issues) > 0 {
		return nil, issues
	}
	b.field, b.src, b.issues, b.full = field, src, nil, false
	t := b.expr(root)
	if t != nil {
		b.want(root, t, boolean)
	}
	if len(b.issues) > 0 {
		return nil, b.issues
	}
	return t, nil
}

func (b *Builder) refuse(n ast.Node, hint, format string, args ...any) *Tree {
	if len(b.issues) < 20 {
		b.issues = append(b.issues, fault.Issue{Place: position(b.field, b.src, n.Location().From), Msg: fmt.Sprintf(format, args...), Hint: hint})
	}
	return nil
}

// want refuses a tree of another kind.
func (b *Builder) want(n ast.Node, t *Tree, k kind) bool {
	if got := b.code.nodes[t.node].kind; got != k {
		hint := ""
		if k == boolean && got == number {
			hint = "compare it, as in " + short(t.Text) + " > 0.9"
		}
		b.refuse(n, hint, "expected %s here, %s is %s", k, short(t.Text), got)
		return false
	}
	return true
}

// expr is the allow-list: a node of a type that is not named here is refused.
func (b *Builder) expr(n ast.Node) *Tree {
	if b.depth++; b.depth > maxDepth || b.full {
		if !b.full {
			b.refuse(n, "", "nested deeper than %d", maxDepth)
		}
		b.full = true
		b.depth--
		return nil
	}
	defer func() { b.depth-- }()
	switch n := n.(type) {
	case *ast.IntegerNode:
		return b.constant(n, number, float64(n.Value))
	case *ast.FloatNode:
		return b.constant(n, number, n.Value)
	case *ast.BoolNode:
		if n.Value {
			return b.constant(n, boolean, 1)
		}
		return b.constant(n, boolean, 0)
	case *ast.StringNode:
		return b.leaf(n, node{op: opText, kind: text, str: n.Value, static: true, literal: true}, "s"+n.Value)
	case *ast.IdentifierNode:
		return b.name(n)
	case *ast.MemberNode:
		return b.member(n)
	case *ast.UnaryNode:
		return b.unary(n)
	case *ast.BinaryNode:
		return b.binary(n)
	case *ast.ConditionalNode:
		return b.choose(n)
	case *ast.CallNode:
		return b.call(n)
	case *ast.ArrayNode:
		return b.refuse(n, "", "a list may only stand after in")
	case *ast.NilNode:
		return b.refuse(n, "a missing value is unknown by itself; ask absent(\"5m\")", "nil is not part of this language")
	case nil:
		b.full = true
		return nil
	default:
		return b.refuse(n, "", "%s is not part of this language", construct(n))
	}
}

// construct names what the language leaves out.
func construct(n ast.Node) string {
	switch n.(type) {
	case *ast.SliceNode:
		return "a slice"
	case *ast.PredicateNode, *ast.PointerNode:
		return "a closure"
	case *ast.VariableDeclaratorNode:
		return "let"
	case *ast.SequenceNode:
		return "a sequence with ;"
	case *ast.MapNode, *ast.PairNode:
		return "a map"
	case *ast.ChainNode:
		return "?."
	case *ast.BytesNode:
		return "a text of bytes"
	}
	return "this"
}

// add shares a node that is there already.
func (b *Builder) add(x node, key string) int {
	if i, ok := b.index[key]; ok {
		return i
	}
	b.code.nodes = append(b.code.nodes, x)
	b.index[key] = len(b.code.nodes) - 1
	return len(b.code.nodes) - 1
}

func (b *Builder) leaf(n ast.Node, x node, key string) *Tree {
	return &Tree{Text: written(n), node: b.add(x, key)}
}

func (b *Builder) constant(n ast.Node, k kind, v float64) *Tree {
	return b.leaf(n, node{op: opConst, kind: k, num: v, static: true, literal: true}, "c"+strconv.Itoa(int(k))+" "+strconv.FormatFloat(v, 'g', -1, 64))
}

// free notes which quantities that grow with time are used otherwise than in a
// comparison, where the time of the next change is not known beforehand.
func (b *Builder) free(o op, args []*Tree) {
	compared := o >= opEqual && o <= opGreaterEqual && (b.code.nodes[args[0].node].literal || b.code.nodes[args[1].node].literal)
	for _, t := range args {
		switch b.code.nodes[t.node].op {
		case opAge:
			b.code.Uses.Age.Free = b.code.Uses.Age.Free || !compared
		case opFiringFor:
			b.code.Uses.FiringFor.Free = b.code.Uses.FiringFor.Free || !compared
		}
	}
}

// over makes a node over others and refuses what is constant and not finite.
func (b *Builder) over(n ast.Node, x node, extra string, args ...*Tree) *Tree {
	b.free(x.op, args)
	x.static, x.literal = true, true
	first := args[0].node
	at := [3]int{first, first, first} // an operand that is not there repeats the first
	key := "o" + strconv.Itoa(int(x.op))
	for i, t := range args {
		at[i] = t.node
		x.static = x.static && b.code.nodes[t.node].static
		x.literal = x.literal && b.code.nodes[t.node].literal
		key += " " + strconv.Itoa(t.node)
	}
	x.a, x.b, x.c = at[0], at[1], at[2]
	t := &Tree{Text: written(n), Args: args, node: b.add(x, key+"|"+extra)}
	if x.literal && x.kind == number {
		if v := b.code.literal(t.node); math.IsNaN(v) {
			return b.refuse(n, "", "%s is not a finite number", short(t.Text))
		}
	}
	return t
}

func (b *Builder) name(n *ast.IdentifierNode) *Tree {
	u := &b.code.Uses
	switch n.Value {
	case "value":
		u.Value = true
		return b.leaf(n, node{op: opValue, kind: number}, "value")
	case "age":
		u.Age.Used, u.Silence = true, true
		return b.leaf(n, node{op: opAge, kind: number}, "age")
	case "firing_for":
		u.FiringFor.Used = true
		return b.leaf(n, node{op: opFiringFor, kind: number}, "firing_for")
	case "firing":
		return b.leaf(n, node{op: opFiring, kind: boolean}, "firing")
	case "name":
		return b.leaf(n, node{op: opName, kind: text, static: true}, "name")
	case "target":
		return b.leaf(n, node{op: opTarget, kind: text, static: true}, "target")
	case "labels":
		return b.refuse(n, "write labels.service, or labels[\"service\"]", "labels needs the name of one label")
	}
	if _, ok := windows[n.Value]; ok {
		return b.refuse(n, "write "+n.Value+`("5m")`, "%s is a function and needs a window", n.Value)
	}
	if _, ok := scalars[n.Value]; ok {
		return b.refuse(n, "write "+n.Value+"()", "%s is a function", n.Value)
	}
	return b.refuse(n, b.suggest(n.Value), "unknown name %s", strconv.Quote(n.Value))
}

// unknown reports whether a word is no name or function of the language.
func (b *Builder) unknown(word string) bool { return !slices.Contains(known(), word) }

func (b *Builder) suggest(word string) string {
	if near := document.Nearest(word, known()); near != "" {
		return "did you mean " + near + "?"
	}
	return "the names are " + strings.Join(names, ", ")
}

// suggestFunction says which function could be meant; people come from other
// languages, where avg has a longer name.
func suggestFunction(word string) string {
	short := map[string]string{"average": "avg", "mean": "avg", "minimum": "min", "maximum": "max", "percentile": "quantile", "std": "stddev", "latest": "last"}
	for name, ours := range short {
		if strings.TrimSuffix(strings.ToLower(word), "_over_time") == name {
			return "did you mean " + ours + "?"
		}
	}
	if near := document.Nearest(strings.TrimSuffix(word, "_over_time"), known()); near != "" {
		return "did you mean " + near + "?"
	}
	window, scalar := FunctionNames()
	all := append(window, scalar...)
	slices.Sort(all)
	return "the functions are " + strings.Join(all, ", ")
}

// member allows labels.x and labels["x"], nothing else.
func (b *Builder) member(n *ast.MemberNode) *Tree {
	of, ok := n.Node.(*ast.IdentifierNode)
	label, constant := n.Property.(*ast.StringNode)
	switch {
	case ok && b.unknown(of.Value):
		return b.refuse(of, b.suggest(of.Value), "unknown name %s", strconv.Quote(of.Value))
	case !ok || of.Value != "labels":
		return b.refuse(n, "only labels have parts: labels.service", "%s has no parts", short(n.Node.String()))
	case !constant:
		return b.refuse(n, "write labels.service", "the name of a label must be constant text")
	case n.Optional || n.Method:
		return b.refuse(n, "a missing label is the empty text", "only labels.x is allowed")
	}
	return b.leaf(n, node{op: opLabel, kind: text, str: label.Value, static: true}, "l"+label.Value)
}

func (b *Builder) unary(n *ast.UnaryNode) *Tree {
	t := b.expr(n.Node)
	if t == nil {
		return nil
	}
	switch n.Operator {
	case "not", "!":
		if b.want(n.Node, t, boolean) {
			return b.over(n, node{op: opNot, kind: boolean}, "", t)
		}
	case "-":
		if b.want(n.Node, t, number) {
			return b.over(n, node{op: opNegate, kind: number}, "", t)
		}
	case "+":
		if b.want(n.Node, t, number) {
			return t
		}
	}
	if len(b.issues) == 0 {
		return b.refuse(n, "", "the operator %s is not part of this language", n.Operator)
	}
	return nil
}

func (b *Builder) choose(n *ast.ConditionalNode) *Tree {
	cond, yes, no := b.expr(n.Cond), b.expr(n.Exp1), b.expr(n.Exp2)
	if cond == nil || yes == nil || no == nil || !b.want(n.Cond, cond, boolean) {
		return nil
	}
	k := b.code.nodes[yes.node].kind
	if k != number && k != boolean {
		return b.refuse(n.Exp1, "choose between conditions instead", "the sides of ?: must be numbers or conditions, %s is %s", short(yes.Text), k)
	}
	if !b.want(n.Exp2, no, k) {
		return nil
	}
	return b.over(n, node{op: opChoose, kind: k}, "", cond, yes, no)
}

// pattern compiles the constant right side of matches.
func (b *Builder) pattern(n ast.Node) *regexp.Regexp {
	s, ok := n.(*ast.StringNode)
	if !ok {
		b.refuse(n, "", "the pattern of matches must be constant text")
		return nil
	}
	if len(s.Value) > maxPattern {
		b.refuse(n, "", "the pattern is longer than %d bytes", maxPattern)
		return nil
	}
	re, err := regexp.Compile(s.Value)
	if err != nil {
		b.refuse(n, "patterns are those of RE2", "%v", err)
		return nil
	}
	return re
}

// written is the source of a node, cut where it grows too long to keep for every
// node of a long expression.
func written(n ast.Node) string { return cut(n.String(), 200) }

func short(s string) string { return cut(s, 60) }

func cut(s string, size int) string {
	if len(s) <= size {
		return s
	}
	return strings.ToValidUTF8(s[:size], "") + "..."
}
