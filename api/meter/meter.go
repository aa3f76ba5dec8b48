// Package meter is vigild seen from outside: /metrics, in the Prometheus text
// format, under our names and under those of the original, so that its
// dashboards go on.
//
// Other rooms tell their figures through a [Source], which is asked when the
// page is. Each request is counted once, under the pattern of its route and
// never under its path, so that the number of series has a bound.
//
// It refuses global registries and reading anything itself. It starts nothing;
// everything may be called concurrently.
package meter

import (
	"net/http"
	"runtime/debug"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Figure is one value. Labels are names and values in turn.
type Figure struct {
	Name, Help string
	Labels     []string
	Value      float64
	Counter    bool
}

// Source tells a room's figures. It is called for each page, concurrently, and
// must not block for long.
type Source func(emit func(Figure))

// Meter counts requests and renders the page.
type Meter struct {
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	panics   prometheus.Counter
	page     http.Handler
}

// New makes a meter over the sources.
func New(version string, sources []Source) *Meter {
	reg := prometheus.NewRegistry()
	m := &Meter{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total", Help: "HTTP requests, by method, route and status."},
			[]string{"method", "endpoint", "status"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "request_latency_seconds", Help: "Time from a request's arrival to its answer.",
			Buckets: []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}}, []string{"endpoint"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "vigil_http_panics_total", Help: "Handlers that panicked; each ended its own request alone."}),
	}
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "vigil_build_info", Help: "Version of vigild; always 1."}, []string{"version", "go_version"})
	goVersion := ""
	if bi, ok := debug.ReadBuildInfo(); ok {
		goVersion = bi.GoVersion
	}
	info.WithLabelValues(version, goVersion).Set(1)
	reg.MustRegister(m.requests, m.latency, m.panics, info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reg.MustRegister(&bridge{sources: sources})
	m.page = promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorHandling: promhttp.ContinueOnError})
	return m
}

// Request counts one request, under its route's pattern.
func (m *Meter) Request(method, endpoint string, status int, took time.Duration) {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH":
	default:
		method = "OTHER" // the caller chooses it
	}
	m.requests.WithLabelValues(method, endpoint, strconv.Itoa(status)).Inc()
	m.latency.WithLabelValues(endpoint).Observe(took.Seconds())
}

// Panicked counts a handler's panic.
func (m *Meter) Panicked() { m.panics.Inc() }

// ServeHTTP renders the page.
func (m *Meter) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.page.ServeHTTP(w, r) }

// bridge asks the sources when the page is asked for. It describes nothing
// beforehand, since figures come and go.
type bridge struct{ sources []Source }

func (b *bridge) Describe(chan<- *prometheus.Desc) {}

func (b *bridge) Collect(ch chan<- prometheus.Metric) {
	var mu sync.Mutex
	seen := map[string]bool{}
	for _, s := range b.sources {
		s(func(f Figure) {
			names, values := f.split()
			key := f.Name
			for i := range names {
				key += "\xff" + names[i] + "\xfe" + values[i]
			}
			mu.Lock()
			twice := seen[key]
			seen[key] = true
			mu.Unlock()
			if twice { // two rooms under one name would fail the whole page
				return
			}
			kind := prometheus.GaugeValue
			if f.Counter {
				kind = prometheus.CounterValue
			}
			metric, err := prometheus.NewConstMetric(prometheus.NewDesc(f.Name, f.Help, names, nil), kind, f.Value, values...)
			if err == nil {
				ch <- metric
			}
		})
	}
}

// split sorts the labels by name.
func (f Figure) split() (names, values []string) {
	type pair struct{ n, v string }
	ps := make([]pair, 0, len(f.Labels)/2)
	for i := 0; i+1 < len(f.Labels); i += 2 {
		ps = append(ps, pair{f.Labels[i], f.Labels[i+1]})
	}
	sort.Slice(ps, func(i, j int) bool { return ps[i].n < ps[j].n })
	for _, p := range ps {
		names, values = append(names, p.n), append(values, p.v)
	}
	return names, values
}
