package cli

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"vigil/engine/document"
)

// helpFlag prints help and ends the command line well.
type helpFlag bool

// BeforeReset runs as soon as the flag is seen.
func (helpFlag) BeforeReset(ctx *kong.Context) error {
	if err := ctx.PrintUsage(false); err != nil {
		return err
	}
	return errDone
}

var groups = []kong.Group{
	{Key: "daemon", Title: "Run it"},
	{Key: "see", Title: "See and understand"},
	{Key: "desired", Title: "Desired state, from Git"},
	{Key: "steer", Title: "Steer"},
	{Key: "files", Title: "Files and scripts"},
}

// help prints one screen for the whole program and the library's page, with
// examples, for a command.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	if ctx.Selected() != nil && ctx.Selected().Name != "run" || asked(ctx, "run") {
		return kong.DefaultHelpPrinter(options, ctx)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "vigild - %s\n\n", lowerFirst(ctx.Model.Help))
	b.WriteString("Examples:\n" +
		"  vigild                            run it; no config and no account needed\n" +
		"  vigild demo                       watch it heal something\n" +
		"  vigild status                     the host and what is wrong with it\n" +
		"  vigild why 17                     the story of remediation 17\n")
	for _, g := range groups {
		fmt.Fprintf(&b, "\n%s:\n", g.Title)
		for _, n := range ctx.Model.Children {
			line := n.Tag.Get("line") // of several commands, so that all fit a screen
			if n.Group == nil || n.Group.Key != g.Key || n.Hidden || line == "-" {
				continue
			}
			if line == "" {
				line = n.Name
			}
			fmt.Fprintf(&b, "  %-18s %s\n", line, n.Help)
		}
	}
	b.WriteString("\nEverywhere: --config FILE, --socket PATH or --url URL --token TOKEN, --output json, --help\n" +
		"Exit codes: 0 ok, 1 fault of ours, 2 usage, 3 invalid, 4 not allowed, 5 not found, 6 conflict, 7 not now, 8 corrupt\n")
	_, err := fmt.Fprint(ctx.Stdout, b.String())
	return err
}

func asked(ctx *kong.Context, command string) bool {
	for _, a := range ctx.Args {
		if a == command {
			return true
		}
	}
	return false
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// nearest is the known word that was most likely meant.
func nearest(word string, known []string) string { return document.Nearest(word, known) }
