package wal_test

import (
	"slices"
	"testing"

	"vigil/engine/tsdb/wal"
	"vigil/engine/tsdb/wal/waltest"
)

// TestLogNoticesThatAFileIsGone: whatever is done to the files of a log in use,
// nothing is acknowledged into one that the next start will not find, what was in it
// is told, and the log goes on by itself.
func TestLogNoticesThatAFileIsGone(t *testing.T) {
	all := func(d *waltest.Disk, f func(name string) error) error {
		names, _ := d.List("log")
		slices.Sort(names)
		for _, n := range names {
			if err := f("log/" + n); err != nil {
				return err
			}
		}
		return nil
	}
	replace := func(d *waltest.Disk, name string) error {
		c, err := d.Open("copy", true)
		if err == nil {
			_, err = c.WriteAt(slices.Clone(d.Content(name)), 0)
		}
		if err == nil {
			err = d.Rename("copy", name)
		}
		return err
	}
	for name, tc := range map[string]struct {
		spoil  func(d *waltest.Disk) error
		look   bool   // the check comes before the next record
		lost   uint64 // positions that are told, of 30
		silent bool   // nothing that was acknowledged is in question
	}{
		"the current one":            {func(d *waltest.Disk) error { return d.Remove("log/seg-000005") }, false, 2, false},
		"the current one, looked at": {func(d *waltest.Disk) error { return d.Remove("log/seg-000005") }, true, 2, false},
		"one that is full":           {func(d *waltest.Disk) error { return d.Remove("log/seg-000002") }, true, 7, false},
		"one put in its place":       {func(d *waltest.Disk) error { return replace(d, "log/seg-000005") }, true, 2, false},
		"moved":                      {func(d *waltest.Disk) error { return d.Rename("log/seg-000003", "log/was-3") }, true, 7, false},
		"all":                        {func(d *waltest.Disk) error { return all(d, d.Remove) }, false, 30, false},
		"all, looked at":             {func(d *waltest.Disk) error { return all(d, d.Remove) }, true, 30, false},
		"the spare one":              {func(d *waltest.Disk) error { return d.Remove("log/seg-000006") }, true, 0, true},
		"the spare one replaced":     {func(d *waltest.Disk) error { return replace(d, "log/seg-000006") }, true, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := waltest.New()
			l, _, _ := open(t, d, wal.Floor{})
			for range 30 {
				if _, err := write(l, 500, 1); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.Prepare(); err != nil {
				t.Fatal(err)
			}
			if err := tc.spoil(d); err != nil {
				t.Fatal(err)
			}
			if tc.look {
				if err := l.Check(); err != nil {
					t.Fatal(err)
				}
			} else if _, err := write(l, 10, 1); err == nil {
				t.Fatal("a record was acknowledged into a file that is not there")
			}
			if failed := l.Fault() != nil; failed == tc.silent {
				t.Fatalf("the log says %v", l.Fault())
			}
			ds, err := l.Repair()
			if err != nil {
				t.Fatal(err)
			}
			var lost uint64
			for _, x := range ds {
				if x.Kind != wal.Removed {
					t.Errorf("damage %v", x)
				}
				lost += x.To - x.From
			}
			if lost != tc.lost {
				t.Errorf("%d positions are told as lost, want %d: %v", lost, tc.lost, ds)
			}
			pos := l.Position()
			floor := wal.Floor{Generation: l.Keeps(pos, l.Seq()), Position: pos, Seq: l.Seq()} // the owner has cut
			if err := l.Release(floor.Generation); err != nil {
				t.Fatal(err)
			}
			for range 30 {
				if _, err := write(l, 500, 1); err != nil {
					t.Fatal(err)
				}
				if err := l.Check(); err != nil || l.Fault() != nil {
					t.Fatalf("%v, %v", err, l.Fault())
				}
			}
			if _, got, ds := open(t, d, floor); len(ds) != 0 || len(got) < 30 || got[len(got)-30].pos != pos {
				t.Errorf("%d records and %v after the next start", len(got), ds)
			}
		})
	}
}
