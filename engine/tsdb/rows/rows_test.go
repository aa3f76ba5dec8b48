package rows

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"vigil/engine/series"
	"vigil/engine/tsdb/chunk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func conf(dir string) Config {
	return Config{
		Path: filepath.Join(dir, "samples.db"), Snapshots: filepath.Join(dir, "snapshots"),
		Quarantine: filepath.Join(dir, "quarantine"), Readers: 2, RowBytes: 3800, CheckBudget: time.Minute,
	}
}

func openDB(t testing.TB, cfg Config) *DB {
	t.Helper()
	d, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func pack(pts []series.Point) Packed {
	return Packed{pts[0].T, pts[len(pts)-1].T, len(pts), chunk.Append(nil, pts)}
}

func run(from, step int64, n int, v float64) []series.Point {
	var out []series.Point
	for i := range n {
		out = append(out, series.Point{T: from + int64(i)*step, V: v + float64(i)})
	}
	return out
}

// Whatever order chunks come in, every range reads what a plain map would say,
// and rows of a series never overlap.
func TestRowsReadWhatWasWrittenInAnyOrder(t *testing.T) {
	dir := t.TempDir()
	nth := 0
	rapid.Check(t, func(rt *rapid.T) {
		nth++
		cfg := conf(filepath.Join(dir, time.Now().Format("150405.000000000")))
		cfg.RowBytes = rapid.SampledFrom([]int{60, 300, 960}).Draw(rt, "row bytes")
		d, err := Open(t.Context(), cfg)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { d.Close() }()
		model := map[int64]float64{}
		era := uint32(1)
		cut := int64(math.MinInt64)
		for range rapid.IntRange(1, 8).Draw(rt, "writes") {
			put := Put{Ref: 5, Cut: 9, Newest: 77}
			for range rapid.IntRange(1, 3).Draw(rt, "chunks") {
				pts := run(rapid.Int64Range(0, 3000).Draw(rt, "from"), rapid.Int64Range(1, 9).Draw(rt, "step"),
					rapid.IntRange(1, 120).Draw(rt, "n"), rapid.Float64Range(-5, 5).Draw(rt, "v"))
				put.Chunks = append(put.Chunks, pack(pts))
				for _, p := range pts {
					model[p.T] = p.V
				}
			}
			era += uint32(rapid.IntRange(0, 1).Draw(rt, "era"))
			put.Era = era
			if err := d.Write(t.Context(), nil, []Put{put}, nil); err != nil {
				rt.Fatal(err)
			}
			switch rapid.IntRange(0, 4).Draw(rt, "then") {
			case 0:
				if err := d.Close(); err != nil {
					rt.Fatal(err)
				}
				if d, err = Open(t.Context(), cfg); err != nil {
					rt.Fatal(err)
				}
			case 1:
				before := rapid.Int64Range(0, 2000).Draw(rt, "before")
				if _, _, _, err := d.Delete(t.Context(), before, rapid.IntRange(1, 9).Draw(rt, "limit")); err != nil {
					rt.Fatal(err)
				}
				cut = max(cut, before)
			}
		}
		got, err := d.Read(t.Context(), nil, 5, math.MinInt64, math.MaxInt64)
		if err != nil {
			rt.Fatal(err)
		}
		// Retention may or may not have taken what lies before cut; nothing else.
		have := map[int64]float64{}
		for i, p := range got {
			if i > 0 && got[i-1].T >= p.T {
				rt.Fatalf("time %d after %d", p.T, got[i-1].T)
			}
			have[p.T] = p.V
		}
		for at, v := range model {
			if h, ok := have[at]; (!ok && at >= cut) || (ok && h != v && at >= cut) {
				rt.Fatalf("at %d: %v (%v), want %v", at, h, ok, v)
			}
		}
		for at := range have {
			if _, ok := model[at]; !ok {
				rt.Fatalf("a point at %d that nobody wrote", at)
			}
		}
		lo := rapid.Int64Range(-10, 4000).Draw(rt, "lo")
		hi := lo + rapid.Int64Range(0, 4000).Draw(rt, "width")
		part, err := d.Read(t.Context(), nil, 5, lo, hi)
		if err != nil {
			rt.Fatal(err)
		}
		var want []series.Point
		for _, p := range got {
			if p.T > lo && p.T <= hi {
				want = append(want, p)
			}
		}
		if diff := cmp.Diff(want, part, cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("(%d, %d]: %s", lo, hi, diff)
		}
	})
}

func TestStateComesBack(t *testing.T) {
	cfg := conf(t.TempDir())
	d := openDB(t, cfg)
	want := Meta{Horizon: 1 << 63, Generation: 2, Seq: 3, NextRef: 4, Era: 5, Confirmed: 6, Wall: -7}
	defs := []Series{{1, "t", []byte("a")}, {2, "", []byte("b\x00c")}}
	if err := d.Write(t.Context(), defs, []Put{{Ref: 1, Chunks: []Packed{pack(run(1, 1, 5, 0))}, Cut: 42, Era: 2, Newest: 5}}, &want); err != nil {
		t.Fatal(err)
	}
	tail := d.tail(1)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = openDB(t, cfg)
	got, err := d.LoadMeta(t.Context())
	if err != nil || got != want {
		t.Errorf("meta %+v and %v, want %+v", got, err, want)
	}
	if d.tail(1) != tail || tail.Cut != 42 || tail.MinT != 1 || tail.MaxT != 5 {
		t.Errorf("tail %+v, was %+v", d.tail(1), tail)
	}
	var back []Series
	err = d.LoadSeries(t.Context(), func(s Series) error {
		s.Key = slices.Clone(s.Key)
		back = append(back, s)
		return nil
	})
	if diff := cmp.Diff(defs, back); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// The rules of the design for every connection.
func TestEveryConnectionHasTheRules(t *testing.T) {
	d := openDB(t, conf(t.TempDir()))
	want := map[string]string{"journal_mode": "wal", "synchronous": "2", "trusted_schema": "0", "mmap_size": "0", "cell_size_check": "1", "busy_timeout": "5000"}
	for name, v := range want {
		var w, r string
		if err := d.w.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&w); err != nil {
			t.Fatal(name, err)
		}
		if err := d.r.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&r); err != nil {
			t.Fatal(name, err)
		}
		if w != v || r != v && name != "synchronous" {
			t.Errorf("%s: writer %s, reader %s, want %s", name, w, r, v)
		}
	}
	var vacuum int
	if err := d.w.QueryRowContext(t.Context(), "PRAGMA auto_vacuum").Scan(&vacuum); err != nil || vacuum != 2 {
		t.Errorf("auto_vacuum %d, %v", vacuum, err)
	}
	if _, err := d.r.ExecContext(t.Context(), "DELETE FROM meta"); err == nil {
		t.Error("a reader may write")
	}
}

func TestNewerSchemaIsRefusedAndNothingChanges(t *testing.T) {
	cfg := conf(t.TempDir())
	d := openDB(t, cfg)
	if _, err := d.w.ExecContext(t.Context(), "PRAGMA user_version=99"); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), cfg); err == nil {
		t.Fatal("schema 99 was opened")
	}
	after, err := os.ReadFile(cfg.Path)
	if err != nil || !slices.Equal(before, after) {
		t.Error("the file changed", err)
	}
}

// damage spoils a closed database in one way.
func TestDamagedDatabaseIsSetAsideAndTheSnapshotTakesItsPlace(t *testing.T) {
	pts := run(0, 10, 120, 1)
	build := func(t *testing.T, snapshot bool) Config {
		cfg := conf(t.TempDir())
		d, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		var puts []Put
		for ref := series.Ref(1); ref < 200; ref++ {
			puts = append(puts, Put{Ref: ref, Chunks: []Packed{pack(pts)}})
		}
		if err := d.Write(t.Context(), nil, puts, nil); err != nil {
			t.Fatal(err)
		}
		if snapshot {
			if err := os.MkdirAll(cfg.Snapshots, 0o700); err != nil {
				t.Fatal(err)
			}
			for _, n := range []string{"1", "2"} {
				if err := d.Snapshot(t.Context(), filepath.Join(cfg.Snapshots, SnapshotPrefix+n+snapshotSuffix)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	spoil := func(t *testing.T, path string, change func([]byte) []byte) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func([]byte) []byte{
		"header flipped": func(b []byte) []byte { b[3] ^= 0x10; return b },
		"zeroed":         func(b []byte) []byte { clear(b); return b },
		"a page zeroed":  func(b []byte) []byte { clear(b[32768:49152]); return b },
		"truncated":      func(b []byte) []byte { return b[:len(b)/2/4096*4096] },
		"cut off oddly":  func(b []byte) []byte { return b[:5000] },
		"emptied":        func([]byte) []byte { return nil },
		"not a database": func([]byte) []byte { return []byte("hello, this is a text file and nothing else") },
	} {
		for _, snapshot := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				cfg := build(t, snapshot)
				spoil(t, cfg.Path, change)
				if name == "zeroed" && snapshot { // then the newest snapshot is bad as well
					spoil(t, filepath.Join(cfg.Snapshots, "samples-2.db"), change)
				}
				d := openDB(t, cfg)
				got, err := d.Read(t.Context(), nil, 7, math.MinInt64, math.MaxInt64)
				if err != nil {
					t.Fatal(err)
				}
				es := d.Events()
				want := 0
				if snapshot {
					want = 120
				}
				if len(got) != want {
					t.Errorf("%d points, want %d; events %v", len(got), want, es)
				}
				if name == "emptied" && !snapshot {
					return // SQLite and we call that a new database; the log's floor tells
				}
				if len(es) < 2 || es[0].Kind != "quarantined" {
					t.Errorf("events %v", es)
				}
				if aside, _ := os.ReadDir(cfg.Quarantine); len(aside) == 0 {
					t.Error("nothing was set aside")
				}
				if err := d.Write(t.Context(), nil, []Put{{Ref: 1, Chunks: []Packed{pack(run(5000, 10, 5, 1))}}}, nil); err != nil {
					t.Errorf("it cannot be written to: %v", err)
				}
			})
		}
	}
}

func TestRestoreSetsTheOldOneAside(t *testing.T) {
	cfg := conf(t.TempDir())
	d := openDB(t, cfg)
	put := func(from int64) {
		if err := d.Write(t.Context(), nil, []Put{{Ref: 1, Chunks: []Packed{pack(run(from, 1, 10, 0))}}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	put(0)
	snap := filepath.Join(t.TempDir(), "copy.db")
	if err := d.Snapshot(t.Context(), snap); err != nil {
		t.Fatal(err)
	}
	put(100)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Restore(t.Context(), cfg, snap); err != nil {
		t.Fatal(err)
	}
	d = openDB(t, cfg)
	got, err := d.Read(t.Context(), nil, 1, -1, 1000)
	if err != nil || len(got) != 10 {
		t.Errorf("%d points and %v, want the 10 of the snapshot", len(got), err)
	}
	if err := os.WriteFile(snap, []byte("no"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Restore(t.Context(), cfg, snap); err == nil {
		t.Error("a damaged snapshot was restored")
	}
}

// mixed data of the design, cut every `per` samples of each series.
func BenchmarkBytesPerSample(b *testing.B) {
	for _, rowBytes := range []int{460, 960, 1900, 3800} {
		b.Run(time.Duration(rowBytes).String(), func(b *testing.B) {
			for b.Loop() {
				cfg := conf(b.TempDir())
				cfg.RowBytes = rowBytes
				d, err := Open(context.Background(), cfg)
				if err != nil {
					b.Fatal(err)
				}
				const n, per, total = 1000, 480, 2880
				last := make([]int64, n)
				rng := rand.New(rand.NewPCG(1, 2))
				for from := 0; from < total; from += per {
					var puts []Put
					for i := range n {
						p := Put{Ref: series.Ref(i + 1)}
						for c := 0; c < per; c += 120 {
							pts := make([]series.Point, 120)
							for j := range pts {
								switch i % 10 {
								case 0, 1, 2, 3, 4, 5:
									last[i] += int64(rng.IntN(101)) - 50
								case 6, 7, 8:
									last[i] += int64(rng.IntN(100)) * 100
								}
								pts[j] = series.Point{T: 1_700_000_000_000 + int64(from+c+j)*15000, V: float64(last[i]) / 100}
							}
							p.Chunks = append(p.Chunks, pack(pts))
						}
						puts = append(puts, p)
					}
					if err := d.Write(context.Background(), nil, puts, nil); err != nil {
						b.Fatal(err)
					}
				}
				st := d.Stats()
				if err := d.Close(); err != nil {
					b.Fatal(err)
				}
				fi, err := os.Stat(cfg.Path)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(fi.Size())/n/total, "B/sample")
				b.ReportMetric(float64(st.BytesWritten)/n/total, "written/sample")
			}
		})
	}
}
