-- Schema 2 to schema 3: what a metered link carried.
CREATE TABLE usage (
    destination TEXT PRIMARY KEY,
    day         INTEGER,
    month       INTEGER,
    day_bytes   INTEGER NOT NULL,
    month_bytes INTEGER NOT NULL
) STRICT;
