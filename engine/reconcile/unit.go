package reconcile

import (
	"path"
	"slices"
)

// IsUnit says whether a name ends as the units do that documents may be about.
func IsUnit(name string) bool {
	return slices.Contains([]string{".service", ".socket", ".timer", ".target", ".mount", ".path", ".slice"}, path.Ext(name))
}

// UnitName is the whole name of a unit: web is web.service. Whether it is one that
// systemd takes is not looked at.
func UnitName(name string) string {
	if IsUnit(name) {
		return name
	}
	return name + ".service"
}
