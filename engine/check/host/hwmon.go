package host

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"vigil/engine/check/host/kernel"
	"vigil/engine/clock"
	"vigil/engine/series"
)

// What is looked at of sensors: how many, and how often the list is made anew.
const (
	maxSensors  = 64
	rescanAfter = 5 * time.Minute
)

// sensor is one file in millidegrees Celsius.
type sensor struct {
	path string
	ls   series.Labels
}

// hwmon reads /sys/class/hwmon: temperatures and their limits.
type hwmon struct {
	dir            string
	temp, max, crt *kernel.Vec
	sensors        []sensor
	scanned        clock.Stamp
}

func newHwmon(cfg Config) *hwmon {
	v := func(name string) *kernel.Vec { return kernel.NewVec(name, "chip", "sensor") }
	return &hwmon{dir: cfg.Sys + "/class/hwmon", temp: v("node_hwmon_temp_celsius"),
		max: v("node_hwmon_temp_max_celsius"), crt: v("node_hwmon_temp_crit_celsius")}
}

func (h *hwmon) Names() []string { return kernel.Names(h.temp, h.max, h.crt) }

func (h *hwmon) Collect(ctx context.Context, r *kernel.Round) error {
	if due(r.Now, &h.scanned) {
		h.scan()
	}
	return readSensors(r, h.sensors)
}

// due says whether a list made at *scanned is to be made again, and notes it.
func due(now clock.Stamp, scanned *clock.Stamp) bool {
	if d, _ := now.Sub(*scanned); !scanned.IsZero() && d < rescanAfter {
		return false
	}
	*scanned = now
	return true
}

// readSensors leaves out what cannot be read now: a sensor of a device that
// sleeps answers with an error, which is its usual state.
func readSensors(r *kernel.Round, of []sensor) error {
	if len(of) == 0 {
		return kernel.ErrAbsent
	}
	for _, s := range of {
		b, err := r.Read(s.path)
		if err != nil {
			continue
		}
		if v, _, ok := kernel.Next(b); ok {
			r.Emit(s.ls, v/1000)
		}
	}
	return nil
}

func (h *hwmon) scan() {
	h.sensors = h.sensors[:0]
	chips, _ := os.ReadDir(h.dir) // sorted; absent is empty
	for _, c := range chips {
		dir := filepath.Join(h.dir, c.Name())
		chip := []byte(chipName(dir))
		files, _ := filepath.Glob(dir + "/temp*_*")
		for _, f := range files {
			name, kind, _ := strings.Cut(filepath.Base(f), "_")
			v := map[string]*kernel.Vec{"input": h.temp, "max": h.max, "crit": h.crt}[kind]
			if v != nil && len(h.sensors) < maxSensors {
				h.sensors = append(h.sensors, sensor{f, v.At(chip, []byte(name))})
			}
		}
	}
}

var notInNames = regexp.MustCompile(`[^a-z0-9:_]`)

// chipName is the chip label as node_exporter makes it: bus and device of the
// hwmon device where it has one, else its name.
func chipName(dir string) string {
	clean := func(s string) string {
		return strings.Trim(notInNames.ReplaceAllString(strings.ToLower(s), "_"), "_")
	}
	if device, err := filepath.EvalSymlinks(filepath.Join(dir, "device")); err == nil {
		name, kind := clean(filepath.Base(device)), clean(filepath.Base(filepath.Dir(device)))
		if kind != "" && name != "" {
			return kind + "_" + name
		}
		if name != "" {
			return name
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "name")); err == nil && len(b) < 256 {
		if n := clean(strings.TrimSpace(string(b))); n != "" {
			return n
		}
	}
	return clean(filepath.Base(dir))
}
