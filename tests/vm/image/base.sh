#!/usr/bin/env bash
# Builds the machine without the program: kernel, initrd and the tree of a small Debian 12, in the folder given. Needs root.
#
# The root disk stays read-only under an overlay in memory, so that machines can share it and a machine saved
# with its memory can be restored.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$1
root=$out/root
work=$out/work
rm -rf "$root" "$work"
mkdir -p "$work/kernel" "$work/initrd"/{bin,dev,proc,sys,mnt,modules}

kernel=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
(cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "$kernel")
dpkg-deb --fsys-tarfile "$work/$kernel"_*.deb | tar -x -C "$work/kernel"
version=$(ls "$work/kernel/lib/modules")
cp "$work/kernel/boot/vmlinuz-$version" "$out/vmlinuz"

sources=/etc/apt/sources.list.d/debian.sources # this machine's own mirror
[ -e $sources ] || sources=/etc/apt/sources.list
mmdebstrap --quiet --mode=root --variant=minbase \
    --include=systemd-sysv,udev,dbus,kmod,python3,python3-venv,iproute2,busybox-static,procps \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --setup-hook='mkdir -p "$1/etc/apt"' \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin' \
    bookworm "$root" "$sources"

# Of the modules, those a virtual machine with USB adapters can use.
modules=lib/modules/$version
mkdir -p "$root/$modules"
cp "$work/kernel/$modules"/modules.{builtin,builtin.modinfo,order} "$root/$modules/"
(
    cd "$work/kernel/$modules/kernel"
    find drivers/usb/{host,core,common,serial,class} drivers/{virtio,block,tty,char/hw_random,gpio} \
        drivers/char/virtio_console.ko drivers/net/{virtio_net,net_failover}.ko net/{core,802} \
        fs/{ext4,jbd2,overlayfs,autofs,configfs,fuse} fs/mbcache.ko lib crypto arch/x86/crypto \
        -name '*.ko' -printf 'kernel/%p\n'
) | tar -c -C "$work/kernel/$modules" -T - | tar -x -C "$root/$modules"
depmod -b "$root" "$version"

cp -r --no-preserve=ownership "$here/guest/." "$root/"
echo gateway >"$root/etc/hostname"
echo '127.0.0.1 localhost gateway' >"$root/etc/hosts"
: >"$root/etc/machine-id"
: >"$root/etc/fstab"
units=$root/etc/systemd/system
mkdir -p "$units/multi-user.target.wants"
ln -s ../vm-agent.service ../vm-net.service "$units/multi-user.target.wants/"
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer systemd-timesyncd.service systemd-networkd.service systemd-tmpfiles-clean.timer \
    getty@tty1.service serial-getty@ttyS0.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount \
    modprobe@drm.service; do
    ln -s /dev/null "$units/$unit"
done

modprobe -S "$version" -d "$root" --show-depends -a virtio_pci virtio_blk crc32c_generic ext4 overlay |
    awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | cat -n | while read -r number file; do
    cp "$file" "$work/initrd/modules/$((100 + number)).ko"
done
cp "$root/bin/busybox" "$work/initrd/bin/"
install -m 755 "$here/init" "$work/initrd/init"
(cd "$work/initrd" && find . | cpio --quiet -o -H newc | gzip -1) >"$out/initrd"
rm -rf "$work"
