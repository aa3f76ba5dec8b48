package contract

import "time"

// Series is one series without its points.
type Series struct {
	Labels map[string]string `json:"labels"`
}

// SeriesList is the series that a selector finds.
type SeriesList struct {
	Series    []Series `json:"series"`
	Truncated bool     `json:"truncated" doc:"There are more than the limit"`
}

// Range is points of the series that a selector finds.
type Range struct {
	From      time.Time     `json:"from"`
	To        time.Time     `json:"to"`
	Series    []RangeSeries `json:"series"`
	Points    int           `json:"points"`
	Truncated bool          `json:"truncated" doc:"There are more than the limits"`
}

// RangeSeries is the points of one series, oldest first: pairs of Unix seconds
// and value, the value as text where it is no finite number.
type RangeSeries struct {
	Labels map[string]string `json:"labels"`
	Points []Point           `json:"points"`
}

// Point is one sample on the wire: [1700000000.5, 0.93].
type Point [2]any

// Recent is the newest samples, for GET /api/v1/ingest.
type Recent struct {
	OK      bool           `json:"ok"`
	Count   int            `json:"count"`
	Metrics []RecentSample `json:"metrics"`
}

// RecentSample is the newest sample of one series.
type RecentSample struct {
	Name      string            `json:"name"`
	Value     any               `json:"value"`
	Tags      map[string]string `json:"tags"`
	Timestamp time.Time         `json:"timestamp"`
}

// Ingested is the answer to one sample.
type Ingested struct {
	OK       bool   `json:"ok"`
	MetricID uint64 `json:"metric_id" example:"4711"`
	Message  string `json:"message" example:"Metric ingested successfully"`
	Accepted int    `json:"accepted,omitempty"`
	Refused  int    `json:"refused,omitempty"`
}

// Sample is one sample as it is pushed.
type Sample struct {
	Name      string            `json:"name" required:"true" minLength:"1" maxLength:"255" example:"cpu_percent"`
	Value     float64           `json:"value" required:"true" example:"93.5"`
	Tags      map[string]string `json:"tags,omitempty"`
	Timestamp any               `json:"timestamp,omitempty" doc:"RFC 3339 or Unix seconds; without it, the time of receipt"`
}
