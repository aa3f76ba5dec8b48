package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"

	"vigil/internal/daemon/settings"
)

// legacy is one environment name of the original system: which setting it
// becomes, or why it is refused. Names are in the order of its documentation.
type legacy struct {
	name string
	key  string // dotted setting
	// text turns the original's value into ours; nil takes it as it is.
	text func(value string, cfg *Config) (string, error)
	why  string // of a refusal
}

// legacies is every environment name that the original read. What is refused
// has no effect and is said once at start and by `vigild check config`.
var legacies = []legacy{
	{name: "DATABASE_URL", why: "vigild keeps its own stores; set data_dir (VIGIL_DATA_DIR) to say where"},
	{name: "REDIS_URL", why: "the queue lies in vigild's ledger and needs no Redis"},
	{name: "COLLECTOR_PORT", key: "api.listen", text: port},
	{name: "API_PORT", key: "api.listen", text: port},
	{name: "API_HOST", key: "api.listen", text: address},
	{name: "REMEDIATOR_URL", why: "vigild carries out its own actions; an outside remediator asks for its tasks over the API"},
	{name: "REMEDIATOR_PORT", why: "vigild has one address, api.listen"},
	{name: "AGENT_INTERVAL", key: "host.every", text: seconds},
	{name: "GITOPSD_INTERVAL", key: "git.resync", text: seconds},
	{name: "GITOPSD_MANIFESTS_PATH", why: "manifests come from a commit and not from a folder: push them to /git/desired, or set git.source = \"path\" and git.path to a repository"},
	{name: "GITOPSD_COLLECTOR_URL", why: "collector and drift detection are one process"},
	{name: "SERVICE_NAME", why: "nothing depends on the name"},
	{name: "LOG_LEVEL", key: "log.level", text: level},
	{name: "API_TITLE", why: "the API describes itself"},
	{name: "API_DESCRIPTION", why: "the API describes itself"},
	{name: "API_VERSION", why: "the API describes itself"},
	{name: "ENVIRONMENT", why: "there is one way to run"},
	{name: "DEBUG", why: "set log.level to \"debug\" (VIGIL_LOG_LEVEL)"},
	{name: "RETRY_MAX_ATTEMPTS", why: "tries belong to each rung of a policy's ladder"},
	{name: "RETRY_BACKOFF", why: "backoff belongs to each policy's remedy"},
	{name: "RETRY_BASE_DELAY", why: "backoff belongs to each policy's remedy"},
	{name: "RETRY_MAX_DELAY", why: "backoff belongs to each policy's remedy"},
	{name: "MAX_CONCURRENT", key: "remedy.workers"},
	{name: "TASK_QUEUE_SIZE", why: "the queue lies on disk"},
	{name: "POLLING_INTERVAL", why: "the worker is woken, it does not poll"},
	{name: "RATE_LIMIT_ENABLED", key: "api.rate_limit.enabled", text: boolean},
	{name: "RATE_LIMIT_REQUESTS", key: "api.rate_limit.requests"},
	{name: "RATE_LIMIT_PERIOD", key: "api.rate_limit.period", text: seconds},
	{name: "RATE_LIMIT_INGEST_REQUESTS", key: "api.rate_limit.ingest_requests"},
	{name: "RATE_LIMIT_INGEST_WINDOW", why: "there is one period, api.rate_limit.period"},
	{name: "RATE_LIMIT_ACTIONS_REQUESTS", key: "api.rate_limit.actions_requests"},
	{name: "RATE_LIMIT_ACTIONS_WINDOW", why: "there is one period, api.rate_limit.period"},
	{name: "AUDIT_LOGGING_ENABLED", why: "there is no act without an audit record"},
	{name: "METRICS_ENABLED", why: "/metrics is always there; api.auth says who may read it"},
	{name: "METRICS_ENDPOINT", key: "api.metrics_path"},
	{name: "POLICY_RUNNER_ENABLED", why: "policies are judged when a sample arrives; `vigild pause` stops all acts"},
	{name: "POLICY_RUNNER_INTERVAL", why: "policies are judged when a sample arrives, not at intervals"},
	{name: "POLICY_RUNNER_BATCH_SIZE", why: "policies are judged when a sample arrives, not in batches"},
}

// outcome is what became of one of the original's names.
type outcome struct {
	Name string
	Key  string // the setting it became; "" refused
	Text string // the value it gave, or why it was refused
	Over string `json:",omitempty"` // the value that a later word gave the setting; "" none did
}

// Tell says it in the log.
func (o outcome) Tell(log *slog.Logger) {
	switch {
	case o.Key == "":
		log.Warn("environment name of the original is refused", "name", o.Name, "why", o.Text)
	case o.Over != "":
		log.Warn("environment name of the original has no effect", "name", o.Name, "why", o.Key+" is set elsewhere, which outranks it", "setting", o.Key, "value", o.Over)
	default:
		log.Info("environment name of the original is used", "name", o.Name, "setting", o.Key, "value", o.Text)
	}
}

// outranked tells of each name whether a later word is what holds.
func outranked(out []outcome, cfg *Config) {
	for i, o := range out {
		if k, ok := settings.Find(cfg, o.Key); ok && k.Text() != o.Text {
			out[i].Over = k.Text()
		}
	}
}

// applyLegacy gives the original's names to cfg. They stand above the defaults
// and below the file: the original's own files outranked its environment too.
func applyLegacy(lookup func(string) (string, bool), cfg *Config) (out []outcome, err error) {
	for _, l := range legacies {
		value, ok := lookup(l.name)
		value = strings.TrimSpace(value)
		if !ok || value == "" {
			continue
		}
		if l.key == "" {
			out = append(out, outcome{Name: l.name, Text: l.why})
			continue
		}
		k, known := settings.Find(cfg, l.key)
		if !known {
			return out, fmt.Errorf("%s: the setting %s does not exist", l.name, l.key)
		}
		if l.text != nil {
			if value, err = l.text(value, cfg); err != nil {
				return out, fmt.Errorf("%s: %w", l.name, err)
			}
		}
		if err := settings.Set(k, value); err != nil {
			return out, fmt.Errorf("%s: %w", l.name, err)
		}
		out = append(out, outcome{Name: l.name, Key: l.key})
	}
	for i, o := range out { // two of them may be about one setting, such as its host and its port
		if k, ok := settings.Find(cfg, o.Key); ok {
			out[i].Text = k.Text()
		}
	}
	return out, nil
}

func port(value string, cfg *Config) (string, error) {
	// Kubernetes sets NAME_PORT to an address such as tcp://10.0.0.1:80.
	if u, err := url.Parse(value); err == nil && u.Port() != "" {
		value = u.Port()
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > 65535 {
		return "", fmt.Errorf("%q is not a port", value)
	}
	h, _, err := net.SplitHostPort(cfg.API.Listen)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(h, value), nil
}

func address(value string, cfg *Config) (string, error) {
	_, p, err := net.SplitHostPort(cfg.API.Listen)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(value, p), nil
}

func seconds(value string, _ *Config) (string, error) {
	if _, err := strconv.ParseFloat(value, 64); err == nil {
		return value + "s", nil
	}
	return value, nil
}

func boolean(value string, _ *Config) (string, error) {
	switch strings.ToLower(value) {
	case "1", "yes", "on", "true":
		return "true", nil
	case "0", "no", "off", "false":
		return "false", nil
	}
	return "", fmt.Errorf("%q is neither true nor false", value)
}

// level takes Python's names of levels.
func level(value string, _ *Config) (string, error) {
	switch strings.ToLower(value) {
	case "warning":
		return "warn", nil
	case "critical", "fatal":
		return "error", nil
	}
	return strings.ToLower(value), nil
}
