#include "tests/sim/work.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "tests/sim/world.h"

enum {
	PATIENCE_US = 1500 * 1000, /* then what was sent is taken for lost */
	LOOKED_AT_MAX = 64,
	WORK_ARENA_BYTES_MAX = 1024 * 1024,
	UNIT_PRICE = 20000,
	REWARD = 1000000,
	UNITS_MAX = 60000
};

/* A job as its record in the state tells it, in the act's arena. */
struct job_view {
	struct account_address client;
	struct job_key key;
	char id[JOB_ID_BYTES_MAX + 1];
	const Pb__Job *record;
};

/* One act in the making. */
struct act {
	struct work *work;
	struct world *world;
	struct sim_node *node; /* whose store it looks at */
	enum who who;
	struct arena arena;
};

void work_init(struct work *k, uint64_t seed)
{
	memset(k, 0, sizeof *k);
	k->dice.state = seed;
}

static void *made(struct act *a, size_t len)
{
	void *memory = arena_alloc(&a->arena, len);
	CHECK(memory);
	return memory;
}

#define MADE(act, name, type, init_fn)                                                             \
	type *name = made(act, sizeof *name);                                                      \
	init_fn(name)

static ProtobufCBinaryData field(const void *data, size_t len)
{
	return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static char *text_of(struct act *a, const char *text)
{
	char *copy = arena_text(&a->arena, bytes_of_text(text));
	CHECK(copy);
	return copy;
}

static Pb__Action *action_of(struct act *a, Pb__Action__ActCase act_case, void *side)
{
	MADE(a, action, Pb__Action, pb__action__init);
	action->act_case = act_case;
	action->transfer = side; /* all sides of the union are pointers */
	return action;
}

static const struct people *people_of(const struct act *a)
{
	return &a->world->people;
}

/* ---- looking at the chain ---- */

static bool read_job(struct act *a, struct job_view *out, struct bytes key, struct bytes value)
{
	memset(out, 0, sizeof *out);
	size_t id_len = key.len - 22;
	memcpy(out->key.b, key.data + 1, key.len - 1);
	out->key.len = key.len - 1;
	memcpy(out->client.b, key.data + 1, sizeof out->client.b);
	memcpy(out->id, key.data + 22, id_len);
	out->record = pb__job__unpack(arena_protobuf(&a->arena), value.len, value.data);
	return out->record != NULL;
}

/* One of the jobs in this state, by chance. */
static bool find_job(struct act *a, struct job_view *out, Pb__JobState wanted)
{
	struct job_view found;
	size_t count = 0;
	struct bytes key, value;
	struct store *store = &a->node->store;
	struct store_iterator *it = store_iterate(
		store, NULL, STORE_STATE, bytes_of_text("j"), bytes_of_text("k"), false);
	CHECK(it);
	while (store_next(store, it, &key, &value) == STATUS_OK) {
		if (!read_job(a, &found, key, value) || found.record->state != wanted)
			continue;
		if (random_below(&a->work->dice, ++count) == 0)
			*out = found;
	}
	store_iterator_free(store, it);
	return count > 0;
}

/* ---- acts ---- */

static Pb__Action *transfer(struct act *a)
{
	static const enum who takers[] = {ALICE, BOB, CAROL, DAVE, COURIER, COORDINATOR, TREASURY};
	MADE(a, act, Pb__Transfer, pb__transfer__init);
	enum who to = takers[random_below(&a->work->dice, sizeof takers / sizeof *takers)];
	act->to = field(people_of(a)->addresses[to].b, 20);
	act->amount = 1 + random_below(&a->work->dice, 5 * REWARD);
	if (random_chance(&a->work->dice, 30)) /* more than anybody has */
		act->amount *= 100000;
	return action_of(a, PB__ACTION__ACT_TRANSFER, act);
}

static Pb__Action *submit_job(struct act *a)
{
	MADE(a, act, Pb__SubmitJob, pb__submit_job__init);
	struct hash32 *payload = made(a, sizeof *payload);
	char id[32];
	snprintf(id, sizeof id, "job-%llu", (unsigned long long)a->work->jobs++);
	*payload = sha256(bytes_of_text(id));
	act->job_id = text_of(a, id);
	act->coordinator = field(people_of(a)->addresses[COORDINATOR].b, 20);
	act->coordinator_ppm = SIM_COORDINATOR_PPM;
	act->service = text_of(a, "llm/inference");
	act->payload_hash = field(payload->b, 32);
	act->reward = REWARD;
	act->unit_type = text_of(a, "token");
	act->unit_price = UNIT_PRICE;
	act->max_units_milli = UNITS_MAX;
	act->ttl_ms = 500 + random_below(&a->work->dice, 4000);
	act->max_attempts = 1 + (uint32_t)random_below(&a->work->dice, 3);
	act->on_silence = random_chance(&a->work->dice, 500) ? PB__ON_SILENCE__PAY_MINER
							     : PB__ON_SILENCE__REFUND;
	act->replicas = 1;
	return action_of(a, PB__ACTION__ACT_SUBMIT_JOB, act);
}

static Pb__Action *assign_job(struct act *a, const struct job_view *job)
{
	MADE(a, act, Pb__AssignJob, pb__assign_job__init);
	act->client = field(arena_copy(&a->arena, job->client.b, 20), 20);
	act->job_id = text_of(a, job->id);
	act->attempt = job->record->attempt + 1;
	act->miner = field(people_of(a)->keys[MINER].b, 33);
	act->lease_ms = 200 + random_below(&a->work->dice, 1000);
	return action_of(a, PB__ACTION__ACT_ASSIGN_JOB, act);
}

/* The receipt of this attempt; the same every time it is made. */
static Pb__Receipt *receipt_of(struct act *a, const struct job_view *job)
{
	MADE(a, receipt, Pb__Receipt, pb__receipt__init);
	const struct people *people = people_of(a);
	const Pb__Job *record = job->record;
	receipt->receipt_id = made(a, 33);
	receipt_id_of(receipt->receipt_id, &people->genesis.chain_tag, &job->key, record->attempt);
	receipt->client = field(arena_copy(&a->arena, job->client.b, 20), 20);
	receipt->job_id = text_of(a, job->id);
	receipt->attempt = record->attempt;
	receipt->submit_height = record->submit_height;
	receipt->coordinator = field(people->addresses[COORDINATOR].b, 20);
	receipt->miner = field(people->keys[MINER].b, 33);
	receipt->service = text_of(a, record->service);
	receipt->payload_hash = record->payload_hash;
	receipt->unit_type = text_of(a, record->unit_type);
	receipt->units_milli = (uint64_t)record->submit_height * 977 % UNITS_MAX;
	receipt->unit_price = record->unit_price;
	receipt->amount = receipt_amount(
		receipt->units_milli, record->max_units_milli, record->unit_price, record->reward);
	receipt->result_hash = record->payload_hash;
	receipt->started_ms = 1;
	receipt->completed_ms = 2;
	struct hash32 digest = receipt_digest(receipt, &people->genesis.chain_tag);
	struct account_signature *signature = made(a, sizeof *signature);
	account_sign(signature, &people->secrets[MINER], &digest);
	receipt->miner_signature = field(signature->b, 64);
	return receipt;
}

static Pb__Action *record_receipt(struct act *a, const struct job_view *job)
{
	MADE(a, act, Pb__RecordReceipt, pb__record_receipt__init);
	act->receipt = receipt_of(a, job);
	return action_of(a, PB__ACTION__ACT_RECORD_RECEIPT, act);
}

static Pb__Action *deliver_result(struct act *a, const struct job_view *job)
{
	MADE(a, act, Pb__DeliverResult, pb__deliver_result__init);
	act->receipt = receipt_of(a, job);
	return action_of(a, PB__ACTION__ACT_DELIVER_RESULT, act);
}

static Pb__Action *reject_delivery(struct act *a, const struct job_view *job)
{
	MADE(a, act, Pb__RejectDelivery, pb__reject_delivery__init);
	act->client = field(arena_copy(&a->arena, job->client.b, 20), 20);
	act->job_id = text_of(a, job->id);
	act->attempt = job->record->attempt;
	act->reason = text_of(a, "not what was asked");
	return action_of(a, PB__ACTION__ACT_REJECT_DELIVERY, act);
}

static Pb__Action *cancel_job(struct act *a, const struct job_view *job)
{
	MADE(a, act, Pb__CancelJob, pb__cancel_job__init);
	act->job_id = text_of(a, job->id); /* refused when the job is another's */
	return action_of(a, PB__ACTION__ACT_CANCEL_JOB, act);
}

static Pb__Action *of_client(struct act *a)
{
	struct job_view job;
	uint64_t dice = random_below(&a->work->dice, 100);
	if (dice < 40)
		return submit_job(a);
	if (dice < 50 && find_job(a, &job, PB__JOB_STATE__OPEN))
		return cancel_job(a, &job);
	return transfer(a);
}

static Pb__Action *of_coordinator(struct act *a)
{
	struct job_view job;
	uint64_t dice = random_below(&a->work->dice, 100);
	if (dice < 40 && find_job(a, &job, PB__JOB_STATE__OPEN))
		return assign_job(a, &job);
	if (dice < 75 && find_job(a, &job, PB__JOB_STATE__ASSIGNED))
		return dice < 45 ? assign_job(a, &job) : record_receipt(a, &job);
	if (dice < 85 && find_job(a, &job, PB__JOB_STATE__DELIVERED))
		return dice < 78 ? reject_delivery(a, &job) : record_receipt(a, &job);
	if (dice < 90 && find_job(a, &job, PB__JOB_STATE__SETTLED) && job.record->submit_height)
		return record_receipt(a, &job);
	return transfer(a);
}

static Pb__Action *of_courier(struct act *a)
{
	struct job_view job;
	if (random_chance(&a->work->dice, 700) && find_job(a, &job, PB__JOB_STATE__ASSIGNED))
		return deliver_result(a, &job);
	return transfer(a);
}

/* ---- signing and sending ---- */

/* The sequence to sign with; false: enough of this sender's is on its way. */
static bool next_sequence(struct act *a, uint64_t *sequence)
{
	struct work_sender *s = &a->work->senders[a->who];
	uint64_t next, balance;
	const struct account_address *address = &people_of(a)->addresses[a->who];
	if (!a->node->app.vtable->account(a->node->app.self, address, &next, &balance))
		return false;
	if (next != s->seen) {
		s->seen = next;
		s->moved_us = a->world->now_us;
	}
	if (s->next < next || a->world->now_us - s->moved_us > PATIENCE_US) {
		s->next = next;
		s->moved_us = a->world->now_us;
	}
	if (s->next - next >= WORK_IN_FLIGHT_MAX)
		return false;
	*sequence = s->next++;
	return true;
}

/* One action, or many alike: a large transaction. */
static void sign_many(
	struct act *a, struct buf *raw, Pb__Action *action, size_t times, uint64_t sequence)
{
	struct random *dice = &a->work->dice;
	const struct people *people = people_of(a);
	Pb__TxBody body = PB__TX_BODY__INIT;
	body.sequence = sequence;
	body.fee = 2000 * times + random_below(dice, 1000);
	body.mode = random_chance(dice, 500) ? PB__MODE__EACH : PB__MODE__ATOMIC;
	Pb__Action *actions[TX_ACTIONS_MAX];
	for (size_t i = 0; i < times; i++)
		actions[i] = action;
	body.actions = actions;
	body.n_actions = times;
	tx_sign(raw, &body, &people->secrets[a->who], &people->keys[a->who],
		&people->genesis.chain_tag);
	CHECK(buf_ok(raw));
}

static void sign(struct act *a, struct buf *raw, Pb__Action *action, uint64_t sequence)
{
	sign_many(a, raw, action, 1, sequence);
}

static void send(struct act *a, Pb__Action *action, uint64_t sequence)
{
	struct random *dice = &a->work->dice;
	struct buf raw;
	buf_init(&raw, 0);
	sign(a, &raw, action, sequence);
	if (random_chance(dice, 30)) /* somebody touched it on the way */
		raw.data[random_below(dice, raw.len)] ^= 1;
	for (uint32_t i = 0; i < a->world->node_count; i++) {
		struct sim_node *n = &a->world->nodes[i];
		/* Here and there, now and then twice; the others hear of it by gossip. */
		bool here = n->replica && !world_paused(a->world, i);
		if (here && (n == a->node || random_chance(dice, 300)))
			node_submit(n, buf_view(&raw));
		here = here && n->replica;
		if (here && random_chance(dice, 50))
			node_submit(n, buf_view(&raw));
	}
	a->work->sent++;
	buf_fini(&raw);
}

void work_act(struct work *k, struct world *w)
{
	struct act a = {.work = k, .world = w, .node = world_best(w)};
	uint64_t sequence;
	a.who = (enum who)random_below(&k->dice, SENDERS);
	if (!a.node || !next_sequence(&a, &sequence))
		return;
	arena_init(&a.arena, WORK_ARENA_BYTES_MAX);
	Pb__Action *action = NULL;
	switch (a.who) {
	case COORDINATOR: action = of_coordinator(&a); break;
	case COURIER: action = of_courier(&a); break;
	case ALICE:
	case BOB:
	case CAROL:
	case DAVE: action = of_client(&a); break;
	case MINER:
	case TREASURY:
	case WHO: break;
	}
	CHECK(action);
	send(&a, action, sequence);
	arena_fini(&a.arena);
}

/* One of many at once: noise, or a transfer that may come in its turn, or much too early. */
static void flood_one(struct act *a, struct buf *raw)
{
	struct random *dice = &a->work->dice;
	uint64_t next = 0, balance;
	if (random_chance(dice, 300)) {
		for (uint64_t left = 1 + random_below(dice, 25); left > 0; left--)
			buf_append_u64be(raw, random_next(dice));
		return;
	}
	a->who = (enum who)random_below(dice, DAVE + 1);
	(void)a->node->app.vtable->account(
		a->node->app.self, &people_of(a)->addresses[a->who], &next, &balance);
	sign(a, raw, transfer(a), next + random_below(dice, 80));
}

/* Large ones of one sender, each in its turn: they make blocks of many parts. */
static void flood_large(struct act *a, struct buf *raw, uint64_t place)
{
	uint64_t next = 0, balance;
	(void)a->node->app.vtable->account(
		a->node->app.self, &people_of(a)->addresses[a->who], &next, &balance);
	sign_many(a, raw, transfer(a), TX_ACTIONS_MAX, next + place);
}

void work_flood(struct work *k, struct world *w, struct sim_node *n, uint64_t count)
{
	struct act a = {.work = k, .world = w, .node = n, .who = DAVE};
	struct buf raw;
	bool large = random_chance(&k->dice, 300);
	buf_init(&raw, 0);
	arena_init(&a.arena, WORK_ARENA_BYTES_MAX);
	for (uint64_t i = 0; i < count && n->replica && !world_paused(w, n->index); i++) {
		buf_clear(&raw);
		if (large)
			flood_large(&a, &raw, i);
		else
			flood_one(&a, &raw);
		node_submit(n, buf_view(&raw));
		if (random_chance(&k->dice, 200) && n->replica)
			node_submit(n, buf_view(&raw));
	}
	arena_fini(&a.arena);
	buf_fini(&raw);
}
