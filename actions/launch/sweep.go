package launch

import (
	"os"
	"path/filepath"
	"time"
)

// Sweep ends what launchers of earlier, dead vigilds left behind: attempts
// whose bound nobody keeps any more. It returns how many cgroups it cleared.
// Call it once at start, before anything is launched; blocks up to 2 s.
func (l *Launcher) Sweep() int {
	l.once.Do(l.plant)
	if l.grove == nil {
		return 0
	}
	n := 0
	until := time.Now().Add(2 * time.Second)
	for _, dir := range l.grove.abandoned() {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if !e.IsDir() {
				continue
			}
			p := &plot{dir: filepath.Join(dir, e.Name()), fd: -1, killer: l.grove.killer}
			if p.populated() {
				n++
				p.kill(until)
				for p.populated() && time.Now().Before(until) {
					<-time.After(5 * time.Millisecond)
				}
			}
			p.close()
		}
		_ = os.Remove(dir)
	}
	return n
}

// Close removes this launcher's own folder of cgroups; nothing may be running.
func (l *Launcher) Close() {
	l.once.Do(func() {}) // from here on nothing is planted
	if l.grove != nil {
		if p := l.grove.spare.Swap(nil); p != nil {
			p.close()
		}
		_ = os.Remove(l.grove.dir)
	}
}
