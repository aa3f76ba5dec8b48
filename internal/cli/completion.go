package cli

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"vigil/internal/cli/session"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help shows how to install the script.
func (completionCmd) Help() string {
	return "Examples:\n  vigild completion bash > /etc/bash_completion.d/vigild\n  vigild completion zsh > ~/.zfunc/_vigild\n  vigild completion fish > ~/.config/fish/completions/vigild.fish"
}

// The scripts ask the program itself, so they never grow old.
var scripts = map[string]string{
	"bash": `_vigild() {
  local IFS=$'\n'
  COMPREPLY=($(vigild __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _vigild vigild
`,
	"zsh": `#compdef vigild
_vigild() {
  local -a found
  found=(${(f)"$(vigild __complete -- ${words[2,$CURRENT]} 2>/dev/null)"})
  compadd -a found
}
compdef _vigild vigild
`,
	"fish": `function __vigild_complete
  set -l words (commandline -opc) (commandline -ct)
  vigild __complete -- $words[2..-1] 2>/dev/null
end
complete -c vigild -f -a '(__vigild_complete)'
`,
}

// Run prints the script.
func (c *completionCmd) Run(s *session.Session) error {
	_, err := fmt.Fprint(s.Out, scripts[c.Shell])
	return err
}

type completeCmd struct {
	Words []string `arg:"" optional:"" passthrough:""`
}

// Run prints the words that may stand where the last one stands.
func (c *completeCmd) Run(s *session.Session) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	for _, w := range s.Candidates(words) {
		fmt.Fprintln(s.Out, w)
	}
	return nil
}

// candidates walks down the commands that words name and lists what begins as
// the last word does.
func candidates(n *kong.Node, words []string) []string {
	last := ""
	if len(words) > 0 {
		last, words = words[len(words)-1], words[:len(words)-1]
	}
	flags := n.Flags
walk:
	for _, w := range words {
		for _, child := range n.Children {
			if child.Name == w {
				n = child
				flags = append(flags, n.Flags...)
				continue walk
			}
		}
	}
	var out []string
	add := func(w string) {
		if strings.HasPrefix(w, last) {
			out = append(out, w)
		}
	}
	if strings.HasPrefix(last, "-") {
		for _, f := range flags {
			if !f.Hidden {
				add("--" + f.Name)
			}
		}
		return out
	}
	for _, child := range n.Children {
		if !child.Hidden {
			add(child.Name)
		}
	}
	for _, p := range n.Positional {
		for _, e := range p.EnumSlice() {
			add(e)
		}
	}
	return out
}
