package chunk

import "hash/crc32"

// seal gives a body a checksum that holds.
func seal(body []byte) []byte {
	b := append([]byte(nil), body[:len(body)-2]...)
	sum := crc32.Checksum(b, castagnoli)
	return append(b, byte(sum), byte(sum>>8))
}
