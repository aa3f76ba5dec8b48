package document

import "time"

// Duration is a length of time as people write it: 90s 5m 1h30m 7d 2w. It is
// text in YAML, JSON and TOML; a bare number is refused, since its unit is not
// said.
type Duration time.Duration

// Std is the duration as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }
