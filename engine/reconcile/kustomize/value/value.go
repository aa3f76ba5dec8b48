// Package value brings values to the library that patches, and back: specs and
// patches of strictly read documents as JSON, with every file of the tree that they
// name made whole, and with tokens in place of text and numbers.
//
// It refuses knowledge of what a value means. Invariant: what was hidden is shown
// as it was, type and all. Pure; a [Tokens] serves one goroutine.
package value

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"vigil/engine/document"
	"vigil/engine/fault"
)

// sourced are the kinds whose spec.source is a file of the tree, beside the file
// that says so. A patch may stand elsewhere than the document, so that the path is
// made whole before the two are one.
func sourced(kind string) bool { return kind == "File" || kind == "Service" }

// Spec is a spec as JSON, and what that costs the library.
func Spec(spec document.Node, dir, kind string) (json []byte, size int64, is fault.Issues) {
	var v any
	if is := spec.Decode(&v); len(is) > 0 {
		return nil, 0, is
	}
	if sourced(kind) {
		whole(v, dir)
	}
	json = Encode(v)
	return json, int64(len(json)) + wide(v), nil
}

// Size is what values cost the library, in bytes.
func Size(v any) int64 { return int64(len(Encode(v))) + wide(v) }

// wide is what values cost beside their bytes. The library searches the keys of a
// mapping one by one, for each of them again; operations are as many keys.
func wide(v any) (cost int64) {
	n := 0
	switch x := v.(type) {
	case map[string]any:
		n = len(x)
		for _, e := range x {
			cost += wide(e)
		}
	case []any:
		for _, e := range x {
			cost += wide(e)
		}
	case []map[string]any:
		n = len(x)
		for _, e := range x {
			cost += wide(e)
		}
	}
	return cost + int64(n)*int64(n)/8
}

// Patch is a patch to merge. With a target it needs no kind and
// no name of its own, but the library wants to see some.
func Patch(root document.Node, dir string, aimed bool, kind string) (map[string]any, fault.Issues) {
	var v map[string]any
	if is := root.Decode(&v); len(is) > 0 {
		return nil, is
	}
	if aimed {
		meta, _ := v["metadata"].(map[string]any)
		if meta == nil {
			meta = map[string]any{}
		}
		meta["name"] = "patch"
		v["apiVersion"], v["metadata"] = document.Version, meta
		if kind == "" {
			v["kind"] = "File"
		}
	}
	if aimed || sourced(kind) {
		whole(v["spec"], dir)
	}
	return v, nil
}

// Ops is a list of operations.
func Ops(root document.Node, dir string) ([]map[string]any, fault.Issues) {
	var v []map[string]any
	if is := root.Decode(&v); len(is) > 0 {
		return nil, is
	}
	for _, o := range v {
		if s, ok := o["value"].(string); ok && o["path"] == "/spec/source" {
			o["value"] = absolute(s, dir)
		}
	}
	return v, nil
}

func whole(spec any, dir string) {
	if m, ok := spec.(map[string]any); ok {
		if s, ok := m["source"].(string); ok {
			m["source"] = absolute(s, dir)
		}
	}
}

// absolute is a path from the root of the tree on. One that leaves the tree is
// kept as it is, for the kind to refuse.
func absolute(s, dir string) string {
	if s == "" || strings.HasPrefix(s, "/") || strings.HasPrefix(path.Join(dir, s)+"/", "../") {
		return s
	}
	return path.Join("/", dir, s)
}

// Encode writes JSON that is YAML too: of what JSON lets stand in text, YAML
// readers do not take some control characters.
func Encode(v any) []byte {
	plain, err := json.Marshal(v)
	if err != nil { // decoded values are text, numbers, lists and maps
		return []byte("null")
	}
	odd := func(r rune) bool {
		return r >= 0x7f && r <= 0x9f || r == 0xfeff || r == 0xfffe || r == 0xffff
	}
	text := string(plain)
	if !strings.ContainsFunc(text, odd) {
		return plain
	}
	var b strings.Builder
	for _, r := range text {
		if odd(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return []byte(b.String())
}
