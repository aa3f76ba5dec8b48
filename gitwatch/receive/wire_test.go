package receive_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

func pkt(format string, args ...any) string {
	s := fmt.Sprintf(format, args...)
	return fmt.Sprintf("%04x%s", len(s)+4, s)
}

// post sends a body to a service and returns status and answer.
func post(t testing.TB, s *server, service, token string, header map[string]string, body string) (int, string) {
	t.Helper()
	url := strings.Replace(s.url, "ada:operator@", "", 1) + "/" + service
	r, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("ada", token)
	r.Header.Set("Content-Type", "application/x-"+service+"-request")
	for k, v := range header {
		r.Header.Set(k, v)
	}
	tr := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	res, err := (&http.Client{Transport: tr}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// object is one entry of a hand-made pack.
type object struct {
	kind  byte
	size  int // what the header claims; -1 is the truth
	data  []byte
	base  []byte // for a reference delta
	back  int    // for an offset delta
	short bool   // cut the deflated bytes
	empty int    // blocks of nothing behind them
}

func (o object) bytes() []byte {
	size := o.size
	if size < 0 {
		size = len(o.data)
	}
	var b []byte
	c := o.kind<<4 | byte(size&15)
	for size >>= 4; size > 0; size >>= 7 {
		b = append(b, c|0x80)
		c = byte(size & 0x7f)
	}
	b = append(b, c)
	b = append(b, o.base...)
	if o.kind == 6 {
		var tmp []byte
		n := o.back
		tmp = append(tmp, byte(n&0x7f))
		for n >>= 7; n > 0; n >>= 7 {
			n--
			tmp = append([]byte{byte(n&0x7f) | 0x80}, tmp...)
		}
		b = append(b, tmp...)
	}
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	w.Write(o.data)
	for range o.empty {
		w.Flush()
	}
	w.Close()
	d := z.Bytes()
	if o.short {
		d = d[:len(d)/2]
	}
	return append(b, d...)
}

// makePack is a pack whose header claims n objects.
func makePack(n uint32, objects ...object) []byte {
	b := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), n)
	for _, o := range objects {
		b = append(b, o.bytes()...)
	}
	sum := sha1.Sum(b)
	return append(b, sum[:]...)
}

func emptyPack() []byte { return makePack(0) }

func hashOf(kind string, data []byte) []byte {
	h := sha1.Sum(append(fmt.Appendf(nil, "%s %d\x00", kind, len(data)), data...))
	return h[:]
}

// tree makes a tree object of `mode name` and blob hash.
func tree(entries ...any) []byte {
	var b []byte
	for i := 0; i < len(entries); i += 2 {
		b = append(b, entries[i].(string)...)
		b = append(b, 0)
		b = append(b, entries[i+1].([]byte)...)
	}
	return b
}

func commit(tree []byte) []byte {
	return fmt.Appendf(nil, "tree %x\nauthor A <a@b> 1700000000 +0000\ncommitter A <a@b> 1700000000 +0000\n\nsubject\n", tree)
}

// whole is a pack with a commit, the trees and the blobs, and the commit's hash.
func whole(root []byte, more ...object) (pack []byte, tip string) {
	c := commit(hashOf("tree", root))
	objs := append([]object{{kind: 1, size: -1, data: c}, {kind: 2, size: -1, data: root}}, more...)
	return makePack(uint32(len(objs)), objs...), fmt.Sprintf("%x", hashOf("commit", c))
}

const zero = "0000000000000000000000000000000000000000"

// pushPack sends a pack as a first push to main.
func pushPack(t testing.TB, s *server, tip string, pack []byte) (int, string) {
	t.Helper()
	return post(t, s, "git-receive-pack", "operator", nil, pkt("%s %s refs/heads/main\x00report-status", zero, tip)+"0000"+string(pack))
}

func TestGzipAndMediaTypes(t *testing.T) {
	s := newServer(t)
	blob := []byte("x\n")
	pack, tip := whole(tree("100644 a.yaml", hashOf("blob", blob)), object{kind: 3, size: -1, data: blob})
	if code, body := pushPack(t, s, tip, pack); code != 200 || !strings.Contains(body, "ok refs/heads/main") {
		t.Fatalf("%d %q", code, body)
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	io.WriteString(w, pkt("want %s ofs-delta\n", tip)+"0000"+pkt("done\n"))
	w.Close()
	code, body := post(t, s, "git-upload-pack", "viewer", map[string]string{"Content-Encoding": "gzip"}, z.String())
	if code != 200 || !strings.HasPrefix(body, pkt("NAK\n")+"PACK") {
		t.Errorf("gzip: %d %.60q", code, body)
	}
	for _, c := range []struct {
		header map[string]string
		want   int
	}{
		{map[string]string{"Content-Encoding": "br"}, 415},
		{map[string]string{"Content-Encoding": "gzip"}, 400},
		{map[string]string{"Content-Type": "text/plain"}, 415},
	} {
		if code, _ := post(t, s, "git-upload-pack", "viewer", c.header, "0000"); code != c.want {
			t.Errorf("%v: %d, want %d", c.header, code, c.want)
		}
	}
	// A bomb: sixteen MiB of haves are read, and no more.
	var bomb bytes.Buffer
	w = gzip.NewWriter(&bomb)
	io.WriteString(w, pkt("want %s\n", tip)+"0000")
	line := []byte(strings.Repeat(pkt("have %s\n", tip), 1000))
	for range 100 {
		w.Write(line)
	}
	w.Close()
	code, body = post(t, s, "git-upload-pack", "viewer", map[string]string{"Content-Encoding": "gzip"}, bomb.String())
	if code != 200 || !strings.Contains(body, "ERR more than 65536 lines of have") {
		t.Errorf("bomb: %d %.100q", code, body)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
