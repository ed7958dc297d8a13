-- What version 7 has beside the tables of version 6.

-- Why an alarm was not shown to people at this step (ISA-18.2: suppressed by design); NULL: it was.
ALTER TABLE alarm ADD COLUMN suppression TEXT;       -- by_design
