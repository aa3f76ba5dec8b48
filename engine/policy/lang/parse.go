package lang

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"vigil/engine/fault"
)

// parse checks the source's bounds, then has it parsed. A panic of the parser,
// should there be one, is an issue like any other.
func parse(field, src string) (root ast.Node, issues fault.Issues) {
	refuse := func(column int, msg, hint string) (ast.Node, fault.Issues) {
		return nil, fault.Issues{{Place: position(field, src, column), Msg: msg, Hint: hint}}
	}
	switch {
	case strings.TrimSpace(src) == "":
		return refuse(0, "the expression is empty", "")
	case len(src) > MaxSource:
		return refuse(0, fmt.Sprintf("the expression has %d bytes, at most %d are allowed", len(src), MaxSource), "")
	case !utf8.ValidString(src):
		return refuse(0, "the expression is not UTF-8", "")
	}
	if at, deep := tooDeep(src); deep {
		return refuse(at, fmt.Sprintf("brackets are nested deeper than %d", maxBrackets), "")
	}
	defer func() {
		if p := recover(); p != nil {
			root, issues = refuse(0, "the expression cannot be parsed", "")
		}
	}()
	cfg := conf.CreateNew()
	cfg.MaxNodes = maxNodes
	for _, b := range builtin.Builtins {
		cfg.Disabled[b.Name] = true
		cfg.Functions[b.Name] = &builtin.Function{Name: b.Name}
	}
	tree, err := parser.ParseWithConfig(src, cfg)
	if err != nil {
		var fe *file.Error
		if !errors.As(err, &fe) {
			return refuse(0, err.Error(), "")
		}
		msg, hint := plain(fe.Message)
		return refuse(fe.Location.From, msg, hint)
	}
	if tree.Node == nil {
		return refuse(0, "the expression cannot be parsed", "")
	}
	return tree.Node, nil
}

// plain turns the parser's words into ours.
func plain(msg string) (string, string) {
	switch {
	case strings.Contains(msg, "maximum allowed nodes"):
		return fmt.Sprintf("the expression has more than %d parts", maxNodes), "split it over several policies"
	case strings.HasPrefix(msg, "unexpected token EOF"):
		return "the expression ends too early", ""
	case strings.HasPrefix(msg, "bad number syntax"):
		return msg, `a window is written in quotes, as in avg("5m")`
	case strings.HasPrefix(msg, "unexpected token Operator(\"=\")"):
		return msg, "equality is written =="
	}
	return msg, ""
}

// tooDeep reports the first bracket nested deeper than allowed. Brackets in
// quotes do not count.
func tooDeep(src string) (at int, deep bool) {
	var quote rune
	escaped := false
	depth, column := 0, 0
	for _, r := range src {
		switch {
		case quote != 0:
			if escaped {
				escaped = false
			} else if r == '\\' && quote != '`' {
				escaped = true
			} else if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'' || r == '`':
			quote = r
		case r == '(' || r == '[' || r == '{':
			if depth++; depth > maxBrackets {
				return column, true
			}
		case r == ')' || r == ']' || r == '}':
			depth = max(0, depth-1)
		}
		column++
	}
	return 0, false
}

// position is field:column, or field:line:column where there is more than one
// line; offset counts characters.
func position(field, src string, offset int) string {
	line, column, i := 1, 1, 0
	for _, r := range src {
		if i >= offset {
			break
		}
		i++
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	if strings.Contains(src, "\n") {
		return field + ":" + strconv.Itoa(line) + ":" + strconv.Itoa(column)
	}
	return field + ":" + strconv.Itoa(column)
}
