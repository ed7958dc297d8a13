-- What each destination holds by its own receipts.
CREATE TABLE coverage (
    destination TEXT NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    PRIMARY KEY (destination, first)
) STRICT, WITHOUT ROWID;

-- Cut and signed, not yet receipted: the bytes are kept, so that the same batch is sent again (D2).
CREATE TABLE batch (
    destination TEXT NOT NULL,
    id          BLOB NOT NULL,
    lane        INTEGER NOT NULL,
    ranges      BLOB NOT NULL,
    bytes       BLOB NOT NULL,
    filter      TEXT,                        -- by which records were left out of it; none: nothing was
    left_out    INTEGER NOT NULL DEFAULT 0,  -- numbers of its ranges without a record in it
    withheld    INTEGER NOT NULL DEFAULT 0,  -- of those, the ones that the destination never got
    PRIMARY KEY (destination, id)
) STRICT;

CREATE TABLE receipt (
    destination TEXT NOT NULL,
    id          BLOB NOT NULL,
    cose        BLOB NOT NULL,
    PRIMARY KEY (destination, id)
) STRICT;

-- Refused for its content; its records are settled, not delivered, until someone has it sent again.
CREATE TABLE parked (
    destination TEXT NOT NULL,
    id          BLOB NOT NULL,
    ranges      BLOB NOT NULL,
    bytes       BLOB NOT NULL,
    reason      TEXT NOT NULL,
    lane        INTEGER NOT NULL DEFAULT 2,
    filter      TEXT,                        -- by which records were left out of it; none: nothing was
    left_out    INTEGER NOT NULL DEFAULT 0,  -- numbers of its ranges without a record in it
    withheld    INTEGER NOT NULL DEFAULT 0,  -- of those, the ones that the destination never got
    PRIMARY KEY (destination, id)
) STRICT;

CREATE TABLE destination (
    name             TEXT PRIMARY KEY,
    checkpoints_sent INTEGER NOT NULL DEFAULT 0,
    receipts         INTEGER NOT NULL DEFAULT 0,
    records          INTEGER NOT NULL DEFAULT 0,
    bytes            INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What a metered link carried in a day and its month: days since 1970-01-01 and months since January 1970, or none while
-- nobody knows the date.
CREATE TABLE usage (
    destination TEXT PRIMARY KEY,
    day         INTEGER,
    month       INTEGER,
    day_bytes   INTEGER NOT NULL,
    month_bytes INTEGER NOT NULL
) STRICT;

-- Refused and given up by order: settled, not delivered.
CREATE TABLE dropped (
    destination TEXT NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    PRIMARY KEY (destination, first)
) STRICT, WITHOUT ROWID;

-- Where batches left out records: by which filters (one a line), so that another one can tell what the destination has.
-- What stands in no such range went whole.
CREATE TABLE filtered (
    destination TEXT NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    filters     TEXT NOT NULL,
    withheld    INTEGER NOT NULL,
    PRIMARY KEY (destination, first)
) STRICT, WITHOUT ROWID;

-- Records that the destination had, and commanded to be sent once more: on their way.
CREATE TABLE resend (
    destination TEXT NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    PRIMARY KEY (destination, first)
) STRICT, WITHOUT ROWID;

-- Commands of the destination in records of the journal before this one are carried out.
CREATE TABLE obeyed (
    destination TEXT NOT NULL PRIMARY KEY,
    next        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who was told of which alarm, one row an alarm: what `notify` made of it.
CREATE TABLE notification (
    alarm TEXT NOT NULL PRIMARY KEY,
    body  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Alarm records before this one are known to it; and in which boot that was stored last.
CREATE TABLE notified (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    next INTEGER NOT NULL,
    boot TEXT NOT NULL
) STRICT;
