package web

import (
	"context"
	"crypto/x509"
	"net"
	"net/http/httptrace"
	"sync"
	"time"
)

// PhaseNames are the parts of a request, in order.
var PhaseNames = [...]string{"dns", "connect", "tls", "first_byte", "transfer"}

// Watch times the last hop of a request. The transport may still call it from a
// goroutine of its own when a request was given up, so it is locked.
type Watch struct {
	mu   sync.Mutex
	mark [phaseMarks]time.Time
	peer *x509.Certificate
}

// The moments that are noted.
const (
	dnsBegan = iota
	dnsDone
	dialBegan
	dialDone
	tlsBegan
	tlsDone
	wrote
	firstByte
	phaseMarks
)

func (w *Watch) at(i int) {
	w.mu.Lock()
	w.mark[i] = time.Now()
	w.mu.Unlock()
}

// Follow watches the request that ctx is given to.
func (w *Watch) Follow(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { // a new hop: what the one before took is forgotten
			w.mu.Lock()
			w.mark = [phaseMarks]time.Time{}
			w.mu.Unlock()
		},
		DNSStart:             func(httptrace.DNSStartInfo) { w.at(dnsBegan) },
		DNSDone:              func(httptrace.DNSDoneInfo) { w.at(dnsDone) },
		ConnectStart:         func(string, string) { w.at(dialBegan) },
		ConnectDone:          func(string, string, error) { w.at(dialDone) },
		WroteRequest:         func(httptrace.WroteRequestInfo) { w.at(wrote) },
		GotFirstResponseByte: func() { w.at(firstByte) },
	})
}

// tls shakes hands and notes the certificate, verified or not.
func (w *Watch) tls(ctx context.Context, conn net.Conn, host string, trust Trust) (net.Conn, error) {
	w.at(tlsBegan)
	t, peer, err := Handshake(ctx, conn, host, trust)
	w.mu.Lock()
	w.mark[tlsDone] = time.Now()
	w.peer = peer
	w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Certificate is that of the last server, nil where there was none.
func (w *Watch) Certificate() *x509.Certificate {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.peer
}

// Phases are how long each phase took, -1 for one that was not there or not
// ended. A zero end means that the answer did not come.
func (w *Watch) Phases(end time.Time) (out [len(PhaseNames)]time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	between := func(a, b time.Time) time.Duration {
		if a.IsZero() || b.IsZero() {
			return -1
		}
		return max(0, b.Sub(a))
	}
	m := &w.mark
	out[0] = between(m[dnsBegan], m[dnsDone])
	out[1] = between(m[dialBegan], m[dialDone])
	out[2] = between(m[tlsBegan], m[tlsDone])
	out[3] = between(m[wrote], m[firstByte])
	out[4] = between(m[firstByte], end)
	return out
}
