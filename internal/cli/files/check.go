// Package files is the commands that work on files: checks of config and
// policies, stories, backup and restore.
package files

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"vigil/engine/fault"
	"vigil/internal/cli/session"
	"vigil/internal/daemon/config"
	"vigil/internal/daemon/offline"
)

type CheckCmd struct {
	Config checkConfigCmd `cmd:"" help:"Check the config file and the environment."`
	Policy checkPolicyCmd `cmd:"" help:"Check files and folders of policies and checks."`
}

// Help shows examples.
func (CheckCmd) Help() string {
	return "Examples:\n  vigild check config\n  vigild check config -c ./vigil.toml\n  vigild check policy policies"
}

type checkConfigCmd struct {
	All    bool `help:"Print every setting with its value."`
	Strict bool `help:"Warnings are mistakes: exit 3 where a program that is named would not start."`
}

// Help shows examples and what the exit code says.
func (checkConfigCmd) Help() string {
	return "What the daemon would refuse is a mistake: exit 3, or 4 where others may write a file that says what is run. " +
		"A program that would not start (missing, not executable, open to others) is a warning: the daemon starts without it.\n\n" +
		"Examples:\n  vigild check config\n  vigild check config --strict"
}

// Run checks the configuration.
func (c *checkConfigCmd) Run(s *session.Session) error {
	l, err := s.Load()
	if err != nil {
		return err
	}
	if err := l.CheckGit(); err != nil {
		return err
	}
	if err := l.Named(time.Now()).Err(); err != nil {
		return err
	}
	warnings, err := l.ActionsConfig().Foresee()
	if err != nil {
		return err
	}
	if c.Strict && len(warnings) > 0 {
		return warnings
	}
	rep := config.Describe(l)
	return s.Print(struct {
		config.Description
		Warnings fault.Issues `json:"warnings,omitempty"`
	}{rep, warnings}, func() error {
		for _, w := range warnings {
			fmt.Fprintf(s.Err, "warning: %s: %s\n", w.Place, w.Msg)
		}
		if rep.File == "" {
			fmt.Fprintln(s.Out, "no config file; the defaults hold")
		} else {
			fmt.Fprintf(s.Out, "%s is good\n", rep.File)
		}
		fmt.Fprintf(s.Out, "policies and checks come from %s\n", strings.Join(rep.Sources, ", "))
		for _, dir := range l.Missing() {
			fmt.Fprintf(s.Out, "policies.dirs: %s does not exist (yet)\n", dir)
		}
		if t := l.Trust(); l.Git.Enabled {
			fmt.Fprintf(s.Out, "revisions come by %s, may hold %s, and may touch %s\n", l.Git.Source, strings.Join(t.Kinds, ", "), cmp.Or(strings.Join(append(t.Places(), t.Made()...), ", "), "no file"))
			for _, unused := range []struct{ key, set, source string }{{"git.url", l.Git.URL, "remote"}, {"git.path", l.Git.Path, "path"}} {
				if unused.set != "" && l.Git.Source != unused.source {
					fmt.Fprintf(s.Out, "%s: nothing is looked for there, since git.source is %q and not %q\n", unused.key, l.Git.Source, unused.source)
				}
			}
			var boundless []string
			if t.Commands {
				boundless = append(boundless, "git.trust_commands")
			}
			switch {
			case t.Actions && slices.Contains(t.Kinds, "Action"):
				boundless = append(boundless, "git.trust_actions")
			case t.Actions:
				fmt.Fprintln(s.Out, "git.trust_actions: git.kinds does not list Action, so no such document is taken")
			}
			if len(boundless) > 0 {
				fmt.Fprintf(s.Out, "%s: whoever may sign a commit has any program run as any user\n", strings.Join(boundless, ", "))
			}
		}
		for _, o := range rep.Legacy {
			switch {
			case o.Key == "":
				fmt.Fprintf(s.Out, "%s is refused: %s\n", o.Name, o.Text)
			case o.Over != "":
				fmt.Fprintf(s.Out, "%s has no effect: %s is set to %s elsewhere, which outranks it\n", o.Name, o.Key, o.Over)
			default:
				fmt.Fprintf(s.Out, "%s becomes %s = %s\n", o.Name, o.Key, o.Text)
			}
		}
		for _, set := range rep.Settings {
			if c.All || set.Changed {
				fmt.Fprintf(s.Out, "%s = %s\n", set.Key, set.Value)
			}
		}
		return nil
	})
}

type checkPolicyCmd struct {
	Files []string `arg:"" help:"YAML or JSON files, and folders of them."`
}

// Run checks documents as the daemon would, without one.
func (c *checkPolicyCmd) Run(ctx context.Context, s *session.Session) error {
	l, err := s.Load()
	if err != nil {
		return err
	}
	found, issues, warnings, err := offline.CheckFiles(ctx, l, c.Files)
	if err != nil {
		return err
	}
	if s.Output == "json" {
		if issues == nil {
			issues = fault.Issues{}
		}
		if err := s.Print(struct {
			OK       bool         `json:"ok"`
			Names    []string     `json:"names"`
			Issues   fault.Issues `json:"issues"`
			Warnings fault.Issues `json:"warnings,omitempty"`
		}{len(issues) == 0, found, issues, warnings}, nil); err != nil {
			return err
		}
		if len(issues) > 0 {
			return session.ExitCode(fault.Unprocessable.Exit())
		}
		return nil
	}
	for _, w := range warnings {
		fmt.Fprintf(s.Err, "warning: %s: %s\n", w.Place, w.Msg)
	}
	if err := issues.Err(); err != nil {
		return err
	}
	if len(found) == 0 {
		return fault.New(fault.NotFound, "there is no document in %s", strings.Join(c.Files, ", ")).Mend("a policy begins with apiVersion: vigil/v1 and kind: Policy")
	}
	for _, n := range found {
		fmt.Fprintln(s.Out, n, "is good")
	}
	return nil
}
