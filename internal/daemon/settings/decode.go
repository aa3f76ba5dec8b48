// Package settings reads a TOML file and the environment into the Config
// structs of the rooms, strictly.
//
// Field names are those of the `toml` tag, else the snake_case of the Go name.
// An unknown key, a wrong type, an unreadable duration is an issue with
// file:line and a suggestion, and all issues are reported at once. Fields that
// the text does not name keep what they held, so a struct filled with defaults
// stays complete. Environment names reach scalars only.
//
// It refuses to know what a setting means: each room validates its own Config.
// Pure but for the struct it fills; starts nothing.
package settings

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"vigil/engine/fault"
)

// MaxSize is the largest file that is read, in bytes.
const MaxSize = 1 << 20

// maxDepth bounds the nesting of what is decoded.
const maxDepth = 16

// Decode fills into (a pointer to a struct) from TOML text. file is named in
// the issues' places.
func Decode(file string, text []byte, into any) fault.Issues {
	var issues fault.Issues
	if len(text) > MaxSize {
		issues.Add(file, "the file has %d bytes, at most %d are read", len(text), MaxSize)
		return issues
	}
	if line := tooDeep(string(text), maxDepth); line > 0 {
		issues.Add(fmt.Sprintf("%s:%d", file, line), "nested deeper than %d", maxDepth)
		return issues
	}
	var tree map[string]any
	if _, err := toml.Decode(string(text), &tree); err != nil {
		var pe toml.ParseError
		if errors.As(err, &pe) {
			issues.Add(fmt.Sprintf("%s:%d:%d", file, pe.Position.Line, pe.Position.Col), "%s", pe.Message)
		} else {
			issues.Add(file, "%v", err)
		}
		return issues
	}
	d := decoder{file: file, lines: index(string(text)), issues: &issues}
	d.structure("", tree, reflect.ValueOf(into).Elem(), 0)
	return issues
}

// Readable says whether a text is TOML at all, whatever it sets.
func Readable(text []byte) bool {
	if len(text) > MaxSize || tooDeep(string(text), maxDepth) > 0 {
		return false
	}
	var tree map[string]any
	_, err := toml.Decode(string(text), &tree)
	return err == nil
}

type decoder struct {
	file   string
	lines  map[string]int
	issues *fault.Issues
}

func (d *decoder) issue(path, hint, format string, args ...any) {
	*d.issues = append(*d.issues, fault.Issue{
		Place: place(d.file, d.lines, path), Msg: path + ": " + fmt.Sprintf(format, args...), Hint: hint,
	})
}

func (d *decoder) structure(path string, data any, v reflect.Value, depth int) {
	m, ok := data.(map[string]any)
	if !ok {
		d.issue(path, "", "expected a table, found %s", kindOf(data))
		return
	}
	fields := fieldsOf(v.Type())
	for _, name := range sortedKeys(m) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i < 0 {
			d.issue(join(path, name), suggestion(name, names(fields)), "unknown key")
			continue
		}
		d.value(join(path, name), m[name], v.FieldByIndex(fields[i].index), depth+1)
	}
}

func (d *decoder) value(path string, data any, v reflect.Value, depth int) {
	if depth > maxDepth {
		d.issue(path, "", "nested deeper than %d", maxDepth)
		return
	}
	if v.Kind() == reflect.Pointer {
		p := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			p.Elem().Set(v.Elem())
		}
		d.value(path, data, p.Elem(), depth)
		v.Set(p)
		return
	}
	if s, ok := data.(string); ok {
		if done, err := setText(v, s); done {
			if err != nil {
				d.issue(path, "", "%v", err)
			}
			return
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(path, data, v, depth)
	case reflect.Map:
		d.mapping(path, data, v, depth)
	case reflect.Slice:
		d.list(path, data, v, depth)
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf(data))
			return
		}
		d.issue(path, "", "cannot be set from a file")
	default:
		if err := setScalar(v, data); err != nil {
			d.issue(path, "", "%v", err)
		}
	}
}

func (d *decoder) mapping(path string, data any, v reflect.Value, depth int) {
	m, ok := data.(map[string]any)
	if !ok {
		d.issue(path, "", "expected a table, found %s", kindOf(data))
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for _, name := range sortedKeys(m) {
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(join(path, name), m[name], item, depth+1)
		v.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), item)
	}
}

func (d *decoder) list(path string, data any, v reflect.Value, depth int) {
	var items []any
	switch x := data.(type) {
	case []any:
		items = x
	case []map[string]any:
		for _, m := range x {
			items = append(items, m)
		}
	default:
		d.issue(path, "", "expected a list, found %s", kindOf(data))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		d.value(fmt.Sprintf("%s[%d]", path, i), item, out.Index(i), depth+1)
	}
	v.Set(out)
}

// setText sets durations and types that read themselves; done is false for all
// others.
func setText(v reflect.Value, s string) (done bool, err error) {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d, err := duration(s)
		if err != nil {
			return true, err
		}
		v.SetInt(int64(d))
		return true, nil
	}
	if t, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return true, t.UnmarshalText([]byte(s))
	}
	return false, nil
}

func setScalar(v reflect.Value, data any) error {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		return fmt.Errorf("expected a duration with its unit, such as \"30s\", found %s", kindOf(data))
	}
	switch v.Kind() {
	case reflect.String:
		s, ok := data.(string)
		if !ok {
			return fmt.Errorf("expected a string, found %s", kindOf(data))
		}
		v.SetString(s)
	case reflect.Bool:
		b, ok := data.(bool)
		if !ok {
			return fmt.Errorf("expected true or false, found %s", kindOf(data))
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := whole(data)
		if err != nil {
			return err
		}
		if v.OverflowInt(n) {
			return fmt.Errorf("%d is out of range", n)
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := whole(data)
		if err != nil {
			return err
		}
		if n < 0 || v.OverflowUint(uint64(n)) {
			return fmt.Errorf("%d is out of range", n)
		}
		v.SetUint(uint64(n))
	case reflect.Float32, reflect.Float64:
		switch x := data.(type) {
		case float64:
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("expected a finite number")
			}
			v.SetFloat(x)
		case int64:
			v.SetFloat(float64(x))
		default:
			return fmt.Errorf("expected a number, found %s", kindOf(data))
		}
	default:
		return fmt.Errorf("cannot be set from a file")
	}
	return nil
}

// whole is an integer, or bytes written with their unit ("512MiB").
func whole(data any) (int64, error) {
	switch x := data.(type) {
	case int64:
		return x, nil
	case string:
		return ParseSize(x)
	}
	return 0, fmt.Errorf("expected a whole number, found %s", kindOf(data))
}

func kindOf(data any) string {
	switch x := data.(type) {
	case nil:
		return "nothing"
	case string:
		return "the string " + shorten(x)
	case bool:
		return fmt.Sprint(x)
	case int64, float64:
		return fmt.Sprintf("the number %v", x)
	case []any, []map[string]any:
		return "a list"
	case map[string]any:
		return "a table"
	case time.Time:
		return "a date"
	}
	return fmt.Sprintf("%T", data)
}

func shorten(s string) string {
	if len(s) > 40 {
		s = strings.ToValidUTF8(s[:40], "") + "..."
	}
	return fmt.Sprintf("%q", s)
}
