#!/usr/bin/env bash
# A test of the test: bugs put into a copy of the production code, each of which the simulator must see within its seeds.
# tests/sim/mutants.sh [WORK-FOLDER [few]]; few: only some of them. One line a bug; exit code 0 only when every one is seen.
# MUTANT=PATTERN in the environment: only those whose names match.
set -u
cd "$(dirname "$0")/../.." || exit 2
source=$PWD
work=${1:-$(mktemp -d)}/mutants
few=${2:-}
workers=2

prepare() { # WORKER: a copy of the tree, built
	mkdir -p "$work/$1" && cd "$work/$1" || return 2
	tar -C "$source" --exclude='./build*' --exclude=./.git -cf - . | tar -xf - || return 2
	sed -i 's/ -Werror//' cmake/rooms.cmake # what a mutant leaves unused is not the question
	local launcher=()
	command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
	cmake --preset release "${launcher[@]}" >cmake.log 2>&1 && ninja -C build -j1 sim >ninja.log 2>&1 && return 0
	tail -n 20 cmake.log ninja.log
	echo "FAILED: the unchanged code doesn't build"
	return 1
}

count=0
# mutant NAME FILES SED-EXPRESSION SIM-ARGUMENTS...; NAME with a star: also among the few.
mutant() {
	local name=$1 files=$2 change=$3 file same=0
	shift 3
	[[ -n $few && $name != *\* ]] && return
	name=${name%\*}
	[[ -n ${MUTANT:-} && ! $name =~ $MUTANT ]] && return
	count=$((count + 1))
	[ $((count % workers)) = "$worker" ] || return
	for file in $files; do
		cp "$file" "$file.original"
		sed -i "$change" "$file"
		cmp -s "$file.original" "$file" && same=1
	done
	if [ $same = 1 ]; then
		echo "FAILED: $name: nothing to change in $files"
		status=1
	elif ! ninja -C build -j1 sim >ninja.log 2>&1; then
		grep error ninja.log | head -n 3
		echo "FAILED: $name: doesn't build"
		status=1
	elif timeout 900 build/sim --hunt "$@" >sim.log 2>&1; then
		echo "ok: $name: $(sed -n 's/^ok: a bug: //p' sim.log) [$*]"
	else
		echo "FAILED: $name: $(tail -n 1 sim.log) [$*]"
		status=1
	fi
	for file in $files; do mv "$file.original" "$file"; touch "$file"; done
}

all() {
	local core=consensus/core.c tally=consensus/tally.c gossip=replica/gossip.c
	local storm=(--nodes 4 --crashes --loss 100)
	# ---- agreement
	mutant "half is a quorum*" $tally 's/return power \* 3 > total \* 2;/return power * 2 >= total;/' --nodes 4 --seeds 1..20
	mutant "a quorum is 2f+1 of any number*" $tally 's/return power \* 3 > total \* 2;/return power \/ 10 > (total \/ 10 - 1) \/ 3 * 2;/' \
		--scenario two-quorums-of-three-among-six --seeds 1..10
	mutant "a quorum is 2f+1 of any number, with a liar" $tally \
		's/return power \* 3 > total \* 2;/return power \/ 10 > (total \/ 10 - 1) \/ 3 * 2;/' \
		--scenario two-quorums-of-three-among-five-one-lying --seeds 1..10
	mutant "a lock binds nobody" $core 's/(same_lock || unlocked);/(same_lock || unlocked || true);/' \
		--scenario decided-where-nobody-hears --seeds 1..10
	mutant "nobody locks" $core 's/c->locked_round = c->round;/c->locked_round = -1;/' --scenario decided-where-nobody-hears --seeds 1..10
	mutant "a lock is for ever*" $core 's/c->locked_round <= p->pol_round;/false;/' \
		--scenario fail-stop-between-two-locks --seeds 1..10
	mutant "a lock is for ever, among five" $core 's/c->locked_round <= p->pol_round;/false;/' \
		--scenario locked-on-two-blocks-among-five --seeds 1..10
	mutant "a lock is for ever, among six" $core 's/c->locked_round <= p->pol_round;/false;/' \
		--scenario locked-on-two-blocks-among-six --seeds 1..10
	mutant "who is locked votes for no newer certificate" $core 's/c->locked_round <= p->pol_round;/c->locked_round < 0;/' \
		--scenario vote-for-a-newer-certificate-although-locked --seeds 1..10
	mutant "a lock yields to any proof of lock" $core 's/c->locked_round <= p->pol_round;/true;/' \
		--scenario older-proof-against-a-newer-lock --seeds 1..10
	mutant "a valid block is not remembered" $core 's/c->valid_round = c->round;/;/' \
		--scenario proposers-that-missed-the-prepared-block --seeds 1..10
	mutant "a quorum of an earlier round decides nothing" $core \
		's/vote->type == VOTE_PRECOMMIT \&\& c->decided_round < 0/& \&\& vote->round == c->round/' "${storm[@]}" --seeds 1..200
	mutant "votes count for whatever round it is" "$core $tally" \
		's/round_ensure(c, vote->round)/round_ensure(c, c->round)/; s/ || vote->round != t->round//' "${storm[@]}" --seeds 1..100
	mutant "a prevote counts as a precommit" "$core $tally" \
		's/vote->type == VOTE_PREVOTE ? &r->prevotes : &r->precommits;/\&r->precommits;/; s/ || vote->type != t->type//' --nodes 4 --seeds 1..10
	# ---- liveness
	mutant "no jump on f+1 of a later round*" $core 's/if (best == c->round)/if (true)/' --scenario rounds-drifted-apart --seeds 1..10
	mutant "timeouts don't grow" $core 's/base_ms + c->timing.growth_ms \* (uint64_t)c->round;/base_ms;/' \
		--scenario network-slower-than-the-first-timeouts --seeds 1..10
	mutant "a round without agreement never ends" $core 's/ask_timer(c, out, STEP_PRECOMMIT, c->timing.precommit_ms);/;/' \
		--scenario four-signers-two-on-each-head --seeds 1..10
	mutant "split prevotes are waited for without end" $core 's/ask_timer(c, out, STEP_PREVOTE, c->timing.prevote_ms);/;/' \
		--scenario three-signers-on-three-heads --seeds 1..10
	mutant "a silent proposer is waited for without end" $core 's/ask_timer(c, out, STEP_PROPOSE, c->timing.propose_ms);/;/' \
		--scenario four-of-five-signers-two-on-each-head --seeds 1..10
	mutant "the proposer never changes" consensus/rounds.c 's/if (round > 0)/if (false)/' \
		--scenario eight-signers-three-on-each-head --seeds 1..10
	mutant "a late start begins no round" $core 's/^\tbegin_if_waiting(c, out);/\t;/' --scenario started-within-thirty-seconds --seeds 1..10
	mutant "who is behind asks for nothing" replica/sync.c 's/if (!sync_behind(r) || is_patient(r, now))/if (true)/' --nodes 4 --crashes --seeds 1..50
	mutant "lost votes are not repaired" $gossip 's/say_vote(p->r, p->peer, \&tally->slots\[i\].vote, p->out);//' \
		--nodes 4 --crashes --loss 200 --seeds 1..100
	mutant "a lost proof of lock is not repaired" $gossip 's/repair_pol(p, proposal, has_pol);/;/' \
		--scenario fail-stop-between-two-locks --seeds 1..10
	# ---- restarts
	mutant "votes are signed before their reasons are durable" $core 's/if (lock || c->validators.count > 1)/if (lock)/' \
		--nodes 3 --crashes --seeds 1..60
	mutant "a restart says nothing" $core 's/^\tresume_vote(c, out, VOTE_PRE.*//; s/^\tresume_proposal(c, out);//' --nodes 1 --crashes --seeds 1..100
	mutant "the fence refuses nothing*" consensus/fence.c 's/return FENCE_REFUSE;/return FENCE_SIGN;/' --nodes 1 --crashes --seeds 1..50
	mutant "the fence forgets the step" consensus/fence.c 's/return a->step < b->step ? -1 : 1;/return 1;/' --storm --seeds 1..400
	mutant "the fence is off by one step" consensus/fence.c 's/if (later > 0)/if (later >= 0)/' --nodes 1 --crashes --seeds 1..50
	mutant "the fence writes over its record in force" consensus/fence.c 's/return (unsigned)((in_force->counter + 1) % 2);/return (unsigned)(in_force->counter % 2);/' \
		--nodes 1 --crashes --seeds 1..50
	mutant "the log is not replayed" replica/replica.c 's/if (record.height != r->core.height)/if (true)/' --nodes 1 --crashes --seeds 1..50
	mutant "disorder after a power cut is taken for rot" replica/replica.c 's/answer != WAL_RECORD \&\& at >= needed/answer == WAL_END/' \
		--nodes 1 --crashes --seeds 1..50
	mutant "the log begins anew before its block is durable" replica/engine.c 's/^\tstruct apply_job \*job = block_job(r, APPLY_WRITE, c, e->round);/\treplica_effect(out, REPLICA_LOG_RESET);\n&/' \
		--nodes 3 --crashes --seeds 1..200
	mutant "a block is not synced*" replica/apply.c 's/store_write(job->store, \&batch, true)/store_write(job->store, \&batch, false)/' \
		--nodes 1 --crashes --seeds 1..50
	mutant "a restart forgets the last commit" replica/replica.c 's/if (r->head.last_validators.count == 0)/if (true)/' "${storm[@]}" --seeds 1..100
	# ---- who lies
	mutant "a liar's second vote is ignored" $tally 's/^\t\tkeep_other(t, slot, vote);//' --nodes 4 --twins --seeds 1..50
	mutant "evidence convicts twice" replica/evidence.c 's/return status == STATUS_NOT_FOUND ? STATUS_OK : status;/return STATUS_OK;/; s/\*fault = "evidence: in a block already";/;/' \
		--nodes 4 --liars evidence,voter --seeds 1..100
	mutant "a part isn't held against its proof" chain/format/part_set.c 's/if (!hash_equal(&leaf, &proof->leaf) || /if (false \&\& /' \
		--nodes 4 --liars part --seeds 1..100
	mutant "a commit counts who it names, not who signed" chain/format/commit.c \
		's/if (memcmp(vote.address.b, set->v\[i\].address.b, sizeof vote.address.b) != 0)/if (false)/' --nodes 4 --liars address --seeds 1..100
	mutant "a vote may name anybody" replica/peers.c 's/if (memcmp(v->address.b, set->v\[v->index\].address.b, sizeof v->address.b) != 0)/if (false)/' \
		--nodes 4 --liars stranger --seeds 1..200
	mutant "votes aren't verified" replica/peers.c 's/if (!vote_verify(v, r->config.start.chain_id, &set->v\[v->index\].key))/if (false)/' \
		--nodes 4 --liars any --seeds 1..300
	mutant "any block of a proposer is good" replica/candidate.c '/^const char \*candidate_fault/,/^}/ s/^{/{\n\tif (head->height > 0)\n\t\treturn NULL;/' \
		--nodes 4 --liars block --seeds 1..100
	mutant "a block's time may fall" replica/candidate.c 's/if (timestamp_compare(c->time, head->time) <= 0)/if (false)/' --nodes 4 --liars time --seeds 1..200
	mutant "a block's time may be any" $core 's/r->timely = ours ||.*/r->timely = true;/' --nodes 4 --liars time --seeds 1..200
	mutant "a proof of double signing needs no signatures" replica/evidence.c \
		's/if (!vote_verify(a, chain_id, &v->key) || !vote_verify(b, chain_id, &v->key))/if (false)/' --nodes 4 --liars evidence --seeds 1..100
	mutant "a silent peer is asked for ever" replica/sync.c '/^static bool is_overdue/,/^}/ s/^{/{\n\tif (s->asked)\n\t\treturn false;/' --nodes 4 --liars sync --crashes --seeds 1..100
	# ---- storms, and what is lost in them
	mutant "wiped validators wait for each other*" replica/voice.c 's/^\tbool still = .*/\tbool still = false;/' --scenario two-of-four-wiped --seeds 1..10
	mutant "a wiped validator votes where it may have voted" replica/voice.c 's/begin_beyond(r, round + 2, now, out);/;/' \
		--scenario two-of-four-wiped --seeds 1..10
	mutant "recovery stands on what isn't synced" replica/replica.c 's/^\treplica_effect(out, REPLICA_LOG_SYNC);$//' --storm --seeds 500..900
	mutant "a new link forgets what was said early" replica/peers.c 's/^\tr->peers\[peer\].early_bytes = early_bytes;//' --storm --seeds 1..100
	mutant "rot in the log is where it ends" replica/replica.c 's/uint64_t needed = signed_here ? fence->log_bytes : 0;/uint64_t needed = 0;/' --storm --seeds 1..400
	mutant "a validator without its fence votes at once" replica/voice.c '/^static enum status doubt/,/^}/ s/^{/{\n\tif (r)\n\t\treturn STATUS_OK;/' \
		--storm --seeds 1..400
	mutant "a failed write is taken for done" replica/apply.c \
		's/else if ((status = store_write(job->store, &batch, true)) != STATUS_OK)/else if ((status = store_write(job->store, \&batch, true)) == STATUS_NO_MEMORY)/' --storm --seeds 1..300
	# ---- money
	mutant "a payment is made twice*" chain/settle/jobs.c 's/^\tmoney_credit(run->state, to, uaitbc);/&&/' --nodes 1 --seeds 1..20
	mutant "money comes from nowhere" chain/settle/actions_account.c \
		's/money_credit(run->state, &to, act->amount);/money_credit(run->state, \&to, act->amount + 1);/' --nodes 1 --seeds 1..20
	mutant "a refund keeps a coin" chain/settle/jobs.c 's/(struct job_split){0, 0, view->job->reward, NULL}/(struct job_split){0, 0, view->job->reward - 1, NULL}/' \
		--nodes 1 --seeds 1..50
	mutant "a sequence is used twice" chain/settle/check.c 's/^\taccount.next_sequence++;/\t;/' --nodes 4 --crashes --seeds 1..50
	mutant "an ended job ends again" chain/settle/jobs.c 's/if (!job_state_is_terminal(out->state)) {/if (true) {/' --nodes 1 --seeds 1..50
}

work_through() { # WORKER
	worker=$1
	status=0
	prepare "$1" || return 1
	all
	return $status
}

trap 'rm -rf "$work"' EXIT
work_through 0 & first=$!
work_through 1 & second=$!
status=0
wait $first || status=1
wait $second || status=1
exit $status
