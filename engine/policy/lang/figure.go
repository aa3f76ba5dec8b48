package lang

import (
	"math"
	"strconv"

	"vigil/engine/fault"
)

const unknown = "unknown"

// Figure is a number as text that reads back to the last bit; NaN is unknown.
func Figure(v float64) string {
	if math.IsNaN(v) {
		return unknown
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// ParseFigure reads what Figure wrote.
func ParseFigure(s string) (float64, error) {
	if s == unknown {
		return math.NaN(), nil
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, fault.Wrap(fault.Corrupt, err, "the evidence holds %.40q, which is no number", s)
}

// named are the inputs by the names of the language, calls left out.
func (in *Inputs) named() map[string]*float64 {
	return map[string]*float64{
		"value": &in.Value, "age": &in.Age, "firing": &in.Firing,
		"firing_for": &in.FiringFor, "now_hour": &in.Hour, "weekday": &in.Weekday,
	}
}

// Texts are the inputs as text, calls left out.
func (in *Inputs) Texts() map[string]string {
	m := make(map[string]string, 6)
	for name, v := range in.named() {
		m[name] = Figure(*v)
	}
	return m
}

// ParseInputs reads what Texts wrote; every input must be there.
func ParseInputs(m map[string]string) (in Inputs, err error) {
	for name, to := range in.named() {
		if *to, err = ParseFigure(m[name]); err != nil {
			return in, err
		}
	}
	return in, nil
}
