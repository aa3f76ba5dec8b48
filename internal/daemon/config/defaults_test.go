package config

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"vigil/engine"
	"vigil/engine/document"
	"vigil/engine/policy"
	"vigil/internal/daemon/settings"
)

// TestPolicyDefaultsAreDocumented: the table that people read, the example file
// and the code say the same.
func TestPolicyDefaultsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/policy-defaults.md")
	if err != nil {
		t.Fatal(err)
	}
	code := Defaults(rootPlaces)
	var file Config
	if is := settings.Decode("vigil.example.toml", []byte(uncomment(example(t), false)), &file); len(is) > 0 {
		t.Fatal(is)
	}
	ds, is := document.Parse("p.yaml", []byte("apiVersion: vigil/v1\nkind: Policy\nmetadata: {name: p}\nspec: {match: x, fire: value > 1}\n"), document.Folder)
	if len(is) > 0 {
		t.Fatal(is)
	}
	plain, is := engine.PolicyFromDocument(ds[0])
	if len(is) > 0 {
		t.Fatal(is)
	}
	written := map[string]string{"mode": plain.Mode, "severity": plain.Severity,
		"for, clear_for": plain.Condition.For.String(), "no_data": string(policy.NoDataUnknown)}
	settingsSeen, rows := 0, 0
	for i, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.HasPrefix(line, "|---") || strings.Contains(line, "| Default |") {
			continue
		}
		field, value, key := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2]), strings.TrimSpace(cells[3])
		if key == "" {
			rows++
			if row := "\n# - " + field + ": " + value + "\n"; !strings.Contains(example(t), row) {
				t.Errorf("line %d: vigil.example.toml does not say %q", i+1, strings.TrimSpace(row))
			}
			if want, ok := written[field]; ok && value != want {
				t.Errorf("line %d: %s is %s, a policy that says nothing has %s", i+1, field, value, want)
			}
			continue
		}
		settingsSeen++
		if kind, ok := strings.CutPrefix(key, "remedy.kind_limits.reboot."); ok {
			l := code.Remedy.KindLimits["reboot"]
			if f := file.Remedy.KindLimits["reboot"]; f != l {
				t.Errorf("the example limits reboots to %v, the code to %v", f, l)
			}
			got := l.Per.String()
			if kind == "max" {
				got = strconv.Itoa(l.Max)
			}
			if got != value {
				t.Errorf("line %d: %s is %s, the code says %s", i+1, field, value, got)
			}
			continue
		}
		for name, cfg := range map[string]*Config{"the code": &code, "the example": &file} {
			k, ok := settings.Find(cfg, key)
			if !ok {
				t.Errorf("line %d: there is no setting %s", i+1, key)
				break
			}
			if got := strings.Trim(k.Text(), `"`); got != value {
				t.Errorf("line %d: %s is %s, %s says %s", i+1, field, value, name, got)
			}
		}
	}
	if settingsSeen < 25 {
		t.Errorf("only %d settings are documented", settingsSeen)
	}
	if said := strings.Count(example(t), "\n# - "); rows < 11 || said != rows {
		t.Errorf("%d rows without a setting, the example has %d", rows, said)
	}
}
