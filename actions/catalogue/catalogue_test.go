package catalogue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"vigil/actions/catalogue"
	"vigil/actions/launch"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type with = map[string]any

func build(t testing.TB, entries map[string]catalogue.Entry) *catalogue.Catalogue {
	t.Helper()
	if is := catalogue.Validate(entries, nil); is != nil {
		t.Fatal(is)
	}
	l, err := launch.New(launch.Config{}, launch.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	c, err := catalogue.New(entries, catalogue.Deps{Launcher: l, Crowd: &catalogue.Crowd{}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func request(name string, w with) remedy.Request {
	return remedy.Request{Attempt: "1-7-1", Action: name, With: w, Target: "web", Policy: "hot", Reason: "why\x1b[0m",
		Labels: map[string]string{"host": "web1", "a-b": "x\x00y", "LD_PRELOAD": "evil.so"}, Timeout: 10 * time.Second}
}

// TestExec_TellsTheContext: JSON on stdin and VIGIL_* variables, nothing pasted,
// no label able to set a variable of its own.
func TestExec_TellsTheContext(t *testing.T) {
	c := build(t, map[string]catalogue.Entry{
		"env": {Kind: "exec", Argv: []string{"/usr/bin/env"}, Params: map[string]string{"site": ".*"}, Env: map[string]string{"MODE": "fast"}},
		"in":  {Kind: "exec", Argv: []string{"/bin/cat"}, Params: map[string]string{"site": ".*"}},
	})
	res, err := c.Actions()["env"].Run(t.Context(), request("env", with{"site": "$(id) `id` ;|"}))
	if err != nil || !res.OK {
		t.Fatalf("%+v, %v", res, err)
	}
	got := strings.Split(strings.TrimSpace(res.Output), "\n")
	got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "VIGIL_LAUNCH=") })
	want := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "MODE=fast", "VIGIL_PARAM_site=$(id) `id` ;|",
		"VIGIL_ATTEMPT=1-7-1", "VIGIL_ACTION=env", "VIGIL_POLICY=hot", "VIGIL_TARGET=web", `VIGIL_REASON=why\x1b[0m`,
		"VIGIL_LABEL_LD_PRELOAD=evil.so", `VIGIL_LABEL_a_b=x\x00y`, "VIGIL_LABEL_host=web1"}
	if !slices.Equal(got, want) {
		t.Errorf("environment:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	asked := request("in", with{"site": "a"})
	asked.Severity, asked.Rung, asked.Values = "critical", 1, map[string]string{"value": "0.95", `avg("5m")`: "unknown"}
	res, err = c.Actions()["in"].Run(t.Context(), asked)
	var story map[string]any
	if err != nil || json.Unmarshal([]byte(res.Output), &story) != nil {
		t.Fatalf("%+v, %v", res, err)
	}
	if story["attempt"] != "1-7-1" || story["params"].(map[string]any)["site"] != "a" || story["labels"].(map[string]any)["host"] != "web1" {
		t.Errorf("story %v", story)
	}
	if vs, _ := story["values"].(map[string]any); story["severity"] != "critical" || story["rung"] != 1.0 || vs["value"] != "0.95" || vs[`avg("5m")`] != "unknown" {
		t.Errorf("story %v", story)
	}
}

// TestExec_AValueIsOneElement: whatever text a parameter holds arrives as exactly
// one argument, or is refused; and it begins with '-' only where the pattern does.
func TestExec_AValueIsOneElement(t *testing.T) {
	c := build(t, map[string]catalogue.Entry{
		"any":  {Kind: "exec", Argv: []string{"/usr/bin/printf", "<%s>", "{v}", "end"}, Params: map[string]string{"v": `(?s).*`}},
		"dash": {Kind: "exec", Argv: []string{"/bin/echo", "{v}"}, Params: map[string]string{"v": `-[a-z]`}},
	})
	a := c.Actions()["any"]
	rapid.Check(t, func(rt *rapid.T) {
		v := rapid.OneOf(rapid.String(), rapid.StringMatching(`[-$;|&<>"' {}a\\*\n\t]{0,8}`)).Draw(rt, "v")
		r := request("any", with{"v": v})
		if _, err := a.Resolve(r); err != nil {
			clean := !strings.HasPrefix(v, "-") && !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 })
			if clean && len(v) <= 4096 && fault.KindOf(err) == fault.Unprocessable && !strings.Contains(err.Error(), "UTF-8") {
				rt.Fatalf("%q is refused: %v", v, err)
			}
			return
		}
		res, err := a.Run(t.Context(), r)
		if want := launch.Clean([]byte("<" + v + "><end>")); err != nil || res.Output != want {
			rt.Fatalf("%q arrived as %q, %v", v, res.Output, err)
		}
	})
	if _, err := c.Actions()["dash"].Resolve(request("dash", with{"v": "-n"})); err != nil {
		t.Errorf("the pattern says that it may: %v", err)
	}
}

func TestExec_FailureIsAResult(t *testing.T) {
	c := build(t, map[string]catalogue.Entry{"f": {Kind: "exec", Argv: []string{"/bin/sh", "-c", "echo no; exit 3"}}})
	res, err := c.Actions()["f"].Run(t.Context(), request("f", nil))
	if err != nil || res.OK || res.Exit == nil || *res.Exit != 3 || res.Output != "no\n" || !strings.Contains(res.Error, "exited with 3") {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestExec_Probe(t *testing.T) {
	c := build(t, map[string]catalogue.Entry{"p": {Kind: "exec", Argv: []string{"/bin/true"}, Class: remedy.Probed,
		Probe: []string{"/bin/sh", "-c", `exit "$VIGIL_PARAM_n"`}, Params: map[string]string{"n": "[0-9]"}}})
	p := c.Actions()["p"].(remedy.Prober)
	for n, want := range map[float64]string{0: "true <nil>", 1: "false <nil>", 2: "no answer"} {
		done, err := p.Done(t.Context(), request("p", with{"n": n}))
		if got := fmt.Sprint(done, err); !strings.Contains(got, want) {
			t.Errorf("exit %v: %s", n, got)
		}
	}
}

// TestExec_Mutex: entries of one mutex never overlap, and one that never gets its
// turn is told so as something that was not started.
func TestExec_Mutex(t *testing.T) {
	dir := t.TempDir()
	lock, held := filepath.Join(dir, "lock"), filepath.Join(dir, "held")
	script := "mkdir " + lock + " || exit 9; read x < /proc/uptime; rmdir " + lock
	c := build(t, map[string]catalogue.Entry{
		"a":    {Kind: "exec", Argv: []string{"/bin/sh", "-c", script}, Mutex: "m"},
		"b":    {Kind: "exec", Argv: []string{"/bin/sh", "-c", script}, Mutex: "m", Concurrency: 2},
		"hold": {Kind: "exec", Argv: []string{"/bin/sh", "-c", "touch " + held + "; exec sleep 1000"}, Concurrency: 1, KillAfter: time.Millisecond},
	})
	results := make(chan string, 40)
	for i := range 40 {
		go func() {
			name := []string{"a", "b"}[i%2]
			res, err := c.Actions()[name].Run(t.Context(), request(name, nil))
			results <- fmt.Sprint(res.OK, res.Error, err)
		}()
	}
	for range 40 {
		if got := <-results; got != "true<nil>" {
			t.Errorf("overlapped or failed: %s", got)
		}
	}
	r := request("hold", nil)
	r.Timeout = time.Hour
	ends := make(chan error, 2)
	ctx, stop := context.WithCancel(t.Context()) // one end for both: the room is free only after it
	defer stop()
	for range 2 {
		go func() {
			_, err := c.Actions()["hold"].Run(ctx, r)
			ends <- err
		}()
	}
	for end := time.Now().Add(time.Minute); ; <-time.After(5 * time.Millisecond) {
		if _, err := os.Stat(held); err == nil || time.Now().After(end) {
			break
		}
	}
	stop()
	if a, b := fault.KindOf(<-ends), fault.KindOf(<-ends); min(a, b) != fault.OK || max(a, b) != fault.Exhausted {
		t.Errorf("%v and %v, want one that ran and one that found no room", a, b)
	}
}

// TestHTTP_Request: values are escaped as one segment, one query value, one JSON
// value; secrets come by reference; the attempt is the Idempotency-Key.
func TestHTTP_Request(t *testing.T) {
	var got atomic.Value
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got.Store(fmt.Sprintf("%s %s auth=%q key=%q %s", r.Method, r.RequestURI, r.Header.Get("Authorization"), r.Header.Get("Idempotency-Key"), b))
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, "done\x1b[1m")
	}))
	defer srv.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	entry := catalogue.Entry{Kind: "http", Method: "PUT", URL: srv.URL + "/sites/{site}/purge", Params: map[string]string{"site": ".*"},
		Query: map[string]string{"s": "{site}", "x": "1"}, JSON: map[string]any{"site": "{site}", "deep": []any{"{site}", 1.0}},
		Headers: map[string]string{"Authorization": "Bearer file:" + token}, Allow: []string{"127.0.0.1"}}
	other := entry
	other.Expect = []int{204}
	lost := entry
	lost.Headers = map[string]string{"Authorization": "env:NO_SUCH_SECRET_HERE"}
	c := build(t, map[string]catalogue.Entry{"h": entry, "other": other, "lost": lost})
	res, err := c.Actions()["h"].Run(t.Context(), request("h", with{"site": `a/b?c#d "e"`}))
	if err != nil || !res.OK || res.Output != `done\x1b[1m` || res.Data["status"] != 202 {
		t.Errorf("%+v, %v", res, err)
	}
	want := `PUT /sites/a%2Fb%3Fc%23d%20%22e%22/purge?s=a%2Fb%3Fc%23d+%22e%22&x=1 auth="Bearer s3cret" key="1-7-1" {"deep":["a/b?c#d \"e\"",1],"site":"a/b?c#d \"e\""}`
	if got.Load() != want {
		t.Errorf("sent\n%s\nwant\n%s", got.Load(), want)
	}
	if _, err := c.Actions()["h"].Resolve(request("h", with{"site": ".."})); fault.KindOf(err) != fault.Unprocessable {
		t.Errorf("a segment that climbs: %v", err)
	}
	if res, err := c.Actions()["other"].Run(t.Context(), request("other", with{"site": "a"})); err != nil || res.OK || !strings.Contains(res.Error, "202") {
		t.Errorf("another status: %+v, %v", res, err)
	}
	if _, err := c.Actions()["lost"].Run(t.Context(), request("lost", with{"site": "a"})); fault.KindOf(err) != fault.Unavailable || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a secret that is not there: %v", err)
	}
}

// TestHTTP_IdempotentProbeIsTheSameKey: what arrived before the crash is not done
// a second time, what did not arrive is done once.
func TestHTTP_IdempotentProbeIsTheSameKey(t *testing.T) {
	keys := map[string]int{}
	effects := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k := r.Header.Get("Idempotency-Key")
		if keys[k]++; keys[k] == 1 {
			effects++
		}
	}))
	defer srv.Close()
	c := build(t, map[string]catalogue.Entry{"h": {Kind: "http", URL: srv.URL, Idempotent: true, Allow: []string{"127.0.0.1"}}})
	a := c.Actions()["h"]
	for _, before := range []bool{true, false} {
		r := request("h", nil)
		r.Attempt = fmt.Sprint("1-8-", before)
		n := effects
		if before {
			if res, err := a.Run(t.Context(), r); err != nil || !res.OK {
				t.Fatalf("%+v, %v", res, err)
			}
		}
		if done, err := a.(remedy.Prober).Done(t.Context(), r); !done || err != nil || effects != n+1 {
			t.Errorf("arrived before %v: done %v, %v, %d effects", before, done, err, effects-n)
		}
	}
}

func TestCatalogue_RunForAChecksKeepsStreamsApart(t *testing.T) {
	c := build(t, map[string]catalogue.Entry{
		"c": {Kind: "exec", Argv: []string{"/bin/sh", "-c", "echo out; echo err >&2; exit 2"}},
		"h": {Kind: "http", URL: "http://x.example/"},
	})
	o, err := c.Run(t.Context(), "c", nil)
	if err != nil || o.Exit != 2 || o.Output != "out\n" || o.Stderr != "err\n" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, name := range []string{"h", "none"} {
		if _, err := c.Run(t.Context(), name, nil); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Run(t.Context(), "c", map[string]string{"x": "y"}); fault.KindOf(err) != fault.Unprocessable {
		t.Errorf("an unknown parameter: %v", err)
	}
}

// FuzzValue: no value that a pattern lets through can be an option, hold a
// control character or be anything but what the pattern says.
func FuzzValue(f *testing.F) {
	f.Add("[a-z]+", "abc")
	f.Add(".*", "-rf")
	f.Add("a|b", "a\n")
	f.Fuzz(func(t *testing.T, pattern, value string) {
		e := map[string]catalogue.Entry{"a": {Kind: "exec", Argv: []string{"/bin/true", "{p}"}, Params: map[string]string{"p": pattern}}}
		if catalogue.Validate(e, nil) != nil {
			return
		}
		c, err := catalogue.New(e, catalogue.Deps{Crowd: &catalogue.Crowd{}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Actions()["a"].Resolve(request("a", with{"p": value})); err != nil {
			return
		}
		if strings.HasPrefix(value, "-") && !strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(pattern, "^"), `\`), "-") {
			t.Errorf("%q passed %q", value, pattern)
		}
		if strings.ContainsAny(value, "\n\r\x00\x1b") {
			t.Errorf("%q passed %q", value, pattern)
		}
	})
}
