package desired

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"vigil/api/contract"
	"vigil/engine/fault"
	"vigil/internal/cli/session"
)

type AdoptCmd struct {
	What []string `arg:"" help:"A unit, a whole path, or sysctl NAME or process NAME."`
	Name string   `help:"Of the document." placeholder:"NAME"`
	Into string   `help:"Write the document and its files into this folder, a clone of the repository, instead of printing." placeholder:"DIR" type:"existingdir"`
}

// Help shows examples.
func (AdoptCmd) Help() string {
	return "Prints how a thing stands as a document for the repository. Files whose bytes are no text are written with --into alone.\n" +
		"Nothing on the machine changes, and nothing is committed.\n\nExamples:\n  vigild adopt /etc/motd > hosts/$(hostname)/motd.yaml\n  vigild adopt nginx.service --into ~/desired\n" +
		"  vigild adopt sysctl net.ipv4.ip_forward"
}

// Run prints the document, or writes it.
func (c *AdoptCmd) Run(ctx context.Context, s *session.Session) error {
	in := contract.AdoptRequest{What: c.What[0], Name: c.Name}
	switch {
	case len(c.What) == 2 && slices.Contains([]string{"unit", "path", "sysctl", "process"}, c.What[0]):
		in.Kind, in.What = c.What[0], c.What[1]
	case len(c.What) > 1:
		return fault.New(fault.Usage, "one thing at a time").Mend("vigild adopt nginx.service, vigild adopt sysctl net.ipv4.ip_forward")
	}
	r, err := s.Remote()
	if err != nil {
		return err
	}
	m, err := r.Adopt(ctx, in)
	if err != nil {
		return err
	}
	if c.Into != "" {
		return c.write(s, m)
	}
	if s.Output != "json" {
		for _, w := range m.Warnings {
			fmt.Fprintf(s.Err, "vigild: %s\n", session.Plain(w))
		}
		for _, f := range m.Files {
			fmt.Fprintf(s.Err, "vigild: the document needs the file %s (%d bytes) beside it: --into DIR writes both\n", session.Plain(f.Path), len(f.Data))
		}
	}
	return s.Print(m, func() error {
		_, err := fmt.Fprint(s.Out, m.Document)
		return err
	})
}

// write puts the document and its files into a folder; what is there stays.
func (c *AdoptCmd) write(s *session.Session, m contract.Manifest) error {
	dir, err := s.Abs(c.Into)
	if err != nil {
		return err
	}
	for _, w := range m.Warnings {
		fmt.Fprintf(s.Err, "vigild: %s\n", session.Plain(w))
	}
	files := append([]contract.ManifestFile{{Path: m.Path, Data: []byte(m.Document)}}, m.Files...)
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

// writeFiles writes new files below a folder, all or none: it refuses when one is
// there, and never goes through a link out of the folder.
func writeFiles(dir string, files []contract.ManifestFile) (wrote []string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "the folder")
	}
	defer root.Close()
	for _, f := range files {
		if _, err := root.Lstat(filepath.FromSlash(f.Path)); err == nil {
			return nil, fault.New(fault.Conflict, "%s is there already, nothing was written", filepath.Join(dir, f.Path)).Mend("give the document another --name, or move the file away")
		}
	}
	for _, f := range files {
		p := filepath.FromSlash(f.Path)
		if err := root.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return wrote, fault.Wrap(fault.Unavailable, err, "%s", f.Path)
		}
		out, err := root.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return wrote, fault.Wrap(fault.Unavailable, err, "%s", f.Path)
		}
		_, err = out.Write(f.Data)
		if end := out.Close(); err == nil {
			err = end
		}
		if err != nil {
			return wrote, fault.Wrap(fault.Unavailable, err, "%s", f.Path)
		}
		wrote = append(wrote, filepath.Join(dir, p))
	}
	return wrote, nil
}
