#!/usr/bin/env bash
# Four validators decide who validates, and a light client that knows the genesis document follows: a key is added, exchanged,
# removed, and then three of the four running validators are given new keys, one after the other, as docs/operators.md says.
# Environment: AITBC_BIN (built programs), AITBC_DEVNET (where the devnet may live), AITBC_BASE_PORT=auto. Argument: the light client.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 2
light=$1
AITBC_VALIDATORS=4
. devnet/lib.sh
. devnet/net.sh

failed=0
trap devnet_stop EXIT
claim() { # WHAT COMMAND...
	local what=$1
	shift
	if "$@"; then echo "ok: $what"; else echo "FAILED: $what"; failed=1; fi
}

devnet_stop
devnet_forget
mkdir -p "$log_dir" "$run_dir" "$work_dir"
"$bin_dir/aitbcd" testnet --validators 4 --output "$net_dir" --chain-id "$chain_id" --base-port "$AITBC_BASE_PORT" >/dev/null || exit 1
for index in $(devnet_nodes); do
	node_start "$index"
done
for index in $(devnet_nodes); do
	started_or_die "aitbcd$index" 30 node_ready "$index"
	cli keys import "operator$index" --file "$net_dir/node$index/operator.json" >/dev/null || exit 1
done

propose() { # DEED ARGUMENTS...: operator 0 proposes, 1 and 2 send the same; then it is in force
	local index said
	for index in 0 1 2; do
		said=$(cli --rpc "$(node_rpc_url "$index")" authority "$@" --key "operator$index" 2>"$work_dir/said") ||
			{ cat "$work_dir/said"; return 1; }
	done
	grep -q 'in force' <<<"$said"
}
public_key() { sed 's/.*public key //' <<<"$1"; }
new_key() { public_key "$("$bin_dir/aitbcd" new-key --output "$1")"; }
key_of() { public_key "$("$bin_dir/aitbcd" keys --home "$net_dir/node$1" | grep ^validator)"; }
address_of_operator() { json_get address <"$net_dir/node$1/operator.json"; }
validator_count() { curl -sf "$rpc_url/validators" | json_get total; }
counts() { [ "$(validator_count)" = "$1" ]; }
height_past() { [ "$(node_height "${2:-0}")" -gt "$1" ]; }
advance() { # BLOCKS: waits for so many more
	local from
	from=$(node_height 0)
	wait_until 60 height_past $((from + $1 - 1))
}

follow() { "$light" "$rpc_port" "${1:-1}"; }

claim "a light client follows from the genesis document" eval 'advance 1 && follow'

# A fifth node joins: a new home, and the others list it, one restart after the other.
fifth_home=$net_dir/joined
node_key() { public_key "$("$bin_dir/aitbcd" keys --home "$1" | grep ^node)"; }
peer_line() { printf '{"name": "%s", "key": "%s", "address": "127.0.0.1:%d"}' "$1" "$(node_key "$2")" "$3"; }
join_fifth() {
	local index line lines=''
	for index in $(devnet_nodes); do
		line=$(peer_line "node$index" "$net_dir/node$index" "$((p2p_port + 10 * index))")
		lines=${lines:+$lines, }$line
	done
	echo "[$lines]" >"$work_dir/peers.json"
	"$bin_dir/aitbcd" join --home "$fifth_home" --genesis "$net_dir/node0/genesis.json" --peers "$work_dir/peers.json" \
		--p2p.port "$((p2p_port + 40))" --rpc.port "$((rpc_port + 40))" --metrics.enabled false --moniker fifth >/dev/null || return 1
	line=$(peer_line fifth "$fifth_home" "$((p2p_port + 40))")
	for index in $(devnet_nodes); do
		sed -i "\$ s|^\]|, $line]|" "$net_dir/node$index/peers.json"
		stop_one "aitbcd$index"
		node_start "$index"
		wait_until 30 node_ready "$index" || return 1
	done
	launch aitbcd4 "$bin_dir/aitbcd" start --home "$fifth_home"
	wait_until 30 height_past "$(($(node_height 0) - 1))" 4
}
trap 'stop_one aitbcd4; devnet_stop' EXIT
claim "a node joins and catches up" join_fifth
claim "a joined home isn't overwritten" eval '! "$bin_dir/aitbcd" join --home "$fifth_home" --genesis "$net_dir/node0/genesis.json" 2>/dev/null'

fifth=$(public_key "$("$bin_dir/aitbcd" keys --home "$fifth_home" | grep ^validator)")
fifth_address=$("$bin_dir/aitbcd" keys --home "$fifth_home" | sed -n 's/^validator *address \([0-9A-F]*\).*/\1/p')
sixth=$(new_key "$work_dir/sixth.json")
claim "a fifth validator is decided" propose add "$fifth" 10 "$(address_of_operator 0)" --reference add
claim "who agrees is told to start it first" grep -q "start it first" "$work_dir/said"
claim "it counts two blocks later" wait_until 30 counts 5
claim "and signs" wait_until 30 eval 'curl -sf "$rpc_url/commit" | grep -q "$fifth_address"'
claim "its key is exchanged" propose replace "$fifth" "$sixth"
claim "it leaves" propose remove "$sixth"
claim "four are left" wait_until 30 counts 4
claim "a light client follows over all three" follow

# Another key for one that runs: decide, and as soon as the old key no longer counts, start with the new file.
rekey() { # NODE
	local fresh home=$net_dir/node$1
	fresh=$(new_key "$home/validator_key.new.json")
	propose replace "$(key_of "$1")" "$fresh" || return 1
	stop_one "aitbcd$1"
	mv "$home/validator_key.json" "$home/validator_key.old.json"
	mv "$home/validator_key.new.json" "$home/validator_key.json"
	node_start "$1"
	wait_until 30 node_ready "$1"
}
signs() { # NODE: its key is in the last commit of the tip
	local address
	address=$("$bin_dir/aitbcd" keys --home "$net_dir/node$1" | sed -n 's/^validator *address \([0-9A-F]*\).*/\1/p')
	curl -sf "$rpc_url/commit" | grep -q "$address"
}
for index in 3 2 1; do
	claim "node$index gets another key" rekey "$index"
	claim "and signs with it" wait_until 60 signs "$index"
done
claim "a light client that knows only the old keys has to halve the way" follow 2
claim "from another node too" "$light" "$((rpc_port + 30))" 2

# Two of four away: any one node says who, and the log does after ten seconds.
tells() { cli --rpc "$(node_rpc_url "$2")" chain --stall | grep -q "$1"; }
stop_one aitbcd2
kill -STOP "$(cat "$run_dir/aitbcd3.pid")"
for index in 0 1; do
	claim "node$index says who is missing, and how" wait_until 30 \
		tells 'waits for pre.* have 2 of 4 .* need 3; missing: .*\(node2 (not connected.*node3 (connected, silent\|node3 (connected, silent.*node2 (not connected\)' "$index"
done
claim "its log says the same" wait_until 30 grep -q 'chain_waits seconds=1[0-9] text=.*node2 (not connected' "$log_dir/aitbcd0.log"
claim "its figures too" eval 'curl -sf "http://127.0.0.1:$metrics_port/metrics" | grep -qx "aitbc_consensus_votes_missing 2"'
kill -CONT "$(cat "$run_dir/aitbcd3.pid")"
claim "with three it goes on, and says so" wait_until 30 grep -q 'chain_goes_on' "$log_dir/aitbcd0.log"

[ $failed -eq 0 ] || { tail -n 3 "$log_dir"/*.log; exit 1; }
