package receive_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"vigil/engine/fault"
	"vigil/gitwatch/gittest"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/receive"
	"vigil/gitwatch/store"
)

func delta(base, target int, ops ...byte) []byte {
	var b []byte
	for _, n := range []int{base, target} {
		for ; n >= 0x80; n >>= 7 {
			b = append(b, byte(n)|0x80)
		}
		b = append(b, byte(n))
	}
	return append(b, ops...)
}

// leftovers counts what a refused push left in the repository.
func leftovers(t *testing.T, s *server) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(filepath.Join(s.store.Dir(), "objects"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		if err == nil && strings.Contains(path, "incoming") {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestHostilePacksAreRefused: each is refused with its reason, nothing moves and
// nothing is left.
func TestHostilePacksAreRefused(t *testing.T) {
	blob := []byte("hello, this is a blob\n")
	good := object{kind: 3, size: -1, data: blob}
	chain := []object{{kind: 3, size: -1, data: blob}}
	for range 300 {
		last := chain[len(chain)-1].bytes()
		n := len(blob) + len(chain) - 1
		chain = append(chain, object{kind: 6, size: -1, data: delta(n, n+1, 0xb0, byte(n), byte(n>>8), 1, 'x'), back: len(last)})
	}
	sound := makePack(1, good)
	for _, c := range []struct {
		name string
		pack []byte
		want string
	}{
		{"2^32-1 objects", makePack(1<<32-1, good), "a pack of 4294967295 objects"},
		{"fewer than it says", makePack(9, good), "unpack"},
		{"more than it says", makePack(1, good, good), "stand where the 20 of the trailer should"},
		{"truncated", sound[:len(sound)-25], "unpack"},
		{"no trailer", sound[:len(sound)-20], "unpack"},
		{"trailing rubbish", append(append([]byte{}, sound...), "rubbish"...), "stand where the 20 of the trailer should"},
		{"wrong checksum", append(append([]byte{}, sound[:len(sound)-1]...), sound[len(sound)-1]^1), "checksum is wrong"},
		{"no pack", []byte("GIF89a, and some more bytes"), "does not begin as a pack"},
		{"version 4", append([]byte("PACK\x00\x00\x00\x04"), make([]byte, 24)...), "does not begin as a pack"},
		{"empty", nil, "the object"},
		{"an object of a terabyte", makePack(1, object{kind: 3, size: 1 << 40, data: blob}), "an object of 1099511627776 bytes"},
		{"a length that overflows", append(append([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01"), bytes.Repeat([]byte{0xff}, 30)...), make([]byte, 20)...), "broken header"},
		{"inflates to more than it says", makePack(1, object{kind: 3, size: 3, data: blob}), "more bytes than it claims"},
		{"inflates to less than it says", makePack(1, object{kind: 3, size: 300, data: blob}), "fewer bytes than it claims"},
		{"a bomb", makePack(1, object{kind: 3, size: 100, data: make([]byte, 16<<20)}), "more bytes than it claims"},
		{"bombs within the cap of each", bombs(10), "inflates to over"},
		{"deflated bytes that say nothing", makePack(1, object{kind: 3, size: -1, data: blob, empty: 1000}), "bytes stand for 22"},
		{"deflated bytes cut", makePack(2, object{kind: 3, size: -1, data: blob, short: true}, good), "unpack"},
		{"an unknown kind", makePack(1, object{kind: 5, size: -1, data: blob}), "broken header"},
		{"kind 0", makePack(1, object{kind: 0, size: -1, data: blob}), "broken header"},
		{"the same object twice", makePack(2, good, good), "twice"},
		{"a thin pack", makePack(1, object{kind: 7, size: -1, data: delta(3, 3, 3, 'a', 'b', 'c'), base: hashOf("blob", []byte("abc"))}), "deltas whose bases are not in it"},
		{"a delta upon itself", makePack(1, object{kind: 6, size: -1, data: delta(3, 3, 3, 'a', 'b', 'c'), back: 1 << 20}), "base does not begin where it says"},
		{"a delta upon the middle of an object", makePack(2, good, object{kind: 6, size: -1, data: delta(3, 3, 3, 'a', 'b', 'c'), back: 3}), "base does not begin where it says"},
		{"deltas in a circle", circle(), "deltas whose bases are not in it"},
		{"a chain of 300", makePack(uint32(len(chain)), chain...), "deeper than 256"},
		{"a delta to a terabyte", makePack(2, good, object{kind: 7, size: -1, data: delta(len(blob), 1<<40, 0x90, 5), base: hashOf("blob", blob)}), "an object of 1099511627776 bytes"},
		{"a delta that copies from beyond", makePack(2, good, object{kind: 7, size: -1, data: delta(len(blob), 200, 0x91, 0, 200), base: hashOf("blob", blob)}), "unpack"},
		{"a delta of another base size", makePack(2, good, object{kind: 7, size: -1, data: delta(3, 1, 1, 'x'), base: hashOf("blob", blob)}), "unpack"},
		{"a delta without sizes", makePack(2, good, object{kind: 7, size: -1, data: []byte{0xff}, base: hashOf("blob", blob)}), "without its sizes"},
		{"not what was announced", sound, "the object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, func(_ *receive.Config, _ *receive.Deps, sc *store.Config) {
				sc.Caps.Object, sc.Caps.Inflated = 2<<20, 16<<20
			})
			code, body := pushPack(t, s, strings.Repeat("ab", 20), c.pack)
			if code != 200 || !strings.Contains(body, c.want) || !strings.Contains(body, "ng refs/heads/main") {
				t.Errorf("%d %q, want %q", code, body, c.want)
			}
			if s.tip() != "" || leftovers(t, s) != 0 {
				t.Errorf("the branch is at %q, %d files are left", s.tip(), leftovers(t, s))
			}
		})
	}
}

// bombs are n objects of 2 MiB, each a different one.
func bombs(n int) []byte {
	var objs []object
	for i := range n {
		data := make([]byte, 2<<20)
		data[0] = byte(i)
		objs = append(objs, object{kind: 3, size: -1, data: data})
	}
	return makePack(uint32(len(objs)), objs...)
}

// circle is two deltas, each upon the other.
func circle() []byte {
	a, b := hashOf("blob", []byte("abc")), hashOf("blob", []byte("abd"))
	return makePack(2,
		object{kind: 7, size: -1, data: delta(3, 3, 3, 'a', 'b', 'c'), base: b},
		object{kind: 7, size: -1, data: delta(3, 3, 3, 'a', 'b', 'd'), base: a})
}

// TestHostileTreesAreRefused: names that a file system may take for others, and
// everything that is neither file nor folder, each with its path.
func TestHostileTreesAreRefused(t *testing.T) {
	blob := []byte("x\n")
	b := object{kind: 3, size: -1, data: blob}
	h := hashOf("blob", blob)
	one := func(name string) []byte { return tree("100644 "+name, h) }
	type row struct {
		name string
		root []byte
		more []object
		want string
	}
	rows := []row{
		{"link", tree("120000 l", h), []object{b}, "l: this is a symbolic link"},
		{"submodule", tree("160000 m", h), nil, "m: this is a submodule"},
		{"folder that is a file", tree("40000 d", h), []object{b}, "is a blob, where a tree is referred to"},
		{"file that is a folder", append([]byte{}, tree("100644 f", hashOf("tree", one("x")))...), []object{{kind: 2, size: -1, data: one("x")}, b}, "is a tree, where a blob is referred to"},
		{"unknown mode", tree("100777 f", h), []object{b}, "the mode of f"},
		{"not sorted", tree("100644 b", h, "100644 a", h), []object{b}, "not in order"},
		{"a name twice", tree("100644 a", h, "100644 a", h), []object{b}, "not in order"},
		{"cut short", tree("100644 a", h)[:20], []object{b}, "a broken entry"},
		{"missing blob", one("a"), nil, "is missing"},
		{"case alone", tree("100644 A.yaml", h, "100644 a.yaml", h), []object{b}, "differs from A.yaml in case alone"},
		{"case alone, Kelvin", tree("100644 k.yaml", h, "100644 \u212a.yaml", h), []object{b}, "in case alone"},
	}
	for _, n := range []string{".git", ".GIT", ".Git", ".git ", ".git.", ".git::$INDEX_ALLOCATION", "git~1", "GIT~2", ".g\u200dit", ".git\u200c", "\u202e.git",
		"..", ".", "a\\b", "../x", "/abs", "a/b", "C:x", "x.", "x ", " x", "a\x01b", "a\x7fb", "a\u0085b", "a\u2028b", "a\u00a0b", "e\u0301", "\ufeffx", "\xff\xfe", strings.Repeat("n", 300)} {
		rows = append(rows, row{fmt.Sprintf("%.20q", n), one(n), []object{b}, "name"})
	}
	rows[len(rows)-1].want = "nnnn" // the name fills the line
	deep := one("x")
	more := []object{b}
	for range 40 {
		more = append(more, object{kind: 2, size: -1, data: deep})
		deep = tree("40000 d", hashOf("tree", deep))
	}
	rows = append(rows, row{"folders in folders", deep, more, "nest deeper than 16"})
	for range 40 {
		more = append(more, object{kind: 2, size: -1, data: deep})
		deep = tree("40000 d", hashOf("tree", deep))
	}
	rows = append(rows, row{"folders in folders, far too deep", deep, more, "nest deeper than 64"})
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			s := newServer(t)
			pack, tip := whole(r.root, r.more...)
			code, body := pushPack(t, s, tip, pack)
			if code != 200 || !strings.Contains(body, "ng refs/heads/main") || !strings.Contains(body, r.want) {
				t.Errorf("%d %q, want %q", code, body, r.want)
			}
			if s.tip() != "" || leftovers(t, s) != 0 {
				t.Errorf("the branch is at %q, %d files are left", s.tip(), leftovers(t, s))
			}
		})
	}
}

// TestTreeBombIsRefused: ten levels of ten folders that are all the same objects
// would be ten thousand million files.
func TestTreeBombIsRefused(t *testing.T) {
	blob := []byte("x\n")
	objs := []object{{kind: 3, size: -1, data: blob}}
	mode, h := "100644", hashOf("blob", blob)
	var root []byte
	for range 10 {
		var entries []any
		for i := range 10 {
			entries = append(entries, fmt.Sprintf("%s d%d", mode, i), h)
		}
		root = tree(entries...)
		mode, h = "40000", hashOf("tree", root)
		objs = append(objs, object{kind: 2, size: -1, data: root})
	}
	s := newServer(t)
	pack, tip := whole(root, objs[:len(objs)-1]...)
	code, body := pushPack(t, s, tip, pack)
	if code != 200 || !strings.Contains(body, "more than 50000 files") {
		t.Errorf("%d %q", code, body)
	}
}

// TestTreeBombWithoutFilesIsRefused: the same with nothing in the innermost folders. No
// file is ever counted; the folders have to be.
func TestTreeBombWithoutFilesIsRefused(t *testing.T) {
	var objs []object
	root := tree()
	for range 15 {
		objs = append(objs, object{kind: 2, size: -1, data: root})
		var entries []any
		for i := range 10 {
			entries = append(entries, fmt.Sprintf("40000 d%d", i), hashOf("tree", root))
		}
		root = tree(entries...)
	}
	s := newServer(t, func(c *receive.Config, _ *receive.Deps, _ *store.Config) { c.Tree.Files = 100 })
	pack, tip := whole(root, objs...)
	code, body := pushPack(t, s, tip, pack)
	if code != 200 || !strings.Contains(body, "more than 1600 folders") || s.tip() != "" {
		t.Errorf("%d %q", code, body)
	}
}

func TestMalformedCommitsAreRefused(t *testing.T) {
	empty := object{kind: 2, size: -1}
	root := hashOf("tree", nil)
	who := "author A <a@b> 1700000000 +0000\ncommitter A <a@b> 1700000000 +0000\n"
	for _, text := range []string{
		"", "\n\n", "tree x\n\n", fmt.Sprintf("tree %x\n\nx\n", root), fmt.Sprintf("tree %x\nauthor A\n\n", root),
		fmt.Sprintf("tree %x\ntree %x\n%s\nx\n", root, root, who), fmt.Sprintf("tree %x\n%sauthor A <a@b> 1 +0000\n\nx\n", root, who),
		fmt.Sprintf("tree %x\nparent zz\n%s\nx\n", root, who), fmt.Sprintf("tree %x\n%s\x00\n\nx\n", root, who),
		fmt.Sprintf("tree %x\nauthor A <a@b> -5 +0000\ncommitter A <a@b> 9999999999999999 +0000\n\nx\n", root),
	} {
		s := newServer(t)
		c := []byte(text)
		pack := makePack(2, object{kind: 1, size: -1, data: c}, empty)
		if _, body := pushPack(t, s, fmt.Sprintf("%x", hashOf("commit", c)), pack); !strings.Contains(body, "malformed") {
			t.Errorf("%q: %q", text, body)
		}
	}
}

// TestMemoryStaysFlatUnderHostilePacks: the worst of the packs above, again and
// again, cost no more than their caps.
func TestMemoryStaysFlatUnderHostilePacks(t *testing.T) {
	s := newServer(t, func(c *receive.Config, _ *receive.Deps, sc *store.Config) {
		sc.Caps.Object, sc.Caps.Inflated = 2<<20, 16<<20
	})
	pack := bombs(10) // 20 MiB inflated
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 3 {
		if _, body := pushPack(t, s, strings.Repeat("ab", 20), pack); !strings.Contains(body, "inflates to over") {
			t.Fatal(body)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 24<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	t.Logf("heap in use %d KiB before, %d KiB after, %d MiB allocated in between", before.HeapInuse>>10, after.HeapInuse>>10, (after.TotalAlloc-before.TotalAlloc)>>20)
}

// TestSlowPushEndsAtItsDeadline: a client that sends half a pack and then says
// nothing is let go of, and so is what it sent.
func TestSlowPushEndsAtItsDeadline(t *testing.T) {
	s := newServer(t, func(c *receive.Config, _ *receive.Deps, _ *store.Config) { c.Timeout = 200 * time.Millisecond })
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	body := pkt("%s %s refs/heads/main\x00report-status", zero, strings.Repeat("ab", 20)) + "0000" + string(makePack(1))
	fmt.Fprintf(c, "POST %s/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\nContent-Type: application/x-git-receive-pack-request\r\nContent-Length: 100000\r\n\r\n%s",
		u.Path, base64.StdEncoding.EncodeToString([]byte("ada:operator")), body)
	began := time.Now()
	answer, err := io.ReadAll(c)
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v: %q %v", took, answer, err)
	}
	gittest.Until(t, "nothing is left", func() bool { return leftovers(t, s) == 0 && s.handler.Stats().Working == 0 })
}

// TestSlowClonesKeepNoPushOut: with every place for clones held by requests that
// never end, a push is taken at once.
func TestSlowClonesKeepNoPushOut(t *testing.T) {
	s := newServer(t, func(c *receive.Config, _ *receive.Deps, _ *store.Config) { c.AtOnce = 2 })
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST %s/git-upload-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\nContent-Type: application/x-git-upload-pack-request\r\nContent-Length: 1000\r\n\r\n",
			u.Path, base64.StdEncoding.EncodeToString([]byte("eve:viewer")))
	}
	gittest.Until(t, "both hold a place", func() bool { return s.handler.Stats().Working == 2 })
	began := time.Now()
	_, body := pushPack(t, s, strings.Repeat("ab", 20), makePack(1)) // half a pack: the answer is about it
	if took := time.Since(began); took > time.Minute || strings.Contains(body, "under way") || !strings.Contains(body, "unpack") {
		t.Errorf("after %v: %q", took, body)
	}
}

// TestReasonsCannotDriveATerminal: what refuses a push may quote what was pushed,
// and git shows the reason beside the ref as it comes.
func TestReasonsCannotDriveATerminal(t *testing.T) {
	s := newServer(t, func(_ *receive.Config, d *receive.Deps, _ *store.Config) {
		d.Inspect = func(context.Context, objects.Snapshot, receive.Options, func(string)) error {
			return fault.New(fault.Unprocessable, "no \x1b]0;owned\a \u202etxt.exe")
		}
	})
	d := gittest.Repo(t)
	d.Commit("base", first)
	out := pushes(t, s, d, false, "", s.url, "main")
	if i := strings.IndexFunc(out, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == '\u202e' }); i >= 0 || !strings.Contains(out, "owned") {
		t.Errorf("%q", out)
	}
}
