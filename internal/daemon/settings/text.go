package settings

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"vigil/engine/document"
)

// duration reads 250ms, 90s, 5m, 1h30m, 7d, 2w, as policies write them.
func duration(s string) (time.Duration, error) {
	d, err := document.ParseDuration(s)
	return d.Std(), err
}

var units = []struct {
	suffix string
	factor float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// ParseSize reads bytes written with their unit (64MiB, 10kB), or a whole number.
func ParseSize(s string) (int64, error) {
	num, factor := strings.TrimSpace(s), 1.0
	for _, u := range units {
		if rest, ok := strings.CutSuffix(num, u.suffix); ok {
			num, factor = strings.TrimSpace(rest), u.factor
			break
		}
	}
	if factor == 1 {
		n, err := strconv.ParseInt(num, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s is not a whole number", shorten(s))
		}
		return n, nil
	}
	f, err := strconv.ParseFloat(num, 64)
	if err != nil || math.IsNaN(f) || f*factor >= math.MaxInt64 || f*factor <= math.MinInt64 {
		return 0, fmt.Errorf("%s is not a size: expected a number with B, kB, MB, GB, KiB, MiB or GiB", shorten(s))
	}
	return int64(f * factor), nil
}

// suggestion names the nearest of the known words, "" when none is near.
func suggestion(word string, known []string) string {
	near := document.Nearest(word, known)
	if near == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", near)
}

// size writes large round numbers of bytes with their unit, others as they are.
func size(n int64) string {
	for _, u := range []struct {
		suffix string
		factor int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}} {
		if n >= u.factor && n%u.factor == 0 {
			return fmt.Sprintf("%q", strconv.FormatInt(n/u.factor, 10)+u.suffix)
		}
	}
	return strconv.FormatInt(n, 10)
}
