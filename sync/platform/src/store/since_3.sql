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
