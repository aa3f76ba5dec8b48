package gitwatch

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/paths"
	"vigil/gitwatch/signers"
	"vigil/gitwatch/store"
)

// Trust says who signed a revision, and refuses one that nobody allowed did when
// signatures are required. It may be used concurrently.
type Trust struct {
	cfg   Config
	store *store.Store
	now   func() time.Time
}

// NewTrust makes a Trust. Lists are read anew for each revision.
func NewTrust(cfg Config, st *store.Store, now func() time.Time) *Trust {
	return &Trust{cfg: cfg, store: st, now: now}
}

// maxSigners bounds the bytes of a list.
const maxSigners = 1 << 20

// Verify is the address of who signed the newest commit, "" for nobody known
// where signatures are not required. The error names what is wrong with which
// commit. A list in the tree counts as it stands in the commit that was adopted
// before, never as it stands in the one that is verified.
func (t *Trust) Verify(ctx context.Context, s objects.Snapshot) (string, error) {
	allowed, err := t.allowed(s)
	if err != nil {
		return "", err
	}
	who, err := signers.Verify(s.Tip.Raw, allowed, t.now())
	if !t.cfg.RequireSigned {
		if err != nil {
			return "", nil
		}
		return who, nil
	}
	if err != nil {
		return "", about(s.Tip, err)
	}
	if !t.cfg.VerifyAll {
		return who, nil
	}
	if s.More {
		return "", fault.New(fault.Forbidden, "over %d new commits, too many to verify each", len(s.Commits))
	}
	for _, c := range s.Commits {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if _, err := signers.Verify(c.Raw, allowed, t.now()); err != nil {
			return "", about(c, err)
		}
	}
	return who, nil
}

func about(c objects.Commit, err error) error {
	return fault.New(fault.Forbidden, "commit %s (%s): %v", c.ID.String()[:10], c.Subject, err)
}

// ReadSigners reads a list on this machine. One that others than root and vigild's
// user can write is Unavailable: it says who is let in.
func ReadSigners(path string) (*signers.Allowed, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the allowed signers")
	}
	if err := paths.Trusted(info); err != nil {
		return nil, fault.New(fault.Unavailable, "the allowed signers are not to be trusted: %v", err).At(path)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Mode&0o020 != 0 && st.Gid != 0 && int(st.Gid) != os.Getegid() {
		return nil, fault.New(fault.Unavailable, "the allowed signers are not to be trusted: the group %d may write them, and so let anybody in", st.Gid).At(path).Mend("chmod g-w %s", path)
	}
	text, err := readSmall(path, maxSigners)
	if err != nil {
		return nil, err
	}
	return signers.Parse(path, text)
}

// allowed is the list on this machine with that of the adopted commit's tree.
func (t *Trust) allowed(s objects.Snapshot) (*signers.Allowed, error) {
	var list *signers.Allowed
	if path := t.cfg.AllowedSigners; path != "" {
		var err error
		if list, err = ReadSigners(path); err != nil {
			return nil, err
		}
	}
	if t.cfg.SignersInTree == "" {
		return list, nil
	}
	adopted := t.store.Ref(store.Applied)
	if adopted.IsZero() {
		adopted = plumbing.NewHash(s.Previous)
	}
	if adopted.IsZero() {
		return list, nil
	}
	v := t.store.View()
	defer v.Close()
	text, err := v.FileAt(adopted, t.cfg.SignersInTree, maxSigners)
	if fault.KindOf(err) == fault.NotFound {
		return list, nil
	}
	if err != nil {
		return nil, err
	}
	inTree, err := signers.Parse(t.cfg.SignersInTree+"@"+adopted.String()[:10], text)
	var is fault.Issues
	if errors.As(err, &is) {
		// The adopted list is broken. It must not lock out the list on this
		// machine, which is how it is mended.
		return list, nil
	}
	return list.Join(inTree), err
}
