package listen

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What is asked of the kernel: one TCP socket by its two ends (sock_diag(7)).
const (
	diagRequest = 56 // sizeof(struct inet_diag_req_v2)
	diagAnswer  = 72 // sizeof(struct inet_diag_msg)
	diagUID     = 64 // offset of idiag_uid in it
	diagInode   = 68 // of idiag_inode
	noCookie    = ^uint32(0)
)

// ownerOf is whose socket of this host has these two ends, its own first, as a part
// of a key.
func ownerOf(own, other netip.AddrPort) string {
	if uid, ok := uidOf(own, other); ok {
		return " of uid " + strconv.FormatUint(uint64(uid), 10)
	}
	return " of nobody known"
}

// uidOf asks the kernel for it: one question, and no list is gone through, so that
// a flood does not make each of its connections dearer. False: it does not say.
func uidOf(own, other netip.AddrPort) (uid uint32, ok bool) {
	family := uint8(unix.AF_INET)
	if own.Addr().Unmap().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000})
	q := make([]byte, unix.SizeofNlMsghdr+diagRequest)
	*(*unix.NlMsghdr)(unsafe.Pointer(&q[0])) = unix.NlMsghdr{Len: uint32(len(q)), Type: unix.SOCK_DIAG_BY_FAMILY, Flags: unix.NLM_F_REQUEST, Seq: 1}
	r := q[unix.SizeofNlMsghdr:]
	r[0], r[1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(r[4:], ^uint32(0)) // in any state
	binary.BigEndian.PutUint16(r[8:], own.Port())
	binary.BigEndian.PutUint16(r[10:], other.Port())
	copy(r[12:28], own.Addr().Unmap().AsSlice())
	copy(r[28:44], other.Addr().Unmap().AsSlice())
	binary.NativeEndian.PutUint32(r[48:], noCookie)
	binary.NativeEndian.PutUint32(r[52:], noCookie)
	if unix.Sendto(fd, q, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) != nil {
		return 0, false
	}
	var answer [512]byte
	n, _, err := unix.Recvfrom(fd, answer[:], 0)
	if err != nil || n < unix.SizeofNlMsghdr+diagAnswer {
		return 0, false
	}
	if h := (*unix.NlMsghdr)(unsafe.Pointer(&answer[0])); h.Type != unix.SOCK_DIAG_BY_FAMILY {
		return 0, false
	}
	if binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr+diagInode:]) == 0 {
		return 0, false // its process has closed it: it is nobody's, and called root's
	}
	return binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr+diagUID:]), true
}
