package listen

import (
	"crypto/tls"
	"net"
	"os"
	"sync"
	"time"

	"vigil/engine/fault"
)

// certificate is a key pair from files, read again when they change.
type certificate struct {
	certFile, keyFile string

	mu      sync.Mutex
	pair    *tls.Certificate
	looked  time.Time // monotonic
	changed [2]time.Time
}

// lookEvery is how often the files are looked at, at most; a handshake asks.
const lookEvery = time.Second

func loadCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *certificate) load() error {
	changed := c.stamps()
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fault.Wrap(fault.Unprocessable, err, "the certificate cannot be read").(*fault.Error).At("api.tls_cert").
			Mend("give a PEM certificate and its key")
	}
	c.pair, c.changed = &pair, changed
	return nil
}

func (c *certificate) stamps() (t [2]time.Time) {
	for i, f := range []string{c.certFile, c.keyFile} {
		if fi, err := os.Stat(f); err == nil {
			t[i] = fi.ModTime()
		}
	}
	return t
}

// get is the pair for a handshake. New files that cannot be read (a renewal
// that is half written) leave the old pair in use.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookEvery {
		c.looked = now
		if c.stamps() != c.changed {
			_ = c.load()
		}
	}
	return c.pair, nil
}

func (c *certificate) listener(l net.Listener) net.Listener {
	return tls.NewListener(plainListener{l}, &tls.Config{
		GetCertificate: c.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	})
}
