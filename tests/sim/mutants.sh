#!/usr/bin/env bash
# A test of the test: bugs put into a copy of the production code, each of which the simulator must see within its seeds.
# tests/sim/mutants.sh [WORK-FOLDER]; exit code 0 only when every one is seen.
set -u
cd "$(dirname "$0")/../.." || exit 2
work=${1:-$(mktemp -d)}/mutants
status=0

mkdir -p "$work" || exit 2
tar --exclude='./build*' --exclude=./.git -cf - . | tar -C "$work" -xf - || exit 2
cd "$work" || exit 2
sed -i 's/ -Werror//' cmake/rooms.cmake # what a mutant leaves unused is not the question
cmake --preset release >cmake.log 2>&1 && ninja -C build sim >ninja.log 2>&1 || {
	tail -n 20 cmake.log ninja.log
	echo "FAILED: the unchanged code doesn't build"
	exit 1
}

# mutant NAME FILE SED-EXPRESSION SIM-ARGUMENTS...
mutant() {
	local name=$1 file=$2 change=$3 fault
	shift 3
	cp "$file" original
	sed -i "$change" "$file"
	if cmp -s original "$file"; then
		echo "FAILED: $name: nothing to change in $file"
		status=1
	elif ! ninja -C build sim >ninja.log 2>&1; then
		grep error ninja.log | head -n 3
		echo "FAILED: $name: doesn't build"
		status=1
	elif build/sim "$@" >sim.log 2>&1; then
		echo "FAILED: $name: not seen by sim $*"
		status=1
	else
		fault=$(grep -m 1 FAILED sim.log)
		echo "ok: $name: ${fault#FAILED: }"
	fi
	cp original "$file"
}

core=consensus/core.c
mutant "half is a quorum" consensus/tally.c 's/return power \* 3 > total \* 2;/return power * 2 >= total;/' \
	--nodes 4 --seeds 1..20
mutant "a lock binds nobody" $core 's/(same_lock || unlocked);/(same_lock || unlocked || true);/' \
	--nodes 4 --twins --crashes --loss 100 --seeds 1..800
mutant "nobody locks" $core 's/c->locked_round = c->round;/c->locked_round = -1;/' \
	--nodes 4 --crashes --loss 100 --seeds 1..800
mutant "a valid block is not remembered" $core 's/c->valid_round = c->round;/;/' \
	--nodes 4 --crashes --loss 100 --seeds 1..60
mutant "votes are signed before their reasons are durable" $core 's/if (lock || c->validators.count > 1)/if (lock)/' \
	--nodes 3 --crashes --seeds 1..60
mutant "a round without agreement never ends" $core 's/ask_timer(c, out, STEP_PRECOMMIT, c->timing.precommit_ms);/;/' \
	--nodes 4 --crashes --loss 100 --seeds 1..100
mutant "a restart says nothing" $core 's/^\tresume_vote(c, out, VOTE_PRE.*//; s/^\tresume_proposal(c, out);//' \
	--nodes 1 --crashes --seeds 1..100
mutant "a liar's second vote is ignored" consensus/tally.c 's/^\t\tkeep_other(t, slot, vote);//' \
	--nodes 4 --twins --seeds 1..50
mutant "the fence refuses nothing" consensus/fence.c 's/return FENCE_REFUSE;/return FENCE_SIGN;/' \
	--nodes 1 --crashes --seeds 1..50
mutant "the log is not replayed" replica/replica.c 's/if (record.height != r->core.height)/if (true)/' \
	--nodes 1 --crashes --seeds 1..50
mutant "disorder after a power cut is taken for rot" replica/replica.c 's/answer != WAL_RECORD \&\& at >= needed/answer == WAL_END/' \
	--nodes 1 --crashes --seeds 1..50
mutant "a block is not synced" replica/apply.c 's/store_write(job->store, \&batch, true)/store_write(job->store, \&batch, false)/' \
	--nodes 1 --crashes --seeds 1..50
mutant "who is behind asks for nothing" replica/sync.c 's/if (!sync_behind(r) || is_patient(r, now))/if (true)/' \
	--nodes 4 --crashes --seeds 1..50
mutant "lost votes are not repaired" replica/gossip.c 's/say_vote(p->r, p->peer, \&tally->slots\[i\].vote, p->out);//' \
	--nodes 4 --crashes --loss 200 --seeds 1..100
mutant "a lost proof of lock is not repaired" replica/gossip.c 's/repair_pol(p, proposal, has_pol);/;/' \
	--nodes 4 --crashes --loss 300 --seeds 1..400
mutant "a payment is made twice" chain/settle/jobs.c 's/^\tmoney_credit(run->state, to, uaitbc);/&&/' \
	--nodes 1 --seeds 1..20
mutant "money comes from nowhere" chain/settle/actions_account.c 's/money_credit(run->state, &to, act->amount);/money_credit(run->state, \&to, act->amount + 1);/' \
	--nodes 1 --seeds 1..20

rm -rf "$work"
exit $status
