"""Weir: the field daemon and the upload daemon, and the reference platform as the far end."""

import json
import os
import pathlib
import sqlite3
import ssl
import subprocess
import urllib.request

from peer import Peer
from process import LISTEN_S_MAX, Process, free_port, until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ.get("WEIR_BIN", ROOT / "target/release/weir"))
UNITS = {"n": "1", "cod": "mg/L", "ph": "[pH]", "nh3_n": "mg/L", "temp": "Cel", "flow": "L/s", "battery": "V"}


class Weir(Peer):
    """Its defaults; only the link is tried each second, as the others do."""

    name = "weir"
    title = "Weir, defaults"

    def prepare(self):
        """Box and platform exchange their keys, as at an installation."""
        if not PROGRAM.is_file():
            raise OSError(f"there is no {PROGRAM} · try: cargo build --release -p weir")
        self.port, self.far_port = free_port(), free_port()
        self.state, self.run, self.far_state = self.disk.folder / "weir", self.scratch / "run", self.scratch / "far"
        self._write_box()
        gateway = self._daemon("gateway")
        gateway.until_listening(self.port)
        gateway.kill()
        key = self._weir("identity", "--json")["key"]
        listen = f'name = "far"\nlisten = "127.0.0.1:{self.far_port}"\nstate_dir = "far"\n'
        (self.scratch / "platform.toml").write_text(f'{listen}[[box]]\nid = "outfall-1"\nkey = "{key}"\n')
        platform = self._daemon("platform")
        self._until_serving(platform)
        platform.kill()
        (self.scratch / "sync.toml").write_text(
            f'state_dir = "{self.state}"\nrun_dir = "run"\n[[destination]]\nname = "far"\n'
            f'url = "https://127.0.0.1:{self.far_port}/"\nca_file = "far/tls.crt"\n'
            f'key = "{(self.far_state / "platform.pub").read_text().strip()}"\n'
            "[destination.backoff]\nceiling_ms = 1_000\n"
        )

    def _write_box(self):
        (self.scratch / "gateway.toml").write_text(
            f'box = "outfall-1"\nstate_dir = "{self.state}"\nrun_dir = "run"\n'
            f'[mqtt]\nlisten = "127.0.0.1:{self.port}"\n[gwmp]\nenabled = false\n'
        )
        fields = [f'{{ path = "/{name}", quantity = "{name}", unit = "{unit}" }}' for name, unit in UNITS.items()]
        codec = f'[device.codec]\nkind = "json"\nfields = [{", ".join(fields)}]\n'
        devices = [f'[[device]]\nname = "{name}"\n[device.mqtt]\n{codec}' for name in self.sensor_names()]
        (self.scratch / "devices.toml").write_text("".join(devices))
        (self.scratch / "rules.toml").write_text("")
        keys = self.scratch / "keys.toml"
        keys.touch(mode=0o600)
        keys.write_text("".join(f'[{name}]\npassword = "{self.password(name)}"\n' for name in self.sensor_names()))

    def _daemon(self, name):
        return Process([PROGRAM, name, "run", "--config", self.scratch / f"{name}.toml"], self.scratch / f"{name}.log")

    def _weir(self, *arguments):
        command = [str(PROGRAM), "--state-dir", str(self.state), "--run-dir", str(self.run), *arguments]
        return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)

    def start(self):
        gateway = self._daemon("gateway")
        self.edge = [gateway]
        took_ms = gateway.until_listening(self.port)
        self.edge.append(self._daemon("sync"))
        until("the upload daemon is ready", LISTEN_S_MAX, (self.run / "sync.sock").exists)
        return took_ms

    def restore_link(self):
        self.far = [self._daemon("platform")]
        self._until_serving(*self.far)

    def _until_serving(self, platform):
        def serves():
            platform.check()
            try:
                trust = ssl.create_default_context(cafile=self.far_state / "tls.crt")
                return urllib.request.urlopen(f"https://127.0.0.1:{self.far_port}/healthz", timeout=5, context=trust)
            except OSError:
                return None

        until("the platform serves", LISTEN_S_MAX, serves, 0.1)

    def _query(self, sql):
        # The published schema of the platform's database; whoever may read its file may ask.
        database = sqlite3.connect(f"file:{self.far_state / 'platform.db'}?mode=ro", uri=True, timeout=30)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()

    def received(self):
        return self._query("SELECT count(*) FROM record")[0][0]

    def numbers(self):
        counted = self._query("SELECT value, count(*) FROM reading WHERE quantity = 'n' GROUP BY value")
        return {int(value): count for value, count in counted}
