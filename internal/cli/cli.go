// Package cli is the command line: one file a subcommand.
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
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"vigil/engine/fault"
)

// Streams is what a command line runs with.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Env      []string        // "NAME=value"
	Dir      string          // working directory; "" the process's own
	Hangup   <-chan struct{} // "reload"; may be nil
}

// lookup finds an environment name.
func (s Streams) lookup(name string) (string, bool) {
	for i := len(s.Env) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(s.Env[i], "="); ok && k == name {
			return v, true
		}
	}
	return "", false
}

// globals are the flags of every command.
type globals struct {
	Config  string   `help:"Config file (TOML)." placeholder:"FILE" short:"c"`
	DataDir string   `help:"Data directory; overrides the config file." placeholder:"DIR"`
	Socket  string   `help:"Unix socket of the daemon to speak to." placeholder:"PATH"`
	URL     string   `help:"Address of a daemon to speak to instead, such as http://127.0.0.1:8000." placeholder:"URL" name:"url"`
	Token   string   `help:"Token for --url: file:PATH, env:NAME or the token itself." placeholder:"TOKEN"`
	Output  string   `help:"How to print: table or json." enum:"table,json" default:"table" short:"o"`
	Help    helpFlag `help:"Show help for a command." short:"h"`
}

// commands is every subcommand, in the order of the help.
type commands struct {
	globals

	Run         runCmd         `cmd:"" default:"withargs" group:"daemon" help:"Run the daemon (also without any command)."`
	Demo        demoCmd        `cmd:"" group:"daemon" help:"Watch a real service be broken and healed, in 30 s, without root."`
	Status      statusCmd      `cmd:"" group:"see" help:"The host and what is wrong with it."`
	Why         whyCmd         `cmd:"" group:"see" help:"Tell the story of a remediation."`
	WhyNot      whyNotCmd      `cmd:"" group:"see" help:"Say what stops a policy from acting on a target now."`
	Collect     collectCmd     `cmd:"" group:"see" help:"Print what the host collector measures."`
	Audit       auditCmd       `cmd:"" group:"see" help:"Verify and export the audit chain."`
	Policy      policyCmd      `cmd:"" group:"steer" help:"List, show, put, delete, enable, disable policies."`
	Action      actionCmd      `cmd:"" group:"steer" help:"List, start, cancel, retry, approve remediations."`
	Silence     silenceCmd     `cmd:"" group:"steer" help:"Silences: no act on what they match."`
	Maintenance maintenanceCmd `cmd:"" group:"steer" help:"Maintenance windows."`
	HandsOff    handsOffCmd    `cmd:"" group:"steer" help:"Leave one subject alone."`
	Pause       pauseCmd       `cmd:"" group:"steer" help:"Stop all acts for a while."`
	Resume      resumeCmd      `cmd:"" group:"steer" help:"Take a pause back."`
	Token_      tokenCmd       `cmd:"" name:"token" group:"steer" help:"List, create, delete API tokens."`
	Check       checkCmd       `cmd:"" group:"files" help:"Check config and policy files without running anything."`
	Test        testCmd        `cmd:"" group:"files" help:"Run policy stories."`
	Backup      backupCmd      `cmd:"" group:"files" help:"Copy the running daemon's data to a folder."`
	Restore     restoreCmd     `cmd:"" group:"files" help:"Put a backup back, with the daemon stopped."`
	Healthcheck healthcheckCmd `cmd:"" group:"files" help:"Exit 0 if the daemon is ready (for containers)."`
	Version     versionCmd     `cmd:"" group:"files" help:"Print the version."`
	Completion  completionCmd  `cmd:"" group:"files" help:"Print a completion script for bash, zsh or fish."`
	Complete    completeCmd    `cmd:"" hidden:"" name:"__complete" help:"Candidates for a command line."`
	DemoService demoServiceCmd `cmd:"" hidden:"" name:"__demo-service" help:"The service that the demo breaks."`
}

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
		return s.fail(fault.Wrap(fault.Internal, err, "the command line"))
	}
	if err := unknownCommand(parser, args); err != nil {
		return s.fail(err)
	}
	k, err := parser.Parse(args)
	switch {
	case errors.Is(err, errDone):
		return 0
	case err != nil:
		return s.fail(fault.New(fault.Usage, "%v", err).Mend("see vigild --help"))
	}
	ses := &session{Streams: s, globals: c.globals, model: parser}
	if err := k.Run(ses); err != nil {
		var code exitCode
		if errors.As(err, &code) {
			return int(code)
		}
		return s.fail(err)
	}
	return 0
}

// exitCode ends a command with a code after it has said why itself.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func (s Streams) fail(err error) int {
	fmt.Fprintf(s.Err, "vigild: %v\n", err)
	return fault.KindOf(err).Exit()
}

// unknownCommand catches a mistyped command, which would else be taken for an
// argument of `run`.
func unknownCommand(parser *kong.Kong, args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return nil
	}
	var known []string
	for _, n := range parser.Model.Children {
		if n.Name == args[0] {
			return nil
		}
		if !n.Hidden {
			known = append(known, n.Name)
		}
	}
	e := fault.New(fault.Usage, "there is no command %q", args[0])
	if near := nearest(args[0], known); near != "" {
		return e.Mend("did you mean %s?", near)
	}
	return e.Mend("see vigild --help")
}

// session is one command at work.
type session struct {
	Streams
	globals
	model *kong.Kong
}

// color says whether standard output wants colors.
func (s *session) color() bool {
	if v, ok := s.lookup("NO_COLOR"); ok && v != "" {
		return false
	}
	if v, _ := s.lookup("TERM"); v == "dumb" {
		return false
	}
	f, ok := s.Out.(*os.File)
	return ok && isTerminal(f)
}
