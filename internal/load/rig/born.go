package rig

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Birth is what a started program has told of itself.
type Birth struct {
	PID int
	At  time.Time // of its first instructions, by the wall clock
}

// Child is a program that tells when it began, and does nothing else: with one
// argument it adds its birth to that file and ends, with a second one it stays
// after that until it is killed.
//
// On amd64 it is two dozen instructions of its own, so that what is measured ends
// with the first of them; a shell with its date would add one to three
// milliseconds of loading libraries. Plain asks for the shell, which is all there
// is on other machines.
type Child struct {
	argv  []string // what stands before the arguments
	plain bool
}

// NewChild writes the program into a folder.
func NewChild(dir string, plain bool) (Child, error) {
	path := filepath.Join(dir, "born")
	if plain || runtime.GOARCH != "amd64" {
		const script = "echo $$ $(date +%s%N) >> \"$1\"; [ -z \"$2\" ] || exec sleep 100000\n"
		return Child{argv: []string{"/bin/sh", path}, plain: true}, os.WriteFile(path, []byte(script), 0o700)
	}
	return Child{argv: []string{path}}, os.WriteFile(path, executable(born[:]), 0o700)
}

// Argv runs it: file takes its births, and stay is whether it waits to be killed.
func (c Child) Argv(file string, stay bool) []string {
	argv := append(append([]string(nil), c.argv...), file)
	if stay {
		argv = append(argv, "stay")
	}
	return argv
}

// Births are those that a file holds whole, in the order they came; none when it
// is not there yet.
func (c Child) Births(file string) ([]Birth, error) {
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	var out []Birth
	if c.plain {
		for line := range bytes.Lines(b) {
			var pid int
			var ns int64
			if _, err := fmt.Sscanln(string(line), &pid, &ns); err == nil {
				out = append(out, Birth{PID: pid, At: time.Unix(0, ns)})
			}
		}
		return out, nil
	}
	for ; len(b) >= 24; b = b[24:] {
		word := func(n int) int64 { return int64(binary.LittleEndian.Uint64(b[8*n:])) }
		out = append(out, Birth{PID: int(word(2)), At: time.Unix(word(0), word(1))})
	}
	return out, nil
}

// born is the program for Linux on amd64. It finds the count of its words where
// the stack begins, its file 16 bytes on.
var born = [...]byte{
	0x48, 0x89, 0xe3, //             mov rbx, rsp
	0x48, 0x83, 0xec, 0x20, //       sub rsp, 32
	0xb8, 0xe4, 0, 0, 0, //          mov eax, clock_gettime
	0x31, 0xff, //                   xor edi, edi        the wall clock
	0x48, 0x89, 0xe6, //             mov rsi, rsp        seconds, nanoseconds
	0x0f, 0x05, //                   syscall
	0xb8, 0x27, 0, 0, 0, //          mov eax, getpid
	0x0f, 0x05, //                   syscall
	0x48, 0x89, 0x44, 0x24, 0x10, // mov [rsp+16], rax
	0xb8, 0x02, 0, 0, 0, //          mov eax, open
	0x48, 0x8b, 0x7b, 0x10, //       mov rdi, [rbx+16]   the first argument
	0xbe, 0x41, 0x04, 0, 0, //       mov esi, O_WRONLY | O_CREAT | O_APPEND
	0xba, 0x80, 0x01, 0, 0, //       mov edx, 0600
	0x0f, 0x05, //                   syscall
	0x89, 0xc7, //                   mov edi, eax
	0xb8, 0x01, 0, 0, 0, //          mov eax, write
	0x48, 0x89, 0xe6, //             mov rsi, rsp
	0xba, 0x18, 0, 0, 0, //          mov edx, 24
	0x0f, 0x05, //                   syscall
	0x48, 0x83, 0x3b, 0x02, //       cmp qword [rbx], 2
	0x7e, 0x09, //                   jle exit
	0xb8, 0x22, 0, 0, 0, //    stay: mov eax, pause
	0x0f, 0x05, //                   syscall
	0xeb, 0xf7, //                   jmp stay
	0xb8, 0x3c, 0, 0, 0, //    exit: mov eax, exit
	0x31, 0xff, //                   xor edi, edi
	0x0f, 0x05, //                   syscall
}

// executable puts a header and the one segment before the code, as ELF wants it:
// a static program for amd64 that is read and run where it is loaded.
func executable(code []byte) []byte {
	const base, headers = 0x400000, 64 + 56
	le := binary.LittleEndian
	b := []byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0} // 64 bits, little end first
	b = le.AppendUint16(b, 2)                                            // a program
	b = le.AppendUint16(b, 62)                                           // amd64
	b = le.AppendUint32(b, 1)
	b = le.AppendUint64(b, base+headers) // where it begins
	b = le.AppendUint64(b, 64)           // the segments stand after this header
	b = le.AppendUint64(b, 0)            // no sections
	b = le.AppendUint32(b, 0)
	for _, n := range []uint16{64, 56, 1, 0, 0, 0} {
		b = le.AppendUint16(b, n)
	}
	b = le.AppendUint32(b, 1) // loaded
	b = le.AppendUint32(b, 5) // read and run
	size := uint64(headers + len(code))
	for _, n := range []uint64{0, base, base, size, size, 0x1000} {
		b = le.AppendUint64(b, n)
	}
	return append(b, code...)
}
