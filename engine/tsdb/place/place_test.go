package place

import (
	"strings"
	"testing"

	"vigil/engine/fault"
)

func TestNetworkFileSystemsAreRefused(t *testing.T) {
	for magic, refused := range map[int64]bool{
		0x6969: true, 0xff534d42: true, int64(int32(-0x00acb2be)): true, 0x01021997: true, // NFS, CIFS, CIFS as 32 bits give it, 9P
		0xef53: false, 0x58465342: false, 0x9123683e: false, 0x01021994: false, // ext4, XFS, Btrfs, tmpfs
	} {
		if err := local(magic, "/data"); (err != nil) != refused {
			t.Errorf("%#x: %v", magic, err)
		}
	}
}

// TestPlaceIsOneStoresOwn: a second one is told so at once, and may come when the
// first has gone.
func TestPlaceIsOneStoresOwn(t *testing.T) {
	dir := t.TempDir()
	first, err := Occupy(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Occupy(dir); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second one: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Occupy(dir)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}
