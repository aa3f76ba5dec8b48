package listen

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"vigil/engine/fault"
)

// The files of a self-made certificate in its folder.
const (
	CertFile = "cert.pem"
	keyFile  = "key.pem"
)

// How long a self-made certificate is good, and when it is made anew at a start.
const (
	selfYears = 10
	renewLeft = selfYears / 2 * 365 * 24 * time.Hour
)

// SelfMade makes sure that a folder holds a key and a certificate of it for the
// names, and returns their files. The key is made once and stays, so its pin
// stays too; the certificate is made anew when a name is missing or half of its
// time has gone. It blocks on the disk.
func SelfMade(dir string, names []string, now time.Time) (cert, key string, err error) {
	cert, key = filepath.Join(dir, CertFile), filepath.Join(dir, keyFile)
	fail := func(err error) (string, string, error) {
		return "", "", fault.Wrap(fault.Unavailable, err, "the self-made certificate").(*fault.Error).At("api.tls")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fail(err)
	}
	private, err := selfKey(key)
	if err != nil {
		return fail(err)
	}
	if selfGood(cert, private, names, now) {
		return cert, key, nil
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return fail(err)
	}
	t := x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "vigild, self-made"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(selfYears, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, // no authority: who trusts it trusts this host and nothing else
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, &t, &t, private.Public(), private)
	if err != nil {
		return fail(err)
	}
	if err := writePEM(cert, "CERTIFICATE", der, 0o644); err != nil {
		return fail(err)
	}
	return cert, key, nil
}

// selfKey reads the key, and makes it when it is not there.
func selfKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			return nil, err
		}
		return k, writePEM(path, "PRIVATE KEY", der, 0o600)
	}
	if err != nil {
		return nil, err
	}
	b, _ := pem.Decode(text)
	if b == nil {
		return nil, fault.New(fault.Unprocessable, "this holds no key").At(path).Mend("remove it, and a new one is made; its pin is another then")
	}
	k, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if own, ok := k.(*ecdsa.PrivateKey); ok && err == nil {
		return own, nil
	}
	return nil, fault.New(fault.Unprocessable, "this holds no key that was made here").At(path).Mend("remove it, or name your own certificate with api.tls_cert and api.tls_key")
}

// selfGood says whether a certificate is of this key, for all the names, and for
// a good while yet.
func selfGood(path string, k *ecdsa.PrivateKey, names []string, now time.Time) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	b, _ := pem.Decode(text)
	if b == nil {
		return false
	}
	c, err := x509.ParseCertificate(b.Bytes)
	if err != nil || !k.PublicKey.Equal(c.PublicKey) || c.NotAfter.Sub(now) < renewLeft || now.Before(c.NotBefore) {
		return false
	}
	return !slices.ContainsFunc(names, func(n string) bool {
		if ip := net.ParseIP(n); ip != nil {
			return !slices.ContainsFunc(c.IPAddresses, ip.Equal)
		}
		return !slices.Contains(c.DNSNames, n)
	})
}

// writePEM replaces a file whole; it is on the disk when this returns.
func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = errors.Join(f.Chmod(mode), pem.Encode(f, &pem.Block{Type: kind, Bytes: der}), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// SelfNames are the names that a self-made certificate is for: this machine's, its
// addresses' and those given.
func SelfNames(more []string) []string {
	names := append([]string{"localhost"}, more...)
	if h, err := os.Hostname(); err == nil && h != "" {
		names = append(names, h)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil { // then by loopback, the name and the pin
		names = append(names, "127.0.0.1", "::1")
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
			names = append(names, n.IP.String())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Reach is an address that another machine can call where a listener's is of every
// address of this one: the first that is not loopback, IPv4 before IPv6.
func Reach(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsUnspecified() {
		return address
	}
	best := ""
	for _, n := range SelfNames(nil) {
		ip := net.ParseIP(n)
		if ip == nil || ip.IsLoopback() {
			continue
		}
		if best == "" || ip.To4() != nil && net.ParseIP(best).To4() == nil {
			best = n
		}
	}
	if best == "" {
		return address
	}
	return net.JoinHostPort(best, port)
}

// Pin is the sha256 of a certificate's public key in base64, as curl and git take
// it: `git -c http.pinnedPubkey=sha256//PIN`.
func (s *Listeners) Pin() string {
	if s.tls == nil {
		return ""
	}
	pair, err := s.tls.get(nil)
	if err != nil {
		return ""
	}
	return pinOf(pair)
}

func pinOf(pair *tls.Certificate) string {
	c, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}
