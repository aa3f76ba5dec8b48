package pack_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"pgregory.net/rapid"

	"vigil/engine/fault"
	"vigil/gitwatch/gittest"
	"vigil/gitwatch/pack"
)

// TestPacksOfGitAreReadAsGitReadsThem: deltas in chains, by offset and by
// reference; every object has git's bytes, and what we write git takes.
func TestPacksOfGitAreReadAsGitReadsThem(t *testing.T) {
	d := gittest.Repo(t)
	text := bytes.Repeat([]byte("a line that stays\n"), 200)
	for i := range 30 {
		text = append(text, byte('a'+i%26), '\n')
		if err := os.WriteFile(filepath.Join(d.Path, "file"), text, 0o644); err != nil {
			t.Fatal(err)
		}
		d.Commit("c", "")
	}
	for _, offsets := range []string{"true", "false"} {
		d.Git("-c", "repack.useDeltaBaseOffset="+offsets, "repack", "-q", "-a", "-d", "-f", "--depth=40", "--window=40")
		packs, err := filepath.Glob(filepath.Join(d.Path, ".git/objects/pack/*.pack"))
		if err != nil || len(packs) != 1 {
			t.Fatalf("%v %v", packs, err)
		}
		raw, err := os.ReadFile(packs[0])
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "p")
		if err := os.WriteFile(name+".pack", raw, 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := pack.Index(context.Background(), name, pack.Defaults())
		if err != nil || n != 90 {
			t.Fatalf("%d objects, %v", n, err)
		}
		d.Git("verify-pack", name+".idx")
		p, err := pack.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		s := pack.NewSet(pack.Defaults(), p)
		p.Release()
		all := append([]plumbing.Hash(nil), s.Packs()[0].Hashes()...)
		for _, h := range all {
			kind, data, err := s.Get(h)
			if err != nil {
				t.Fatal(err)
			}
			if k, err := s.Kind(h); err != nil || k != kind {
				t.Errorf("%s is a %s and a %s, %v", h, kind, k, err)
			}
			if plumbing.ComputeHash(kind, data) != h {
				t.Errorf("%s has other bytes", h)
			}
		}
		// A part of it, copied: deltas whose base is left out become whole.
		s.Sort(all)
		part := all[len(all)/3:]
		in := map[plumbing.Hash]bool{}
		for _, h := range part {
			in[h] = true
		}
		for _, byDistance := range []bool{true, false} {
			var b bytes.Buffer
			w, err := pack.NewWriter(&b, uint32(len(part)))
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range part {
				if err := w.Copy(s, h, func(h plumbing.Hash) bool { return in[h] }, byDistance); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := w.Close(); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(t.TempDir(), "out.pack")
			if err := os.WriteFile(out, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			d.Git("index-pack", "--strict", out)
		}
		s.Close()
	}
}

// TestDamageIsNeverReadAsTruth: one bit of a sound pack flipped; it is refused
// when it comes in, and when it lies there already, reading says Corrupt or gives
// the right bytes.
func TestDamageIsNeverReadAsTruth(t *testing.T) {
	d := gittest.Repo(t)
	d.Import("main", "-- a --\nsome text, long enough to be deflated, some text\n-- b --\nother\n", "-- a --\nsome text, long enough to be deflated, some text, more\n")
	d.Git("repack", "-q", "-a", "-d", "-f")
	packs, _ := filepath.Glob(filepath.Join(d.Path, ".git/objects/pack/*.pack"))
	raw, err := os.ReadFile(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "sound")
	if err := os.WriteFile(name+".pack", raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pack.Index(context.Background(), name, pack.Defaults()); err != nil {
		t.Fatal(err)
	}
	idx, err := os.ReadFile(name + ".idx")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		i := rapid.IntRange(0, len(raw)*8-1).Draw(rt, "bit")
		bad := bytes.Clone(raw)
		bad[i/8] ^= 1 << (i % 8)
		name := filepath.Join(dir, "bad")
		os.Remove(name + ".idx")
		if err := os.WriteFile(name+".pack", bad, 0o600); err != nil {
			rt.Fatal(err)
		}
		if _, err := pack.Index(context.Background(), name, pack.Defaults()); err == nil {
			rt.Fatal("a damaged pack is taken")
		} else if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
			rt.Fatalf("%v: %v", k, err)
		}
		os.Remove(name + ".idx")
		if err := os.WriteFile(name+".idx", idx, 0o600); err != nil {
			rt.Fatal(err)
		}
		p, err := pack.Open(name)
		if err != nil {
			return
		}
		s := pack.NewSet(pack.Defaults(), p)
		p.Release()
		defer s.Close()
		for _, h := range p.Hashes() {
			kind, data, err := s.Get(h)
			if err == nil && plumbing.ComputeHash(kind, data) != h {
				rt.Fatal("damage is read as truth")
			}
			if k := fault.KindOf(err); err != nil && k != fault.Corrupt && k != fault.TooLarge {
				rt.Fatalf("%v: %v", k, err)
			}
		}
	})
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x00\x02\x9d\x08\x82\x3b\xd8\xa8\xea\xb5\x10\xad\x6a\xc7\x5c\x82\x3c\xfd\x3e\xd3\x1e"))
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\x33x\x9cKLJ\x06\x00\x02M\x01'"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, raw []byte) {
		name := filepath.Join(dir, "p")
		os.Remove(name + ".idx")
		if err := os.WriteFile(name+".pack", raw, 0o600); err != nil {
			t.Fatal(err)
		}
		caps := pack.Defaults()
		caps.Object, caps.Inflated = 1<<20, 4<<20
		_, err := pack.Index(context.Background(), name, caps)
		var named *fault.Error
		if err != nil && !errors.As(err, &named) {
			t.Fatalf("an error without a kind: %v", err)
		}
	})
}
