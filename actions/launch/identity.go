package launch

import (
	"os"
	"os/user"
	"strconv"
	"syscall"

	"vigil/engine/fault"
)

// credential says as whom a program runs. A uid never travels without its gid,
// and the supplementary groups are always emptied where that is allowed at all;
// nil means vigild's own identity, unprivileged and so unable to change it.
func credential(name, group string) (*syscall.Credential, error) {
	uid, gid := uint32(os.Geteuid()), uint32(os.Getegid())
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			if u, err = user.LookupId(name); err != nil {
				return nil, fault.New(fault.Unprocessable, "user %q does not exist on this host", name)
			}
		}
		id, err := number(u.Uid)
		if err != nil {
			return nil, err
		}
		own, err := number(u.Gid)
		if err != nil {
			return nil, err
		}
		uid, gid = id, own
	}
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			if g, err = user.LookupGroupId(group); err != nil {
				return nil, fault.New(fault.Unprocessable, "group %q does not exist on this host", group)
			}
		}
		id, err := number(g.Gid)
		if err != nil {
			return nil, err
		}
		gid = id
	}
	if os.Geteuid() != 0 {
		if int(uid) == os.Geteuid() && int(gid) == os.Getegid() {
			return nil, nil
		}
		return nil, fault.New(fault.Forbidden, "vigild runs as uid %d and cannot start a program as user %q group %q", os.Geteuid(), name, group).
			Mend("run vigild as root, or leave user and group out")
	}
	return &syscall.Credential{Uid: uid, Gid: gid, Groups: []uint32{}}, nil
}

func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fault.New(fault.Internal, "id %q in the user database is not a number", s)
	}
	return uint32(n), nil
}
