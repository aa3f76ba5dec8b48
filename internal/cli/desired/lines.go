package desired

import (
	"fmt"
	"slices"
	"strings"
)

// Bounds of a comparison line by line: beyond them the whole is shown as replaced.
const (
	around   = 3    // lines shown around a change
	maxEdits = 2000 // lines that differ
)

// unified is the difference of two texts in lines that begin with a blank, - or +,
// in hunks headed by @@. Equal texts have none.
func unified(from, to string) []string {
	a, b := textLines(from), textLines(to)
	ops := script(a, b)
	var out []string
	for i := 0; i < len(ops); {
		if ops[i].sign == ' ' {
			i++
			continue
		}
		begin, end := max(0, i-around), i
		for quiet := 0; end < len(ops) && quiet <= 2*around; end++ {
			if quiet++; ops[end].sign != ' ' {
				quiet = 0
			}
		}
		for end > i && ops[end-1].sign == ' ' {
			end--
		}
		end = min(len(ops), end+around)
		olds, news := 0, 0
		for _, o := range ops[begin:end] {
			if o.sign != '+' {
				olds++
			}
			if o.sign != '-' {
				news++
			}
		}
		out = append(out, fmt.Sprintf("@@ -%d,%d +%d,%d @@", ops[begin].a+1, olds, ops[begin].b+1, news))
		for _, o := range ops[begin:end] {
			out = append(out, string(o.sign)+o.text)
		}
		i = end
	}
	return out
}

// textLines cuts a text; a last line without its end says so, as a difference in that
// alone would not be seen otherwise.
func textLines(s string) []string {
	if s == "" {
		return nil
	}
	lines := strings.SplitAfter(s, "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	} else {
		lines[last] += " (no line end)"
	}
	for i, l := range lines {
		l = strings.TrimSuffix(l, "\n")
		if strings.HasSuffix(l, "\r") {
			l = strings.TrimSuffix(l, "\r") + " (carriage return)"
		}
		lines[i] = l
	}
	return lines
}

// op is one line of the way from a to b, with how many lines of each came before.
type op struct {
	sign byte
	text string
	a, b int
}

// script is a shortest way from a to b (Myers, An O(ND) Difference Algorithm and
// its Variations, 1986), or all of a replaced by all of b when that is too long.
func script(a, b []string) []op {
	lead := 0
	for lead < len(a) && lead < len(b) && a[lead] == b[lead] {
		lead++
	}
	tail := 0
	for tail < len(a)-lead && tail < len(b)-lead && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	signs := middle(a[lead:len(a)-tail], b[lead:len(b)-tail])
	all := strings.Repeat(" ", lead) + signs + strings.Repeat(" ", tail)
	ops := make([]op, 0, len(all))
	x, y := 0, 0
	for i := range len(all) {
		o := op{sign: all[i], a: x, b: y}
		if o.sign == '+' {
			o.text = b[y]
		} else {
			o.text = a[x]
			x++
		}
		if o.sign != '-' {
			y++
		}
		ops = append(ops, o)
	}
	return ops
}

// middle is the signs of the way between two texts that begin and end otherwise.
func middle(a, b []string) string {
	most := min(len(a)+len(b), maxEdits)
	v := map[int]int{1: 0}
	var trace []map[int]int
	for d := 0; d <= most; d++ {
		next := make(map[int]int, d+2)
		for k, x := range v {
			next[k] = x
		}
		trace = append(trace, next)
		for k := -d; k <= d; k += 2 {
			x := v[k-1] + 1
			if k == -d || k != d && v[k-1] < v[k+1] {
				x = v[k+1]
			}
			y := x - k
			for x < len(a) && y < len(b) && a[x] == b[y] {
				x, y = x+1, y+1
			}
			v[k] = x
			if x >= len(a) && y >= len(b) {
				return back(trace, len(a), len(b))
			}
		}
	}
	return strings.Repeat("-", len(a)) + strings.Repeat("+", len(b))
}

// back walks the trace from its end.
func back(trace []map[int]int, x, y int) string {
	var signs []byte
	for d := len(trace) - 1; d >= 0 && (x > 0 || y > 0); d-- {
		v, k := trace[d], x-y
		from := k - 1
		if k == -d || k != d && v[k-1] < v[k+1] {
			from = k + 1
		}
		px := v[from]
		py := px - from
		for x > px && y > py && x > 0 && y > 0 {
			signs = append(signs, ' ')
			x, y = x-1, y-1
		}
		if d == 0 {
			break
		}
		if from == k+1 {
			signs = append(signs, '+')
		} else {
			signs = append(signs, '-')
		}
		x, y = px, py
	}
	slices.Reverse(signs)
	return string(signs)
}
