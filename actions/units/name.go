package units

import (
	"regexp"
	"slices"
	"strings"

	"vigil/engine/fault"
)

var shape = regexp.MustCompile(`^[A-Za-z0-9_:\\][A-Za-z0-9_:.\\@-]*$`)

// kinds are the suffixes a unit may have.
func kinds() []string {
	return []string{"service", "socket", "timer", "target", "mount", "automount", "path", "swap", "slice", "scope", "device"}
}

// Verbs lists what can be asked of a unit.
func Verbs() []string {
	return []string{"restart", "start", "stop", "reload", "try-restart", "reset-failed"}
}

// Canonical is the whole name of a unit: web is web.service. A template without
// an instance, a path and a name that no init system takes are refused. Pure.
func Canonical(name string) (string, error) {
	if len(name) > 250 || !shape.MatchString(name) || strings.Contains(name, "..") {
		return "", fault.New(fault.Unprocessable, "%q is not the name of a unit", name).Mend("a name such as web.service, without a path")
	}
	base, suffix := name, ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 && slices.Contains(kinds(), name[i+1:]) {
		base, suffix = name[:i], name[i:]
	}
	if strings.HasSuffix(base, "@") {
		return "", fault.New(fault.Unprocessable, "%q is a template", name).Mend("name an instance: %s1%s", base, suffix)
	}
	if suffix == "" {
		suffix = ".service"
	}
	return base + suffix, nil
}
