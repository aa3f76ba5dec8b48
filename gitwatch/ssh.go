package gitwatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"

	"vigil/engine/fault"
)

// sshAuth signs in with the key, to a host that known_hosts knows.
func sshAuth(cfg Config, at *transport.Endpoint) (*ssh.ClientConfig, error) {
	pem, err := readSecret(cfg.SSHKey)
	if err != nil {
		return nil, err
	}
	auth, err := gitssh.NewPublicKeys(at.User, pem, "")
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the private key cannot be read: %v", err).At("git.ssh_key")
	}
	known, err := gitssh.NewKnownHostsDb(cfg.KnownHosts)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "known_hosts")
	}
	auth.HostKeyCallback = known.HostKeyCallback()
	auth.HostKeyAlgorithms = known.HostKeyAlgorithms(address(at))
	return auth.ClientConfig()
}

func address(at *transport.Endpoint) string {
	return net.JoinHostPort(strings.Trim(at.Host, "[]"), strconv.Itoa(at.Port)) // which has them around an IPv6 address already
}

// overSSH is one git-upload-pack on another host. Everything ends when the context
// that it was opened with does: a host may accept a connection and then say
// nothing, at any point, and the library's own transport would wait for it.
type overSSH struct {
	client *ssh.Client
	run    *ssh.Session
	in     io.WriteCloser
	out    *cappedBody
	said   clipped // on stderr
	limit  int64
	ended  func() bool // lets go of the context
}

func openSSH(ctx context.Context, cfg Config, at *transport.Endpoint) (_ *overSSH, err error) {
	auth, err := sshAuth(cfg, at)
	if err != nil {
		return nil, err
	}
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", address(at))
	if err != nil {
		return nil, err
	}
	s := &overSSH{limit: answerCap(cfg), ended: context.AfterFunc(ctx, func() { raw.Close() })}
	defer func() {
		if err != nil {
			s.ended()
			raw.Close()
			err = errors.Join(err, context.Cause(ctx))
		}
	}()
	conn, channels, requests, err := ssh.NewClientConn(raw, address(at), auth)
	if err != nil {
		return nil, err
	}
	s.client = ssh.NewClient(conn, channels, requests)
	if s.run, err = s.client.NewSession(); err != nil {
		return nil, err
	}
	if s.in, err = s.run.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.run.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out, s.run.Stderr = &cappedBody{io.NopCloser(out), maxAdvertised}, &s.said
	return s, s.run.Start("git-upload-pack " + quoted(at.Path))
}

// quoted is a word for the shell of the other host, also for one of csh's kin.
func quoted(s string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(s) + "'"
}

func (s *overSSH) AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error) {
	adv := packp.NewAdvRefs()
	err := adv.Decode(s.out)
	switch {
	case errors.Is(err, packp.ErrEmptyAdvRefs), err == nil && adv.IsEmpty():
		return nil, transport.ErrEmptyRemoteRepository
	case errors.Is(err, packp.ErrEmptyInput): // it ended, and said why elsewhere
		_ = s.run.Wait()
		return nil, fmt.Errorf("git-upload-pack ended and said %q", strings.TrimSpace(s.said.String()))
	case err != nil:
		return nil, err
	}
	transport.FilterUnsupportedCapabilities(adv.Capabilities)
	return adv, nil
}

func (s *overSSH) UploadPack(_ context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	s.out.left = s.limit
	err := req.UploadRequest.Encode(s.in)
	if err == nil {
		err = req.UploadHaves.Encode(s.in, true)
	}
	if err == nil {
		err = pktline.NewEncoder(s.in).Encodef("done\n")
	}
	if err = errors.Join(err, s.in.Close()); err != nil {
		return nil, err
	}
	res := packp.NewUploadPackResponse(req)
	return res, res.Decode(s.out)
}

func (s *overSSH) Close() error {
	s.ended()
	return s.client.Close()
}

// clipped keeps the first words of somebody who may never stop talking. Concurrent.
type clipped struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (c *clipped) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.b.Write(p[:min(len(p), max(0, 500-c.b.Len()))])
	return len(p), nil
}

func (c *clipped) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.String()
}
