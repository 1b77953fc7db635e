/* Authority [protocol 10]: whose votes count, how long, and what a decided proposal does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "chain/format/validators.h"
#include "chain/settle/authority.h"
#include "tests/unit/settle_kit.h"

/* Four validators of power 10: PROPOSER, RICH, OPERATOR and MINER operate them. */
static struct kit kit;
static const int64_t four[] = {10, 10, 10, 10};

static int opens_four(void **state)
{
	kit_open_seats(&kit, NULL, four, 4);
	return 0;
}

static int closes(void **state)
{
	struct totals totals = kit_totals(&kit);
	uint64_t held = totals.escrow;

	for (int i = 0; i < KIT_PEOPLE; i++)
		held += kit_balance(&kit, (enum kit_who)i);
	assert_int_equal(held, totals.supply);
	/* What the records say is what a new start reads. */
	kit_reopen(&kit);
	kit_close(&kit);
	return 0;
}

static struct seats seats_now(void)
{
	struct state_key key = state_key_seats();
	struct seats seats;
	struct bytes packed;

	assert_true(kit_record_of(&kit, &key, &packed));
	assert_true(seats_unpack(&seats, &kit.arena, packed));
	return seats;
}

static size_t open_votes(void)
{
	struct state_key key = state_key_votes();
	struct open_votes votes;
	struct bytes packed;

	if (!kit_record_of(&kit, &key, &packed))
		return 0;
	assert_true(votes_unpack(&votes, &kit.arena, packed));
	return votes.count;
}

static bool is_open(const Pb__Action *action)
{
	struct hash32 hash = proposal_hash(action->authority->proposal, &kit.config.chain_tag);
	struct state_key key = state_key_proposal(&hash);
	struct bytes packed;

	return kit_record_of(&kit, &key, &packed);
}

static Pb__SettleParams params_now(void)
{
	struct state_key key = state_key_params();
	Pb__SettleParams *params;
	struct bytes packed;

	assert_true(kit_record_of(&kit, &key, &packed));
	params = pb__settle_params__unpack(arena_protobuf(&kit.arena), packed.len, packed.data);
	assert_non_null(params);
	return *params;
}

static struct rules rules_now(void)
{
	struct state_key key = state_key_rules();
	struct rules rules;
	struct bytes packed;

	assert_true(kit_record_of(&kit, &key, &packed));
	assert_true(rules_unpack(&rules, &kit.arena, packed));
	return rules;
}

static void votes(enum kit_who who, Pb__Action *action)
{
	assert_int_equal(kit_act(&kit, who, action), SETTLE_OK);
}

static void three_vote(Pb__Action *action)
{
	votes(PROPOSER, action);
	votes(RICH, action);
	votes(OPERATOR, action);
}

static bool told(const char *type)
{
	for (size_t i = 0; i < kit.result.event_count; i++) {
		if (strcmp(kit.result.events[i].type, type) == 0)
			return true;
	}
	return false;
}

/* Ten seconds a block, so that no outage is counted. */
static void wait_ms(uint64_t ms)
{
	while (ms > 0) {
		uint64_t step = ms < 20000 ? ms : 20000;

		kit_run(&kit, step);
		ms -= step;
	}
}

/* ---- counting ---- */

static void more_than_two_thirds_of_the_power_decide(void **state)
{
	Pb__Action *raise = kit_propose_params(&kit);

	raise->authority->proposal->params->base_fee = 777;
	votes(PROPOSER, raise);
	assert_true(is_open(raise));
	votes(RICH, raise);
	assert_int_equal(open_votes(), 2);
	assert_int_equal(params_now().base_fee, kit.params.base_fee);
	votes(OPERATOR, raise);
	assert_int_equal(params_now().base_fee, 777);
	assert_true(told("authority"));
	assert_false(is_open(raise));
	assert_int_equal(open_votes(), 0);
}

static void exactly_two_thirds_decide_nothing(void **state)
{
	static const int64_t powers[] = {10, 10, 10};
	Pb__Action *raise;

	kit_close(&kit);
	kit_open_seats(&kit, NULL, powers, 3);
	raise = kit_propose_params(&kit);
	raise->authority->proposal->params->base_fee = 777;
	votes(PROPOSER, raise);
	votes(RICH, raise);
	assert_int_equal(params_now().base_fee, kit.params.base_fee);
	votes(OPERATOR, raise);
	assert_int_equal(params_now().base_fee, 777);
}

static void nobody_but_operators_votes(void **state)
{
	static const enum kit_who others[] = {CLIENT, COORDINATOR};

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(
			kit_act(&kit, others[i], kit_propose_params(&kit)), SETTLE_NOT_AUTHORITY);
		assert_int_equal(kit_act(&kit, others[i], kit_propose_rules(&kit, 9, 1)),
			SETTLE_NOT_AUTHORITY);
	}
	assert_int_equal(open_votes(), 0);
}

static void a_vote_sent_twice_counts_once(void **state)
{
	Pb__Action *raise = kit_propose_params(&kit);

	raise->authority->proposal->params->base_fee = 777;
	for (int i = 0; i < 5; i++)
		votes(PROPOSER, raise);
	votes(RICH, raise);
	assert_int_equal(open_votes(), 2);
	assert_int_equal(params_now().base_fee, kit.params.base_fee);
}

static void two_proposals_race_and_a_vote_for_one_leaves_the_other(void **state)
{
	Pb__Action *first = kit_propose_params(&kit), *second = kit_propose_params(&kit);

	first->authority->proposal->params->base_fee = 111;
	second->authority->proposal->params->base_fee = 222;
	votes(PROPOSER, first);
	votes(PROPOSER, second);
	votes(RICH, second);
	votes(RICH, first);
	assert_int_equal(open_votes(), 4);
	/* Both are decided in one block; the later one stands. */
	kit_send(&kit, MINER, first);
	kit_send(&kit, OPERATOR, second);
	kit_run(&kit, 1);
	assert_int_equal(params_now().base_fee, 222);
	assert_int_equal(open_votes(), 0);
}

static void the_same_proposal_can_come_again(void **state)
{
	Pb__Action *pay = kit_propose_spend(&kit, CLIENT, 5000);
	uint64_t before = kit_balance(&kit, CLIENT);

	three_vote(pay);
	assert_int_equal(kit_balance(&kit, CLIENT), before + 5000);
	votes(MINER, pay); /* late: a new proposal, with one vote */
	assert_true(is_open(pay));
	votes(PROPOSER, pay);
	assert_int_equal(kit_balance(&kit, CLIENT), before + 5000);
	votes(RICH, pay);
	assert_int_equal(kit_balance(&kit, CLIENT), before + 10000);
}

static void a_reference_makes_another_proposal_of_the_same_content(void **state)
{
	Pb__Action *may = kit_propose_spend(&kit, CLIENT, 5000);
	Pb__Action *june = kit_propose_spend(&kit, CLIENT, 5000);

	june->authority->proposal->reference = (char *)(uintptr_t) "june";
	votes(PROPOSER, may);
	votes(RICH, may);
	votes(OPERATOR, june);
	assert_true(is_open(may));
	assert_true(is_open(june));
}

static void an_operator_has_four_open_votes_at_most(void **state)
{
	Pb__Action *open[AUTHORITY_OPEN_VOTES_MAX + 1];

	for (size_t i = 0; i <= AUTHORITY_OPEN_VOTES_MAX; i++) {
		open[i] = kit_propose_params(&kit);
		open[i]->authority->proposal->params->base_fee = 1000 + i;
		assert_int_equal(kit_act(&kit, PROPOSER, open[i]),
			i < AUTHORITY_OPEN_VOTES_MAX ? SETTLE_OK : SETTLE_LIMIT);
	}
	assert_false(is_open(open[AUTHORITY_OPEN_VOTES_MAX]));
	votes(PROPOSER, open[0]); /* it has that one */
	votes(RICH, open[AUTHORITY_OPEN_VOTES_MAX]);
	votes(RICH, open[0]);
	votes(MINER, open[0]); /* decided: three are open */
	votes(PROPOSER, open[AUTHORITY_OPEN_VOTES_MAX]);
}

static void an_operator_of_two_validators_votes_with_both(void **state)
{
	Pb__Action *join = kit_propose_validator(&kit, NULL, 4, 30, PROPOSER);
	Pb__Action *raise = kit_propose_params(&kit);

	three_vote(join);
	raise->authority->proposal->params->base_fee = 777;
	votes(PROPOSER, raise); /* 40 of 70 */
	assert_int_equal(params_now().base_fee, kit.params.base_fee);
	votes(MINER, raise);
	assert_int_equal(params_now().base_fee, 777);
}

static void a_transaction_that_fails_takes_its_vote_back(void **state)
{
	Pb__Action *join = kit_propose_validator(&kit, NULL, 4, 10, CLIENT);
	Pb__Action *actions[] = {join, kit_transfer(&kit, CLIENT, 2000u * KIT_COIN)};
	Pb__Action *again[] = {kit_propose_params(&kit), join};

	votes(PROPOSER, join);
	votes(RICH, join);
	kit_send_many(&kit, MINER, PB__MODE__ATOMIC, actions, 2);
	kit_send(&kit, CLIENT, kit_propose_params(&kit));
	kit_run(&kit, 1);
	assert_int_equal(kit.result.txs[0].code, SETTLE_INSUFFICIENT_FUNDS);
	assert_int_equal(kit.result.txs[1].code, SETTLE_NOT_AUTHORITY);
	assert_int_equal(kit.result.update_count, 0);
	assert_int_equal(seats_now().count, 4);
	assert_int_equal(open_votes(), 2);
	assert_true(is_open(join));
	/* And one that doesn't, with two votes in it. */
	kit_send_many(&kit, MINER, PB__MODE__ATOMIC, again, 2);
	kit_run(&kit, 1);
	assert_int_equal(kit.result.txs[0].code, SETTLE_OK);
	assert_int_equal(seats_now().count, 5);
	assert_int_equal(open_votes(), 1);
}

/* Fills the block in hand: so many jobs, the last of them with a name of this length. */
static void send_jobs(size_t count, size_t name_len)
{
	for (size_t i = 0; i < count; i++) {
		char name[JOB_ID_BYTES_MAX + 1];

		memset(name, (int)('a' + i), sizeof name);
		name[i + 1 < count ? 1 : name_len] = 0;
		kit_send(&kit, CLIENT, kit_submit(&kit, name));
	}
}

/* Executes the block in hand without committing it. */
static struct hash32 dry_run(struct app *app)
{
	struct app_block block = kit_block(&kit, 1);
	struct app_result result;

	assert_int_equal(app->vtable->finalize(app->self, &block, &result), STATUS_OK);
	kit.tx_count = 0;
	return result.app_hash;
}

/* Open votes are kept unpacked beside the record they came from, which is known by its place in
 * memory. A vote that was taken back must not be found again in the next block, when another
 * record happens to lie in the same place: the sizes of what comes before move both about. */
static void a_vote_taken_back_does_not_return_in_a_later_block(void **state)
{
	Pb__Action *raise = kit_propose_params(&kit);
	uint64_t sequences[KIT_PEOPLE];

	raise->authority->proposal->params->base_fee = 777;
	votes(PROPOSER, raise);
	memcpy(sequences, kit.sequences, sizeof sequences);
	for (size_t jobs = 0; jobs < 4; jobs++) {
		struct app fresh;
		struct hash32 wanted = {{0}};

		assert_int_equal(settle_open(&fresh, &kit.store, &kit.config), STATUS_OK);
		for (size_t name_len = 0; name_len <= 2 * JOB_ID_BYTES_MAX; name_len++) {
			Pb__Action *failing[] = {
				raise, kit_transfer(&kit, CLIENT, 2000u * KIT_COIN)};
			size_t before = 1 + name_len / (JOB_ID_BYTES_MAX + 1);

			memcpy(kit.sequences, sequences, sizeof sequences);
			if (name_len > 0) {
				send_jobs(before, 1 + (name_len - 1) % JOB_ID_BYTES_MAX);
				kit_send_many(&kit, OPERATOR, PB__MODE__ATOMIC, failing, 2);
				dry_run(&kit.app);
				memcpy(kit.sequences, sequences, sizeof sequences);
			}
			send_jobs(jobs, JOB_ID_BYTES_MAX);
			kit_send(&kit, RICH, raise);
			struct hash32 got = dry_run(name_len > 0 ? &kit.app : &fresh);
			if (name_len == 0)
				wanted = got;
			assert_true(hash_equal(&got, &wanted));
		}
		fresh.vtable->close(fresh.self);
	}
	memcpy(kit.sequences, sequences, sizeof sequences);
	votes(RICH, raise);
	assert_int_equal(params_now().base_fee, kit.params.base_fee);
}

/* ---- time ---- */

static void a_vote_lapses_after_exactly_seven_days(void **state)
{
	Pb__Action *raise = kit_propose_params(&kit);

	raise->authority->proposal->params->base_fee = 777;
	votes(PROPOSER, raise);
	votes(RICH, raise);
	wait_ms(AUTHORITY_VOTE_MS - 2);
	assert_int_equal(open_votes(), 2);
	/* The first vote lapses in this very block, before its actions. */
	assert_int_equal(kit_act(&kit, OPERATOR, raise), SETTLE_OK);
	assert_int_equal(params_now().base_fee, kit.params.base_fee);
	assert_int_equal(open_votes(), 2);
	kit_run(&kit, 1);
	assert_int_equal(open_votes(), 1);
	assert_true(is_open(raise));
}

static void a_millisecond_less_and_it_counts(void **state)
{
	Pb__Action *raise = kit_propose_params(&kit);

	raise->authority->proposal->params->base_fee = 777;
	votes(PROPOSER, raise);
	votes(RICH, raise);
	wait_ms(AUTHORITY_VOTE_MS - 3);
	votes(OPERATOR, raise);
	assert_int_equal(params_now().base_fee, 777);
}

static void a_proposal_without_votes_leaves_the_state(void **state)
{
	struct hash32 before;
	Pb__Action *raise = kit_propose_params(&kit);

	raise->authority->proposal->params->base_fee = 777;
	votes(PROPOSER, raise);
	assert_true(is_open(raise));
	wait_ms(AUTHORITY_VOTE_MS - 1);
	assert_true(is_open(raise));
	kit_reopen(&kit); /* the term is found again */
	before = kit_app_hash(&kit);
	kit_run(&kit, 1);
	assert_true(told("authority_lapsed"));
	assert_false(is_open(raise));
	assert_int_equal(open_votes(), 0);
	assert_false(hash_equal(&before, &(struct hash32){{0}}));
}

static void a_stopped_chain_lapses_no_vote(void **state)
{
	Pb__Action *raise = kit_propose_params(&kit);

	raise->authority->proposal->params->base_fee = 777;
	votes(PROPOSER, raise);
	votes(RICH, raise);
	kit_run(&kit, 2u * AUTHORITY_VOTE_MS);
	votes(OPERATOR, raise);
	assert_int_equal(params_now().base_fee, 777);
}

/* ---- validators ---- */

static int64_t update_of(size_t number)
{
	struct validator_key key = kit_validator(number);

	for (size_t i = 0; i < kit.result.update_count; i++) {
		if (memcmp(kit.result.updates[i].key.b, key.b, sizeof key.b) == 0)
			return kit.result.updates[i].power;
	}
	return -1;
}

static void a_validator_joins_with_its_operator(void **state)
{
	Pb__Action *join = kit_propose_validator(&kit, NULL, 4, 7, CLIENT);
	struct validator_key newcomer = kit_validator(4);
	struct app_block block;
	uint64_t before;

	three_vote(join);
	assert_int_equal(kit.result.update_count, 1);
	assert_int_equal(update_of(4), 7);
	assert_int_equal(seats_now().total_power, 47);
	/* Its operator votes from the next action on, and has the fees of its blocks. */
	votes(CLIENT, kit_propose_params(&kit));
	assert_int_equal(kit.result.update_count, 0);
	before = kit_balance(&kit, CLIENT);
	kit_send(&kit, RICH, kit_transfer(&kit, MINER, 1));
	block = kit_block(&kit, 1);
	block.proposer = validator_address_of(&newcomer);
	assert_int_equal(kit.app.vtable->finalize(kit.app.self, &block, &kit.result), STATUS_OK);
	kit_commit(&kit, &block);
	assert_int_equal(kit_balance(&kit, CLIENT), before + kit.fee);
}

static void a_validator_leaves_and_its_last_blocks_are_paid(void **state)
{
	Pb__Action *leave = kit_propose_validator(&kit, NULL, 0, 0, KIT_PEOPLE);
	uint64_t before;

	/* It is the proposer of every block of the kit: its set still holds for two. */
	three_vote(leave);
	assert_int_equal(kit.result.update_count, 1);
	assert_int_equal(update_of(0), 0);
	assert_true(told("validators_few"));
	assert_int_equal(kit_act(&kit, PROPOSER, kit_propose_params(&kit)), SETTLE_NOT_AUTHORITY);
	before = kit_balance(&kit, PROPOSER);
	kit_send(&kit, RICH, kit_transfer(&kit, MINER, 1));
	kit_run(&kit, 1);
	assert_int_equal(kit_balance(&kit, PROPOSER), before + kit.fee);
}

static void who_leaves_takes_its_open_votes_along(void **state)
{
	Pb__Action *raise = kit_propose_params(&kit), *lone = kit_propose_params(&kit);
	Pb__Action *leave = kit_propose_validator(&kit, NULL, 0, 0, KIT_PEOPLE);

	raise->authority->proposal->params->base_fee = 777;
	lone->authority->proposal->params->base_fee = 778;
	votes(PROPOSER, raise);
	votes(PROPOSER, lone);
	votes(RICH, raise);
	assert_int_equal(open_votes(), 3);
	votes(MINER, leave);
	votes(RICH, leave);
	votes(OPERATOR, leave);
	assert_int_equal(open_votes(), 1);
	assert_false(is_open(lone));
	assert_true(is_open(raise));
	votes(OPERATOR, raise);
	assert_int_equal(params_now().base_fee, kit.params.base_fee); /* 20 of 30 */
	votes(MINER, raise);
	assert_int_equal(params_now().base_fee, 777);
}

static void a_key_is_exchanged_and_the_operator_stays(void **state)
{
	Pb__Action *rekey = kit_propose_validator(&kit, NULL, 5, 10, PROPOSER);
	Pb__Action *raise = kit_propose_params(&kit);

	kit_propose_validator(&kit, rekey, 0, 0, KIT_PEOPLE);
	raise->authority->proposal->params->base_fee = 777;
	votes(PROPOSER, raise);
	three_vote(rekey);
	assert_int_equal(kit.result.update_count, 2);
	assert_int_equal(update_of(0), 0);
	assert_int_equal(update_of(5), 10);
	assert_int_equal(seats_now().count, 4);
	assert_false(told("validators_few"));
	/* Its vote of before stands, and it votes on. */
	assert_int_equal(open_votes(), 1);
	votes(RICH, raise);
	votes(MINER, raise);
	assert_int_equal(params_now().base_fee, 777);
}

static void power_and_operator_change_without_a_new_key(void **state)
{
	Pb__Action *heavier = kit_propose_validator(&kit, NULL, 0, 31, KIT_PEOPLE);
	Pb__Action *sold = kit_propose_validator(&kit, NULL, 1, 10, CLIENT);

	three_vote(heavier);
	assert_int_equal(update_of(0), 31);
	votes(PROPOSER, sold); /* 31 of 61 */
	votes(OPERATOR, sold); /* 41 of 61: two thirds are 40.67 */
	assert_int_equal(kit.result.update_count, 0);
	assert_int_equal(kit_act(&kit, RICH, kit_propose_params(&kit)), SETTLE_NOT_AUTHORITY);
	votes(CLIENT, kit_propose_params(&kit));
}

static void changes_of_one_block_reach_the_engine_together(void **state)
{
	Pb__Action *join = kit_propose_validator(&kit, NULL, 4, 10, CLIENT);
	Pb__Action *leave = kit_propose_validator(&kit, NULL, 4, 0, KIT_PEOPLE);

	votes(PROPOSER, join);
	votes(RICH, join);
	kit_send(&kit, OPERATOR, join);
	kit_send(&kit, PROPOSER, leave);
	kit_send(&kit, RICH, leave);
	kit_send(&kit, OPERATOR, leave);
	kit_send(&kit, MINER, leave);
	kit_run(&kit, 1);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(kit.result.txs[i].code, SETTLE_OK);
	assert_int_equal(kit.result.update_count, 0);
	assert_int_equal(seats_now().count, 4);
}

static void impossible_sets_are_refused(void **state)
{
	Pb__Action *all = kit_propose_validator(&kit, NULL, 0, 0, KIT_PEOPLE);
	Pb__Action *swap;

	for (size_t i = 1; i < 4; i++)
		kit_propose_validator(&kit, all, i, 0, KIT_PEOPLE);
	assert_int_equal(kit_act(&kit, PROPOSER, all), SETTLE_BAD_PARAM);
	assert_int_equal(
		kit_act(&kit, PROPOSER, kit_propose_validator(&kit, NULL, 6, 0, KIT_PEOPLE)),
		SETTLE_BAD_PARAM);
	assert_int_equal(
		kit_act(&kit, PROPOSER, kit_propose_validator(&kit, NULL, 6, 1, KIT_PEOPLE)),
		SETTLE_BAD_PARAM);
	assert_int_equal(
		kit_act(&kit, PROPOSER,
			kit_propose_validator(&kit, NULL, 6, VALIDATORS_POWER_MAX - 39, CLIENT)),
		SETTLE_OVERFLOW);
	votes(PROPOSER, kit_propose_validator(&kit, NULL, 6, VALIDATORS_POWER_MAX - 40, CLIENT));
	/* The engine weighs who leaves and who comes together. */
	swap = kit_propose_validator(&kit, NULL, 6, VALIDATORS_POWER_MAX - 30, CLIENT);
	kit_propose_validator(&kit, swap, 0, 0, KIT_PEOPLE);
	assert_int_equal(kit_act(&kit, RICH, swap), SETTLE_OVERFLOW);
}

static void the_last_but_one_may_go(void **state)
{
	Pb__Action *go = kit_propose_validator(&kit, NULL, 1, 0, KIT_PEOPLE);

	kit_propose_validator(&kit, go, 2, 0, KIT_PEOPLE);
	kit_propose_validator(&kit, go, 3, 0, KIT_PEOPLE);
	three_vote(go);
	assert_int_equal(seats_now().count, 1);
	/* Alone, one vote decides. */
	votes(PROPOSER, kit_propose_validator(&kit, NULL, 1, 3, RICH));
	assert_int_equal(seats_now().count, 2);
	assert_int_equal(update_of(1), 3);
}

static void a_hundred_validators_are_the_most(void **state)
{
	struct seats seats = seats_now(), before = seats, after;
	Pb__ValidatorChange change = PB__VALIDATOR_CHANGE__INIT, gone = PB__VALIDATOR_CHANGE__INIT;
	Pb__ValidatorChange *list[] = {&change, &gone};
	Pb__ValidatorsChange one = {
		PROTOBUF_C_MESSAGE_INIT(&pb__validators_change__descriptor), 1, list};
	struct account_address account = kit_address(CLIENT);
	struct validator_key key;

	change.power = 1;
	change.account = (ProtobufCBinaryData){20, account.b};
	change.key = (ProtobufCBinaryData){32, key.b};
	for (size_t i = 4; i <= VALIDATORS_MAX; i++) {
		key = kit_validator(i);
		assert_int_equal(seats_change(&after, &before, &seats, &one),
			i < VALIDATORS_MAX ? SETTLE_OK : SETTLE_LIMIT);
		if (i < VALIDATORS_MAX)
			before = seats = after;
	}
	/* One comes for another that goes: the engine counts both at once. */
	gone.key = (ProtobufCBinaryData){32, seats.v[0].key.b};
	one.n_changes = 2;
	assert_int_equal(seats_change(&after, &before, &seats, &one), SETTLE_LIMIT);
}

/* ---- parameters, rules, treasury ---- */

static void a_parameter_out_of_range_is_refused_before_it_is_counted(void **state)
{
	size_t count;
	const struct settle_param *table = settle_param_table(&count);

	for (size_t i = 0; i < count; i++) {
		Pb__Action *propose = kit_propose_params(&kit);

		settle_param_set(propose->authority->proposal->params, &table[i], table[i].max + 1);
		assert_int_equal(kit_act(&kit, PROPOSER, propose), SETTLE_BAD_PARAM);
		/* Even to those whose vote wouldn't count. */
		assert_int_equal(kit_act(&kit, CLIENT, propose), SETTLE_BAD_PARAM);
	}
	assert_int_equal(open_votes(), 0);
}

static void parameters_act_from_the_next_block(void **state)
{
	Pb__Action *dear = kit_propose_params(&kit), *job = kit_submit(&kit, "job");
	Pb__Job *record;

	assert_int_equal(kit_act(&kit, CLIENT, job), SETTLE_OK);
	dear->authority->proposal->params->min_reward = 2u * KIT_COIN;
	dear->authority->proposal->params->review_ms = 5000;
	votes(PROPOSER, dear);
	votes(RICH, dear);
	kit_send(&kit, OPERATOR, dear);
	kit_send(&kit, CLIENT, kit_submit(&kit, "same-block"));
	kit_run(&kit, 1);
	assert_int_equal(kit.result.txs[1].code, SETTLE_OK);
	assert_int_equal(kit_act(&kit, CLIENT, kit_submit(&kit, "next")), SETTLE_BAD_PARAM);
	assert_int_equal(kit_job_state(&kit, "job", &record), PB__JOB_STATE__OPEN);
	assert_int_equal(record->review_ms, kit.params.review_ms);
	kit_reopen(&kit);
	assert_int_equal(kit_act(&kit, CLIENT, kit_submit(&kit, "later")), SETTLE_BAD_PARAM);
}

static void a_dearer_fee_holds_for_the_next_proposal(void **state)
{
	Pb__Action *dear = kit_propose_params(&kit);
	struct app_block block;
	bool accept;

	dear->authority->proposal->params->base_fee = kit.fee;
	three_vote(dear);
	kit_send(&kit, CLIENT, kit_transfer(&kit, RICH, 1));
	block = kit_block(&kit, 1);
	assert_int_equal(kit.app.vtable->process(kit.app.self, &block, &accept), STATUS_OK);
	assert_false(accept);
	kit.tx_count = 0;
}

static void the_rules_version_rises_at_its_height(void **state)
{
	struct app_info info;

	kit.config.rules_known = 2;
	kit_reopen(&kit);
	three_vote(kit_propose_rules(&kit, 2, kit.height + 6));
	assert_int_equal(rules_now().next_version, 2);
	assert_int_equal(kit.result.app_version, 1);
	while (rules_now().next_version != 0) {
		assert_int_equal(rules_now().version, 1);
		kit_run(&kit, 1);
	}
	/* Six blocks after the proposal was made, its height is the next. */
	assert_int_equal(kit.height, 5);
	assert_int_equal(kit.result.app_version, 2);
	assert_int_equal(rules_now().version, 2);
	kit.app.vtable->info(kit.app.self, &info);
	assert_int_equal(info.app_version, 2);
	assert_null(info.halt);
	kit_run(&kit, 1);
	assert_int_equal(kit.result.app_version, 2);
}

static void who_does_not_know_the_rules_stops_and_names_the_release(void **state)
{
	struct app_info info;
	struct app_block block;

	three_vote(kit_propose_rules(&kit, 2, kit.height + 4));
	kit.app.vtable->info(kit.app.self, &info);
	assert_non_null(info.halt);
	assert_non_null(strstr(info.halt, "aitbcd 2.0"));
	kit_reopen(&kit);
	kit.app.vtable->info(kit.app.self, &info);
	assert_non_null(info.halt);
	block = kit_block(&kit, 1);
	assert_int_equal(
		kit.app.vtable->finalize(kit.app.self, &block, &kit.result), STATUS_INVALID);
	/* The release that knows goes on from there. */
	kit.config.rules_known = 2;
	kit_reopen(&kit);
	kit_run(&kit, 1);
	assert_int_equal(kit.result.app_version, 2);
}

static void rules_rise_one_by_one_and_ahead(void **state)
{
	static const uint64_t wrong[] = {1, 3, UINT64_MAX};

	kit_run(&kit, 1);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(kit_act(&kit, PROPOSER, kit_propose_rules(&kit, wrong[i], 1000)),
			SETTLE_BAD_PARAM);
	assert_int_equal(kit_act(&kit, PROPOSER, kit_propose_rules(&kit, 2, kit.height + 1)),
		SETTLE_BAD_PARAM);
	votes(PROPOSER, kit_propose_rules(&kit, 2, kit.height + 2));
	/* What is planned can be put off. */
	three_vote(kit_propose_rules(&kit, 2, 100));
	three_vote(kit_propose_rules(&kit, 2, 200));
	assert_int_equal(rules_now().next_height, 200);
}

static void the_treasury_pays_by_authority_alone(void **state)
{
	uint64_t before = kit_balance(&kit, TREASURY);
	Pb__Action *pay = kit_propose_spend(&kit, STRANGER, 4000);
	struct app_block block;
	bool accept;

	three_vote(pay);
	assert_int_equal(kit_balance(&kit, STRANGER), 4000);
	assert_int_equal(kit_balance(&kit, TREASURY), before - 4000);
	assert_int_equal(kit_act(&kit, PROPOSER, kit_propose_spend(&kit, CLIENT, before)),
		SETTLE_INSUFFICIENT_FUNDS);
	kit_send(&kit, TREASURY, kit_transfer(&kit, CLIENT, 1000));
	block = kit_block(&kit, 1);
	assert_int_equal(kit.app.vtable->process(kit.app.self, &block, &accept), STATUS_OK);
	assert_false(accept);
	kit_run(&kit, 1);
	assert_int_equal(kit.result.txs[0].code, SETTLE_NOT_AUTHORITY);
	assert_int_equal(kit_balance(&kit, TREASURY), before - 4000);
}

static void a_first_payment_of_the_treasury_has_the_usual_least(void **state)
{
	assert_int_equal(
		kit_act(&kit, PROPOSER, kit_propose_spend(&kit, STRANGER, 999)), SETTLE_LIMIT);
	votes(PROPOSER, kit_propose_spend(&kit, STRANGER, 1000));
	votes(PROPOSER, kit_propose_spend(&kit, CLIENT, 1));
}

static void anybody_can_read_what_is_open(void **state)
{
	Pb__Action *raise = kit_propose_params(&kit);
	uint32_t code;
	const char *json;

	raise->authority->proposal->params->base_fee = 777;
	votes(PROPOSER, raise);
	votes(RICH, raise);
	votes(RICH, kit_propose_rules(&kit, 2, 99));
	json = kit_ask(&kit, "/authority", bytes_view(NULL, 0), &code);
	assert_int_equal(code, 0);
	assert_non_null(strstr(json, "\"rules\":{\"version\":\"1\",\"release\":\"\"}"));
	assert_non_null(strstr(json, "\"total_power\":\"40\""));
	assert_non_null(strstr(json, "\"power\":\"20\",\"votes\":[{\"operator\":\"ait1"));
	assert_non_null(strstr(json, "\"power\":\"10\",\"votes\":[{\"operator\":\"ait1"));
	three_vote(raise);
	three_vote(kit_propose_rules(&kit, 2, 98));
	json = kit_ask(&kit, "/authority", bytes_view(NULL, 0), &code);
	assert_non_null(strstr(json, "\"next_version\":\"2\",\"next_height\":\"98\""));
}

static void a_genesis_has_validators_the_engine_takes(void **state)
{
	struct seats seats;
	struct app_validator_update list[3] = {
		{kit_validator(0), 1}, {kit_validator(1), 1}, {kit_validator(0), 1}};

	assert_int_equal(seats_make(&seats, list, 0), SETTLE_BAD_PARAM);
	assert_int_equal(seats_make(&seats, list, 2), SETTLE_OK);
	assert_int_equal(seats_make(&seats, list, 3), SETTLE_BAD_PARAM);
	list[1].power = 0;
	assert_int_equal(seats_make(&seats, list, 2), SETTLE_BAD_PARAM);
	list[1].power = VALIDATORS_POWER_MAX;
	assert_int_equal(seats_make(&seats, list, 2), SETTLE_OVERFLOW);
}

#define WITH_FOUR(test) cmocka_unit_test_setup_teardown(test, opens_four, closes)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FOUR(more_than_two_thirds_of_the_power_decide),
		WITH_FOUR(exactly_two_thirds_decide_nothing),
		WITH_FOUR(nobody_but_operators_votes),
		WITH_FOUR(a_vote_sent_twice_counts_once),
		WITH_FOUR(two_proposals_race_and_a_vote_for_one_leaves_the_other),
		WITH_FOUR(the_same_proposal_can_come_again),
		WITH_FOUR(a_reference_makes_another_proposal_of_the_same_content),
		WITH_FOUR(an_operator_has_four_open_votes_at_most),
		WITH_FOUR(an_operator_of_two_validators_votes_with_both),
		WITH_FOUR(a_transaction_that_fails_takes_its_vote_back),
		WITH_FOUR(a_vote_taken_back_does_not_return_in_a_later_block),
		WITH_FOUR(a_vote_lapses_after_exactly_seven_days),
		WITH_FOUR(a_millisecond_less_and_it_counts),
		WITH_FOUR(a_proposal_without_votes_leaves_the_state),
		WITH_FOUR(a_stopped_chain_lapses_no_vote),
		WITH_FOUR(a_validator_joins_with_its_operator),
		WITH_FOUR(a_validator_leaves_and_its_last_blocks_are_paid),
		WITH_FOUR(who_leaves_takes_its_open_votes_along),
		WITH_FOUR(a_key_is_exchanged_and_the_operator_stays),
		WITH_FOUR(power_and_operator_change_without_a_new_key),
		WITH_FOUR(changes_of_one_block_reach_the_engine_together),
		WITH_FOUR(impossible_sets_are_refused),
		WITH_FOUR(the_last_but_one_may_go),
		WITH_FOUR(a_hundred_validators_are_the_most),
		WITH_FOUR(a_parameter_out_of_range_is_refused_before_it_is_counted),
		WITH_FOUR(parameters_act_from_the_next_block),
		WITH_FOUR(a_dearer_fee_holds_for_the_next_proposal),
		WITH_FOUR(the_rules_version_rises_at_its_height),
		WITH_FOUR(who_does_not_know_the_rules_stops_and_names_the_release),
		WITH_FOUR(rules_rise_one_by_one_and_ahead),
		WITH_FOUR(the_treasury_pays_by_authority_alone),
		WITH_FOUR(a_first_payment_of_the_treasury_has_the_usual_least),
		WITH_FOUR(anybody_can_read_what_is_open),
		WITH_FOUR(a_genesis_has_validators_the_engine_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
