package guard_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vigil/api/guard"
	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
)

// drawer is tokens in memory.
type drawer struct {
	tokens []engine.Token
	used   []string
}

func (d *drawer) TokenByHash(context.Context, [32]byte) (engine.Token, error) {
	return engine.Token{}, fault.New(fault.NotFound, "no")
}
func (d *drawer) Tokens(context.Context) ([]engine.Token, error) { return d.tokens, nil }
func (d *drawer) PutToken(_ context.Context, _ string, t engine.Token) error {
	d.tokens = append(d.tokens, t)
	return nil
}
func (d *drawer) DeleteToken(context.Context, string, string) error { d.tokens = nil; return nil }
func (d *drawer) TokenUsed(name string, _ clock.Stamp)              { d.used = append(d.used, name) }

// hand is a clock that is set by hand.
type hand struct{ now clock.Stamp }

func (h *hand) clock() clock.Stamp { return h.now }

// TestExpiryIsNotUndoneByAClockSetBack: once seen as expired, always expired.
func TestExpiryIsNotUndoneByAClockSetBack(t *testing.T) {
	h := &hand{clock.Stamp{Wall: 1_700_000_000_000_000, Boot: 1, BootID: "b"}}
	d := &drawer{}
	k, err := guard.NewKeyring(d, nil, h.clock)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := k.Create(t.Context(), "me", "ci", "viewer", h.now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Find(secret); err != nil || len(d.used) != 1 {
		t.Fatal(err, d.used)
	}
	h.now = h.now.Add(time.Hour)
	if _, err := k.Find(secret); fault.KindOf(err) != fault.Unauthenticated {
		t.Error("still good at its end:", err)
	}
	h.now.Wall -= (10 * 365 * 24 * time.Hour).Microseconds()
	if _, err := k.Find(secret); fault.KindOf(err) != fault.Unauthenticated {
		t.Error("good again after the clock was set back:", err)
	}
}

// TestTokensAreStoredAsHashes: the store never sees a secret, and two secrets
// are never alike.
func TestTokensAreStoredAsHashes(t *testing.T) {
	d := &drawer{}
	k, _ := guard.NewKeyring(d, nil, clock.System())
	seen := map[string]bool{}
	for i := range 100 {
		tok, secret, err := k.Create(t.Context(), "me", fmt.Sprintf("t%d", i), "pusher", clock.Stamp{})
		if err != nil || seen[secret] || len(secret) < 43 || tok.Hash != guard.Hash(secret) {
			t.Fatal(err, secret)
		}
		seen[secret] = true
	}
	stored := fmt.Sprintf("%v", d.tokens)
	for secret := range seen {
		if strings.Contains(stored, secret) || strings.Contains(stored, secret[4:]) {
			t.Error("a secret is stored")
		}
	}
}

// TestTokensMadeAtOnceAreAllKnown: no picture of the store that was read earlier
// replaces a later one.
func TestTokensMadeAtOnceAreAllKnown(t *testing.T) {
	d := &drawer{}
	k, _ := guard.NewKeyring(d, nil, clock.System())
	secrets := make([]string, 32)
	var wg sync.WaitGroup
	for i := range secrets {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, secrets[i], _ = k.Create(t.Context(), "me", fmt.Sprintf("t%d", i), "viewer", clock.Stamp{})
			_ = k.Load(t.Context())
		}()
	}
	wg.Wait()
	for i, s := range secrets {
		if _, err := k.Find(s); err != nil {
			t.Errorf("token %d: %v", i, err)
		}
	}
}

// TestFirstToken: made once, readable by its owner alone, and it opens.
func TestFirstToken(t *testing.T) {
	d := &drawer{}
	k, _ := guard.NewKeyring(d, nil, clock.System())
	path := filepath.Join(t.TempDir(), "admin.token")
	if err := os.WriteFile(path, []byte("left over"), 0o644); err != nil {
		t.Fatal(err)
	}
	made, err := k.First(t.Context(), path)
	if err != nil || !made {
		t.Fatal(made, err)
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Error(fi.Mode(), err)
	}
	b, _ := os.ReadFile(path)
	if tok, err := k.Find(string(b[:len(b)-1])); err != nil || tok.Role != "admin" {
		t.Error(tok, err)
	}
	if made, err := k.First(t.Context(), path); made || err != nil {
		t.Error("made twice", err)
	}
}

// TestRoleNamesOfTokens refuses what is no role and no name.
func TestRoleNamesOfTokens(t *testing.T) {
	k, _ := guard.NewKeyring(&drawer{}, []engine.Token{{Name: "fixed", Role: "viewer"}}, clock.System())
	for _, tc := range [][2]string{{"a", "god"}, {"a", "guest"}, {"a", "nobody"}, {"", "viewer"}, {"-a", "viewer"}, {"a b", "viewer"}, {"a/../b", "viewer"}, {"fixed", "viewer"}} {
		if _, _, err := k.Create(t.Context(), "me", tc[0], tc[1], clock.Stamp{}); err == nil {
			t.Errorf("%q as %q was made", tc[0], tc[1])
		}
	}
	if err := k.Delete(t.Context(), "me", "fixed"); fault.KindOf(err) != fault.Conflict {
		t.Error(err)
	}
}

// TestLimiterNeverLetsMoreThroughThanItSays, against a plain model, whatever the
// clock does and however many callers come.
func TestLimiterNeverLetsMoreThroughThanItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &hand{clock.Stamp{Boot: 1}}
		l := guard.NewLimiter(h.clock, 8)
		type win struct {
			start int64
			n     int
		}
		model := map[string]*win{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			h.now.Boot += rapid.Int64Range(0, int64(400*time.Millisecond)).Draw(t, "dt")
			h.now.Wall += rapid.Int64Range(-1e15, 1e15).Draw(t, "wall") // must not matter
			key := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
			w := model[key]
			if w == nil || h.now.Boot-w.start >= int64(time.Second) {
				w = &win{start: h.now.Boot}
				model[key] = w
			}
			v := l.Take(key, 3, time.Second)
			if want := w.n < 3; v.OK != want {
				t.Fatalf("%s: %v, want %v", key, v, want)
			}
			if v.OK {
				w.n++
			}
			if v.Remaining != 3-w.n || v.Reset <= 0 || v.Reset > time.Second {
				t.Fatalf("%+v", v)
			}
		}
	})
}

// TestLimiterMemoryIsBounded: a flood of addresses shares one count and leaves
// the counts of those who were there alone.
func TestLimiterMemoryIsBounded(t *testing.T) {
	h := &hand{clock.Stamp{Boot: 1}}
	l := guard.NewLimiter(h.clock, 4)
	for range 3 {
		l.Take("old", 3, time.Minute)
	}
	passed := 0
	for i := range 1000 {
		if l.Take(fmt.Sprint("flood", i), 3, time.Minute).OK {
			passed++
		}
	}
	if passed > 3*5 {
		t.Errorf("%d of the flood passed", passed)
	}
	if l.Take("old", 3, time.Minute).OK {
		t.Error("the flood reset another's count")
	}
	h.now.Boot += int64(time.Minute)
	if !l.Take("new", 3, time.Minute).OK {
		t.Error("windows that are over are kept")
	}
}

func TestKeyOfAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "::1": "loopback", "127.0.0.1": "loopback", "127.255.3.4": "loopback", "::ffff:127.0.0.2": "loopback",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::9": "2001:db8:1:2::/64",
	} {
		if got := guard.Key(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// FuzzBearer: no header makes it panic, and only a secret that stands in it
// comes out.
func FuzzBearer(f *testing.F) {
	for _, s := range []string{"", "Bearer x", "bearer  y ", "Token z", "Basic eA==", "Bearer", "Bearer \x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, h string) {
		secret, given, err := guard.Bearer(h)
		if given != (h != "") || err == nil && given && secret == "" || err != nil && secret != "" {
			t.Fatalf("%q: %q %v %v", h, secret, given, err)
		}
	})
}

// FuzzPassword: as FuzzBearer, for what git sends.
func FuzzPassword(f *testing.F) {
	for _, s := range []string{"", "Basic dTpw", "Basic dTo=", "Basic dQ==", "Basic \x00", "basic  dTpwOnE=", "Bearer x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, h string) {
		secret, given, err := guard.Password(h)
		if err == nil && given != (secret != "") || err != nil && secret != "" {
			t.Fatalf("%q: %q %v %v", h, secret, given, err)
		}
	})
}

// TestDoorByWhereTheCallerStands: what a caller without a credential may do,
// for every mode and place, at the door itself (a test cannot come from outside).
func TestDoorByWhereTheCallerStands(t *testing.T) {
	outside := netip.MustParseAddr("203.0.113.7")
	near := netip.MustParseAddr("127.0.0.1")
	for _, tc := range []struct {
		mode   guard.Mode
		peer   guard.Peer
		header string
		may    string
	}{
		{guard.Auto, guard.Peer{Addr: near, Loopback: true, UID: -1}, "", "anyone read ingest"},
		{guard.Auto, guard.Peer{Addr: near, Loopback: true, UID: -1}, "X-Forwarded-For", "anyone"},
		{guard.Auto, guard.Peer{Addr: near, Loopback: true, UID: -1}, "Forwarded", "anyone"},
		{guard.Auto, guard.Peer{Addr: near, Loopback: true, UID: -1}, "Via", "anyone"},
		{guard.Auto, guard.Peer{Addr: outside, UID: -1}, "", "anyone"},
		{guard.Auto, guard.Peer{UID: -1}, "", "anyone"},
		{guard.TokenMode, guard.Peer{Addr: near, Loopback: true, UID: -1}, "", "anyone"},
		{guard.TokenMode, guard.Peer{Addr: outside, UID: -1}, "", "anyone"},
		{guard.OpenMode, guard.Peer{Addr: near, Loopback: true, UID: -1}, "", "anyone read ingest operate administer fetch push"},
		{guard.TokenMode, guard.Peer{Unix: true, UID: 0}, "", "anyone read ingest operate administer fetch push"},
		{guard.TokenMode, guard.Peer{Unix: true, UID: 1234}, "", "anyone read ingest operate administer fetch push"},
		{guard.OpenMode, guard.Peer{Unix: true, UID: 4321}, "", "anyone"},
		{guard.OpenMode, guard.Peer{Unix: true, UID: -1}, "", "anyone"},
		{"", guard.Peer{Addr: near, Loopback: true, UID: -1}, "", "anyone"},
	} {
		k, _ := guard.NewKeyring(&drawer{}, nil, clock.System())
		d := guard.NewDoor(tc.mode, k, 1234, clock.System())
		r := httptest.NewRequest("GET", "/", nil)
		if tc.header != "" {
			r.Header.Set(tc.header, "x")
		}
		var got []string
		for p := guard.Undeclared; p <= guard.Push; p++ {
			c, err := d.Admit(r, tc.peer, p)
			if err == nil {
				got = append(got, p.String())
			}
			if err == nil && p != guard.Anyone && c.Actor == "" {
				t.Errorf("%s: let in without a name", p)
			}
		}
		if s := strings.Join(got, " "); s != tc.may {
			t.Errorf("%s %+v %s: may %q, want %q", tc.mode, tc.peer, tc.header, s, tc.may)
		}
	}
}

// TestDeletedTokenIsRefusedAtOnce: not only by the next process.
func TestDeletedTokenIsRefusedAtOnce(t *testing.T) {
	k, err := guard.NewKeyring(&drawer{}, nil, clock.System())
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := k.Create(t.Context(), "me", "ci", "viewer", clock.Stamp{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Find(secret); err != nil {
		t.Fatal(err)
	}
	if err := k.Delete(t.Context(), "me", "ci"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Find(secret); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("it still opens: %v", err)
	}
}

// TestWrongCredentialsAreCounted: who guesses is told to wait, and for how long; a
// right token and other addresses are let in meanwhile, and so is the guesser later.
func TestWrongCredentialsAreCounted(t *testing.T) {
	h := &hand{clock.Stamp{Wall: 1_700_000_000_000_000, Boot: int64(time.Hour), BootID: "b"}}
	k, err := guard.NewKeyring(&drawer{}, nil, h.clock)
	if err != nil {
		t.Fatal(err)
	}
	_, right, err := k.Create(t.Context(), "me", "ci", "viewer", clock.Stamp{})
	if err != nil {
		t.Fatal(err)
	}
	d := guard.NewDoor(guard.TokenMode, k, 0, h.clock)
	ask := func(from, secret string) error {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+secret)
		_, err := d.Admit(r, guard.Peer{Addr: netip.MustParseAddr(from), UID: -1}, guard.Read)
		return err
	}
	const many = 30
	for i := range many {
		if err := ask("192.0.2.1", fmt.Sprint("guess", i)); fault.KindOf(err) != fault.Unauthenticated {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	err = ask("192.0.2.1", "guess")
	if f := (*fault.Error)(nil); fault.KindOf(err) != fault.Exhausted || !errors.As(err, &f) || f.RetryAfter <= 0 || f.RetryAfter > time.Minute {
		t.Errorf("guess %d: %v", many, err)
	}
	if err := ask("192.0.2.1", right); err != nil {
		t.Errorf("the right one from there: %v", err)
	}
	if err := ask("192.0.2.2", "guess"); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("from elsewhere: %v", err)
	}
	h.now = h.now.Add(time.Minute)
	if err := ask("192.0.2.1", "guess"); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("a minute later: %v", err)
	}
}

// TestPeerOfBothEnds: loopback is loopback at both ends, in each of its spellings.
func TestPeerOfBothEnds(t *testing.T) {
	at := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 1} }
	for _, tc := range []struct {
		remote, local string
		want          bool
	}{
		{"127.0.0.1", "127.0.0.1", true}, {"127.9.9.9", "127.0.0.1", true}, {"::1", "::1", true}, {"::ffff:127.0.0.1", "::ffff:127.0.0.1", true},
		{"192.0.2.1", "127.0.0.1", false}, {"127.0.0.1", "192.0.2.1", false}, {"192.0.2.1", "192.0.2.1", false}, {"2001:db8::1", "::1", false},
	} {
		if got := guard.PeerOf(ends{remote: at(tc.remote), local: at(tc.local)}).Loopback; got != tc.want {
			t.Errorf("%s to %s: loopback %v", tc.remote, tc.local, got)
		}
	}
}

// ends is a connection that knows its ends.
type ends struct {
	net.Conn
	remote, local net.Addr
}

func (e ends) RemoteAddr() net.Addr { return e.remote }
func (e ends) LocalAddr() net.Addr  { return e.local }
