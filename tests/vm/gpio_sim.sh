#!/bin/bash
# gpio_sim.sh ROOT: builds the kernel's own simulator of GPIO chips (drivers/gpio/gpio-sim.c), which Debian's kernels leave out,
# from Debian's source for the kernel in ROOT, and puts it beside the other modules.
set -euo pipefail
root=$1 work=/root/gpio-sim
mkdir -p "$root$work"
tar -C "$root$work" --strip-components=1 -xJf "$root"/usr/src/linux-source-6.1.tar.xz --wildcards \
  '*/drivers/gpio/gpio-sim.c' '*/drivers/gpio/gpiolib.h' '*/kernel/irq/irq_sim.c'
cd "$root$work"
mv drivers/gpio/gpio-sim.c drivers/gpio/gpiolib.h kernel/irq/irq_sim.c .
# One module of both; a module may not call irq_to_desc, and generic_handle_irq does the same here.
sed -i -e 's/^EXPORT_SYMBOL_GPL.*//' -e 's/handle_simple_irq(irq_to_desc(irqnum));/generic_handle_irq(irqnum);/' irq_sim.c
printf 'obj-m += gpio-simulator.o\ngpio-simulator-y := gpio-sim.o irq_sim.o\n' >Makefile
kernel=$(ls "$root/lib/modules")
chroot "$root" make -s -C "/lib/modules/$kernel/build" "M=$work" modules
install -D -m 644 gpio-simulator.ko "$root/lib/modules/$kernel/extra/gpio-simulator.ko"
chroot "$root" depmod "$kernel"
cd /
rm -rf "$root$work"
chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y purge gcc make linux-headers-amd64 linux-source-6.1 >/dev/null
chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y autoremove --purge >/dev/null
