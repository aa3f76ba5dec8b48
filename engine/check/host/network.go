package host

import "bytes"

// netFields are the columns of /proc/net/dev, receive and then transmit; an
// empty name is a column we do not keep.
var netFields = []string{
	"node_network_receive_bytes_total", "node_network_receive_packets_total", "node_network_receive_errs_total", "node_network_receive_drop_total", "", "", "", "",
	"node_network_transmit_bytes_total", "node_network_transmit_packets_total", "node_network_transmit_errs_total", "node_network_transmit_drop_total", "", "", "", "",
}

// network reads /proc/net/dev, and of each device its state and speed.
type network struct {
	path, class string
	skip        *filter
	of          []*vec
	up, speed   *vec
	paths       map[string]netPaths
}

type netPaths struct{ state, speed string }

func newNetwork(cfg Config) *network {
	n := &network{
		path: cfg.Proc + "/net/dev", class: cfg.Sys + "/class/net/",
		skip: newFilter(cfg.NetworksExclude),
		up:   newVec("node_network_up", "device"), speed: newVec("node_network_speed_bytes", "device"),
		paths: map[string]netPaths{},
	}
	for _, name := range netFields {
		n.of = append(n.of, newVec(name, "device"))
	}
	return n
}

func (n *network) names() []string {
	out := vecNames(n.up, n.speed)
	for _, v := range n.of {
		if v.name != "" {
			out = append(out, v.name)
		}
	}
	return out
}

func (n *network) collect(r *round) error {
	b, err := r.read(n.path)
	if err != nil {
		return err
	}
	var devices [64][]byte // names of this round, for the second pass; more are not asked
	seen := devices[:0]
	for len(b) > 0 {
		var l []byte
		l, b = line(b)
		i := bytes.LastIndexByte(l, ':') // an alias such as eth0:1 has one in its name
		if i < 0 {
			continue // the two lines of headings
		}
		device, _ := field(l[:i])
		if len(device) == 0 || n.skip.excludes(device) {
			continue
		}
		rest := l[i+1:]
		for j, name := range netFields {
			v, more, ok := next(rest)
			if !ok {
				break
			}
			rest = more
			if name != "" {
				r.emit(n.of[j].at(device), v)
			}
		}
		if len(seen) < len(devices) {
			seen = append(seen, device)
		}
	}
	// The names lie in the reader's buffer, which the next read overwrites.
	held := make([]byte, 0, 512)
	for i, d := range seen {
		from := len(held)
		held = append(held, d...)
		seen[i] = held[from:len(held):len(held)]
	}
	for _, d := range seen {
		n.state(r, d)
	}
	return nil
}

// state is left out for devices that do not tell: a bridge has no speed, a
// cable that is out answers with an error.
func (n *network) state(r *round, device []byte) {
	p, ok := n.paths[string(device)]
	if !ok {
		if len(n.paths) >= maxCached {
			clear(n.paths)
		}
		dir := n.class + string(device)
		p = netPaths{dir + "/operstate", dir + "/speed"}
		n.paths[string(device)] = p
	}
	b, err := r.read(p.state)
	if err != nil {
		return
	}
	word, _ := field(b)
	up := 0.0
	if string(word) == "up" {
		up = 1
	}
	r.emit(n.up.at(device), up)
	if up == 0 {
		return
	}
	if b, err = r.read(p.speed); err == nil {
		if mbits, _, ok := next(b); ok && mbits > 0 {
			r.emit(n.speed.at(device), mbits*1e6/8)
		}
	}
}
