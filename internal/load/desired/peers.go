package desired

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// peers are the agents of the machine, each once to settle and once to measure.
func (g *ground) peers(n int) []Row {
	return []Row{
		g.peer("cf-agent, the same files", "cf-agent", "policy.cf", g.cfengine(n), []string{"-K", "-I"}, "-f"),
		g.peer("puppet apply, the same files", "puppet", "site.pp", g.puppet(n), []string{"apply", "--detailed-exitcodes", "--vardir", filepath.Join(g.dir, "pup"), "--confdir", filepath.Join(g.dir, "pup")}, ""),
	}
}

// peer runs one agent on a policy of its own; its row says what the second run
// used, or why there is none.
func (g *ground) peer(what, program, name, policy string, args []string, flag string) Row {
	if _, err := exec.LookPath(program); err != nil {
		return Row{what, "", "not installed"}
	}
	if err := g.validator(); err != nil {
		return Row{what, "", err.Error()}
	}
	file := filepath.Join(g.dir, name)
	if err := os.WriteFile(file, []byte(policy), 0o600); err != nil {
		return Row{what, "", err.Error()}
	}
	if flag != "" {
		args = append(args, flag)
	}
	args = append(args, file)
	var last string
	for range 2 {
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), "HOME="+g.dir, "CFENGINE_TEST_OVERRIDE_WORKDIR="+filepath.Join(g.dir, "cf"))
		at := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil {
			return Row{what, "", fmt.Sprintf("%v: %.300s", err, out)}
		}
		used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		last = fmt.Sprintf("%d ms CPU, %.1f s a run", used.Milliseconds(), time.Since(at).Seconds())
	}
	return Row{what, "", last}
}

// validator puts cf-promises, without which cf-agent takes its failsafe policy,
// where a cf-agent of this folder looks for it.
func (g *ground) validator() error {
	at, err := exec.LookPath("cf-promises")
	if err != nil {
		return nil
	}
	bin := filepath.Join(g.dir, "cf", "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return err
	}
	if err := os.Symlink(at, filepath.Join(bin, "cf-promises")); err != nil && !os.IsExist(err) {
		return err
	}
	return nil
}

// cfengine asks for the same content, mode and owner.
func (g *ground) cfengine(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "body common control { bundlesequence => { \"main\" }; }\nbody perms m { mode => \"0644\"; owners => { \"%d\" }; groups => { \"%d\" }; }\nbundle agent main\n{\nfiles:\n", os.Getuid(), os.Getgid())
	for i := range n {
		path, content := g.file(i)
		fmt.Fprintf(&b, "  \"%s\" create => \"true\", content => '%s', perms => m;\n", path, content)
	}
	return b.String() + "}\n"
}

// puppet asks for the same content, mode and owner.
func (g *ground) puppet(n int) string {
	var b strings.Builder
	for i := range n {
		path, content := g.file(i)
		fmt.Fprintf(&b, "file { '%s': ensure => file, content => '%s', mode => '0644', owner => %d, group => %d }\n", path, content, os.Getuid(), os.Getgid())
	}
	return b.String()
}
