package launch

import (
	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// Foresee says why a program would not start, as things stand now and as this user
// sees them: it is missing, not executable or not as its digest says, others could
// change it, or its user, its group or its folder is not there. That another user's
// identity cannot be taken on is left out, since vigild may run as another one. It
// starts nothing, blocks on disk, and what it says is no promise. A program without
// argv is one that is not there yet.
func Foresee(p Program) error {
	if len(p.Argv) > 0 {
		_, held, err := executable(p)
		if err != nil {
			return err
		}
		if held != nil {
			held.Close()
		}
	}
	if _, err := credential(p.User, p.Group); err != nil && fault.KindOf(err) != fault.Forbidden {
		return err
	}
	if p.Dir == "" {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Stat(p.Dir, &st); err != nil {
		return fault.New(fault.NotFound, "the folder it runs in, %s: %v", p.Dir, err).Mend("make it, or name another as cwd")
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return fault.New(fault.Unprocessable, "%s, which it is to run in, is no folder", p.Dir).Mend("name another as cwd")
	}
	return nil
}

// Startable is Foresee of a program that this very process is to start: it also says
// that it may not do so as that user.
func Startable(p Program) error {
	if _, err := credential(p.User, p.Group); err != nil {
		return err
	}
	return Foresee(p)
}
