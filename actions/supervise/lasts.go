package supervise

import (
	"context"
	"fmt"
	"time"
)

// Lasts blocks until a process has stood for its hold since it last came up, or
// has ended by itself: fell says how and after how long. What somebody stopped or
// restarts says nothing. NotFound: no such process; else an error is that of ctx.
// Who asks before Run has adopted what runs waits for that, and once Run has ended
// nothing can be told any more, so that it waits for ctx. It holds up nobody.
func (s *Supervisor) Lasts(ctx context.Context, name string) (fell string, err error) {
	select {
	case <-s.begun: // before that nobody knows what documents declared either
	case <-ctx.Done():
		return "", ctx.Err()
	}
	k := s.keeper(name)
	for k != nil {
		left, gone, fell := k.standing()
		if gone == nil || left <= 0 {
			return fell, nil
		}
		select {
		case <-time.After(left):
		case <-gone:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		s.mu.Lock()
		open := s.open
		s.mu.Unlock()
		if !open { // it was let go of, and goes on
			<-ctx.Done()
			return "", ctx.Err()
		}
	}
	return "", noSuch(name)
}

// standing is how long the process has yet to stand and what tells its end; gone
// is nil when it does not run.
func (k *keeper) standing() (left time.Duration, gone <-chan struct{}, fell string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.s.deps.Clock()
	switch {
	case k.child != nil:
		stood, same := now.Sub(k.since)
		if !same {
			stood = 0
		}
		return k.def.Load().Stands() - stood, k.gone, ""
	case k.stopped || k.asked:
		return 0, nil, ""
	case k.began.IsZero():
		return 0, nil, fmt.Sprintf("process %s does not run", k.name)
	}
	lived, _ := k.last.At.Sub(k.began)
	return 0, nil, fmt.Sprintf("process %s %s, %s after its start", k.name, k.last.Reason, lived.Round(time.Millisecond))
}
