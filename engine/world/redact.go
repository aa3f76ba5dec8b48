package world

import (
	"regexp"
	"strings"
)

const covered = "***"

var (
	secretName = regexp.MustCompile(`(?i)(pass(word|wd|phrase)?|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|auth|bearer|credential|cookie|session)`)
	secretText = regexp.MustCompile(`(?i)((?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|authorization|credentials?|cookie)["']?\s*[=:]\s*["']?)(?:(?:bearer|basic)\s+)?[^\s"',;&]+`)
	bearerText = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}`)
	userInfo   = regexp.MustCompile(`://[^/\s:@]*:[^/\s@]+@`)
)

// cover hides secrets in text of any kind: values after a telling name, and
// passwords in URLs. It errs on the side of hiding.
func cover(s string) string {
	s = userInfo.ReplaceAllString(s, "://"+covered+"@")
	s = secretText.ReplaceAllString(s, "${1}"+covered)
	return bearerText.ReplaceAllString(s, "${1} "+covered)
}

// coverArgs hides secrets in the arguments of a program: also the one that
// follows a telling flag.
func coverArgs(args []string) []string {
	out := make([]string, 0, len(args))
	next := false
	for _, a := range args {
		name, _, joined := strings.Cut(a, "=")
		switch {
		case next && !strings.HasPrefix(a, "-"):
			out = append(out, covered)
			next = false
			continue
		case joined && secretName.MatchString(name):
			out = append(out, name+"="+covered)
		default:
			out = append(out, cover(a))
		}
		next = !joined && strings.HasPrefix(a, "-") && secretName.MatchString(a)
	}
	return out
}
