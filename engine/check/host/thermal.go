package host

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"vigil/engine/check/host/kernel"
	"vigil/engine/clock"
)

// thermal reads /sys/class/thermal: on small boards the only thermometer.
type thermal struct {
	dir     string
	temp    *kernel.Vec
	sensors []sensor
	scanned clock.Stamp
}

func newThermal(cfg Config) *thermal {
	return &thermal{dir: cfg.Sys + "/class/thermal", temp: kernel.NewVec("node_thermal_zone_temp", "zone", "type")}
}

func (t *thermal) Names() []string { return kernel.Names(t.temp) }

func (t *thermal) Collect(ctx context.Context, r *kernel.Round) error {
	if due(r.Now, &t.scanned) {
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
			t.temp.At([]byte(id), []byte(strings.TrimSpace(string(kind))))})
	}
}
