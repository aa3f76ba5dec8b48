package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"vigil/engine/clock"
)

// Version is the first field of every encoded record. Another layout gets
// another number, so one chain may hold both and no record can be read two ways.
const Version = 1

// Head is the end of a chain, or the place where a pruned one begins: the last
// record's number and hash. The zero Head is the beginning of a new chain.
type Head struct {
	Seq  int64
	Hash Hash
}

// Head is the chain's head after r.
func (r Record) Head() Head { return Head{Seq: r.Seq, Hash: r.Hash} }

// String is the hash in lower-case hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Seal gives r its place behind prev: it fills Prev and Hash; Seq must be set.
// Texts that are not valid UTF-8 are repaired first, since an export could not
// carry them unchanged; evidence is kept byte for byte. The caller stores what
// is returned, not what it passed in.
func Seal(prev Hash, r Record) Record {
	for _, s := range []*string{&r.At.BootID, &r.Actor, &r.Verb, &r.Object, &r.Reason} {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
	if len(r.Evidence) == 0 {
		r.Evidence = nil
	}
	r.Prev = prev
	r.Hash = Sum(r)
	return r
}

// Sum is the hash that r must carry: SHA-256 over its encoding, which covers
// every field but Hash itself.
func Sum(r Record) Hash { return sha256.Sum256(appendRecord(nil, r)) }

// appendRecord is the encoding of docs/audit-format.md: each field is a 32-bit
// big-endian length and its bytes, numbers being 8 bytes, in a fixed order.
func appendRecord(b []byte, r Record) []byte {
	if b == nil {
		b = make([]byte, 0, 160+len(r.At.BootID)+len(r.Actor)+len(r.Verb)+len(r.Object)+len(r.Reason)+len(r.Evidence))
	}
	b = appendNumber(b, Version)
	b = appendField(b, r.Prev[:])
	b = appendNumber(b, r.Seq)
	b = appendStamp(b, r.At)
	for _, s := range [...]string{r.Actor, r.Verb, r.Object, r.Reason} {
		b = appendText(b, s)
	}
	return appendField(b, r.Evidence)
}

func appendStamp(b []byte, s clock.Stamp) []byte {
	b = appendNumber(b, s.Wall)
	b = appendNumber(b, s.Boot)
	return appendText(b, s.BootID)
}

func appendNumber(b []byte, n int64) []byte {
	b = binary.BigEndian.AppendUint32(b, 8)
	return binary.BigEndian.AppendUint64(b, uint64(n))
}

func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

func appendField(b, f []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
	return append(b, f...)
}
