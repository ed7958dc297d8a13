"""The state of a box that an older program left: its journal has the tables of schema 1."""

import io
import pathlib
import sqlite3
import sys

import load
from process import Process, free_port, until

SQL = pathlib.Path(__file__).resolve().parent.parent.parent / "sync/journal/src/tests/journal_1.sql"
FRAMES = 400
FRAME = 1  # the kind of a record
FIRST = 5_000_000  # no number of the load to come
COPIED = """
    INSERT INTO device SELECT name, session, accepted, duplicate, rejected, shed FROM now.device;
    UPDATE tree SET (size, roots) = (SELECT size, roots FROM now.tree);
    INSERT INTO checkpoint SELECT size, cose FROM now.checkpoint;
    INSERT INTO meta SELECT key, value FROM now.meta;
    PRAGMA user_version = 1;
"""


def records(rows):
    """The number and the bytes of each record; a row with several has minus their count in place of a kind."""
    import zstandard  # only here: `--help` needs nothing that is not Python's own

    for first, kind, body in rows:
        if kind >= 0:
            yield first, body
            continue
        packed = io.BytesIO(zstandard.ZstdDecompressor().decompress(body))
        if int.from_bytes(packed.read(8), "big") != first:
            raise ValueError(f"the row of record {first} says that it has another")
        for seq in range(first, first - kind):
            yield seq, packed.read(int.from_bytes(packed.read(4), "big"))


def old_state(scratch, program):
    """A state folder with some frames, and the file with what their sensor saw acknowledged."""
    folder, port = scratch / "old", free_port()
    load.configure(folder)
    config = (folder / "gateway.toml").read_text().replace("0.0.0.0:1883", f"127.0.0.1:{port}")
    config = config.replace("0.0.0.0:1700", "127.0.0.1:0").replace("\n", '\nstate_dir = "state"\nrun_dir = "run"\n', 1)
    (folder / "gateway.toml").write_text(config)
    gateway = Process([program, "gateway", "run", "--config", folder / "gateway.toml"], folder / "gateway.log")
    try:
        until("the gateway is ready", 30, lambda: gateway.check() or (folder / "run/gateway.sock").exists())
        acked = folder / "acked"
        command = [
            *(sys.executable, load.PEERS / "paho_sensor.py", "--port", port, "--user", "cod-1", "--topic", "d/cod-1/up"),
            *("--password", "secret-of-cod-1", "--count", FRAMES, "--first", FIRST, "--acked", acked),
        ]
        Process(command, folder / "sensor.log").finish(60)
    finally:
        gateway.kill()
    journal = folder / "state/journal/journal.db"
    journal.rename(folder / "now.db")
    journal.with_suffix(".db-wal").rename(folder / "now.db-wal")
    journal.with_suffix(".db-shm").unlink()
    old = sqlite3.connect(journal, isolation_level=None)
    old.executescript(f"PRAGMA page_size = 1024;\n{SQL.read_text()}")
    old.execute("ATTACH ? AS now", [str(folder / "now.db")])
    old.executescript(COPIED)
    kinds = dict(old.execute("SELECT seq, kind FROM now.mark"))
    for seq, body in records(old.execute("SELECT seq, kind, body FROM now.record_0 ORDER BY seq")):
        old.execute("INSERT INTO record VALUES (?, ?, ?)", [seq, kinds.get(seq, FRAME), body])
    old.close()
    return folder / "state", acked
