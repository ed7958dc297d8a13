"""mosquitto with a bridge to another mosquitto."""

import os

from peer import LineCount, Peer, numbers_of
from process import Process, free_port

# A broker that was started as root goes on as another user, who may not write here.
USER = "user root\n" if os.geteuid() == 0 else ""


class Mosquitto(Peer):
    """As Debian ships it: the queue of a bridge that is down holds 1,000, and is saved every 1,800 s."""

    name = "mosquitto"
    title = "mosquitto bridge, Debian's defaults"
    more = ""

    def prepare(self):
        """The far broker knows its subscriber already, so that nothing passes by it when the link is back."""
        self.port, self.far_port = free_port(), free_port()
        state, far_state = self.disk.folder / "mosquitto", self.scratch / "far"
        state.mkdir()
        far_state.mkdir()
        self.config, self.far_config = self.scratch / "edge.conf", self.scratch / "far.conf"
        common = f"{USER}allow_anonymous true\npersistence true\nlog_dest stderr\n"
        self.config.write_text(
            f"{common}listener {self.port} 127.0.0.1\npersistence_location {state}/\n{self.more}"
            f"connection far\naddress 127.0.0.1:{self.far_port}\ntopic d/# out 1\ncleansession false\n"
            "restart_timeout 1\n"
        )
        self.far_config.write_text(
            f"{common}listener {self.far_port} 127.0.0.1\npersistence_location {far_state}/\nmax_queued_messages 0\n"
        )
        far = self._start_far()
        try:
            Process(self._subscriber("-E"), self.scratch / "subscribed").finish(30)
        finally:
            far.child.terminate()  # which saves the subscription
            far.finish(30)

    def _start_far(self):
        far = Process(["mosquitto", "-c", self.far_config], self.scratch / "far.log")
        far.until_listening(self.far_port)
        return far

    def _subscriber(self, *more):
        return [
            *("mosquitto_sub", "-h", "127.0.0.1", "-p", self.far_port, "-i", "far-end", "-c", "-q", "1"),
            *("-t", "d/#", *more),
        ]

    def start(self):
        broker = Process(["mosquitto", "-c", self.config], self.scratch / "edge.log")
        self.edge = [broker]
        return broker.until_listening(self.port)

    def restore_link(self):
        self.file = self.scratch / "received"
        self.lines = LineCount([self.file])
        self.far = [self._start_far()]
        self.far.append(Process(self._subscriber(), self.file))

    def received(self):
        return self.lines.count()

    def numbers(self):
        return numbers_of([self.file])


class MosquittoAutosave(Mosquitto):
    """What its manual offers to those who must not lose much."""

    name = "mosquitto-autosave"
    title = "mosquitto bridge, unlimited queue, saved every 10 s"
    more = "max_queued_messages 0\nautosave_interval 10\n"


class MosquittoEveryChange(Mosquitto):
    """What its manual offers to those who must not lose anything: the whole queue is written at each change."""

    name = "mosquitto-every-change"
    title = "mosquitto bridge, unlimited queue, saved at every change"
    more = "max_queued_messages 0\nautosave_on_changes true\nautosave_interval 1\n"
    messages_max = 4_000
