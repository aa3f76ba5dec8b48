package apitest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// Case is one line of the contract: a request, and what its answer must say.
// {id} in the path is the action_id of the newest answer that had one.
type Case struct {
	Line   string // of the contract, for the test's name
	Method string
	Path   string
	Body   string
	Header map[string]string
	Status int
	Has    map[string]any // dotted path to value; Some: there, and not null
	Keys   string         // members of the answer that must be there, by blanks
	Detail string         // the detail, whole
	Loc    string         // first entry of errors: type@loc, dotted
	Reply  map[string]string
}

// Some is any value but null.
const Some = "\x00some"

// Contract is the original's contract as vigild keeps it, in an order in which
// later lines stand on earlier ones. It begins on an empty ledger.
var Contract = []Case{
	{Line: "health", Method: "GET", Path: "/health", Status: 200, Has: map[string]any{"status": "healthy", "service": "vigil"}},
	{Line: "healthz", Method: "GET", Path: "/healthz", Status: 200, Has: map[string]any{"status": "healthy"}},
	{Line: "ingest health", Method: "GET", Path: "/api/v1/ingest/health", Status: 200, Has: map[string]any{"status": "healthy", "service": "ingest"}},
	{Line: "actions health", Method: "GET", Path: "/api/v1/actions/health", Status: 200, Has: map[string]any{"status": "healthy", "service": "actions"}},
	{Line: "request id is echoed", Method: "GET", Path: "/health", Header: map[string]string{"X-Request-ID": "abc-1"}, Status: 200, Reply: map[string]string{"X-Request-ID": "abc-1"}},
	{Line: "unknown path", Method: "GET", Path: "/nope", Status: 404, Detail: "Not Found", Has: map[string]any{"title": "404 page not found"}, Reply: map[string]string{"Content-Type": "application/problem+json"}},
	{Line: "dashboard stays unknown", Method: "GET", Path: "/dashboard", Status: 404, Detail: "Not Found"},
	{Line: "wrong method", Method: "DELETE", Path: "/api/v1/ingest", Status: 405, Detail: "Method Not Allowed", Reply: map[string]string{"Allow": "GET, HEAD, POST"}},
	{Line: "trailing slash", Method: "GET", Path: "/api/v1/actions/?limit=3", Status: 307, Reply: map[string]string{"Location": "/api/v1/actions?limit=3"}},

	{Line: "ingest", Method: "POST", Path: "/api/v1/ingest", Body: `{"name":"app_load","value":12.5,"tags":{"host":"web-1"}}`, Status: 201,
		Has: map[string]any{"ok": true, "metric_id": Some, "message": "Metric ingested successfully"}},
	{Line: "ingest under the agent's name", Method: "POST", Path: "/api/v1/ingest/agent/metrics", Body: `{"name":"app_load","value":"13"}`, Status: 201, Has: map[string]any{"ok": true}},
	{Line: "ingest of the Go agent", Method: "POST", Path: "/api/v1/ingest/agent/metrics", Body: `{"timestamp":null,"hostname":"web-1","metrics":{"cpu":{"cores":2,"usage_percent":12.5}},"agent_version":"1.0.0"}`, Status: 201, Has: map[string]any{"ok": true, "accepted": 2.0, "metric_id": Some}},
	{Line: "ingest array", Method: "POST", Path: "/api/v1/ingest", Body: `[{"name":"a","value":1},{"name":"b","value":2}]`, Status: 201, Has: map[string]any{"accepted": 2.0, "refused": 0.0}},
	{Line: "ingest missing field", Method: "POST", Path: "/api/v1/ingest", Body: `{"name":"a"}`, Status: 422, Loc: "missing@body.value"},
	{Line: "ingest malformed", Method: "POST", Path: "/api/v1/ingest", Body: `{"name":`, Status: 422, Loc: "json_invalid@body.8"},
	{Line: "ingest reads back", Method: "GET", Path: "/api/v1/ingest?name=app_load", Status: 200, Has: map[string]any{"ok": true, "metrics.0.name": "app_load", "metrics.0.value": Some, "metrics.0.timestamp": Some}},

	{Line: "actions empty list", Method: "GET", Path: "/api/v1/actions", Status: 200, Has: map[string]any{"count": 0.0, "total": 0.0, "page": 1.0, "page_size": 50.0, "actions": []any{}}},
	{Line: "nothing moves while it is looked at", Method: "POST", Path: "/api/v1/holds", Body: `{"kind":"silence","matchers":"{target=~\".+[.]service\"}","for":"1h","reason":"but for what another does: the contract is being read"}`, Status: 201},
	{Line: "create action", Method: "POST", Path: "/api/v1/actions", Body: `{"target":"  web-1.service ","action":"service","details":"by hand","queue_immediately":true,"priority":"high"}`, Status: 201,
		Has:  map[string]any{"ok": true, "action_id": Some, "target": "web-1.service", "action_type": "service", "status": "pending", "queued": true, "message": "Action created successfully and queued for execution"},
		Keys: "created_at state"},
	{Line: "get action", Method: "GET", Path: "/api/v1/actions/{id}", Status: 200, Has: map[string]any{"target": "web-1.service", "status": "pending", "details": "by hand", "started_at": Some}, Keys: "id action error_message completed_at state"},
	{Line: "create action by its other name", Method: "POST", Path: "/api/v1/actions", Body: `{"target":"db","action_type":"reticulate","details":null,"unknown":1}`, Status: 201, Has: map[string]any{"message": "Action created successfully", "queued": false, "action_type": "reticulate"}},
	{Line: "create action without target", Method: "POST", Path: "/api/v1/actions", Body: `{"action":"service"}`, Status: 422, Loc: "missing@body.target"},
	{Line: "create action without action", Method: "POST", Path: "/api/v1/actions", Body: `{"target":"x"}`, Status: 422, Loc: "missing@body.action"},
	{Line: "create action with blank target", Method: "POST", Path: "/api/v1/actions", Body: `{"target":"  ","action":"service"}`, Status: 422, Loc: "value_error@body.target"},
	{Line: "create action of a number", Method: "POST", Path: "/api/v1/actions", Body: `{"target":"x","action":7}`, Status: 422, Loc: "string_type@body.action"},
	{Line: "create action of a bad status", Method: "POST", Path: "/api/v1/actions", Body: `{"target":"x","action":"service","status":"done"}`, Status: 422, Loc: "enum@body.status"},
	{Line: "create action with status, which is not looked at", Method: "POST", Path: "/api/v1/actions", Body: `{"target":"y.service","action":"service","status":"completed"}`, Status: 201, Has: map[string]any{"status": "pending"}},
	{Line: "create action of broken JSON", Method: "POST", Path: "/api/v1/actions", Body: `{"target"`, Status: 422, Loc: "json_invalid@body.9"},
	{Line: "create action without a body", Method: "POST", Path: "/api/v1/actions", Status: 422, Loc: "missing@body"},
	{Line: "list newest first", Method: "GET", Path: "/api/v1/actions?limit=2", Status: 200, Has: map[string]any{"count": 2.0, "total": 3.0, "page_size": 2.0, "actions.0.target": "y.service", "next": Some}},
	{Line: "list by cursor", Method: "GET", Path: "/api/v1/actions?limit=2&before=2", Status: 200, Has: map[string]any{"count": 1.0, "actions.0.target": "web-1.service"}},
	{Line: "list second page", Method: "GET", Path: "/api/v1/actions?limit=2&page=2", Status: 200, Has: map[string]any{"count": 1.0, "page": 2.0, "actions.0.target": "web-1.service"}},
	{Line: "list beyond the end", Method: "GET", Path: "/api/v1/actions?page=99", Status: 200, Has: map[string]any{"count": 0.0, "total": 3.0, "actions": []any{}}},
	{Line: "list of a target", Method: "GET", Path: "/api/v1/actions?target=db", Status: 200, Has: map[string]any{"count": 1.0}},
	{Line: "list of a status", Method: "GET", Path: "/api/v1/actions?status=pending", Status: 200, Has: map[string]any{"count": 3.0}},
	{Line: "list of a bad status", Method: "GET", Path: "/api/v1/actions?status=queued", Status: 400, Detail: "Invalid status. Must be one of ['pending', 'running', 'completed', 'failed', 'cancelled']"},
	{Line: "list of a bad limit", Method: "GET", Path: "/api/v1/actions?limit=501", Status: 422, Loc: "less_than_equal@query.limit"},
	{Line: "list of limit zero", Method: "GET", Path: "/api/v1/actions?limit=0", Status: 422, Loc: "greater_than_equal@query.limit"},
	{Line: "list of no limit at all", Method: "GET", Path: "/api/v1/actions?limit=x", Status: 422, Loc: "int_parsing@query.limit"},
	{Line: "bounds are said in the original's words", Method: "GET", Path: "/api/v1/actions?limit=0", Status: 422, Detail: "query.limit: Input should be greater than or equal to 1"},
	{Line: "choices are said in the original's words", Method: "POST", Path: "/api/v1/actions", Body: `{"target":"w","action":"x","priority":"urgent"}`, Status: 422, Detail: "body.priority: Input should be 'low', 'medium' or 'high'"},
	{Line: "lengths are said in the original's words", Method: "POST", Path: "/api/v1/actions", Body: `{"target":"","action":"x"}`, Status: 422, Detail: "body.target: String should have at least 1 character"},
	{Line: "list of page zero", Method: "GET", Path: "/api/v1/actions?page=0", Status: 422, Loc: "greater_than_equal@query.page"},
	{Line: "list of a bad time", Method: "GET", Path: "/api/v1/actions?start_time=yesterday", Status: 422, Loc: "datetime_parsing@query.start_time"},
	{Line: "list of a time without zone", Method: "GET", Path: "/api/v1/actions?end_time=2001-01-01T00:00:00", Status: 200, Has: map[string]any{"count": 0.0}},
	{Line: "unknown action", Method: "GET", Path: "/api/v1/actions/9999", Status: 404, Detail: "Action with id 9999 not found"},
	{Line: "action id that is none", Method: "GET", Path: "/api/v1/actions/abc", Status: 422, Loc: "int_parsing@path.id"},
	{Line: "by status", Method: "GET", Path: "/api/v1/actions/status/pending?limit=9999", Status: 200, Has: map[string]any{"count": 3.0, "total": 3.0, "page": 1.0}},
	{Line: "by bad status", Method: "GET", Path: "/api/v1/actions/status/lost", Status: 400, Detail: "Invalid status. Must be one of ['pending', 'running', 'completed', 'failed', 'cancelled']"},
	{Line: "claim by status", Method: "PUT", Path: "/api/v1/actions/2/status", Body: `{"status":"running"}`, Status: 200, Has: map[string]any{"previous_status": "pending", "new_status": "running"}},
	{Line: "set status", Method: "PUT", Path: "/api/v1/actions/2/status", Body: `{"status":"completed","details":"well"}`, Status: 200, Has: map[string]any{"ok": true, "action_id": 2.0, "message": "Action status updated", "previous_status": "running", "new_status": Some}},
	{Line: "set status without one", Method: "PUT", Path: "/api/v1/actions/2/status", Body: `{}`, Status: 422, Loc: "missing@body.status"},
	{Line: "set status of nothing", Method: "PUT", Path: "/api/v1/actions/99/status", Body: `{"status":"failed"}`, Status: 404, Detail: "Action with id 99 not found"},
	{Line: "cancel", Method: "PUT", Path: "/api/v1/actions/{id}/cancel", Body: `{"reason":"enough"}`, Status: 200, Has: map[string]any{"ok": true, "action_id": Some, "message": "Action cancelled successfully", "previous_status": "pending", "previous_state": Some}},
	{Line: "cancelled says why", Method: "GET", Path: "/api/v1/actions/{id}", Status: 200, Has: map[string]any{"status": "cancelled", "details": "Cancelled: enough", "completed_at": Some}},
	{Line: "cancel twice", Method: "PUT", Path: "/api/v1/actions/{id}/cancel", Status: 400, Detail: "Action with status 'cancelled' cannot be cancelled. Only actions with status ['pending', 'running'] can be cancelled."},
	{Line: "cancel nothing", Method: "PUT", Path: "/api/v1/actions/99/cancel", Status: 404, Detail: "Action with id 99 not found"},

	{Line: "create policy", Method: "POST", Path: "/api/v1/policies", Status: 201,
		Body: `{"name":"hot","description":"too hot","severity":"critical","target":"web-*","condition":{"type":"metric_exceeds","metric":"app_load","threshold":90},"action":"restart","params":{"n":1}}`,
		Has:  map[string]any{"name": "hot", "description": "too hot", "severity": "critical", "target": "web-*", "enabled": true, "auto_remediate": false, "params.n": 1.0, "mode": "shadow", "owner": "api"}, Keys: "condition version"},
	{Line: "create policy with defaults", Method: "POST", Path: "/api/v1/policies", Body: `{"name":"low","condition":{"type":"metric_below","metric":"disk_free_percent","threshold":5},"action":"restart_service"}`, Status: 201,
		Has: map[string]any{"severity": "warning", "target": "all", "description": "", "params": map[string]any{}}},
	{Line: "create policy of ours", Method: "POST", Path: "/api/v1/policies", Status: 201,
		Body: `{"name":"ours","condition":{"match":"up","fire":"value < 1"},"mode":"suggest","remedy":{"ladder":[{"action":"service","with":{"unit":"a.service","verb":"restart"}}]}}`,
		Has:  map[string]any{"mode": "suggest", "action": "service", "condition.fire": "value < 1"}},
	{Line: "create policy as a document", Method: "POST", Path: "/api/v1/policies", Status: 201,
		Body: `{"apiVersion":"vigil/v1","kind":"Policy","metadata":{"name":"whole"},"spec":{"match":"up","fire":"value < 1","mode":"off"}}`, Has: map[string]any{"name": "whole", "mode": "off"}},
	{Line: "create policy twice", Method: "POST", Path: "/api/v1/policies", Body: `{"name":"hot","condition":{"type":"metric_exceeds","metric":"x","threshold":1},"action":"custom"}`, Status: 400, Detail: "Policy 'hot' already exists"},
	{Line: "create policy without name", Method: "POST", Path: "/api/v1/policies", Body: `{"name":"","condition":{"type":"metric_exceeds","metric":"x","threshold":1},"action":"custom"}`, Status: 422, Loc: "missing@body.name"},
	{Line: "create policy of an unknown action", Method: "POST", Path: "/api/v1/policies", Body: `{"name":"z","condition":{"type":"metric_exceeds","metric":"x","threshold":1},"action":"explode"}`, Status: 422, Loc: "enum@body.action"},
	{Line: "create policy of a bad severity", Method: "POST", Path: "/api/v1/policies", Body: `{"name":"z","severity":"loud","condition":{"type":"metric_exceeds","metric":"x","threshold":1},"action":"custom"}`, Status: 422, Loc: "enum@body.severity"},
	{Line: "create policy of a bad condition", Method: "POST", Path: "/api/v1/policies", Body: `{"name":"z","condition":{"type":"metric_equals","metric":"x"},"action":"custom"}`, Status: 400, Has: map[string]any{"detail": "^Invalid condition configuration: "}},
	{Line: "create policy of an all without conditions, which always held", Method: "POST", Path: "/api/v1/policies", Body: `{"name":"z","condition":{"type":"all","conditions":[]},"action":"custom"}`, Status: 400, Has: map[string]any{"detail": "^Invalid condition configuration: "}},
	{Line: "create policy of an any without conditions, which never held", Method: "POST", Path: "/api/v1/policies", Body: `{"name":"z","condition":{"type":"any"},"action":"custom"}`, Status: 400, Has: map[string]any{"detail": "^Invalid condition configuration: "}},
	{Line: "create policy of a threshold that is none", Method: "POST", Path: "/api/v1/policies", Body: `{"name":"z","condition":{"type":"metric_exceeds","metric":"x","threshold":"high"},"action":"custom"}`, Status: 400, Has: map[string]any{"detail": "^Invalid condition configuration: "}},
	{Line: "create policy of a bad expression", Method: "POST", Path: "/api/v1/policies", Body: `{"name":"z","condition":{"match":"up","fire":"valu < 1"}}`, Status: 422, Has: map[string]any{"errors": Some}},
	{Line: "list policies", Method: "GET", Path: "/api/v1/policies", Status: 200, Has: map[string]any{"ok": true, "total": Some, "enabled_count": Some, "policies.hot.name": "hot"}},
	{Line: "get policy", Method: "GET", Path: "/api/v1/policies/hot", Status: 200, Has: map[string]any{"name": "hot", "action": "restart"}, Reply: map[string]string{"ETag": `"1"`}},
	{Line: "get policy that is none", Method: "GET", Path: "/api/v1/policies/cold", Status: 404, Detail: "Policy 'cold' not found"},
	{Line: "severity listing", Method: "GET", Path: "/api/v1/policies/severity/critical", Status: 200, Has: map[string]any{"total": Some, "policies.hot.severity": "critical"}},
	{Line: "severity that is none", Method: "GET", Path: "/api/v1/policies/severity/loud", Status: 400, Detail: "Invalid severity: loud. Must be: info, warning, critical"},
	{Line: "runner status", Method: "GET", Path: "/api/v1/policies/runner/status", Status: 200, Has: map[string]any{"ok": true, "runner.enabled": true}, Keys: "runner"},
	{Line: "update policy", Method: "PUT", Path: "/api/v1/policies/hot", Body: `{"description":"hotter","auto_remediate":true,"target":"db"}`, Status: 200, Has: map[string]any{"description": "hotter", "auto_remediate": true, "target": "db", "mode": "act", "severity": "critical", "action": "restart"}},
	{Line: "update policy of another version", Method: "PUT", Path: "/api/v1/policies/hot", Header: map[string]string{"If-Match": `"1"`}, Body: `{"description":"late"}`, Status: 412},
	{Line: "update policy of this version", Method: "PUT", Path: "/api/v1/policies/hot", Header: map[string]string{"If-Match": `"2"`}, Body: `{"condition":{"type":"metric_exceeds","metric":"app_load","threshold":80}}`, Status: 200, Has: map[string]any{"target": "db"}},
	{Line: "update policy that is none", Method: "PUT", Path: "/api/v1/policies/cold", Body: `{}`, Status: 404, Detail: "Policy 'cold' not found"},
	{Line: "evaluate", Method: "POST", Path: "/api/v1/policies/evaluate", Body: `{"metrics":{"app_load":"95"}}`, Status: 200,
		Has: map[string]any{"ok": true, "violations.0.policy_name": "hot", "violations.0.severity": "critical", "violations.0.triggered_at": Some, "actions_triggered.0.policy_name": "hot", "actions_triggered.0.params.n": 1.0, "timestamp": Some}},
	{Line: "evaluate nothing", Method: "POST", Path: "/api/v1/policies/evaluate", Body: `{}`, Status: 422, Loc: "missing@body.metrics"},
	{Line: "evaluate does nothing", Method: "GET", Path: "/api/v1/actions?status=pending", Status: 200, Has: map[string]any{"count": 1.0}},
	{Line: "disable policy", Method: "PUT", Path: "/api/v1/policies/hot/disable", Status: 200, Has: map[string]any{"ok": true, "message": "Policy 'hot' disabled"}},
	{Line: "enable policy", Method: "PUT", Path: "/api/v1/policies/hot/enable", Status: 200, Has: map[string]any{"ok": true, "message": "Policy 'hot' enabled"}},
	{Line: "enable policy that is none", Method: "PUT", Path: "/api/v1/policies/cold/enable", Status: 404, Detail: "Policy 'cold' not found"},
	{Line: "delete policy", Method: "DELETE", Path: "/api/v1/policies/low", Status: 200, Has: map[string]any{"ok": true, "message": "Policy 'low' deleted"}},
	{Line: "delete policy twice", Method: "DELETE", Path: "/api/v1/policies/low", Status: 404, Detail: "Policy 'low' not found"},

	{Line: "queue status", Method: "GET", Path: "/api/v1/queue/status", Status: 200, Has: map[string]any{"queue_depth": 1.0, "failed": 0.0, "success_rate": 100.0, "queue_name": "remediation_queue", "history": Some, "tasks_enqueued": 3.0, "tasks_dequeued": 2.0},
		Keys: "completed queue_length tasks_failed tasks_completed last_processed_task"},
	{Line: "queue stats", Method: "GET", Path: "/api/v1/queue/stats", Status: 200, Has: map[string]any{"ok": true, "queue_length": 1.0, "queue.queue_length": 1.0}},
	{Line: "queue record history", Method: "POST", Path: "/api/v1/queue/record-history", Status: 200, Has: map[string]any{"ok": true, "depth": 1.0, "time": Some}},
	{Line: "queue tasks", Method: "GET", Path: "/api/v1/queue/debug/tasks", Status: 200, Has: map[string]any{"queue_length": 1.0, "tasks.0.target": "web-1.service", "tasks.0.status": "pending"}},
	{Line: "queue health", Method: "GET", Path: "/api/v1/queue/health", Status: 200, Has: map[string]any{"status": "healthy", "service": "queue", "redis_connected": true, "queue_depth": 1.0}},
}

// Ours is what vigild adds, after the Contract.
var Ours = []Case{
	{Line: "status", Method: "GET", Path: "/api/v1/status", Status: 200, Has: map[string]any{"ready": true, "policies": Some, "version": Some}},
	{Line: "readyz", Method: "GET", Path: "/readyz", Status: 200, Has: map[string]any{"ready": true, "reasons": []any{}}},
	{Line: "pause", Method: "POST", Path: "/api/v1/pause", Body: `{"for":"1h","reason":"work"}`, Status: 201, Has: map[string]any{"kind": "pause", "until": Some}},
	{Line: "pause without an end", Method: "POST", Path: "/api/v1/pause", Body: `{"reason":"work"}`, Status: 422, Loc: "missing@body.for"},
	{Line: "pause of a bare number", Method: "POST", Path: "/api/v1/pause", Body: `{"for":"60","reason":"work"}`, Status: 422, Loc: "value_error@body.for"},
	{Line: "resume", Method: "POST", Path: "/api/v1/resume", Status: 200, Has: map[string]any{"released": 1.0}},
	{Line: "silence without an end", Method: "POST", Path: "/api/v1/holds", Body: `{"kind":"silence","reason":"r"}`, Status: 422, Loc: "value_error@body.until"},
	{Line: "silence", Method: "POST", Path: "/api/v1/holds", Body: `{"kind":"silence","reason":"r","matchers":"{service=\"web\"}","for":"10m"}`, Status: 201, Has: map[string]any{"id": Some, "matchers": `{service="web"}`}},
	{Line: "holds", Method: "GET", Path: "/api/v1/holds?kind=silence", Status: 200, Has: map[string]any{"holds.0.kind": "silence"}},
	{Line: "hold of an unknown kind", Method: "POST", Path: "/api/v1/holds", Body: `{"kind":"nap","reason":"r"}`, Status: 422, Loc: "enum@body.kind"},
	{Line: "release nothing", Method: "DELETE", Path: "/api/v1/holds/none", Status: 404},
	{Line: "firings", Method: "GET", Path: "/api/v1/firings", Status: 200, Has: map[string]any{"firings": Some}},
	{Line: "why", Method: "GET", Path: "/api/v1/why/1", Status: 200, Has: map[string]any{"headline": Some, "lines": Some}},
	{Line: "why nothing", Method: "GET", Path: "/api/v1/why/999", Status: 404, Detail: "Action with id 999 not found"},
	{Line: "why-not", Method: "GET", Path: "/api/v1/why-not?policy=hot", Status: 200, Has: map[string]any{"headline": Some}},
	{Line: "attempts", Method: "GET", Path: "/api/v1/attempts?action=1", Status: 200, Has: map[string]any{"attempts": Some}},
	{Line: "attempts of nothing", Method: "GET", Path: "/api/v1/attempts?action=999", Status: 404},
	{Line: "audit", Method: "GET", Path: "/api/v1/audit?limit=2", Status: 200, Has: map[string]any{"records.0.seq": 1.0, "records.1.hash": Some, "next": "2"}},
	{Line: "audit next page", Method: "GET", Path: "/api/v1/audit?after=2&limit=1", Status: 200, Has: map[string]any{"records.0.seq": 3.0}},
	{Line: "audit of no cursor", Method: "GET", Path: "/api/v1/audit?after=x", Status: 422},
	{Line: "audit verify", Method: "GET", Path: "/api/v1/audit/verify", Status: 200, Has: map[string]any{"ok": true, "records": Some, "head": Some}},
	{Line: "audit prune of another chain", Method: "POST", Path: "/api/v1/audit/prune", Body: `{"seq":1,"hash":"0000000000000000000000000000000000000000000000000000000000000000"}`, Status: 412},
	{Line: "audit prune beyond the head", Method: "POST", Path: "/api/v1/audit/prune", Body: `{"seq":999999,"hash":"0000000000000000000000000000000000000000000000000000000000000000"}`, Status: 409},
	{Line: "audit prune without a hash", Method: "POST", Path: "/api/v1/audit/prune", Body: `{"seq":1}`, Status: 422, Loc: "missing@body.hash"},
	{Line: "audit prune of no hash", Method: "POST", Path: "/api/v1/audit/prune", Body: `{"seq":1,"hash":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}`, Status: 422, Loc: "value_error@body.hash"},
	{Line: "audit prune of no record", Method: "POST", Path: "/api/v1/audit/prune", Body: `{"seq":0,"hash":"0000000000000000000000000000000000000000000000000000000000000000"}`, Status: 422, Loc: "greater_than_equal@body.seq"},
	{Line: "series", Method: "GET", Path: "/api/v1/series?match=app_load", Status: 200, Has: map[string]any{"series.0.labels.__name__": "app_load", "truncated": false}},
	{Line: "series of no selector", Method: "GET", Path: "/api/v1/series?match=%7B", Status: 422},
	{Line: "series without selector", Method: "GET", Path: "/api/v1/series", Status: 422},
	{Line: "range", Method: "GET", Path: "/api/v1/series/range?match=app_load", Status: 200, Has: map[string]any{"series.0.points.0.1": Some, "points": Some}},
	{Line: "range that ends before it begins", Method: "GET", Path: "/api/v1/series/range?match=a&from=20&to=10", Status: 422},
	{Line: "catalogue", Method: "GET", Path: "/api/v1/catalogue", Status: 200, Has: map[string]any{"actions.0.name": Some, "actions.0.kind": Some, "actions.0.from": Some}},
	{Line: "create token", Method: "POST", Path: "/api/v1/tokens", Body: `{"name":"ci","role":"viewer","for":"90d"}`, Status: 201, Has: map[string]any{"name": "ci", "role": "viewer", "secret": Some, "expires_at": Some}, Reply: map[string]string{"Cache-Control": "no-store"}},
	{Line: "create token twice", Method: "POST", Path: "/api/v1/tokens", Body: `{"name":"ci","role":"viewer"}`, Status: 409},
	{Line: "create token of a bad role", Method: "POST", Path: "/api/v1/tokens", Body: `{"name":"x","role":"god"}`, Status: 422, Loc: "enum@body.role"},
	{Line: "delete token", Method: "DELETE", Path: "/api/v1/tokens/ci", Status: 200},
	{Line: "delete token twice", Method: "DELETE", Path: "/api/v1/tokens/ci", Status: 404, Detail: "Token 'ci' not found"},
	{Line: "create action by the original's spelling", Method: "POST", Path: "/api/v1/actions", Body: `{"target":"z","action":"restart"}`, Status: 201, Has: map[string]any{"action_id": Some, "action_type": "restart"}},
	{Line: "the spelling is kept", Method: "GET", Path: "/api/v1/actions/{id}", Status: 200, Has: map[string]any{"action": "restart"}},
	{Line: "openapi", Method: "GET", Path: "/openapi.json", Status: 200, Has: map[string]any{"openapi": "3.1.0", "info.title": "Vigil"}},
}

// Ask sends one case to a server.
func Ask(t testing.TB, client *http.Client, base, token string, c Case) (*http.Response, []byte) {
	t.Helper()
	var body io.Reader
	if c.Body != "" {
		body = strings.NewReader(c.Body)
	}
	r, err := http.NewRequest(c.Method, base+c.Path, body)
	if err != nil {
		t.Fatal(err)
	}
	if c.Body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for k, v := range c.Header {
		r.Header.Set(k, v)
	}
	plain := *client
	plain.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := plain.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", c.Method, c.Path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

// Run asks every case of a table and looks at every answer.
func Run(t *testing.T, client *http.Client, base, token string, cases []Case) {
	id := ""
	for _, c := range cases {
		c.Path = strings.ReplaceAll(c.Path, "{id}", id)
		t.Run(strings.ReplaceAll(c.Line, " ", "_"), func(t *testing.T) {
			resp, body := Ask(t, client, base, token, c)
			var got any
			_ = json.Unmarshal(body, &got)
			if n, ok := at(got, "action_id").(float64); ok && c.Method == "POST" {
				id = strconv.Itoa(int(n))
			}
			check(t, c, resp, got, body)
		})
	}
}

func check(t *testing.T, c Case, resp *http.Response, got any, body []byte) {
	t.Helper()
	if resp.StatusCode != c.Status {
		t.Fatalf("%s %s: status %d, want %d: %s", c.Method, c.Path, resp.StatusCode, c.Status, body)
	}
	if strings.Contains(string(body), `\u003`) {
		t.Errorf("< or > or & is escaped, which people then read: %s", body)
	}
	if c.Detail != "" && at(got, "detail") != c.Detail {
		t.Errorf("detail %q\nwant   %q", at(got, "detail"), c.Detail)
	}
	if c.Loc != "" {
		e := at(got, "errors.0")
		loc := fmt.Sprint(at(e, "type")) + "@"
		parts, _ := at(e, "loc").([]any)
		for i, p := range parts {
			if i > 0 {
				loc += "."
			}
			loc += fmt.Sprint(p)
		}
		if loc != c.Loc || at(got, "detail") == nil || at(e, "msg") == nil {
			t.Errorf("first error %s, want %s: %s", loc, c.Loc, body)
		}
	}
	for path, want := range c.Has {
		v := at(got, path)
		switch {
		case want == Some:
			if v == nil {
				t.Errorf("%s is missing: %s", path, body)
			}
		default:
			if text, ok := want.(string); ok && strings.HasPrefix(text, "^") {
				if s, _ := v.(string); strings.HasPrefix(s, text[1:]) {
					continue
				}
			}
			if fmt.Sprintf("%#v", v) != fmt.Sprintf("%#v", want) {
				t.Errorf("%s is %#v, want %#v: %s", path, v, want, body)
			}
		}
	}
	m, _ := got.(map[string]any)
	for _, k := range strings.Fields(c.Keys) {
		if _, ok := m[k]; !ok {
			t.Errorf("%s is missing: %s", k, body)
		}
	}
	for k, want := range c.Reply {
		if v := resp.Header.Get(k); v != want {
			t.Errorf("header %s is %q, want %q", k, v, want)
		}
	}
	if resp.Header.Get("X-Request-ID") == "" {
		t.Error("no X-Request-ID")
	}
}

// at walks a JSON value by a dotted path.
func at(v any, path string) any {
	for _, p := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[p]
		case []any:
			n, err := strconv.Atoi(p)
			if err != nil || n >= len(x) {
				return nil
			}
			v = x[n]
		default:
			return nil
		}
	}
	return v
}
