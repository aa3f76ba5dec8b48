package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"
)

// Trust says whom to believe.
type Trust struct {
	Insecure bool           // anybody
	Roots    *x509.CertPool // nil: the system's authorities
}

// TrustIn reads the authorities that a reference to a PEM file names; an empty
// one leaves the system's.
func TrustIn(ca string, insecure bool, secret func(string) (string, error)) (Trust, error) {
	t := Trust{Insecure: insecure}
	if ca == "" {
		return t, nil
	}
	if secret == nil {
		return t, errors.New("ca: secrets cannot be read here")
	}
	pem, err := secret(ca)
	if err != nil {
		return t, fmt.Errorf("ca: %w", err)
	}
	t.Roots = x509.NewCertPool()
	if !t.Roots.AppendCertsFromPEM([]byte(pem)) {
		return t, errors.New("ca: no certificate in PEM form in it")
	}
	return t, nil
}

// CheckTrust says what is wrong with the parameters of TrustIn.
func CheckTrust(ca string, insecure bool) error {
	if ca != "" && !isSecret(ca) {
		return errors.New("expected a reference such as file:/etc/vigil/secrets/ca.pem")
	}
	if ca != "" && insecure {
		return errors.New("insecure believes anybody: take either it or ca")
	}
	return nil
}

// Handshake speaks TLS over conn and verifies the server as host. The peer's
// certificate comes back also when it does not verify: that it has expired is
// just what is to be measured.
func Handshake(ctx context.Context, conn net.Conn, host string, trust Trust) (*tls.Conn, *x509.Certificate, error) {
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
			if trust.Insecure {
				return nil
			}
			between := x509.NewCertPool()
			for _, c := range cs.PeerCertificates[1:] {
				between.AddCert(c)
			}
			_, err := peer.Verify(x509.VerifyOptions{DNSName: host, Intermediates: between, Roots: trust.Roots})
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
