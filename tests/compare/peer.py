"""What every contestant has in common: an edge whose state is on the counted disk, sensors, and a far end."""

import collections
import json
import pathlib
import sys

from process import Process

SENSORS = 8  # of one contestant, at one time
WINDOW = 250  # publishes of a sensor that wait for their acknowledgement; 8 x 250 = 2,000
PEERS = pathlib.Path(__file__).resolve().parent.parent / "peers"
# Some 87 bytes; the number is unique.
PAYLOAD = '{"n":%n,"cod":%v,"ph":7.31,"nh3_n":1.84,"temp":18.6,"flow":0.412,"battery":3.61}'


class Peer:
    """One product in one configuration. A subclass says how it is started and what its far end received."""

    name = title = None
    messages_max = None  # of a configuration that is too slow for more

    def __init__(self, disk, scratch):
        self.disk, self.scratch = disk, scratch
        self.edge, self.far, self.sensors = [], [], []

    def prepare(self):
        """Writes configurations, and does what is done once at installation."""

    def start(self):
        """Starts the edge; returns the milliseconds until it listened."""
        raise NotImplementedError

    def restore_link(self):
        """Starts the far end: until then the edge knocks in vain."""
        raise NotImplementedError

    def received(self):
        """How many messages the far end holds now, cheaply."""
        raise NotImplementedError

    def numbers(self):
        """The number of each message that the far end holds, as often as it holds it."""
        raise NotImplementedError

    def sensor(self, name, first, count, acked, rate, seconds):
        """The command of a sensor: `count` messages from the number `first` on, each acknowledgement to a file."""
        return [
            *(sys.executable, PEERS / "paho_sensor.py", "--port", self.port, "--user", name, "--topic", f"d/{name}/up"),
            *("--password", self.password(name), "--payload", PAYLOAD, "--first", first, "--count", count),
            *("--window", WINDOW, "--rate", rate, "--acked", acked, "--deadline", seconds),
        ]

    @staticmethod
    def password(name):
        """What a sensor shows to those who ask for it."""
        return f"secret-of-{name}"

    def sensor_names(self):
        """Who sends."""
        return [f"cod-{nth}" for nth in range(SENSORS)]

    def publish(self, messages, rate, seconds):
        """Starts the sensors, which together send so many a second."""
        names, first = self.sensor_names(), 1
        for nth, name in enumerate(names):
            count = (messages * (nth + 1)) // len(names) - (first - 1)
            if count:
                command = self.sensor(name, first, count, self.scratch / f"{name}.acked", rate / len(names), seconds)
                self.sensors.append(Process(command, self.scratch / f"{name}.log"))
            first += count

    def check(self):
        """Fails if a sensor gave up."""
        for sensor in self.sensors:
            if sensor.child.poll():
                sensor.check()

    def acked_files(self):
        """What the sensors saw acknowledged, a line each."""
        return [self.scratch / f"{name}.acked" for name in self.sensor_names()]

    def rss_bytes(self, field):
        """Of all processes of the edge."""
        return sum(process.rss_bytes(field) for process in self.edge)

    def kill(self):
        """SIGKILL to the edge."""
        for process in self.edge:
            process.kill()
        self.edge = []

    def stop(self):
        """Ends whatever runs."""
        for process in [*self.sensors, *self.edge, *self.far]:
            process.kill()
        self.sensors, self.edge, self.far = [], [], []


class LineCount:
    """Counts the lines of growing files without reading anything twice."""

    def __init__(self, files):
        self.read = {file: 0 for file in files}
        self.lines = 0

    def count(self):
        """Complete lines so far."""
        for file, offset in self.read.items():
            if not file.exists():
                continue
            with open(file, "rb") as opened:
                opened.seek(offset)
                new = opened.read()
            self.read[file] += len(new)
            self.lines += new.count(b"\n")
        return self.lines


def numbers_of(files):
    """`n` of each complete line of JSON, as often as it stands there."""
    counted = collections.Counter()
    for file in files:
        if file.exists():
            lines = file.read_bytes().splitlines(keepends=True)
            counted.update(json.loads(line)["n"] for line in lines if line.endswith(b"\n"))
    return counted
