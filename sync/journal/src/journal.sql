-- The newest records: their canonical bytes are the Merkle leaf's input (RFC 9162), nothing is derived that could disagree.
-- A row is one record, or those of one commit, packed; then `seq` is the first of them and `kind` minus their count. Further
-- tables `record_FIRST` follow; a table is dropped whole once its records stand in a file.
CREATE TABLE "record_0" (
    seq  INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

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

-- Where the records stand: from `first` to `last`, which is null while the table grows. Stage 0: table `record_FIRST`
-- here; 1 whole, 2 thinned, 3 only what must be kept: file `blocks/FIRST.blocks`; 4: nothing is left; 5: never written. `condemned` is the
-- stage on the way to which it is: its loss is told already, its file may or may not have followed.
CREATE TABLE segment (
    first     INTEGER PRIMARY KEY,
    last      INTEGER,
    stage     INTEGER NOT NULL,
    condemned INTEGER,
    bytes     INTEGER NOT NULL,
    newest_ms INTEGER NOT NULL
) STRICT;
INSERT INTO segment VALUES (0, NULL, 0, NULL, 0, 0);

-- The root of the Merkle subtree over records 256 n to 256 n + 255, kept for ever: with them any record is proven by the
-- bytes of its own block, and what was taken away keeps its place in the tree.
CREATE TABLE block (
    no   INTEGER PRIMARY KEY,
    root BLOB NOT NULL
) STRICT;

-- The roots of the larger subtrees that are kept: of level 16 over records 2^16 n to 2^16 (n + 1) - 1, of 24 and 32 likewise.
CREATE TABLE subtree (
    level INTEGER NOT NULL,
    no    INTEGER NOT NULL,
    root  BLOB NOT NULL,
    PRIMARY KEY (level, no)
) STRICT, WITHOUT ROWID;

-- Numbers of records that are neither frames, refusals nor repeated decodings. The alarm lane finds alarms here under
-- any backlog, a start finds its boot and its codecs, and retention finds what it must keep.
CREATE TABLE mark (
    seq  INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL
) STRICT;
