// Package session is one command at work: what it runs with, whom it speaks to,
// and how it prints.
//
// Data goes to standard output, talk to standard error; what others wrote is
// made safe for a terminal before it is printed. It refuses to know what a
// command means, and it starts nothing.
package session

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Streams is what a command line runs with.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Env      []string        // "NAME=value"
	Dir      string          // working directory; "" the process's own
	Hangup   <-chan struct{} // "reload"; may be nil
}

// Lookup finds an environment name.
func (s Streams) Lookup(name string) (string, bool) {
	for i := len(s.Env) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(s.Env[i], "="); ok && k == name {
			return v, true
		}
	}
	return "", false
}

// Globals are the flags of every command.
type Globals struct {
	Config  string `help:"Config file (TOML)." placeholder:"FILE" short:"c"`
	DataDir string `help:"Data directory; overrides the config file." placeholder:"DIR"`
	Socket  string `help:"Unix socket of the daemon to speak to." placeholder:"PATH"`
	URL     string `help:"Address of a daemon to speak to instead, such as http://127.0.0.1:8000." placeholder:"URL" name:"url"`
	Token   string `help:"Token for --url: file:PATH, env:NAME or the token itself." placeholder:"TOKEN"`
	Output  string `help:"How to print: table or json." enum:"table,json" default:"table" short:"o"`
}

// ExitCode ends a command with a code after it has said why itself.
type ExitCode int

func (e ExitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// Session is one command at work.
type Session struct {
	Streams
	Globals
	Candidates func(words []string) []string // for completion
}

// Color says whether standard output wants colors.
func (s *Session) Color() bool {
	if v, ok := s.Lookup("NO_COLOR"); ok && v != "" {
		return false
	}
	if v, _ := s.Lookup("TERM"); v == "dumb" {
		return false
	}
	return s.Terminal()
}

// Terminal says whether standard output is one.
func (s *Session) Terminal() bool {
	f, ok := s.Out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
