"""A NATS leaf node with JetStream, and a hub whose stream takes from it."""

import pathlib
import subprocess
import sys

from peer import PAYLOAD, SENSORS, WINDOW, LineCount, Peer, numbers_of
from process import Process, free_port

PROGRAM = pathlib.Path(sys.executable).parent / "nats-server"
CLIENT = pathlib.Path(__file__).resolve().parent / "nats_client.py"


class JetStream(Peer):
    """As it comes: what was acknowledged is synced to the disk within two minutes."""

    name = "nats"
    title = "NATS leaf + JetStream, defaults (synced every 2 min)"
    more = ""

    def prepare(self):
        self.port, self.far_port, leaf = free_port(), free_port(), free_port()
        self.config, self.far_config = self.scratch / "edge.conf", self.scratch / "far.conf"
        state, far_state = self.disk.folder / "nats", self.scratch / "far"
        server = 'server_name: {0}\nlisten: "127.0.0.1:{1}"\njetstream {{ store_dir: "{2}", domain: {0}{3} }}\n'
        self.config.write_text(
            server.format("edge", self.port, state, self.more)
            + f'leafnodes {{ reconnect: "1s", remotes: [ {{ url: "nats-leaf://127.0.0.1:{leaf}" }} ] }}\n'
        )
        self.far_config.write_text(
            server.format("hub", self.far_port, far_state, self.more)
            + f'leafnodes {{ listen: "127.0.0.1:{leaf}" }}\n'
        )
        self.start()
        try:
            self._client("create", "--port", self.port)
        finally:
            self.kill()

    @staticmethod
    def _client(*arguments):
        command = [sys.executable, str(CLIENT), *(str(argument) for argument in arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stderr}")
        return done.stdout

    def sensor_names(self):
        # One client of this library keeps the whole window busy.
        return ["cod-0"]

    def sensor(self, name, first, count, acked, rate, seconds):
        return [
            *(sys.executable, CLIENT, "publish", "--port", self.port, "--subject", f"d.{name}.up"),
            *("--payload", PAYLOAD, "--first", first, "--count", count, "--window", SENSORS * WINDOW),
            *("--rate", rate, "--acked", acked, "--deadline", seconds),
        ]

    def start(self):
        server = Process([PROGRAM, "-c", self.config], self.scratch / "edge.log")
        self.edge = [server]
        return server.until_listening(self.port)

    def restore_link(self):
        self.file = self.scratch / "received"
        self.lines = LineCount([self.file])
        hub = Process([PROGRAM, "-c", self.far_config], self.scratch / "far.log")
        self.far = [hub]
        hub.until_listening(self.far_port)
        self._client("source", "--port", self.far_port)
        self.far.append(Process([sys.executable, CLIENT, "collect", "--port", self.far_port], self.file))

    def received(self):
        return self.lines.count()

    def numbers(self):
        return numbers_of([self.file])


class JetStreamAlways(JetStream):
    """Synced before each acknowledgement, at both ends."""

    name = "nats-always"
    title = "NATS leaf + JetStream, `sync_interval: always`"
    more = ", sync_interval: always"
    messages_max = 20_000
