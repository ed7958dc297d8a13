"""A machine that qemu emulates, and the disk whose power is cut with it."""

import pathlib
import shutil
import time

from process import Process, until

HERE = pathlib.Path(__file__).resolve().parent
BOOT_S_MAX = 600  # some 20 s on an idle machine; it shares the processor with all that runs
MEMORY_MB = 512


class Machine:
    """Powered on by `start`, cut by `cut`; in between `bed` is a folder that both sides see."""

    def __init__(self, scratch, boot, ports):
        self.scratch, self.bed, self.image = scratch, scratch / "bed", scratch / "data.img"
        self.kernel, self.initrd, self.root = boot
        self.mqtt, self.gwmp = ports
        self.disk = self.qemu = None
        self.bed.mkdir()
        shutil.copy(HERE / "guest.sh", self.bed)

    def start(self, seed, *disk_options):
        """Power on."""
        for stale in ["up", "ready", "over"]:
            (self.bed / stale).unlink(missing_ok=True)
        (self.bed / "seed").write_text(f"{seed}\n")
        socket = self.serve(seed, *disk_options)
        forward = [f"hostfwd=tcp:127.0.0.1:{self.mqtt}-:1883", f"hostfwd=udp:127.0.0.1:{self.gwmp}-:1700"]
        command = [
            *("qemu-system-x86_64", "-M", "q35,accel=tcg", "-cpu", "max", "-smp", "2", "-m", MEMORY_MB),
            *("-nodefaults", "-no-user-config", "-display", "none", "-serial", f"file:{self.scratch / 'console.log'}"),
            *("-kernel", self.kernel, "-initrd", self.initrd),
            *("-append", "root=/dev/vda rw console=ttyS0 panic=5 quiet mitigations=off net.ifnames=0"),
            *("-drive", f"file={self.root},if=virtio,format=raw,snapshot=on"),
            *("-drive", f"file=nbd:unix:{socket},if=virtio,format=raw,cache=writeback"),
            *("-virtfs", f"local,path={self.bed},mount_tag=bed,security_model=none"),
            *("-nic", f"user,model=virtio-net-pci,{','.join(forward)}"),
        ]
        self.qemu = Process(command, self.scratch / "qemu.log")

    def serve(self, seed, *disk_options):
        """Starts the disk; returns its socket."""
        socket = self.scratch / "nbd.sock"
        socket.unlink(missing_ok=True)
        plugin = [HERE / "volatile.py", "minblock=4096", "maxdata=4096", f"file={self.image}", f"seed={seed}"]
        command = ["nbdkit", "-f", "--filter=blocksize", "-U", socket, "python", *plugin, *disk_options]
        self.disk = Process(command, self.scratch / "disk.log")
        until("the disk serves", 20, lambda: self.disk.check() or socket.exists())
        return socket

    def until(self, file, seconds=BOOT_S_MAX):
        """Waits until the guest makes this file; returns the seconds since power on."""

        def made():
            self.qemu.check()
            self.disk.check()
            return (self.bed / file).exists()

        until(f"the guest is at `{file}`", seconds, made, 0.1)
        return time.monotonic() - self.qemu.began

    def cut(self):
        """The power goes: first the disk, so that nothing reaches it any more."""
        self.disk.kill()
        self.qemu.kill()

    def stop(self):
        """Ends whatever runs."""
        for process in [self.disk, self.qemu]:
            if process:
                process.kill()

    def told(self):
        """What the guest said last, for who must find out what went wrong."""
        logs = [self.bed / "guest.log", self.scratch / "console.log", self.scratch / "qemu.log", self.scratch / "disk.log"]
        return "\n".join(f"-- {log.name}:\n{log.read_text(errors='replace')[-2_000:]}" for log in logs if log.exists())
