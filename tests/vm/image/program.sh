#!/usr/bin/env bash
# Installs the program into the tree that base.sh left, from wheels alone, and makes the root disk of it:
#
#     program.sh FOLDER PROJECT PYTHON        PYTHON is of the guest's version, 3.11; it has pip
set -euo pipefail
out=$1 project=$2 python=$3
root=$out/root
rm -rf "$root/wheels" "$root/opt/serial-bridge"
"$python" -m pip wheel --quiet --disable-pip-version-check --wheel-dir "$root/wheels" "$project[web]"
chroot "$root" python3 -m venv /opt/serial-bridge
chroot "$root" /opt/serial-bridge/bin/pip install --quiet --disable-pip-version-check \
    --no-index --find-links /wheels "serial-bridge[web]"
ln -sf /opt/serial-bridge/bin/serial-bridge "$root/usr/local/bin/serial-bridge"
rm -rf "$root/wheels"
size=$(($(du -sm "$root" | cut -f1) * 115 / 100 + 40))
rm -f "$out/root.ext4"
mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$root" "$out/root.ext4" "${size}M"
