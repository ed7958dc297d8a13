-- What version 5 has beside the tables of version 4.

-- What platforms commanded. act: commanded has number, ordered, refused and command; settled has first_seq, the record with the
-- command, and ordered.
ALTER TABLE audit ADD COLUMN number INTEGER;         -- the command's own
ALTER TABLE audit ADD COLUMN ordered TEXT;           -- resend, sampling, rules; what became of it: kept, rolled_back, superseded
ALTER TABLE audit ADD COLUMN refused TEXT;           -- why the box does not carry it out; NULL: it does
ALTER TABLE audit ADD COLUMN command TEXT;           -- SHA-256 of the command as it was signed, in hex
CREATE INDEX audit_commanded ON audit (box, command) WHERE act = 'commanded';

-- Each version of an outfall's dossier, whole: the newest of an outfall is in force. Where `told_seq` is set, this record tells
-- again what that one told, at `told_ms`, which the box no longer has.
CREATE TABLE dossier (
    box         TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    outfall     TEXT NOT NULL,           -- its code
    version     INTEGER NOT NULL,        -- 1, 2, 3, ... of this outfall
    actor       TEXT NOT NULL,           -- user NUMBER on the box, or platform NAME
    reason      TEXT NOT NULL,
    name        TEXT NOT NULL,
    class       TEXT NOT NULL,           -- HJ 1312-2023: urban_stormwater, urban_treatment_plant, ...
    state       TEXT NOT NULL,           -- planned, in_use, suspended, remediating, remediated, merged, abolished
    longitude   TEXT NOT NULL,           -- degrees, exact
    latitude    TEXT NOT NULL,
    datum       TEXT NOT NULL,           -- CGCS2000, WGS-84
    dossier     TEXT NOT NULL,           -- all of it as JSON
    told_seq    INTEGER,
    told_ms     INTEGER,
    wall_ms     INTEGER NOT NULL,
    clock       TEXT NOT NULL,
    PRIMARY KEY (box, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX dossier_of_outfall ON dossier (box, outfall, version, seq);

-- Which devices stand at an outfall, and no others: the newest of an outfall counts. `told_seq` as above.
CREATE TABLE standing (
    box         TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    outfall     TEXT NOT NULL,
    devices     TEXT NOT NULL,           -- cod-1,flow-1
    told_seq    INTEGER,
    told_ms     INTEGER,
    PRIMARY KEY (box, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX standing_of_outfall ON standing (box, outfall, seq);

-- Of what people and platforms ordered: that a key took the place of another one (key_changed). `key` is the one that came,
-- `platform` whose key it is, or by whose word; NULL: the box's own, by its own.
ALTER TABLE audit ADD COLUMN former TEXT;            -- the Ed25519 key that went, in hex
ALTER TABLE audit ADD COLUMN statement BLOB;         -- who could say so signed it: key-change or succession of batch.cddl

-- Of what people ordered: that a configuration file of the box got another text (configured). `ordered` is applied for a new one,
-- rolled_back for one that it had before.
ALTER TABLE audit ADD COLUMN file TEXT;              -- gateway, devices, rules, sync
ALTER TABLE audit ADD COLUMN sha256 TEXT;            -- of the text, in hex
