package desired

import (
	"context"
	"fmt"
	"os"
	"strings"

	"vigil/api/contract"
	"vigil/engine/reconcile/manifest"
	"vigil/internal/cli/session"
)

type InitCmd struct {
	Into string `help:"Write the example into this folder instead, for a repository of your own ([git] source = \"path\" or \"remote\")." placeholder:"DIR" type:"existingdir"`
	Host string `help:"Whose folder under hosts/ is made with --into; this machine's name by default." placeholder:"NAME"`
}

// Help shows examples.
func (InitCmd) Help() string {
	return "Makes the first commit of the daemon's repository: a README, vigil.yaml, a folder for this host and examples that change\n" +
		"nothing. Refused when there are commits.\n\nExamples:\n  vigild init\n  mkdir desired && cd desired && git init -b main && vigild init --into . && git add . && git commit -m first"
}

// Run makes the commit, or writes the files.
func (c *InitCmd) Run(ctx context.Context, s *session.Session) error {
	if c.Into != "" {
		return c.write(s)
	}
	r, err := s.Remote()
	if err != nil {
		return err
	}
	f, err := r.InitRepository(ctx)
	if err != nil {
		return err
	}
	return s.Print(f, func() error {
		fmt.Fprintf(s.Out, "%s on %s: %s\n", short(f.Commit), session.Plain(f.Branch), session.Plain(strings.Join(f.Files, ", ")))
		if f.Clone != "" {
			fmt.Fprintf(s.Out, "\n  git clone %s\n\nThe user name is whatever you like, the password a token (vigild token create NAME --role operator).\n", session.Plain(f.Clone))
		}
		return nil
	})
}

func (c *InitCmd) write(s *session.Session) error {
	dir, err := s.Abs(c.Into)
	if err != nil {
		return err
	}
	host := c.Host
	if host == "" {
		if host, err = os.Hostname(); err != nil {
			return err
		}
	}
	var files []contract.ManifestFile
	for _, f := range manifest.First(host) {
		files = append(files, contract.ManifestFile{Path: f.Path, Data: f.Data})
	}
	wrote, err := writeFiles(dir, files)
	if err != nil {
		return err
	}
	return s.Print(wrote, func() error {
		for _, p := range wrote {
			fmt.Fprintln(s.Out, session.Plain(p))
		}
		return nil
	})
}
