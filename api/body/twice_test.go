package body_test

import (
	"strings"
	"testing"

	"vigil/api/body"
)

func TestTwice(t *testing.T) {
	for text, key := range map[string]string{
		`{}`: "", `[]`: "", ``: "", `{`: "", `x`: "", `{"a":1,"b":{"a":1,"a":2}}`: "", `{"a":1`: "", `{"a":"a","b":"a"}`: "",
		`{"a":1,"a":2}`: "a", `{"a":1,"b":2,"A":[1]}`: "A", `{"a":{},"\u0061":2}`: "a", `{"a":1,"a"`: "a", ` {"" : 1, "":2}`: "",
	} {
		got, at := body.Twice([]byte(text))
		if got != key || (at > 0) != (key != "" || text == ` {"" : 1, "":2}`) {
			t.Errorf("%s: %q at %d", text, got, at)
		}
	}
}

// TestTooDeep: brackets in strings do not count, and the 33rd is found.
func TestTooDeep(t *testing.T) {
	for text, at := range map[string]int{
		strings.Repeat("[", 32) + strings.Repeat("]", 32):                          -1,
		strings.Repeat("[", 33):                                                    32,
		strings.Repeat(`{"a":`, 32) + `[`:                                          160,
		`{"a":"` + strings.Repeat("[", 99) + `\"` + strings.Repeat("{", 99) + `"}`: -1,
		strings.Repeat("[],", 99):                                                  -1,
	} {
		got, ok := body.TooDeep([]byte(text))
		if ok != (at < 0) || !ok && got != at {
			t.Errorf("%.40s: %d, %v; want %d", text, got, ok, at)
		}
	}
}
