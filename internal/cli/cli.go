// Package cli is the command line: one file a subcommand, in the rooms look,
// steer, desired, files and demo.
//
// Data goes to standard output, talk and errors to standard error; errors name
// the thing, the place and the mend, and end with the exit code that the fault
// table gives their kind. Commands speak to a running daemon through api/client
// over its Unix socket, or over --url with a token; only `run`, `restore` and
// the checks of files work without one.
//
// It refuses to decide: what a command means is the daemon's business. Nothing
// here outlives [Main].
package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"vigil/engine/fault"
	"vigil/internal/cli/demo"
	"vigil/internal/cli/desired"
	"vigil/internal/cli/files"
	"vigil/internal/cli/look"
	"vigil/internal/cli/session"
	"vigil/internal/cli/steer"
)

// commands is every subcommand, in the order of the help.
type commands struct {
	session.Globals
	Help helpFlag `help:"Show help for a command." short:"h"`

	Run          runCmd                `cmd:"" default:"withargs" group:"daemon" help:"Run the daemon (also without any command)."`
	Demo         demo.DemoCmd          `cmd:"" group:"daemon" help:"Watch a real service be broken and healed, in 30 s, without root."`
	Status       look.StatusCmd        `cmd:"" group:"see" help:"The host and what is wrong with it."`
	Why          look.WhyCmd           `cmd:"" group:"see" line:"why, why-not" help:"Tell the story of a remediation; what stops a policy now."`
	WhyNot       look.WhyNotCmd        `cmd:"" group:"see" line:"-" help:"Say what stops a policy from acting on a target now."`
	Collect      look.CollectCmd       `cmd:"" group:"see" help:"Print what the host collector measures."`
	Audit        look.AuditCmd         `cmd:"" group:"see" help:"Verify, export and prune the audit chain."`
	Plan         desired.PlanCmd       `cmd:"" group:"desired" line:"plan, diff" help:"What a commit would change; what differs, line by line."`
	Diff         desired.DiffCmd       `cmd:"" group:"desired" line:"-" help:"What differs from the documents, line by line."`
	Drift        desired.DriftCmd      `cmd:"" group:"desired" help:"What differs, its history, and a commit of what was found."`
	Revisions    desired.RevisionsCmd  `cmd:"" group:"desired" help:"Commits that came, and what became of them."`
	Rollback     desired.RollbackCmd   `cmd:"" group:"desired" line:"rollback, retry" help:"Return to a good commit; apply a bad one again."`
	Retry        desired.RetryCmd      `cmd:"" group:"desired" line:"-" help:"Apply a bad commit again."`
	Suspend      desired.SuspendCmd    `cmd:"" group:"desired" line:"suspend, unsuspend" help:"Leave things alone for a while; heal them again."`
	Unsuspend    desired.UnsuspendCmd  `cmd:"" group:"desired" line:"-" help:"Heal again before the end of a suspend."`
	Adopt        desired.AdoptCmd      `cmd:"" group:"desired" line:"adopt, init, signer" help:"A thing as a document; the first commit; the key of vigild."`
	Init         desired.InitCmd       `cmd:"" group:"desired" line:"-" help:"Make the first commit of the daemon's repository."`
	Signer       desired.SignerCmd     `cmd:"" group:"desired" line:"-" help:"The key that the daemon signs its own commits with."`
	Policy       steer.PolicyCmd       `cmd:"" group:"steer" help:"List, show, put, delete, enable, disable policies."`
	Action       steer.ActionCmd       `cmd:"" group:"steer" help:"List, start, cancel, retry, approve, resolve remediations."`
	Silence      steer.SilenceCmd      `cmd:"" group:"steer" help:"Silences: no act on what they match."`
	Maintenance  steer.MaintenanceCmd  `cmd:"" group:"steer" help:"Maintenance windows."`
	HandsOff     steer.HandsOffCmd     `cmd:"" group:"steer" help:"Leave one subject alone."`
	Pause        steer.PauseCmd        `cmd:"" group:"steer" line:"pause, resume" help:"Stop all acts for a while; go on."`
	Resume       steer.ResumeCmd       `cmd:"" group:"steer" line:"-" help:"Take a pause back."`
	Token_       steer.TokenCmd        `cmd:"" name:"token" group:"steer" help:"List, create, delete API tokens."`
	ConfirmClock steer.ConfirmClockCmd `cmd:"" group:"steer" help:"Say that the time is right after the clock stepped."`
	Check        files.CheckCmd        `cmd:"" group:"files" help:"Check config and policy files without running anything."`
	Test         files.TestCmd         `cmd:"" group:"files" help:"Run policy stories."`
	Backup       files.BackupCmd       `cmd:"" group:"files" line:"backup, restore" help:"Copy the running daemon's data to a folder; put it back."`
	Restore      files.RestoreCmd      `cmd:"" group:"files" line:"-" help:"Put a backup back, with the daemon stopped."`
	Healthcheck  look.HealthcheckCmd   `cmd:"" group:"files" help:"Exit 0 if the daemon is ready (for containers)."`
	Version      versionCmd            `cmd:"" group:"files" line:"version, completion" help:"Print the version; a completion script for bash, zsh or fish."`
	Completion   completionCmd         `cmd:"" group:"files" line:"-" help:"Print a completion script for bash, zsh or fish."`
	Complete     completeCmd           `cmd:"" hidden:"" name:"__complete" help:"Candidates for a command line."`
	DemoService  demo.DemoServiceCmd   `cmd:"" hidden:"" name:"__demo-service" help:"The service that the demo breaks."`
	Attempt      attemptCmd            `cmd:"" hidden:"" name:"__attempt" help:"Run the program of one attempt as a unit of its own."`
}

// Streams is what a command line runs with.
type Streams = session.Streams

// errDone ends a command line that has done what it should without a command.
var errDone = errors.New("done")

// Main runs one command line and returns its exit code. It blocks until the
// command has ended; ctx ends it early.
func Main(ctx context.Context, args []string, s Streams) int {
	var c commands
	parser, err := kong.New(&c,
		kong.Name("vigild"),
		kong.Description("Keeps one machine healthy: measures, judges, heals, verifies, and tells why."),
		kong.Writers(s.Out, s.Err),
		kong.NoDefaultHelp(),
		kong.Help(help),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.ExplicitGroups(groups),
		kong.Exit(func(int) {}),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		return fail(s, fault.Wrap(fault.Internal, err, "the command line"))
	}
	args = asksHelp(args)
	if err := unknownCommand(parser, args); err != nil {
		return fail(s, err)
	}
	k, err := parser.Parse(args)
	switch {
	case errors.Is(err, errDone):
		return 0
	case err != nil:
		return fail(s, fault.New(fault.Usage, "%v", err).Mend("see %s --help", meant(err)))
	}
	ses := &session.Session{Streams: s, Globals: c.Globals, Candidates: func(words []string) []string {
		return candidates(parser.Model.Node, words)
	}}
	if err := k.Run(ses); err != nil {
		var code session.ExitCode
		if errors.As(err, &code) {
			return int(code)
		}
		return fail(s, err)
	}
	return 0
}

// meant is the command that a mistake was made with.
func meant(err error) string {
	var wrong *kong.ParseError
	if errors.As(err, &wrong) && wrong.Context != nil {
		if n := wrong.Context.Selected(); n != nil {
			return n.FullPath()
		}
	}
	return "vigild"
}

// fail says why a command line failed. A part of it may be what others wrote, in a
// document or in a file.
func fail(s session.Streams, err error) int {
	for line := range strings.SplitSeq(fmt.Sprintf("vigild: %v", err), "\n") {
		fmt.Fprintln(s.Err, session.Plain(line))
	}
	return fault.KindOf(err).Exit()
}

// asksHelp turns `help why` into `why --help`.
func asksHelp(args []string) []string {
	if len(args) == 0 || args[0] != "help" {
		return args
	}
	return append(slices.Clone(args[1:]), "--help")
}

// unknownCommand catches a mistyped command, which would else be taken for an
// argument of `run`, or refused without a word of those that there are.
func unknownCommand(parser *kong.Kong, args []string) error {
	for n, at := parser.Model.Node, 0; at < len(args) && !strings.HasPrefix(args[at], "-") && len(n.Children) > 0; at++ {
		if at > 0 && n.DefaultCmd != nil {
			return nil // the word may be an argument of that one
		}
		var known []string
		var next *kong.Node
		for _, c := range n.Children {
			if c.Name == args[at] {
				next = c
			}
			if !c.Hidden {
				known = append(known, c.Name)
			}
		}
		if n = next; n != nil {
			continue
		}
		e := fault.New(fault.Usage, "there is no command %q", args[at])
		if at > 0 {
			e = fault.New(fault.Usage, "vigild %s has no command %q", strings.Join(args[:at], " "), args[at])
		}
		switch near := nearest(args[at], known); {
		case near != "":
			return e.Mend("did you mean %s?", near)
		case at > 0:
			return e.Mend("it has %s", strings.Join(known, ", "))
		}
		return e.Mend("see vigild --help")
	}
	return nil
}
