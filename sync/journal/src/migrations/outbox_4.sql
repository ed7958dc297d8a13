-- Schema 3 to schema 4: what was refused and given up by order, and what a filter keeps from a destination.
CREATE TABLE dropped (
    destination TEXT NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    PRIMARY KEY (destination, first)
) STRICT, WITHOUT ROWID;
ALTER TABLE batch ADD COLUMN filter TEXT;
ALTER TABLE batch ADD COLUMN left_out INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batch ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;
ALTER TABLE parked ADD COLUMN filter TEXT;
ALTER TABLE parked ADD COLUMN left_out INTEGER NOT NULL DEFAULT 0;
ALTER TABLE parked ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;
CREATE TABLE filtered (
    destination TEXT NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    filters     TEXT NOT NULL,
    withheld    INTEGER NOT NULL,
    PRIMARY KEY (destination, first)
) STRICT, WITHOUT ROWID;
