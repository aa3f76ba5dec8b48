package receive_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"vigil/gitwatch/gittest"
	"vigil/gitwatch/receive"
	"vigil/gitwatch/store"
)

// quiet is an answer that nobody reads.
type quiet struct{ n int64 }

func (q *quiet) Header() http.Header         { return http.Header{} }
func (q *quiet) WriteHeader(int)             {}
func (q *quiet) Write(b []byte) (int, error) { q.n += int64(len(b)); return len(b), nil }
func (q *quiet) Flush()                      {}

func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// filled is a server whose main has n files, and its handler.
func filled(b testing.TB, n int) (*server, http.Handler, *gittest.Dir) {
	s := newServer(b)
	d := gittest.Repo(b)
	d.Import("main", manyFiles(n))
	d.Git("push", "-q", s.url, "main")
	h, err := receive.New(receive.Defaults(), s.deps)
	if err != nil {
		b.Fatal(err)
	}
	return s, h, d
}

func ask(h http.Handler, service, protocol, body string, w http.ResponseWriter) {
	r := httptest.NewRequest("POST", "/git/desired/"+service, strings.NewReader(body))
	r.SetBasicAuth("ada", "operator")
	r.Header.Set("Content-Type", "application/x-"+service+"-request")
	r.Header.Set("Git-Protocol", protocol)
	h.ServeHTTP(w, r)
}

// BenchmarkCloneOf5000Files: what a clone costs the server.
func BenchmarkCloneOf5000Files(b *testing.B) {
	s, h, _ := filled(b, 5000)
	body := pkt("command=fetch\n") + "0001" + pkt("ofs-delta\n") + pkt("want %s\n", s.tip()) + pkt("done\n") + "0000"
	var sent int64
	began := cpu()
	b.ResetTimer()
	for range b.N {
		w := &quiet{}
		ask(h, "git-upload-pack", "version=2", body, w)
		sent = w.n
	}
	b.ReportMetric(float64(cpu()-began)/1e6/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(sent), "bytes/op")
}

// BenchmarkPushOfOneDocument: one of 5,000 documents changed, from the first
// byte of the request to the last of the answer, fsyncs included.
func BenchmarkPushOfOneDocument(b *testing.B) {
	for _, n := range []int{100, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, h, _ := filled(b, n)
			v := s.store.View()
			tip, err := v.Commit(s.store.Ref(s.store.Branch()))
			if err != nil {
				b.Fatal(err)
			}
			_, root, err := v.Get(tip.Tree)
			if err != nil {
				b.Fatal(err)
			}
			root = bytes.Clone(root)
			v.Close()
			parent := tip.ID.String()
			began := cpu()
			b.ResetTimer()
			for i := range b.N {
				b.StopTimer()
				blob := fmt.Appendf(nil, "document %d\n", i)
				newRoot := append(bytes.Clone(root), tree("100644 zz.yaml", hashOf("blob", blob))...)
				c := fmt.Appendf(nil, "tree %x\nparent %s\nauthor A <a@b> 1700000000 +0000\ncommitter A <a@b> 1700000000 +0000\n\nn\n", hashOf("tree", newRoot), parent)
				p := makePack(3, object{kind: 1, size: -1, data: c}, object{kind: 2, size: -1, data: newRoot}, object{kind: 3, size: -1, data: blob})
				next := fmt.Sprintf("%x", hashOf("commit", c))
				body := pkt("%s %s refs/heads/main\x00report-status side-band-64k", parent, next) + "0000" + string(p)
				w := httptest.NewRecorder()
				b.StartTimer()
				ask(h, "git-receive-pack", "", body, w)
				b.StopTimer()
				if s.tip() != next {
					b.Fatal(w.Body.String())
				}
				parent = next
			}
			b.ReportMetric(float64(cpu()-began)/1e6/float64(b.N), "cpu-ms/op")
		})
	}
}

// BenchmarkPushOf5000Documents: the whole of a first push, from its bytes.
func BenchmarkPushOf5000Documents(b *testing.B) {
	_, _, d := filled(b, 5000)
	bundle := d.Path + "/b"
	d.Git("bundle", "create", "-q", bundle, "main")
	tip := d.Git("rev-parse", "main")
	raw := readFile(b, bundle)
	p := raw[bytes.Index(raw, []byte("\n\n"))+2:]
	b.ResetTimer()
	began := cpu()
	for range b.N {
		b.StopTimer()
		s := newServer(b, func(*receive.Config, *receive.Deps, *store.Config) {})
		h, err := receive.New(receive.Defaults(), s.deps)
		if err != nil {
			b.Fatal(err)
		}
		body := pkt("%s %s refs/heads/main\x00report-status side-band-64k", zero, tip) + "0000" + string(p)
		w := httptest.NewRecorder()
		b.StartTimer()
		ask(h, "git-receive-pack", "", body, w)
		if s.tip() != tip {
			b.Fatal(w.Body.String())
		}
	}
	b.ReportMetric(float64(cpu()-began)/1e6/float64(b.N), "cpu-ms/op")
	b.SetBytes(int64(len(p)))
}

var _ io.Writer = (*quiet)(nil)
