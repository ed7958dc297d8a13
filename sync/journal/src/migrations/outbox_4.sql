-- Schema 3 to schema 4: what was refused and given up by order.
CREATE TABLE dropped (
    destination TEXT NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    PRIMARY KEY (destination, first)
) STRICT, WITHOUT ROWID;
