package policy

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"vigil/engine/series"
)

func TestExplainShowsEveryValue(t *testing.T) {
	c := must(t, Spec{Match: "lat", Fire: `avg("5m") > 0.5 and labels.service == "web" and max("1m", "other") > 1`, Clear: `value < 0.3`})
	in := c.Instance(web)
	for i := range 30 {
		in.Observe(0, 1, series.Point{T: int64(i+1) * 1000, V: 0.75})
	}
	in.Observe(0, 1, series.Point{T: 31_000, V: math.Inf(1)})
	in.Evaluate(31_000, false, 0)
	e := in.Explain()
	if vs := e.Values(); vs["value"] != "+Inf" && vs["value"] != "unknown" || vs[`avg("5m")`] != "unknown" || vs["age"] != "0" {
		t.Errorf("values %v", vs)
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"text":"avg(\"5m\")","value":"unknown"`, `"text":"labels.service","value":"\"web\""`,
		`"text":"labels.service == \"web\"","value":"true"`, `"call":"max(\"1m\", \"other\")","value":"unknown","count":0`, `{"t":31000,"v":"+Inf"}`,
		`"series":"lat{host=\"a\",service=\"web\"}"`, `"text":"value \u003c 0.3","value":"unknown"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in\n%s", want, b)
		}
	}
	if n := len(e.Windows[0].Samples); n != maxEvidence || e.Windows[0].Count != 31 || e.Windows[0].Last != 31_000 {
		t.Errorf("%+v", e.Windows[0])
	}
}
