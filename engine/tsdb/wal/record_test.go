package wal

import "testing"

// The sequence alone would do while it never starts again; the generation holds
// even where it does, as after a restore.
func TestRecordOfAnotherGenerationIsNotOurs(t *testing.T) {
	b := appendRecord(nil, 7, Record{Seq: 3, Count: 1}, [][]byte{[]byte("payload")})
	if _, _, ok := parseRecord(b, 7); !ok {
		t.Fatal("its own generation does not read it")
	}
	if _, _, ok := parseRecord(b, 8); ok {
		t.Error("generation 8 takes a record of generation 7")
	}
	le.PutUint64(b[offGen:], 8)
	if _, _, ok := parseRecord(b, 8); ok {
		t.Error("the checksum does not cover the generation")
	}
}
