-- What version 9 has beside the tables of version 8.

-- What people entered by hand, which no device measured: samples that went to a laboratory, and patrols. Never among readings.
CREATE TABLE manual (
    box         TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    what        TEXT NOT NULL,           -- sample or patrol
    outfall     TEXT NOT NULL,           -- code of the outfall
    at_ms       INTEGER NOT NULL,        -- when the sample was taken, or the patrol was there, as told
    person      TEXT NOT NULL,           -- who, as told
    actor       TEXT NOT NULL,           -- who typed it: user NUMBER on the box
    laboratory  TEXT,                    -- of a sample
    number      TEXT,                    -- of a sample: its own
    note        TEXT,                    -- of a sample
    state       TEXT,                    -- of a patrol: normal, discharging, dry, ...
    finding     TEXT,                    -- of a patrol
    files       TEXT NOT NULL,           -- JSON: names and SHA-256 of files that belong to it and are not here
    replaces    INTEGER,                 -- the record whose entry counts no more
    reason      TEXT,                    -- why
    wall_ms     INTEGER NOT NULL,        -- when it was entered
    clock       TEXT NOT NULL,
    PRIMARY KEY (box, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX manual_outfall ON manual (box, outfall, at_ms);
CREATE INDEX manual_replaces ON manual (box, replaces) WHERE replaces IS NOT NULL;

-- What a laboratory found in a sample.
CREATE TABLE manual_value (
    box         TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    idx         INTEGER NOT NULL,        -- place among the values, from 0
    quantity    TEXT NOT NULL,
    unit        TEXT NOT NULL,
    value       TEXT NOT NULL,           -- exact decimal
    detection   TEXT NOT NULL,           -- found; below_limit: value is the detection limit
    method      TEXT,
    PRIMARY KEY (box, seq, idx)
) STRICT, WITHOUT ROWID;
