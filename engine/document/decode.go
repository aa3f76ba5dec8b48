package document

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"vigil/engine/fault"
)

// maxIssues is how many issues are worth reading at once.
const maxIssues = 100

var (
	nodeType     = reflect.TypeFor[Node]()
	durationType = reflect.TypeFor[Duration]()
	momentType   = reflect.TypeFor[time.Time]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// Decode fills what into points to, strictly. Fields of structs are named by
// `yaml:"name"` tags (`yaml:"-"` and untagged ones are left alone, `,inline`
// opens an embedded struct); a field that is not given keeps the value it had.
// Understood: structs, pointers, slices, maps with text keys, bool, text, whole
// numbers, floats, Duration and other text unmarshalers, Node (taken as it
// stands) and any (map[string]any, []any, string, bool, float64, nil: what
// encoding/json would give). null empties a pointer, slice, map or any; for
// everything else it is an issue. Issues name file:line:column and suggest the
// nearest field; all are reported at once, at most 100.
func (n Node) Decode(into any) fault.Issues {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return fault.Issues{{Place: n.place(), Msg: fmt.Sprintf("cannot decode into %T: a pointer is needed", into)}}
	}
	if n.Absent() {
		return nil
	}
	d := decoder{file: n.File}
	d.value(n.YAML, v.Elem(), "", 1)
	return d.issues
}

type decoder struct {
	file   string
	issues fault.Issues
}

func (d *decoder) add(n *yaml.Node, hint, format string, args ...any) {
	if len(d.issues) < maxIssues {
		d.issues = append(d.issues, fault.Issue{Place: place(d.file, n), Msg: fmt.Sprintf(format, args...), Hint: hint})
	}
}

func (d *decoder) expected(n *yaml.Node, path, what, hint string) {
	d.add(n, hint, "%sexpected %s, found %s", prefix(path), what, found(n))
}

func prefix(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

// value decodes one node. depth stops a tree that was built by hand.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string, depth int) {
	if depth > MaxDepth+1 {
		d.add(n, "", "%snested deeper than %d levels", prefix(path), MaxDepth)
		return
	}
	if n.Kind == yaml.AliasNode {
		d.add(n, "", "%saliases are not allowed", prefix(path))
		return
	}
	if v.Type() == nodeType {
		v.Set(reflect.ValueOf(Node{d.file, n}))
		return
	}
	if isNull(n) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
			v.SetZero()
		default:
			d.add(n, "give a value or leave the field out", "%sexpected %s, found nothing", prefix(path), what(v.Type()))
		}
		return
	}
	if v.Kind() == reflect.Pointer {
		fresh := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			fresh.Elem().Set(v.Elem())
		}
		d.value(n, fresh.Elem(), path, depth)
		v.Set(fresh)
		return
	}
	if v.CanAddr() && v.Addr().Type().Implements(textType) {
		d.text(n, v, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.fields(n, v, path, depth)
	case reflect.Map:
		d.mapping(n, v, path, depth)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.expected(n, path, what(v.Type()), "write it in [brackets] or as lines that begin with -")
			return
		}
		out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
		for i, c := range n.Content {
			d.value(c, out.Index(i), path+"["+strconv.Itoa(i)+"]", depth+1)
		}
		v.Set(out)
	case reflect.Interface:
		if v.NumMethod() == 0 {
			if x := d.any(n, path, depth); x != nil {
				v.Set(reflect.ValueOf(x))
			}
			return
		}
		d.add(n, "", "%scannot be decoded into %s", prefix(path), v.Type())
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) fields(n *yaml.Node, v reflect.Value, path string, depth int) {
	if n.Kind != yaml.MappingNode {
		d.expected(n, path, "a mapping of fields", "")
		return
	}
	fields := map[string]reflect.Value{}
	var names []string
	collect(v, fields, &names)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, c := n.Content[i], n.Content[i+1]
		f, ok := fields[k.Value]
		if !ok {
			where := ""
			if path != "" {
				where = " in " + path
			}
			d.add(k, suggestion(k.Value, names), "unknown field %s%s", quoted(k.Value), where)
			continue
		}
		d.value(c, f, join(path, k.Value), depth+1)
	}
}

// collect lists the fields of a struct by name, embedded ones included.
func collect(v reflect.Value, fields map[string]reflect.Value, names *[]string) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case opts == "inline" && f.Type.Kind() == reflect.Struct:
			collect(v.Field(i), fields, names)
		case name != "" && name != "-" && f.IsExported():
			fields[name] = v.Field(i)
			*names = append(*names, name)
		}
	}
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string, depth int) {
	if n.Kind != yaml.MappingNode {
		d.expected(n, path, what(v.Type()), "")
		return
	}
	t := v.Type()
	if t.Key().Kind() != reflect.String {
		d.add(n, "", "%scannot be decoded into %s", prefix(path), t)
		return
	}
	out := reflect.MakeMapWithSize(t, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		x := reflect.New(t.Elem()).Elem()
		d.value(n.Content[i+1], x, join(path, n.Content[i].Value), depth+1)
		out.SetMapIndex(reflect.ValueOf(n.Content[i].Value).Convert(t.Key()), x)
	}
	v.Set(out)
}

func (d *decoder) text(n *yaml.Node, v reflect.Value, path string) {
	hint := ""
	if v.Type() == durationType && (n.ShortTag() == "!!int" || n.ShortTag() == "!!float") {
		hint = "a number has no unit: write " + n.Value + "s for seconds, or ms m h d w"
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" && n.ShortTag() != "!!timestamp" {
		d.expected(n, path, what(v.Type()), hint)
		return
	}
	err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value))
	switch {
	case err != nil && v.Type() == momentType: // the library says it by its own layout
		d.expected(n, path, what(momentType), "")
	case err != nil:
		d.add(n, "", "%s%v", prefix(path), err)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.expected(n, path, what(v.Type()), "")
		return
	}
	tag := n.ShortTag()
	switch v.Kind() {
	case reflect.String:
		if tag == "!!str" || tag == "!!timestamp" {
			v.SetString(n.Value)
			return
		}
		d.expected(n, path, "text", `put it in quotes: "`+n.Value+`"`)
	case reflect.Bool:
		if tag == "!!bool" {
			v.SetBool(strings.EqualFold(n.Value, "true"))
			return
		}
		d.expected(n, path, "true or false", "")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 0, 64)
		if tag != "!!int" || err != nil || v.OverflowInt(i) {
			d.expected(n, path, what(v.Type()), "")
			return
		}
		v.SetInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		i, err := strconv.ParseUint(strings.ReplaceAll(n.Value, "_", ""), 0, 64)
		if tag != "!!int" || err != nil || v.OverflowUint(i) {
			d.expected(n, path, what(v.Type()), "")
			return
		}
		v.SetUint(i)
	case reflect.Float32, reflect.Float64:
		f, ok := number(n)
		if !ok {
			d.expected(n, path, "a number", "")
			return
		}
		v.SetFloat(f)
	default:
		d.add(n, "", "%scannot be decoded into %s", prefix(path), v.Type())
	}
}

// number is the finite number a scalar holds.
func number(n *yaml.Node) (float64, bool) {
	text := strings.ReplaceAll(n.Value, "_", "")
	switch n.ShortTag() {
	case "!!int":
		if i, err := strconv.ParseInt(text, 0, 64); err == nil {
			return float64(i), true
		}
	case "!!float":
	default:
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
}

// any gives what encoding/json would give, whichever way the text came.
func (d *decoder) any(n *yaml.Node, path string, depth int) any {
	switch {
	case depth > MaxDepth+1 || n.Kind == yaml.AliasNode:
		d.add(n, "", "%snested too deep, or an alias", prefix(path))
	case n.Kind == yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = d.any(n.Content[i+1], join(path, n.Content[i].Value), depth+1)
		}
		return m
	case n.Kind == yaml.SequenceNode:
		s := make([]any, len(n.Content))
		for i, c := range n.Content {
			s[i] = d.any(c, path+"["+strconv.Itoa(i)+"]", depth+1)
		}
		return s
	case isNull(n):
	case n.ShortTag() == "!!bool":
		return strings.EqualFold(n.Value, "true")
	case n.ShortTag() == "!!int" || n.ShortTag() == "!!float":
		f, ok := number(n)
		if !ok || n.ShortTag() == "!!int" && math.Abs(f) >= 1<<53 {
			d.add(n, "put it in quotes", "%sthe number %s cannot be kept exactly", prefix(path), n.Value)
			return nil
		}
		return f
	default:
		return n.Value
	}
	return nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func quoted(s string) string {
	if len(s) > 80 {
		s = s[:80] + "..."
	}
	return strconv.Quote(s)
}
