#!/bin/sh
# headers.sh BUILD FLAGS...: each header compiles alone, as C11, with the project's warnings.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=$1
shift
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
find base chain genesis consensus p2p replica http rpc wallet coordinator miner node -name '*.h' 2>/dev/null | sort >"$work/list"
{
	echo '#!/bin/sh'
	echo 'printf "#include \"%s\"\ntypedef int translation_unit;\n" "$1" |'
	printf '%s -std=c11 -fsyntax-only -x c' "${CC:-cc}"
	for flag in "$@"; do printf " '%s'" "$flag"; done
	echo " -I. -I'$build' -I'$build/chain/proto' - || { echo \"\$1: doesn't compile alone\"; exit 1; }"
} >"$work/one"
if xargs -n 1 -P 2 sh "$work/one" <"$work/list"; then
	echo "$(wc -l <"$work/list") headers compile alone"
else
	exit 1
fi
