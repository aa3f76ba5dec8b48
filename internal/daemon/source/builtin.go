package source

import (
	"bytes"
	"embed"
	"io/fs"
	"slices"
	"strconv"
	"text/template"

	"vigil/engine/document"
	"vigil/engine/fault"
)

//go:embed starter/*.yaml
var starter embed.FS

// Starter reads the pack of policies that ships inside the binary, all in mode
// suggest, so that the first minute is useful and harmless.
func Starter() ([]document.Document, fault.Issues) {
	names, err := fs.Glob(starter, "starter/*.yaml")
	if err != nil {
		return nil, fault.Issues{{Place: "builtin", Msg: err.Error()}}
	}
	var out []document.Document
	var issues fault.Issues
	for _, name := range names {
		text, err := starter.ReadFile(name)
		if err != nil {
			return nil, fault.Issues{{Place: "builtin:" + name, Msg: err.Error()}}
		}
		ds, is := document.Parse("builtin:"+name, text, document.Builtin)
		out, issues = append(out, ds...), append(issues, is...)
	}
	return out, issues
}

// process is the policy that stands behind a supervised process. Death is an
// event, not a condition that lasts, so nothing delays the first start; the
// backoff and the limit of the subject keep a process that will not stay up
// from being started for ever. It clears when the process was told to have stood for
// its hold, as its start is good then: what ends again before that is the same
// firing, and the same remediation tries again. That nobody told of a death yet
// proves nothing, since a sample may wait for a slow disk.
var process = template.Must(template.New("process").Funcs(template.FuncMap{"quote": strconv.Quote}).Parse(`
apiVersion: vigil/v1
kind: Policy
metadata: {name: {{ printf "process-%s" .Name | quote }}}
spec:
  description: {{ printf "the supervised process %s must run" .Name | quote }}
  severity: critical
  mode: act
  match: {{ printf "vigil_process_standing{process=%q}" .Name | quote }}
  fire: value < 0
  clear: value > 0
  no_data: keep
  flapping: {changes: 100, within: 10m, calm: 1m}
  remedy:
    target: {{ .Name | quote }}
    ladder:
      - {action: process, with: {process: {{ .Name | quote }}, verb: start}, timeout: 1m, tries: 30, settle: 0s}
    verify: {expr: value >= 0, within: 30s}
    cooldown: 0s
    cost: 0
    limit: {max: 60, per: 1h}
    backoff: {base: 1s, factor: 2, cap: 1m, quiet: 5m}
    capture: false
`))

// Processes makes one policy, `process-NAME`, for each supervised process.
func Processes(names []string) ([]document.Document, fault.Issues) {
	var out []document.Document
	var issues fault.Issues
	for _, name := range slices.Sorted(slices.Values(names)) {
		var text bytes.Buffer
		if err := process.Execute(&text, struct{ Name string }{name}); err != nil {
			issues.Add("process."+name, "%v", err)
			continue
		}
		ds, is := document.Parse("builtin:process-"+name, text.Bytes(), document.Builtin)
		out, issues = append(out, ds...), append(issues, is...)
	}
	return out, issues
}
