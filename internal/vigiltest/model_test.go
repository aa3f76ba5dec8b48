package vigiltest

import (
	"fmt"
	"sync"
)

// model is what the harness, which is never killed, knows: what it sent, and
// what of it was acknowledged. Whatever was sent and not answered may be there
// or not.
type model struct {
	mu       sync.Mutex
	samples  map[string]map[int64]*sent // by series, by Unix ms
	policies map[string]*said           // by name
	actions  map[int64]string           // acknowledged: id -> target
	asked    map[string]bool            // every target that was asked for
	breaches map[string]bool            // id -> acknowledged
	records  map[string]*count          // audit records by "verb object"

	newest [pushers]int64 // Unix ms of each pusher's last sample: a moment is told once
	audit  []string       // hashes of the chain as it was read before, by seq-1
	odd    []string       // answers that should not be
}

// sent is one sample.
type sent struct {
	value float64
	acked bool
}

// said is a policy's description as it must be, and as it may be because an
// answer is missing; "" is no policy.
type said struct {
	is    string
	maybe []string
}

// count is how often something was done for sure, and how often at most.
type count struct{ least, most int }

func newModel() *model {
	return &model{
		samples: map[string]map[int64]*sent{}, policies: map[string]*said{}, actions: map[int64]string{},
		asked: map[string]bool{}, breaches: map[string]bool{}, records: map[string]*count{},
	}
}

// sending notes samples before they leave.
func (m *model) sending(series string, at int64, value float64) *sent {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.samples[series] == nil {
		m.samples[series] = map[int64]*sent{}
	}
	s := &sent{value: value}
	m.samples[series][at] = s
	return s
}

func (m *model) ack(ss ...*sent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range ss {
		s.acked = true
	}
}

// record notes that something was asked for that leaves an audit record; the
// function says that it was answered.
func (m *model) record(verb, object string) (acked, refused func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := verb + " " + object
	c := m.records[key]
	if c == nil {
		c = &count{}
		m.records[key] = c
	}
	c.most++
	return func() { m.mu.Lock(); defer m.mu.Unlock(); c.least++ }, func() { m.mu.Lock(); defer m.mu.Unlock(); c.most-- }
}

// policy notes what a policy is asked to become; the function says that it did.
func (m *model) policy(name, to string) (acked func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.policies[name]
	if p == nil {
		p = &said{}
		m.policies[name] = p
	}
	p.maybe = append(p.maybe, to)
	return func() { m.mu.Lock(); defer m.mu.Unlock(); p.is, p.maybe = to, nil }
}

func (m *model) strange(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.odd = append(m.odd, fmt.Sprintf(format, args...))
}
