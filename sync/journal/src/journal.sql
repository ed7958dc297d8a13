-- One row a record: its canonical bytes are the Merkle leaf's input (RFC 9162), nothing is derived that could disagree.
CREATE TABLE record (
    seq  INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
-- Only alarms pay for it: the alarm lane finds them under any backlog.
CREATE INDEX record_alarm ON record (seq) WHERE kind = 3;
-- Which boot is this one: asked once a start.
CREATE INDEX record_boot ON record (seq) WHERE kind = 0;

-- What must change together with the record of a device: replay counters and the conservation tally (A3).
-- The empty name stands for frames whose device could not be told.
CREATE TABLE device (
    name      TEXT PRIMARY KEY,
    session   BLOB NOT NULL,
    accepted  INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    rejected  INTEGER NOT NULL,
    shed      INTEGER NOT NULL,
    client    BLOB NOT NULL
) STRICT;

-- The right edge of the Merkle tree, one row.
CREATE TABLE tree (
    id    INTEGER PRIMARY KEY CHECK (id = 0),
    size  INTEGER NOT NULL,
    roots BLOB NOT NULL
) STRICT;
INSERT INTO tree VALUES (0, 0, x'');

-- Tree heads signed by the box (COSE_Sign1).
CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY,
    cose BLOB NOT NULL
) STRICT;

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- Which codecs are journaled: asked once a start.
CREATE INDEX record_codec ON record (seq) WHERE kind = 4;

-- Commands on their way down to a device, kept until they are done with. AUTOINCREMENT, because an id is never used
-- again: an answer that comes late must not meet another command.
CREATE TABLE command (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    device    TEXT NOT NULL,
    payload   BLOB NOT NULL,
    f_port    INTEGER,
    confirmed INTEGER NOT NULL,
    created   BLOB NOT NULL,
    sent      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX command_device ON command (device);

-- What a part of the gateway must remember beside devices, each under its own name; opaque here.
CREATE TABLE state (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;
