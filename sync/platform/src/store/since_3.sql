-- What version 4 has beside the tables of version 3.

-- What people and platforms ordered on the box, each before it was carried out.
CREATE TABLE audit (
    box         TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    actor       TEXT NOT NULL,           -- user NUMBER on the box, or platform NAME
    act         TEXT NOT NULL,           -- dropped, pinned, released, enrolled, acknowledged
    platform    TEXT,                    -- of what was dropped, or who was enrolled
    first_seq   INTEGER,                 -- the records that were dropped or pinned; the pin that was released
    last_seq    INTEGER,
    key         TEXT,                    -- Ed25519 in hex, of who was enrolled
    rule        TEXT,                    -- of the alarm that somebody has seen
    source      TEXT,                    -- its device
    reason      TEXT NOT NULL,
    PRIMARY KEY (box, seq)
) STRICT, WITHOUT ROWID;

-- Whether a tree head is of the one history of its box, by proofs (RFC 9162 2.1.4) that came with batches. linked: 1 if one
-- leads on from it to a larger head, 0 if none does, NULL if it came before such proofs. since: the smallest head from
-- which proofs lead here, NULL if none does. A head with linked = 0 below one with a since is not proven: the box may
-- have shown two histories there, or has none to prove, as after a restored backup.
ALTER TABLE head ADD COLUMN linked INTEGER;
ALTER TABLE head ADD COLUMN since INTEGER;
ALTER TABLE head ADD COLUMN proven_by INTEGER;       -- the batch with the first proof from or to it
CREATE INDEX head_unlinked ON head (box, size) WHERE linked = 0;
CREATE INDEX head_proven ON head (box, size) WHERE since IS NOT NULL;

-- Batches by which a filter of the box kept something from this platform. Nothing of that is missing.
CREATE TABLE batch_filter (
    batch_no    INTEGER PRIMARY KEY,
    left_out    INTEGER NOT NULL,        -- numbers without a record in it; an earlier batch may have had the record
    quantities  TEXT                     -- cod,flow: readings of others were left out of its frames; NULL: none were
) STRICT;

-- Parts of `coverage` in which numbers without a record were left out. Exactly those are the ones that `record` lacks.
CREATE TABLE left_out (
    box         TEXT NOT NULL,
    first_seq   INTEGER NOT NULL,
    last_seq    INTEGER NOT NULL,
    PRIMARY KEY (box, first_seq)
) STRICT, WITHOUT ROWID;
