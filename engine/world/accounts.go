package world

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"sync"
	"time"
)

// accounts are the names of users and groups, read again when their files
// changed, which is looked at once a second at most. Concurrent.
type accounts struct {
	mu     sync.Mutex
	looked time.Time
	users  accountFile
	groups accountFile
}

// accountFile is one of the two files.
type accountFile struct {
	path  string
	stamp time.Time
	size  int64
	names map[uint32]string
}

// maxAccounts bounds the bytes of one file.
const maxAccounts = 4 << 20

func newAccounts() *accounts {
	return &accounts{users: accountFile{path: "/etc/passwd"}, groups: accountFile{path: "/etc/group"}}
}

func (a *accounts) user(id uint32) string  { return a.name(&a.users, id) }
func (a *accounts) group(id uint32) string { return a.name(&a.groups, id) }

func (a *accounts) name(t *accountFile, id uint32) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := time.Now(); now.Sub(a.looked) >= time.Second || now.Before(a.looked) {
		a.looked = now
		a.users.refresh()
		a.groups.refresh()
	}
	return t.names[id]
}

// refresh reads a file of lines name:x:id:...; the first name of an id counts.
func (t *accountFile) refresh() {
	st, err := os.Stat(t.path)
	if err != nil || st.ModTime().Equal(t.stamp) && st.Size() == t.size {
		return
	}
	f, err := os.Open(t.path)
	if err != nil {
		return
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxAccounts))
	if err != nil {
		return
	}
	names := map[uint32]string{}
	for line := range bytes.Lines(b) {
		p := bytes.SplitN(line, []byte(":"), 4)
		if len(p) < 4 {
			continue
		}
		id, err := strconv.ParseUint(string(p[2]), 10, 32)
		if err != nil {
			continue
		}
		if _, ok := names[uint32(id)]; !ok {
			names[uint32(id)] = string(p[0])
		}
	}
	t.names, t.stamp, t.size = names, st.ModTime(), st.Size()
}
