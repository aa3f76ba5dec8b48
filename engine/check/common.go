package check

import (
	"fmt"
	"time"

	"vigil/engine/check/procs"
	"vigil/engine/check/schedule"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/series"
)

// Common is the fields that every kind of check has.
type Common struct {
	Kind       string             `yaml:"kind"`
	Every      string             `yaml:"every"`       // a duration or a cron expression
	Jitter     *document.Duration `yaml:"jitter"`      // default: a tenth of every, at most 30s
	Zone       string             `yaml:"zone"`        // of cron and window, IANA name
	Timeout    *document.Duration `yaml:"timeout"`     // of one try; default 10s, or every where that is shorter
	Retries    int                `yaml:"retries"`     // further tries within one round
	StartGrace document.Duration  `yaml:"start_grace"` // after the process began, down is not told
	StartedBy  *procs.Match       `yaml:"started_by"`  // the process that start_grace looks at
	Labels     map[string]string  `yaml:"labels"`      // added to every sample
	OnError    string             `yaml:"on_error"`    // end: series end when it cannot be measured; keep: they stay
	MaxOutput  int                `yaml:"max_output"`  // bytes of an answer that are read
	Window     []string           `yaml:"window"`      // active times
}

// The bounds of the common fields.
const (
	defaultEvery   = "30s"
	defaultTimeout = 10 * time.Second
	maxTimeout     = 10 * time.Minute
	maxRetries     = 10
	maxGrace       = 24 * time.Hour
	maxLabels      = 16
	maxLabelBytes  = 256
	maxWindows     = 32
	minOutput      = 1 << 10
	maxOutput      = 64 << 20
)

// apply checks the common fields and moves them into the definition.
func (c Common) apply(d *Definition, at func(...string) string) (is fault.Issues) {
	zone := time.UTC
	if c.Zone != "" {
		z, err := time.LoadLocation(c.Zone)
		if err != nil || c.Zone == "Local" {
			is.Add(at("zone"), "%q is no time zone: expected an IANA name such as Europe/Berlin", c.Zone)
		} else {
			zone = z
		}
	}
	var err error
	if d.schedule, err = schedule.Parse(c.Every, c.Jitter, zone); err != nil {
		is.Add(at("every"), "%v", err)
	}
	d.timeout = defaultTimeout
	if e := d.schedule.Every; e > 0 {
		d.timeout = min(d.timeout, e)
	}
	if c.Timeout != nil {
		d.timeout = c.Timeout.Std()
		if d.timeout < 10*time.Millisecond || d.timeout > maxTimeout {
			is.Add(at("timeout"), "%v is out of range: 10ms to %v", d.timeout, maxTimeout)
		} else if e := d.schedule.Every; e > 0 && d.timeout > e {
			is.Add(at("timeout"), "%v is longer than every (%v): the next round would find this one still running", d.timeout, e)
		}
	}
	if d.retries = c.Retries; c.Retries < 0 || c.Retries > maxRetries {
		is.Add(at("retries"), "%d is out of range: 0 to %d", c.Retries, maxRetries)
	}
	if d.grace = c.StartGrace.Std(); d.grace < 0 || d.grace > maxGrace {
		is.Add(at("start_grace"), "%v is out of range: 0s to %v", d.grace, maxGrace)
	}
	if d.startedBy = c.StartedBy; c.StartedBy != nil {
		if err := c.StartedBy.Compile(); err != nil {
			is.Add(at("started_by"), "%v", err)
		}
		if c.StartGrace == 0 {
			is.Add(at("started_by"), "there is no start_grace for it to count")
		}
	}
	switch c.OnError {
	case "", "end":
	case "keep":
		d.keepOnFail = true
	default:
		is.Add(at("on_error"), "%q is unknown: expected end or keep", c.OnError)
	}
	if c.MaxOutput != 0 && (c.MaxOutput < minOutput || c.MaxOutput > maxOutput) {
		is.Add(at("max_output"), "%d is out of range: %d to %d", c.MaxOutput, minOutput, maxOutput)
	}
	if len(c.Window) > maxWindows {
		is.Add(at("window"), "%d windows are too many: at most %d", len(c.Window), maxWindows)
	}
	for i, text := range c.Window {
		s, err := schedule.ParseSpan(text)
		if err != nil {
			is.Add(at("window", fmt.Sprint(i)), "%v", err)
			continue
		}
		d.spans = append(d.spans, s)
	}
	is = append(is, c.setLabels(d, at)...)
	return is
}

// setLabels takes the labels that every sample gets; the names by which vigild
// tells checks apart are its own.
func (c Common) setLabels(d *Definition, at func(...string) string) (is fault.Issues) {
	if len(c.Labels) > maxLabels {
		is.Add(at("labels"), "%d labels are too many: at most %d", len(c.Labels), maxLabels)
		return is
	}
	for k, v := range c.Labels {
		switch {
		case k == "" || k == series.NameLabel || k == series.OriginLabel || k == "check" || k == "kind":
			is.Add(at("labels", k), "the label %q cannot be set by a check", k)
		case len(k) > maxLabelBytes || len(v) > maxLabelBytes:
			is.Add(at("labels", k), "longer than %d bytes", maxLabelBytes)
		default:
			d.labels = append(d.labels, series.Label{Name: k, Value: v})
		}
	}
	d.labels = series.New(d.labels...)
	return is
}
