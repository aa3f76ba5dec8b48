package launch

import (
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// resources are the limits a program may be given, by name.
func resources() map[string]int {
	return map[string]int{
		"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "fsize": unix.RLIMIT_FSIZE,
		"memlock": unix.RLIMIT_MEMLOCK, "nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC, "stack": unix.RLIMIT_STACK,
	}
}

// CheckLimits says which of the names is not a limit we know.
func CheckLimits(limits map[string]uint64) error {
	known := resources()
	for _, n := range slices.Sorted(maps.Keys(limits)) {
		if _, ok := known[n]; !ok {
			return fault.New(fault.Unprocessable, "there is no limit %q", n).
				Mend("one of %s", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
	return nil
}

// limit sets the rlimits of a process that has just been started. Its first
// instructions may run before; what it forks later inherits them. That is the
// price of no helper process between us and the program.
func limit(pid int, limits map[string]uint64) error {
	known := resources()
	for _, n := range slices.Sorted(maps.Keys(limits)) {
		l := unix.Rlimit{Cur: limits[n], Max: limits[n]}
		if err := unix.Prlimit(pid, known[n], &l, nil); err != nil {
			return fault.Wrap(fault.Internal, err, "limit %s=%d", n, limits[n])
		}
	}
	return nil
}
