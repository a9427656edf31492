#!/bin/bash
# Fetches the guests that `make run` and the tests boot, from Debian's packages, without installing any:
#   .guests/linux/vmlinuz, config, version   the kernel that linux-image-amd64 stands for, unmodified
#   .guests/linux/modules                    of its modules those that tests load
#   .guests/busybox, busybox.applets         the one program of our initramfs, and the paths it answers to
#   .guests/memtest86+x64.bin, ia32.bin      both widths
# Does nothing when they are there; `fetch-guests.sh --again` fetches them anew.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$PWD/.guests
stamp="guests 2"  # raise the number when this script is to run again everywhere
[[ ${1-} == --again ]] || [[ $(cat "$folder/stamp" 2>/dev/null) != "$stamp" ]] || exit 0

fail() { echo "tools/fetch-guests.sh: $*" >&2; exit 1; }
for tool in apt-get apt-cache dpkg-deb; do
  command -v $tool >/dev/null || fail "needs $tool: the guests come from Debian's packages"
done

as_root=()
apt_options=(-qq)
if ((EUID == 0)); then
  apt_options+=(-o APT::Sandbox::User=root)  # else apt warns that _apt can't write into our folder
elif command -v sudo >/dev/null; then
  as_root=(sudo)
fi

kernel_package() { apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p'; }

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
cd "$temporary"

# The package lists may be absent, or older than what the mirror still has: then fetch them once and try again.
download() {
  local kernel
  kernel=$(kernel_package)
  [[ -n $kernel ]] && apt-get "${apt_options[@]}" download "$kernel" busybox-static memtest86+ >/dev/null 2>problem
}
download || {
  "${as_root[@]}" apt-get update -qq >/dev/null 2>problem && download
} || fail "can't download linux-image-amd64, busybox-static and memtest86+: $(head -1 problem)"

unpack() { dpkg-deb --fsys-tarfile "$1" | tar -x "${@:2}"; }  # dpkg -x of a part: the kernel's modules are large
unpack linux-image-*.deb ./boot
modules=(acpi/button.ko hwtracing/intel_th/intel_th{,_pci}.ko i2c/busses/i2c-ismt.ko uio/uio{,_pci_generic}.ko)
unpack linux-image-*.deb --wildcards "${modules[@]/#/./lib/modules/*/kernel/drivers/}" 2>/dev/null ||
  echo "tools/fetch-guests.sh: the kernel's package lacks some of these modules, and tests that load them are skipped:" \
    "${modules[*]}" >&2
unpack busybox-static_*.deb ./bin
unpack memtest86+_*.deb ./boot

kernels=(boot/vmlinuz-*)
version=${kernels[0]#boot/vmlinuz-}
rm -rf "$folder/linux/modules"
mkdir -p "$folder/linux/modules"
cp "boot/vmlinuz-$version" "$folder/linux/vmlinuz"
cp "boot/config-$version" "$folder/linux/config"
for module in "${modules[@]/#/lib/modules/$version/kernel/drivers/}"; do
  [[ ! -e $module ]] || cp "$module" "$folder/linux/modules/"
done
echo "$version" >"$folder/linux/version"
# Debian's System.map is a note that says where the real one is; take it only when it is real.
if (($(stat -c %s "boot/System.map-$version" 2>/dev/null || echo 0) > 4096)); then
  cp "boot/System.map-$version" "$folder/linux/System.map"
fi
cp bin/busybox "$folder/busybox"
"$folder/busybox" --list-full >"$folder/busybox.applets"
cp boot/memtest86+x64.bin boot/memtest86+ia32.bin "$folder/"
echo "$stamp" >"$folder/stamp"
echo "tools/fetch-guests.sh: Linux $version, busybox and memtest86+ are in .guests" >&2
