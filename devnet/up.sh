#!/usr/bin/env bash
# devnet/up.sh: builds what changed, starts one validator with coordinator and two miners, and leaves them running.
# The chain goes on where it stopped; devnet/down.sh stops it, devnet/down.sh --reset forgets it.
set -u -o pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"
[ $# -eq 0 ] || { sed -n '2,3s/^# //p' "$0"; [ "$1" = --help ]; exit; }

if devnet_running; then
	say "the devnet is up already"
else
	packages_ensure
	[ -n "${AITBC_BIN:-}" ] || build_tree release build aitbcd aitbc aitbc-miner
	trap devnet_stop ERR EXIT INT TERM
	devnet_start
	trap - ERR EXIT INT TERM
	good "node ready after $node_ready_ms ms"
fi
devnet_describe
say "  try:"
devnet_hints
say "  aitbc balance client; aitbc submit text/count --input-file input=README.md --wait"
say "  $AITBC_ROOT/devnet/down.sh stops it"
