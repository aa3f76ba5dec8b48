package document

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time as people write it: 90s 5m 1h30m 7d 2w. It is
// text in YAML, JSON and TOML; a bare number is refused, since its unit is not
// said.
type Duration time.Duration

// Std is the duration as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Units of time, largest first: the order in which they are written.
var units = [...]struct {
	name string
	size time.Duration
}{
	{"w", 7 * 24 * time.Hour},
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
	{"ms", time.Millisecond},
	{"us", time.Microsecond},
	{"ns", time.Nanosecond},
}

// ParseDuration reads 90s, 5m, 1h30m, 7d, 2w, 1.5s, 250ms. Each unit may occur
// once, larger before smaller. A negative length, a bare number other than 0, an
// unknown unit and more than 292 years are refused.
func ParseDuration(text string) (Duration, error) {
	if text == "0" {
		return 0, nil
	}
	if text == "" {
		return 0, fmt.Errorf("a duration is empty; write one such as 90s, 5m or 1h30m")
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return 0, fmt.Errorf("%q has no unit; write %ss for seconds, or ms m h d w", text, text)
	}
	var total float64
	var exact time.Duration
	rest, last := text, -1
	for rest != "" {
		n := 0
		for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || rest[n] == '.') {
			n++
		}
		u := n
		for u < len(rest) && rest[u] >= 'a' && rest[u] <= 'z' {
			u++
		}
		number, err := strconv.ParseFloat(rest[:n], 64)
		if err != nil || u == n {
			return 0, fmt.Errorf("%q is not a duration; write one such as 90s, 5m or 1h30m", text)
		}
		i := unitIndex(rest[n:u])
		if i < 0 {
			return 0, fmt.Errorf("%q has an unknown unit %q; the units are w d h m s ms us ns", text, rest[n:u])
		}
		if i <= last {
			return 0, fmt.Errorf("%q repeats a unit or puts a smaller one first", text)
		}
		last = i
		part := number * float64(units[i].size)
		total += part
		if total >= math.MaxInt64 {
			return 0, fmt.Errorf("%q is longer than 292 years", text)
		}
		if whole, err := strconv.ParseInt(rest[:n], 10, 64); err == nil {
			exact += time.Duration(whole) * units[i].size
		} else {
			exact += time.Duration(math.Round(part))
		}
		rest = rest[u:]
	}
	if exact < 0 {
		return 0, fmt.Errorf("%q is longer than 292 years", text)
	}
	return Duration(exact), nil
}

func unitIndex(name string) int {
	for i, u := range units {
		if u.name == name {
			return i
		}
	}
	return -1
}

// String is the shortest text that ParseDuration reads back: 1h30m, 90s is 1m30s.
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	left := time.Duration(d)
	if left < 0 {
		b.WriteByte('-')
		left = -left
		if left < 0 { // the one length that has no opposite
			left = math.MaxInt64
		}
	}
	for _, u := range units {
		if n := left / u.size; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10))
			b.WriteString(u.name)
			left -= n * u.size
		}
	}
	return b.String()
}

// MarshalText is String; it serves JSON, YAML and TOML.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDuration. JSON numbers never reach it: encoding/json
// refuses them by itself, and so does Decode.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := ParseDuration(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}
