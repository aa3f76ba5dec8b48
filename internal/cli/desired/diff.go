package desired

import (
	"context"
	"fmt"

	"vigil/api/contract"
	"vigil/engine/fault"
	"vigil/internal/cli/session"
)

type DiffCmd struct {
	Ref      string `arg:"" optional:"" help:"Only this one, such as File/motd."`
	NoText   bool   `help:"Without the lines of files."`
	ExitCode bool   `help:"Exit with 6 when something differs." name:"exit-code"`
}

// Help shows examples.
func (DiffCmd) Help() string {
	return "What differs from the documents, property by property; of files, for who may administer the daemon, line by line:\n" +
		"lines with - are wanted and not there, lines with + are there.\n\nExamples:\n  vigild diff\n  vigild diff File/motd\n  vigild diff --exit-code --no-text"
}

// maxTexts is of how many things the files are compared line by line: each is read
// again for it.
const maxTexts = 50

// diffed is a thing that differs, with its files.
type diffed struct {
	contract.Resource
	Files []contract.Contents `json:"files,omitempty"`
}

// Run prints what differs.
func (c *DiffCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	var all []contract.Resource
	if c.Ref != "" {
		kind, name, err := splitRef(c.Ref)
		if err != nil {
			return err
		}
		v, err := r.Resource(ctx, kind, name)
		if err != nil {
			return err
		}
		if len(v.Drift) > 0 {
			all = append(all, v)
		}
	} else if all, err = drifting(ctx, r); err != nil {
		return err
	}
	blind := unread(ctx, r)
	out := make([]diffed, len(all))
	text := !c.NoText
	for i, v := range all {
		out[i].Resource = v
		if text && i == maxTexts {
			text = false
			fmt.Fprintf(s.Err, "vigild: the lines of files are shown for the first %d; name one to see its\n", maxTexts)
		}
		if !text || len(v.Drift) == 0 {
			continue
		}
		list, err := r.ResourceContents(ctx, v.Kind, v.Name)
		switch fault.KindOf(err) {
		case fault.OK:
			out[i].Files = list.Files
		case fault.Forbidden, fault.Unauthenticated:
			text = false
			fmt.Fprintln(s.Err, "vigild: what stands in files is shown to who may administer alone: over the socket, or with a token of the role admin")
		default: // it may have gone meanwhile, or cannot be read: the properties are told all the same
			fmt.Fprintf(s.Err, "vigild: %s: %s\n", session.Plain(v.Ref), session.Plain(err.Error()))
		}
	}
	if err := s.Print(out, func() error {
		for _, d := range out {
			resource(s, d.Resource)
			for _, f := range d.Files {
				c.file(s, f)
			}
		}
		if len(out) == 0 && blind == nil {
			fmt.Fprintln(s.Out, "nothing differs")
		}
		return nil
	}); err != nil {
		return err
	}
	if blind != nil {
		return blind
	}
	if c.ExitCode && len(out) > 0 {
		return session.ExitCode(exitDiffers)
	}
	return nil
}

// file prints the lines of one file that differ.
func (c *DiffCmd) file(s *session.Session, f contract.Contents) {
	fmt.Fprintf(s.Out, "  --- %s as wanted\n  +++ %s as found\n", session.Plain(f.Path), session.Plain(f.Path))
	if f.Note != "" {
		fmt.Fprintf(s.Out, "  (%s)\n", session.Plain(f.Note))
		return
	}
	for _, l := range unified(f.Wanted, f.Found) {
		line := "  " + session.Plain(l)
		switch l[0] {
		case '-':
			line = s.Paint(session.Red, line)
		case '+':
			line = s.Paint(session.Green, line)
		}
		fmt.Fprintln(s.Out, line)
	}
}
