#!/bin/bash
# Debian's kernel and our initramfs reach the shell, typing works, and leaving the shell powers off: on QEMU, so that a
# failure on Vitrine is known to be Vitrine's. Usage: boots_in_qemu.sh GUESTS_FOLDER. Status 77: can't be tried here.
set -uo pipefail
guests=$1
command -v qemu-system-x86_64 >/dev/null || { echo "skipped: no qemu-system-x86_64"; exit 77; }
[[ -r $guests/initramfs.cpio && -r $guests/linux/vmlinuz ]] || { echo "skipped: no guests (make guests)"; exit 77; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
log=$folder/log
mkfifo "$folder/keys"
exec 3<>"$folder/keys"

timeout 150 qemu-system-x86_64 -accel tcg -m 256M -nographic -no-reboot -kernel "$guests/linux/vmlinuz" \
  -initrd "$guests/initramfs.cpio" -append "console=ttyS0" <"$folder/keys" >"$log" 2>&1 &
qemu=$!
until grep -q '^READY' "$log" || ! kill -0 $qemu 2>/dev/null; do sleep 0.1; done
printf 'echo typed $((40 + 2))\nexit\n' >&3
wait $qemu

for expected in '^READY' '^typed 42' 'reboot: Power down'; do
  grep -q "$expected" "$log" || { echo "missing in the guest's output: $expected"; tail -40 "$log"; exit 1; }
done
