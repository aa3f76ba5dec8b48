package cli

import (
	"context"
	"fmt"

	"vigil/api/contract"
	"vigil/internal/daemon"
)

type backupCmd struct {
	Dir string `arg:"" help:"Folder to make; it must not exist."`
}

// Help shows an example.
func (backupCmd) Help() string {
	return "Example:\n  vigild backup /backup/vigil-monday\n\nThe daemon writes it, so the folder is on the daemon's host."
}

// Run asks the daemon for a copy.
func (c *backupCmd) Run(ctx context.Context, s *session) error {
	dir, err := s.abs(c.Dir)
	if err != nil {
		return err
	}
	r, err := s.remote()
	if err != nil {
		return err
	}
	out, err := r.Backup(ctx, dir)
	if err != nil {
		return err
	}
	return s.print(out, func() error { _, err := fmt.Fprintln(s.Out, plain(out.Message)); return err })
}

type restoreCmd struct {
	Dir string `arg:"" help:"Folder that a backup made." type:"existingdir"`
}

// Help shows an example.
func (restoreCmd) Help() string {
	return "Example:\n  systemctl stop vigild && vigild restore /backup/vigil-monday && systemctl start vigild\n\nWhat is there now is moved aside, not deleted."
}

// Run puts a backup back. The daemon must not run.
func (c *restoreCmd) Run(ctx context.Context, s *session) error {
	l, err := s.load()
	if err != nil {
		return err
	}
	if err := daemon.Restore(ctx, l, c.Dir, s.Err); err != nil {
		return err
	}
	return s.print(contract.OK{OK: true, Message: "restored into " + l.DataDir}, func() error {
		_, err := fmt.Fprintln(s.Out, "restored into", l.DataDir)
		return err
	})
}
