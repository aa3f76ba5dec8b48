package place

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// spot is a folder, by what the kernel knows it as: a bind mount, or a name that
// leads there by a link, is the same one.
type spot struct{ dev, ino uint64 }

func spotOf(st unix.Stat_t) spot { return spot{uint64(st.Dev), st.Ino} }

// closed is what no way may lead into, nor end above.
type closed struct {
	whole map[spot]bool            // folders that are refused
	above map[spot]bool            // folders that they lie in
	names map[spot]map[string]bool // and their names, and those of files, there
}

// closing looks at the refused paths as they stand now; what is not there yet is
// known by its folder. A path that cannot be looked at is told: it is not known
// then what to keep away from.
func closing(refused []string) (closed, error) {
	c := closed{map[spot]bool{}, map[spot]bool{}, map[spot]map[string]bool{}}
	seen := map[string]*spot{} // the folders above, each looked at once; nil: it is not there yet
	for _, r := range refused {
		var st unix.Stat_t
		if err := unix.Stat(r, &st); err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			c.whole[spotOf(st)] = true
		} else if err != nil && !os.IsNotExist(err) && err != unix.ENOTDIR {
			return c, fault.Wrap(fault.Unavailable, err, "%s, which is vigild's own, cannot be looked at", r)
		}
		for at := r; at != "/"; {
			name, own := filepath.Base(at), at == r
			at = filepath.Dir(at)
			s, was := seen[at]
			if !was {
				if unix.Stat(at, &st) == nil {
					one := spotOf(st)
					s, c.above[one] = &one, true
				}
				seen[at] = s
			}
			if s != nil && own {
				if c.names[*s] == nil {
					c.names[*s] = map[string]bool{}
				}
				c.names[*s][name] = true
			}
			if was {
				break
			}
		}
	}
	return c, nil
}

func alias(path string) error {
	return fault.New(fault.Forbidden, "%s is vigild's own under another name (a bind mount, or a link)", path)
}

// own refuses a place that is vigild's own under another name, or lies above it.
// ways are the folders that were walked, none of which is refused.
func (c closed) own(p *Place, ways []spot) error {
	if n := len(ways); n > 0 && c.names[ways[n-1]][p.name] {
		return alias(p.Path)
	}
	st, there, err := p.Stat()
	if err != nil {
		return err
	}
	if there && st.Mode&unix.S_IFMT == unix.S_IFDIR && (c.whole[spotOf(st)] || c.above[spotOf(st)]) {
		return alias(p.Path)
	}
	return nil
}
