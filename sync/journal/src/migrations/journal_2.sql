-- Schema 1 to schema 2: codecs, commands to devices, states, MQTT sessions.
-- Which codecs are journaled: asked once a start.
CREATE INDEX record_codec ON record (seq) WHERE kind = 4;

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

-- A column at its place in the schema's text, so that a migrated file is as a new one.
ALTER TABLE device RENAME TO device_1;
CREATE TABLE device (
    name      TEXT PRIMARY KEY,
    session   BLOB NOT NULL,
    accepted  INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    rejected  INTEGER NOT NULL,
    shed      INTEGER NOT NULL,
    client    BLOB NOT NULL
) STRICT;
INSERT INTO device SELECT *, x'' FROM device_1;
DROP TABLE device_1;
