package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"time"
)

// Handshake speaks TLS over conn and verifies the server as host. The peer's
// certificate comes back also when it does not verify: that it has expired is
// just what is to be measured. roots nil are the system's.
func Handshake(ctx context.Context, conn net.Conn, host string, insecure bool, roots *x509.CertPool) (*tls.Conn, *x509.Certificate, error) {
	var peer *x509.Certificate
	t := tls.Client(conn, &tls.Config{
		ServerName: host,
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		// Verification is done below, by the same library and rules, after the
		// certificate was noted.
		InsecureSkipVerify: true,
		VerifyConnection: func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) == 0 {
				return errNoPeer
			}
			peer = cs.PeerCertificates[0]
			if insecure {
				return nil
			}
			between := x509.NewCertPool()
			for _, c := range cs.PeerCertificates[1:] {
				between.AddCert(c)
			}
			_, err := peer.Verify(x509.VerifyOptions{DNSName: host, Intermediates: between, Roots: roots})
			return err
		},
	})
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, peer, err
	}
	return t, peer, nil
}

// DaysLeft is negative once the certificate has expired.
func DaysLeft(c *x509.Certificate) float64 {
	return time.Until(c.NotAfter).Hours() / 24
}

var errNoPeer = errors.New("the server sent no certificate")
