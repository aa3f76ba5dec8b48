package launch_test

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vigil/actions/launch"
)

func report(b *testing.B, took []time.Duration, what string) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "us-p50-"+what)
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "us-p99-"+what)
}

// BenchmarkRun is start, run and reap of the smallest program.
func BenchmarkRun(b *testing.B) {
	for _, root := range []string{"", "off"} {
		b.Run("cgroup="+root, func(b *testing.B) {
			l := launcher(b, root)
			p := launch.Program{Argv: []string{"/bin/true"}, Stdin: []byte("{}")}
			var took []time.Duration
			for b.Loop() {
				t := time.Now()
				if _, err := l.Run(b.Context(), p); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(t))
			}
			report(b, took, "run")
		})
	}
}

// BenchmarkFirstInstruction is from the call until the child exists and runs:
// the fork returns when the exec has succeeded.
func BenchmarkFirstInstruction(b *testing.B) {
	l := launcher(b, "")
	var start, death []time.Duration
	for b.Loop() {
		t := time.Now()
		c, err := l.Start(launch.Program{Argv: []string{"/bin/sleep", "60"}}, nil)
		if err != nil {
			b.Fatal(err)
		}
		start = append(start, time.Since(t))
		t = time.Now()
		_ = c.Signal(unix.SIGKILL)
		_ = c.Dead()
		c.Reap()
		death = append(death, time.Since(t))
		c.Release()
	}
	report(b, start, "start")
	report(b, death, "death")
}
