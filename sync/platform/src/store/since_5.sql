-- What version 6 has beside the tables of version 5.

-- What an alarm's value and limit are of; all NULL: of a single reading that only warns, in the unit of its frame.
ALTER TABLE alarm ADD COLUMN measure TEXT;           -- mean, flow_weighted_mean, load, silence, stuck, dry_weather, ...
ALTER TABLE alarm ADD COLUMN unit TEXT;              -- in what they are
ALTER TABLE alarm ADD COLUMN span_s INTEGER;         -- over how long, seconds; 0: at a moment
ALTER TABLE alarm ADD COLUMN tier TEXT;              -- attention, warning, exceedance, emergency
