package manage

import (
	"context"
	"math"
	"strconv"
	"time"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/guard"
	"vigil/engine/policy"
	"vigil/engine/series"
)

// Caps of the reads: a question has a bounded answer and a bounded time.
const (
	readFor      = 20 * time.Second
	recentWindow = 5 * time.Minute
)

func (m *Manage) seriesRoutes(r *face.Registrar) {
	type Find struct {
		Match string `query:"match" required:"true" maxLength:"2048" example:"cpu_percent{host=\"web-1\"}" doc:"A PromQL selector"`
		From  string `query:"from" doc:"RFC 3339 or Unix seconds; one hour ago without it"`
		To    string `query:"to" doc:"Now without it"`
		Limit int    `query:"limit" minimum:"1" maximum:"10000" default:"1000"`
	}
	face.Handle(r, face.Line("GET", "/api/v1/series", guard.Read, "listSeries", "Series that a selector finds", "series", 0),
		func(ctx context.Context, _ guard.Caller, in *Find) (*face.Reply[contract.SeriesList], error) {
			out := contract.SeriesList{Series: []contract.Series{}}
			_, _, err := m.walk(ctx, in.Match, in.From, in.To, func(ls series.Labels, _ func() ([]series.Point, error)) (bool, error) {
				if len(out.Series) == in.Limit {
					out.Truncated = true
					return false, nil
				}
				out.Series = append(out.Series, contract.Series{Labels: ls.Map()})
				return true, nil
			})
			if err != nil {
				return nil, err
			}
			return face.Say(out)
		})

	type ranged struct {
		Find
		Points int `query:"points" minimum:"1" maximum:"100000" default:"20000" doc:"Over all series"`
	}
	face.Handle(r, face.Line("GET", "/api/v1/series/range", guard.Read, "readRange", "Points of the series that a selector finds", "series", 0),
		func(ctx context.Context, _ guard.Caller, in *ranged) (*face.Reply[contract.Range], error) {
			out := contract.Range{Series: []contract.RangeSeries{}}
			mint, maxt, err := m.walk(ctx, in.Match, in.From, in.To, func(ls series.Labels, points func() ([]series.Point, error)) (bool, error) {
				if len(out.Series) == in.Limit || out.Points >= in.Points {
					out.Truncated = true
					return false, nil
				}
				ps, err := points()
				if err != nil {
					return false, err
				}
				if room := in.Points - out.Points; len(ps) > room { // the newest are worth more
					ps, out.Truncated = ps[len(ps)-room:], true
				}
				rs := contract.RangeSeries{Labels: ls.Map(), Points: make([]contract.Point, 0, len(ps))}
				for _, p := range ps {
					if !series.IsStale(p.V) {
						rs.Points = append(rs.Points, contract.Point{float64(p.T) / 1000, plainValue(p.V)})
					}
				}
				out.Points += len(rs.Points)
				out.Series = append(out.Series, rs)
				return true, nil
			})
			if err != nil {
				return nil, err
			}
			out.From, out.To = time.UnixMilli(mint).UTC(), time.UnixMilli(maxt).UTC()
			return face.Say(out)
		})

	type recent struct {
		Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
		Name  string `query:"name" maxLength:"255" doc:"Just this metric"`
	}
	face.Handle(r, face.Line("GET", "/api/v1/ingest", guard.Read, "listRecentSamples", "The newest sample of each series of the last five minutes", "ingest", 0),
		func(ctx context.Context, _ guard.Caller, in *recent) (*face.Reply[contract.Recent], error) {
			out := contract.Recent{OK: true, Metrics: []contract.RecentSample{}}
			match := `{__name__=~".+"}`
			if in.Name != "" {
				match = "{__name__=" + strconv.Quote(in.Name) + "}"
			}
			from := strconv.FormatFloat(float64(m.Clock().Millis())/1000-recentWindow.Seconds(), 'f', 3, 64)
			_, _, err := m.walk(ctx, match, from, "", func(ls series.Labels, points func() ([]series.Point, error)) (bool, error) {
				ps, err := points()
				if err != nil || len(ps) == 0 {
					return err == nil, err
				}
				p := ps[len(ps)-1]
				if series.IsStale(p.V) {
					return true, nil
				}
				out.Metrics = append(out.Metrics, contract.RecentSample{Name: ls.Name(), Value: plainValue(p.V),
					Tags: ls.Drop(series.NameLabel).Map(), Timestamp: time.UnixMilli(p.T).UTC()})
				return len(out.Metrics) < in.Limit, nil
			})
			if err != nil {
				return nil, err
			}
			out.Count = len(out.Metrics)
			return face.Say(out)
		})
}

// walk visits the series that match in (from, to] until visit says no.
func (m *Manage) walk(ctx context.Context, match, from, to string, visit func(series.Labels, func() ([]series.Point, error)) (bool, error)) (mint, maxt int64, err error) {
	sel, err := policy.ParseSelector(match)
	if err != nil {
		return 0, 0, face.Unfit(err.Error(), match, "query", "match")
	}
	now := m.Clock().Millis()
	mint, maxt = now-time.Hour.Milliseconds(), now
	f, err := face.Moment(from, "from")
	if err != nil {
		return 0, 0, err
	}
	t, err := face.Moment(to, "to")
	if err != nil {
		return 0, 0, err
	}
	if to != "" {
		maxt = t.Millis()
		mint = maxt - time.Hour.Milliseconds()
	}
	if from != "" {
		mint = f.Millis()
	}
	if mint >= maxt {
		return 0, 0, face.Unfit("from must be before to", from, "query", "from")
	}
	ctx, cancel := context.WithTimeout(ctx, readFor)
	defer cancel()
	c, err := m.Samples.Select(ctx, sel, mint, maxt)
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		if cerr := c.Close(); err == nil {
			err = cerr
		}
	}()
	var buf []series.Point
	for c.Next() {
		more, err := visit(c.Labels(), func() (ps []series.Point, err error) {
			buf, err = c.Points(buf[:0])
			return buf, err
		})
		if err != nil || !more {
			return mint, maxt, err
		}
	}
	return mint, maxt, c.Err()
}

// plainValue is a value that JSON can say: text where it is no finite number.
func plainValue(v float64) any {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	}
	return v
}
