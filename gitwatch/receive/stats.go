package receive

import "sync/atomic"

// Stats is what the server has done since it was made.
type Stats struct {
	Fetches int64 // packs sent
	Sent    int64 // bytes of them
	Pushes  int64 // with at least one ref that moved
	Refused int64 // pushes of which no ref moved
	Working int   // clones and pushes under way
}

type counters struct{ fetches, sent, pushes, refused atomic.Int64 }

// Stats is safe to call at any time.
func (s *Server) Stats() Stats {
	return Stats{
		Fetches: s.did.fetches.Load(), Sent: s.did.sent.Load(),
		Pushes: s.did.pushes.Load(), Refused: s.did.refused.Load(), Working: len(s.busy[upload]) + len(s.busy[receive]),
	}
}
