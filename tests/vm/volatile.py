"""A disk with a volatile write cache: a plugin of nbdkit that keeps what is written in memory until FLUSH.

    nbdkit -f --filter=blocksize -U SOCKET python volatile.py minblock=4096 maxdata=4096 file=IMAGE seed=1

SIGKILL is the power cut. The cache goes to the medium block by block, in any order and when it likes, as in a real disk:
so the image then holds all that was flushed, and of the rest a part that the seed decides.

  lie=1            FLUSH is answered and does nothing: a disk that must be found out
  log=FILE         each write and FLUSH is noted there too, with the length of each of the
  witnesses=A:B    files at that moment: what the outside had seen. `read_log` tells the format
"""

import io
import os
import random
import struct

API_VERSION = 2
# How many of the blocks that wait leave the cache with each write: more would leave it nothing to lose.
LEAVES_SHARE = 0.5

settings = {"log": "", "witnesses": "", "seed": "0", "lie": ""}
cache = {}  # offset -> block
waiting = []  # the offsets of what is in it, in no order: one of many is drawn in no time
medium = log = chance = None


def config(key, value):
    """One `key=value` of the command line."""
    settings[key] = value


def get_ready():
    """Opens the files."""
    global medium, log, chance
    medium = os.open(settings["file"], os.O_RDWR)
    chance = random.Random(int(settings["seed"]))
    if settings["log"]:
        log = os.open(settings["log"], os.O_CREAT | os.O_TRUNC | os.O_WRONLY)


def note(offset, block):
    """Adds to the log; an empty block stands for FLUSH."""
    if log is None:
        return
    sizes = [os.stat(path).st_size if os.path.exists(path) else 0 for path in settings["witnesses"].split(":")]
    os.write(log, struct.pack(f"<{2 + len(sizes)}Q", offset, len(block), *sizes) + block)


def read_log(path, witnesses):
    """Yields (offset, block, sizes of the witnesses) of each note; the block of a FLUSH is empty."""
    head = struct.Struct(f"<{2 + witnesses}Q")
    with io.open(path, "rb") as file:
        while len(text := file.read(head.size)) == head.size:
            offset, length, *sizes = head.unpack(text)
            yield offset, file.read(length), sizes


def open(readonly):  # noqa: A001, the name is nbdkit's
    """A connection."""
    return 1


def get_size(handle):
    """Bytes."""
    return os.fstat(medium).st_size


def pread(handle, buffer, offset, flags):
    """What was written last."""
    buffer[:] = cache.get(offset) or os.pread(medium, len(buffer), offset)


def pwrite(handle, buffer, offset, flags):
    """Into the cache; a block that waits may leave it."""
    if offset not in cache:
        waiting.append(offset)
    cache[offset] = bytes(buffer)
    note(offset, cache[offset])
    if chance.random() < LEAVES_SHARE:
        drawn = chance.randrange(len(waiting))
        waiting[drawn], waiting[-1] = waiting[-1], waiting[drawn]
        leaves = waiting.pop()
        os.pwrite(medium, cache.pop(leaves), leaves)


def flush(handle, flags):
    """All of the cache onto the medium."""
    if settings["lie"]:
        return
    for offset, block in cache.items():
        os.pwrite(medium, block, offset)
    cache.clear()
    waiting.clear()
    os.fdatasync(medium)
    note(0, b"")
