-- Schema 4 to schema 5: what a platform commanded to be sent once more.
CREATE TABLE resend (
    destination TEXT NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    PRIMARY KEY (destination, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE obeyed (
    destination TEXT NOT NULL PRIMARY KEY,
    next        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
