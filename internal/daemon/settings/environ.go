package settings

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"vigil/engine/fault"
)

// Environ overrides scalars of into (a pointer to a struct) from the names
// VIGIL_SECTION_KEY in environ ("NAME=value"). A VIGIL_ name that is no setting
// is an issue, unless ignore lists it; an empty value is as if not given. The
// names that were used come back.
func Environ(environ []string, into any, ignore []string) (used []string, issues fault.Issues) {
	keys := Scalars(into)
	known := make([]string, len(keys))
	for i, k := range keys {
		known[i] = k.Env()
	}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "VIGIL_") || value == "" || slices.Contains(ignore, name) {
			continue
		}
		i := slices.Index(known, name)
		if i < 0 {
			issues = append(issues, fault.Issue{
				Place: name, Msg: "this environment name is no setting that can be overridden", Hint: suggestion(name, known),
			})
			continue
		}
		if err := Set(keys[i], value); err != nil {
			issues.Add(name, "%v", err)
			continue
		}
		used = append(used, name)
	}
	return used, issues
}

// Set gives a scalar a value written as text.
func Set(k Key, text string) error {
	if done, err := setText(k.Value, text); done {
		return err
	}
	var data any = text
	switch k.Value.Kind() {
	case reflect.Bool:
		if b, err := strconv.ParseBool(strings.ToLower(text)); err == nil {
			data = b
		}
	case reflect.Float32, reflect.Float64:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			data = f
		}
	}
	return setScalar(k.Value, data)
}

// Find returns the scalar with a dotted path.
func Find(of any, path string) (Key, bool) {
	for _, k := range Scalars(of) {
		if k.String() == path {
			return k, true
		}
	}
	return Key{}, false
}

// FindList returns the list or table with a dotted path.
func FindList(of any, path string) (Key, bool) {
	for _, k := range Lists(of) {
		if k.String() == path {
			return k, true
		}
	}
	return Key{}, false
}
