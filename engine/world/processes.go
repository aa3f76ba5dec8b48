package world

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// process is one line of the table. CPU is the share of one core between two
// looks a tenth of a second apart.
type process struct {
	Pid    int     `json:"pid"`
	Parent int     `json:"ppid"`
	State  string  `json:"state"`
	CPU    float64 `json:"cpu_percent"`
	RSS    int64   `json:"rss_bytes"`
	Args   string  `json:"args"`
	ticks  uint64
	start  uint64
}

type table struct {
	Count int            `json:"count"`
	State map[string]int `json:"states"`
	CPU   []process      `json:"by_cpu"`
	RSS   []process      `json:"by_rss"`
}

const (
	shown    = 15
	maxProcs = 100_000
	lookGap  = 100 * time.Millisecond
)

func (w *World) processes(ctx context.Context, _ string) (any, error) {
	before, err := w.scan(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	t := time.NewTimer(lookGap)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	after, err := w.scan(ctx)
	if err != nil {
		after = before
	}
	gap := time.Since(began).Seconds()
	old := map[int]process{}
	for _, p := range before {
		old[p.Pid] = p
	}
	out := table{Count: len(after), State: map[string]int{}}
	for i, p := range after {
		out.State[p.State]++
		if o, ok := old[p.Pid]; ok && o.start == p.start && p.ticks >= o.ticks {
			after[i].CPU = float64(p.ticks-o.ticks) / gap // 100 ticks are a second: a percent each
		}
	}
	slices.SortFunc(after, func(a, b process) int { return cmp.Or(cmp.Compare(b.CPU, a.CPU), cmp.Compare(a.Pid, b.Pid)) })
	out.CPU = w.top(after)
	slices.SortFunc(after, func(a, b process) int { return cmp.Or(cmp.Compare(b.RSS, a.RSS), cmp.Compare(a.Pid, b.Pid)) })
	out.RSS = w.top(after)
	return out, nil
}

// top is the head of a sorted list, with arguments.
func (w *World) top(all []process) []process {
	out := slices.Clone(all[:min(shown, len(all))])
	for i := range out {
		if b := w.read(strconv.Itoa(out[i].Pid)+"/cmdline", 2048); len(b) > 0 {
			args := strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
			out[i].Args = strings.ToValidUTF8(strings.Join(coverArgs(args), " "), "?")
		}
	}
	return out
}

func (w *World) scan(ctx context.Context) ([]process, error) {
	d, err := os.Open(w.proc)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(maxProcs)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	page := int64(os.Getpagesize())
	var out []process
	for _, n := range names {
		pid, err := strconv.Atoi(n)
		if err != nil {
			continue
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		b := w.read(n+"/stat", 4096)
		open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
		if open < 0 || end < open {
			continue
		}
		f := strings.Fields(string(b[end+1:]))
		if len(f) < 22 {
			continue
		}
		p := process{Pid: pid, State: f[0], Args: "[" + strings.ToValidUTF8(string(b[open+1:end]), "?") + "]"}
		p.Parent, _ = strconv.Atoi(f[1])
		user, _ := strconv.ParseUint(f[11], 10, 64)
		system, _ := strconv.ParseUint(f[12], 10, 64)
		p.ticks = user + system
		p.start, _ = strconv.ParseUint(f[19], 10, 64)
		rss, _ := strconv.ParseInt(f[21], 10, 64)
		p.RSS = rss * page
		out = append(out, p)
	}
	return out, nil
}

// read is at most limit bytes of a file under /proc; nil if it is not there.
func (w *World) read(name string, limit int64) []byte {
	f, err := os.Open(filepath.Join(w.proc, name))
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil
	}
	return b
}
