package files

import (
	"regexp"
	"slices"
	"strings"

	"vigil/engine/reconcile"
	"vigil/engine/reconcile/made"
	"vigil/engine/reconcile/site"
)

// cronSpec is a document of kind Cron: one file of /etc/cron.d.
type cronSpec struct {
	reconcile.Common `yaml:",inline"`
	Schedule         string            `yaml:"schedule"` // five fields, or @daily and the like
	User             string            `yaml:"user"`     // root by default
	Command          []string          `yaml:"command"`  // argv
	Env              map[string]string `yaml:"env"`
}

// cronFolder is where the files go; cron reads no file whose name has a dot.
const cronFolder = "/etc/cron.d/"

var (
	cronFields = regexp.MustCompile(`^[0-9*/,A-Za-z-]+( [0-9*/,A-Za-z-]+){4}$`)
	cronWords  = []string{"@reboot", "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}
	cronName   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)
	envName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,99}$`)
)

// Cron reads a document of this kind.
func Cron(s *site.Site) site.Resource {
	v := cronSpec{Common: s.Common, User: "root"}
	s.Decode(&v)
	s.Common = v.Common
	if !cronName.MatchString(s.Doc.Name) {
		s.Bad("schedule", "the name %q cannot be that of a cron file: letters, digits, - and _", s.Doc.Name)
	}
	sched := strings.Join(strings.Fields(v.Schedule), " ")
	if !cronFields.MatchString(sched) && !slices.Contains(cronWords, sched) {
		s.Mend("schedule", `write five fields, such as "30 3 * * *", or @daily`, "%q is no schedule", v.Schedule)
	}
	if !account.MatchString(v.User) {
		s.Bad("user", "%q is no account", v.User)
	}
	s.AsCommand("command", strings.Join(v.Command, " "))
	if len(v.Command) == 0 || !strings.HasPrefix(v.Command[0], "/") {
		s.Bad("command", "expected a list: the whole path of the program and its arguments")
	}
	for k, x := range v.Env {
		if !envName.MatchString(k) || strings.ContainsAny(x, "\n\r\x00\"'") {
			s.Bad("env", "%q cannot be a variable of a cron file", k)
		}
	}
	for _, w := range v.Command {
		if strings.ContainsAny(w, "\n\r\x00") {
			s.Bad("command", "%q goes over more than one line", w)
		}
	}
	f := &file{path: cronFolder + s.Doc.Name, absent: v.Mode == reconcile.Absent,
		attr: attributes{Permissions: "0644", Owner: "root", Group: "root"}}
	f.key = reconcile.Key{Kind: s.Doc.Kind, Name: s.Doc.Name, Subject: "file:" + f.path}
	f.content = made.Cron{Schedule: sched, User: v.User, Command: v.Command, Env: v.Env}.Text(f.key.Ref())
	f.sum = site.Sum(f.content)
	return f
}
