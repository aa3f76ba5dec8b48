package internal

// The plan of the house, as data. docs/architecture.md shows the same table to
// people; TestHousePlanIsTheDocumentedOne holds the two together.

// room is one package: what of ours it may import, and which libraries live in
// it. A room that is not listed may not exist.
type room struct {
	dir    string
	floor  int
	ours   []string // rooms, or a group below
	guests []string // module paths; a path prefix of what is imported
	test   bool     // imported by tests alone
}

// groups are names for several rooms in the column "may import".
var groups = map[string][]string{
	"floor 0":    {"engine/series", "engine/audit", "engine/fault", "engine/clock"},
	"floors 0-1": {"engine/series", "engine/audit", "engine/fault", "engine/clock", "engine/document", "engine/policy", "engine/policy/record", "engine/policy/story", "engine/check", "engine/remedy", "engine/remedy/decide", "engine/remedy/given", "engine/remedy/record", "engine/remedy/window", "engine/reconcile", "engine/reconcile/kind", "engine/reconcile/load", "engine/reconcile/sealed"},
}

const (
	gSys      = "golang.org/x/sys"
	gSQLite   = "modernc.org/sqlite"
	gYAML     = "go.yaml.in/yaml/v4"
	gGronx    = "github.com/adhocore/gronx"
	gSystemd  = "github.com/coreos/go-systemd/v22"
	gProcfs   = "github.com/prometheus/procfs"
	gCommon   = "github.com/prometheus/common"
	gCompress = "github.com/klauspost/compress"
	gGit      = "github.com/go-git/go-git/v5"
	gDBus     = "github.com/godbus/dbus/v5"
	gModel    = "github.com/prometheus/client_model"
)

// everywhere may be imported by the test files of any room.
var everywhere = []string{
	"pgregory.net/rapid", "github.com/google/go-cmp", "go.uber.org/goleak",
	"github.com/rogpeppe/go-internal",
}

var plan = []room{
	{dir: "engine/clock", floor: 0, guests: []string{gSys}},
	{dir: "engine/fault", floor: 0},
	{dir: "engine/series", floor: 0, guests: []string{"github.com/cespare/xxhash/v2"}},
	{dir: "engine/audit", floor: 0, ours: []string{"engine/clock", "engine/fault"}},

	{dir: "engine/document", floor: 1, ours: []string{"engine/fault"}, guests: []string{gYAML}},
	{dir: "engine/policy", floor: 1, ours: []string{"floor 0", "engine/document", "engine/policy/lang", "engine/policy/original"}},
	{dir: "engine/policy/lang", floor: 1, ours: []string{"engine/series", "engine/fault", "engine/document"}, guests: []string{"github.com/expr-lang/expr", "github.com/prometheus/prometheus/promql/parser", "github.com/prometheus/prometheus/model/labels"}},
	{dir: "engine/policy/original", floor: 1, ours: []string{"engine/fault", "engine/document"}},
	{dir: "engine/policy/record", floor: 1, ours: []string{"engine/clock", "engine/series", "engine/fault", "engine/document", "engine/policy", "engine/policy/lang"}},
	{dir: "engine/policy/story", floor: 1, ours: []string{"engine/series", "engine/fault", "engine/document", "engine/policy"}},
	{dir: "engine/check", floor: 1, ours: []string{"floor 0", "engine/document", "engine/check/host", "engine/check/bus", "engine/check/probe", "engine/check/procs", "engine/check/schedule", "engine/check/secret"}},
	{dir: "engine/check/secret", floor: 1, ours: []string{"engine/fault"}},
	{dir: "engine/check/schedule", floor: 1, ours: []string{"engine/document"}, guests: []string{gGronx}},
	{dir: "engine/check/probe", floor: 1, ours: []string{"engine/fault", "engine/series", "engine/document", "engine/check/bus", "engine/check/procs", "engine/check/nagios", "engine/check/web"}, guests: []string{gCommon}},
	{dir: "engine/check/web", floor: 1},
	{dir: "engine/check/nagios", floor: 1},
	{dir: "engine/check/procs", floor: 1, guests: []string{gSys}},
	{dir: "engine/check/host", floor: 1, ours: []string{"floor 0", "engine/document", "engine/check/bus", "engine/check/host/kernel", "engine/check/host/mounts"}, guests: []string{gSys}},
	{dir: "engine/check/host/kernel", floor: 1, ours: []string{"engine/clock", "engine/series"}, guests: []string{gSys}},
	{dir: "engine/check/host/mounts", floor: 1, ours: []string{"engine/series", "engine/check/host/kernel"}, guests: []string{gSys}},
	{dir: "engine/check/bus", floor: 1, ours: []string{}, guests: []string{gSystemd, gDBus}},
	{dir: "engine/remedy", floor: 1, ours: []string{"floor 0", "engine/document", "engine/remedy/placeholder"}},
	{dir: "engine/remedy/placeholder", floor: 1, ours: []string{"engine/fault"}},
	{dir: "engine/remedy/given", floor: 1, ours: []string{"engine/audit", "engine/clock", "engine/document", "engine/remedy"}},
	{dir: "engine/remedy/decide", floor: 1, ours: []string{"floor 0", "engine/document", "engine/remedy", "engine/remedy/given"}},
	{dir: "engine/remedy/record", floor: 1, ours: []string{"floor 0", "engine/remedy", "engine/remedy/decide", "engine/remedy/given"}},
	{dir: "engine/remedy/window", floor: 1, ours: []string{"engine/fault"}, guests: []string{gGronx}},
	{dir: "engine/remedy/foresee", floor: 1, ours: []string{"engine/remedy"}},
	{dir: "engine/remedy/act", floor: 1, ours: []string{"engine/fault", "engine/remedy"}},
	{dir: "engine/remedy/worker", floor: 1, ours: []string{"floor 0", "engine/remedy", "engine/remedy/act", "engine/remedy/decide"}},
	{dir: "engine/reconcile", floor: 1, ours: []string{"engine/document", "engine/fault"}},
	{dir: "engine/reconcile/part", floor: 1, guests: []string{gYAML}},
	{dir: "engine/reconcile/made", floor: 1, ours: []string{"engine/document"}},
	{dir: "engine/reconcile/sealed", floor: 1, guests: []string{"filippo.io/age"}},
	{dir: "engine/reconcile/site", floor: 1, ours: []string{"engine/document", "engine/fault", "engine/reconcile", "engine/reconcile/sealed"}},
	{dir: "engine/reconcile/files", floor: 1, ours: []string{"engine/document", "engine/fault", "engine/reconcile", "engine/reconcile/made", "engine/reconcile/part", "engine/reconcile/site"}},
	{dir: "engine/reconcile/units", floor: 1, ours: []string{"engine/document", "engine/fault", "engine/reconcile", "engine/reconcile/made", "engine/reconcile/site"}},
	{dir: "engine/reconcile/kind", floor: 1, ours: []string{"engine/document", "engine/fault", "engine/reconcile", "engine/reconcile/files", "engine/reconcile/site", "engine/reconcile/units"}},
	{dir: "engine/reconcile/manifest", floor: 1, ours: []string{"engine/document", "engine/fault", "engine/reconcile", "engine/reconcile/sealed"}, guests: []string{gYAML}},
	{dir: "engine/reconcile/accept", floor: 1, ours: []string{"engine/document", "engine/fault", "engine/reconcile", "engine/reconcile/made", "engine/reconcile/manifest", "engine/reconcile/part", "engine/reconcile/sealed"}},
	{dir: "engine/reconcile/load", floor: 1, ours: []string{"engine/document", "engine/fault", "engine/reconcile", "engine/reconcile/kind", "engine/reconcile/sealed"}},
	{dir: "engine/reconcile/kustomize/value", floor: 1, ours: []string{"engine/document", "engine/fault"}},
	{dir: "engine/reconcile/kustomize", floor: 1, ours: []string{"engine/document", "engine/fault", "engine/reconcile/kustomize/value", "engine/reconcile/load"}, guests: []string{gYAML, "sigs.k8s.io/kustomize/api", "sigs.k8s.io/kustomize/kyaml"}},

	{dir: "engine", floor: 2, ours: []string{"floors 0-1"}, guests: []string{gYAML}},

	{dir: "engine/match", floor: 2, ours: []string{"engine/series"}},
	{dir: "engine/shard", floor: 2, ours: []string{"engine", "floors 0-1", "engine/match"}},
	{dir: "engine/evaluate", floor: 2, ours: []string{"engine", "floors 0-1", "engine/match", "engine/shard"}},
	{dir: "engine/policies", floor: 2, ours: []string{"engine", "floors 0-1", "engine/evaluate", "engine/shard"}},
	{dir: "engine/atonce", floor: 2, ours: []string{"engine", "floors 0-1"}},
	{dir: "engine/holds", floor: 2, ours: []string{"engine", "floors 0-1"}},
	{dir: "engine/direct", floor: 2, ours: []string{"engine", "floors 0-1", "engine/remedy/act"}},
	{dir: "engine/revision/progress", floor: 2},
	{dir: "engine/revision/ground", floor: 2, ours: []string{"engine", "floors 0-1", "engine/revision/progress"}},
	{dir: "engine/revision/plan", floor: 2, ours: []string{"engine", "floors 0-1", "engine/remedy/foresee", "engine/revision/ground"}},
	{dir: "engine/revision/carry", floor: 2, ours: []string{"engine", "floors 0-1", "engine/revision/ground", "engine/revision/plan"}},
	{dir: "engine/revision", floor: 2, ours: []string{"engine", "floors 0-1", "engine/revision/ground", "engine/revision/plan", "engine/revision/carry"}},
	{dir: "engine/judge", floor: 2, ours: []string{"floors 0-1", "engine/evaluate", "engine/holds", "engine/shard"}},
	{dir: "engine/explain", floor: 2, ours: []string{"engine", "floors 0-1", "engine/evaluate", "engine/shard"}},
	{dir: "engine/rehearse", floor: 2, ours: []string{"engine", "floors 0-1", "engine/evaluate", "engine/policies"}},
	{dir: "engine/reverse", floor: 2, ours: []string{"engine", "floors 0-1", "engine/reconcile/accept", "engine/reconcile/manifest"}},
	{dir: "engine/hall", floor: 2, ours: []string{"engine", "floors 0-1", "engine/evaluate", "engine/policies", "engine/holds", "engine/direct", "engine/judge", "engine/explain"}},

	{dir: "engine/tsdb", floor: 3, ours: []string{"engine", "floors 0-1", "engine/tsdb/chunk", "engine/tsdb/commit", "engine/tsdb/live", "engine/tsdb/past", "engine/tsdb/payload", "engine/tsdb/place", "engine/tsdb/read", "engine/tsdb/wal", "engine/tsdb/rows"}},
	{dir: "engine/tsdb/place", floor: 3, ours: []string{"engine/fault"}, guests: []string{gSys}},
	{dir: "engine/tsdb/chunk", floor: 3, ours: []string{"engine/series"}, guests: []string{"github.com/prometheus/prometheus/tsdb/chunkenc"}},
	{dir: "engine/tsdb/wal", floor: 3, guests: []string{gSys}},
	{dir: "engine/tsdb/rows", floor: 3, ours: []string{"engine/series", "engine/fault", "engine/tsdb/chunk", "engine/tsdb/rows/sheet", "engine/tsdb/rows/tail"}, guests: []string{gSQLite}},
	{dir: "engine/tsdb/rows/sheet", floor: 3},
	{dir: "engine/tsdb/rows/tail", floor: 3},
	{dir: "engine/tsdb/index", floor: 3, ours: []string{"engine/series"}, guests: []string{"github.com/cespare/xxhash/v2"}},
	{dir: "engine/tsdb/payload", floor: 3, ours: []string{"engine/series", "engine/tsdb/rows"}},
	{dir: "engine/tsdb/live", floor: 3, ours: []string{"engine", "engine/series", "engine/tsdb/chunk", "engine/tsdb/index", "engine/tsdb/rows"}},
	{dir: "engine/tsdb/read", floor: 3, ours: []string{"engine/series", "engine/tsdb/live", "engine/tsdb/rows"}},
	{dir: "engine/tsdb/past", floor: 3, ours: []string{"engine/series", "engine/tsdb/live"}},
	{dir: "engine/tsdb/commit", floor: 3, ours: []string{"engine", "floor 0", "engine/tsdb/live", "engine/tsdb/payload", "engine/tsdb/rows", "engine/tsdb/wal"}},
	{dir: "engine/ledger", floor: 3, ours: []string{"engine", "floors 0-1", "engine/ledger/conn", "engine/ledger/desired", "engine/ledger/disk", "engine/ledger/schema", "engine/ledger/table"}},
	{dir: "engine/ledger/conn", floor: 3, ours: []string{"engine/clock", "engine/fault"}, guests: []string{gSQLite}},
	{dir: "engine/ledger/disk", floor: 3, ours: []string{"engine/clock", "engine/fault", "engine/ledger/conn"}, guests: []string{gSQLite, gSys}},
	{dir: "engine/ledger/past", floor: 3, ours: []string{"floors 0-1", "engine/ledger/conn"}},
	{dir: "engine/ledger/table", floor: 3, ours: []string{"engine", "floors 0-1", "engine/ledger/conn", "engine/ledger/desired", "engine/ledger/life", "engine/ledger/past"}},
	{dir: "engine/ledger/life", floor: 3, ours: []string{"engine/clock", "engine/policy"}},
	{dir: "engine/ledger/schema", floor: 3, ours: []string{"engine/ledger/desired"}},
	{dir: "engine/ledger/desired", floor: 3, ours: []string{"engine", "floors 0-1", "engine/ledger/conn"}},
	{dir: "engine/world", floor: 3, ours: []string{"engine/reconcile", "engine/remedy", "engine/fault"}, guests: []string{gProcfs, gSystemd, gDBus, gSys}},
	{dir: "actions", floor: 3, ours: []string{"engine/remedy", "engine/reconcile", "engine/fault", "engine/clock", "actions/blob", "actions/catalogue", "actions/declare", "actions/detach", "actions/heal", "actions/launch", "actions/launch/trust", "actions/outward", "actions/param", "actions/supervise", "actions/units"}, guests: []string{gSys}},
	{dir: "actions/doubt", floor: 3, ours: []string{"engine/remedy", "engine/remedy/placeholder", "engine/fault", "actions/supervise", "actions/units"}},
	{dir: "actions/declare", floor: 3, ours: []string{"engine/remedy", "engine/remedy/foresee", "engine/reconcile", "engine/fault", "actions/blob", "actions/launch", "actions/launch/trust", "actions/param", "actions/supervise"}},
	{dir: "actions/catalogue", floor: 3, ours: []string{"engine/document", "engine/remedy", "engine/fault", "actions/detach", "actions/launch", "actions/outward", "actions/param"}},
	{dir: "actions/detach", floor: 3, ours: []string{"engine/remedy", "engine/fault", "engine/clock", "actions/launch", "actions/units"}, guests: []string{gSys}},
	{dir: "actions/heal", floor: 3, ours: []string{"engine/remedy", "engine/remedy/foresee", "engine/reconcile", "engine/fault", "actions/blob", "actions/catalogue", "actions/launch", "actions/param", "actions/place", "actions/units"}, guests: []string{gSys}},
	{dir: "actions/place", floor: 3, ours: []string{"engine/fault", "engine/reconcile"}, guests: []string{gSys}},
	{dir: "actions/blob", floor: 3, ours: []string{"engine/fault"}},
	{dir: "actions/units", floor: 3, ours: []string{"engine/fault", "actions/launch", "actions/units/inits"}, guests: []string{gSystemd, gDBus}},
	{dir: "actions/units/inits", floor: 3, ours: []string{"engine/fault", "actions/launch"}, guests: []string{gSys}},
	{dir: "actions/outward", floor: 3, ours: []string{"engine/fault"}},
	{dir: "actions/param", floor: 3, ours: []string{"engine/document", "engine/fault"}},
	{dir: "actions/supervise", floor: 3, ours: []string{"actions/launch", "actions/supervise/defined", "actions/supervise/logfile", "engine/fault", "engine/clock"}, guests: []string{gSys}},
	{dir: "actions/supervise/defined", floor: 3, ours: []string{"engine/fault"}, guests: []string{gSys}},
	{dir: "actions/supervise/logfile", floor: 3, ours: []string{"engine/fault"}, guests: []string{gSys}},
	{dir: "actions/launch", floor: 3, ours: []string{"engine/fault", "actions/launch/trust"}, guests: []string{gSys}},
	{dir: "actions/launch/trust", floor: 3, ours: []string{"engine/fault"}, guests: []string{gSys}},
	{dir: "gitwatch", floor: 3, ours: []string{"engine/fault", "gitwatch/pack", "gitwatch/objects", "gitwatch/store", "gitwatch/signers", "gitwatch/paths"}, guests: []string{gGit, "golang.org/x/crypto"}},
	{dir: "gitwatch/pack", floor: 3, ours: []string{"engine/fault"}, guests: []string{gGit}},
	{dir: "gitwatch/objects", floor: 3, ours: []string{"engine/fault", "gitwatch/pack"}, guests: []string{gGit}},
	{dir: "gitwatch/store", floor: 3, ours: []string{"engine/fault", "gitwatch/pack", "gitwatch/objects"}, guests: []string{gGit}},
	{dir: "gitwatch/receive", floor: 3, ours: []string{"engine/fault", "gitwatch/objects", "gitwatch/store", "gitwatch/receive/wire"}, guests: []string{gGit}},
	{dir: "gitwatch/receive/wire", floor: 3, ours: []string{"gitwatch/objects"}},
	{dir: "gitwatch/signers", floor: 3, ours: []string{"engine/fault"}, guests: []string{"github.com/hiddeco/sshsig", "golang.org/x/crypto", "github.com/ProtonMail/go-crypto"}},
	{dir: "gitwatch/paths", floor: 3, ours: []string{"engine/fault"}, guests: []string{"github.com/fsnotify/fsnotify", gSys}},
	{dir: "api", floor: 3, ours: []string{"engine", "floors 0-1", "api/ingest", "api/problem", "api/contract", "api/guard", "api/listen", "api/face", "api/policies", "api/manage", "api/desired", "api/meter", "api/body", "api/docs", "api/query", "api/replay"}, guests: []string{"github.com/danielgtaylor/huma/v2"}},
	{dir: "api/replay", floor: 3, ours: []string{"engine", "engine/clock", "engine/fault"}},
	{dir: "api/body", floor: 3},
	{dir: "api/query", floor: 3, ours: []string{"engine/document", "api/problem"}},
	{dir: "api/problem", floor: 3, ours: []string{"engine/fault"}},
	{dir: "api/contract", floor: 3, ours: []string{"engine/clock"}},
	{dir: "api/guard", floor: 3, ours: []string{"engine", "floor 0"}},
	{dir: "api/listen", floor: 3, ours: []string{"api/contract", "api/guard", "api/problem", "engine/fault"}, guests: []string{gSys}},
	{dir: "api/face", floor: 3, ours: []string{"floor 0", "engine/document", "api/problem", "api/guard"}, guests: []string{"github.com/danielgtaylor/huma/v2"}},
	{dir: "api/policies", floor: 3, ours: []string{"engine", "floors 0-1", "api/problem", "api/contract", "api/guard", "api/face"}},
	{dir: "api/manage", floor: 3, ours: []string{"engine", "floors 0-1", "api/problem", "api/contract", "api/guard", "api/face", "api/meter"}},
	{dir: "api/desired", floor: 3, ours: []string{"engine", "floors 0-1", "api/contract", "api/guard", "api/face"}},
	{dir: "api/meter", floor: 3, guests: []string{"github.com/prometheus/client_golang"}},
	{dir: "api/docs", floor: 3},
	{dir: "api/ingest", floor: 3, ours: []string{"floor 0", "api/problem", "api/ingest/scan", "api/ingest/agent", "api/ingest/wire"}, guests: []string{gCompress}},
	{dir: "api/ingest/scan", floor: 3},
	{dir: "api/ingest/wire", floor: 3},
	{dir: "api/ingest/agent", floor: 3, ours: []string{"floor 0", "api/problem"}},
	{dir: "api/client", floor: 3, ours: []string{"floor 0", "api/problem", "api/contract"}, guests: []string{"github.com/cenkalti/backoff/v5"}},
	{dir: "api/apitest", floor: 3, ours: []string{"engine", "floors 0-1", "api/contract"}, test: true},

	{dir: "internal/daemon/settings", floor: 4, ours: []string{"engine/document", "engine/fault"}, guests: []string{"github.com/BurntSushi/toml"}},
	{dir: "internal/daemon/source", floor: 4, ours: []string{"engine/document", "engine/fault", "gitwatch/paths"}},
	{dir: "internal/daemon/stories", floor: 4, ours: []string{"engine", "floors 0-1", "engine/policy/story", "engine/rehearse"}},
	{dir: "internal/daemon/config", floor: 4, ours: []string{"engine", "floors 0-1", "engine/check/host", "engine/revision", "engine/tsdb", "engine/ledger", "actions", "actions/heal", "api", "gitwatch", "internal/daemon/settings", "internal/daemon/archive"}, guests: []string{gSys}},
	{dir: "internal/daemon/archive", floor: 4, ours: []string{"floor 0", "engine/document"}, guests: []string{gSys}},
	{dir: "internal/daemon/git", floor: 4, ours: []string{"engine", "floors 0-1", "gitwatch", "gitwatch/objects", "gitwatch/receive", "gitwatch/signers", "gitwatch/store", "api/guard", "engine/reverse"}, guests: []string{gGit}},
	{dir: "internal/daemon/own", floor: 4, ours: []string{"engine", "engine/holds", "floors 0-1", "engine/check/probe", "actions", "actions/doubt", "actions/catalogue"}},
	{dir: "internal/daemon/desired", floor: 4, ours: []string{"engine", "floors 0-1", "engine/hall", "engine/judge", "engine/ledger", "engine/revision", "engine/reconcile/kustomize", "engine/world", "actions", "api/meter", "gitwatch/paths", "internal/daemon/config", "internal/daemon/git", "internal/daemon/own", "internal/daemon/parts", "engine/reverse"}},
	{dir: "internal/daemon/parts", floor: 4, ours: []string{"engine/fault"}},
	{dir: "internal/daemon/offline", floor: 4, ours: []string{"engine", "engine/policies", "engine/rehearse", "floors 0-1", "engine/check/host", "engine/check/bus", "engine/tsdb", "engine/ledger", "actions", "actions/doubt", "actions/catalogue", "gitwatch/paths", "internal/daemon/config", "internal/daemon/stories"}},
	{dir: "internal/daemon/evidence", floor: 4, ours: []string{"engine/fault", "actions", "actions/launch", "internal/daemon/config"}},
	{dir: "internal/daemon/handsoff", floor: 4, ours: []string{"engine", "engine/clock", "engine/fault", "actions/units"}},
	{dir: "internal/daemon/manager", floor: 4, guests: []string{gSystemd}},
	{dir: "internal/daemon/pulse", floor: 4, ours: []string{"engine/clock", "engine/series", "actions/supervise"}},
	{dir: "internal/daemon", floor: 4, ours: []string{"engine", "engine/atonce", "engine/hall", "floors 0-1", "engine/remedy/act", "engine/remedy/worker", "engine/tsdb", "engine/ledger", "engine/world", "actions", "actions/doubt", "actions/detach", "gitwatch/paths", "api", "api/meter", "internal/daemon/config", "internal/daemon/desired", "internal/daemon/evidence", "internal/daemon/handsoff", "internal/daemon/manager", "internal/daemon/offline", "internal/daemon/own", "internal/daemon/parts", "internal/daemon/pulse", "internal/daemon/source", "internal/daemon/archive"}, guests: []string{gSys}},
	{dir: "internal/cli/session", floor: 4, ours: []string{"engine/fault", "engine/document", "api/client", "api/contract", "internal/daemon/config", "internal/daemon/settings"}, guests: []string{"golang.org/x/term"}},
	{dir: "internal/cli/look", floor: 4, ours: []string{"engine/fault", "engine/audit", "api/client", "api/contract", "internal/cli/session", "internal/daemon/offline"}, guests: []string{"github.com/guptarohit/asciigraph"}},
	{dir: "internal/cli/steer", floor: 4, ours: []string{"engine/fault", "engine/document", "api/client", "api/contract", "internal/cli/session"}},
	{dir: "internal/cli/files", floor: 4, ours: []string{"engine/fault", "api/contract", "internal/cli/session", "internal/daemon/config", "internal/daemon/offline"}},
	{dir: "internal/cli/demo", floor: 4, ours: []string{"engine/fault", "api/client", "api/contract", "internal/cli/session", "internal/daemon", "internal/daemon/config"}},
	{dir: "internal/cli/desired", floor: 4, ours: []string{"engine/fault", "engine/reconcile/manifest", "api/client", "api/contract", "internal/cli/session"}},
	{dir: "internal/cli", floor: 4, ours: []string{"engine/fault", "engine/document", "internal/cli/demo", "internal/cli/desired", "internal/cli/files", "internal/cli/look", "internal/cli/session", "internal/cli/steer", "internal/daemon", "internal/daemon/config"}, guests: []string{"github.com/alecthomas/kong"}},

	{dir: "actions/units/unitstest", floor: 3, guests: []string{gDBus}, test: true},
	{dir: "actions/actiontest", floor: 3, ours: []string{"actions", "engine/remedy", "engine/fault", "engine/clock"}, test: true},
	{dir: "gitwatch/gittest", floor: 3, test: true},
	{dir: "engine/ledger/powercut", floor: 3, guests: []string{gSQLite, "modernc.org/libc"}, test: true},
	{dir: "engine/ledger/conform", floor: 3, ours: []string{"engine", "floors 0-1", "engine/ledger/conform/stand", "engine/ledger/conform/acts", "engine/ledger/conform/desired"}, test: true},
	{dir: "engine/ledger/conform/acts", floor: 3, ours: []string{"engine", "floors 0-1", "engine/ledger/conform/stand"}, test: true},
	{dir: "engine/ledger/conform/stand", floor: 3, ours: []string{"engine", "floors 0-1"}, test: true},
	{dir: "engine/ledger/conform/desired", floor: 3, ours: []string{"engine", "floors 0-1", "engine/ledger/conform/stand"}, test: true},
	{dir: "engine/tsdb/wal/waltest", floor: 3, ours: []string{"engine/tsdb/wal"}, test: true},
	{dir: "internal/vigiltest", floor: 4, ours: []string{"engine", "floors 0-1", "api/client", "api/contract", "internal/daemon", "internal/daemon/config", "internal/cli"}, test: true},
	{dir: "internal/vigiltest/pointed", floor: 4, ours: []string{"engine", "floors 0-1", "internal/daemon", "internal/daemon/config"}, test: true},
	{dir: "internal/vigilsim", floor: 4, ours: []string{"engine", "floors 0-1", "engine/atonce", "engine/hall", "engine/ledger", "engine/remedy/worker", "engine/tsdb"}, test: true},
	{dir: "internal/load", floor: 4, ours: []string{"floor 0", "internal/load/desired", "internal/load/rig"}, guests: []string{gCompress}},
	{dir: "internal/load/desired", floor: 4, ours: []string{"internal/load/rig"}},
	{dir: "internal/load/rig", floor: 4},
	{dir: "internal", floor: 4, test: true},
	{dir: ".", floor: 5, ours: []string{"internal/cli"}},
}
