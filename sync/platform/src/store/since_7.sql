-- What version 8 has beside the tables of version 7.

-- What the good readings of a device came to over a window of the clock, a line for each quantity: from_ms <= time < from_ms +
-- 1000 * period_s, by when they were measured. There is one record of each device, outfall, period and window.
CREATE TABLE aggregate (
    box         TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    idx         INTEGER NOT NULL,        -- place among the values that came, from 0
    source      TEXT NOT NULL,
    outfall     TEXT,                    -- code of the outfall at which the device stood; NULL: at none
    from_ms     INTEGER NOT NULL,
    period_s    INTEGER NOT NULL,        -- 600, 3600, 86400, ...
    quantity    TEXT NOT NULL,
    unit        TEXT NOT NULL,
    good        INTEGER NOT NULL,        -- readings that count
    doubtful    INTEGER NOT NULL,        -- readings that are not good, and do not
    parts       INTEGER NOT NULL,        -- minutes of the window with a good reading; from an hour on, its ten minutes
    min         TEXT,                    -- exact decimals; NULL where nothing was good
    mean        TEXT,                    -- arithmetic mean of the means of those parts
    max         TEXT,
    volume_m3   TEXT,                    -- of a flow: what passed in those parts
    mean_real   REAL,                    -- mean as a double, approximate: for queries, not for evidence
    wall_ms     INTEGER NOT NULL,        -- when the window was closed
    clock       TEXT NOT NULL,
    PRIMARY KEY (box, seq, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX aggregate_series ON aggregate (box, source, quantity, period_s, from_ms);
