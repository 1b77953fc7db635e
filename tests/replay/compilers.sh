#!/usr/bin/env bash
# compilers.sh BUILD ACTIONS SEEDS: one chain of that many random actions, made by BUILD, is executed by other builds of the
# pure rooms: gcc -O0, clang -O3 -march=native, unsigned char, 32 bits, big endian. Each must give the same app_hash, results
# hash and rows for each block, and the same trace of the first SEEDS simulated networks. A compiler or library that isn't
# here is skipped, loudly; nothing is installed.
set -u -o pipefail
build=$(cd "$1" && pwd) actions=$2 seeds=$3
cd "$(dirname "$0")/../.." || exit 2
work=$build/tests/replay
mkdir -p "$work" || exit 2
jobs=$(nproc 2>/dev/null || echo 2)
libraries="libprotobuf-c libsecp256k1 libsodium nettle jansson"
failed=0

# All of the rooms that do no I/O; what sees RocksDB isn't one. And the programs' own files.
pure() {
	find base chain genesis consensus p2p replica -name '*.c' ! -name store_rocks.c
	printf '%s\n' "$build"/chain/proto/*.pb-c.c
}

# compile_all FOLDER COMPILER FLAGS...: both programs into FOLDER. What is newer than its source and all headers stays.
compile_all() {
	local folder=$1 command status
	shift
	command="$* -std=c11 -w -g -I. -isystem $build -isystem $build/chain/proto $(pkg-config --cflags $libraries 2>/dev/null)"
	command -v ccache >/dev/null && command="ccache $command"
	if [ "$(cat "$folder/command" 2>/dev/null)" != "$command" ] || [ -n "$(find base chain genesis consensus p2p replica \
		tests/sim tests/replay "$build/chain/proto" -name '*.h' -newer "$folder/command" -print -quit)" ]; then
		rm -rf "$folder"
	fi
	mkdir -p "$folder/rooms" "$folder/sim" "$folder/replay" || return 1
	printf '%s\n' "$command" >"$folder/command.new"
	{ pure | sed "s|.*|& $folder/rooms|"; find tests/sim -name '*.c' | sed "s|.*|& $folder/sim|"
		find tests/replay -name '*.c' | sed "s|.*|& $folder/replay|"; } >"$folder/sources"
	xargs -P "$jobs" -L 1 sh -c '
		object=$3/$(printf "%s" "$2" | tr "/" "_" | sed "s|\.c$|.o|")
		[ "$object" -nt "$2" ] || $1 -c "$2" -o "$object"' sh "$command" <"$folder/sources" 2>"$folder/errors"
	status=$?
	[ $status -eq 0 ] || { tail -n 5 "$folder/errors"; return 1; }
	mv "$folder/command.new" "$folder/command"
	rm -f "$folder/rooms.a"
	ar rcs "$folder/rooms.a" "$folder"/rooms/*.o || return 1
	for program in sim replay; do
		"$@" "$folder/$program"/*.o "$folder/rooms.a" $(pkg-config --libs $libraries) -lm -o "$folder/$program.program" || return 1
	done
}

traces() { # of a build's sim
	local seed
	for seed in $(seq "$seeds"); do
		"$1" --nodes 4 --crashes --loss 50 --seed "$seed" || return 1
	done
}

# Can this compiler make a program with these flags and our libraries?
links() {
	local probe=$work/probe.$$ status
	printf '#include <nettle/sha2.h>\n#include <sodium.h>\n#include <secp256k1.h>\n#include <jansson.h>\n%s\n' \
		'#include <protobuf-c/protobuf-c.h>
int main(void) { return sodium_init() < 0 || json_object_seed == 0 || protobuf_c_version == 0; }' >"$probe.c"
	"$@" "$probe.c" $(pkg-config --libs $libraries) -o "$probe" 2>/dev/null && "$probe" 2>/dev/null
	status=$?
	rm -f "$probe" "$probe.c"
	return $status
}

# try NAME COMPILER FLAGS...
try() {
	local name=$1 folder=$work/$1
	shift
	if ! command -v "$1" >/dev/null; then
		printf 'skipped: %s: %s is not installed here\n' "$name" "$1"
	elif ! links "$@"; then
		printf 'skipped: %s: no libraries of ours for %s here\n' "$name" "$*"
	elif ! compile_all "$folder" "$@"; then
		printf 'FAILED: %s: can not be built\n' "$name"
		failed=1
	elif ! "$folder/replay.program" "$work/blocks" >"$folder/states" || ! cmp "$work/states" "$folder/states"; then
		printf 'FAILED: %s: another state; first difference:\n' "$name"
		diff "$work/states" "$folder/states" | head -n 4
		failed=1
	elif ! traces "$folder/sim.program" >"$folder/traces" || ! cmp "$work/traces" "$folder/traces"; then
		printf 'FAILED: %s: another trace of a simulated network; first difference:\n' "$name"
		diff "$work/traces" "$folder/traces" | head -n 4
		failed=1
	else
		printf 'ok: %s: the same app_hash, results and rows in each of %s blocks, the same %s traces\n' "$name" "$blocks" "$seeds"
	fi
}

"$build/tests/model_test" --ops "$actions" --seed 11 --blocks "$work/blocks" >"$work/maker" || { cat "$work/maker"; exit 1; }
"$build/replay" "$work/blocks" >"$work/states" || exit 1
traces "$build/sim" >"$work/traces" || exit 1
blocks=$(wc -l <"$work/states")
printf 'figure: %s blocks of %s actions; SHA-256 of all hashes %s\n' "$blocks" "$actions" "$(sha256sum <"$work/states" | cut -c1-64)"

try gcc-O0 gcc -O0
try clang-O3-native clang -O3 -march=native
try gcc-O3-unsigned-char gcc -O3 -funsigned-char
try gcc-32-bit gcc -m32 -O2
try gcc-s390x-big-endian s390x-linux-gnu-gcc -O2
rm -f "$work/blocks"
exit $failed
