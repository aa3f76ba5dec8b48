package wire

import (
	"bufio"
	"bytes"
	"fmt"
	"testing"
)

// FuzzPacket: what is read is what was written, and nothing else is let in.
func FuzzPacket(f *testing.F) {
	for _, s := range []string{"0000", "0001", "0002", "0003", "0004", "0005a", "fff0", "ffff", "000Ab", "00x0", "00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bufio.NewReader(bytes.NewReader(in))
		var buf []byte
		var out bytes.Buffer
		for {
			kind, b, err := ReadPacket(r, &buf)
			if err != nil {
				break
			}
			if len(b) > MaxPacket-4 {
				t.Fatalf("a packet of %d bytes", len(b))
			}
			if kind == Data {
				fmt.Fprintf(&out, "%04x%s", len(b)+4, b)
			} else {
				fmt.Fprintf(&out, "%04x", int(kind)-1)
			}
		}
		if !bytes.Equal(bytes.ToLower(in[:out.Len()]), bytes.ToLower(out.Bytes())) {
			t.Fatalf("%q was read as %q", in, out.Bytes())
		}
	})
}
