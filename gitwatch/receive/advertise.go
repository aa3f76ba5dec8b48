package receive

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/gitwatch/receive/wire"
)

const agent = "agent=vigild"

// version is the protocol that the client asks for; what it does not know is 0.
func version(r *http.Request) int {
	v := 0
	for part := range strings.SplitSeq(r.Header.Get("Git-Protocol"), ":") {
		switch part {
		case "version=1":
			v = max(v, 1)
		case "version=2":
			v = max(v, 2)
		}
	}
	return v
}

// advertise answers info/refs.
func (s *Server) advertise(w http.ResponseWriter, r *http.Request, service string) error {
	var b bytes.Buffer
	v := version(r)
	if service == upload && v == 2 {
		for _, line := range []string{"version 2", agent, "ls-refs=unborn", "fetch=shallow", "object-format=sha1"} {
			wire.WritePacket(&b, "%s\n", line)
		}
	} else {
		wire.WritePacket(&b, "# service=%s\n", service)
		wire.WriteFlush(&b)
		if v == 1 {
			wire.WritePacket(&b, "version 1\n")
		}
		s.refs(&b, service)
	}
	wire.WriteFlush(&b)
	w.Header().Set("Content-Type", "application/x-"+service+"-advertisement")
	_, err := w.Write(b.Bytes())
	if err != nil {
		s.deps.Log.Debug("a git client went away", "err", err)
	}
	return nil
}

// refs lists the refs as protocol 0 does, the first with the capabilities.
func (s *Server) refs(b *bytes.Buffer, service string) {
	refs := s.deps.Store.Refs()
	caps := "report-status report-status-v2 delete-refs side-band-64k quiet atomic ofs-delta push-options no-thin object-format=sha1 " + agent
	if service == upload {
		caps = "multi_ack_detailed side-band side-band-64k ofs-delta shallow no-progress object-format=sha1 " + agent
		if tip, ok := refs[s.deps.Store.Branch()]; ok {
			refs["HEAD"] = tip
			caps += " symref=HEAD:" + s.deps.Store.Branch()
		}
	}
	if len(refs) == 0 {
		wire.WritePacket(b, "%s capabilities^{}\x00%s\n", plumbing.ZeroHash, caps)
		return
	}
	for i, name := range slices.Sorted(maps.Keys(refs)) {
		if i == 0 {
			wire.WritePacket(b, "%s %s\x00%s\n", refs[name], name, caps)
			continue
		}
		wire.WritePacket(b, "%s %s\n", refs[name], name)
	}
}
