package lang

import "vigil/engine/series"

// windows are the functions over a window, by name; the bool-valued one is absent.
var windows = map[string]struct {
	stat series.Stat
	// lead says that an argument stands before the window (quantile), trail that
	// one stands after it (predict).
	lead, trail bool
}{
	"avg":      {stat: series.StatAvg},
	"min":      {stat: series.StatMin},
	"max":      {stat: series.StatMax},
	"sum":      {stat: series.StatSum},
	"count":    {stat: series.StatCount},
	"stddev":   {stat: series.StatStdDev},
	"quantile": {stat: series.StatQuantile, lead: true},
	"last":     {stat: series.StatLast},
	"first":    {stat: series.StatFirst},
	"rate":     {stat: series.StatRate},
	"increase": {stat: series.StatIncrease},
	"delta":    {stat: series.StatDelta},
	"deriv":    {stat: series.StatDeriv},
	"predict":  {stat: series.StatPredict, trail: true},
	"changes":  {stat: series.StatChanges},
	"resets":   {stat: series.StatResets},
	"absent":   {stat: series.StatAbsent},
}

// scalars are the functions over numbers, with how many they take.
var scalars = map[string]struct {
	op   op
	args int
}{
	"abs":      {opAbs, 1},
	"round":    {opRound, 1},
	"floor":    {opFloor, 1},
	"ceil":     {opCeil, 1},
	"clamp":    {opClamp, 3},
	"min2":     {opMin, 2},
	"max2":     {opMax, 2},
	"now_hour": {opHour, 0},
	"weekday":  {opWeekday, 0},
}

// later are the names of the language that are not built yet.
var later = map[string]bool{
	"median": true, "mad": true, "zscore": true, "ewma": true, "slope": true,
	"baseline": true, "anomaly": true, "promql": true,
}

var names = []string{"value", "labels", "name", "target", "age", "firing", "firing_for"}

// known lists every name of the language, for suggestions.
func known() []string {
	all := append([]string{}, names...)
	for n := range windows {
		all = append(all, n)
	}
	for n := range scalars {
		all = append(all, n)
	}
	return all
}

// FunctionNames lists the functions of the language, for documentation tests.
func FunctionNames() (window, scalar []string) {
	for n := range windows {
		window = append(window, n)
	}
	for n := range scalars {
		scalar = append(scalar, n)
	}
	return window, scalar
}
