#!/usr/bin/env bash
# devnet/demo.sh [--keep] [--validators N]: from a fresh Debian machine to two paid jobs. Installs what is missing, builds,
# starts a chain of four validators (1 to 7) with coordinator and two miners, has a video transcoded and a second job done,
# checks every unit of money that moved, on another node than the one that was asked, and pays on while a validator is
# killed. --keep leaves everything running (devnet/down.sh stops it).
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1
. devnet/lib.sh
. devnet/net.sh

keep=no
while [ $# -gt 0 ]; do
	case $1 in
	--keep) keep=yes ;;
	--validators) devnet_validators=${2:-}; shift ;;
	*) sed -n '2,5s/^# //p' devnet/demo.sh; [ "$1" = --help ]; exit ;;
	esac
	shift
done
case $devnet_validators in [1-7]) ;; *) die "--validators: 1 to 7" ;; esac
failed=0

check() { # CLAIM COMMAND...
	local claim=$1
	shift
	if "$@"; then good "$claim"; else bad "$claim"; failed=1; fi
}

finish() {
	local code=$?
	trap - EXIT INT TERM
	if [ "$keep" = no ] || [ $code -ne 0 ]; then
		devnet_stop
	fi
	exit $code
}

balance_of() { # ADDRESS [NODE]: uaitbc, as that node knows it
	cli_json --rpc "$(node_rpc_url "${2:-0}")" balance "$1" | json_get balance
}

operators_balance() { # of all validators' operators together
	local index one sum=0
	for index in $(devnet_nodes); do
		one=$(balance_of "${operator[$index]}") || return 1
		sum=$((sum + one))
	done
	printf '%d' "$sum"
}

tell_balances() { # WHEN: prints and keeps them in the map of that name
	local -n kept=$1
	local name
	for name in client coordinator miner1 miner2; do
		kept[$name]=$(balance_of "${address[$name]}") || die "no balance of $name"
		printf '   %-12s %s  %15s AITBC\n' "$name" "${address[$name]}" "$(aitbc_of "${kept[$name]}")"
	done
	kept[operators]=$(operators_balance) || die "no balance of the operators"
	printf '   %-12s %-44s  %15s AITBC\n' operators "$(devnet_nodes | wc -w) accounts together" "$(aitbc_of "${kept[operators]}")"
}

fee_of_tx() { # HASH: its fee, once
	cli_json tx "$1" | json_get fee
}

member_of() { # OUTER INNER: .OUTER.INNER of the JSON on stdin
	tr -d '\n' | sed "s/.*\"$1\" *: *{/{/" | json_get "$2"
}

# The books so far: what each account must have gained when every job is done.
declare -A expected=([client]=0 [coordinator]=0 [miner1]=0 [miner2]=0 [operators]=0)

book() { # JOB: reads its receipt and its three transactions from the chain, prints them, and books what must have moved
	local job=$1 view receipt kind hash fee amount to_miner to_coordinator winner name
	view=$(cli_json status "$job") || die "aitbc status $job failed"
	receipt=$(cli_json receipt "$job") || die "aitbc receipt $job failed"
	for kind in submit assign receipt; do
		hash=$(sed 's/.*"tx" *: *{/{/' <<<"$view" | member_of "$kind" hash)
		fee=$(fee_of_tx "$hash") || die "no transaction $hash"
		printf '   %-8s block %-6s tx %s  fee %s AITBC\n' "$kind" \
			"$(sed 's/.*"tx" *: *{/{/' <<<"$view" | member_of "$kind" height)" "$hash" "$(aitbc_of "$fee")"
		case " ${booked:-} " in *" $hash "*) continue ;; esac # a batch of the coordinator pays once
		booked="${booked:-} $hash"
		if [ "$kind" = submit ]; then name=client; else name=coordinator; fi
		expected[$name]=$((expected[$name] - fee))
		expected[operators]=$((expected[operators] + fee))
	done
	amount=$(json_get amount <<<"$receipt")
	to_miner=$(json_get to_miner <<<"$receipt")
	to_coordinator=$(json_get to_coordinator <<<"$receipt")
	winner=$(json_get miner <<<"$receipt")
	name=miner1
	[ "$winner" = "${address[miner2]}" ] && name=miner2
	expected[client]=$((expected[client] - amount))
	expected[coordinator]=$((expected[coordinator] + to_coordinator))
	expected[$name]=$((expected[$name] + to_miner))
	say ""
	cli receipt "$job" | sed 's/^/   /'
	say ""
}

run_job() { # WHAT SERVICE SUBMIT-ARGUMENTS...: sets job and job_ms
	local what=$1 began
	shift
	step "$what"
	note "aitbc submit $*"
	began=$(now_ms)
	cli submit "$@" --wait --timeout 300 --output "$work_dir/${1//\//-}" >"$work_dir/submit.txt" 2>"$work_dir/submit.err" ||
		{ cat "$work_dir/submit.txt" "$work_dir/submit.err" >&2; die "the job failed"; }
	job_ms=$(($(now_ms) - began))
	job=$(sed -n 's/^Job ID  *//p' "$work_dir/submit.txt" | head -n 1)
	[ -n "$job" ] || die "aitbc submit named no job"
	cat "$work_dir/submit.err" "$work_dir/submit.txt" | sed -n 's/^ *\([0-9.]* s  [A-Z].*\)/   \1/p'
	book "$job"
}

probe() { # FILE SECTION KEY
	ffprobe -v error -select_streams "$2" -show_entries "$3" -of default=nw=1:nk=1 "$1" | head -n 1
}

transcode() {
	local result=$work_dir/ffmpeg-transcode/output.mp4 seconds
	ffmpeg -hide_banner -loglevel error -nostdin -y -f lavfi -i testsrc=size=640x360:rate=25:duration=2 \
		-f lavfi -i sine=frequency=440:duration=2 -c:v mpeg4 -q:v 3 -c:a mp2 "$work_dir/clip.avi" || die "ffmpeg can't make the clip"
	run_job "job 1: ffmpeg/transcode of a clip (2 s, 640x360, with sound) at 0.2 AITBC a second" \
		ffmpeg/transcode --input-file "input=$work_dir/clip.avi" --input codec=h264 --input output_format=mp4 \
		--input preset=slow --price 0.2aitbc
	first_job_ms=$(($(now_ms) - node_launched_ms))
	first_wait_ms=$job_ms
	check "the result is here: $result" test -s "$result"
	check "its picture is h264" test "$(probe "$result" v:0 stream=codec_name)" = h264
	check "it has sound" test "$(probe "$result" a:0 stream=codec_type)" = audio
	check "it is an mp4" grep -q mp4 <<<"$(probe "$result" v:0 format=format_name)"
	seconds=$(probe "$result" v:0 format=duration)
	check "it lasts 2 s ($seconds)" awk -v s="$seconds" 'BEGIN { exit !(s > 1.8 && s < 2.3) }'
}

second_job() {
	local model
	if model=$(ollama_models | head -n 1) && [ -n "$model" ]; then
		run_job "job 2: inference by $model of the Ollama at $ollama_url" \
			inference --prompt "What is machine learning? One sentence." --model "$model" --price 0.2aitbc
		sed -n '/^Result hash/d; s/^Result  */   /p' "$work_dir/submit.txt"
		check "the model answered" grep -q '^Result  *[^ ]' "$work_dir/submit.txt"
		return
	fi
	say ""
	note "no Ollama answers at $ollama_url, so no inference: another program's job instead"
	ffmpeg -hide_banner -loglevel error -nostdin -y -f lavfi -i testsrc=size=640x360:rate=1:duration=1 -frames:v 1 "$work_dir/picture.png"
	run_job "job 2: image/scale of a picture to 320x180" \
		image/scale --input-file "input=$work_dir/picture.png" --input width=320 --input height=180 --price 0.2aitbc
	check "the picture is 320 wide" test "$(probe "$work_dir/image-scale/output.png" v:0 stream=width)" = 320
}

check_books() {
	local name gained sum=0
	for name in client coordinator miner1 miner2 operators; do
		gained=$((after[$name] - before[$name]))
		sum=$((sum + gained))
		check "$(printf '%-12s %+d uaitbc, as receipts and fees say' "$name" "$gained")" test "$gained" -eq "${expected[$name]}"
	done
	check "nothing appeared or vanished: all changes add up to $sum" test "$sum" -eq 0
	check "the client paid, the miners and the coordinator earned" test "$((after[client] - before[client]))" -lt 0 -a \
		"$((after[miner1] + after[miner2] - before[miner1] - before[miner2]))" -gt 0 -a \
		"$((after[coordinator] - before[coordinator]))" -gt 0
}

# Everything above was asked of node0. What another node says of the same money, read from its own disk:
check_elsewhere() {
	local name last=$((devnet_validators - 1)) height
	height=$(node_height 0)
	step "the same money as node$last knows it"
	check "node$last has block $height too" wait_until 10 reached "$last" "$height"
	for name in client coordinator miner1 miner2; do
		check "$(printf '%-12s %s AITBC' "$name" "$(aitbc_of "${after[$name]}")")" \
			test "$(balance_of "${address[$name]}" "$last")" = "${after[$name]}"
	done
}

reached() { # NODE HEIGHT
	[ "$(node_height "$1")" -ge "$2" ]
}

# kill -9 of the last validator: more than two thirds are left, so payments go on; then it comes back and catches up.
lose_a_validator() {
	local last=$((devnet_validators - 1)) began took=() height
	step "kill -9 node$last, and pay"
	before[miner1]=$(balance_of "${address[miner1]}" 2)
	kill -KILL "$(cat "$run_dir/aitbcd$last.pid")"
	for _ in 1 2; do
		began=$(now_ms)
		cli_json --rpc "$(node_rpc_url 1)" send miner1 0.5aitbc >/dev/null || die "no payment while node$last is dead"
		took+=("$(($(now_ms) - began)) ms")
	done
	payment_text="payments while a validator is dead: $(printf '%s, ' "${took[@]}" | sed 's/, $//') (one whose turn is the dead one's waits for its timeout)"
	height=$(node_height 1)
	check "two payments were sent to node1 and are in blocks of node2" wait_until 10 reached 2 "$height"
	check "miner1 has 1 AITBC more, says node2" \
		test "$(balance_of "${address[miner1]}" 2)" -eq "$((before[miner1] + 1000000))"
	note "aitbc chain --stall tells from one node who is missing:"
	cli chain --stall | sed 's/^/   /'
	node_start "$last"
	check "node$last is back and has the blocks that it missed" wait_until 30 reached "$last" "$height"
	check "and says the same of miner1" test "$(balance_of "${address[miner1]}" "$last")" -eq "$((before[miner1] + 1000000))"
}

[ -n "${AITBC_BIN:-}" ] || { packages_ensure; build_tree release build aitbcd aitbc aitbc-miner; }
if devnet_running; then
	say "stopping the devnet of an earlier run"
	devnet_stop
fi
devnet_forget
trap finish EXIT
trap 'exit 130' INT TERM

step "starting a devnet: $devnet_validators validator$([ "$devnet_validators" = 1 ] || echo s), two miners"
devnet_start
good "node ready after $node_ready_ms ms$([ "$devnet_validators" = 1 ] || echo " (all $devnet_validators)"), miners registered"
devnet_describe

declare -A address=() before=() after=() operator=()
for name in client miner1 miner2; do
	address[$name]=$(cli_json keys show "$name" | json_get address)
done
address[coordinator]=$(curl -sf "$rest_url/v1/coordinator" | json_get address)
for index in $(devnet_nodes); do
	operator[$index]=$(json_get address <"$net_dir/node$index/operator.json")
done
AITBC_API_KEY=$(json_get client_key <"$home_dir/coordinator/devnet-keys.json")
export AITBC_API_KEY

step "accounts and balances before (operators: they receive the fees of their validators' blocks)"
tell_balances before
transcode
second_job
step "balances after"
tell_balances after
check_books
[ "$devnet_validators" -lt 2 ] || check_elsewhere
[ "$devnet_validators" -lt 4 ] || lose_a_validator

step "figures"
figure "node ready after $node_ready_ms ms"
figure "first paid job $(awk -v ms=$first_job_ms 'BEGIN { printf "%.2f", ms / 1000 }') s after the node was started ($(awk -v ms=$first_wait_ms 'BEGIN { printf "%.2f", ms / 1000 }') s from submission to payment)"
figure "node memory $(for index in $(devnet_nodes); do printf '%s ' "$(rss_mb "aitbcd$index")"; done)MB$([ "$devnet_validators" = 1 ] || echo " (a node each)")"
[ -z "${payment_text:-}" ] || figure "$payment_text"

step "where to look next"
say "  blocks        $rest_url/blocks"
say "  receipts      $rest_url/receipts"
say "  this job      aitbc why $job"
say "  logs          $log_dir/"
say "  results       $work_dir/"
if [ $failed -ne 0 ]; then
	die "a check failed; the logs are in $log_dir"
fi
if [ "$keep" = yes ]; then
	say ""
	say "left running; in your shell:"
	devnet_hints
	say "  devnet/down.sh stops it"
else
	say ""
	say "stopped again; devnet/demo.sh --keep or devnet/up.sh leave it running"
fi
