package settings

import (
	"encoding"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"vigil/engine/document"
)

// duration reads 90s, 5m, 1h30m, 7d, 2w, as policies write them; 250ms too.
func duration(s string) (time.Duration, error) {
	var d document.Duration
	if t, ok := any(&d).(encoding.TextUnmarshaler); ok && t.UnmarshalText([]byte(s)) == nil {
		return d.Std(), nil
	}
	if std, serr := time.ParseDuration(s); serr == nil && s != "0" {
		return std, nil
	}
	return 0, fmt.Errorf("%s is not a duration: expected a number with its unit, such as 250ms, 30s, 5m, 1h30m, 7d", shorten(s))
}

// durationText writes whole days as days and drops the units that are zero.
func durationText(d time.Duration) string {
	const day = 24 * time.Hour
	if d != 0 && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

var units = []struct {
	suffix string
	factor float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// bytesOf reads a size with its unit, or a whole number in text.
func bytesOf(s string) (int64, error) {
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
	best, least := "", len(word)/2+1
	for _, k := range known {
		if d := distance(word, k); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// distance is Levenshtein's, bounded to words of 64 bytes.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		prev := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := prev
			if a[i-1] != b[j-1] {
				cost++
			}
			prev = row[j]
			row[j] = min(row[j]+1, row[j-1]+1, cost)
		}
	}
	return row[len(b)]
}
