package steer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"vigil/api/client"
	"vigil/api/contract"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/internal/cli/session"
)

type PolicyCmd struct {
	List    policyListCmd    `cmd:"" help:"List policies."`
	Show    policyShowCmd    `cmd:"" help:"Show one as JSON."`
	Put     policyPutCmd     `cmd:"" help:"Make a policy from a JSON or YAML file, or change it."`
	Delete  policyDeleteCmd  `cmd:"" help:"Delete one."`
	Enable  policyEnableCmd  `cmd:"" help:"Enable one."`
	Disable policyDisableCmd `cmd:"" help:"Disable one."`
	Reload  policyReloadCmd  `cmd:"" help:"Read the policy folders again now."`
}

// Help shows examples.
func (PolicyCmd) Help() string {
	return "Examples:\n  vigild policy list\n  vigild policy put web.json\n  vigild policy disable web-slow"
}

type policyListCmd struct{}

// Run lists.
func (*policyListCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	list, err := r.Policies(ctx)
	if err != nil {
		return err
	}
	return s.Print(list, func() error {
		var rows [][]string
		for _, p := range list.Policies {
			on := "yes"
			if !p.Enabled {
				on = "no"
			}
			rows = append(rows, []string{p.Name, p.Mode, on, p.Severity, strconv.Itoa(p.Instances), strconv.Itoa(p.Firing), p.Owner, p.Description})
		}
		slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
		return s.Table([]string{"NAME", "MODE", "ON", "SEVERITY", "INSTANCES", "FIRING", "OWNER", "DESCRIPTION"}, rows)
	})
}

type policyShowCmd struct {
	Name string `arg:"" help:"Its name."`
}

// Run shows one.
func (c *policyShowCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	p, err := r.Policy(ctx, c.Name)
	if err != nil {
		return err
	}
	s.Output = "json"
	var plain any // so that < and > inside its expressions are shown as they are
	text, err := json.Marshal(p)
	if err == nil {
		err = json.Unmarshal(text, &plain)
	}
	if err != nil {
		return err
	}
	return s.Print(plain, nil)
}

type policyPutCmd struct {
	File string `arg:"" help:"JSON or YAML file of one policy, or - for standard input."`
}

// Run makes the policy, or changes the one of that name.
func (c *policyPutCmd) Run(ctx context.Context, s *session.Session) error {
	in, name := s.In, "standard input"
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return fault.Wrap(fault.NotFound, err, "policy file")
		}
		defer f.Close()
		in, name = f, c.File
	}
	text, err := io.ReadAll(io.LimitReader(in, 1<<20))
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "policy file")
	}
	body, policy, err := policyBody(name, text)
	if err != nil {
		return err
	}
	r, err := s.Remote()
	if err != nil {
		return err
	}
	out, err := r.CreatePolicy(ctx, body)
	if fault.KindOf(err) == fault.Conflict || fault.KindOf(err) == fault.Invalid {
		if _, gerr := r.Policy(ctx, policy); gerr == nil {
			out, err = r.UpdatePolicy(ctx, policy, 0, body)
		}
	}
	if err != nil {
		return err
	}
	return s.Print(out, func() error {
		_, err := fmt.Fprintf(s.Out, "policy %s is in force, version %d\n", session.Plain(out.Name), out.Version)
		return err
	})
}

type policyDeleteCmd struct {
	Name string `arg:"" help:"Its name."`
}

// Run deletes one.
func (c *policyDeleteCmd) Run(ctx context.Context, s *session.Session) error {
	return policyDone(s, func(r *client.Client) (contract.OK, error) { return r.DeletePolicy(ctx, c.Name) })
}

type policyEnableCmd struct {
	Name string `arg:"" help:"Its name."`
}

// Run enables one.
func (c *policyEnableCmd) Run(ctx context.Context, s *session.Session) error {
	return policyDone(s, func(r *client.Client) (contract.OK, error) { return r.EnablePolicy(ctx, c.Name, true) })
}

type policyDisableCmd struct {
	Name string `arg:"" help:"Its name."`
}

// Run disables one.
func (c *policyDisableCmd) Run(ctx context.Context, s *session.Session) error {
	return policyDone(s, func(r *client.Client) (contract.OK, error) { return r.EnablePolicy(ctx, c.Name, false) })
}

type policyReloadCmd struct{}

// Run reloads.
func (*policyReloadCmd) Run(ctx context.Context, s *session.Session) error {
	return policyDone(s, func(r *client.Client) (contract.OK, error) { return r.ReloadPolicies(ctx) })
}

// policyDone carries out one change of policies and says that it is done.
func policyDone(s *session.Session, do func(*client.Client) (contract.OK, error)) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	ok, err := do(r)
	if err != nil {
		return err
	}
	return s.Done(ok)
}

// policyBody turns a file into what the API takes: JSON goes as it is, in any
// of its shapes; YAML must be one document.
func policyBody(file string, text []byte) (body any, name string, err error) {
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] == '{' {
		var named struct {
			Name     string `json:"name"`
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(trimmed, &named); err != nil {
			return nil, "", fault.Wrap(fault.Invalid, err, "%s is not the JSON of a policy", file)
		}
		return json.RawMessage(trimmed), named.Name + named.Metadata.Name, nil
	}
	ds, is := document.Parse(file, text, document.API)
	if err := is.Err(); err != nil {
		return nil, "", err
	}
	if len(ds) != 1 || ds[0].Kind != "Policy" || ds[0].Flat {
		return nil, "", fault.New(fault.Unprocessable, "expected one document of kind Policy, found %d documents", len(ds)).At(file)
	}
	var spec map[string]any
	if err := ds[0].Spec.YAML.Decode(&spec); err != nil {
		return nil, "", fault.Wrap(fault.Invalid, err, "%s", file)
	}
	return map[string]any{
		"apiVersion": document.Version, "kind": "Policy",
		"metadata": map[string]any{"name": ds[0].Name, "labels": ds[0].Labels}, "spec": spec,
	}, ds[0].Name, nil
}
