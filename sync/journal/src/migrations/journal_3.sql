-- Schema 2 to schema 3: records in tables of their own, sealed and dropped whole; roots of blocks; numbers of what is
-- neither a frame nor a refusal.
DROP INDEX record_alarm;
DROP INDEX record_boot;
DROP INDEX record_codec;
ALTER TABLE record RENAME TO record_0;

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

-- Numbers of records that are neither frames, refusals nor repeated decodings. The alarm lane finds alarms here under
-- any backlog, a start finds its boot and its codecs, and retention finds what it must keep.
CREATE TABLE mark (
    seq  INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL
) STRICT;
INSERT INTO mark SELECT seq, kind FROM record_0 WHERE kind NOT IN (1, 2, 5);
