package schema

// replays is the migration that brought the answers which are given again.
const replays = `
CREATE TABLE replays ( -- requests with an Idempotency-Key
	id INTEGER PRIMARY KEY,
	key TEXT NOT NULL UNIQUE, body_sum BLOB NOT NULL CHECK (length(body_sum) = 32), at TEXT,
	done INTEGER NOT NULL CHECK (done IN (0, 1)), status INTEGER NOT NULL, media TEXT NOT NULL, body BLOB,
	sum INTEGER NOT NULL
) STRICT;
`
