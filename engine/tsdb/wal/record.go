// Package wal is the log in front of the sample store: segments that are filled
// with zeros once and then used again and again, one record per group commit.
//
// A record is found good only by a CRC-32C that also covers the generation of
// its segment and its own sequence number, so the old records which lie behind
// the end of a recycled segment are never taken for new ones. A segment's first
// block says which record it starts with; a record at or past the start of the
// next segment was never acknowledged and is left out.
//
// It refuses to know what is inside a record, to delete anything that its owner
// did not release, and to write again through a handle whose write or sync
// failed or whose file was taken away: it reads back what was acknowledged, says
// what is not there any more, and goes on in a fresh segment.
// After a restart it never writes into a segment that was open before.
//
// Append and Repair are for one goroutine, beside which Release, Prepare and Check
// may run. It starts nothing; Close closes the file.
package wal

import (
	"encoding/binary"
	"hash/crc32"
)

// Record is one group commit. Payload aliases the reader's buffer.
type Record struct {
	Seq      uint64 // counts records over all segments
	Position uint64 // of its first sample
	Count    uint32 // samples
	Era      uint32
	Wall     int64 // Unix ms when it was written
	Payload  []byte
}

// Layout of a record's head, little endian; the checksum covers all behind it.
const (
	recordHead = 48
	offSum     = 0
	offLen     = 4
	offGen     = 8
	offSeq     = 16
	offPos     = 24
	offCount   = 32
	offEra     = 36
	offWall    = 40
	align      = 8
)

// Layout of a segment's first block.
const (
	segmentHead  = 64
	magic        = "VGLSEG1\n"
	offHeadGen   = 8
	offBaseSeq   = 16
	offBasePos   = 24
	offHeadSum   = 60
	minSegment   = 4096
	maxSegment   = 1 << 30
	segmentGlob  = "seg-"
	zeroFillStep = 1 << 20
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian
	zeros      [zeroFillStep]byte // only ever read
)

// Size is how much of a segment a record with n bytes of payload takes.
func Size(n int) int { return (recordHead + n + align - 1) &^ (align - 1) }

// appendRecord writes head and payload, padded.
func appendRecord(dst []byte, gen uint64, r Record, parts [][]byte) []byte {
	at := len(dst)
	var head [recordHead]byte
	dst = append(dst, head[:]...)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	b := dst[at:]
	le.PutUint32(b[offLen:], uint32(len(b)-recordHead))
	le.PutUint64(b[offGen:], gen)
	le.PutUint64(b[offSeq:], r.Seq)
	le.PutUint64(b[offPos:], r.Position)
	le.PutUint32(b[offCount:], r.Count)
	le.PutUint32(b[offEra:], r.Era)
	le.PutUint64(b[offWall:], uint64(r.Wall))
	le.PutUint32(b[offSum:], crc32.Checksum(b[offLen:], castagnoli))
	for len(dst)%align != 0 {
		dst = append(dst, 0)
	}
	return dst
}

// parseRecord reads the record at the start of b if it belongs to generation
// gen and its checksum holds.
func parseRecord(b []byte, gen uint64) (r Record, size int, ok bool) {
	if len(b) < recordHead || le.Uint64(b[offGen:]) != gen {
		return r, 0, false
	}
	n := int64(le.Uint32(b[offLen:]))
	if n > int64(len(b)-recordHead) {
		return r, 0, false
	}
	end := recordHead + int(n)
	if crc32.Checksum(b[offLen:end], castagnoli) != le.Uint32(b[offSum:]) {
		return r, 0, false
	}
	return Record{
		Seq:      le.Uint64(b[offSeq:]),
		Position: le.Uint64(b[offPos:]),
		Count:    le.Uint32(b[offCount:]),
		Era:      le.Uint32(b[offEra:]),
		Wall:     int64(le.Uint64(b[offWall:])),
		Payload:  b[recordHead:end:end],
	}, Size(int(n)), true
}

// head is a segment's first block.
type head struct{ gen, baseSeq, basePos uint64 }

func appendHead(dst []byte, h head) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, segmentHead)...)
	b := dst[at:]
	copy(b, magic)
	le.PutUint64(b[offHeadGen:], h.gen)
	le.PutUint64(b[offBaseSeq:], h.baseSeq)
	le.PutUint64(b[offBasePos:], h.basePos)
	le.PutUint32(b[offHeadSum:], crc32.Checksum(b[:offHeadSum], castagnoli))
	return dst
}

func parseHead(b []byte) (h head, ok bool) {
	if len(b) < segmentHead || string(b[:len(magic)]) != magic ||
		crc32.Checksum(b[:offHeadSum], castagnoli) != le.Uint32(b[offHeadSum:]) {
		return h, false
	}
	return head{le.Uint64(b[offHeadGen:]), le.Uint64(b[offBaseSeq:]), le.Uint64(b[offBasePos:])}, true
}
