// Package desired is what the ledger's tables hold of desired state: revisions,
// resources (what was last written), drifts, suspends, the undo journal, and the
// checks and catalogue entries of the repository. One file per noun, with its columns, the way it is written and read back.
//
// Like the room table it knows the schema, whose constraints carry the
// invariants: one revision is under way at most, what ended does not begin
// again, one standing drift a property, no suspend without reason and end, no
// step of the journal without its revision, and a number means one thing for
// ever. It refuses decisions, clocks and files: what it does is done on a
// connection inside somebody's transaction, and is nothing until that commits.
// Everything here blocks on disk; nothing is started.
package desired

import (
	"context"

	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
)

// Tables is the step of the schema that made the tables of desired state. It has
// been in a release and is never changed.
//
// Moments are as in the first step; times without a boot clock (of a commit, of
// a difference) are RFC 3339 in UTC.
const Tables = `
CREATE TABLE numbers ( -- the last ones given out: none comes back, even when its row has gone
	id INTEGER PRIMARY KEY CHECK (id = 1),
	revision INTEGER NOT NULL, drift INTEGER NOT NULL, undo INTEGER NOT NULL,
	sum INTEGER NOT NULL
) STRICT;

CREATE TABLE revisions (
	n INTEGER PRIMARY KEY CHECK (n > 0),
	commit_hash TEXT NOT NULL CHECK (commit_hash <> ''), tree_hash TEXT NOT NULL,
	ref TEXT NOT NULL, subject TEXT NOT NULL, author TEXT NOT NULL, signer TEXT NOT NULL, source TEXT NOT NULL, made TEXT,
	pusher TEXT NOT NULL, reason TEXT NOT NULL, confirmed INTEGER NOT NULL CHECK (confirmed IN (0, 1)),
	return_of INTEGER NOT NULL CHECK (return_of >= 0 AND return_of < n), -- 0: it landed
	state TEXT NOT NULL CHECK (state IN ('seen', 'applying', 'checking', 'undoing', 'good', 'bad', 'replaced', 'refused')),
	why TEXT NOT NULL, starts INTEGER NOT NULL CHECK (starts >= 0),
	seen TEXT, began TEXT, applied TEXT, ended TEXT,
	items INTEGER NOT NULL, changed INTEGER NOT NULL, pruned INTEGER NOT NULL,
	sum INTEGER NOT NULL,
	CHECK (ended IS NULL OR state NOT IN ('seen', 'applying', 'checking', 'undoing'))
) STRICT;
CREATE UNIQUE INDEX revisions_one_under_way ON revisions ((1)) WHERE state IN ('applying', 'checking', 'undoing');
CREATE TRIGGER revisions_are_one_commit BEFORE UPDATE ON revisions
WHEN new.commit_hash <> old.commit_hash OR new.tree_hash <> old.tree_hash OR new.return_of <> old.return_of
BEGIN SELECT RAISE(ABORT, 'a revision never becomes another commit'); END;
CREATE TRIGGER revisions_end_once BEFORE UPDATE ON revisions
WHEN old.state IN ('good', 'bad', 'replaced', 'refused') AND new.state IN ('seen', 'applying', 'checking', 'undoing')
BEGIN SELECT RAISE(ABORT, 'a revision that ended is not taken up again: the same commit is a new one'); END;

CREATE TABLE resources ( -- what was last written
	ref TEXT PRIMARY KEY, subject TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
	commit_hash TEXT NOT NULL, hash TEXT NOT NULL,
	last TEXT NOT NULL, -- properties as JSON; null: never written
	adopted INTEGER NOT NULL CHECK (adopted IN (0, 1)), prune INTEGER NOT NULL CHECK (prune IN (0, 1)),
	written TEXT, heals TEXT NOT NULL,
	sum INTEGER NOT NULL,
	CHECK (ref = kind || '/' || name)
) STRICT, WITHOUT ROWID;

CREATE TABLE drifts (
	id INTEGER PRIMARY KEY CHECK (id > 0),
	ref TEXT NOT NULL, subject TEXT NOT NULL, field TEXT NOT NULL, wanted TEXT NOT NULL, found TEXT NOT NULL,
	class TEXT NOT NULL CHECK (class IN ('pending', 'drift', 'conflict', 'missing', 'orphan')),
	since TEXT, suspect TEXT NOT NULL,
	found_at TEXT, ended TEXT, how TEXT NOT NULL,
	sum INTEGER NOT NULL,
	CHECK ((ended IS NULL) = (how = ''))
) STRICT;
CREATE UNIQUE INDEX drifts_one_stands ON drifts (ref, field) WHERE ended IS NULL;
CREATE INDEX drifts_ref ON drifts (ref);
CREATE TRIGGER drifts_are_one_difference BEFORE UPDATE ON drifts
WHEN new.ref <> old.ref OR new.field <> old.field OR old.ended IS NOT NULL AND new.ended IS NULL
BEGIN SELECT RAISE(ABORT, 'a drift never becomes another one, and ends once'); END;

CREATE TABLE suspends (
	id TEXT PRIMARY KEY CHECK (id <> ''),
	selector TEXT NOT NULL CHECK (selector <> ''), actor TEXT NOT NULL, reason TEXT NOT NULL CHECK (reason <> ''),
	begins TEXT NOT NULL, ends TEXT NOT NULL, ended TEXT,
	sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX suspends_standing ON suspends (id) WHERE ended IS NULL;
CREATE TRIGGER suspends_end_once BEFORE UPDATE ON suspends
WHEN new.selector <> old.selector OR old.ended IS NOT NULL AND new.ended IS NULL
BEGIN SELECT RAISE(ABORT, 'a suspend never becomes another one, and ends once'); END;

CREATE TABLE undo ( -- steps that are done with have no row
	n INTEGER PRIMARY KEY CHECK (n > 0),
	revision INTEGER NOT NULL REFERENCES revisions (n),
	ref TEXT NOT NULL, summary TEXT NOT NULL,
	action TEXT NOT NULL, parameters TEXT NOT NULL, final TEXT NOT NULL,
	before TEXT, -- the resource as JSON; NULL: nothing was remembered
	sum INTEGER NOT NULL,
	CHECK (action <> '' OR final <> '')
) STRICT;
CREATE INDEX undo_revision ON undo (revision);
CREATE TRIGGER undo_is_one_step BEFORE UPDATE ON undo
WHEN new.revision <> old.revision OR new.ref <> old.ref
BEGIN SELECT RAISE(ABORT, 'a step of the journal never becomes another one'); END;
`

// sealed are the tables whose rows end in a checksum, with what it covers.
var sealed = [...]struct{ name, columns string }{
	{"numbers", numberColumns},
	{"revisions", revisionColumns},
	{"resources", resourceColumns},
	{"drifts", driftColumns},
	{"suspends", suspendColumns},
	{"undo", undoColumns},
	{"checks", checkColumns},
	{"entries", entryColumns},
}

// Check reads every row and compares its checksum. Corrupt: the first row that is
// not what was written. It blocks for as long as ctx lets it.
func Check(ctx context.Context, c *conn.Conn) error {
	for _, t := range sealed {
		if err := c.CheckSums(ctx, t.name, t.columns); err != nil {
			return err
		}
	}
	return nil
}

// The most bytes that a row takes.
const (
	maxRevision = 64 << 10 // what people write about it: subject, author, reason, why
	maxRow      = 1 << 20
)

// refused tells what a constraint or a trigger says about which thing.
func refused(err error, format string, args ...any) error {
	if fault.KindOf(err) == fault.Conflict {
		return fault.Wrap(fault.Conflict, err, format, args...)
	}
	return err
}
