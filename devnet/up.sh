#!/usr/bin/env bash
# devnet/up.sh [--validators N]: builds what changed, starts four validators, the first with the coordinator, and two miners,
# and leaves them running. The chain goes on where it stopped; devnet/down.sh stops it, devnet/down.sh --reset forgets it.
set -u -o pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"
if [ "${1:-}" = --validators ] && [ $# -eq 2 ]; then
	devnet_validators=$2
	shift 2
fi
case $devnet_validators in [1-7]) ;; *) die "--validators: 1 to 7" ;; esac
[ $# -eq 0 ] || { sed -n '2,3s/^# //p' "$0"; [ "$1" = --help ]; exit; }

if devnet_running; then
	say "the devnet is up already"
else
	if [ -e "$net_dir/node0" ] && [ "$(devnet_nodes | wc -w)" -ne "$devnet_validators" ]; then
		note "the chain that is here has $(devnet_nodes | wc -w) validator(s) and goes on; devnet/down.sh --reset forgets it"
	fi
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
