package host

import (
	"bytes"
	"context"

	"vigil/engine/check/host/kernel"
)

// netFields are the columns of /proc/net/dev, receive and then transmit; an
// empty name is a column we do not keep.
var netFields = []string{
	"node_network_receive_bytes_total", "node_network_receive_packets_total", "node_network_receive_errs_total", "node_network_receive_drop_total", "", "", "", "",
	"node_network_transmit_bytes_total", "node_network_transmit_packets_total", "node_network_transmit_errs_total", "node_network_transmit_drop_total", "", "", "", "",
}

// network reads /proc/net/dev, and of each device its state and speed.
type network struct {
	path, class string
	skip        *kernel.Filter
	of          []*kernel.Vec
	up, speed   *kernel.Vec
	paths       map[string]netPaths
}

type netPaths struct{ state, speed string }

func newNetwork(cfg Config) *network {
	n := &network{
		path: cfg.Proc + "/net/dev", class: cfg.Sys + "/class/net/",
		skip: kernel.NewFilter(cfg.NetworksExclude),
		up:   kernel.NewVec("node_network_up", "device"), speed: kernel.NewVec("node_network_speed_bytes", "device"),
		paths: map[string]netPaths{},
	}
	for _, name := range netFields {
		n.of = append(n.of, kernel.NewVec(name, "device"))
	}
	return n
}

func (n *network) Names() []string {
	out := kernel.Names(n.up, n.speed)
	for _, v := range n.of {
		if v.Name != "" {
			out = append(out, v.Name)
		}
	}
	return out
}

func (n *network) Collect(ctx context.Context, r *kernel.Round) error {
	b, err := r.Read(n.path)
	if err != nil {
		return err
	}
	var devices [64][]byte // names of this round, for the second pass; more are not asked
	seen := devices[:0]
	for len(b) > 0 {
		var l []byte
		l, b = kernel.Line(b)
		i := bytes.LastIndexByte(l, ':') // an alias such as eth0:1 has one in its name
		if i < 0 {
			continue // the two lines of headings
		}
		device, _ := kernel.Field(l[:i])
		if len(device) == 0 || n.skip.Excludes(device) {
			continue
		}
		rest := l[i+1:]
		for j, name := range netFields {
			v, more, ok := kernel.Next(rest)
			if !ok {
				break
			}
			rest = more
			if name != "" {
				r.Emit(n.of[j].At(device), v)
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
func (n *network) state(r *kernel.Round, device []byte) {
	p, ok := n.paths[string(device)]
	if !ok {
		if len(n.paths) >= kernel.MaxCached {
			clear(n.paths)
		}
		dir := n.class + string(device)
		p = netPaths{dir + "/operstate", dir + "/speed"}
		n.paths[string(device)] = p
	}
	b, err := r.Read(p.state)
	if err != nil {
		return
	}
	word, _ := kernel.Field(b)
	up := 0.0
	if string(word) == "up" {
		up = 1
	}
	r.Emit(n.up.At(device), up)
	if up == 0 {
		return
	}
	if b, err = r.Read(p.speed); err == nil {
		if mbits, _, ok := kernel.Next(b); ok && mbits > 0 {
			r.Emit(n.speed.At(device), mbits*1e6/8)
		}
	}
}
