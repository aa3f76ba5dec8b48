package world

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// sums remembers the sha256 of files, so that a look at a file that nobody
// touched costs no reading.
//
// A sum stands for an inode with its size and both its times to the nanosecond.
// The time of the inode's last change (ctime) cannot be set by a program, but its
// clock ticks in milliseconds, so a file that changed within the last two seconds
// before it was read may change again unseen, and is not remembered: git knows
// this as the racy entry. A program that writes through a mapping moves the times
// only when its page was clean, so nothing is believed for longer than ten
// minutes either. Only file systems whose times are known to be honest take part.
// Concurrent; bounded.
type sums struct {
	mu   sync.Mutex
	most int
	at   map[inode]sum
}

type inode struct{ dev, ino uint64 }

type sum struct {
	size         int64
	mtime, ctime unix.Timespec
	text         string // sha256, hex
	from, until  int64  // ns; believed between these two
}

// What is believed, and for how long. Half of it is spread over the inodes, so
// that what was read together is not read again together.
const (
	settled  = 2 * time.Second
	believed = 10 * time.Minute
	mostSums = 65536 // about 200 bytes each
)

func newSums() *sums { return &sums{most: mostSums, at: map[inode]sum{}} }

// known is the sum of a file that stands as it stood when it was read.
func (s *sums) known(st *unix.Stat_t, now time.Time) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.at[inode{st.Dev, st.Ino}]
	if !ok || k.size != st.Size || k.mtime != st.Mtim || k.ctime != st.Ctim {
		return "", false
	}
	if t := now.UnixNano(); t < k.from || t >= k.until {
		return "", false
	}
	return k.text, true
}

// keep remembers what was read from fd, from a moment on at which the file stood
// as before says, if it still does.
func (s *sums) keep(fd int, before *unix.Stat_t, text string, began time.Time) {
	if age := began.Sub(time.Unix(before.Ctim.Unix())); age < settled {
		return
	}
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Dev != before.Dev || st.Ino != before.Ino || st.Size != before.Size || st.Mtim != before.Mtim || st.Ctim != before.Ctim {
		return
	}
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) != nil || !honest(uint32(fs.Type)) {
		return
	}
	spread := time.Duration(st.Ino*0x9E3779B97F4A7C15>>32) * (believed / 2) >> 32
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.at { // any will do when it is full: what is looked at comes back
		if len(s.at) < s.most {
			break
		}
		delete(s.at, k)
	}
	s.at[inode{st.Dev, st.Ino}] = sum{st.Size, st.Mtim, st.Ctim, text, began.UnixNano(), began.Add(believed/2 + spread).UnixNano()}
}

// honest names the file systems that change ctime with every change of content,
// and change it here: none over a network, none made up by the kernel.
func honest(magic uint32) bool {
	switch magic {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC,
		0x2FC12FC1, 0xCA451A4E: // zfs, bcachefs
		return true
	}
	return false
}
