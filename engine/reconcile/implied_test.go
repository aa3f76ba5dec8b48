package reconcile_test

import (
	"testing"

	"vigil/engine/reconcile"
)

// TestOrder_WhatFollowsWithoutAWord: a folder before what is in it (and after it
// when it goes), a unit after its files and its configuration; a dependsOn the
// other way round wins.
func TestOrder_WhatFollowsWithoutAWord(t *testing.T) {
	item := func(ref string, claims ...string) *reconcile.Item {
		return &reconcile.Item{Resource: named{stub{ref}, claims[0]}, Claims: claims}
	}
	dir, in := item("Directory/d", "file:/etc/app"), item("File/in", "file:/etc/app/sub/in")
	old, oldIn := item("Directory/old", "file:/srv/old"), item("File/old", "file:/srv/old/x")
	old.Mode, oldIn.Mode = reconcile.Absent, reconcile.Absent
	unit, web := item("File/unit", "file:/etc/systemd/system/web.service.d/a.conf"), item("Service/web", "systemd:web.service")
	conf := item("File/conf", "file:/etc/web.conf#line:a")
	web.Also = []string{"/etc/web.conf"}
	odd, oddIn := item("Directory/odd", "file:/odd"), item("File/odd", "file:/odd/x")
	odd.DependsOn = []string{"File/odd"}
	items := []*reconcile.Item{web, in, dir, old, oldIn, unit, conf, odd, oddIn}
	if is := reconcile.Order(items, nil); len(is) > 0 {
		t.Fatal(is)
	}
	for _, p := range [][2]*reconcile.Item{{dir, in}, {oldIn, old}, {unit, web}, {conf, web}, {oddIn, odd}} {
		if p[0].Level >= p[1].Level {
			t.Errorf("%s (level %d) does not come before %s (level %d)", p[0].Key().Ref(), p[0].Level, p[1].Key().Ref(), p[1].Level)
		}
	}
}

// named is a resource of which only its key is asked.
type named struct {
	stub
	subject string
}

func (n named) Key() reconcile.Key {
	k := n.stub.Key()
	k.Subject = n.subject
	return k
}
