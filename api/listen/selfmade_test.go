package listen

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestSelfMade: the key stays whatever happens to the certificate, so the pin
// does; a certificate is made anew for a name that it lacks and in good time; it is
// no authority, and a client that has it as its root trusts it.
func TestSelfMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	now := time.Now()
	make := func(now time.Time, names ...string) (text []byte, pair tls.Certificate) {
		t.Helper()
		cert, key, err := SelfMade(dir, names, now)
		if err != nil {
			t.Fatal(err)
		}
		if text, err = os.ReadFile(cert); err != nil {
			t.Fatal(err)
		}
		if pair, err = tls.LoadX509KeyPair(cert, key); err != nil {
			t.Fatal(err)
		}
		if fi, err := os.Stat(key); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("the key is %v, %v", fi.Mode(), err)
		}
		return text, pair
	}
	first, pair := make(now, "localhost", "127.0.0.1", "web1")
	pin := pinOf(&pair)
	for _, tc := range []struct {
		name  string
		at    time.Time
		names []string
		stays bool
	}{
		{"again", now, []string{"localhost", "127.0.0.1"}, true},
		{"years later", now.AddDate(4, 0, 0), []string{"localhost"}, true},
		{"a new name", now, []string{"localhost", "web2"}, false},
		{"a new address", now, []string{"10.1.2.3", "web2", "localhost"}, false},
		{"in good time", now.AddDate(6, 0, 0), []string{"localhost"}, false},
	} {
		text, pair := make(tc.at, tc.names...)
		if bytes.Equal(text, first) != tc.stays {
			t.Errorf("%s: made anew is %v", tc.name, tc.stays)
		}
		if got := pinOf(&pair); got != pin || len(pin) != 44 {
			t.Errorf("%s: the pin went from %s to %s", tc.name, pin, got)
		}
		first = text
	}
	if err := os.Remove(filepath.Join(dir, CertFile)); err != nil {
		t.Fatal(err)
	}
	_, pair = make(now, "web1")
	c, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c)
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: "web1"}); err != nil || c.IsCA {
		t.Errorf("authority %v, %v", c.IsCA, err)
	}
	if err := os.WriteFile(filepath.Join(dir, keyFile), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := SelfMade(dir, nil, now); err == nil {
		t.Error("a key that is none was overwritten: its pin would change in silence")
	}
}

// TestReach_NamesAnAddressThatAnotherMachineCanCall: the log's clone command is
// pasted elsewhere, where [::] is that machine itself.
func TestReach_NamesAnAddressThatAnotherMachineCanCall(t *testing.T) {
	for _, given := range []string{"127.0.0.1:80", "10.1.2.3:443", "web1:8000", "[fd00::2]:1"} {
		if got := Reach(given); got != given {
			t.Errorf("%s became %s", given, got)
		}
	}
	others := slices.ContainsFunc(SelfNames(nil), func(n string) bool {
		ip := net.ParseIP(n)
		return ip != nil && !ip.IsLoopback()
	})
	for _, given := range []string{"[::]:8443", "0.0.0.0:8443"} {
		got := Reach(given)
		host, port, err := net.SplitHostPort(got)
		ip := net.ParseIP(host)
		if err != nil || port != "8443" || others && (ip == nil || ip.IsUnspecified() || ip.IsLoopback()) {
			t.Errorf("%s became %s, %v", given, got, err)
		}
	}
}
