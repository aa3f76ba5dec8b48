package host

import (
	"os"
	"path/filepath"
	"strings"

	"vigil/engine/clock"
)

// thermal reads /sys/class/thermal: on small boards the only thermometer.
type thermal struct {
	dir     string
	temp    *vec
	sensors []sensor
	scanned clock.Stamp
}

func newThermal(cfg Config) *thermal {
	return &thermal{dir: cfg.Sys + "/class/thermal", temp: newVec("node_thermal_zone_temp", "zone", "type")}
}

func (t *thermal) names() []string { return vecNames(t.temp) }

func (t *thermal) collect(r *round) error {
	if due(r.now, &t.scanned) {
		t.scan()
	}
	return readSensors(r, t.sensors)
}

func (t *thermal) scan() {
	t.sensors = t.sensors[:0]
	zones, _ := os.ReadDir(t.dir)
	for _, z := range zones {
		id, ok := strings.CutPrefix(z.Name(), "thermal_zone")
		if !ok || len(t.sensors) == maxSensors {
			continue
		}
		dir := filepath.Join(t.dir, z.Name())
		kind, err := os.ReadFile(filepath.Join(dir, "type"))
		if err != nil || len(kind) > 256 {
			continue
		}
		t.sensors = append(t.sensors, sensor{filepath.Join(dir, "temp"),
			t.temp.at([]byte(id), []byte(strings.TrimSpace(string(kind))))})
	}
}
