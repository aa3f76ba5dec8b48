package gitwatch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"

	"vigil/engine/fault"
	"vigil/gitwatch/store"
)

// remote is a repository that is asked over https or ssh, for one look.
type remote struct {
	session session
	ref     plumbing.ReferenceName
	caps    *capability.List
}

// session is what a look asks of the other side.
type session interface {
	AdvertisedReferencesContext(ctx context.Context) (*packp.AdvRefs, error)
	UploadPack(ctx context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error)
	Close() error
}

// Bounds of an answer: of the list of refs, which stands in memory, and of objects.
const maxAdvertised = 16 << 20

func answerCap(cfg Config) int64 { return cfg.Pack.Bytes + 1<<20 }

// openRemote connects as the config says. The objects that come are held to the
// same caps as a push.
func openRemote(ctx context.Context, cfg Config) (*remote, error) {
	at, err := parseRemote(cfg.URL)
	if err != nil {
		return nil, fault.New(fault.Unprocessable, "%v", err).At("git.url")
	}
	r := &remote{ref: plumbing.NewBranchReferenceName(cfg.Branch)}
	if at.Protocol == "ssh" {
		r.session, err = openSSH(ctx, cfg, at)
	} else {
		r.session, err = openHTTP(cfg, at)
	}
	var ours *fault.Error
	switch {
	case errors.As(err, &ours):
		return nil, err
	case err != nil:
		return nil, fault.Wrap(fault.Unavailable, err, "the remote")
	}
	return r, nil
}

func openHTTP(cfg Config, at *transport.Endpoint) (session, error) {
	auth, err := httpAuth(cfg)
	if err != nil {
		return nil, err
	}
	return githttp.NewClient(httpClient(answerCap(cfg))).NewUploadPackSession(at, auth)
}

func httpAuth(cfg Config) (transport.AuthMethod, error) {
	if cfg.Password == "" {
		return nil, nil
	}
	secret, err := readSecret(cfg.Password)
	if err != nil {
		return nil, err
	}
	user := cfg.Username
	if user == "" {
		user = "git"
	}
	return &githttp.BasicAuth{Username: user, Password: string(trimLine(secret))}, nil
}

// httpClient follows redirects on the remote's own host alone, and reads no more
// of an answer than it may have.
func httpClient(limit int64) *http.Client {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.ResponseHeaderTimeout = time.Minute
	base.DisableKeepAlives = true // one look, then nothing stays open
	return &http.Client{
		Transport: capped{base, limit},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if first := via[0].URL; req.URL.Host != first.Host || req.URL.Scheme != first.Scheme {
				return errors.New("the remote redirects to " + req.URL.Scheme + "://" + req.URL.Host + ", which is not followed; write the new URL into the config")
			}
			if len(via) > 4 {
				return errors.New("the remote redirects too often")
			}
			return nil
		},
	}
}

type capped struct {
	base  http.RoundTripper
	limit int64
}

func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.base.RoundTrip(r)
	if err == nil {
		limit := c.limit
		if r.Method == http.MethodGet { // the list of refs
			limit = maxAdvertised
		}
		res.Body = &cappedBody{res.Body, limit}
	}
	return res, err
}

// cappedBody fails after so many bytes.
type cappedBody struct {
	io.ReadCloser
	left int64
}

func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fault.New(fault.TooLarge, "the remote's answer is over its cap")
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

func (r *remote) close() { r.session.Close() }

func (r *remote) tip(ctx context.Context) (plumbing.Hash, error) {
	adv, err := r.session.AdvertisedReferencesContext(ctx)
	switch {
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return plumbing.ZeroHash, fault.New(fault.NotFound, "the remote is empty")
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return plumbing.ZeroHash, fault.New(fault.Unavailable, "the remote wants other credentials: %v", err)
	case err != nil:
		return plumbing.ZeroHash, fault.Wrap(fault.Unavailable, err, "the remote")
	}
	r.caps = adv.Capabilities
	tip, ok := adv.References[r.ref.String()]
	if !ok {
		return plumbing.ZeroHash, fault.New(fault.NotFound, "the remote has no branch %s", r.ref.Short())
	}
	return tip, nil
}

// bring fetches into quarantine what the store's refs do not reach.
func (r *remote) bring(ctx context.Context, st *store.Store, tip plumbing.Hash) (*store.Quarantine, error) {
	v := st.View()
	has := v.Has(tip)
	v.Close()
	if has {
		return st.Receive(ctx, nil)
	}
	req := packp.NewUploadPackRequestFromCapabilities(r.caps)
	req.Wants = []plumbing.Hash{tip}
	for _, h := range st.Refs() {
		req.Haves = append(req.Haves, h)
	}
	res, err := r.session.UploadPack(ctx, req)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the remote gave no objects")
	}
	defer res.Close()
	var in io.Reader = res
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		in = sideband.NewDemuxer(sideband.Sideband64k, res)
	case req.Capabilities.Supports(capability.Sideband):
		in = sideband.NewDemuxer(sideband.Sideband, res)
	}
	return st.Receive(ctx, in)
}

func readObject(o plumbing.EncodedObject) ([]byte, error) {
	r, err := o.Reader()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, o.Size()+1))
	return data, errors.Join(err, r.Close())
}

func trimLine(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}
