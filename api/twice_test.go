package api

import "testing"

func TestTwice(t *testing.T) {
	for body, key := range map[string]string{
		`{}`: "", `[]`: "", ``: "", `{`: "", `x`: "", `{"a":1,"b":{"a":1,"a":2}}`: "", `{"a":1`: "", `{"a":"a","b":"a"}`: "",
		`{"a":1,"a":2}`: "a", `{"a":1,"b":2,"A":[1]}`: "A", `{"a":{},"\u0061":2}`: "a", `{"a":1,"a"`: "a", ` {"" : 1, "":2}`: "",
	} {
		got, at := twice([]byte(body))
		if got != key || (at > 0) != (key != "" || body == ` {"" : 1, "":2}`) {
			t.Errorf("%s: %q at %d", body, got, at)
		}
	}
}
