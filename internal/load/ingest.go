package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/snappy"

	"vigil/engine/series"
	"vigil/internal/load/rig"
)

type ingestRun struct {
	url, token             string
	series, samples, batch int
	conns, pid             int
	most                   time.Duration

	vigild              string // start one of our own, with these policies
	policies, untouched int
}

// own runs against a vigild of its own: policies of which each watches one of
// the series, and others that watch none.
func (c ingestRun) own() (ingestReport, error) {
	files := map[string]string{}
	var b strings.Builder
	flush := func(n int) {
		if b.Len() > 0 {
			files[fmt.Sprintf("load-%d.yaml", n)] = b.String()
			b.Reset()
		}
	}
	for i := range c.policies + c.untouched {
		match := fmt.Sprintf(`load_metric_%d{host="host-%d"}`, i%50, i/50)
		if i >= c.policies {
			match = fmt.Sprintf("untouched_%d", i)
		}
		fmt.Fprintf(&b, "---\napiVersion: vigil/v1\nkind: Policy\nmetadata: {name: load-%d}\nspec: {match: '%s', fire: 'avg(\"5m\") > 1e15', accept: open}\n", i, match)
		if i%1000 == 999 {
			flush(i)
		}
	}
	flush(-1)
	d, err := chainRun{vigild: c.vigild}.start("", files)
	if err != nil {
		return ingestReport{}, err
	}
	defer d.Stop()
	// Folders are read beside the start: what is measured begins when all hold.
	if err := d.policies(c.policies+c.untouched, time.Minute); err != nil {
		return ingestReport{}, err
	}
	c.url, c.pid = d.Base+"/api/v1/write", d.PID()
	return c.run()
}

type ingestReport struct {
	Samples    int     `json:"samples"`
	Series     int     `json:"series"`
	PerSecond  float64 `json:"samples_per_s"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	P999       float64 `json:"p999_ms"`
	Errors     int     `json:"errors"`
	FirstError string  `json:"first_error,omitempty"`
	CPUPerM    float64 `json:"cpu_s_per_million,omitempty"`
	PeakMiB    float64 `json:"peak_rss_mib,omitempty"`
}

// value is the data the figures are given for: of ten series six are gauges (a
// walk of two decimals), three counters (steps of 0 to 99), one constant.
type value struct {
	kind int
	v    float64
	rnd  *rand.Rand
}

func (x *value) next() float64 {
	switch {
	case x.kind < 6:
		x.v = math.Round((x.v+(x.rnd.Float64()-0.5))*100) / 100
	case x.kind < 9:
		x.v += float64(x.rnd.IntN(100))
	}
	return x.v
}

func (c ingestRun) run() (ingestReport, error) {
	if c.series < c.conns || c.batch < 1 || c.conns < 1 {
		return ingestReport{}, fmt.Errorf("series, batch and conns must be positive, and there must be a series for each connection")
	}
	bodies := make([][][]byte, c.conns)
	var wg sync.WaitGroup
	for w := range c.conns {
		wg.Go(func() { bodies[w] = c.bodies(w) })
	}
	wg.Wait()
	var before rig.Usage
	if c.pid != 0 {
		var err error
		if before, err = rig.ReadUsage(c.pid); err != nil {
			return ingestReport{}, err
		}
	}
	tr := &http.Transport{MaxIdleConnsPerHost: c.conns, DisableCompression: true}
	client := &http.Client{Transport: tr, Timeout: 30 * time.Second}
	defer tr.CloseIdleConnections()
	var mu sync.Mutex
	rep := ingestReport{Series: c.series}
	var lat []time.Duration
	begin := time.Now()
	for w := range c.conns {
		wg.Go(func() {
			var own []time.Duration
			ok, bad, first := 0, 0, ""
			for i, b := range bodies[w] {
				if time.Since(begin) > c.most {
					break
				}
				t := time.Now()
				err := c.post(client, b)
				own = append(own, time.Since(t))
				if err != nil {
					bad++
					if first == "" {
						first = err.Error()
					}
					continue
				}
				ok += c.in(w, i)
			}
			mu.Lock()
			defer mu.Unlock()
			rep.Samples, rep.Errors = rep.Samples+ok, rep.Errors+bad
			if rep.FirstError == "" {
				rep.FirstError = first
			}
			lat = append(lat, own...)
		})
	}
	wg.Wait()
	took := time.Since(begin)
	rep.PerSecond = float64(rep.Samples) / took.Seconds()
	rep.P50, rep.P99, rep.P999 = rig.Quantiles(lat)
	if c.pid != 0 && rep.Samples > 0 {
		after, err := rig.ReadUsage(c.pid)
		if err != nil {
			return rep, err
		}
		rep.CPUPerM = (after.CPU - before.CPU).Seconds() / float64(rep.Samples) * 1e6
		rep.PeakMiB = float64(after.PeakKiB) / 1024
	}
	return rep, nil
}

// share is how many samples connection w sends.
func (c ingestRun) share(w int) int { return c.samples*(w+1)/c.conns - c.samples*w/c.conns }

// in is how many samples its i-th request holds.
func (c ingestRun) in(w, i int) int { return min(c.batch, c.share(w)-i*c.batch) }

// bodies makes every request of one connection: its own series, in time order.
func (c ingestRun) bodies(w int) [][]byte {
	lo, hi := w*c.series/c.conns, (w+1)*c.series/c.conns
	keys := make([][]byte, hi-lo)
	vals := make([]value, hi-lo)
	for i := range keys {
		n := lo + i
		for _, l := range series.FromMap("load_metric_"+strconv.Itoa(n%50), map[string]string{
			"host": "host-" + strconv.Itoa(n/50), "job": "load", "instance": "10.0.0." + strconv.Itoa(n/50%250) + ":9100",
		}) {
			keys[i] = series.AppendLabel(keys[i], l.Name, l.Value)
		}
		vals[i] = value{kind: n % 10, rnd: rand.New(rand.NewPCG(uint64(n), 7))}
	}
	left := c.share(w)
	steps := (left + len(keys) - 1) / len(keys)
	t := time.Now().Add(-time.Duration(steps) * 15 * time.Second).UnixMilli()
	var out [][]byte
	var raw []byte
	at, n := 0, 0
	for ; left > 0; left-- {
		raw = appendSeries(raw, keys[at], vals[at].next(), t)
		if at++; at == len(keys) {
			at, t = 0, t+15_000
		}
		if n++; n == c.batch || left == 1 {
			out = append(out, snappy.Encode(nil, raw))
			raw, n = raw[:0], 0
		}
	}
	return out
}

// appendSeries writes one TimeSeries of remote write 1.0 with one sample.
func appendSeries(dst, key []byte, v float64, t int64) []byte {
	var s [32]byte
	sample := append(s[:0], 0x09)
	sample = binary.LittleEndian.AppendUint64(sample, math.Float64bits(v))
	sample = append(sample, 0x10)
	sample = binary.AppendUvarint(sample, uint64(t))
	dst = append(dst, 0x0a)
	dst = binary.AppendUvarint(dst, uint64(len(key)+2+len(sample)))
	dst = append(dst, key...)
	dst = append(dst, 0x12, byte(len(sample)))
	return append(dst, sample...)
}

func (c ingestRun) post(client *http.Client, body []byte) error {
	req, err := http.NewRequest(http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("HTTP %d: %.200s", resp.StatusCode, answer)
	}
	return err
}
