package life

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vigil/engine/clock"
	"vigil/engine/policy"
)

var states = []policy.State{policy.StateOK, policy.StatePending, policy.StateFiring, policy.StateRecovering, policy.StateUnknown, policy.StateFlapping, policy.StateSuppressed}

func drawStamp(t *rapid.T, name string) clock.Stamp {
	if rapid.Bool().Draw(t, name+" never") {
		return clock.Stamp{}
	}
	return clock.Stamp{
		Wall: rapid.Int64Range(-1e17, 1e17).Draw(t, name), Boot: rapid.Int64Range(-10, 1e17).Draw(t, name+" boot"),
		BootID: rapid.SampledFrom([]string{"", "1eacb258-c4f6", "another"}).Draw(t, name+" id"),
	}
}

func drawLife(t *rapid.T) policy.Firing {
	f := policy.Firing{
		State: rapid.SampledFrom(states).Draw(t, "state"), Since: drawStamp(t, "since"), Fired: drawStamp(t, "fired"),
		True: drawStamp(t, "true"), False: drawStamp(t, "false"),
		By:   rapid.SampledFrom([]string{"", "db-down", "a b", "größe", `a"b`, `<\`}).Draw(t, "by"),
		Seen: rapid.Int64Range(0, 1e14).Draw(t, "seen"), SeenAt: drawStamp(t, "seen_at"), Known: drawStamp(t, "known"),
		Every: rapid.Int64Range(0, 1e6).Draw(t, "every"), Told: rapid.Bool().Draw(t, "told"),
		Recent: rapid.SliceOfN(rapid.Bool(), 0, 3).Draw(t, "recent"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		f.Changes = append(f.Changes, drawStamp(t, "change"))
	}
	if rapid.Bool().Draw(t, "over") {
		f.Before = rapid.SampledFrom(states).Draw(t, "before")
	}
	return f
}

// TestLifeIsReadAsJSONReadsIt: what is written is read, and is what json reads, whatever
// was read before; a text that was changed anywhere is left to json, or read as json
// reads it.
func TestLifeIsReadAsJSONReadsIt(t *testing.T) {
	var l Reader
	rapid.Check(t, func(t *rapid.T) {
		f := drawLife(t)
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		changed := rapid.IntRange(0, 3).Draw(t, "changed")
		for range changed {
			at := rapid.IntRange(0, len(text)).Draw(t, "at")
			with := rapid.SampledFrom([]string{"", "0", "1", ",", `"`, "}", "]", " ", "-", "e3", ".5", `\`, "\x01", `"x":1,`, "true"}).Draw(t, "with")
			text = text[:at] + with + text[min(len(text), at+rapid.IntRange(0, 2).Draw(t, "less")):]
		}
		var got, want policy.Firing
		read := l.Read(text, &got)
		err = json.Unmarshal([]byte(text), &want)
		if read && (err != nil || !reflect.DeepEqual(got, want)) {
			t.Fatalf("%s\nis read as  %+v\njson reads  %+v, %v", text, got, want, err)
		}
		plain := f.By == "" || !strings.ContainsAny(f.By, `ö"\`)
		if changed == 0 && read != plain {
			t.Fatalf("%s is read: %v", text, read)
		}
	})
}

// TestLivesKeepNoText: thousands of states hold neither the texts that they were read
// from nor an id of a boot each.
func TestLivesKeepNoText(t *testing.T) {
	s := clock.Stamp{Wall: 1_796_006_418_672_311, Boot: 50_085_620_540_768, BootID: "1eacb258-c4f6-43d6-84ed-410f98bfc188"}
	b, err := json.Marshal(policy.Firing{State: policy.StateFiring, Since: s, Fired: s, True: s, Known: s.Add(time.Second), Told: true})
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	var l Reader
	var f policy.Firing
	if !l.Read(text, &f) {
		t.Fatal("it is not read")
	}
	if over := strings.Replace(text, `"seen":0`, `"seen":9999999999999999999`, 1); l.Read(over, &f) {
		t.Errorf("%s is read", over)
	}
	if n := testing.AllocsPerRun(100, func() { f = policy.Firing{}; l.Read(text, &f) }); n > 0 {
		t.Errorf("%v allocations for a state", n)
	}
}

// TestNumbersThatJSONRefuses: what json calls damaged is not read as if it were whole.
func TestNumbersThatJSONRefuses(t *testing.T) {
	var l Reader
	for number, good := range map[string]bool{
		"0": true, "-7": true, "123456789012345678": true, "1234567890123456789": false, "01": false, "-01": false, "00": false, "": false, "-": false, "+1": false, "1.0": false, "1e3": false,
	} {
		text := `{"state":"ok","since":{"wall":` + number + `,"boot":0},"value":0,"seen":0}`
		var f policy.Firing
		if read := l.Read(text, &f); read != good {
			t.Errorf("%s is read: %v", text, read)
		}
	}
}
