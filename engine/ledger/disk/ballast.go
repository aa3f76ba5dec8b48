package disk

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"vigil/engine/clock"
)

// ballast is a file of real blocks that is given up when the disk is full, so
// that attempts and audit can still be written, and made again when there is room.
type ballast struct {
	path string
	size int64

	mu    sync.Mutex
	spent bool
	tried clock.Stamp
}

// refillEvery bounds how often the disk is asked whether there is room again.
const refillEvery = 5 * time.Second

// open makes the file if it is not there in full. An error leaves it spent.
func (b *ballast) open() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.size == 0 {
		return nil
	}
	b.spent = true
	var st unix.Stat_t
	if err := unix.Lstat(b.path, &st); err == nil && st.Size == b.size && st.Blocks*512 >= b.size {
		b.spent = false
		return nil
	}
	if err := b.make(); err != nil {
		return err
	}
	b.spent = false
	return nil
}

func (b *ballast) make() (err error) {
	f, err := os.OpenFile(b.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			_ = os.Remove(b.path) // half of it would only take the room
		}
	}()
	err = unix.Fallocate(int(f.Fd()), 0, 0, b.size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		err = fill(f, b.size)
	}
	if err != nil {
		return err
	}
	return f.Sync()
}

// fill writes blocks that no file system compresses away to nothing.
func fill(f *os.File, size int64) error {
	block := make([]byte, 64<<10)
	x := uint64(0x9e3779b97f4a7c15)
	for size > 0 {
		for i := range block {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			block[i] = byte(x)
		}
		n, err := f.Write(block[:min(size, int64(len(block)))])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return nil
}

// spend gives the room up; false says that there was none to give.
func (b *ballast) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.size == 0 || b.spent {
		return false
	}
	if err := os.Remove(b.path); err != nil {
		return false
	}
	b.spent = true
	_ = syncDir(filepath.Dir(b.path)) // the room is free either way
	return true
}

// refill makes the ballast again when the disk has room for it twice over, and
// says whether it is there.
func (b *ballast) refill(now clock.Stamp) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.spent {
		return true
	}
	if d, same := now.Sub(b.tried); same && d < refillEvery && !b.tried.IsZero() {
		return false
	}
	b.tried = now
	var st unix.Statfs_t
	if unix.Statfs(filepath.Dir(b.path), &st) != nil || int64(st.Bavail)*int64(st.Bsize) < 2*b.size || b.make() != nil {
		return false
	}
	b.spent = false
	return true
}

func (b *ballast) isSpent() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.spent
}
