package catalogue

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"vigil/actions/launch"
	"vigil/engine/remedy"
)

// FixedEnv is where every program's environment begins.
func FixedEnv() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
}

// maxWord bounds one value that is told to a program; longer ones are cut, whole
// they stand in the ledger.
const maxWord = 4096

// told is what a program is told in its environment: always data of a known
// name, clean, so that no label can set a variable of its own choice.
func told(r remedy.Request) []string {
	env := []string{
		"VIGIL_ATTEMPT=" + word(r.Attempt), "VIGIL_ACTION=" + word(r.Action), "VIGIL_POLICY=" + word(r.Policy),
		"VIGIL_TARGET=" + word(r.Target), "VIGIL_REASON=" + word(r.Reason),
	}
	for _, k := range slices.Sorted(maps.Keys(r.Labels)) {
		env = append(env, "VIGIL_LABEL_"+varName(k)+"="+word(r.Labels[k]))
		if len(env) > 100 {
			break
		}
	}
	return env
}

func word(s string) string {
	if len(s) > maxWord {
		s = s[:maxWord]
	}
	return launch.Clean([]byte(s))
}

// varName makes a label's name fit for a variable.
func varName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, s)
}

// story is the context that stands on a program's stdin.
type story struct {
	Attempt  string            `json:"attempt"`
	Action   string            `json:"action"`
	Policy   string            `json:"policy,omitempty"`
	Target   string            `json:"target,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	Severity string            `json:"severity,omitempty"`
	Rung     int               `json:"rung"`
	Labels   map[string]string `json:"labels,omitempty"`
	Values   map[string]string `json:"values,omitempty"`
	Params   map[string]string `json:"params,omitempty"`
}

func stdin(r remedy.Request, params map[string]string) []byte {
	b, err := json.Marshal(story{r.Attempt, r.Action, r.Policy, r.Target, r.Reason, r.Severity, r.Rung, r.Labels, r.Values, params})
	if err != nil { // strings and maps of strings always marshal
		return nil
	}
	return append(b, '\n')
}
