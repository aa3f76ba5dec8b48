package conn

import (
	"context"
	"errors"
	"syscall"
	"time"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"vigil/engine/fault"
)

// Translate turns what SQLite says into the closed list of kinds. Errors that
// have a kind already keep it.
func Translate(err error, doing string) error {
	if err == nil {
		return nil
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return fault.Wrap(fault.Cancelled, err, "%s the ledger", doing)
	case errors.Is(err, context.DeadlineExceeded):
		return fault.Wrap(fault.Timeout, err, "%s the ledger", doing)
	}
	kind, hint := fault.Internal, ""
	switch code(err) & 0xff {
	case lib.SQLITE_CONSTRAINT:
		kind = fault.Conflict
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB, lib.SQLITE_FORMAT:
		kind, hint = fault.Corrupt, "start vigild again: it moves the file aside and restores the newest good snapshot"
	case lib.SQLITE_FULL:
		kind, hint = fault.Unavailable, "the disk is full: free some space, vigild goes on by itself"
	case lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY, lib.SQLITE_PERM:
		kind, hint = fault.Unavailable, "the disk cannot be written: look at the kernel's log; vigild goes on by itself once it can"
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_PROTOCOL, lib.SQLITE_NOMEM:
		kind = fault.Unavailable
	case lib.SQLITE_INTERRUPT:
		kind = fault.Cancelled
	case lib.SQLITE_TOOBIG:
		kind = fault.TooLarge
	}
	e := &fault.Error{Kind: kind, Msg: doing + " the ledger", Err: err, Hint: hint}
	if kind == fault.Unavailable {
		e.RetryAfter = time.Second
	}
	return e
}

func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// Full says that there was no room: the one failure that ballast can mend.
func Full(err error) bool {
	return code(err)&0xff == lib.SQLITE_FULL || code(err) == lib.SQLITE_IOERR_SHMSIZE ||
		errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Broken says that the connection can no longer be trusted: something below
// SQLite failed, not the statement.
func Broken(err error) bool {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Internal, fault.Corrupt:
		return code(err) != 0
	}
	return false
}
