#!/bin/sh
# Every source is as clang-format 14 (Debian 12) writes it. Other versions differ in details: skipped loudly (exit 77).
set -u
cd "$(dirname "$0")/../.." || exit 2
tool=
for candidate in clang-format-14 clang-format; do
	if command -v "$candidate" >/dev/null && "$candidate" --version | grep -q 'version 14\.'; then
		tool=$candidate
		break
	fi
done
if [ -z "$tool" ]; then
	echo "SKIPPED: clang-format 14 is not installed"
	exit 77
fi
files=$(find base chain genesis consensus p2p replica http rpc wallet coordinator miner node tests -name '*.[ch]' 2>/dev/null | sort)
# shellcheck disable=SC2086
offenders=$(for file in $files; do
	"$tool" --dry-run -Werror "$file" >/dev/null 2>&1 || echo "$file"
done)
[ -z "$offenders" ] && { echo "$(echo "$files" | wc -l) files are formatted"; exit 0; }
echo "$offenders"
echo "not as clang-format writes them; mend with: $tool -i FILE..."
exit 1
