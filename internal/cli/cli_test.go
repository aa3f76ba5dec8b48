package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// line runs one command line and returns what it wrote.
func line(t *testing.T, env []string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Main(context.Background(), args, Streams{In: strings.NewReader(""), Out: &o, Err: &e, Env: append([]string{"HOME=" + t.TempDir()}, env...)})
	return code, o.String(), e.String()
}

// TestErrorsCannotDriveATerminal: an error of the daemon may quote what others wrote.
func TestErrorsCannotDriveATerminal(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusConflict)
		io.WriteString(w, `{"status":409,"title":"conflict","detail":"a.yaml:1: \u001b]0;t\u0007\u202eb\nc.yaml:2: \u009b31m\r\u200bd"}`)
	}))
	defer srv.Close()
	code, out, errs := line(t, nil, "--url", srv.URL, "status")
	if code == 0 || out != "" || !strings.Contains(errs, "b\nc.yaml:2:") || strings.ContainsAny(errs, "\x1b\x07\r\u202e\u009b\u200b") {
		t.Errorf("code %d, %q, %q", code, out, errs)
	}
}

func TestHelpFitsAScreen(t *testing.T) {
	code, out, errs := line(t, nil, "--help")
	if code != 0 || errs != "" {
		t.Fatalf("code %d, errors %q", code, errs)
	}
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	if len(lines) > 45 {
		t.Errorf("%d lines are no screen", len(lines))
	}
	for _, l := range lines {
		if len(l) > 120 {
			t.Errorf("%d columns: %s", len(l), l)
		}
	}
	if !strings.Contains(out, "Examples:") || !strings.Contains(out, "Exit codes:") {
		t.Error("no examples or no exit codes")
	}
}

// TestHelpIsAWordToo: help X is X --help, also of a command below another, and help alone
// that of the program.
func TestHelpIsAWordToo(t *testing.T) {
	for _, words := range [][]string{{}, {"why"}, {"policy"}, {"policy", "list"}, {"run"}} {
		code, out, errs := line(t, nil, append([]string{"help"}, words...)...)
		_, want, _ := line(t, nil, append(words, "--help")...)
		if code != 0 || errs != "" || out != want || out == "" {
			t.Errorf("help %v: code %d, %q, %.60q; want %.60q", words, code, errs, out, want)
		}
	}
	if code, _, errs := line(t, nil, "help", "polici"); code != 2 || !strings.Contains(errs, "did you mean policy?") {
		t.Errorf("code %d, %q", code, errs)
	}
}

// Every command that is shown has help of its own, on standard output, and every
// one with subcommands or arguments has an example.
func TestEveryCommandHasHelp(t *testing.T) {
	var c commands
	k, err := kong.New(&c, kong.NoDefaultHelp(), kong.ExplicitGroups(groups), kong.BindTo(context.Background(), (*context.Context)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range k.Model.Children {
		if n.Hidden {
			continue
		}
		code, out, errs := line(t, nil, n.Name, "--help")
		if code != 0 || errs != "" || !strings.Contains(out, n.Name) {
			t.Errorf("%s --help: code %d, %q %q", n.Name, code, out, errs)
		}
		if (len(n.Children) > 0 || len(n.Positional) > 0) && !strings.Contains(out, "Example") {
			t.Errorf("%s --help shows no example", n.Name)
		}
		if n.Group == nil {
			t.Errorf("%s is in no group of the help", n.Name)
		}
	}
}

func TestExitCodesAndSuggestions(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.toml")
	if err := os.WriteFile(bad, []byte("x = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nobody := filepath.Join(dir, "no.sock")
	tests := []struct {
		name string
		args []string
		code int
		errs string
	}{
		{"a mistyped command", []string{"stauts"}, 2, "did you mean status?"},
		{"a mistyped command of a command", []string{"silence", "lits"}, 2, `vigild silence has no command "lits" (did you mean list?)`},
		{"another's word for it", []string{"silence", "create", "x"}, 2, `vigild silence has no command "create" (it has list, add, remove)`},
		{"a mistyped flag", []string{"why", "1", "--evidnce"}, 2, "--evidence"},
		{"a missing argument", []string{"why"}, 2, "expected"},
		{"an argument too many", []string{"maintenance", "add", "{a=\"b\"}", "{c=\"d\"}", "--reason", "x"}, 2, "(see vigild maintenance add --help)"},
		{"a silence of nothing", []string{"silence", "add", "--reason", "x"}, 2, `--matchers 'service="web"'`},
		{"two selectors", []string{"maintenance", "add", "a=\"b\"", "--matchers", "c=\"d\"", "--for", "1h", "--reason", "x"}, 2, "given twice"},
		{"a wrong choice", []string{"token", "create", "x", "--role", "king"}, 2, "viewer"},
		{"a bad config", []string{"check", "config", "-c", bad}, 3, "bad.toml:1: x: unknown key"},
		{"no such config", []string{"check", "config", "-c", bad + "x"}, 5, "does not exist"},
		{"nobody there", []string{"status", "--socket", nobody}, 7, "does not answer"},
		{"no such file", []string{"check", "policy", filepath.Join(dir, "none.yaml")}, 5, "none.yaml"},
		{"a bad address", []string{"status", "--url", "nonsense"}, 2, "http://host:port"},
		{"a token that is not there", []string{"status", "--url", "http://127.0.0.1:1", "--token", "env:NONE"}, 2, "NONE"},
		{"a backup that is none", []string{"restore", filepath.Join(dir, "none")}, 2, "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errs := line(t, nil, tt.args...)
			if code != tt.code || !strings.Contains(errs, tt.errs) {
				t.Errorf("code %d, want %d; %q, want it to hold %q", code, tt.code, errs, tt.errs)
			}
			if out != "" {
				t.Errorf("an error wrote to standard output: %q", out)
			}
		})
	}
}

func TestOutputIsJSON(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"check", "config"}, {"collect"}} {
		code, out, errs := line(t, nil, append(args, "-o", "json")...)
		var v any
		if err := json.Unmarshal([]byte(out), &v); code != 0 || err != nil {
			t.Errorf("%v: code %d, %v, %s", args, code, err, errs)
		}
	}
}

func TestCompletion(t *testing.T) {
	tests := []struct{ words, want string }{
		{"", "run demo status why why-not collect audit plan diff drift revisions rollback retry suspend unsuspend adopt init signer policy action silence maintenance hands-off pause resume token confirm-clock check test backup restore healthcheck version completion"},
		{"pol", "policy"},
		{"policy|", "list show put delete enable disable reload"},
		{"policy|d", "delete disable"},
		{"completion|", "bash zsh fish"},
		{"status|--pl", "--plot"},
		{"token|create|x|--ro", "--role"},
	}
	for _, tt := range tests {
		args := append([]string{"__complete", "--"}, strings.Split(tt.words, "|")...)
		code, out, errs := line(t, nil, args...)
		if got := strings.Join(strings.Fields(out), " "); code != 0 || got != tt.want {
			t.Errorf("%q: got %q (%d %s), want %q", tt.words, got, code, errs, tt.want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if code, out, _ := line(t, nil, "completion", shell); code != 0 || !strings.Contains(out, "__complete") {
			t.Errorf("%s: code %d", shell, code)
		}
	}
}

func TestConfigSecretsAreNotPrinted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vigil.toml")
	if err := os.WriteFile(file, []byte("[notify.x]\nurl = \"https://hooks.example/s3cret\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"table", "json"} {
		code, out, errs := line(t, nil, "check", "config", "--all", "-c", file, "-o", format)
		if code != 0 || strings.Contains(out+errs, "s3cret") {
			t.Errorf("%s: code %d, %s", format, code, errs)
		}
	}
}

// TestDataDir_IsWhereOneStands: a path of the command line is one of the shell.
func TestDataDir_IsWhereOneStands(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	code, out, errs := line(t, nil, "check", "config", "--data-dir", "data")
	if code != 0 || !strings.Contains(out, `data_dir = "`+filepath.Join(here, "data")+`"`) {
		t.Errorf("code %d, %s, %s", code, out, errs)
	}
}
