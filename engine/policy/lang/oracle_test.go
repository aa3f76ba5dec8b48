package lang

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
	"pgregory.net/rapid"
)

// phrase is a random expression: its text, and its meaning by definition, in
// which nil is unknown, written apart from the compiler.
type phrase struct {
	text string
	mean func(w world) any // float64, bool or nil
}

// world is what the names stand for; NaN is unknown.
type world struct{ value, call, age float64 }

func known2(a, b any, f func(x, y float64) any) any {
	if a == nil || b == nil {
		return nil
	}
	return f(a.(float64), b.(float64))
}

func finite(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return v
}

func numeral(v float64) string {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func drawNumber(t *rapid.T, depth int) phrase {
	switch k := rapid.IntRange(0, 9).Draw(t, "number"); {
	case k == 0:
		return phrase{"value", func(w world) any { return finite(w.value) }}
	case k == 1:
		return phrase{`avg("5m")`, func(w world) any { return finite(w.call) }}
	case k == 2:
		return phrase{"age", func(w world) any { return finite(w.age) }}
	case k <= 4 || depth > 4:
		v := float64(rapid.IntRange(0, 40).Draw(t, "constant")) / 4
		return phrase{numeral(v), func(world) any { return v }}
	case k == 5:
		a := drawNumber(t, depth+1)
		return phrase{"-(" + a.text + ")", func(w world) any {
			if x := a.mean(w); x != nil {
				return -x.(float64)
			}
			return nil
		}}
	case k == 6:
		c, a, b := drawTruth(t, depth+1), drawNumber(t, depth+1), drawNumber(t, depth+1)
		return phrase{"(" + c.text + " ? " + a.text + " : " + b.text + ")", func(w world) any {
			switch c.mean(w) {
			case true:
				return a.mean(w)
			case false:
				return b.mean(w)
			}
			return nil
		}}
	}
	a, b := drawNumber(t, depth+1), drawNumber(t, depth+1)
	o := rapid.SampledFrom([]string{"+", "-", "*", "/"}).Draw(t, "op")
	return phrase{"(" + a.text + " " + o + " " + b.text + ")", func(w world) any {
		return known2(a.mean(w), b.mean(w), func(x, y float64) any {
			switch o {
			case "+":
				return finite(x + y)
			case "-":
				return finite(x - y)
			case "*":
				return finite(x * y)
			}
			return finite(x / y)
		})
	}}
}

func drawTruth(t *rapid.T, depth int) phrase {
	switch k := rapid.IntRange(0, 9).Draw(t, "truth"); {
	case k == 0:
		label := rapid.SampledFrom([]string{"service", "zone", "gone"}).Draw(t, "label")
		is := rapid.SampledFrom([]string{"web", "eu-1", ""}).Draw(t, "is")
		return phrase{"labels." + label + " == " + strconv.Quote(is), func(world) any { return shop.Get(label) == is }}
	case k == 1:
		a := drawNumber(t, depth+1)
		return phrase{"(" + a.text + " in [0.5, 1.5, 2.0])", func(w world) any {
			x := a.mean(w)
			if x == nil {
				return nil
			}
			return x == 0.5 || x == 1.5 || x == 2.0
		}}
	case k <= 4 || depth > 4:
		a, b := drawNumber(t, depth+1), drawNumber(t, depth+1)
		o := rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(t, "op")
		return phrase{"(" + a.text + " " + o + " " + b.text + ")", func(w world) any {
			return known2(a.mean(w), b.mean(w), func(x, y float64) any {
				switch o {
				case "<":
					return x < y
				case "<=":
					return x <= y
				case ">":
					return x > y
				case ">=":
					return x >= y
				case "==":
					return x == y
				}
				return x != y
			})
		}}
	case k == 5:
		a := drawTruth(t, depth+1)
		return phrase{"not (" + a.text + ")", func(w world) any {
			if x := a.mean(w); x != nil {
				return !x.(bool)
			}
			return nil
		}}
	}
	a, b := drawTruth(t, depth+1), drawTruth(t, depth+1)
	o := rapid.SampledFrom([]string{"and", "or", "&&", "||"}).Draw(t, "op")
	return phrase{"(" + a.text + " " + o + " " + b.text + ")", func(w world) any {
		// Kleene's tables: what decides, decides whatever the other side is.
		x, y := a.mean(w), b.mean(w)
		decides := o == "or" || o == "||"
		switch {
		case x == decides || y == decides:
			return decides
		case x == nil || y == nil:
			return nil
		}
		return !decides
	}}
}

func drawWorld(t *rapid.T) world {
	v := rapid.SampledFrom([]float64{0, 0.5, 1, 1.5, 2, 7.25, -3, math.NaN(), math.Inf(1)})
	return world{v.Draw(t, "value"), v.Draw(t, "avg"), v.Draw(t, "age")}
}

func (w world) inputs(c *Code) *Inputs {
	in := &Inputs{Value: w.value, Age: w.age}
	for range c.Calls {
		in.Calls = append(in.Calls, w.call)
	}
	return in
}

// drawAccepted draws until a phrase compiles: one that is too long, or constant
// and not finite, is drawn again.
func drawAccepted(t *rapid.T) (p phrase, c *Code, tree *Tree) {
	p = rapid.Custom(func(t *rapid.T) phrase { return drawTruth(t, 0) }).Filter(accepted).Draw(t, "phrase")
	var b Builder
	tree, _ = b.Condition("fire", p.text)
	return p, b.Code(), tree
}

func accepted(p phrase) bool {
	var b Builder
	_, issues := b.Condition("fire", p.text)
	for _, i := range issues {
		if !strings.Contains(i.Msg, "finite") && !strings.Contains(i.Msg, "bytes") && !strings.Contains(i.Msg, "parts") {
			panic(p.text + ": " + i.String())
		}
	}
	return len(issues) == 0
}

// The compiled code means what the definition of three truth values says.
func TestThreeTruthsByDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, c, tree := drawAccepted(t)
		m := c.Machine(shop, "web")
		for range 4 {
			w := drawWorld(t)
			m.Run(w.inputs(c))
			var got any
			switch v := m.Value(tree); v {
			case 1:
				got = true
			case 0:
				got = false
			}
			if want := p.mean(w); got != want {
				t.Fatalf("%s with %+v is %v, want %v", p.text, w, got, want)
			}
		}
	})
}

// Where nothing is unknown on the way, the library's own machine agrees.
func TestTheLibraryAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, c, tree := drawAccepted(t)
		w := world{1.5, 0.25, 3}
		w.value = float64(rapid.IntRange(-8, 8).Draw(t, "value")) / 4
		m := c.Machine(shop, "web")
		m.Run(w.inputs(c))
		if slices.ContainsFunc(m.values, math.IsNaN) {
			return // the library knows nothing of unknown
		}
		env := map[string]any{"value": w.value, "age": w.age, "labels": shop.Map(), "avg": func(string) float64 { return w.call }}
		program, err := expr.Compile(p.text, expr.Env(env), expr.DisableBuiltin("avg"))
		if err != nil {
			t.Fatalf("%s: %v", p.text, err)
		}
		want, err := expr.Run(program, env)
		if err != nil {
			t.Fatalf("%s: %v", p.text, err)
		}
		if got := m.Value(tree) == 1; got != want {
			t.Fatalf("%s with %+v is %v, the library says %v", p.text, w, got, want)
		}
	})
}

// Whatever the text, compiling ends without a panic, and what compiles runs.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{`avg("5m") > 0.9 and labels.service == "web"`, `value in [1, 2] ? true : not firing`, `quantile(0.9, "1h", "up{a='b'}") > 1`,
		`labels["x"] matches "^a+$"`, `a?.b[1:2].c(#)`, `let x = {a: [1]}; x ?? nil`, "((((", "1 < 2 < 3", `predict("1m","1h") > -1e3 // x`, `all(1..2, {# > 1}) | map(#)`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		var b Builder
		tree, issues := b.Condition("fire", src)
		if (tree == nil) != (len(issues) > 0) {
			t.Fatalf("%q: tree %v, issues %v", src, tree, issues)
		}
		for _, i := range issues {
			if !strings.HasPrefix(i.Place, "fire:") || i.Msg == "" {
				t.Fatalf("%q: an issue without place or words: %+v", src, i)
			}
		}
		if tree == nil {
			return
		}
		m := b.Code().Machine(shop, "web")
		for _, v := range []float64{math.NaN(), 0, 1, -1e308, math.Inf(1)} {
			in := world{v, v, v}.inputs(b.Code())
			m.Run(in)
			if x := m.Value(tree); x != 0 && x != 1 && !math.IsNaN(x) {
				t.Fatalf("%q is %v, which is no truth", src, x)
			}
		}
	})
}

const asked = `avg("5m") > 0.9 and labels.service == "web"`

// One evaluation of compiled code, and beside it the library's machine on the
// same expression.
func BenchmarkEvaluate(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		code, tree := compile(b, asked)
		m := code.Machine(shop, "web")
		in := &Inputs{Calls: []float64{0.95}}
		b.ReportAllocs()
		for b.Loop() {
			m.Run(in)
			if m.Value(tree) != 1 {
				b.Fatal("false")
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		env := map[string]any{"labels": shop.Map(), "avg": func(string) float64 { return 0.95 }}
		program, err := expr.Compile(asked, expr.Env(env))
		if err != nil {
			b.Fatal(err)
		}
		var machine vm.VM
		b.ReportAllocs()
		for b.Loop() {
			if out, err := machine.Run(program, env); err != nil || out != true {
				b.Fatal(out, err)
			}
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		compile(b, asked)
	}
}

func ExampleBuilder_Condition() {
	var b Builder
	_, issues := b.Condition("fire", `avg("5m") > 0.9 and lables.service == "web"`)
	fmt.Println(issues)
	// Output: fire:21: unknown name "lables" (did you mean labels?)
}
