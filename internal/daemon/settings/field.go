package settings

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"vigil/engine/document"
)

// field is one settable field of a struct.
type field struct {
	name  string
	index []int
	typ   reflect.Type
}

// fieldsOf lists the fields of a struct in its order, those of embedded structs
// included as if they were its own.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		if !f.IsExported() || tag == "-" {
			continue
		}
		if f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct {
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				out = append(out, inner)
			}
			continue
		}
		if tag == "" {
			tag = snake(f.Name)
		}
		out = append(out, field{tag, []int{i}, f.Type})
	}
	return out
}

// snake turns MaxSeriesPerToken into max_series_per_token and TLSCert into
// tls_cert.
func snake(s string) string {
	var b strings.Builder
	rs := []rune(s)
	for i, r := range rs {
		if unicode.IsUpper(r) && i > 0 && (!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// Key is one scalar setting that a struct has.
type Key struct {
	Path  []string // api, listen
	Value reflect.Value
}

// String is the key in dotted form.
func (k Key) String() string { return strings.Join(k.Path, ".") }

// Env is the environment name that overrides the key.
func (k Key) Env() string {
	return "VIGIL_" + strings.ToUpper(strings.ReplaceAll(strings.Join(k.Path, "_"), "-", "_"))
}

// Text is the value as TOML.
func (k Key) Text() string { return literal(k.Value) }

// Scalars lists every scalar setting of a pointer to a struct, in the order of
// its fields. Lists and tables that a person fills are not among them.
func Scalars(of any) []Key { return keys(of, true) }

// Lists lists what Scalars leaves out: lists and tables that a person fills.
func Lists(of any) []Key { return keys(of, false) }

func keys(of any, scalars bool) []Key {
	var out []Key
	var walk func(path []string, v reflect.Value)
	walk = func(path []string, v reflect.Value) {
		for _, f := range fieldsOf(v.Type()) {
			p := append(slices.Clone(path), f.name)
			x := v.FieldByIndex(f.index)
			switch {
			case isScalar(f.typ):
				if scalars {
					out = append(out, Key{p, x})
				}
			case f.typ.Kind() == reflect.Struct:
				walk(p, x)
			case !scalars:
				out = append(out, Key{p, x})
			}
		}
	}
	walk(nil, reflect.ValueOf(of).Elem())
	return out
}

func isScalar(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}

func literal(v reflect.Value) string {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		return fmt.Sprintf("%q", document.Duration(v.Int()).String())
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		if b, err := m.MarshalText(); err == nil {
			return fmt.Sprintf("%q", b)
		}
	}
	if v.Kind() == reflect.String {
		return fmt.Sprintf("%q", v.String())
	}
	if v.CanInt() {
		return size(v.Int())
	}
	return fmt.Sprint(v.Interface())
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

func names(fs []field) []string {
	out := make([]string, len(fs))
	for i, f := range fs {
		out[i] = f.name
	}
	return out
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
