package outward_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vigil/actions/outward"
	"vigil/engine/fault"
)

// TestMain gives every test a proxy in its environment, which is read but once in a
// process: nothing may go there.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY"} {
		if err := os.Setenv(name, "http://127.0.0.1:1"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

func to(ips ...string) outward.Resolve {
	return func(context.Context, string, string) (out []netip.Addr, err error) {
		for _, s := range ips {
			out = append(out, netip.MustParseAddr(s))
		}
		return out, nil
	}
}

// TestClient_DoesNotReachWhatIsLocal: by name, by number, by every disguise.
func TestClient_DoesNotReachWhatIsLocal(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "0.1.2.3", "169.254.169.254", "fe80::1", "::ffff:127.0.0.1",
		"64:ff9b::7f00:1", "2002:7f00:1::", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "224.0.0.1", "ff02::1", "::",
		"::ffff:0.1.2.3", "::ffff:100.100.100.200", "::ffff:168.63.129.16"} {
		c, err := outward.New(nil, to(ip))
		if err != nil {
			t.Fatal(err)
		}
		q, _ := http.NewRequestWithContext(t.Context(), "GET", "http://innocent.example/", nil)
		_, sent, err := c.Do(q, 10)
		if sent || fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s: sent %v, %v", ip, sent, err)
		}
	}
}

func TestClient_ReachesWhatIsListed(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "0123456789abcdef") }))
	defer s.Close()
	url := "http://hub.example:" + s.URL[strings.LastIndexByte(s.URL, ':')+1:]
	for allow, want := range map[string]bool{"127.0.0.1": true, "127.0.0.0/8": true, "HUB.example": true, "10.0.0.0/8": false, "other.example": false} {
		c, err := outward.New([]string{allow}, to("127.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		q, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		a, _, err := c.Do(q, 10)
		if (err == nil) != want || want && (string(a.Body) != "0123456789" || !a.Cut || a.Status != 200) {
			t.Errorf("%s: %+v, %v", allow, a, err)
		}
	}
	if _, err := outward.New([]string{"http://x/"}, nil); err == nil {
		t.Error("a URL was taken for a host")
	}
}

// TestClient_ReadsNoMoreThanItsBound: an answer without end is an answer.
func TestClient_ReadsNoMoreThanItsBound(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for b := make([]byte, 64<<10); r.Context().Err() == nil; {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	}))
	defer s.Close()
	c, err := outward.New([]string{"127.0.0.1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute) // where the bound does not end it
	defer stop()
	q, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
	if a, _, err := c.Do(q, 100); err != nil || len(a.Body) != 100 || !a.Cut || ctx.Err() != nil {
		t.Errorf("%d bytes, cut %v, %v, %v", len(a.Body), a.Cut, err, ctx.Err())
	}
}

func TestClient_FollowsNoRedirect(t *testing.T) {
	hit := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hit = hit || r.URL.Path == "/meta"
		http.Redirect(w, r, "/meta", http.StatusFound)
	}))
	defer s.Close()
	c, _ := outward.New([]string{"127.0.0.1"}, nil)
	q, _ := http.NewRequestWithContext(t.Context(), "GET", s.URL, nil)
	if a, _, err := c.Do(q, 10); err != nil || a.Status != http.StatusFound || hit {
		t.Errorf("%+v, %v, followed %v", a, err, hit)
	}
}

// TestClient_SaysWhetherItWasSent: a request that was written and never answered
// may have been carried out.
func TestClient_SaysWhetherItWasSent(t *testing.T) {
	free := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { stop(); <-free }))
	defer s.Close()
	defer close(free)
	c, _ := outward.New([]string{"127.0.0.1"}, nil)
	q, _ := http.NewRequestWithContext(ctx, "POST", s.URL, nil)
	if _, sent, err := c.Do(q, 10); !sent || err == nil {
		t.Errorf("sent %v, %v", sent, err)
	}
	q, _ = http.NewRequestWithContext(t.Context(), "POST", "http://127.0.0.1:1", nil)
	if _, sent, err := c.Do(q, 10); sent || err == nil {
		t.Errorf("sent %v, %v", sent, err)
	}
}
