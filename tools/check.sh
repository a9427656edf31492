#!/bin/bash
# What `make check` runs: layout, rules of the house, clang-tidy. Usage: check.sh BUILD_FOLDER (built: clang-tidy needs
# compile_commands.json, and skips each file that it passed since the file's object was last compiled; ALL=1: none).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=$1
status=0

mapfile -t files < <(git ls-files --cached --others --exclude-standard | while read -r f; do [[ -e $f ]] && echo "$f"; done)
mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep -E '\.(cpp|hpp)$')

echo "check: layout of ${#sources[@]} files"
unformatted=$(printf '%s\0' "${sources[@]}" | xargs -0 clang-format-19 --dry-run 2>&1 | sed -n 's/^\([^ :]*\):[0-9]*:.*warning.*/\1/p' | sort -u)
[[ -z $unformatted ]] || { status=1; printf '%s\n' "$unformatted" "check: make format puts these right"; }

echo "check: includes against the table of rooms, paths in documents"
printf '%s\n' "${files[@]}" | "$build/check-house" || status=1

# "file|object" of each compilation of a file of ours, from the lines that CMake writes.
compiled() {
  sed -n 's/^  "command": .* -o \([^ ]*\) -c \([^ ]*\)",*$/\2|\1/p' "$build/compile_commands.json" |
    grep "^$PWD/" | grep -v "^$PWD/$build/"
}
passed=$build/tidy
mkdir -p "$passed"
todo=()
while IFS='|' read -r file object; do
  file=${file#"$PWD"/}
  stamp=$passed/${file//\//.}
  [[ -z ${ALL-} && $stamp -nt $build/$object && $stamp -nt .clang-tidy && $stamp -nt $file ]] || todo+=("$file")
done < <(compiled | sort -u -t'|' -k1,1)

echo "check: clang-tidy on ${#todo[@]} files"
tidy() {
  if found=$(clang-tidy-19 -p "$build" --quiet "$1" 2>/dev/null); then
    touch "$passed/${1//\//.}"
  else
    echo "${found:-$1: clang-tidy-19 failed}"
    return 1
  fi
}
export -f tidy
export build passed
if ((${#todo[@]})); then
  printf '%s\0' "${todo[@]}" | xargs -0 -P "$(nproc)" -I{} bash -c 'tidy "$1"' _ {} || status=1
fi

((status == 0)) && echo "check: clean"
exit $status
