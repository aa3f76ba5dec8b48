package probe

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"vigil/engine/check/web"
	"vigil/engine/series"
)

// Scrape takes the samples of a Prometheus exporter (text format 0.0.4).
type Scrape struct {
	URL         string            `yaml:"url"`
	Headers     map[string]string `yaml:"headers"`
	Job         string            `yaml:"job"`          // default the check's name
	Instance    string            `yaml:"instance"`     // default host:port of the URL
	HonorLabels bool              `yaml:"honor_labels"` // the exporter's job and instance win
	Keep        string            `yaml:"keep"`         // regular expression: names that are kept
	Drop        string            `yaml:"drop"`         // regular expression: names that are not
	SampleLimit int               `yaml:"sample_limit"` // more samples refuse the whole scrape; default 10000
	LabelLimit  int               `yaml:"label_limit"`  // labels of one series; default 64
	UnixSocket  string            `yaml:"unix_socket"`
	CA          string            `yaml:"ca"` // reference to a PEM file of authorities, default the system's
	Insecure    bool              `yaml:"insecure"`
}

// The bounds of a scrape.
const (
	defaultSamples    = 10_000
	maxSamples        = 200_000
	defaultLabels     = 64
	maxLabelText      = 4096
	commentsPerSample = 4
	acceptText        = "text/plain;version=0.0.4;q=1,*/*;q=0.1"
	scrapeTimeoutName = "X-Prometheus-Scrape-Timeout-Seconds"
)

// Build is described at Params.
func (p *Scrape) Build(s *Site) Check {
	c := &scrape{Scrape: *p, site: s}
	s.wrong("url", web.CheckURL(p.URL))
	s.wrong("ca", web.CheckTrust(p.CA, p.Insecure))
	s.wrong("headers", web.CheckHeaders(p.Headers))
	if c.Job == "" {
		c.Job = s.Name
	}
	if u, err := url.Parse(p.URL); err == nil && c.Instance == "" {
		if c.Instance = u.Host; u.Port() == "" {
			c.Instance += map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
		}
	}
	if c.SampleLimit == 0 {
		c.SampleLimit = defaultSamples
	}
	if c.SampleLimit < 1 || c.SampleLimit > maxSamples {
		s.bad("sample_limit", "%d is out of range: 1 to %d", c.SampleLimit, maxSamples)
	}
	if c.LabelLimit == 0 {
		c.LabelLimit = defaultLabels
	}
	if c.LabelLimit < 1 || c.LabelLimit > 4*defaultLabels {
		s.bad("label_limit", "%d is out of range: 1 to %d", c.LabelLimit, 4*defaultLabels)
	}
	if p.UnixSocket != "" && !strings.HasPrefix(p.UnixSocket, "/") {
		s.bad("unix_socket", "%q is not an absolute path", p.UnixSocket)
	}
	for _, r := range []struct {
		key, text string
		to        **regexp.Regexp
	}{{"keep", p.Keep, &c.keep}, {"drop", p.Drop, &c.drop}} {
		if r.text == "" {
			continue
		}
		re, err := regexp.Compile("^(?:" + r.text + ")$")
		if err != nil {
			s.bad(r.key, "not a regular expression: %v", err)
		}
		*r.to = re
	}
	own := func(name string) series.Labels {
		return series.New(series.Label{Name: series.NameLabel, Value: name}, series.Label{Name: "job", Value: c.Job}, series.Label{Name: "instance", Value: c.Instance})
	}
	c.up, c.took, c.count, c.kept = own(nameScrapeUp), own(nameScrapeTook), own(nameScrapeCount), own(nameScrapeKept)
	c.refused = s.metric(nameScrapeRefuse)
	return c
}

type scrape struct {
	Scrape
	site                           *Site
	keep, drop                     *regexp.Regexp
	up, took, count, kept, refused series.Labels
}

// Collect takes all samples or none: an answer that is too big, has too many
// samples or cannot be read leaves up at 0. The time that an exporter gives a
// sample is not used; a sample is as old as its scrape.
func (c *scrape) Collect(ctx context.Context, emit Emit) error {
	began := time.Now()
	text, err := c.fetch(ctx)
	var samples model.Vector
	if err == nil {
		samples, err = c.parse(text)
	}
	emit(c.up, boolean(err == nil))
	emit(c.took, time.Since(began).Seconds())
	if err != nil {
		return err
	}
	kept, refused := 0, 0
	for _, s := range samples {
		name := string(s.Metric[model.MetricNameLabel])
		if c.keep != nil && !c.keep.MatchString(name) || c.drop != nil && c.drop.MatchString(name) {
			continue
		}
		ls, ok := c.labels(s.Metric)
		if !ok {
			refused++
			continue
		}
		emit(ls, float64(s.Value))
		kept++
	}
	emit(c.count, float64(len(samples)))
	emit(c.kept, float64(kept))
	emit(c.refused, float64(refused))
	return nil
}

// fetch reads the answer, unpacked, up to the cap.
func (c *scrape) fetch(ctx context.Context) ([]byte, error) {
	var w web.Watch
	trust, err := web.TrustIn(c.CA, c.Insecure, c.site.Deps.Secret)
	if err != nil {
		return nil, err
	}
	client := web.NewClient(&w, c.UnixSocket, trust)
	client.CheckRedirect = web.LeaveSecrets(c.Headers, defaultRedirects)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return nil, err
	}
	if err := web.SetHeaders(req, c.Headers, c.site.Deps.Secret); err != nil {
		return nil, err
	}
	req.Header.Set("Accept", acceptText)
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set(scrapeTimeoutName, strconv.FormatFloat(c.site.Timeout.Seconds(), 'f', -1, 64))
	resp, err := client.Do(req)
	if err != nil {
		return nil, down("%v", web.PlainError(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, down("status %d", resp.StatusCode)
	}
	var body io.Reader = io.LimitReader(resp.Body, int64(c.site.MaxOutput)+1)
	switch e := resp.Header.Get("Content-Encoding"); e {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, down("the answer says gzip and is not: %v", err)
		}
		body = io.LimitReader(z, int64(c.site.MaxOutput)+1)
	default:
		return nil, down("the answer is packed with %q, which was not asked for", e)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, down("the answer broke off after %d bytes: %v", len(text), err)
	}
	if len(text) > c.site.MaxOutput {
		return nil, down("the answer is over max_output (%d bytes)", c.site.MaxOutput)
	}
	return text, nil
}

// parse refuses too many samples before anything is built from them.
func (c *scrape) parse(text []byte) (model.Vector, error) {
	lines, comments := 0, 0
	for l := range bytes.Lines(text) {
		if len(l) > 1 && l[0] != '#' {
			lines++
		} else {
			comments++
		}
	}
	if lines > c.SampleLimit {
		return nil, down("%d samples are over sample_limit (%d)", lines, c.SampleLimit)
	}
	if comments > commentsPerSample*c.SampleLimit { // each may name a metric of its own
		return nil, down("%d comments are over %d for each of sample_limit", comments, commentsPerSample)
	}
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, down("not the text format: %v", err)
	}
	var out model.Vector
	for _, f := range families {
		v, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, f)
		if err != nil {
			return nil, down("%v", err)
		}
		out = append(out, v...)
	}
	return out, nil
}

// labels adds job and instance. Where the exporter has labels of these names,
// honor_labels says whose win; the loser's are kept as exported_*.
func (c *scrape) labels(m model.Metric) (series.Labels, bool) {
	if len(m) > c.LabelLimit {
		return nil, false
	}
	ls := make([]series.Label, 0, len(m)+2)
	for k, v := range m {
		if len(k)+len(v) > maxLabelText || k == series.OriginLabel {
			return nil, false
		}
		name := string(k)
		if (name == "job" || name == "instance") && !c.HonorLabels {
			for name = "exported_" + name; m[model.LabelName(name)] != ""; {
				name = "exported_" + name
			}
		}
		ls = append(ls, series.Label{Name: name, Value: string(v)})
	}
	for _, own := range []series.Label{{Name: "job", Value: c.Job}, {Name: "instance", Value: c.Instance}} {
		if !c.HonorLabels || m[model.LabelName(own.Name)] == "" {
			ls = append(ls, own)
		}
	}
	return series.New(ls...), true
}
