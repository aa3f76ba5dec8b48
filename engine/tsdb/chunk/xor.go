package chunk

import (
	"encoding/binary"

	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"vigil/engine/series"
)

// xor packs times and values with chunkenc's XOR encoding (Gorilla, section 4.1
// of Pelkonen et al., VLDB 2015).
func xor(pts []series.Point) []byte {
	c := chunkenc.NewXORChunk()
	a, err := c.Appender()
	if err != nil {
		return nil
	}
	for _, p := range pts {
		a.Append(0, p.T, p.V)
	}
	return c.Bytes()
}

// unxor reads n points from what xor wrote; ok is false where there are not n,
// or their times do not ascend.
func unxor(dst []series.Point, b []byte, n int) (out []series.Point, ok bool) {
	if len(b) < 3 || int(binary.BigEndian.Uint16(b)) != n {
		return dst, false
	}
	c := chunkenc.NewXORChunk()
	c.Reset(b)
	from := len(dst)
	it := c.Iterator(nil)
	for it.Next() == chunkenc.ValFloat {
		t, v := it.At()
		if len(dst) > from && t <= dst[len(dst)-1].T {
			return dst[:from], false
		}
		dst = append(dst, series.Point{T: t, V: v})
	}
	if it.Err() != nil || len(dst)-from != n {
		return dst[:from], false
	}
	return dst, true
}
