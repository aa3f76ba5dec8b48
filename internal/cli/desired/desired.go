// Package desired is the commands of desired state: what a commit would change,
// what differs, which commits came, the way back, suspends, and how things that
// stand on the machine become documents and commits.
//
// It refuses to decide and to read the machine: the daemon does both. What it
// prints of files was given by a daemon to somebody who may administer it.
package desired

import (
	"context"
	"fmt"
	"strings"
	"time"

	"vigil/api/client"
	"vigil/api/contract"
	"vigil/engine/fault"
	"vigil/internal/cli/session"
)

// pageSize is how many are asked for at a time.
const pageSize = 1000

// splitRef takes Kind/name apart.
func splitRef(ref string) (kind, name string, err error) {
	kind, name, ok := strings.Cut(ref, "/")
	if !ok || kind == "" || name == "" {
		return "", "", fault.New(fault.Usage, "%q names no resource", ref).Mend("write Kind/name, such as File/motd; vigild drift lists what differs")
	}
	return kind, name, nil
}

// drifting reads every page of what differs.
func drifting(ctx context.Context, r *client.Client) ([]contract.Resource, error) {
	return pages(ctx, r.Drift)
}

// everything reads every page of what documents speak of.
func everything(ctx context.Context, r *client.Client) ([]contract.Resource, error) {
	return pages(ctx, r.Resources)
}

func pages(ctx context.Context, read func(ctx context.Context, after string, limit int) (contract.ResourceList, error)) (all []contract.Resource, err error) {
	for after := ""; ; {
		page, err := read(ctx, after, pageSize)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Resources...)
		if after = page.Next; after == "" {
			return all, nil
		}
	}
}

// unread is why an empty list of what differs means nothing: the daemon cannot read
// what should be, and compares nothing.
func unread(ctx context.Context, r *client.Client) error {
	d, err := r.Desired(ctx)
	if err == nil && d.Unread != "" {
		err = fault.New(fault.Unavailable, "nothing is compared with the machine: %s", session.Plain(d.Unread))
	}
	return err
}

// count is how many there are of something.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// short is a commit as people say it, "-" for none.
func short(commit string) string {
	if commit == "" {
		return "-"
	}
	return commit[:min(10, len(commit))]
}

// emptySum is the sha256 of no bytes: what an editor leaves for a moment.
const emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// value is one side of a difference: sums are cut, nothing is said to be nothing.
func value(s string) string {
	switch {
	case s == "":
		return "nothing"
	case s == emptySum:
		return "an empty file"
	case len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "":
		return "sha256 " + s[:12]
	case len(s) > 80:
		return s[:77] + "..."
	}
	return s
}

func age(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return session.Since(*t)
}

// colors of the statuses and classes.
func paint(s *session.Session, word string) string {
	switch word {
	case "in_sync", "good":
		return s.Paint(session.Green, word)
	case "drifted", "drift", "missing", "stopped", "bad", "refused", "conflict":
		return s.Paint(session.Red, word)
	}
	return s.Paint(session.Yellow, word)
}

// differences prints one line a difference below a resource.
func differences(s *session.Session, ds []contract.Difference) {
	for _, d := range ds {
		since := ""
		if d.Since != nil {
			since = ", for " + age(d.Since)
		}
		fmt.Fprintf(s.Out, "  %s: wanted %s, found %s (%s%s)\n", session.Plain(d.Field), s.Paint(session.Green, session.Plain(value(d.Wanted))),
			s.Paint(session.Red, session.Plain(value(d.Found))), paint(s, d.Class), since)
	}
}

// resource prints a thing with what differs.
func resource(s *session.Session, v contract.Resource) {
	fmt.Fprintf(s.Out, "%s  %s", s.Paint(session.Bold, session.Plain(v.Ref)), paint(s, v.Status))
	if v.Reason != "" {
		fmt.Fprintf(s.Out, ": %s", session.Plain(v.Reason))
	}
	if v.NextHeal != nil && v.NextHeal.After(time.Now()) {
		fmt.Fprintf(s.Out, ", healed again at %s (%d in a row already)", session.Moment(v.NextHeal), v.Heals)
	}
	if v.Place != "" {
		fmt.Fprintf(s.Out, "  (%s)", session.Plain(v.Place))
	}
	fmt.Fprintln(s.Out)
	differences(s, v.Drift)
}
