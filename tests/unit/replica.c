/* replica: what the simulator's honest nodes never do to one another, and an app that throws
 * transactions out of blocks. One validator of two, or alone; its effects are done by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chain/proto/peer.pb-c.h"
#include "chain/store_mem.h"
#include "replica/replica.h"

/* ---- an app without accounts that allows "bad..." into the mempool and into no block ---- */

static void toy_info(void *self, struct app_info *out)
{
	memset(out, 0, sizeof *out);
	out->app_version = 1;
	out->data = "toy";
}

static enum status toy_init(void *self, const struct app_genesis *genesis,
	struct store_batch *batch, struct hash32 *app_hash)
{
	memset(app_hash, 0, sizeof *app_hash);
	return STATUS_OK;
}

static void toy_verify(void *self, struct bytes tx, struct app_verdict *out)
{
	memset(out, 0, sizeof *out);
}

static void toy_check(void *self, struct bytes tx, uint64_t now_ms, struct app_check *out)
{
	memset(out, 0, sizeof *out);
}

static enum status toy_prepare(
	void *self, const struct app_block *block, struct app_tx *txs, size_t *tx_count)
{
	size_t kept = 0;
	for (size_t i = 0; i < *tx_count; i++) {
		if (txs[i].raw.len < 3 || memcmp(txs[i].raw.data, "bad", 3) != 0)
			txs[kept++] = txs[i];
	}
	*tx_count = kept;
	return STATUS_OK;
}

static enum status toy_process(void *self, const struct app_block *block, bool *accept)
{
	*accept = true;
	return STATUS_OK;
}

static enum status toy_finalize(void *self, const struct app_block *block, struct app_result *out)
{
	static const struct app_tx_result results[16];
	memset(out, 0, sizeof *out);
	out->txs = results;
	out->tx_count = block->tx_count;
	return STATUS_OK;
}

static enum status toy_commit(void *self, struct store_batch *batch)
{
	return STATUS_OK;
}

static void toy_committed(void *self)
{
}

static uint64_t toy_next_wake_ms(void *self)
{
	return UINT64_MAX;
}

static const struct app_vtable toy = {
	.info = toy_info,
	.init_chain = toy_init,
	.verify = toy_verify,
	.check = toy_check,
	.prepare = toy_prepare,
	.process = toy_process,
	.finalize = toy_finalize,
	.commit = toy_commit,
	.committed = toy_committed,
	.next_wake_ms = toy_next_wake_ms,
};

/* ---- one validator ---- */

struct one {
	struct store store;
	struct mempool *mempool;
	struct replica *replica;
	struct replica_config config;
	struct validator_secret secrets[2];
	struct validator_set set;
	struct fence_record fence;
	struct replica_effects effects;
	struct replica_input inputs[256];
	size_t input_count;
	uint64_t now_ms;
	unsigned dropped;
	unsigned told_txs; /* transactions said to peer 5 */
};

static struct one one;

static struct replica_now now_of(const struct one *o)
{
	struct replica_now now = {timestamp_of_ms(1700000000000 + (int64_t)o->now_ms), o->now_ms};
	return now;
}

static void put(struct one *o, const struct replica_input *in)
{
	assert_true(o->input_count < 256);
	o->inputs[o->input_count++] = *in;
}

static bool is_transaction(struct bytes message)
{
	Pb__PeerMessage *m = pb__peer_message__unpack(NULL, message.len, message.data);
	assert_non_null(m);
	bool is = m->sum_case == PB__PEER_MESSAGE__SUM_TRANSACTION;
	pb__peer_message__free_unpacked(m, NULL);
	return is;
}

static void answer(struct one *o, const struct replica_effect *e)
{
	struct replica_input in = {.kind = REPLICA_SIGNED};
	switch (e->kind) {
	case REPLICA_SIGN:
		in.u.sign.refused = fence_ask(&o->fence, &e->u.fence) == FENCE_REFUSE;
		if (!in.u.sign.refused) {
			o->fence = e->u.fence;
			validator_sign(&in.u.sign.signature, &o->secrets[0], e->bytes);
		}
		put(o, &in);
		break;
	case REPLICA_VERIFY_TX: fail(); break;
	case REPLICA_APPLY:
		in.kind = REPLICA_APPLIED;
		in.u.job = e->u.job;
		apply_run(in.u.job);
		put(o, &in);
		break;
	case REPLICA_DROP_PEER: o->dropped++; break;
	case REPLICA_SEND: o->told_txs += e->u.peer == 5 && is_transaction(e->bytes); break;
	case REPLICA_LOG:
	case REPLICA_LOG_SYNC:
	case REPLICA_LOG_RESET:
	case REPLICA_SUBMIT:
	case REPLICA_TX_DONE:
	case REPLICA_COMMITTED: break;
	}
}

static void pump(struct one *o)
{
	for (size_t i = 0; i < o->input_count; i++) {
		struct replica_input in = o->inputs[i];
		replica_step(o->replica, &in, now_of(o), &o->effects);
		for (size_t k = 0; k < o->effects.count; k++)
			answer(o, &o->effects.items[k]);
		o->effects.count = 0;
	}
	o->input_count = 0;
	assert_null(replica_stopped(o->replica));
}

static void input(struct one *o, const struct replica_input *in)
{
	put(o, in);
	pump(o);
}

/* As time does it: a tick whenever the replica wants one. */
static void let_pass(struct one *o, uint64_t ms)
{
	uint64_t end_ms = o->now_ms + ms;
	for (unsigned turns = 0; turns < 10000; turns++) {
		uint64_t next_ms = replica_next_ms(o->replica, now_of(o));
		if (next_ms > end_ms) {
			o->now_ms = end_ms;
			return;
		}
		if (next_ms > o->now_ms)
			o->now_ms = next_ms;
		struct replica_input tick = {.kind = REPLICA_TICK};
		input(o, &tick);
	}
	fail_msg("ten thousand turns in %llu ms", (unsigned long long)ms);
}

static void open_one(struct one *o, size_t validators)
{
	struct validator_power members[2];
	struct mempool_options options;
	char fault[256];
	memset(o, 0, sizeof *o);
	memset(&options, 0, sizeof options);
	for (size_t i = 0; i < 2; i++) {
		memset(o->secrets[i].seed, (int)i + 1, sizeof o->secrets[i].seed);
		members[i].key = validator_key_of(&o->secrets[i]);
		members[i].power = 1;
	}
	assert_int_equal(validator_set_make(&o->set, members, validators), VALIDATORS_OK);
	assert_int_equal(store_mem_open(&o->store), STATUS_OK);
	o->mempool = mempool_new(&options);
	assert_non_null(o->mempool);
	o->config.start.chain_id = "one";
	o->config.start.initial_height = 1;
	o->config.start.time = (struct timestamp){1699999999, 0};
	o->config.start.validators = o->set;
	pb__consensus_params__init(&o->config.start.params);
	o->config.start.params.block_max_bytes = 1024 * 1024;
	o->config.start.params.block_max_gas = -1;
	o->config.start.params.app_version = 1;
	pb__engine_params__init(&o->config.engine);
	o->config.engine.heartbeat_ms = 5000;
	o->config.engine.gather_ms = 20;
	o->config.engine.precision_ms = 500;
	o->config.engine.message_delay_ms = 2000;
	o->config.me = members[0].key;
	o->config.has_peers = validators > 1;
	o->config.app.vtable = &toy;
	o->config.store = &o->store;
	o->config.mempool = o->mempool;
	struct store_batch batch;
	store_batch_init(&batch);
	assert_int_equal(replica_genesis(&batch, &o->config, bytes_view(NULL, 0)), STATUS_OK);
	assert_int_equal(store_write(&o->store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
	assert_int_equal(replica_new(&o->replica, &o->config, fault), STATUS_OK);
}

static int alone(void **state)
{
	static const uint8_t seed[32] = {1};
	if (!keys_start(seed))
		return -1;
	open_one(&one, 1);
	return 0;
}

static int with_a_peer(void **state)
{
	static const uint8_t seed[32] = {1};
	if (!keys_start(seed))
		return -1;
	open_one(&one, 2);
	struct replica_input up = {.kind = REPLICA_PEER_UP};
	up.u.peer.peer = 3;
	input(&one, &up);
	return 0;
}

static int closes(void **state)
{
	replica_free(one.replica);
	replica_effects_fini(&one.effects);
	mempool_free(one.mempool);
	store_close(&one.store);
	return 0;
}

/* Already verified: this machine verifies in check. */
static void submit(struct one *o, const char *text)
{
	struct bytes raw = bytes_of_text(text);
	struct hash32 hash = sha256(raw);
	mempool_note_verified(o->mempool, &hash);
	struct replica_input in = {.kind = REPLICA_TX};
	in.u.tx.raw = raw;
	input(o, &in);
}

static void say_to(struct one *o, const Pb__PeerMessage *message)
{
	uint8_t raw[4096];
	size_t len = pb__peer_message__get_packed_size(message);
	assert_true(len <= sizeof raw);
	pb__peer_message__pack(message, raw);
	struct replica_input in = {.kind = REPLICA_MESSAGE};
	in.u.peer.peer = 3;
	in.u.peer.message = bytes_view(raw, len);
	input(o, &in);
}

/* ---- claims ---- */

static void a_transaction_that_no_block_can_hold_leaves_and_asks_for_no_more_blocks(void **state)
{
	let_pass(&one, 100);
	submit(&one, "bad transaction");
	submit(&one, "good transaction");
	assert_int_equal(mempool_counts(one.mempool).txs, 2);
	int64_t height = replica_head(one.replica)->height;
	let_pass(&one, 1000);
	assert_int_equal(mempool_counts(one.mempool).txs, 0);
	/* One with the good one in it, and one that makes it provable. */
	assert_true(replica_head(one.replica)->height <= height + 2);
	let_pass(&one, 5000);
	assert_true(replica_head(one.replica)->height <= height + 4); /* heartbeats */
}

static void a_round_that_lies_two_billion_ahead_costs_no_time(void **state)
{
	let_pass(&one, 100);
	struct proposal proposal;
	memset(&proposal, 0, sizeof proposal);
	proposal.height = 1;
	proposal.round = INT32_MAX;
	proposal.pol_round = -1;
	memset(proposal.block_id.hash.b, 1, 32);
	memset(proposal.block_id.parts_hash.b, 1, 32);
	proposal.block_id.parts_total = 1;
	struct proposal_message p;
	proposal_message_init(&p, &proposal);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_PROPOSAL;
	message.proposal = &p.pb;
	for (unsigned i = 0; i < 100; i++)
		say_to(&one, &message);
	assert_int_equal(replica_consensus(one.replica)->round, 0);
}

static void who_says_what_no_honest_node_would_is_dropped(void **state)
{
	let_pass(&one, 100);
	struct replica_input in = {.kind = REPLICA_MESSAGE};
	in.u.peer.peer = 3;
	in.u.peer.message = bytes_of_text("no message");
	input(&one, &in);
	assert_int_equal(one.dropped, 1);
	struct vote vote;
	memset(&vote, 0, sizeof vote);
	vote.type = VOTE_PREVOTE;
	vote.height = 1;
	vote.index = 1;
	vote.address = one.set.v[1].address;
	vote.time = (struct timestamp){1700000000, 0};
	struct vote_message v;
	vote_message_init(&v, &vote);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_VOTE;
	message.vote = &v.pb;
	say_to(&one, &message); /* unsigned */
	assert_int_equal(one.dropped, 2);
	vote.index = 7;
	vote_message_init(&v, &vote);
	say_to(&one, &message);
	assert_int_equal(one.dropped, 3);
}

static void say_height(struct one *o, int64_t height)
{
	Pb__NodeStatus status;
	pb__node_status__init(&status);
	status.height = height;
	status.base_height = 1;
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_STATUS;
	message.status = &status;
	say_to(o, &message);
}

static void say_status(struct one *o, const Pb__NodeStatus *status)
{
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_STATUS;
	message.status = (Pb__NodeStatus *)(uintptr_t)status;
	say_to(o, &message);
}

static void where_a_peer_says_it_stands_can_be_looked_at(void **state)
{
	uint8_t votes[] = {2}, whole[200], address[20] = {9};
	memset(whole, 0xff, sizeof whole);
	Pb__NodeStatus status;
	pb__node_status__init(&status);
	status.height = 1;
	status.base_height = 1;
	status.round = 4;
	status.step = STEP_PRECOMMIT;
	status.prevotes = (ProtobufCBinaryData){sizeof votes, votes};
	status.precommits = (ProtobufCBinaryData){sizeof whole, whole}; /* more than anybody has */
	status.validator = (ProtobufCBinaryData){sizeof address, address};
	say_status(&one, &status);
	const struct replica_peer_state *said = replica_peer_state(one.replica, 3);
	assert_true(said->told && said->has_validator);
	assert_int_equal(said->validator.b[0], 9);
	assert_int_equal(said->height, 1);
	assert_int_equal(said->round, 4);
	assert_int_equal(said->step, STEP_PRECOMMIT);
	assert_int_equal(said->prevotes[0], 2);
	assert_int_equal(said->precommits[REPLICA_VOTES_BYTES - 1], 0xff);
	assert_int_equal(one.dropped, 0);
	status.validator.len = 0; /* said once, known until the link ends */
	say_status(&one, &status);
	assert_true(replica_peer_state(one.replica, 3)->has_validator);
	struct replica_input in = {.kind = REPLICA_PEER_UP};
	in.u.peer.peer = 3;
	input(&one, &in);
	assert_false(replica_peer_state(one.replica, 3)->told);
}

static void a_step_or_an_address_that_does_not_exist_costs_the_link(void **state)
{
	uint8_t address[20] = {9};
	Pb__NodeStatus status;
	pb__node_status__init(&status);
	status.height = 1;
	status.base_height = 1;
	status.step = STEP_COMMIT + 1;
	say_status(&one, &status);
	assert_int_equal(one.dropped, 1);
	status.step = -1;
	say_status(&one, &status);
	assert_int_equal(one.dropped, 2);
	status.step = 0;
	status.validator = (ProtobufCBinaryData){19, address};
	say_status(&one, &status);
	assert_int_equal(one.dropped, 3);
	assert_false(replica_peer_state(one.replica, 3)->told);
}

static void link_with(struct one *o, uint32_t peer, bool up)
{
	struct replica_input in = {.kind = up ? REPLICA_PEER_UP : REPLICA_PEER_DOWN};
	in.u.peer.peer = peer;
	input(o, &in);
}

/* Four daemons started seconds apart spent their first round on a proposal that nobody was there
 * to hear. */
static void a_fresh_validator_begins_when_a_quorum_is_linked(void **state)
{
	link_with(&one, 3, false);
	let_pass(&one, 20000);
	assert_int_equal(replica_consensus(one.replica)->step, STEP_WAIT);
	link_with(&one, 3, true);
	let_pass(&one, 1);
	assert_int_not_equal(replica_consensus(one.replica)->step, STEP_WAIT);
}

/* Those who can decide may be linked through others. */
static void a_fresh_validator_waits_for_links_half_a_minute_at_most(void **state)
{
	link_with(&one, 3, false);
	let_pass(&one, 29999);
	assert_int_equal(replica_consensus(one.replica)->step, STEP_WAIT);
	let_pass(&one, 2);
	assert_int_not_equal(replica_consensus(one.replica)->step, STEP_WAIT);
}

/* Once a coordinator's first transaction, sent while its node dialed, waited three seconds for the
 * turn of a proposer who had it. */
static void a_new_link_is_told_what_waits_for_a_block(void **state)
{
	submit(&one, "sent before anybody listened");
	assert_int_equal(mempool_counts(one.mempool).txs, 1);
	struct replica_input up = {.kind = REPLICA_PEER_UP};
	up.u.peer.peer = 5;
	input(&one, &up);
	assert_int_equal(one.told_txs, 1);
}

static void a_new_link_is_told_no_more_than_its_share(void **state)
{
	char text[16];
	for (unsigned i = 0; i < PEER_UP_TXS_MAX + 20; i++) {
		snprintf(text, sizeof text, "tx %u", i);
		submit(&one, text);
	}
	assert_true(mempool_counts(one.mempool).txs > 0);
	size_t waiting = mempool_counts(one.mempool).txs;
	struct replica_input up = {.kind = REPLICA_PEER_UP};
	up.u.peer.peer = 5;
	input(&one, &up);
	assert_int_equal(one.told_txs, waiting < PEER_UP_TXS_MAX ? waiting : PEER_UP_TXS_MAX);
}

static void who_is_more_than_one_height_behind_says_so(void **state)
{
	let_pass(&one, 100);
	assert_int_equal(replica_consensus(one.replica)->height, 1);
	assert_false(replica_catching_up(one.replica));
	say_height(&one, 2); /* it committed a moment sooner */
	assert_false(replica_catching_up(one.replica));
	say_height(&one, 3);
	assert_true(replica_catching_up(one.replica));
	struct replica_input in = {.kind = REPLICA_PEER_DOWN};
	in.u.peer.peer = 3;
	input(&one, &in);
	assert_false(replica_catching_up(one.replica));
}

static void the_store_and_the_fence_must_tell_of_the_same_chain(void **state)
{
	let_pass(&one, 100);
	int64_t height = replica_head(one.replica)->height;
	assert_true(height > 0);
	static const struct {
		int64_t above; /* the store's head: whose height the fence has signed for */
		uint64_t log_bytes;
		enum status status;
	} table[] = {
		{0, 1000000, STATUS_OK}, /* of a height that is over: its log is gone */
		{1, 0, STATUS_OK},
		{1, 1, STATUS_CORRUPT}, /* it stood on a log, and the log is empty */
		{2, 0, STATUS_CORRUPT}, /* blocks were lost */
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct replica *again;
		char fault[256];
		struct fence_record fence = one.fence;
		size_t good;
		fence.height = height + table[i].above;
		fence.log_bytes = table[i].log_bytes;
		assert_int_equal(replica_new(&again, &one.config, fault), STATUS_OK);
		assert_int_equal(replica_recover(again, bytes_view(NULL, 0), &fence, now_of(&one),
					 &one.effects, &good, fault),
			table[i].status);
		/* The last process may have written the log and not synced it. */
		if (table[i].status == STATUS_OK)
			assert_int_equal(one.effects.items[0].kind, REPLICA_LOG_SYNC);
		for (size_t k = 0; k < one.effects.count; k++) {
			if (one.effects.items[k].kind == REPLICA_APPLY)
				apply_job_free(one.effects.items[k].u.job);
		}
		one.effects.count = 0;
		replica_free(again);
	}
}

static void what_a_peer_said_early_counts_against_it_when_it_links_again(void **state)
{
	struct vote vote;
	memset(&vote, 0, sizeof vote);
	vote.type = VOTE_PREVOTE;
	vote.height = replica_consensus(one.replica)->height + 1;
	vote.index = 1;
	struct vote_message v;
	vote_message_init(&v, &vote);
	Pb__PeerMessage message;
	pb__peer_message__init(&message);
	message.sum_case = PB__PEER_MESSAGE__SUM_VOTE;
	message.vote = &v.pb;
	for (unsigned links = 0; links < 3; links++) {
		struct replica_input in = {.kind = REPLICA_PEER_UP};
		struct replica_counts counts;
		in.u.peer.peer = 3;
		input(&one, &in);
		say_to(&one, &message);
		replica_count(one.replica, &counts);
		assert_true(counts.early_bytes > 0);
		assert_int_equal(counts.early_counted, counts.early_bytes);
		in.kind = REPLICA_PEER_DOWN;
		input(&one, &in);
	}
}

#define ALONE(f)  cmocka_unit_test_setup_teardown(f, alone, closes)
#define PAIRED(f) cmocka_unit_test_setup_teardown(f, with_a_peer, closes)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALONE(a_transaction_that_no_block_can_hold_leaves_and_asks_for_no_more_blocks),
		PAIRED(a_round_that_lies_two_billion_ahead_costs_no_time),
		PAIRED(who_says_what_no_honest_node_would_is_dropped),
		PAIRED(what_a_peer_said_early_counts_against_it_when_it_links_again),
		PAIRED(where_a_peer_says_it_stands_can_be_looked_at),
		PAIRED(a_step_or_an_address_that_does_not_exist_costs_the_link),
		PAIRED(a_fresh_validator_begins_when_a_quorum_is_linked),
		PAIRED(a_fresh_validator_waits_for_links_half_a_minute_at_most),
		PAIRED(a_new_link_is_told_what_waits_for_a_block),
		PAIRED(a_new_link_is_told_no_more_than_its_share),
		PAIRED(who_is_more_than_one_height_behind_says_so),
		ALONE(the_store_and_the_fence_must_tell_of_the_same_chain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
