-- Schema 1 to schema 2: a parked batch keeps its lane, so that it can be sent again as it was. Older ones go as backlog.
ALTER TABLE parked ADD COLUMN lane INTEGER NOT NULL DEFAULT 2;
