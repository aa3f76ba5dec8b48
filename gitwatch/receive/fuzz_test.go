package receive

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/gitwatch/objects"
	"vigil/gitwatch/pack"
	"vigil/gitwatch/store"
)

// FuzzOrder: the list of commands of a push is bounded and means one thing.
func FuzzOrder(f *testing.F) {
	id := "0123456789abcdef0123456789abcdef01234567"
	line := func(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }
	f.Add([]byte(line(id+" "+id+" refs/heads/main\x00report-status push-options") + "0000" + line("dry-run") + "0000PACK"))
	f.Add([]byte("0000"))
	f.Add([]byte(line("shallow "+id) + line(id+" "+id+" x") + "0000"))
	f.Fuzz(func(t *testing.T, in []byte) {
		o, err := parseOrder(bufio.NewReader(bytes.NewReader(in)))
		if err != nil {
			return
		}
		if o.probe != (len(o.updates) == 0) || len(o.updates) > maxCommands || len(o.options) > maxOptions {
			t.Fatalf("%+v", o)
		}
		seen := map[string]bool{}
		for _, u := range o.updates {
			if u.Ref == "" || seen[u.Ref] || bytes.ContainsAny([]byte(u.Ref), "\n\x00") {
				t.Fatalf("%+v", o.updates)
			}
			seen[u.Ref] = true
		}
		if opts, err := parseOptions(o.options); err == nil && len(opts.Reason) > maxReason+3 {
			t.Fatal(len(opts.Reason))
		}
	})
}

// FuzzTalk: no request for objects breaks the server, in either protocol.
func FuzzTalk(f *testing.F) {
	st, err := store.Open(store.Config{Dir: filepath.Join(f.TempDir(), "r"), Branch: "main", Caps: pack.Defaults()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(st.Close)
	c, err := st.Write(context.Background(), st.Branch(), plumbing.ZeroHash, []store.Change{{Path: "a", Data: []byte("a")}}, store.Note{Author: objects.Person{Name: "a", Mail: "a@b", When: time.Unix(1_700_000_000, 0)}, Message: "m"})
	if err != nil {
		f.Fatal(err)
	}
	s := &Server{deps: Deps{Store: st}}
	line := func(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }
	f.Add(false, []byte(line("want "+c.ID.String()+" multi_ack_detailed side-band-64k\n")+line("deepen 1")+"0000"+line("have "+c.ID.String())+line("done")))
	f.Add(true, []byte(line("command=fetch")+"0001"+line("want "+c.ID.String())+line("deepen 2147483648")+line("done")+"0000"))
	f.Add(true, []byte(line("command=ls-refs")+"0001"+line("unborn")+line("symrefs")+line("ref-prefix HEAD")+"0000"))
	f.Fuzz(func(t *testing.T, two bool, in []byte) {
		r := httptest.NewRequest("POST", "/", nil)
		if two {
			r.Header.Set("Git-Protocol", "version=2")
		}
		if err := s.upload(context.Background(), httptest.NewRecorder(), r, bytes.NewReader(in)); err != nil {
			t.Fatal(err)
		}
	})
}
