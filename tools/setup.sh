#!/bin/bash
# Installs the Debian packages that building and testing need, when one is missing. `setup.sh bench` adds what only
# `make bench` and one test compare with. Changes nothing and asks nothing when all is there.
set -euo pipefail

build=(clang-19 lld-19 libclang-rt-19-dev cmake ninja-build ccache acpica-tools
       libzydis-dev libxbyak-dev libfmt-dev libcli11-dev nlohmann-json3-dev libdw-dev libelf-dev libiberty-dev
       libgtest-dev libgmock-dev libbenchmark-dev)
check=(clang-format-19 clang-tidy-19 git)
test=(qemu-system-x86                          # our guest images must print the same on it
      e2fsprogs                                # makes ext2 images for Pulse, and judges what it has written
      babeltrace2 protobuf-compiler libprotobuf-dev)  # they read what `vitrine export` writes
bench=(bochs bochsbios
       grub-common grub-pc-bin xorriso mtools)  # a CD that boots Pulse, for a test that is skipped without

wanted=("${build[@]}" "${check[@]}" "${test[@]}")
[[ ${1-} == bench ]] && wanted+=("${bench[@]}")

fail() { echo "tools/setup.sh: $*" >&2; exit 1; }

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
  fail "this is not Debian (no apt-get): install what corresponds to: ${wanted[*]}; then use make SETUP=no"

present=$(dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
          sed -n 's/^installed //p' || true)
missing=()
for package in "${wanted[@]}"; do
  [[ $'\n'$present$'\n' == *$'\n'$package$'\n'* ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
  command -v sudo >/dev/null || fail "no rights to install packages; as root: apt-get install ${missing[*]}"
  as_root=(sudo)
fi

echo "tools/setup.sh: installing ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq || fail "apt-get update failed: is the network there?"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
  >/dev/null || fail "apt-get could not install: ${missing[*]} (Vitrine builds on Debian 12)"
