package api

import (
	"net/http"

	"vigil/api/guard"
	"vigil/api/listen"
	"vigil/engine/fault"
)

// maxGitURL bounds what is asked of the git server in a URL.
const maxGitURL = 300

// git is the routes of git clients and of webhooks, as far as somebody answers
// them. Git speaks of fetching and pushing in one route and a query: a push is
// asked for the permission of a push in each of its requests.
func (s *Server) git() (out []route) {
	if s.deps.Git != nil {
		for _, r := range []route{
			{Method: "GET", Path: "/git/{name}/info/refs", Permission: guard.Fetch},
			{Method: "POST", Path: "/git/{name}/git-upload-pack", Permission: guard.Fetch},
			{Method: "POST", Path: "/git/{name}/git-receive-pack", Permission: guard.Push},
		} {
			r.Text, r.Stream, r.Git, r.Lax = true, true, true, true
			r.Handler = s.gitRequest(r.Permission)
			out = append(out, r)
		}
	}
	if s.deps.Webhook != nil {
		out = append(out, route{Method: "POST", Path: "/api/v1/git/webhook", Permission: guard.Anyone, Text: true, Stream: true, Handler: s.deps.Webhook.ServeHTTP})
	}
	return out
}

func (s *Server) gitRequest(need guard.Permission) http.HandlerFunc {
	rt := &route{Text: true, Git: true}
	return func(w http.ResponseWriter, r *http.Request) {
		asked := need
		if r.URL.Query().Get("service") == "git-receive-pack" {
			asked = guard.Push
		}
		err := MayGit(guard.From(r.Context()), listen.Peer(r), r.TLS != nil, asked)
		if len(r.URL.Path)+len(r.URL.RawQuery) > maxGitURL {
			err = fault.New(fault.Invalid, "no git asks for so long a name")
		}
		if err != nil {
			s.fail(w, r, rt, err)
			return
		}
		s.deps.Git.ServeHTTP(w, r)
	}
}

// MayGit refuses what the caller's role may not, and a push whose token and
// documents could be read, or changed, on the way. Forbidden.
func MayGit(c guard.Caller, p guard.Peer, tls bool, need guard.Permission) error {
	switch {
	case !c.Role.May(need):
		return guard.MayNotGit(c, need)
	case need == guard.Push && !tls && !p.Unix && !p.Loopback:
		return fault.New(fault.Forbidden, "a push from another machine needs TLS, and here is none").Mend(`api.tls = "self" makes a certificate; this token has crossed the network in clear text, replace it`)
	}
	return nil
}
