"""The machine's root: Debian with systemd and its kernel, the built `weir` and the project's own units."""

import pathlib
import shutil
import textwrap

from disk import tool

HERE = pathlib.Path(__file__).resolve().parent
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TOOLS = ROOT / "tests/.tools/vm"
PACKAGES = (
    "systemd,systemd-sysv,dbus,udev,kmod,iproute2,e2fsprogs,dmsetup,initramfs-tools,linux-image-amd64"
)
# What builds the simulated GPIO chip; it is gone again afterwards.
SIMULATOR_PACKAGES = ",linux-headers-amd64,linux-source-6.1,gcc,make,xz-utils"
WEIR_UID = 990
ROOT_BYTES = 1_400 * 1024 * 1024

# The box's data and configuration stand on the disk whose power is cut, and nothing else does. /bed is a folder of the
# host: what is written there is outside of the machine at once.
FSTAB = """\
LABEL=data /data ext4 defaults 0 2
/data/weir /var/lib/weir none bind 0 0
/data/etc /etc/weir none bind 0 0
bed /bed 9p trans=virtio,version=9p2000.L 0 0
"""
# Beside packaging/systemd: load comes from outside, so the ports are not on loopback.
FILES = {
    "etc/fstab": FSTAB,
    "etc/hostname": "outfall-1\n",
    "etc/modules-load.d/bed.conf": "9pnet_virtio\n",
    "etc/systemd/network/bed.network": "[Match]\nName=e*\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n",
    "etc/systemd/system/weir-gateway-mqtt.socket.d/outside.conf": "[Socket]\nListenStream=\nListenStream=1883\n",
    "etc/systemd/system/weir-gateway.socket.d/outside.conf": "[Socket]\nListenDatagram=\nListenDatagram=1700\n",
    "etc/systemd/system/bed.service": """\
        [Unit]
        After=weir-gateway.service bed.mount
        Wants=weir-gateway.service
        [Service]
        ExecStart=/bin/bash /bed/guest.sh
        StandardOutput=append:/bed/guest.log
        StandardError=append:/bed/guest.log
        [Install]
        WantedBy=multi-user.target
        """,
}
UNITS = ["weir-gateway.socket", "weir-gateway-mqtt.socket", "weir-gateway.service"]
# Nothing that only costs emulated time.
MASKED = ["getty@.service", "serial-getty@.service", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer"]
MASKED += ["e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "systemd-timesyncd.service", "logrotate.timer"]


def base(name="root", packages=PACKAGES, *hooks):
    """Debian and Weir's user."""
    return debian(name, packages, *hooks, f'chroot "$1" useradd --system --uid {WEIR_UID} --home /var/lib/weir weir')


def debian(name, packages, *hooks):
    """Debian, made once and kept in `tests/.tools/vm`; a minute or two."""
    folder, stamp = TOOLS / name, TOOLS / f"{name}.packages"
    if stamp.exists() and stamp.read_text() == packages:
        return folder
    print(f"vm: Debian for the machine, by mmdebstrap (200 MB, kept in tests/.tools/vm/{name})", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    TOOLS.mkdir(parents=True, exist_ok=True)
    hooks = [f"--customize-hook={hook}" for hook in hooks]
    made = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}", *hooks, "bookworm", folder]
    tool(*made, seconds=3_600)
    stamp.write_text(packages)
    return folder


def build(program):
    """Puts the program and the units in; returns kernel, initial RAM disk and the root's image."""
    folder = base()
    image = install(folder, program, FILES, UNITS, {})
    boot = folder / "boot"
    return next(boot.glob("vmlinuz-*")), next(boot.glob("initrd.img-*")), image


def install(folder, program, files, enabled, etc):
    """Puts these files, the program, the units and the configuration in; returns the root's image."""
    image = folder.with_suffix(".ext4")
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    for mount in ["bed", "data", "etc/weir", "var/lib/weir"]:
        (folder / mount).mkdir(parents=True, exist_ok=True)
    for name, text in etc.items():
        file = folder / f"etc/weir/{name}.toml"
        file.write_text(text)
        file.chmod(0o600)
        tool("chown", f"{WEIR_UID}:{WEIR_UID}", file)
    if etc:
        tool("chroot", folder, "groupadd", "--force", "--system", "gpio")
        tool("chown", f"{WEIR_UID}:{WEIR_UID}", folder / "var/lib/weir")
    for unit in (ROOT / "packaging/systemd").iterdir():
        shutil.copy(unit, folder / "etc/systemd/system")
    shutil.copy(program, folder / "usr/bin/weir")
    tool("chroot", folder, "systemctl", "--quiet", "enable", "bed.service", "systemd-networkd", *enabled)
    tool("chroot", folder, "systemctl", "--quiet", "mask", *MASKED)
    image.unlink(missing_ok=True)
    tool("mkfs.ext4", "-q", "-F", "-d", folder, image, f"{ROOT_BYTES // 1024}k", seconds=300)
    return image


def relays(program, etc, watchdog_s):
    """The same machine with a simulated GPIO chip, a drop-in for boxes with relays, and all its data on the root."""
    folder = base("root-relays", PACKAGES + SIMULATOR_PACKAGES, HERE / "gpio_sim.sh")
    # As the drop-in's head tells to, where the group is not there.
    udev = 'SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP="gpio", MODE="0660"\n'
    drop_in = (ROOT / "packaging/relays/weir-gateway-relays.conf").read_text()
    files = {path: text for path, text in FILES.items() if "gateway.socket.d" not in path and "fstab" not in path}
    files |= {
        "etc/fstab": "bed /bed 9p trans=virtio,version=9p2000.L 0 0\n",
        "etc/udev/rules.d/60-gpio.rules": udev,
        "etc/systemd/system/weir-gateway.service.d/relays.conf": drop_in,
        "etc/systemd/system/weir-gateway.service.d/soon.conf": f"[Service]\nWatchdogSec={watchdog_s}\n",
        "etc/systemd/system/bed.service": FILES["etc/systemd/system/bed.service"]
        .replace("weir-gateway.service bed.mount", "bed.mount systemd-networkd.service")
        .replace("Wants=weir-gateway.service", "RequiresMountsFor=/bed")
        .replace("/bed/guest.sh", "-c 'bash /bed/guest.sh; touch /bed/over'"),
    }
    image = install(folder, program, files, ["weir-gateway-mqtt.socket"], etc)
    boot = folder / "boot"
    return next(boot.glob("vmlinuz-*")), next(boot.glob("initrd.img-*")), image


def data(image, etc, bytes_max, state=None):
    """The disk of the box: its configuration, and its state if it has one already."""
    folder = image.with_suffix(".files")
    shutil.copytree(etc, folder / "etc")
    if state:
        shutil.copytree(state, folder / "weir")
    (folder / "weir").mkdir(exist_ok=True)
    tool("chown", "-R", f"{WEIR_UID}:{WEIR_UID}", folder)
    (folder / "weir").chmod(0o2750)
    options = "lazy_itable_init=0,lazy_journal_init=0"
    tool("mkfs.ext4", "-q", "-F", "-b", "4096", "-L", "data", "-E", options, "-d", folder, image, f"{bytes_max // 1024}k")
    shutil.rmtree(folder)
