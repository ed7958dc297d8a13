"""The bureau that makes disk images of boxes by packaging/image, and bundles for them: good ones, and such as no box may keep."""

import os
import shutil
import subprocess
import textwrap

import root
from disk import tool
from look import Breach

RECIPE = root.ROOT / "packaging/image"
MIB = 1024 * 1024
# As the recipe places them: the boot choice, and what lasts.
SIZES = {"CHOICE_MIB": 16, "BOOT_MIB": 96, "SYSTEM_MIB": 400, "CARD_MIB": 2_000}
CHOICE_AT, DATA_AT = 1, 1 + SIZES["CHOICE_MIB"] + 2 * SIZES["BOOT_MIB"] + 2 * SIZES["SYSTEM_MIB"] + 3
TRIES = 3
# It shares the processor with all that runs; a system that hangs is given up much sooner.
WELL_WITHIN_S, WELL_FOR_S, HANGS_S = 400, 40, 25
SETTINGS = SIZES | {"TRIES": TRIES, "WELL_WITHIN_S": WELL_WITHIN_S, "WELL_FOR_S": WELL_FOR_S} | {
    "SQUASHFS_COMPRESSION": "lz4", "PC_CMDLINE": "console=ttyS0 quiet mitigations=off net.ifnames=0"
}
PACKAGES = "systemd,systemd-sysv,dbus,udev,kmod,iproute2,e2fsprogs,initramfs-tools,linux-image-amd64,rauc,rauc-service"
# Drivers of what no emulated machine has.
THIN = """cd "$1"/usr/lib/modules/*/kernel && rm -rf sound drivers/gpu drivers/media drivers/net/wireless drivers/net/ethernet
chroot "$1" depmod "$(ls "$1"/usr/lib/modules)"
"""
BED = """\
    [Unit]
    RequiresMountsFor=/bed /boot/choice
    [Service]
    ExecStart=/bin/bash /bed/guest.sh
    [Install]
    WantedBy=multi-user.target
    """
FILES = {path: text for path, text in root.FILES.items() if path != "etc/fstab"} | {
    "etc/modules-load.d/bed.conf": "9pnet_virtio\ni6300esb\n",
    "etc/modprobe.d/bed.conf": "blacklist iTCO_wdt\n",
    "etc/systemd/system/bed.service": BED,
    "etc/systemd/system/bed.mount": "[Mount]\nWhat=bed\nWhere=/bed\nType=9p\nOptions=trans=virtio,version=9p2000.L\n",
    "etc/initramfs-tools/conf.d/bed.conf": "MODULES=list\n",
    "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\n",
    # As Raspberry Pi OS does, whose firmware finds it there.
    "etc/initramfs/post-update.d/firmware": "#!/bin/sh\ncp \"$2\" /boot/firmware/initramfs8\n",
}


def base(scratch):
    """A disk image of a Debian, with partitions as those of Raspberry Pi OS."""
    folder, image = root.debian("image", PACKAGES, THIN), scratch / "base.img"
    for path, text in FILES.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        file.chmod(0o755 if text.startswith("#!") else 0o644)
    tool("chroot", folder, "systemctl", "--quiet", "enable", "bed.service", "systemd-networkd")
    tool("chroot", folder, "systemctl", "--quiet", "mask", *root.MASKED)
    system, boot = scratch / "base.ext4", scratch / "base.vfat"
    tool("mkfs.ext4", "-q", "-F", "-d", folder, system, "1600M", seconds=300)
    tool("mkfs.vfat", "-C", boot, str(16 * 1024))
    (scratch / "config.txt").write_text("[all]\n")
    tool("mcopy", "-i", boot, scratch / "config.txt", "::")
    tool("truncate", "-s", "1617M", image)
    table = "label: dos\nstart=1MiB, size=16MiB, type=c\nstart=17MiB, type=83\n"
    subprocess.run(["sfdisk", "--quiet", image], input=table, text=True, check=True)
    for part, at in [(boot, 1), (system, 17)]:
        tool("dd", f"if={part}", f"of={image}", "bs=1M", f"seek={at}", "conv=notrunc,sparse", seconds=300)
        part.unlink()
    return image


class Bureau:
    """Who makes images and bundles, and a stranger who makes bundles too."""

    def __init__(self, scratch, program):
        self.scratch, self.program = scratch, program
        for name in ["bureau", "stranger"]:
            key, cert = scratch / f"{name}.key", scratch / f"{name}.pem"
            made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            tool(*made, "-days", 3_650, "-subj", f"/CN={name}", "-keyout", key, "-out", cert)
        self.base = base(scratch)

    def make(self, name, version, machine="pc"):
        """An image of this version of the package; returns its folder."""
        out = self.scratch / name
        packed = ["cargo", "xtask", "package", "--program", self.program, "--version", version, "--uncompressed"]
        done = subprocess.run([*map(str, packed), "--out", out], cwd=root.ROOT, capture_output=True, text=True, check=True)
        command = [RECIPE / "make", "--machine", machine, "--base", self.base, "--package", done.stdout.strip()]
        environment = os.environ | {name: str(value) for name, value in SETTINGS.items()}
        with (self.scratch / "make.log").open("a") as log:
            command = [*map(str, command), "--keyring", str(self.scratch / "bureau.pem"), "--out", str(out)]
            subprocess.run(command, env=environment, stdout=log, stderr=log, check=True, timeout=1_800)
        return out

    def bundle(self, slot, name, signer="bureau"):
        """An update of what is in that folder."""
        out, signature = self.scratch / "bed" / name, ["--cert", self.scratch / f"{signer}.pem"]
        tool(RECIPE / "bundle", "--slot", slot, *signature, "--key", self.scratch / f"{signer}.key", "--out", out, seconds=600)

    def hanging(self, slot):
        """The same system, whose gateway never answers."""
        tree, to = self.scratch / "hanging", self.scratch / "slot-hanging"
        tool("unsquashfs", "-quiet", "-no-progress", "-dest", tree, slot / "system.squashfs", seconds=600)
        (tree / "usr/bin/weir").rename(tree / "usr/bin/weir.real")
        (tree / "usr/bin/weir").write_text(
            '#!/bin/sh\n[ "$1 $2" = "gateway run" ] && exec sleep infinity\nexec /usr/bin/weir.real "$@"\n'
        )
        (tree / "usr/bin/weir").chmod(0o755)
        settings = tree / "usr/lib/weir-image/settings"
        settings.write_text(settings.read_text().replace(f"={WELL_WITHIN_S}\n", f"={HANGS_S}\n"))
        return self._packed(slot, tree, to)

    def empty(self, slot):
        """A system that is none: its kernel finds nothing to start."""
        tree = self.scratch / "empty"
        (tree / "etc").mkdir(parents=True)
        return self._packed(slot, tree, self.scratch / "slot-empty")

    def _packed(self, slot, tree, to):
        to.mkdir()
        for name in ["boot.vfat", "hook", "made"]:
            shutil.copy(slot / name, to)
        tool("mksquashfs", tree, to / "system.squashfs", "-quiet", "-no-progress", seconds=600)
        shutil.rmtree(tree)
        return to


def card_of_a_pi(bureau):
    """What a Pi's firmware would find; none starts from it here."""
    card = bureau.make("pi", "0.1.0-1", "pi") / "weir.img"
    boot_a = CHOICE_AT + SIZES["CHOICE_MIB"]
    finds = [
        (CHOICE_AT, "autoboot.txt", "[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n"),
        (boot_a, "config.txt", "auto_initramfs=1"),
        (boot_a, "cmdline.txt", "root=PARTUUID=57454952-05 rootfstype=squashfs ro rootwait panic=10 rauc.slot=A\n"),
        (boot_a + SIZES["BOOT_MIB"], "cmdline.txt", "-06 rootfstype=squashfs ro rootwait panic=10 rauc.slot=B\n"),
        (boot_a + SIZES["BOOT_MIB"], "initramfs8", ""),
    ]
    for at, file, text in finds:
        if text not in (found := chosen(card, at, file)):
            raise Breach(f"{file} on the card of a Pi: {found}")
    shutil.rmtree(card.parent)


def chosen(image, at, file):
    """The beginning of a file in a partition that a firmware reads."""
    done = subprocess.run(["mtype", "-i", f"{image}@@{at * MIB}", f"::{file}"], capture_output=True, check=True, timeout=60)
    return done.stdout[:1_000].decode(errors="replace").replace("\r\n", "\n").split("#####")[0]
