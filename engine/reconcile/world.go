package reconcile

import (
	"context"
	"time"
)

// World is what resources may ask about the machine. Every method reads only,
// blocks, ends with ctx and may be called concurrently. What does not exist is
// told in the answer and is no error. Errors: Forbidden (a symbolic link on the
// way, or no right to look), TooLarge, Unavailable, Unsupported (no such
// facility on this machine).
type World interface {
	// File looks at one path without following any link. With content it also
	// returns the bytes, at most MaxContent of them.
	File(ctx context.Context, path string, want Look) (File, error)
	// Entries lists a folder, sorted, at most MaxEntries.
	Entries(ctx context.Context, path string) ([]Entry, error)
	// Unit looks at one unit of systemd, or where that does not run at a service of
	// the init system that does.
	Unit(ctx context.Context, name string) (Unit, error)
	// Sysctl is the running value of a kernel parameter; ok is false when the
	// kernel has none of this name.
	Sysctl(ctx context.Context, name string) (value string, ok bool, err error)
	// Process looks at one process that vigild keeps.
	Process(ctx context.Context, name string) (Process, error)
}

// Bounds of what a World reads.
const (
	MaxContent = 1 << 20  // of a file of which a part is managed
	MaxHashed  = 64 << 20 // of a file that is hashed
	MaxEntries = 100_000
)

// Look says how much of a file is asked for.
type Look uint8

// What may be asked for.
const (
	LookMeta    Look = iota // type, mode, owner, times
	LookHash                // and the sha256 of a regular file
	LookContent             // and its bytes
)

// File is what stands at a path.
type File struct {
	Type    string // file, directory, link, other; "" is nothing
	Mode    uint32 // permission bits with setuid, setgid and sticky
	UID     uint32
	GID     uint32
	Owner   string // name of the user, "" when it has none
	Group   string
	Size    int64
	SHA256  string // hex; only with LookHash and LookContent
	Content []byte
	Changed time.Time // mtime
}

// Entry is one name in a folder.
type Entry struct {
	Name string
	Type string // as File.Type
}

// Unit is a unit as systemd has it, or a service of another init system in the same
// words.
type Unit struct {
	Init       string // openrc, runit, sysv; "" is systemd
	Load       string // loaded, not-found, masked, ...
	Active     string // active, inactive, failed, ...
	FileState  string // enabled, disabled, masked, static, ...
	NeedReload bool   // its files changed since systemd read them
	Started    time.Time

	// Untold are the fields of a Service that the init system has no word for.
	Untold []string
}

// Process is one process that vigild keeps.
type Process struct {
	Known   bool
	Running bool
	Pid     int
	Command *Command // that a document declared; nil: it is of the local config
	Current bool     // what runs was started with that command
	Rising  bool     // it is not ready yet, or has not stood as long as it has to
}
