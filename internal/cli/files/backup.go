package files

import (
	"context"
	"fmt"

	"vigil/api/contract"
	"vigil/internal/cli/session"
	"vigil/internal/daemon/offline"
)

type BackupCmd struct {
	Dir string `arg:"" help:"Folder to make; it must not exist."`
}

// Help shows an example.
func (BackupCmd) Help() string {
	return "Example:\n  vigild backup /backup/vigil-monday\n\nThe daemon writes it, so the folder is on the daemon's host."
}

// Run asks the daemon for a copy.
func (c *BackupCmd) Run(ctx context.Context, s *session.Session) error {
	dir, err := s.Abs(c.Dir)
	if err != nil {
		return err
	}
	r, err := s.Remote()
	if err != nil {
		return err
	}
	out, err := r.Backup(ctx, dir)
	if err != nil {
		return err
	}
	return s.Print(out, func() error { _, err := fmt.Fprintln(s.Out, session.Plain(out.Message)); return err })
}

type RestoreCmd struct {
	Dir string `arg:"" help:"Folder that a backup made." type:"existingdir"`
}

// Help shows an example.
func (RestoreCmd) Help() string {
	return "Example:\n  systemctl stop vigild && vigild restore /backup/vigil-monday && systemctl start vigild\n\nWhat is there now is moved aside, not deleted."
}

// Run puts a backup back. The daemon must not run.
func (c *RestoreCmd) Run(ctx context.Context, s *session.Session) error {
	l, err := s.Load()
	if err != nil {
		return err
	}
	if err := offline.Restore(ctx, l, c.Dir, s.Err); err != nil {
		return err
	}
	return s.Print(contract.OK{OK: true, Message: "restored into " + l.DataDir}, func() error {
		_, err := fmt.Fprintln(s.Out, "restored into", l.DataDir)
		return err
	})
}
