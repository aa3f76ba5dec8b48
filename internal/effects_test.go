package internal

import (
	"go/ast"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// effects are the functions by which a program changes files, processes or the
// host directly.
var effects = map[string][]string{
	"os": {"Chmod", "Chown", "Chtimes", "CopyFS", "Create", "CreateTemp", "Lchown", "Link", "Mkdir", "MkdirAll", "MkdirTemp", "OpenFile", "Remove", "RemoveAll",
		"Rename", "StartProcess", "Symlink", "Truncate", "WriteFile"},
	"os/exec": {"Command", "CommandContext"},
	"syscall": {"Chmod", "Chown", "Exec", "ForkExec", "Kill", "Link", "Mkdir", "Mount", "O_CREAT", "O_RDWR", "O_WRONLY", "Reboot", "Rename", "Rmdir", "StartProcess", "Symlink", "Truncate", "Unlink", "Unmount"},
	"golang.org/x/sys/unix": {"Chmod", "Chown", "Exec", "Fchmod", "Fchmodat", "Fchown", "Fchownat", "Kill", "Link", "Linkat", "Mkdir", "Mkdirat", "Mount", "O_CREAT", "O_RDWR", "O_WRONLY",
		"PidfdSendSignal", "Prlimit", "Reboot", "Rename", "Renameat", "Renameat2", "Rmdir", "Settimeofday", "Symlink", "Symlinkat", "Truncate", "Unlink", "Unlinkat", "Unmount"},
}

// mayChange are the rooms outside actions that call one of them, and why. Most
// keep files of their own in the data directory.
var mayChange = map[string]struct{ what, why string }{
	"api/guard":               {"os.OpenFile os.Remove", "the file of the first token, in the data directory"},
	"api/listen":              {"os.Chmod os.CreateTemp os.MkdirAll os.Remove os.Rename", "the daemon's own socket, and its self-made certificate in the data directory"},
	"engine/check/procs":      {"os.OpenFile", "reads /proc"},
	"engine/ledger/disk":      {"os.Chmod os.MkdirAll os.OpenFile os.Remove os.RemoveAll os.Rename os.WriteFile unix.Kill", "ledger.db and its copies; signal 0 asks whether the owner of the lock lives"},
	"engine/tsdb":             {"os.MkdirAll", "the data directory"},
	"engine/tsdb/place":       {"os.MkdirAll os.OpenFile", "the lock of the store"},
	"engine/tsdb/rows":        {"os.Chmod os.MkdirAll os.OpenFile os.Remove os.Rename", "samples.db and its copies"},
	"engine/tsdb/wal":         {"os.MkdirAll os.OpenFile os.Remove os.Rename", "samples.log"},
	"gitwatch":                {"os.CreateTemp os.MkdirAll os.Remove os.Rename", "the key that vigild signs its own commits with, in the data directory"},
	"gitwatch/pack":           {"os.OpenFile", "packs in the data directory"},
	"gitwatch/store":          {"os.CreateTemp os.MkdirAll os.MkdirTemp os.OpenFile os.Remove os.RemoveAll os.Rename", "the bare repository in the data directory"},
	"internal/cli/demo":       {"os.MkdirAll os.MkdirTemp os.RemoveAll os.WriteFile syscall.Kill", "the demo's own folder, and the service that it started itself"},
	"internal/daemon":         {"os.Mkdir os.Rename", "the folder of a backup that a person asked for"},
	"internal/daemon/archive": {"os.Mkdir os.OpenFile os.Remove os.Rename", "the folder of audit exports that the local config names"},
	"internal/daemon/config":  {"os.MkdirAll", "the data directory"},
}

// TestHouseEffectsHappenInActions: what changes the world outside is called in
// actions alone, a process begins in its launcher alone, and every other room that
// changes files is listed with what it may call.
func TestHouseEffectsHappenInActions(t *testing.T) {
	seen := map[string]map[string]bool{}
	starts := []string{"exec.Command", "exec.CommandContext", "os.StartProcess", "syscall.Exec", "syscall.ForkExec", "syscall.StartProcess", "unix.Exec"}
	for _, s := range tree(t, "..") {
		// internal/load measures a daemon from outside and is no part of it.
		if s.test || testRoom(s.dir) || s.dir == "internal/load" || strings.HasPrefix(s.dir, "internal/load/") {
			continue
		}
		names := map[string]string{} // as the file calls them, to the path
		for _, i := range s.ast.Imports {
			p, _ := strconv.Unquote(i.Path.Value)
			name := path.Base(p)
			if i.Name != nil {
				name = i.Name.Name
			}
			if effects[p] != nil {
				if name == "." || name == "_" {
					t.Errorf("%s: %s is imported as %s, where nobody sees what is called", s.path, p, name)
				}
				names[name] = p
			}
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			x, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			of, ok := x.X.(*ast.Ident)
			if !ok || !slices.Contains(effects[names[of.Name]], x.Sel.Name) {
				return true
			}
			call := path.Base(names[of.Name]) + "." + x.Sel.Name
			if slices.Contains(starts, call) && s.dir != "actions/launch" && !strings.Contains(mayChange[s.dir].what, call) {
				t.Errorf("%s: %s starts a process; only actions/launch does", s.path, call)
			}
			if s.dir == "actions" || strings.HasPrefix(s.dir, "actions/") {
				return true
			}
			if seen[s.dir] == nil {
				seen[s.dir] = map[string]bool{}
			}
			seen[s.dir][call] = true
			if !slices.Contains(strings.Fields(mayChange[s.dir].what), call) {
				t.Errorf("%s: %s changes something outside of actions; do it there, or list the room with its reason", s.path, call)
			}
			return true
		})
	}
	for _, dir := range slices.Sorted(maps.Keys(mayChange)) {
		for _, call := range strings.Fields(mayChange[dir].what) {
			if !seen[dir][call] {
				t.Errorf("%s may call %s and does not: shut the door", dir, call)
			}
		}
	}
}

// testRoom says whether the plan lists a room as imported by tests alone.
func testRoom(dir string) bool {
	return slices.ContainsFunc(plan, func(r room) bool { return r.dir == dir && r.test })
}
