package host

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"vigil/engine/check/host/kernel"
	"vigil/engine/series"
)

// memoryFields are the lines of /proc/meminfo worth a series each; the others
// are for people who study the kernel's allocator.
var memoryFields = []string{
	"MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapCached", "SwapTotal", "SwapFree",
	"Active", "Inactive", "Dirty", "Writeback", "AnonPages", "Mapped", "Shmem", "Slab", "SReclaimable",
	"SUnreclaim", "KernelStack", "PageTables", "CommitLimit", "Committed_AS", "HugePages_Total", "HugePages_Free",
}

// memory reads /proc/meminfo, swap included.
type memory struct {
	path                 string
	of                   map[string]series.Labels
	percent, usage, swap series.Labels
}

func newMemory(cfg Config) *memory {
	m := &memory{path: cfg.Proc + "/meminfo", of: map[string]series.Labels{},
		percent: kernel.Shared("memory_percent"), usage: kernel.Shared("memory_usage"), swap: kernel.One("vigil_swap_used_ratio")}
	for _, f := range memoryFields {
		name := "node_memory_" + f
		if !strings.HasPrefix(f, "HugePages") {
			name += "_bytes"
		}
		m.of[f] = kernel.One(name)
	}
	return m
}

func (m *memory) Names() []string {
	out := kernel.LabelNames(m.percent, m.usage, m.swap)
	for _, ls := range m.of {
		out = append(out, ls.Name())
	}
	return out
}

func (m *memory) Collect(ctx context.Context, r *kernel.Round) error {
	b, err := r.Read(m.path)
	if err != nil {
		return err
	}
	var total, free, cached, buffers, available, swapTotal, swapFree float64
	hasAvailable := false
	for len(b) > 0 {
		var l []byte
		l, b = kernel.Line(b)
		key, rest, ok := bytes.Cut(l, []byte(":"))
		if !ok {
			continue
		}
		v, rest, ok := kernel.Next(rest)
		if !ok {
			continue
		}
		if unit, _ := kernel.Field(rest); string(unit) == "kB" {
			v *= 1024
		}
		switch string(key) {
		case "MemTotal":
			total = v
		case "MemFree":
			free = v
		case "Cached":
			cached = v
		case "Buffers":
			buffers = v
		case "MemAvailable":
			available, hasAvailable = v, true
		case "SwapTotal":
			swapTotal = v
		case "SwapFree":
			swapFree = v
		}
		if ls, ok := m.of[string(key)]; ok {
			r.Emit(ls, v)
		}
	}
	if total <= 0 {
		return fmt.Errorf("%s: no MemTotal", m.path)
	}
	if !hasAvailable { // kernels before 3.14
		available = free + cached + buffers
	}
	used := min(1, max(0, 1-available/total))
	r.Emit(m.percent, used*100)
	r.Emit(m.usage, used)
	if swapTotal > 0 {
		r.Emit(m.swap, 1-swapFree/swapTotal)
	}
	return nil
}
