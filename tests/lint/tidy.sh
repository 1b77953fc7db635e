#!/bin/sh
# clang-tidy over every source of ours, with the checks of .clang-tidy. $1: the build folder with compile_commands.json.
set -u
cd "$(dirname "$0")/../.." || exit 2
if ! command -v clang-tidy >/dev/null 2>&1; then
	echo "skipped: clang-tidy is not installed"
	exit 77
fi
found=$(git ls-files 'base/*.c' 'chain/*.c' 'genesis/*.c' 'consensus/*.c' 'p2p/*.c' 'replica/*.c' 'http/*.c' 'rpc/*.c' 'wallet/*.c' \
	'coordinator/*.c' 'miner/*.c' 'node/*.c' | xargs -P 2 -n 4 clang-tidy -p "$1" --quiet \
		--extra-arg=-Wno-unknown-warning-option 2>/dev/null | grep -E '(warning|error): ' | sort -u)
if [ -n "$found" ]; then
	printf '%s\n' "$found"
	echo "FAILED: clang-tidy finds $(printf '%s\n' "$found" | wc -l) places"
	exit 1
fi
echo "ok: clang-tidy finds nothing"
