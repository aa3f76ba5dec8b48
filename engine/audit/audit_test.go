package audit

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vigil/engine/clock"
	"vigil/engine/fault"
)

func drawRecord(t *rapid.T) Record {
	r := Record{
		At: clock.Stamp{
			Wall: rapid.Int64().Draw(t, "wall"), Boot: rapid.Int64().Draw(t, "boot"), BootID: rapid.String().Draw(t, "bootid"),
		},
		Actor:  rapid.String().Draw(t, "actor"),
		Verb:   rapid.SampledFrom([]string{"", "gate.hold", "attempt.start", "<b>&\u2028"}).Draw(t, "verb"),
		Object: rapid.String().Draw(t, "object"),
		Reason: string(rapid.SliceOfN(rapid.Byte(), 0, 12).Draw(t, "reason")),
	}
	switch rapid.IntRange(0, 3).Draw(t, "evidence") {
	case 1:
		r.Evidence = []byte(rapid.SampledFrom([]string{`{}`, `null`, `{"a":[1.50,"<x>\u2028é\u2028"]}`, ` {"a": 1}`, "{\n}", `"\ud800"`}).Draw(t, "json"))
	case 2:
		r.Evidence = rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes")
	case 3:
		r.Evidence = []byte{}
	}
	return r
}

func drawChain(t *rapid.T, atLeast int) []Record {
	n := rapid.IntRange(atLeast, 8).Draw(t, "n")
	var prev Hash
	rs := make([]Record, n)
	for i := range rs {
		r := drawRecord(t)
		r.Seq = int64(i + 1)
		rs[i] = Seal(prev, r)
		prev = rs[i].Hash
	}
	return rs
}

func check(rs []Record, from, known Head) error {
	v := NewVerifier(from)
	for _, r := range rs {
		if err := v.Next(r); err != nil {
			return err
		}
	}
	return v.End(known)
}

// TestChainAnyTamperingIsFound: whatever is done to one record of a chain, the
// verifier refuses it, and it never names a record that stands before the harm.
func TestChainAnyTamperingIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := drawChain(t, 2)
		known := rs[len(rs)-1].Head()
		if err := check(rs, Head{}, known); err != nil {
			t.Fatalf("a good chain is refused: %v", err)
		}
		i := rapid.IntRange(0, len(rs)-1).Draw(t, "at")
		bad := append([]Record(nil), rs...)
		harm := rs[i].Seq
		switch rapid.SampledFrom([]string{"edit", "reseal", "drop", "swap", "dup", "insert"}).Draw(t, "how") {
		case "edit":
			edit(t, &bad[i])
		case "reseal": // by somebody who knows the format but not what follows
			edit(t, &bad[i])
			p := bad[i].Prev
			bad[i] = Seal(p, bad[i])
		case "drop":
			bad = append(bad[:i:i], bad[i+1:]...)
		case "swap":
			j := rapid.IntRange(0, len(rs)-2).Draw(t, "with")
			if j >= i {
				j++
			}
			bad[i], bad[j] = bad[j], bad[i]
			harm = min(rs[i].Seq, rs[j].Seq)
		case "dup":
			bad = append(bad[:i+1:i+1], bad[i:]...)
			harm = rs[i].Seq
		case "insert":
			r := drawRecord(t)
			r.Seq = rs[i].Seq
			bad = append(bad[:i:i], append([]Record{Seal(rs[i].Prev, r)}, rs[i:]...)...)
		}
		if cmp.Equal(bad, rs) {
			return
		}
		err := check(bad, Head{}, known)
		var b *Broken
		if !errors.As(err, &b) || fault.KindOf(err) != fault.Corrupt {
			t.Fatalf("harm at %d was not found: %v", harm, err)
		}
		if b.Seq < harm || b.Problem == "" {
			t.Fatalf("harm at %d, but %+v", harm, b)
		}
	})
}

func edit(t *rapid.T, r *Record) {
	old := *r
	for cmp.Equal(old, *r) {
		switch rapid.IntRange(0, 9).Draw(t, "field") {
		case 0:
			r.Seq += rapid.Int64Range(-3, 3).Draw(t, "d")
		case 1:
			r.Prev[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case 2:
			r.Hash[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case 3:
			r.At.Wall++
		case 4:
			r.At.Boot--
		case 5:
			r.At.BootID += "x"
		case 6: // a character moves from one field to the next
			if r.Actor != "" {
				_, n := utf8.DecodeLastRuneInString(r.Actor)
				cut := len(r.Actor) - n
				r.Actor, r.Verb = r.Actor[:cut], r.Actor[cut:]+r.Verb
			}
		case 7:
			r.Object += "\x00"
		case 8:
			r.Reason = "x" + r.Reason
		case 9:
			r.Evidence = append([]byte("x"), r.Evidence...)
		}
	}
}

// TestChainCutIsFoundWithTheHead: a cut tail is found by whoever kept the head,
// and a pruned chain verifies from the head that was kept.
func TestChainCutIsFoundWithTheHead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := drawChain(t, 2)
		i := rapid.IntRange(1, len(rs)-1).Draw(t, "cut")
		if err := check(rs[:i], Head{}, rs[len(rs)-1].Head()); err == nil {
			t.Fatal("a cut tail passes")
		}
		if err := check(rs[i:], rs[i-1].Head(), rs[len(rs)-1].Head()); err != nil {
			t.Fatalf("a pruned chain is refused: %v", err)
		}
		if err := check(rs[i:], Head{Seq: int64(i)}, Head{}); err == nil {
			t.Fatal("a pruned chain passes from a head that is not its own")
		}
		v := LooseVerifier()
		for _, r := range rs[i:] {
			if err := v.Next(r); err != nil {
				t.Fatalf("a piece is refused: %v", err)
			}
		}
	})
}

func TestVerifierNamesTheProblem(t *testing.T) {
	var rs []Record
	var prev Hash
	for i := range 4 {
		r := Seal(prev, Record{Seq: int64(i + 1), Verb: "policy.put", Reason: strings.Repeat("r", i)})
		rs, prev = append(rs, r), r.Hash
	}
	edited := rs[1]
	edited.Reason = "another"
	for _, tc := range []struct {
		name string
		in   []Record
		end  Head
		seq  int64
		want Problem
	}{
		{"edited", []Record{rs[0], edited, rs[2]}, Head{}, 2, Edited},
		{"resealed", []Record{rs[0], Seal(rs[0].Hash, edited), rs[2]}, Head{}, 3, Foreign},
		{"dropped", []Record{rs[0], rs[2]}, Head{}, 2, Gap},
		{"dropped first", rs[1:], Head{}, 1, Gap},
		{"swapped", []Record{rs[0], rs[2], rs[1]}, Head{}, 2, Gap},
		{"twice", []Record{rs[0], rs[1], rs[1]}, Head{}, 3, Repeated},
		{"inserted", []Record{rs[0], Seal(Hash{7}, Record{Seq: 2}), rs[1]}, Head{}, 2, Foreign},
		{"cut", rs[:3], rs[3].Head(), 4, Short},
	} {
		var b *Broken
		if err := check(tc.in, Head{}, tc.end); !errors.As(err, &b) || b.Seq != tc.seq || b.Problem != tc.want {
			t.Errorf("%s: got %v, want %d %s", tc.name, err, tc.seq, tc.want)
		}
	}
}

// TestExportRoundTrip: an exported line gives back exactly the record, so the
// file verifies offline; and every single-byte change of a line is refused.
func TestExportRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := drawChain(t, 1)
		known := rs[len(rs)-1].Head()
		var b []byte
		for _, r := range rs {
			l := MarshalLine(r)
			if bytes.Count(l, []byte("\n")) != 1 || l[len(l)-1] != '\n' {
				t.Fatalf("not one line: %q", l)
			}
			got, err := ParseLine(l)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(r, got); d != "" {
				t.Fatal(d)
			}
			b = append(b, l...)
		}
		if err := VerifyExport(bytes.NewReader(b), NewVerifier(Head{}), known); err != nil {
			t.Fatal(err)
		}
		i := rapid.IntRange(0, len(b)-2).Draw(t, "at")
		b[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		if err := VerifyExport(bytes.NewReader(b), NewVerifier(Head{}), known); err == nil {
			t.Fatalf("a changed export passes: %s", b)
		}
	})
}

func TestParseLineRefuses(t *testing.T) {
	good := string(MarshalLine(Seal(Hash{}, Record{Seq: 1, Verb: "a.b"})))
	for name, l := range map[string]string{
		"empty": "", "not json": "hello", "array": "[1]", "two values": good + good,
		"spaced":       strings.Replace(good, `:`, `: `, 1),
		"extra":        strings.Replace(good, `{`, `{"x":1,`, 1),
		"second key":   strings.Replace(good, `{`, `{"seq":1,`, 1),
		"short hash":   strings.Replace(good, `"hash":"`, `"hash":"ab`, 1),
		"other time":   strings.Replace(good, "1970", "1971", 1),
		"both":         strings.Replace(good, `"prev"`, `"evidence":1,"evidence_base64":"MQ==","prev"`, 1),
		"deep":         `{"evidence":` + strings.Repeat("[", 20000),
		"beyond bound": strings.Repeat(" ", MaxLine+1),
	} {
		if r, err := ParseLine([]byte(l)); err == nil {
			t.Errorf("%s: read as %+v", name, r)
		}
	}
	if _, err := ParseLine([]byte(good)); err != nil {
		t.Error(err)
	}
}

// TestSealIsStable pins version 1 of the encoding: a chain written by an older
// vigild must verify for ever.
func TestSealIsStable(t *testing.T) {
	r := Record{
		Seq: 7, At: clock.Stamp{Wall: 1764000000000000, Boot: 12345, BootID: "b"}, Actor: "policy:web-slow",
		Verb: "attempt.start", Object: "attempt:1-17-2", Reason: "restart web.service", Evidence: []byte(`{"gates":[]}`),
	}
	const enc = "00000008" + "0000000000000001" +
		"00000020" + "0900000000000000000000000000000000000000000000000000000000000000" +
		"00000008" + "0000000000000007" + "00000008" + "0006445941624000" + "00000008" + "0000000000003039" + "00000001" + "62" +
		"0000000f" + "706f6c6963793a7765622d736c6f77" + "0000000d" + "617474656d70742e7374617274" +
		"0000000e" + "617474656d70743a312d31372d32" + "00000013" + "72657374617274207765622e73657276696365" +
		"0000000c" + "7b226761746573223a5b5d7d"
	r = Seal(Hash{9}, r)
	if got := hex.EncodeToString(appendRecord(nil, r)); got != enc {
		t.Errorf("encoding\n got %s\nwant %s", got, enc)
	}
}

func BenchmarkSeal(b *testing.B) {
	r := Record{Seq: 1, Actor: "policy:web-slow", Verb: "attempt.start", Object: "attempt:1-17-2", Evidence: bytes.Repeat([]byte("e"), 1024)}
	b.ReportAllocs()
	for b.Loop() {
		r = Seal(r.Hash, r)
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add(MarshalLine(Seal(Hash{}, Record{Seq: 1, Evidence: []byte(`{"a":1}`)})))
	f.Add(MarshalLine(Seal(Hash{}, Record{Seq: 1, Evidence: []byte(`{`)})))
	f.Fuzz(func(t *testing.T, l []byte) {
		r, err := ParseLine(l)
		if err == nil && !bytes.Equal(bytes.TrimSuffix(MarshalLine(r), []byte("\n")), bytes.TrimSuffix(l, []byte("\n"))) {
			t.Fatalf("two lines for one record: %q", l)
		}
	})
}
