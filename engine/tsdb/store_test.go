package tsdb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"vigil/engine/fault"
	"vigil/engine/series"
)

// Whatever happens between (cuts, restarts, kills, eras, duplicates, late
// samples), a series reads as the last value written for each time.
func TestStoreReadsWhatWasAcknowledged(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, func(c *Config) { c.Future = 24 * time.Hour })
		defer func() { r.stop() }()
		model := map[string]map[int64]float64{}
		newest := map[string]int64{}
		base := r.clock.ms()
		pos := uint64(0)
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			default:
				var b series.Batch
				b.Received = r.clock.ms()
				var keys []string
				for range rapid.IntRange(1, 60).Draw(rt, "points") {
					k := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "series")
					b.Add(name(k), base+rapid.Int64Range(0, 500).Draw(rt, "t")*1000, float64(rapid.IntRange(0, 3).Draw(rt, "v")))
					keys = append(keys, k)
				}
				if err := r.s.Append(context.Background(), &b); err != nil {
					rt.Fatal(err)
				}
				if b.Seq < pos {
					rt.Fatalf("position %d after %d", b.Seq, pos)
				}
				pos = b.Seq + uint64(b.Accepted())
				for i, it := range b.Items {
					if it.Hi == it.Lo {
						rt.Fatalf("refused: %v", it.Reason)
					}
					p := b.Points[it.Lo]
					if model[keys[i]] == nil {
						model[keys[i]] = map[int64]float64{}
					}
					model[keys[i]][p.T] = p.V
					newest[keys[i]] = max(newest[keys[i]], p.T)
				}
			case 0:
				r.cut()
			case 1:
				r.stop()
				r.start(pos)
			case 2:
				r.die()
				r.start(pos)
			case 3:
				r.s.Evaluated(pos)
				r.s.tend(context.Background())
			case 4:
				r.clock.step(time.Duration(rapid.Int64Range(-900, 900).Draw(rt, "step")) * time.Second / 3)
			}
		}
		for k, want := range model {
			var pts []series.Point
			for at, v := range want {
				pts = append(pts, series.Point{T: at, V: v})
			}
			slices.SortFunc(pts, func(a, b series.Point) int { return int(a.T - b.T) })
			if diff := cmp.Diff(pts, r.all(name(k)), cmpopts.EquateEmpty()); diff != "" {
				rt.Fatalf("series %s: %s", k, diff)
			}
			lo := base + rapid.Int64Range(-5, 500).Draw(rt, "lo")*1000
			hi := lo + rapid.Int64Range(0, 300).Draw(rt, "width")*1000
			pts = slices.DeleteFunc(pts, func(p series.Point) bool { return p.T <= lo || p.T > hi })
			if diff := cmp.Diff(pts, r.read(name(k), lo, hi), cmpopts.EquateEmpty()); diff != "" {
				rt.Fatalf("series %s in (%d, %d]: %s", k, lo, hi, diff)
			}
		}
	})
}

func TestVerdicts(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxSeries, c.MaxSeriesPerToken, c.MaxLabels, c.MaxLabelValueBytes = 4, 2, 3, 20 })
	r.rec.admit = func(ls series.Labels, b *series.Batch) series.Reason {
		if ls.Name() == "local_thing" && !b.Own {
			return series.LocalName
		}
		return series.Accepted
	}
	now := r.clock.ms()
	token := func(b *series.Batch) { b.Token = "t" }
	own := func(b *series.Batch) { b.Own = true }
	for _, tc := range []struct {
		what   string
		ls     series.Labels
		at     int64
		change func(*series.Batch)
		want   series.Reason
	}{
		{"plain", name("a"), now, nil, series.Accepted},
		{"no time is now", name("a"), series.NoTime, nil, series.Accepted},
		{"ten minutes ahead", name("a"), now + 600_000, nil, series.Accepted},
		{"further ahead", name("a"), now + 600_001, nil, series.Future},
		{"an hour behind its newest", name("a"), now + 600_000 - 3_600_000, nil, series.Accepted},
		{"further behind", name("a"), now + 600_000 - 3_600_001, nil, series.TooOld},
		{"further behind, welcome", name("a"), now - 86_400_000, func(b *series.Batch) { b.Backfill = true }, series.Accepted},
		{"no name", series.New(series.Label{Name: "x", Value: "y"}), now, nil, series.BadLabels},
		{"too many labels", name("a", "b", "1", "c", "2", "d", "3"), now, nil, series.BadLabels},
		{"a value too long", name("a", "b", "123456789012345678901"), now, nil, series.BadLabels},
		{"not UTF-8", name("a", "b", "\xff"), now, nil, series.BadLabels},
		{"a local name pushed", name("local_thing"), now, nil, series.LocalName},
		{"a local name measured", name("local_thing"), now, own, series.Accepted},
		{"a local name pushed once it is there", name("local_thing"), now, nil, series.LocalName},
		{"token's first", name("t1"), now, token, series.Accepted},
		{"token's second", name("t2"), now, token, series.Accepted},
		{"over the cap", name("t3"), now, nil, series.SeriesCap},
		{"existing ones go on", name("a"), now, token, series.Accepted},
	} {
		it, err := r.push(tc.ls, tc.at, 1, func(b *series.Batch) {
			if tc.change != nil {
				tc.change(b)
			}
		})
		if err != nil {
			t.Fatal(tc.what, err)
		}
		if it.Reason != tc.want || (it.Reason == series.Accepted) != (it.Hi > it.Lo) {
			t.Errorf("%s: %v, want %v", tc.what, it.Reason, tc.want)
		}
	}
	st := r.s.Stats()
	if st.Series != 4 || st.Refused["series_cap"] != 1 || st.Refused["bad_labels"] != 4 || st.Refused["future"] != 1 {
		t.Errorf("stats %+v", st)
	}
}

func TestTokenCapHoldsAcrossARestart(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxSeriesPerToken = 2 })
	token := func(b *series.Batch) { b.Token = "t" }
	r.mustPush(name("a"), r.clock.ms(), 1, token)
	r.die()
	r.start(0)
	r.mustPush(name("b"), r.clock.ms(), 1, token)
	r.stop()
	r.start(0)
	if it, _ := r.push(name("c"), r.clock.ms(), 1, token); it.Reason != series.SeriesCap {
		t.Errorf("the third series: %v", it.Reason)
	}
}

// A flood of pushed series, with a token or without, leaves room for others, and
// for what vigild measures itself.
func TestSeriesFloodStarvesNobodyElse(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxSeries, c.MaxSeriesPerToken = 16, 6 })
	flood := func(prefix string, change func(*series.Batch)) (taken int) {
		for i := range 20 {
			if it, err := r.push(name(fmt.Sprint(prefix, i)), r.clock.ms(), 1, change); err != nil {
				t.Fatal(err)
			} else if it.Reason == series.Accepted {
				taken++
			}
		}
		return taken
	}
	open := func(b *series.Batch) { b.Open = true }
	if n := flood("open", open); n != 6 {
		t.Errorf("callers without a token were given %d series, want 6", n)
	}
	r.stop()
	r.start(0)
	if it, _ := r.push(name("one_more"), r.clock.ms(), 1, open); it.Reason != series.SeriesCap {
		t.Errorf("after a restart: %v", it.Reason)
	}
	if n := flood("t", func(b *series.Batch) { b.Token = "t" }); n != 6 {
		t.Errorf("a token was given %d series, want 6", n)
	}
	flood("u", func(b *series.Batch) { b.Token = "u" })
	if n := r.s.Stats().Series; n != 16 {
		t.Fatalf("%d series, want the cap", n)
	}
	if n := flood("own", func(b *series.Batch) { b.Own = true }); n != 2 {
		t.Errorf("vigild itself was given %d series beyond the cap, want an eighth", n)
	}
}

// A key that an unauthenticated caller used does not open the series to it.
func TestOpenSeriesStandApart(t *testing.T) {
	r := newRig(t)
	now := r.clock.ms()
	open := func(b *series.Batch) { b.Open = true }
	r.mustPush(name("a"), now, 1)
	r.mustPush(name("a"), now, 2, open)
	r.mustPush(name("a"), now+1, 3)
	r.mustPush(name("a"), now+1, 4, open)
	want := []series.Point{{T: now, V: 1}, {T: now + 1, V: 3}}
	if diff := cmp.Diff(want, r.all(name("a"))); diff != "" {
		t.Error(diff)
	}
	want = []series.Point{{T: now, V: 2}, {T: now + 1, V: 4}}
	if diff := cmp.Diff(want, r.all(name("a", series.OriginLabel, series.OriginOpen))); diff != "" {
		t.Error(diff)
	}
}

func TestOrderOfLabelsDoesNotMatter(t *testing.T) {
	r := newRig(t)
	one := series.AppendLabel(series.AppendLabel(nil, "__name__", "m"), "a", "1")
	two := series.AppendLabel(series.AppendLabel(nil, "a", "1"), "__name__", "m")
	var refs []series.Ref
	for _, key := range [][]byte{one, two, one} {
		b := series.Batch{Points: []series.Point{{T: series.NoTime, V: 1}}, Items: []series.Item{{Key: key, Hi: 1}}}
		if err := r.s.Append(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		refs = append(refs, b.Items[0].Ref)
	}
	if refs[0] != refs[1] || refs[1] != refs[2] {
		t.Error(refs)
	}
}

func TestSameSampleTwiceIsOne(t *testing.T) {
	r := newRig(t)
	now := r.clock.ms()
	for _, v := range []float64{1, 1, 2} {
		r.mustPush(name("a"), now, v)
	}
	if diff := cmp.Diff([]series.Point{{T: now, V: 2}}, r.all(name("a"))); diff != "" {
		t.Error(diff)
	}
	if st := r.s.Stats(); st.Duplicates != 1 || st.Overwritten != 1 {
		t.Errorf("%d the same, %d overwritten", st.Duplicates, st.Overwritten)
	}
	r.cut()
	r.mustPush(name("a"), now, 3) // the row's sample gives way as well
	for range 2 {
		if diff := cmp.Diff([]series.Point{{T: now, V: 3}}, r.all(name("a"))); diff != "" {
			t.Error(diff)
		}
		r.cut()
	}
}

// What was not evaluated is handed over again, whole, in order, and with the flag
// of our own measurements.
func TestStartReplaysFromTheEvaluatedPosition(t *testing.T) {
	for _, cut := range []bool{false, true} {
		r := newRig(t)
		now := r.clock.ms()
		for i := range 50 {
			var b series.Batch
			b.Own = i%2 == 0
			b.Received = now
			for j := range 4 {
				b.Add(name(fmt.Sprint("s", j), "own", fmt.Sprint(b.Own)), now+int64(i), float64(j))
			}
			if err := r.s.Append(context.Background(), &b); err != nil {
				t.Fatal(err)
			}
		}
		before := slices.Clone(r.rec.committed)
		if cut {
			r.cut()
			r.stop()
		} else {
			r.die()
		}
		for _, from := range []uint64{before[0].seq, before[101].seq, before[199].seq, before[199].seq + 1} {
			r.start(from)
			want := slices.DeleteFunc(slices.Clone(before), func(s seen) bool { return s.seq < from })
			if diff := cmp.Diff(want, r.rec.committed, cmp.AllowUnexported(seen{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("from %d: %s", from, diff)
			}
			if len(r.rec.registered) != 8 {
				t.Errorf("%d series registered", len(r.rec.registered))
			}
			r.stop()
		}
	}
}

func TestPositionsGoOnBehindWhatTheLedgerHasSeen(t *testing.T) {
	r := newRig(t)
	r.stop()
	r.start(5000) // the log knows of nothing, the ledger of 5000
	var b series.Batch
	b.Add(name("a"), series.NoTime, 1)
	if err := r.s.Append(context.Background(), &b); err != nil || b.Seq < 5000 {
		t.Fatalf("position %d, %v", b.Seq, err)
	}
	r.die()
	r.start(5000)
	if len(r.rec.committed) != 1 || r.event("missing") {
		t.Errorf("%v replayed", r.rec.committed)
	}
}

// Segments wait for both: the cut and the evaluation.
func TestSegmentsWaitForEvaluation(t *testing.T) {
	r := newRig(t)
	var pos uint64
	for i := range 400 {
		var b series.Batch
		for j := range 50 {
			b.Add(name(fmt.Sprint("s", j)), r.clock.ms()+int64(i), 1)
		}
		if err := r.s.Append(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		pos = b.Seq + 50
	}
	live := r.s.Stats().LogBytes
	if live < 3*r.cfg.SegmentBytes {
		t.Fatal("too little was written to show anything: ", live)
	}
	r.cut()
	if got := r.s.Stats().LogBytes; got < live {
		t.Errorf("cut but not evaluated: %d bytes of %d were let go", live-got, live)
	}
	r.s.Evaluated(pos)
	r.s.tend(context.Background())
	if got := r.s.Stats().LogBytes; got > r.cfg.SegmentBytes {
		t.Errorf("cut and evaluated: still %d bytes", got)
	}
	if len(r.all(name("s1"))) != 400 {
		t.Error("samples are missing")
	}
}

func TestReserveMayRefuse(t *testing.T) {
	r := newRig(t)
	r.rec.reserve = func(b *series.Batch) {
		for i := range b.Items {
			if it := &b.Items[i]; i%2 == 0 {
				it.Refused, it.Reason, it.Hi = it.Hi-it.Lo, series.Lagging, it.Lo
			}
		}
	}
	var b series.Batch
	now := r.clock.ms()
	for i := range 4 {
		b.Add(name(fmt.Sprint("s", i)), now, 1)
	}
	if err := r.s.Append(context.Background(), &b); err != nil || b.Accepted() != 2 {
		t.Fatal(b.Accepted(), err)
	}
	for i := range 4 {
		if got := len(r.all(name(fmt.Sprint("s", i)))); got != i%2 {
			t.Errorf("s%d has %d points", i, got)
		}
	}
}

func TestManyCallersShareGroups(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	const callers, each = 16, 60
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				var b series.Batch
				b.Add(name("m", "c", fmt.Sprint(c)), r.clock.ms()+int64(i), float64(i))
				if err := r.s.Append(context.Background(), &b); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	st := r.s.Stats()
	if st.Groups >= callers*each {
		t.Errorf("%d groups for %d calls: nothing was shared", st.Groups, callers*each)
	}
	for c := range callers {
		if n := len(r.all(name("m", "c", fmt.Sprint(c)))); n != each {
			t.Errorf("caller %d: %d points", c, n)
		}
	}
	if len(r.rec.committed) != callers*each {
		t.Errorf("%d committed", len(r.rec.committed))
	}
}

func TestSecondInstanceIsRefused(t *testing.T) {
	r := newRig(t)
	_, err := Open(r.cfg, Deps{Clock: r.clock.now})
	if fault.KindOf(err) != fault.Conflict {
		t.Errorf("%v", err)
	}
}

func TestBatchOverASegmentIsRefused(t *testing.T) {
	r := newRig(t)
	var b series.Batch
	for i := range 6000 {
		b.Add(name("a"), r.clock.ms()+int64(i), rand.Float64())
	}
	if err := r.s.Append(context.Background(), &b); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("%v", err)
	}
	if r.rec.abandoned != 1 {
		t.Errorf("abandoned %d times", r.rec.abandoned)
	}
}

// A flood of new series is bounded by the caps, and their definitions by the
// segments they must fit into.
func TestSeriesFloodIsBounded(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxSeries = 3000 })
	for from := 0; from < 5000; from += 500 {
		var b series.Batch
		for i := range 500 {
			b.Add(name("flood", "id", fmt.Sprint(from+i), "pad", fmt.Sprintf("%0200d", i)), r.clock.ms(), 1)
		}
		if err := r.s.Append(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
	}
	r.die()
	r.start(0)
	if st := r.s.Stats(); st.Series != 3000 {
		t.Errorf("%d series; %v", st.Series, r.s.Events())
	}
	if n := len(r.all(name("flood", "id", "2999", "pad", fmt.Sprintf("%0200d", 499)))); n != 1 {
		t.Errorf("%d points of the last series in", n)
	}
}

// Nothing of the hot path allocates once its series are known.
func TestAppendDoesNotAllocate(t *testing.T) {
	r := newRig(t, func(c *Config) { c.SegmentBytes, c.LogBytes, c.LogMaxBytes = 4<<20, 64<<20, 256<<20 })
	r.die()
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	r.rec = newRecorder()
	if err := r.s.Start(context.Background(), 0, quiet{}); err != nil {
		t.Fatal(err)
	}
	load := newLoad(1000, 1000)
	for range 300 { // heads have grown, and been sealed
		if err := load.send(r.s); err != nil {
			t.Fatal(err)
		}
	}
	allocs := testing.AllocsPerRun(200, func() {
		if err := load.send(r.s); err != nil {
			t.Error(err)
		}
	})
	// A chunk's bytes come from blocks of 64 KiB, a list of chunks grows by
	// doubling until the first cut: two in a hundred samples at the very most.
	if allocs > 20 {
		t.Errorf("%.1f allocations for a batch of 1000", allocs)
	}
	t.Logf("%.2f allocations for a batch of 1000", allocs)
}

// load sends rounds of samples of the same series.
type load struct {
	keys  [][]byte
	vals  []int64
	batch series.Batch
	at    int
	t     int64
	rng   *rand.Rand
	size  int
}

func newLoad(n, size int) *load {
	l := &load{rng: rand.New(rand.NewPCG(1, uint64(n))), t: time.Now().Add(-100 * time.Hour).UnixMilli(), size: size}
	for i := range n {
		k := series.AppendLabel(nil, "__name__", fmt.Sprint("metric_", i%100))
		k = series.AppendLabel(k, "host", fmt.Sprintf("host-%05d", i/100))
		k = series.AppendLabel(k, "region", "eu-1")
		l.keys = append(l.keys, series.AppendLabel(k, "service", "api"))
		l.vals = append(l.vals, int64(l.rng.IntN(10000))*100)
	}
	return l
}

func (l *load) fill() *series.Batch {
	b := &l.batch
	b.Reset()
	for range l.size {
		i := l.at
		switch i % 10 {
		case 0, 1, 2, 3, 4, 5:
			l.vals[i] += int64(l.rng.IntN(101)) - 50
		case 6, 7, 8:
			l.vals[i] += int64(l.rng.IntN(100)) * 100
		}
		n := uint32(len(b.Points))
		b.Points = append(b.Points, series.Point{T: l.t, V: float64(l.vals[i]) / 100})
		b.Items = append(b.Items, series.Item{Key: l.keys[i], Lo: n, Hi: n + 1})
		if l.at++; l.at == len(l.keys) {
			l.at = 0
			l.t += 15_000
		}
	}
	return b
}

func (l *load) send(s *Store) error {
	b := l.fill()
	if err := s.Append(context.Background(), b); err != nil {
		return err
	}
	if n := b.Accepted(); n != l.size {
		return fmt.Errorf("%d of %d accepted: %v", n, l.size, b.Items[0].Reason)
	}
	return nil
}
