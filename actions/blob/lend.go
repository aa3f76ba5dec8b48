package blob

import "sync"

// MaxLent is the bytes that are lent at one time.
const MaxLent = 4 << 20

// loans are bytes that are kept in memory alone, by name.
type loans struct {
	mu    sync.Mutex
	bytes int
	at    map[string]*loan
}

type loan struct {
	b []byte
	n int // times that it was lent and not given back
}

// Lend keeps b in memory alone, for who can make it again when the process ends
// before the act: two waits for the disk less than Put. Get finds it until every
// borrower has called giveBack, once. False: too much is lent already, and Put is
// what is left. b must not change meanwhile.
func (s *Store) Lend(b []byte) (sum string, giveBack func(), ok bool) {
	sum = Sum(b)
	l := &s.lent
	l.mu.Lock()
	defer l.mu.Unlock()
	if have := l.at[sum]; have != nil {
		have.n++
	} else {
		if l.bytes+len(b) > MaxLent {
			return "", nil, false
		}
		if l.at == nil {
			l.at = map[string]*loan{}
		}
		l.at[sum] = &loan{b: b, n: 1}
		l.bytes += len(b)
	}
	return sum, sync.OnceFunc(func() { l.back(sum) }), true
}

func (l *loans) back(sum string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if have := l.at[sum]; have != nil {
		if have.n--; have.n == 0 {
			l.bytes -= len(have.b)
			delete(l.at, sum)
		}
	}
}

// borrowed is what is lent under a name, nil nothing.
func (l *loans) borrowed(sum string) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if have := l.at[sum]; have != nil {
		return append([]byte{}, have.b...)
	}
	return nil
}
