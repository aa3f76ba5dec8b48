package host

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vigil/engine/check/bus"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/series"
)

// tree writes files below a directory: the /proc or /sys of a test.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// fixture is a small machine with one of everything.
func fixture(t *testing.T) Config {
	t.Helper()
	cfg := Defaults()
	cfg.Proc = tree(t, map[string]string{
		"stat": "cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 60 0 30 400 10 0 0 0 0 0\ncpu1 40 0 20 400 40 0 0 0 0 0\n" +
			"intr 4242 1 2 3\nctxt 777\nbtime 1700000000\nprocesses 99\nprocs_running 2\nprocs_blocked 1\n",
		"loadavg":         "0.52 1.25 12.00 2/345 6789\n",
		"meminfo":         "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    250 kB\nBuffers:  10 kB\nCached: 20 kB\nSwapTotal: 400 kB\nSwapFree: 100 kB\nHugePages_Total:       3\nVmallocUsed: 9 kB\n",
		"vmstat":          "nr_free_pages 1\npgfault 11\npgmajfault 12\noom_kill 3\n",
		"pressure/cpu":    "some avg10=12.50 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=1\n",
		"pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=10\nfull avg10=50.00 avg60=0.00 avg300=0.00 total=3000000\n",
		"pressure/io":     "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
		"self/mountinfo": "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard\n" +
			"22 27 0:21 / /proc rw - proc proc rw\n" +
			"30 27 8:1 / /mnt/my\\040disk ro,relatime - xfs /dev/sda1 ro\n" +
			"31 27 254:0 /etc /mnt/bind rw - ext4 /dev/vda1 rw\n" +
			"32 27 0:50 / /mnt/dead rw - nfs4 server:/x rw\n" +
			"33 27 0:51 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw\n",
		"diskstats": " 254 0 vda 10 1 20 3000 5 6 40 8000 2 5000 6000 1 2 3 4\n 254 1 vda1 9 9 9 9 9 9 9 9 9 9 9\n   7 0 loop0 1 1 1 1 1 1 1 1 1 1 1\n",
		"net/dev": "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed\n" +
			"    lo: 5 6 0 0 0 0 0 0 7 8 0 0 0 0 0 0\n  eth0:387587841 26643 1 2 0 0 0 0 2071581 21060 3 4 0 0 0 0\nvetha1b2: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n",
		"net/sockstat":                         "sockets: used 120\nTCP: inuse 7 orphan 1 tw 2 alloc 9 mem 3\nUDP: inuse 4 mem 0\n",
		"sys/net/netfilter/nf_conntrack_count": "17\n", "sys/net/netfilter/nf_conntrack_max": "65536\n",
		"uptime": "12345.67 100.00\n", "sys/fs/file-nr": "1024\t0\t65536\n",
		"sys/kernel/pid_max": "32768\n", "sys/kernel/threads-max": "1000\n",
		"1/stat":  "1 (init) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 1 1 1\n",
		"42/stat": "42 (a) Z (b) Z 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 1 1 1\n",
		"x/stat":  "not a process",
	})
	cfg.Sys = tree(t, map[string]string{
		"class/net/eth0/operstate": "up\n", "class/net/eth0/speed": "1000\n", "class/net/lo/operstate": "unknown\n",
		"class/hwmon/hwmon0/name": "Core Temp\n", "class/hwmon/hwmon0/temp1_input": "45500\n",
		"class/hwmon/hwmon0/temp1_crit": "100000\n", "class/hwmon/hwmon0/temp2_input": "garbage\n",
		"class/thermal/thermal_zone0/type": "cpu-thermal\n", "class/thermal/thermal_zone0/temp": "-5000\n",
	})
	return cfg
}

type fakeUnits struct {
	list []bus.Unit
	err  error
}

func (f *fakeUnits) Failed(context.Context) ([]bus.Unit, error) { return f.list, f.err }

// someSpace is a file system that answers.
func someSpace(_ string, st *unix.Statfs_t) error {
	*st = unix.Statfs_t{Bsize: 1024, Blocks: 1000, Bfree: 400, Bavail: 300, Files: 100, Ffree: 25}
	return nil
}

func collector(t *testing.T, cfg Config, u Units) *Collector {
	t.Helper()
	return collectorOn(t, cfg, u, someSpace)
}

func collectorOn(t *testing.T, cfg Config, u Units, statfs func(string, *unix.Statfs_t) error) *Collector {
	t.Helper()
	c, err := New(cfg, Deps{Units: u, Clock: clock.System(), Statfs: statfs})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range c.areas {
		if a, ok := n.area.(*times); ok {
			a.adjtimex = func(x *unix.Timex) (int, error) {
				*x = unix.Timex{Offset: 2_000_000, Status: staNano, Maxerror: 5000, Freq: 65536}
				return 0, nil
			}
		}
	}
	return c
}

// collect measures once and returns what came, by series.
func collect(t *testing.T, c *Collector) (map[string]float64, error) {
	t.Helper()
	got := map[string]float64{}
	err := c.Collect(context.Background(), func(ls series.Labels, v float64) {
		if _, twice := got[ls.String()]; twice {
			t.Errorf("%s was told twice in one round", ls)
		}
		got[ls.String()] = v
	})
	return got, err
}

func TestHostFixture(t *testing.T) {
	cfg := fixture(t)
	u := &fakeUnits{list: []bus.Unit{{Name: "web.service"}}}
	c := collector(t, cfg, u)
	got, err := collect(t, c)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		`node_cpu_seconds_total{cpu="0",mode="user"}`:            0.6,
		`node_cpu_seconds_total{cpu="1",mode="iowait"}`:          0.4,
		`node_context_switches_total`:                            777,
		`node_intr_total`:                                        4242,
		`node_boot_time_seconds`:                                 1700000000,
		`node_procs_blocked`:                                     1,
		`node_load1`:                                             0.52,
		`node_load15`:                                            12,
		`node_memory_MemTotal_bytes`:                             1000 * 1024,
		`node_memory_HugePages_Total`:                            3,
		`memory_percent{origin="host"}`:                          75,
		`memory_usage{origin="host"}`:                            0.75,
		`vigil_swap_used_ratio`:                                  0.75,
		`node_vmstat_oom_kill`:                                   3,
		`node_pressure_cpu_waiting_seconds_total`:                2.5,
		`node_pressure_memory_stalled_seconds_total`:             3,
		`vigil_pressure_ratio{kind="stalled",resource="memory"}`: 0.5,
		`node_filesystem_size_bytes{device="/dev/vda1",fstype="ext4",mountpoint="/"}`:           1000 * 1024,
		`node_filesystem_avail_bytes{device="/dev/vda1",fstype="ext4",mountpoint="/"}`:          300 * 1024,
		`node_filesystem_readonly{device="/dev/sda1",fstype="xfs",mountpoint="/mnt/my disk"}`:   1,
		`node_filesystem_device_error{device="server:/x",fstype="nfs4",mountpoint="/mnt/dead"}`: 0,
		`node_disk_read_bytes_total{device="vda"}`:                                              20 * 512,
		`node_disk_io_time_seconds_total{device="vda"}`:                                         5,
		`node_network_receive_bytes_total{device="eth0"}`:                                       387587841,
		`node_network_transmit_drop_total{device="eth0"}`:                                       4,
		`node_network_up{device="eth0"}`:                                                        1,
		`node_network_up{device="lo"}`:                                                          0,
		`node_network_speed_bytes{device="eth0"}`:                                               125e6,
		`node_sockstat_TCP_tw`:                                                                  2,
		`node_sockstat_sockets_used`:                                                            120,
		`node_nf_conntrack_entries_limit`:                                                       65536,
		`node_hwmon_temp_celsius{chip="core_temp",sensor="temp1"}`:                              45.5,
		`node_hwmon_temp_crit_celsius{chip="core_temp",sensor="temp1"}`:                         100,
		`node_thermal_zone_temp{type="cpu-thermal",zone="0"}`:                                   -5,
		`vigil_host_uptime_seconds`:                                                             12345.67,
		`node_timex_sync_status`:                                                                1,
		`node_timex_offset_seconds`:                                                             0.002,
		`node_timex_frequency_adjustment_ratio`:                                                 1 + 1e-6,
		`node_filefd_allocated`:                                                                 1024,
		`node_filefd_maximum`:                                                                   65536,
		`node_processes_pids`:                                                                   2,
		`node_processes_threads`:                                                                4,
		`node_processes_state{state="Z"}`:                                                       1,
		`node_processes_state{state="D"}`:                                                       0,
		`node_systemd_units{state="failed"}`:                                                    1,
		`node_systemd_unit_state{name="web.service",state="failed"}`:                            1,
		`node_scrape_collector_success{collector="cpu"}`:                                        1,
		`disk_usage{origin="host"}`:                                                             600.0 / 900,
		`disk_free_percent{origin="host"}`:                                                      100 * 300.0 / 900,
		`vigil_root_inodes_free_ratio`:                                                          0.25,
	}
	for k, v := range want {
		g, ok := got[k]
		if !ok {
			t.Errorf("%s is missing", k)
		} else if math.Abs(g-v) > 1e-9*max(1, math.Abs(v)) {
			t.Errorf("%s = %v, want %v", k, g, v)
		}
	}
	for k := range got {
		for _, no := range []string{"loop0", "vda1\"}", "vetha1b2", "/proc\"", "docker", "/mnt/bind", "cpu_percent", "VmallocUsed", "temp2"} {
			if strings.Contains(k, no) {
				t.Errorf("%s should have been left out", k)
			}
		}
	}

	// The second round has rates, and says once that the unit is well again.
	write(t, cfg.Proc, "stat", "cpu  150 0 75 850 75 0 0 0 0 0\n")
	u.list = nil
	got, err = collect(t, c)
	if err != nil {
		t.Fatal(err)
	}
	if v := got[`cpu_percent{origin="host"}`]; v != 50 {
		t.Errorf("cpu_percent = %v, want 50: 75 busy of 150 ticks", v)
	}
	if v := got[`cpu_usage{origin="host"}`]; v != 0.5 {
		t.Errorf("cpu_usage = %v, want 0.5", v)
	}
	if v, ok := got[`node_systemd_unit_state{name="web.service",state="failed"}`]; !ok || v != 0 {
		t.Errorf("the unit that recovered is told as %v, %v; want 0", v, ok)
	}
	got, _ = collect(t, c)
	if _, ok := got[`node_systemd_unit_state{name="web.service",state="failed"}`]; ok {
		t.Error("a unit that recovered long ago is still told")
	}
}

// TestHostNames: every name that is emitted is in Names, which guards the local names.
func TestHostNames(t *testing.T) {
	names := Names()
	for _, cfg := range []Config{fixture(t), Defaults()} {
		c := collector(t, cfg, &fakeUnits{list: []bus.Unit{{Name: "a.service"}}})
		for range 2 {
			c.Collect(context.Background(), func(ls series.Labels, v float64) {
				if !slices.Contains(names, ls.Name()) {
					t.Errorf("%s is emitted but is not in Names", ls.Name())
				}
			})
		}
	}
	seen := map[string]bool{}
	for _, n := range names {
		if n == "" || seen[n] {
			t.Errorf("%q is empty or there twice", n)
		}
		seen[n] = true
	}
}

// TestHostAreasAlone: whatever is missing or garbled, the other areas are told.
func TestHostAreasAlone(t *testing.T) {
	for _, file := range []string{"stat", "loadavg", "meminfo", "vmstat", "pressure/cpu", "self/mountinfo", "diskstats", "net/dev", "uptime", "sys/fs/file-nr", "1/stat"} {
		for _, text := range []string{"", "\x00\xff\xfe garbage ) ( : = \n\n:::\n", strings.Repeat("9", 5000)} {
			cfg := fixture(t)
			write(t, cfg.Proc, file, text)
			got, _ := collect(t, collector(t, cfg, nil))
			alive := "node_load1"
			if file == "loadavg" {
				alive = `memory_percent{origin="host"}`
			}
			if _, ok := got[alive]; !ok {
				t.Errorf("%s as %.20q took %s with it", file, text, alive)
			}
			if got[`node_scrape_collector_success{collector="loadavg"}`] != 1 && file != "loadavg" {
				t.Errorf("%s as %.20q failed loadavg", file, text)
			}
		}
	}
}

// TestHostUnitsAbsent: no systemd is no failure and no series.
func TestHostUnitsAbsent(t *testing.T) {
	got, err := collect(t, collector(t, fixture(t), &fakeUnits{err: bus.ErrAbsent}))
	if err != nil {
		t.Errorf("an absent bus is an error: %v", err)
	}
	for k := range got {
		if strings.Contains(k, "systemd") {
			t.Errorf("%s although there is no systemd", k)
		}
	}
}

// TestStuckFilesystem: a mount that hangs costs its own series and nothing
// else, is not asked again while it hangs, and comes back by itself.
func TestStuckFilesystem(t *testing.T) {
	cfg := fixture(t)
	cfg.StuckAfter = document.Duration(80 * time.Millisecond)
	release := make(chan struct{})
	var mu sync.Mutex
	calls := 0
	c := collectorOn(t, cfg, nil, func(path string, st *unix.Statfs_t) error {
		if path == "/mnt/my disk" {
			mu.Lock()
			calls++
			mu.Unlock()
			<-release
		}
		return someSpace(path, st)
	})
	const dead = `node_filesystem_device_error{device="/dev/sda1",fstype="xfs",mountpoint="/mnt/my disk"}`
	const behind = `node_filesystem_avail_bytes{device="server:/x",fstype="nfs4",mountpoint="/mnt/dead"}`
	for range 3 {
		got, _ := collect(t, c)
		if got[dead] != 1 {
			t.Errorf("the stuck mount is not told as an error")
		}
		if _, ok := got[behind]; !ok {
			t.Errorf("the mount behind the stuck one is missing")
		}
		if _, ok := got["node_load1"]; !ok {
			t.Errorf("a stuck mount took load with it")
		}
	}
	if mu.Lock(); calls != 1 {
		t.Errorf("the stuck mount was asked %d times while it hung, want 1", calls)
	}
	mu.Unlock()
	if c.Stuck() != 1 {
		t.Errorf("Stuck() = %d, want 1", c.Stuck())
	}
	close(release)
	for end := time.Now().Add(time.Minute); c.Stuck() > 0 && time.Now().Before(end); {
		<-time.After(time.Millisecond)
	}
	if got, _ := collect(t, c); got[dead] != 0 {
		t.Error("the mount answers again but is still told as an error")
	}
}

func BenchmarkCollect(b *testing.B) {
	c, err := New(Defaults(), Deps{Clock: clock.System()})
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	emit := func(series.Labels, float64) { n++ }
	c.Collect(context.Background(), emit)
	b.ReportAllocs()
	var before, after unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &before)
	n = 0
	for b.Loop() {
		c.Collect(context.Background(), emit)
	}
	unix.Getrusage(unix.RUSAGE_SELF, &after)
	cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(cpu)/1e6/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(n)/float64(b.N), "series/op")
}
