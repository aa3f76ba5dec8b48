package actions

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"vigil/actions/launch"
	"vigil/actions/outward"
	"vigil/actions/param"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// notify tells a receiver of the local config, in the shape of Alertmanager's
// webhook, version 4. Telling twice is harmless: receivers group by
// fingerprint, and the attempt's id goes along as Idempotency-Key.
type notify struct {
	clock     clock.Clock
	receivers map[string]receiver
}

type receiver struct {
	Receiver
	client *outward.Client
}

func newNotify(s *Set, c Config) (remedy.Action, error) {
	a := notify{s.deps.Clock, map[string]receiver{}}
	for name, r := range c.Notify {
		client, err := outward.New(r.Allow, s.deps.Resolve)
		if err != nil {
			return nil, err
		}
		a.receivers[name] = receiver{r, client}
	}
	return a, nil
}

func (r Receiver) validate(at string, is *fault.Issues) {
	if r.Kind != "" && r.Kind != "webhook" {
		is.Add(at+".kind", "%q is not a kind of receiver: webhook", r.Kind)
	}
	if u, err := url.Parse(r.URL); r.URL == "" {
		is.Add(at+".url", "url is missing")
	} else if strings.HasPrefix(r.URL, "file:") || strings.HasPrefix(r.URL, "env:") {
		if err := outward.CheckSecret(r.URL); err != nil {
			is.Add(at+".url", "%v", err)
		}
	} else if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		is.Add(at+".url", "%q is not an http or https URL", r.URL)
	}
	outward.CheckHeaders(at, r.Headers, is)
	if r.Secret != "" {
		if err := outward.CheckSecret(r.Secret); err != nil {
			is.Add(at+".secret", "%v", err)
		}
	}
	if r.Timeout < 0 || r.Timeout > time.Hour {
		is.Add(at+".timeout", "%v is not between 0 and 1h", r.Timeout)
	}
	if _, err := outward.New(r.Allow, nil); err != nil {
		is.Add(at+".allow", "%v", err)
	}
}

// Resolve: to (a receiver's name, required), summary, description, status
// (firing, the default, or resolved).
func (a notify) Resolve(r remedy.Request) (remedy.Spec, error) {
	_, _, spec, err := a.read(r)
	return spec, err
}

func (a notify) read(r remedy.Request) (to receiver, m message, s remedy.Spec, err error) {
	p := param.Read(r.With)
	name := p.Text("to", true)
	m.summary, m.description = p.Text("summary", false), p.Text("description", false)
	m.status = p.Choice("status", "firing", "firing", "resolved")
	to, ok := a.receivers[name]
	if name != "" && !ok {
		names := slices.Sorted(maps.Keys(a.receivers))
		p.Add(fault.Issue{Place: "with.to", Msg: "there is no [notify." + name + "] in the config; there is " + param.List(names), Hint: param.Suggest(name, names)})
	}
	if err := p.Err(); err != nil {
		return to, m, remedy.Spec{}, err
	}
	m.receiver = name
	s = remedy.Spec{Subject: "notify:" + name + "/" + r.Policy + "/" + r.Target, Kind: "notify", Class: remedy.Convergent, Waits: true, Timeout: to.Timeout, Summary: "notify " + name}
	if s.Timeout == 0 {
		s.Timeout = 30 * time.Second
	}
	return to, m, s, nil
}

type message struct{ receiver, summary, description, status string }

func (a notify) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	to, m, spec, err := a.read(r)
	if err != nil {
		return remedy.Result{}, err
	}
	ctx, stop := bounded(ctx, r, spec)
	defer stop()
	body, err := json.Marshal(m.alert(r, a.clock().Time()))
	if err != nil {
		return remedy.Result{}, fault.Wrap(fault.Internal, err, "the notice to %s", m.receiver)
	}
	address, err := outward.Secret(to.URL)
	if err != nil {
		return remedy.Result{}, err
	}
	for n := 1; ; n++ {
		got, err := to.send(ctx, address, body, r.Attempt)
		data := map[string]any{"status": got.Status, "tries": n}
		again := ""
		switch {
		case fault.KindOf(err) == fault.Forbidden || fault.KindOf(err) == fault.Unprocessable:
			return remedy.Result{}, err // it will never be sent from here
		case err != nil:
			again = outward.Plain(err)
		case got.Status >= 200 && got.Status <= 299:
			return remedy.Result{OK: true, Data: data}, nil
		default:
			again = fmt.Sprintf("answered %d %s", got.Status, http.StatusText(got.Status))
			if got.Status < 500 && got.Status != http.StatusTooManyRequests && got.Status != http.StatusRequestTimeout {
				return remedy.Result{Error: again, Output: launch.Clean(got.Body), Data: data}, nil
			}
		}
		t := time.NewTimer(max(pause(n), got.After))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return remedy.Result{Error: fmt.Sprintf("%s was not reached in %d tries: %s", m.receiver, n, again), TimedOut: ctx.Err() == context.DeadlineExceeded, Data: data}, nil
		}
	}
}

// pause before the next try: doubled from 0.2 s up to 10 s, anywhere in it, so
// that many hosts do not come back together.
func pause(n int) time.Duration {
	most := min(200*time.Millisecond<<min(n-1, 10), 10*time.Second)
	return most/10 + rand.N(most)
}

func (to receiver) send(ctx context.Context, address string, body []byte, attempt string) (outward.Answer, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return outward.Answer{}, fault.New(fault.Unprocessable, "the url of the receiver is not one")
	}
	q.Header.Set("Content-Type", "application/json")
	if err := outward.SetHeaders(q, to.Headers); err != nil {
		return outward.Answer{}, err
	}
	q.Header.Set("Idempotency-Key", attempt)
	if to.Secret != "" {
		key, err := outward.Secret(to.Secret)
		if err != nil {
			return outward.Answer{}, err
		}
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(body)
		q.Header.Set("X-Vigil-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	a, _, err := to.client.Do(q, 4096)
	return a, err
}

// webhook is the body: Alertmanager's webhook, version "4".
type webhook struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	TruncatedAlerts   int               `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Alerts            []alert           `json:"alerts"`
}

type alert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

func (m message) alert(r remedy.Request, now time.Time) webhook {
	name := r.Policy
	if name == "" {
		name = r.Action
	}
	labels := map[string]string{}
	maps.Copy(labels, r.Labels)
	delete(labels, "__name__")
	labels["alertname"] = name
	if r.Severity != "" { // receivers route by it
		labels["severity"] = r.Severity
	}
	notes := map[string]string{"summary": m.summary, "description": m.description, "target": r.Target, "attempt": r.Attempt}
	if notes["summary"] == "" {
		notes["summary"] = r.Reason
	}
	maps.DeleteFunc(notes, func(_, v string) bool { return v == "" })
	al := alert{Status: m.status, Labels: labels, Annotations: notes, StartsAt: now.UTC(), Fingerprint: fingerprint(labels)}
	if m.status == "resolved" {
		al.EndsAt = now.UTC()
	}
	group := map[string]string{"alertname": name}
	return webhook{
		Version: "4", GroupKey: fmt.Sprintf("{}:{alertname=%q}", name), Status: m.status, Receiver: m.receiver,
		GroupLabels: group, CommonLabels: labels, CommonAnnotations: notes, Alerts: []alert{al},
	}
}

// fingerprint is stable for one set of labels.
func fingerprint(labels map[string]string) string {
	h := fnv.New64a()
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(h, "%s\xff%s\xff", k, labels[k])
	}
	return fmt.Sprintf("%016x", h.Sum64())
}
