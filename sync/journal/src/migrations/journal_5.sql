-- Schema 4 to schema 5: roots of larger subtrees; the next start folds those that are complete.
-- The roots of the larger subtrees that are kept: of level 16 over records 2^16 n to 2^16 (n + 1) - 1, of 24 and 32 likewise.
CREATE TABLE subtree (
    level INTEGER NOT NULL,
    no    INTEGER NOT NULL,
    root  BLOB NOT NULL,
    PRIMARY KEY (level, no)
) STRICT, WITHOUT ROWID;
