"""A private ext4 on a loop device, whose sectors are counted by the kernel and by nobody else."""

import os
import pathlib
import subprocess
import sys

IMAGE_BYTES = 1024 * 1024 * 1024
SECTOR_BYTES = 512  # what /sys/block/*/stat counts in, whatever the device's own block is
SECTORS_WRITTEN = 6  # the field of that file


def tool(*command, seconds=60):
    """Runs a command to its end and returns what it printed."""
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()


class Disk:
    """Where an edge keeps its state: such a device, or a plain folder whose writes nobody counts."""

    def __init__(self, folder):
        self.folder, self.device, self.mounted = folder, None, False
        folder.mkdir()

    def mount(self, image):
        """Makes a file system in a new file and mounts it, if that can be had here."""
        if os.geteuid() != 0:
            print("compare: bytes are not counted, which needs root", file=sys.stderr)
            return
        try:
            with open(image, "wb") as file:
                file.truncate(IMAGE_BYTES)
            self.device = tool("losetup", "--find", "--show", str(image))
            # Nothing may be left for the kernel to initialise later, while we count.
            tool("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.device)
            tool("mount", self.device, str(self.folder))
            self.mounted = True
        except OSError as error:
            # A container often has no loop devices; all other columns are as good without.
            print(f"compare: bytes are not counted: {error}", file=sys.stderr)
            self.close()

    def written_bytes(self):
        """Writes back what the kernel holds, then counts; None if it cannot be counted."""
        if not self.mounted:
            return None
        tool("sync", "--file-system", str(self.folder))
        stat = pathlib.Path("/sys/block", pathlib.Path(self.device).name, "stat").read_text()
        return int(stat.split()[SECTORS_WRITTEN]) * SECTOR_BYTES

    def close(self):
        """Undoes whatever step was reached."""
        if self.mounted:
            tool("umount", str(self.folder))
            self.mounted = False
        if self.device:
            tool("losetup", "--detach", self.device)
            self.device = None
