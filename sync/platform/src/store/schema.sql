-- The platform's database as version 3 had it; `since_3.sql` follows. Any SQLite tool may read it while the platform runs:
--   sqlite3 -readonly platform.db "SELECT * FROM reading WHERE box = 'outfall-1' AND quantity = 'cod' LIMIT 10"
-- All times are milliseconds since 1970-01-01 UTC. A wall time is worth what `clock` says:
-- synchronised, holdover (may be off by clock_error_ms), unset (nobody had told the box the time).

-- Every box that was ever enrolled, with the key it was enrolled with last.
CREATE TABLE box (
    box         TEXT PRIMARY KEY,
    public_key  TEXT NOT NULL            -- 64 hex digits
) STRICT, WITHOUT ROWID;

-- Every batch that was stored. A repeated one leaves no trace here.
CREATE TABLE batch (
    batch_no    INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,    -- SHA-256 of its bytes, 64 hex digits
    box         TEXT NOT NULL,
    lane        TEXT NOT NULL,           -- alarm, live, backlog
    first_seq   INTEGER NOT NULL,
    last_seq    INTEGER NOT NULL,
    records     INTEGER NOT NULL,        -- rows in the batch
    doubled     INTEGER NOT NULL,        -- of these, already held from an earlier batch
    head_size   INTEGER NOT NULL,        -- the box's Merkle tree when it cut the batch
    head_root   TEXT NOT NULL,
    received_ms INTEGER NOT NULL         -- by this platform's clock
) STRICT;
CREATE INDEX batch_of_box ON batch (box, batch_no);

-- The evidence, byte for byte: what the box signed, and what this platform signed.
CREATE TABLE batch_bytes (
    batch_no    INTEGER PRIMARY KEY,
    cose        BLOB NOT NULL,
    receipt     BLOB NOT NULL
) STRICT;

-- Every record once, whatever number of batches carried it.
CREATE TABLE record (
    box         TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    kind        TEXT NOT NULL,           -- readings, redecoded, boot, rejected, alarm, codec, clock, gap, audit, outfall
    source      TEXT,                    -- the device, if it is about one
    boot        INTEGER NOT NULL,        -- ordinal of the box's boot
    mono_ms     INTEGER NOT NULL,        -- since that boot; orders records within it
    wall_ms     INTEGER NOT NULL,
    clock       TEXT NOT NULL,
    clock_error_ms INTEGER,
    codec       TEXT,                    -- which codec decoded its readings, 16 hex digits; its text: table codec
    redecoded_of INTEGER,                -- its readings take the place of those of this record, whose time they are of
    batch_no    INTEGER NOT NULL,        -- the batch that brought it first
    PRIMARY KEY (box, seq)
) STRICT, WITHOUT ROWID;
-- What replaced the readings of a record: the newest counts.
CREATE INDEX record_redecoded ON record (box, redecoded_of, seq) WHERE redecoded_of IS NOT NULL;

CREATE TABLE reading (
    box         TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    idx         INTEGER NOT NULL,        -- place among the readings that came of the frame, from 0
    source      TEXT NOT NULL,
    quantity    TEXT NOT NULL,
    unit        TEXT NOT NULL,
    value       TEXT,                    -- exact decimal; NULL where quality says why
    value_real  REAL,                    -- the same as a double, approximate: for queries, not for evidence
    quality     TEXT NOT NULL,           -- good, out_of_range, not_a_number, missing, unknown_unit
    at_ms       INTEGER,                 -- when the device says it measured, if it says so
    wall_ms     INTEGER NOT NULL,        -- when the box recorded it
    clock       TEXT NOT NULL,
    PRIMARY KEY (box, seq, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX reading_series ON reading (box, source, quantity, seq, idx);

-- What a sensor sent where a number belongs ("No Sensor"): the words behind a value that is NULL.
CREATE TABLE reading_text (
    box         TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    idx         INTEGER NOT NULL,        -- place among the texts of the frame, from 0
    quantity    TEXT NOT NULL,
    text        TEXT NOT NULL,
    PRIMARY KEY (box, seq, idx)
) STRICT, WITHOUT ROWID;

-- Each reading with what belongs to it. What a later decoding replaced is `replaced_by IS NOT NULL`; measured_ms is the
-- device's time if it gave one, else the box's, and for a repeated decoding that of its frame, if that is held.
CREATE VIEW reading_linked AS
SELECT reading.*, codec, redecoded_of,
    (SELECT max(later.seq) FROM record AS later WHERE later.box = reading.box
        AND later.redecoded_of = coalesce(record.redecoded_of, reading.seq) AND later.seq > reading.seq) AS replaced_by,
    CASE WHEN value IS NULL THEN (SELECT words.text FROM reading_text AS words WHERE words.box = reading.box
        AND words.seq = reading.seq AND words.quantity = reading.quantity ORDER BY words.idx LIMIT 1) END AS text,
    coalesce(at_ms, (SELECT frame.wall_ms FROM record AS frame WHERE frame.box = reading.box
        AND frame.seq = record.redecoded_of), reading.wall_ms) AS measured_ms
FROM reading JOIN record ON record.box = reading.box AND record.seq = reading.seq;

-- All that decided what readings say: the text of each codec that a box used.
CREATE TABLE codec (
    box         TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    codec       TEXT NOT NULL,           -- the first 8 bytes of SHA-256 over the text, 16 hex digits
    text        TEXT NOT NULL,
    wall_ms     INTEGER NOT NULL,
    PRIMARY KEY (box, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE boot (
    box         TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    boot_id     TEXT NOT NULL,
    version     TEXT NOT NULL,
    PRIMARY KEY (box, seq)
) STRICT, WITHOUT ROWID;

-- The box's clock became trustworthy, or was set: this record's wall_ms belongs to its mono_ms, which corrects the earlier
-- records of the same boot.
CREATE TABLE clock_set (
    box         TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    source      TEXT NOT NULL,           -- ntp, rtc, gps
    before_clock TEXT NOT NULL,          -- what the clock was worth just before
    before_error_ms INTEGER,
    step_ms     INTEGER NOT NULL,        -- by how much stamps go forward here
    error_ms    INTEGER NOT NULL,        -- bound of the error of this record's wall_ms
    PRIMARY KEY (box, seq)
) STRICT, WITHOUT ROWID;

-- Records that the box can no longer show, with the number of those of each kind.
CREATE TABLE gap (
    box         TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    why         TEXT NOT NULL,           -- full, age, thinned, damaged, restored
    ranges      TEXT NOT NULL,           -- 0-255,512-512: their numbers, ascending
    frames      INTEGER NOT NULL,
    rejected    INTEGER NOT NULL,
    other       INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,        -- of their canonical form
    PRIMARY KEY (box, seq)
) STRICT, WITHOUT ROWID;

-- Frames the box refused; it keeps their bytes.
CREATE TABLE rejected (
    box         TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    why         TEXT NOT NULL,
    detail      TEXT NOT NULL,
    raw_len     INTEGER NOT NULL,
    raw_sha256  TEXT NOT NULL,
    PRIMARY KEY (box, seq)
) STRICT, WITHOUT ROWID;

-- Alarm transitions (ISA-18.2).
CREATE TABLE alarm (
    box         TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    source      TEXT NOT NULL,
    rule        TEXT NOT NULL,
    quantity    TEXT NOT NULL,
    from_state  TEXT NOT NULL,
    to_state    TEXT NOT NULL,
    side        TEXT NOT NULL,           -- high, low
    limit_value TEXT NOT NULL,           -- exact decimal
    value       TEXT,                    -- exact decimal
    cause_seq   INTEGER NOT NULL,        -- the record that decided
    wall_ms     INTEGER NOT NULL,
    clock       TEXT NOT NULL,
    PRIMARY KEY (box, seq)
) STRICT, WITHOUT ROWID;

-- What is held or was left out by a filter of the box, as disjoint ranges of sequence numbers that never touch.
CREATE TABLE coverage (
    box         TEXT NOT NULL,
    first_seq   INTEGER NOT NULL,
    last_seq    INTEGER NOT NULL,
    PRIMARY KEY (box, first_seq)
) STRICT, WITHOUT ROWID;

-- One root for each size a box ever signed: a second one would be a second history.
CREATE TABLE head (
    box         TEXT NOT NULL,
    size        INTEGER NOT NULL,
    root        TEXT NOT NULL,           -- 64 hex digits
    batch_no    INTEGER NOT NULL,        -- the batch that brought it first
    PRIMARY KEY (box, size)
) STRICT, WITHOUT ROWID;

-- Signed tree heads that travelled along, byte for byte.
CREATE TABLE checkpoint (
    box         TEXT NOT NULL,
    size        INTEGER NOT NULL,
    cose        BLOB NOT NULL,
    root        TEXT NOT NULL,
    wall_ms     INTEGER NOT NULL,
    PRIMARY KEY (box, size, cose)
) STRICT, WITHOUT ROWID;

-- Counts kept up with every batch, so that nobody has to count the tables above.
CREATE TABLE tally (
    box         TEXT NOT NULL,
    source      TEXT NOT NULL,           -- empty where a record is about no device
    kind        TEXT NOT NULL,
    records     INTEGER NOT NULL,
    readings    INTEGER NOT NULL,
    PRIMARY KEY (box, source, kind)
) STRICT, WITHOUT ROWID;
