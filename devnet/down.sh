#!/usr/bin/env bash
# devnet/down.sh [--reset]: stops what devnet/up.sh or `demo.sh --keep` left running. --reset also removes its chain and logs.
set -u -o pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"
case ${1:-} in
'' | --reset) ;;
*) sed -n '2s/^# //p' "$0"; [ "$1" = --help ]; exit ;;
esac

if devnet_running || process_alive aitbc-miner1 || process_alive aitbc-miner2; then
	devnet_stop
	say "the devnet is down"
else
	say "no devnet is running from $devnet_dir"
fi
if [ "${1:-}" = --reset ]; then
	devnet_forget
	say "its chain is forgotten"
fi
