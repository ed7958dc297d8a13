-- Schema 5 to schema 6: who was told of which alarm.
CREATE TABLE notification (
    alarm TEXT NOT NULL PRIMARY KEY,
    body  BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE notified (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    next INTEGER NOT NULL,
    boot TEXT NOT NULL
) STRICT;
