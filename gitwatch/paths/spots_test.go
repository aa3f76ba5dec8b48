package paths

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vigil/engine/fault"
)

// ears collect what is told.
type ears struct {
	*Spots
	dir  string
	log  bytes.Buffer
	mu   sync.Mutex
	told map[string]int
	all  int
	most int // paths in one call
	bell chan struct{}
}

func (e *ears) changed(paths []string, all bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range paths {
		e.told[p]++
	}
	if all {
		e.all++
	}
	e.most = max(e.most, len(paths))
	select {
	case e.bell <- struct{}{}:
	default:
	}
}

func newEars(t testing.TB, cfg SpotsConfig, dir string) *ears {
	t.Helper()
	e := &ears{dir: dir, told: map[string]int{}, bell: make(chan struct{}, 1)}
	var err error
	if e.Spots, err = NewSpots(cfg, SpotsDeps{Changed: e.changed, Log: slog.New(slog.NewTextHandler(&e.log, nil))}); err != nil {
		t.Fatal(err)
	}
	return e
}

// run starts to listen, and returns when every watch stands.
func (e *ears) run(t testing.TB) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t)
	})
	e.until(t, "that all may have changed", func() bool { return e.all > 0 })
	e.clear()
}

func (e *ears) clear() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.told)
	e.all, e.most = 0, 0
}

// until waits for a condition on what was told.
func (e *ears) until(t testing.TB, what string, is func() bool) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		e.mu.Lock()
		ok := is()
		got := fmt.Sprint(e.told, e.all)
		e.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-e.bell:
		case <-late:
			t.Fatalf("not told: %s; told: %.300s; %+v", what, got, e.Stats())
		}
	}
}

func (e *ears) hears(t testing.TB, path string) {
	t.Helper()
	e.until(t, path, func() bool { return e.told[path] > 0 })
}

// only waits for a path, and then for a last change of another one, so that
// silence about the rest is seen without waiting.
func (e *ears) only(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		e.hears(t, p)
	}
	last := filepath.Join(e.dir, "last")
	put(t, last, fmt.Sprint(time.Now()))
	e.hears(t, last)
	e.mu.Lock()
	defer e.mu.Unlock()
	for p := range e.told {
		if p != last && !slices.Contains(paths, p) {
			t.Errorf("told of %s too", p)
		}
	}
	if e.all > 0 {
		t.Error("told that all may have changed")
	}
}

func quick() SpotsConfig {
	c := SpotsDefaults()
	c.Sweep = time.Hour
	return c
}

// listening is a folder with some files, of which all but one are spots.
func listening(t *testing.T, cfg SpotsConfig) *ears {
	t.Helper()
	dir := t.TempDir()
	for _, f := range []string{"a/f", "a/g", "a/other", "b/c/h", "purged/x", "last"} {
		put(t, filepath.Join(dir, f), "one")
	}
	e := newEars(t, cfg, dir)
	var spots []Spot
	for _, f := range []string{"a/f", "a/g", "b/c/h", "not/yet/there", "a/f/below", "last"} {
		spots = append(spots, Spot{Path: filepath.Join(dir, f)})
	}
	if err := e.Set(append(spots, Spot{Path: filepath.Join(dir, "purged"), Inside: true})); err != nil {
		t.Fatal(err)
	}
	e.run(t)
	return e
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestSpots_HearsEveryKindOfEdit, and names just the paths that it was.
func TestSpots_HearsEveryKindOfEdit(t *testing.T) {
	e := listening(t, quick())
	at := func(p string) string { return filepath.Join(e.dir, p) }
	f, h := at("a/f"), at("b/c/h")
	for _, tt := range []struct {
		name string
		do   func()
		told []string
	}{
		{"written in place", func() { put(t, f, "two") }, []string{f}},
		{"truncated", func() { must(t, os.Truncate(f, 0)) }, []string{f}},
		{"by rename", func() { put(t, at("a/.f.swp"), "x"); must(t, os.Rename(at("a/.f.swp"), f)) }, []string{f, at("a/f/below")}},
		{"as sed -i does", func() {
			put(t, at("a/sedAbCd"), "x")
			must(t, os.Chmod(at("a/sedAbCd"), 0o640), os.Rename(at("a/sedAbCd"), f))
		}, []string{f, at("a/f/below")}},
		{"with a backup", func() { must(t, os.Rename(f, f+"~")); put(t, f, "three") }, []string{f, at("a/f/below")}},
		{"chmod", func() { must(t, os.Chmod(f, 0o600)) }, []string{f}},
		{"times alone", func() { must(t, os.Chtimes(f, time.Now(), time.Now())) }, []string{f}},
		{"a link in its place", func() { must(t, os.Symlink("/etc/passwd", at("a/l")), os.Rename(at("a/l"), f)) }, []string{f, at("a/f/below")}},
		{"the link exchanged", func() { must(t, os.Symlink("/etc/group", at("a/l")), os.Rename(at("a/l"), f)) }, []string{f, at("a/f/below")}},
		{"deleted", func() { must(t, os.Remove(f)) }, []string{f, at("a/f/below")}},
		{"a folder in its place", func() { must(t, os.Mkdir(f, 0o755)) }, []string{f, at("a/f/below")}},
		{"in that folder", func() { put(t, at("a/f/below"), "x") }, []string{at("a/f/below")}},
		{"a neighbour", func() { put(t, at("a/other"), "two"); must(t, os.Remove(at("a/other"))) }, nil},
		{"another name in a purged folder", func() { put(t, at("purged/y"), "x") }, []string{at("purged")}},
		{"a name gone from it", func() { must(t, os.Remove(at("purged/y"))) }, []string{at("purged")}},
		{"the folder's mode", func() { must(t, os.Chmod(at("purged"), 0o700)) }, []string{at("purged")}},
		{"the folder moved away", func() { must(t, os.Rename(at("b"), at("b2"))) }, []string{h}},
		{"what is in it is no spot", func() { put(t, at("b2/c/h"), "x") }, nil},
		{"the folder moved back", func() { must(t, os.Rename(at("b2"), at("b"))) }, []string{h}},
		{"a file in it", func() { put(t, h, "x") }, []string{h}},
		{"the folder exchanged for a link", func() { must(t, os.Rename(at("b"), at("b2")), os.Symlink("b2", at("b"))) }, []string{h}},
		{"through the link", func() { put(t, at("b2/c/h"), "y") }, nil},
		{"removed with all that is in it", func() { must(t, os.Remove(at("b")), os.RemoveAll(at("b2"))) }, []string{h}},
		{"the folder made anew", func() { must(t, os.MkdirAll(at("b/c"), 0o755)) }, []string{h}},
		{"a file in the new one", func() { put(t, h, "x") }, []string{h}},
		{"a path that was not there", func() { put(t, at("not/yet/there"), "x") }, []string{at("not/yet/there")}},
		{"and again", func() { put(t, at("not/yet/there"), "y") }, []string{at("not/yet/there")}},
	} {
		e.clear()
		tt.do()
		if t.Run(tt.name, func(t *testing.T) { e.only(t, tt.told...) }); t.Failed() {
			return
		}
	}
}

// TestSpots_SetFollows: what is new in a set is heard from then on, what is no
// longer in it is not, and its watches are given back.
func TestSpots_SetFollows(t *testing.T) {
	e := listening(t, quick())
	at := func(p string) string { return filepath.Join(e.dir, p) }
	full := e.Stats()
	if full.Spots != 7 || full.Unwatched != 0 || full.Deaf {
		t.Fatalf("%+v", full)
	}
	must(t, e.Set([]Spot{{Path: at("last")}, {Path: at("a/other")}, {Path: at("purged")}}))
	put(t, at("a/other"), "x")
	put(t, at("a/f"), "x")
	put(t, at("purged/z"), "x")
	put(t, at("b/c/h"), "x")
	e.only(t, at("a/other"))
	if st := e.Stats(); st.Dirs != full.Dirs-3 || st.Spots != 3 { // b, c and purged
		t.Errorf("%+v after %+v", st, full)
	}
	must(t, e.Set([]Spot{{Path: at("last")}, {Path: at("purged")}, {Path: at("purged"), Inside: true}}))
	e.clear()
	put(t, at("purged/w"), "x")
	e.only(t, at("purged"))
	must(t, e.Set(nil))
	if st := e.Stats(); st.Dirs != 0 || len(e.root.kids) != 0 {
		t.Errorf("an empty set leaves %+v, %v", st, e.root.kids)
	}
	for bad, kind := range map[string]fault.Kind{"": fault.Unprocessable, "relative": fault.Unprocessable, "/a/../b": fault.Unprocessable, "/a\x00": fault.Unprocessable, strings.Repeat("/a", 100): fault.TooLarge} {
		if err := e.Set([]Spot{{Path: bad}, {Path: "/"}}); fault.KindOf(err) != kind {
			t.Errorf("%.10q: %v", bad, err)
		}
	}
	if st := e.Stats(); st.Spots != 1 || st.Dirs != 1 { // what is good is watched all the same
		t.Errorf("%+v", st)
	}
	must(t, e.Set(nil))
	if st := e.Stats(); st.Dirs != 0 {
		t.Errorf("%+v", st)
	}
}

// TestSpots_AnOverflowMeansAll: 30,000 files while nobody reads are more than the
// kernel keeps, and what got lost is made good by one word.
func TestSpots_AnOverflowMeansAll(t *testing.T) {
	dir := t.TempDir()
	e := newEars(t, quick(), dir)
	must(t, e.Set([]Spot{{Path: filepath.Join(dir, "f")}, {Path: filepath.Join(dir, "d", "g")}}))
	f, err := e.open()
	must(t, err)
	e.tell()
	e.clear()
	for i := range 30_000 {
		n := filepath.Join(dir, fmt.Sprint("n", i))
		must(t, os.WriteFile(n, nil, 0o600))
	}
	put(t, filepath.Join(dir, "d", "g"), "behind the overflow")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.listen(ctx, f, nil) }()
	e.until(t, "that all may have changed", func() bool { return e.all > 0 })
	put(t, filepath.Join(dir, "d", "g"), "in the folder whose making was lost")
	e.hears(t, filepath.Join(dir, "d", "g"))
	if st := e.Stats(); st.Lost != 1 || st.Events < 10_000 {
		t.Errorf("%+v", st)
	}
	stop()
	must(t, <-ended)
	goleak.VerifyNone(t)
}

// TestSpots_TheLimitIsNamed: folders beyond it are named once, the others are
// heard, and when there is room again the next sweep uses it.
func TestSpots_TheLimitIsNamed(t *testing.T) {
	cfg, dir := quick(), t.TempDir()
	cfg.Sweep = 10 * time.Millisecond
	above := strings.Count(dir, "/") + 1 // the folders to dir, and /
	cfg.MaxDirs = above + 2
	e := newEars(t, cfg, dir)
	var spots []Spot
	for i := range 5 {
		p := filepath.Join(dir, fmt.Sprint("d", i), "f")
		put(t, p, "x")
		spots = append(spots, Spot{Path: p})
	}
	must(t, e.Set(spots))
	e.run(t)
	st := e.Stats()
	if st.Dirs != cfg.MaxDirs || st.Unwatched != 3 || len(st.Names) != 3 {
		t.Fatalf("%+v", st)
	}
	heard := 0
	for _, sp := range spots {
		if !slices.Contains(st.Names, filepath.Dir(sp.Path)) {
			put(t, sp.Path, "y")
			e.hears(t, sp.Path)
			heard++
		}
	}
	if heard != 2 {
		t.Errorf("%d are heard", heard)
	}
	e.Spots.mu.Lock() // under which it is logged
	text := e.log.String()
	e.Spots.mu.Unlock()
	if strings.Count(text, "found by rounds alone") != 1 || !strings.Contains(text, st.Names[0]) || !strings.Contains(text, "max_user_watches") {
		t.Errorf("logged: %s", text)
	}
	left := filepath.Join(st.Names[0], "f")
	must(t, e.Set([]Spot{{Path: left}}))
	touched := 0
	for deadline := time.Now().Add(time.Minute); e.Stats().Unwatched > 0; touched++ {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", e.Stats())
		}
		put(t, left, fmt.Sprint(touched))
	}
	e.clear()
	put(t, left, "room")
	e.hears(t, left)
}

// TestSpots_AStreamIsToldInBoundedCalls: while Changed is busy, everything that
// happens is kept, once a path, and told in parts.
func TestSpots_AStreamIsToldInBoundedCalls(t *testing.T) {
	cfg, dir := quick(), t.TempDir()
	cfg.Batch = 50
	const n = 500
	var spots []Spot
	for i := range n {
		spots = append(spots, Spot{Path: filepath.Join(dir, fmt.Sprint("f", i))})
	}
	e := newEars(t, cfg, dir)
	must(t, e.Set(spots))
	e.run(t)
	e.mu.Lock() // Changed hangs
	for range 5 {
		for _, sp := range spots {
			put(t, sp.Path, "x")
		}
	}
	e.mu.Unlock()
	e.until(t, "every path", func() bool { return len(e.told) == n })
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.most > cfg.Batch {
		t.Errorf("%d in one call", e.most)
	}
	for p, k := range e.told {
		if k > 10 {
			t.Fatalf("%s was told %d times", p, k)
		}
	}
}

// TestSpots_ASweepFindsWhatWasMissed: a watch that is not where it should be is
// put right, and what is below is told.
func TestSpots_ASweepFindsWhatWasMissed(t *testing.T) {
	cfg := quick()
	cfg.Sweep = 20 * time.Millisecond
	e := listening(t, cfg)
	f := filepath.Join(e.dir, "b", "c", "h")
	e.Spots.mu.Lock()
	n := e.set[f].up
	e.unwatch(n)
	e.Spots.mu.Unlock()
	e.hears(t, f)
	e.clear()
	put(t, f, "x")
	e.only(t, f)
}

// BenchmarkSpots is from a change by rename to the word, with 20,000 spots.
func BenchmarkSpots(b *testing.B) {
	dir := b.TempDir()
	told := make(chan string, 1024)
	s, err := NewSpots(quick(), SpotsDeps{Changed: func(p []string, all bool) {
		if all {
			told <- "all"
		}
		for _, p := range p {
			told <- p
		}
	}})
	must(b, err)
	var spots []Spot
	for i := range 20_000 {
		d := filepath.Join(dir, fmt.Sprint("d", i%1000))
		if i < 1000 {
			must(b, os.Mkdir(d, 0o755))
		}
		spots = append(spots, Spot{Path: filepath.Join(d, fmt.Sprint("f", i))})
	}
	must(b, s.Set(spots))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-told
	var took []time.Duration
	other := filepath.Join(dir, "d0", "new")
	n := 0
	for b.Loop() {
		p := spots[n*7919%len(spots)].Path
		n++
		b.StopTimer()
		must(b, os.WriteFile(other, nil, 0o600))
		pause := time.NewTimer(10 * time.Millisecond) // a person is no stream
		<-pause.C
		b.StartTimer()
		at := time.Now()
		must(b, os.Rename(other, p))
		for <-told != p {
		}
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	stop()
	must(b, <-ended)
}

// BenchmarkSpotsSet is a new set of 20,000 paths in 1,000 folders beside the old
// one, of which one is new.
func BenchmarkSpotsSet(b *testing.B) {
	dir := b.TempDir()
	var spots []Spot
	for i := range 20_000 {
		d := filepath.Join(dir, fmt.Sprint("d", i%1000))
		if i < 1000 {
			must(b, os.Mkdir(d, 0o755))
		}
		spots = append(spots, Spot{Path: filepath.Join(d, fmt.Sprint("f", i))})
	}
	s, err := NewSpots(quick(), SpotsDeps{Changed: func([]string, bool) {}})
	must(b, err)
	must(b, s.Set(spots))
	f, err := s.open()
	must(b, err)
	n := 0
	for b.Loop() {
		n++
		spots[0].Path = filepath.Join(dir, "d0", fmt.Sprint("g", n))
		must(b, s.Set(spots))
	}
	must(b, f.Close())
}
