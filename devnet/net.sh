# A devnet of four validators (AITBC_VALIDATORS), the first with the coordinator, and two miners: starting, asking, stopping.
# Sourced by demo.sh, up.sh, down.sh after lib.sh. State lives under AITBC_DEVNET (.devnet in the tree): net/ homes and keys,
# log/, run/ process ids, work/.
# shellcheck shell=bash

devnet_dir=${AITBC_DEVNET:-$AITBC_ROOT/.devnet}
net_dir=$devnet_dir/net
home_dir=$net_dir/node0
log_dir=$devnet_dir/log
run_dir=$devnet_dir/run
work_dir=$devnet_dir/work
bin_dir=${AITBC_BIN:-$AITBC_ROOT/build}
chain_id=devnet-1
devnet_validators=${AITBC_VALIDATORS:-4}

# Ports: the usual ones, or all from AITBC_BASE_PORT up (as `aitbcd testnet --base-port` counts: ten a node); "auto": free ones.
if [ "${AITBC_BASE_PORT:-}" = auto ]; then
	for AITBC_BASE_PORT in $(shuf -i 2000-3190 -n 50 | sed 's/$/0/'); do
		ss -Hltn | awk -v from="$AITBC_BASE_PORT" '{ sub(/.*:/, "", $4); if ($4 >= from && $4 < from + 70) taken = 1 } END { exit taken }' && break
	done
fi
if [ -n "${AITBC_BASE_PORT:-}" ]; then
	p2p_port=$AITBC_BASE_PORT rest_port=$((AITBC_BASE_PORT + 2)) metrics_port=$((AITBC_BASE_PORT + 3)) metrics_step=10
	miner_ports=("$((AITBC_BASE_PORT + 5))" "$((AITBC_BASE_PORT + 6))")
else
	p2p_port=26656 rest_port=18000 metrics_port=9090 metrics_step=1
	miner_ports=(18001 18002)
fi
rpc_port=$((p2p_port + 1))
rpc_url=http://127.0.0.1:$rpc_port
rest_url=http://127.0.0.1:$rest_port
ollama_url=${AITBC_OLLAMA_URL:-http://127.0.0.1:11434}

# The value of the first member of that name in JSON on stdin: the text without quotes, or the number.
json_get() {
	tr -d '\n' | awk -v name="$1" '{
		if (!match($0, "\"" name "\"[ \t]*:[ \t]*")) exit 1
		rest = substr($0, RSTART + RLENGTH)
		if (rest ~ /^"/) { sub(/^"/, "", rest); sub(/".*/, "", rest) } else sub(/[],}].*/, "", rest)
		print rest
	}'
}

process_alive() { # NAME
	local pid
	pid=$(cat "$run_dir/$1.pid" 2>/dev/null) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null &&
		[ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = "$(readlink -f "$bin_dir/${1%%[0-9]*}")" ]
}

# launch NAME COMMAND...: in the background, its output appended to log/NAME.log.
launch() {
	local name=$1
	shift
	setsid "$@" >>"$log_dir/$name.log" 2>&1 </dev/null &
	echo $! >"$run_dir/$name.pid"
	disown # the shell has nothing to say when it is killed
}

stop_one() { # NAME: politely, then not
	local pid i
	process_alive "$1" || { rm -f "$run_dir/$1.pid"; return 0; }
	pid=$(cat "$run_dir/$1.pid")
	kill -TERM "$pid" 2>/dev/null
	for i in $(seq 250); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.02
	done
	kill -KILL "$pid" 2>/dev/null
	rm -f "$run_dir/$1.pid"
}

node_rpc_url() { # INDEX
	printf 'http://127.0.0.1:%d' "$((p2p_port + 10 * $1 + 1))"
}

# The nodes that have a home, in their order.
devnet_nodes() {
	local index=0
	while [ -e "$net_dir/node$index/genesis.json" ]; do
		printf '%d ' "$index"
		index=$((index + 1))
	done
}

devnet_stop() {
	local index pids=()
	stop_one aitbc-miner1
	stop_one aitbc-miner2
	for index in $(devnet_nodes); do # together: each drains its connections first
		stop_one "aitbcd$index" &
		pids+=("$!")
	done
	wait "${pids[@]}" 2>/dev/null
}

devnet_running() {
	local index
	for index in $(devnet_nodes); do
		process_alive "aitbcd$index" && return 0
	done
	return 1
}

node_height() { # INDEX: of its last block; 0 when it doesn't answer
	local height
	height=$(curl -sf --max-time 2 "$(node_rpc_url "$1")/status" | json_get latest_block_height)
	printf '%d' "${height:-0}"
}

node_ready() { # INDEX
	[ "$(node_height "$1")" -ge 1 ]
}

node_start() { # INDEX
	launch "aitbcd$1" "$bin_dir/aitbcd" start --home "$net_dir/node$1"
}

rest_ready() { # it answers, and the chain knows it as a coordinator
	curl -sf --max-time 2 "$rest_url/v1/coordinator" | grep -q '"published" *: *true'
}

started_or_die() { # NAME SECONDS COMMAND...
	local name=$1 seconds=$2
	shift 2
	wait_until "$seconds" "$@" && return 0
	tail -n 5 "$log_dir/$name.log" >&2
	die "$name didn't become ready within $seconds s (log: $log_dir/$name.log)"
}

# Makes the homes when there are none, starts node and miners, waits until each answers. Sets node_launched_ms (wall clock)
# and node_ready_ms (how long until it answered with a block).
devnet_start() {
	local began index config ports=("$rest_port" "${miner_ports[@]}")
	mkdir -p "$log_dir" "$run_dir" "$work_dir"
	if [ ! -e "$home_dir/genesis.json" ]; then
		"$bin_dir/aitbcd" testnet --validators "$devnet_validators" --output "$net_dir" --chain-id "$chain_id" \
			${AITBC_BASE_PORT:+--base-port "$AITBC_BASE_PORT"} >>"$log_dir/testnet.log" 2>&1 ||
			die "aitbcd testnet failed: $(tail -n 1 "$log_dir/testnet.log")"
	fi
	for index in $(devnet_nodes); do # a single node listens for no peers
		ports+=("$((rpc_port + 10 * index))" "$((metrics_port + metrics_step * index))")
		[ -e "$net_dir/node1" ] && ports+=("$((p2p_port + 10 * index))")
	done
	ports_free "${ports[@]}"
	began=$(now_ms)
	node_launched_ms=$began
	for index in $(devnet_nodes); do
		node_start "$index"
	done
	for index in $(devnet_nodes); do
		started_or_die "aitbcd$index" 30 node_ready "$index"
	done
	node_ready_ms=$(($(now_ms) - began))
	started_or_die aitbcd0 30 rest_ready
	config=$devnet_dir/miner.json
	# the sample with our Ollama, or without one
	if ollama_models >/dev/null; then
		sed "s|http://127.0.0.1:11434|$ollama_url|" "$AITBC_ROOT/devnet/miner.json" >"$config"
	else
		sed '/"ollama":/d' "$AITBC_ROOT/devnet/miner.json" >"$config"
	fi
	for index in 1 2; do
		launch "aitbc-miner$index" "$bin_dir/aitbc-miner" --config "$config" \
			--coordinator "$rest_url" --rpc "$rpc_url" --chain-id "$chain_id" \
			--miner-id "devnet-miner$index" --port "${miner_ports[index - 1]}" \
			--key-file "$net_dir/keys/miner$index.json" \
			--miner-key-file "$home_dir/coordinator/devnet-keys.json" --miner-key-index "$((index - 1))" \
			--state-dir "$devnet_dir/miner$index"
	done
	for index in 1 2; do
		started_or_die "aitbc-miner$index" 30 miner_ready "${miner_ports[index - 1]}"
	done
}

# Where everything is, for people.
devnet_describe() {
	local index
	say ""
	say "  chain $chain_id, $(devnet_nodes | wc -w) validator$([ -e "$net_dir/node1" ] && echo s)"
	for index in $(devnet_nodes); do
		say "  node$index                              JSON-RPC      $(node_rpc_url "$index")"
	done
	say "  coordinator and explorer (node0)   REST, pages   $rest_url"
	say "  metrics of node0                   Prometheus    http://127.0.0.1:$metrics_port/metrics"
	for index in 1 2; do
		say "  miner $index                            HTTP          http://127.0.0.1:${miner_ports[index - 1]}"
	done
	say "  logs                               $log_dir/"
	say "  chain data, keys                   $net_dir/node*/, $net_dir/keys/"
	say ""
}

# The lines a user puts before his own aitbc commands.
devnet_hints() {
	say "  export AITBC_RPC=$rpc_url AITBC_COORDINATOR=$rest_url AITBC_HOME=$net_dir \\"
	say "    AITBC_API_KEY=$(json_get client_key <"$home_dir/coordinator/devnet-keys.json") PATH=$bin_dir:\$PATH"
}

# Names of the models that an Ollama has, one a line; fails when none answers or it has none.
ollama_models() {
	curl -sf --max-time 2 "$ollama_url/api/tags" | tr ',' '\n' | sed -n 's/.*"name"[: ]*"\([^"]*\)".*/\1/p' | grep .
}

cli() {
	AITBC_RPC=$rpc_url AITBC_COORDINATOR=$rest_url AITBC_HOME=$net_dir "$bin_dir/aitbc" "$@"
}

cli_json() {
	cli --json "$@"
}

miner_ready() { # PORT: it knows the chain and the coordinator knows it
	curl -sf --max-time 2 "http://127.0.0.1:$1/v1/status" | grep -q '"state" *: *"ready"'
}

rss_mb() { # of a process by name, with one decimal
	awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$(cat "$run_dir/$1.pid")/status"
}

# 1234567 uaitbc as "1.234567"
aitbc_of() {
	awk -v u="$1" 'BEGIN { s = u < 0 ? "-" : ""; if (u < 0) u = -u; t = sprintf("%d.%06d", int(u / 1000000), u % 1000000); sub(/0+$/, "", t); sub(/\.$/, "", t); print s t }'
}

# Removes chain, keys and logs: only what devnet_start made, and only while it is stopped.
devnet_forget() {
	rm -rf "$net_dir" "$log_dir" "$run_dir" "$work_dir" "$devnet_dir/miner1" "$devnet_dir/miner2" "$devnet_dir/miner.json"
	rmdir "$devnet_dir" 2>/dev/null || true
}
