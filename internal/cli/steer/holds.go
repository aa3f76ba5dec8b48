package steer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"vigil/api/contract"
	"vigil/engine/fault"
	"vigil/internal/cli/session"
)

type PauseCmd struct {
	For    string `help:"How long, such as 1h." default:"1h"`
	Reason string `help:"Why; it stands in the audit trail." required:""`
}

// Help shows an example.
func (PauseCmd) Help() string {
	return "Example:\n  vigild pause --for 2h --reason \"moving the racks\""
}

// Run pauses.
func (c *PauseCmd) Run(ctx context.Context, s *session.Session) error {
	return putHold(s, ctx, contract.HoldCreate{Kind: "pause", Reason: c.Reason, For: &c.For})
}

type ResumeCmd struct{}

// Run takes every pause back.
func (*ResumeCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	out, err := r.Resume(ctx)
	if err != nil {
		return err
	}
	return s.Print(out, func() error { _, err := fmt.Fprintln(s.Out, session.Plain(out.Message)); return err })
}

type SilenceCmd struct {
	List   silenceListCmd `cmd:"" help:"List silences."`
	Add    silenceAddCmd  `cmd:"" help:"Silence what a selector matches."`
	Remove removeHoldCmd  `cmd:"" help:"End a silence now."`
}

// Help shows examples.
func (SilenceCmd) Help() string {
	return "Examples:\n  vigild silence add 'service=\"web\"' --for 1h --reason \"deploy\"\n  vigild silence list\n  vigild silence remove 1a227a9c4a8e44c7d51"
}

type silenceListCmd struct{}

// Run lists.
func (*silenceListCmd) Run(ctx context.Context, s *session.Session) error {
	return listHolds(s, ctx, "silence")
}

type silenceAddCmd struct {
	Selector string `arg:"" optional:"" help:"Over labels, policy, target and severity, such as {service=\"web\"}."`
	Matchers string `help:"The same as a flag."`
	For      string `help:"How long, such as 1h." default:"1h"`
	Reason   string `help:"Why; it stands in the audit trail." required:""`
}

// Run silences.
func (c *silenceAddCmd) Run(ctx context.Context, s *session.Session) error {
	m, err := matchers(c.Selector, c.Matchers)
	if err != nil {
		return err
	}
	if m == "" {
		return fault.New(fault.Usage, "say what is to be silent, by a selector or --matchers").Mend(`such as --matchers 'service="web"'; vigild pause is for everything`)
	}
	return putHold(s, ctx, contract.HoldCreate{Kind: "silence", Matchers: &m, For: &c.For, Reason: c.Reason})
}

// matchers is the selector that was given, as an argument or as a flag.
func matchers(arg, flag string) (string, error) {
	if arg != "" && flag != "" {
		return "", fault.New(fault.Usage, "the selector is given twice, as %s and with --matchers", arg)
	}
	return cmp.Or(arg, flag), nil
}

type MaintenanceCmd struct {
	List   maintenanceListCmd `cmd:"" help:"List maintenance windows."`
	Add    maintenanceAddCmd  `cmd:"" help:"Add a window: once, or by a schedule."`
	Remove removeHoldCmd      `cmd:"" help:"End a window for good."`
}

// Help shows examples.
func (MaintenanceCmd) Help() string {
	return "Examples:\n  vigild maintenance add --schedule '0 2 * * 6' --zone Europe/Berlin --length 2h --reason backups\n  vigild maintenance add --for 30m --reason \"kernel update\""
}

type maintenanceListCmd struct{}

// Run lists.
func (*maintenanceListCmd) Run(ctx context.Context, s *session.Session) error {
	return listHolds(s, ctx, "maintenance")
}

type maintenanceAddCmd struct {
	Selector string    `arg:"" optional:"" help:"Over labels, policy, target and severity, such as {service=\"web\"}; without one it takes everything."`
	Matchers string    `help:"The same as a flag."`
	Schedule string    `help:"Cron expression of the begin."`
	Zone     string    `help:"IANA name of the schedule's zone." default:"UTC"`
	Length   string    `help:"Length of a scheduled window."`
	From     time.Time `help:"Begin of a single window (RFC 3339)." format:"2006-01-02T15:04:05Z07:00"`
	For      string    `help:"Length of a single window."`
	Reason   string    `help:"Why; it stands in the audit trail." required:""`
}

// Run adds.
func (c *maintenanceAddCmd) Run(ctx context.Context, s *session.Session) error {
	h := contract.HoldCreate{Kind: "maintenance", Reason: c.Reason}
	m, err := matchers(c.Selector, c.Matchers)
	if err != nil {
		return err
	}
	if m != "" {
		h.Matchers = &m
	}
	switch {
	case c.Schedule != "" && c.Length == "":
		return fault.New(fault.Usage, "a schedule needs --length")
	case c.Schedule != "":
		h.Schedule, h.Zone, h.Length = &c.Schedule, &c.Zone, &c.Length
	case c.For == "":
		return fault.New(fault.Usage, "say --for how long, or --schedule and --length")
	default:
		h.For = &c.For
	}
	if !c.From.IsZero() {
		h.From = &c.From
	}
	if err := putHold(s, ctx, h); err != nil || m != "" {
		return err
	}
	fmt.Fprintln(s.Err, `vigild: it takes everything; a part alone is taken with --matchers, such as --matchers 'service="web"'`)
	return nil
}

// removeHoldCmd ends a hold of either kind that is known by its id alone.
type removeHoldCmd struct {
	ID string `arg:"" help:"Its id, or as much of it as no other begins with."`
}

// Run ends it.
func (c *removeHoldCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	list, err := r.Holds(ctx, "")
	if err != nil {
		return err
	}
	id, err := session.WholeHold(c.ID, list.Holds)
	if err != nil {
		return err
	}
	ok, err := r.ReleaseHold(ctx, id)
	if err != nil {
		return err
	}
	return s.Done(ok)
}

type HandsOffCmd struct {
	List   handsOffListCmd   `cmd:"" help:"List subjects that are left alone."`
	Add    handsOffAddCmd    `cmd:"" help:"Leave a subject alone."`
	Remove handsOffRemoveCmd `cmd:"" help:"Care for it again."`
}

// Help shows an example.
func (HandsOffCmd) Help() string {
	return "Example:\n  vigild hands-off add systemd:web.service --for 4h --reason \"debugging\""
}

type handsOffListCmd struct{}

// Run lists.
func (*handsOffListCmd) Run(ctx context.Context, s *session.Session) error {
	return listHolds(s, ctx, "hands_off")
}

type handsOffAddCmd struct {
	Subject string `arg:"" help:"Such as systemd:web.service or process:worker."`
	For     string `help:"How long, at most 24h." default:"24h"`
	Reason  string `help:"Why; it stands in the audit trail." required:""`
}

// Run adds.
func (c *handsOffAddCmd) Run(ctx context.Context, s *session.Session) error {
	if !strings.Contains(c.Subject, ":") { // an entry of the catalogue may name its subject as it likes
		fmt.Fprintf(s.Err, "vigild: no built-in act has a subject like %q; they are written systemd:web.service or process:worker (vigild action show tells)\n", c.Subject)
	}
	return putHold(s, ctx, contract.HoldCreate{Kind: "hands_off", Subject: &c.Subject, For: &c.For, Reason: c.Reason})
}

type handsOffRemoveCmd struct {
	Which string `arg:"" help:"The subject, or the id of one entry."`
}

// Run ends every entry of the subject, or the one with the id.
func (c *handsOffRemoveCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	list, err := r.Holds(ctx, "hands_off")
	if err != nil {
		return err
	}
	var done contract.OK
	id, err := session.WholeHold(c.Which, list.Holds)
	if slices.ContainsFunc(list.Holds, func(h contract.Hold) bool { return h.Subject == c.Which }) {
		id, err = "", nil
	}
	if fault.KindOf(err) == fault.Conflict {
		return err
	}
	for _, h := range list.Holds {
		if h.Subject != c.Which && h.ID != id {
			continue
		}
		if done, err = r.ReleaseHold(ctx, h.ID); err != nil {
			return err
		}
	}
	if !done.OK {
		return fault.New(fault.NotFound, "nothing says hands off %q", c.Which).Mend("vigild hands-off list shows what is left alone")
	}
	return s.Done(done)
}

func putHold(s *session.Session, ctx context.Context, h contract.HoldCreate) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	out, err := r.CreateHold(ctx, h)
	if err != nil {
		return err
	}
	return s.Print(out, func() error {
		until := "until " + session.Moment(out.Until)
		if out.Until == nil {
			until = "by its schedule"
		}
		_, err := fmt.Fprintf(s.Out, "%s %s %s\n", out.Kind, out.ID, until)
		return err
	})
}

func listHolds(s *session.Session, ctx context.Context, kind string) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	list, err := r.Holds(ctx, "")
	if err != nil {
		return err
	}
	all := slices.Clone(list.Holds)
	list.Holds = slices.DeleteFunc(list.Holds, func(h contract.Hold) bool { return h.Kind != kind })
	return s.Print(list, func() error { return s.HoldTable(list.Holds, all) })
}
