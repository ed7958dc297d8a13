-- What version 5 has beside the tables of version 4.

-- What platforms commanded. act: commanded has number, ordered, refused and command; settled has first_seq, the record with the
-- command, and ordered.
ALTER TABLE audit ADD COLUMN number INTEGER;         -- the command's own
ALTER TABLE audit ADD COLUMN ordered TEXT;           -- resend, sampling, rules; what became of it: kept, rolled_back, superseded
ALTER TABLE audit ADD COLUMN refused TEXT;           -- why the box does not carry it out; NULL: it does
ALTER TABLE audit ADD COLUMN command TEXT;           -- SHA-256 of the command as it was signed, in hex
CREATE INDEX audit_commanded ON audit (box, command) WHERE act = 'commanded';
