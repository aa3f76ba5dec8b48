// Package schema is the numbered steps by which ledger.db came to be as it is.
//
// It refuses everything but text: how the steps are taken stands in disk, what
// the tables hold in table and desired.
package schema

import "vigil/engine/ledger/desired"

// AppID marks a ledger among SQLite files: "VGLD".
const AppID = 0x56474c44

// Migrations are the numbered steps of the schema, forward only. A step that
// has been in a release is never changed: a new one is appended.
//
// Moments are texts "wall boot boot_id" (Unix µs, ns since boot); columns named
// *_wall, *_boot and *_boot_id repeat those that a query compares. sum is the
// checksum over the row's other columns in the order of the writer.
func Migrations() []string {
	return []string{first, desired.Tables, replays, desired.Checks, desired.Entries}
}

const first = `
CREATE TABLE state (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	epoch INTEGER NOT NULL CHECK (epoch > 0),
	position INTEGER NOT NULL,
	audit_seq INTEGER NOT NULL, audit_hash BLOB,   -- head of the chain
	pruned_seq INTEGER NOT NULL, pruned_hash BLOB, -- where the stored part begins
	remediation INTEGER NOT NULL,                  -- last id given out
	sum INTEGER NOT NULL
) STRICT;

CREATE TABLE starts (
	n INTEGER PRIMARY KEY,
	at TEXT NOT NULL,
	unclean INTEGER NOT NULL CHECK (unclean IN (0, 1)), -- the run before it had no clean stop
	stopped TEXT,
	sum INTEGER NOT NULL
) STRICT;

CREATE TABLE firings (
	id INTEGER PRIMARY KEY,
	policy TEXT NOT NULL, fingerprint INTEGER NOT NULL, labels BLOB, target TEXT NOT NULL,
	version INTEGER NOT NULL CHECK (version > 0),
	state TEXT NOT NULL CHECK (state IN ('ok', 'pending', 'firing', 'recovering', 'unknown', 'flapping', 'suppressed')),
	value INTEGER NOT NULL, -- bits of the float, since a NaN must come back as it went
	life TEXT NOT NULL,     -- policy.Firing as JSON
	closed TEXT,            -- reason; NULL while it is open
	evaluation INTEGER NOT NULL,
	sum INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX firings_one_open ON firings (policy, fingerprint) WHERE closed IS NULL;

CREATE TABLE policies (
	name TEXT PRIMARY KEY, owner TEXT NOT NULL, place TEXT NOT NULL,
	enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)), document BLOB,
	version INTEGER NOT NULL CHECK (version > 0), created TEXT, updated TEXT,
	sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE remediations (
	id INTEGER PRIMARY KEY,
	version INTEGER NOT NULL CHECK (version > 0),
	source TEXT NOT NULL CHECK (source IN ('policy', 'api', 'reconcile', 'external')),
	state TEXT NOT NULL CHECK (state IN ('queued', 'held', 'running', 'verifying', 'succeeded', 'gave_up', 'refused', 'cancelled', 'indeterminate', 'failed')),
	priority TEXT NOT NULL, rank INTEGER NOT NULL, -- 3 high, 2 medium, 1 low
	policy TEXT NOT NULL, fingerprint INTEGER NOT NULL, target TEXT NOT NULL, subject TEXT NOT NULL,
	until_wall INTEGER, until_boot INTEGER, until_boot_id TEXT,
	created_wall INTEGER NOT NULL,
	severity TEXT NOT NULL, actor TEXT NOT NULL,
	rung INTEGER NOT NULL, try INTEGER NOT NULL, attempt INTEGER NOT NULL, gave_ups INTEGER NOT NULL,
	gate TEXT NOT NULL, reason TEXT NOT NULL,
	since TEXT, until TEXT, created TEXT, started TEXT, finished TEXT, attempt_end TEXT,
	details TEXT NOT NULL, error TEXT NOT NULL,
	approval INTEGER NOT NULL, approved_by TEXT NOT NULL, approve_by TEXT,
	lease TEXT NOT NULL, lease_until TEXT,
	labels TEXT NOT NULL, plan TEXT NOT NULL,
	sum INTEGER NOT NULL
) STRICT;
CREATE INDEX remediations_waiting ON remediations (state, rank DESC, id) WHERE state IN ('queued', 'held', 'running', 'verifying', 'gave_up', 'indeterminate');
CREATE INDEX remediations_policy ON remediations (policy, fingerprint) WHERE policy <> '';

CREATE TABLE attempts (
	id INTEGER PRIMARY KEY,
	epoch INTEGER NOT NULL, remediation INTEGER NOT NULL REFERENCES remediations (id), n INTEGER NOT NULL CHECK (n > 0),
	subject TEXT NOT NULL, policy TEXT NOT NULL, kind TEXT NOT NULL, -- what limits count by
	started_wall INTEGER NOT NULL, started_boot INTEGER NOT NULL, started_boot_id TEXT NOT NULL,
	finished TEXT, -- NULL while it is open
	rung INTEGER NOT NULL, action TEXT NOT NULL,
	class TEXT NOT NULL CHECK (class IN ('convergent', 'probed', 'unsafe')),
	sum INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX attempts_number ON attempts (remediation, n, epoch);
CREATE UNIQUE INDEX attempts_one_open ON attempts (subject) WHERE finished IS NULL;
CREATE INDEX attempts_subject ON attempts (subject);
CREATE INDEX attempts_policy ON attempts (policy) WHERE policy <> '';
CREATE INDEX attempts_kind ON attempts (kind);

CREATE TABLE requests ( -- what an attempt was asked to do
	attempt INTEGER PRIMARY KEY REFERENCES attempts (id),
	request TEXT NOT NULL,
	sum INTEGER NOT NULL
) STRICT;
CREATE TABLE results ( -- how it ended, and the evidence taken before it
	attempt INTEGER PRIMARY KEY REFERENCES attempts (id),
	result TEXT NOT NULL, capture BLOB,
	sum INTEGER NOT NULL
) STRICT;

CREATE TABLE budget (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	points INTEGER NOT NULL, at TEXT, storm TEXT, -- points: bits of the float
	sum INTEGER NOT NULL
) STRICT;

CREATE TABLE breakers (
	subject TEXT PRIMARY KEY, failures INTEGER NOT NULL, opened INTEGER NOT NULL, until TEXT,
	sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE holds (
	id TEXT PRIMARY KEY,
	kind TEXT NOT NULL CHECK (kind IN ('pause', 'silence', 'maintenance', 'hands_off')),
	owner TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL, matchers TEXT NOT NULL, subject TEXT NOT NULL,
	schedule TEXT NOT NULL, zone TEXT NOT NULL, length INTEGER NOT NULL,
	begins TEXT, ends TEXT, ended TEXT, created TEXT,
	sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_standing ON holds (id) WHERE ended IS NULL;

CREATE TABLE tokens (
	name TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
	role TEXT NOT NULL CHECK (role IN ('viewer', 'pusher', 'operator', 'admin')),
	created TEXT, expires TEXT, used TEXT,
	sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
	seq INTEGER PRIMARY KEY, prev BLOB NOT NULL, hash BLOB NOT NULL,
	at TEXT, actor TEXT NOT NULL, verb TEXT NOT NULL, object TEXT NOT NULL, reason TEXT NOT NULL, evidence BLOB
) STRICT;
CREATE INDEX audit_object ON audit (object) WHERE object <> '';
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END;
CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
WHEN old.seq > (SELECT pruned_seq FROM state)
BEGIN SELECT RAISE(ABORT, 'audit records are only removed by pruning what was exported'); END;
CREATE TRIGGER audit_follows_its_head BEFORE INSERT ON audit
WHEN new.seq <> coalesce((SELECT max(seq) FROM audit), 0) + 1
	OR new.prev <> coalesce((SELECT hash FROM audit WHERE seq = new.seq - 1), zeroblob(32))
BEGIN SELECT RAISE(ABORT, 'an audit record must follow the head of the chain'); END;
`
