package vigiltest

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// endKept kills the processes that daemons with their data below dir kept, by the
// mark that is in their environment. It returns how many there were.
func endKept(dir string) (ended int) {
	mark := []byte("VIGIL_HOME=" + filepath.Clean(dir) + "/")
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range files {
		env, err := os.ReadFile(f)
		if err != nil { // gone meanwhile, or another user's
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil || pid == os.Getpid() || !bytes.HasPrefix(env, mark) && !bytes.Contains(env, append([]byte{0}, mark...)) {
			continue
		}
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			ended++
		}
	}
	return ended
}
