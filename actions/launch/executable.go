package launch

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"vigil/actions/launch/trust"
	"vigil/engine/fault"
)

// executable opens a trusted program and checks its digest if one is asked for.
// With a digest the very file that was read is what is started, unless it is a
// script: its interpreter has to open it by name.
func executable(p Program) (path string, held *os.File, err error) {
	real, err := trust.Path(p.Argv[0])
	if fault.KindOf(err) == fault.NotFound {
		return "", nil, fault.New(fault.NotFound, "%v", err).Mend("install the program, or name one that is there")
	}
	if err != nil {
		return "", nil, err
	}
	var st unix.Stat_t
	if err := unix.Stat(real, &st); err != nil {
		return "", nil, fault.Wrap(fault.NotFound, err, "%s", p.Argv[0])
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return "", nil, fault.New(fault.Unprocessable, "%s is a folder, and no program", p.Argv[0])
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0 {
		return "", nil, fault.New(fault.Unprocessable, "%s is not an executable file", p.Argv[0]).Mend("chmod +x %s", real)
	}
	if p.SHA256 == "" {
		return p.Argv[0], nil, nil
	}
	f, err := os.OpenFile(real, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return "", nil, fault.Wrap(fault.NotFound, err, "%s", p.Argv[0])
	}
	h, first := sha256.New(), make([]byte, 2)
	n, _ := io.ReadFull(f, first)
	h.Write(first[:n])
	if _, err := io.Copy(h, f); err != nil {
		f.Close()
		return "", nil, fault.Wrap(fault.Internal, err, "%s", p.Argv[0])
	}
	if got := hex.EncodeToString(h.Sum(nil)); !strings.EqualFold(got, p.SHA256) {
		f.Close()
		return "", nil, fault.New(fault.Forbidden, "%s is not started: its sha256 is %s, the catalogue expects %s", p.Argv[0], got, p.SHA256).
			Mend("find out who changed it, then write the new digest into the catalogue")
	}
	if string(first) == "#!" {
		f.Close()
		return p.Argv[0], nil, nil
	}
	return "", f, nil
}
