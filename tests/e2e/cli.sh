#!/usr/bin/env bash
# Every command of aitbc against a running node, coordinator and miners; and the README's words about them.
# Environment: AITBC_BIN (built programs), AITBC_DEVNET (where the devnet may live), AITBC_BASE_PORT=auto.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 2
AITBC_VALIDATORS=1 # its one operator decides what authority decides
. devnet/lib.sh
. devnet/net.sh

failed=0
out=$(mktemp)
err=$(mktemp)
trap 'devnet_stop; rm -f "$out" "$err"' EXIT

# claim WHAT COMMAND...: the command succeeds.
claim() {
	local what=$1
	shift
	if "$@"; then echo "ok: $what"; else
		echo "FAILED: $what"
		sed 's/^/  | /' "$out" "$err"
		failed=1
	fi
}

works() { cli "$@" >"$out" 2>"$err"; }             # exit 0, and nothing said on stderr
quiet() { works "$@" && [ ! -s "$err" ]; }
says() { local wanted=$1; shift; works "$@" && grep -q -- "$wanted" "$out"; }
refuses() { # WANTED COMMAND...: fails, says WANTED on stderr and nothing on stdout
	local wanted=$1
	shift
	! works "$@" && grep -q -- "$wanted" "$err" && [ ! -s "$out" ]
}
is_json() { # one line, one object
	works "$@" --json && [ "$(wc -l <"$out")" -eq 1 ] && grep -q '^{.*}$' "$out"
}

devnet_stop
devnet_forget
devnet_start || exit 1

# --- the README says what the program says
listed() { sed -n '/^## All commands/,/^Keys live/p' README.md | sed -n '/^```/,/^```/p' | tr -s ' ' '\n' | grep -xE '[a-z]+' | sort -u; }
offered() { "$bin_dir/aitbc" help | sed -n '/^usage/,/^flags/p' | sed -n 's/^  \([a-z ]*[a-z]\).*/\1/p' | cut -c1-34 |
	awk '{ print $1; if ($1 == "keys") print $2 }' | sort -u; }
claim "the README lists every command, and no other" test "$(listed)" = "$(offered)"
each_has_help() {
	local name
	"$bin_dir/aitbc" help | sed -n '/^usage/,/^flags/p' | sed -n 's/^  \(keys [a-z]*\|[a-z]*\) .*/\1/p' | while read -r name; do
		# shellcheck disable=SC2086 # one or two words
		"$bin_dir/aitbc" $name --help | grep -q "^aitbc $name" || exit 1
	done
}
claim "every command has its help" each_has_help

# --- keys
pass=$work_dir/pass
(umask 077; echo "a passphrase of some length" >"$pass"; echo wrong >"$pass.wrong")
claim "a new key is encrypted" says "Encrypted *yes" keys new alice --passphrase-file "$pass"
claim "its file is for its owner alone" test "$(stat -c %a "$net_dir/keys/alice.json")" = 600
claim "a name isn't given twice" refuses "already" keys new alice --passphrase-file "$pass"
claim "keys are listed" says "alice.*encrypted" keys list
claim "a key is shown" says "^Address *ait1" keys show alice
claim "a backup is written" quiet keys export alice --output "$work_dir/backup.json"
claim "a backup comes back under another name" quiet keys import alice2 --file "$work_dir/backup.json"
claim "it is the same key" test "$(cli keys show alice | grep Address)" = "$(cli keys show alice2 | grep Address)"
claim "what isn't a key file is refused" refuses "no key file" keys import bob --file "$pass"
secret() { cli keys export alice --secret --passphrase-file "$pass" | cli keys import alice3 --devnet "$chain_id" >"$out" 2>"$err"; }
claim "a bare secret goes from one home to another through a pipe" secret
claim "a plain key for no devnet is refused" refuses "devnet" keys new carl --devnet main-1

# --- money
claim "the faucet gives" says "Sent *5 AITBC" faucet alice 5aitbc
claim "the balance says so" says "Balance *5 AITBC" balance alice
claim "an encrypted key pays" says "Sent *1 AITBC" send client 1aitbc --key alice --passphrase-file "$pass"
claim "a wrong passphrase opens nothing" refuses "wrong passphrase" send client 1aitbc --key alice --passphrase-file "$pass.wrong"
claim "nobody pays more than he has" refuses "insufficient_funds" send client 1000aitbc --key alice --passphrase-file "$pass"
claim "an amount without a unit is refused" refuses "0.25aitbc" send miner1 5
claim "a mistyped address is refused" refuses "no address" balance ait1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq
claim "the history shows both directions" says "transfer +1 AITBC" history
claim "so does anybody's" says "transfer +5 AITBC" txs alice

# --- jobs
claim "a job is ordered, done, paid and shown" says "^Status *completed" submit text/count \
	--input-file input=README.md --job-id first --wait --output "$work_dir/first"
claim "progress names blocks and transactions" grep -q "submit_job in block [0-9]*, transaction [0-9A-F]" "$out"
claim "the answer is what wc says" grep -q "^Result *$(($(wc -l <README.md))) " "$out"
claim "the result's bytes are at hand" test -s "$work_dir/first/result.json"
claim "the same submission again is the same job" says "^Job ID *$(cli status first | sed -n 's/^Job ID *//p')" submit --again "$(cli status first | sed -n 's/^Job ID *//p')"
claim "its status names three transactions" test "$(cli status first | grep -c '_[a-z]* *block [0-9]*  [0-9A-F]\{64\}')" = 3
claim "its receipt is in a block, and verifies" says "signature is good, and the job was settled" receipt first
claim "its story is told" says "SETTLED *record_receipt" why first
claim "its result is held against the receipt" says "the miner signed for" result first
claim "jobs are listed" says "completed *text/count" jobs
claim "receipts are listed" says "text/count" receipts
claim "miners are listed with what they earned" says "devnet-miner1 *ONLINE" miners
claim "a service nobody offers is refused with those there are" refuses "it offers: .*text/count" submit text/cuont
claim "a missing input is named" refuses "input" submit text/count
claim "a job waits for its miner" says "^Status *pending" submit inference --prompt hello --model none --job-id second
claim "why says what it waits for" says "It waits for a miner" why second
claim "a job without receipt has none" refuses "no receipt" receipt second
claim "a result isn't shown before its receipt" refuses "not yet" result second
claim "its client takes it back" says "cancelled" cancel second
claim "only once" refuses "ended" cancel second
claim "the story ends there" says "CANCELLED *cancel_job" why second

# --- the chain
claim "the chain is shown" says "^Supply *[0-9]" chain
claim "the last block is shown" says "^Height" block
claim "the first block is shown" says "^Height *1$" block 1
claim "blocks are listed" says "^HEIGHT" blocks --limit 3
claim "validators are listed" says "^ADDRESS" validators
claim "who decides is shown" says "^Total power" authority
claim "nobody but an operator decides" refuses "not_authority" authority params base_fee=250 --key client
claim "a node's operator is taken in" works keys import operator --file "$net_dir/node0/operator.json"
claim "it decides what the others would have to agree with" says "in force" authority params base_fee=101 --key operator
claim "leaving nobody to validate is refused" refuses "nobody would be left" \
	authority remove "$(cli_json authority | json_get address)" --key operator
claim "a deed that isn't one is refused" refuses "no such parameter" authority params nothing=1 --key operator
claim "a transaction is shown with its action" says "record_receipt" tx "$(cli --json receipt first | json_get tx_hash)"
claim "a hash that isn't there is refused" refuses "not found" tx "$(printf '0%.0s' $(seq 64))"
claim "the version is shown" says "[0-9]" version

# --- for programs
for words in "keys list" "keys show alice" "balance" "history" "txs alice" "jobs" "status first" "receipt first" "why first" \
	"result first" "chain" "block" "blocks" "receipts" "validators" "authority" "miners" "version"; do
	# shellcheck disable=SC2086 # two words
	claim "aitbc $words --json is one object" is_json $words
done

# --- who isn't there
claim "a node that isn't there is named, with the way to another" refuses "AITBC_RPC" balance --rpc http://127.0.0.1:9
claim "so is a coordinator" refuses "AITBC_COORDINATOR" status first --coordinator http://127.0.0.1:9
claim "a mistyped command is answered with the nearest" refuses "did you mean balance" blanace

exit $failed
