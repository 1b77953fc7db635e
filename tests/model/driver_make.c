/* Random transactions: mostly sensible, so that jobs live through everything that can happen to
 * one, and often wrong in exactly one way. */
#include <stdio.h>
#include <string.h>

#include "tests/model/driver.h"

uint64_t draw(struct driver *d, uint64_t below)
{
	uint64_t z = d->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % below;
}

bool chance(struct driver *d, unsigned percent)
{
	return draw(d, 100) < percent;
}

static void *made(struct driver *d, size_t len)
{
	void *memory = arena_alloc(&d->arena, len);

	CHECK(memory);
	return memory;
}

static char *text(struct driver *d, const char *from)
{
	char *copy = arena_text(&d->arena, bytes_of_text(from));

	CHECK(copy);
	return copy;
}

static ProtobufCBinaryData data(struct driver *d, const void *from, size_t len)
{
	void *copy = arena_copy(&d->arena, from, len);

	CHECK(copy);
	return (ProtobufCBinaryData){len, copy};
}

static enum kit_who anyone(struct driver *d)
{
	return (enum kit_who)draw(d, KIT_PEOPLE);
}

static ProtobufCBinaryData address(struct driver *d, enum kit_who who)
{
	struct account_address it = kit_address(who);

	return data(d, it.b, sizeof it.b);
}

static int person_of(const uint8_t wanted[20])
{
	for (int i = 0; i < KIT_PEOPLE; i++) {
		struct account_address it = kit_address((enum kit_who)i);

		if (memcmp(it.b, wanted, 20) == 0)
			return i;
	}
	return -1;
}

/* One byte of it changed, or its length. */
static void spoil(struct driver *d, ProtobufCBinaryData *field)
{
	if (field->len > 0 && chance(d, 90))
		field->data[draw(d, field->len)] ^= (uint8_t)(1 + draw(d, 255));
	else if (field->len > 0)
		field->len--;
}

#define MADE(d, name, type, init_fn)                                                               \
	type *name = made(d, sizeof *name);                                                        \
	init_fn(name)

static Pb__Action *action_of(struct driver *d, Pb__Action__ActCase act_case, void *act)
{
	MADE(d, action, Pb__Action, pb__action__init);
	action->act_case = act_case;
	action->transfer = act; /* all sides of the union are pointers */
	return action;
}

/* ---- what an account does for itself ---- */

static Pb__Action *make_transfer(struct driver *d)
{
	static const uint64_t amounts[] = {0, 1, 999, 1000, 5000, 2 * KIT_COIN, 400u * KIT_COIN};
	uint8_t nobody[20] = {0};

	MADE(d, act, Pb__Transfer, pb__transfer__init);
	nobody[0] = (uint8_t)draw(d, 60);
	act->to = chance(d, 75) ? address(d, anyone(d)) : data(d, nobody, 20);
	act->amount = amounts[1 + draw(d, 6)];
	if (chance(d, 30))
		act->amount = 1 + draw(d, 50u * KIT_COIN);
	return action_of(d, PB__ACTION__ACT_TRANSFER, act);
}

static Pb__Action *make_coordinator_set(struct driver *d)
{
	MADE(d, act, Pb__CoordinatorSet, pb__coordinator_set__init);
	act->share_ppm = (uint32_t)draw(d, chance(d, 90) ? 200001 : 1000001);
	act->n_operators = draw(d, 4);
	act->operators = made(d, 8 * sizeof *act->operators);
	for (size_t i = 0; i < act->n_operators; i++)
		act->operators[i] = address(d, anyone(d));
	act->url = text(d, "http://127.0.0.1:18000");
	act->accepts_new = chance(d, 85);
	return action_of(d, PB__ACTION__ACT_COORDINATOR_SET, act);
}

static void spoil_submit(struct driver *d, Pb__SubmitJob *act)
{
	switch (draw(d, 9)) {
	case 0: act->reward = draw(d, 1001); return;
	case 1: act->ttl_ms = draw(d, 2) ? draw(d, 101) : 60000 + draw(d, 10); return;
	case 2: act->max_attempts = (uint32_t)draw(d, 7); return;
	case 3: act->coordinator_ppm ^= 1; return;
	case 4: act->coordinator = address(d, anyone(d)); return;
	case 5: act->reward = 900u * KIT_COIN; return;
	case 6: act->job_id = text(d, "no spaces"); return;
	case 7: act->replicas = (uint32_t)draw(d, 3); return;
	case 8: spoil(d, &act->payload_hash); return;
	}
}

static Pb__Action *make_submit(struct driver *d, enum kit_who *sender)
{
	static const uint64_t prices[] = {0, 1, 20000, 999999, UINT64_MAX};
	struct model_coordinator *owner =
		&d->model.world.coordinators[draw(d, d->model.world.coordinator_count)];
	uint8_t payload[32] = {(uint8_t)draw(d, 256)};
	uint64_t number;
	char id[65];

	MADE(d, act, Pb__SubmitJob, pb__submit_job__init);
	*sender = anyone(d);
	/* Of several lengths, the longer ones first in the order of text, in which they are booked.
	 */
	number = chance(d, 95) ? d->job_counter++ : draw(d, d->job_counter + 1);
	snprintf(id, sizeof id, "%.*s%llu", (int)(5 - number % 6), "-----",
		(unsigned long long)number);
	act->job_id = text(d, id);
	act->coordinator = data(d, owner->owner, 20);
	act->coordinator_ppm = owner->share_ppm;
	act->service = text(d, chance(d, 50) ? "llm/inference" : "ffmpeg/transcode");
	act->payload_hash = data(d, payload, 32);
	act->reward = 1000 + draw(d, chance(d, 90) ? 3u * KIT_COIN : 500u * KIT_COIN);
	act->unit_type = text(d, chance(d, 60) ? "second" : "token");
	act->unit_price = prices[draw(d, 5)];
	act->max_units_milli = draw(d, 3) ? draw(d, 100000) : UINT64_MAX;
	act->ttl_ms = chance(d, 50) ? 20000 : 100 + draw(d, chance(d, 50) ? 5000 : 59901);
	act->max_attempts = 1 + (uint32_t)draw(d, d->model.params.max_attempts);
	act->on_silence = chance(d, 50) ? PB__ON_SILENCE__PAY_MINER : PB__ON_SILENCE__REFUND;
	act->replicas = 1;
	if (chance(d, 8))
		spoil_submit(d, act);
	return action_of(d, PB__ACTION__ACT_SUBMIT_JOB, act);
}

/* ---- what is done to a job ---- */

/* A live job, sometimes a dead one, sometimes one that never was. */
static const struct model_job *target(struct driver *d)
{
	static struct model_job nobody;
	const struct model_world *world = &d->model.world;

	if (world->live_count > 0 && chance(d, 90))
		return &world->live[draw(d, world->live_count)];
	if (world->dead_count > 0 && chance(d, 80))
		return &d->model.dead[world->dead_count - 1 - draw(d, world->dead_count) % 50];
	memcpy(nobody.client, kit_address(anyone(d)).b, 20);
	snprintf(nobody.id, sizeof nobody.id, "never");
	return &nobody;
}

/* Somebody who may speak for the job's coordinator, mostly. */
static enum kit_who speaker(struct driver *d, const struct model_job *job)
{
	const struct model_coordinator *owner = model_coordinator(&d->model, job->coordinator);
	int who = -1;

	if (owner && owner->operator_count > 0 && chance(d, 40))
		who = person_of(owner->operators[draw(d, owner->operator_count)]);
	else if (owner)
		who = person_of(owner->owner);
	return who >= 0 && chance(d, 92) ? (enum kit_who)who : anyone(d);
}

static uint32_t attempt_near(struct driver *d, uint32_t right)
{
	return chance(d, 94) ? right : (uint32_t)draw(d, 5);
}

static uint64_t lease(struct driver *d)
{
	return chance(d, 60) ? 1 + draw(d, 1500) : draw(d, 20300);
}

static Pb__Action *make_assign(struct driver *d, const struct model_job *job)
{
	MADE(d, act, Pb__AssignJob, pb__assign_job__init);
	act->client = data(d, job->client, 20);
	act->job_id = text(d, job->id);
	act->attempt = attempt_near(d, job->attempt + 1);
	act->miner = data(d, kit_key(anyone(d)).b, 33);
	act->lease_ms = lease(d);
	if (chance(d, 3))
		spoil(d, &act->miner);
	return action_of(d, PB__ACTION__ACT_ASSIGN_JOB, act);
}

static Pb__Action *make_renew(struct driver *d, const struct model_job *job)
{
	MADE(d, act, Pb__RenewLease, pb__renew_lease__init);
	act->client = data(d, job->client, 20);
	act->job_id = text(d, job->id);
	act->attempt = attempt_near(d, job->attempt);
	act->lease_ms = lease(d);
	return action_of(d, PB__ACTION__ACT_RENEW_LEASE, act);
}

/* The miner's agreement, none, or something that isn't one. */
static ProtobufCBinaryData agreement(struct driver *d, const struct model_job *job, uint8_t act)
{
	struct account_address client;
	struct account_signature signature;
	struct account_address miner_address;
	struct account_key miner;
	struct job_key key;
	struct hash32 digest;
	int who;

	memcpy(miner.b, job->miner, 33);
	miner_address = account_address_of(&miner);
	who = person_of(miner_address.b);
	if (who < 0 || chance(d, 50))
		return (ProtobufCBinaryData){0, NULL};
	memcpy(client.b, job->client, 20);
	key = job_key_of(&client, bytes_of_text(job->id));
	digest = release_digest(
		&d->model.chain_tag, &key, job->attempt, &miner, chance(d, 92) ? act : 3 - act);
	account_sign(
		&signature, kit_secret(chance(d, 95) ? (enum kit_who)who : anyone(d)), &digest);
	return data(d, signature.b, 64);
}

static Pb__Action *make_release(struct driver *d, const struct model_job *job)
{
	MADE(d, act, Pb__ReleaseJob, pb__release_job__init);
	act->client = data(d, job->client, 20);
	act->job_id = text(d, job->id);
	act->attempt = attempt_near(d, job->attempt);
	act->miner_signature = agreement(d, job, 1);
	return action_of(d, PB__ACTION__ACT_RELEASE_JOB, act);
}

static Pb__Action *make_fail(struct driver *d, const struct model_job *job)
{
	MADE(d, act, Pb__FailJob, pb__fail_job__init);
	act->client = data(d, job->client, 20);
	act->job_id = text(d, job->id);
	act->attempt = attempt_near(d, job->attempt);
	act->reason = text(d, "it is broken");
	act->miner_signature = agreement(d, job, 2);
	return action_of(d, PB__ACTION__ACT_FAIL_JOB, act);
}

static Pb__Action *make_reject(struct driver *d, const struct model_job *job)
{
	MADE(d, act, Pb__RejectDelivery, pb__reject_delivery__init);
	act->client = data(d, job->client, 20);
	act->job_id = text(d, job->id);
	act->attempt = attempt_near(d, job->attempt);
	act->reason = text(d, "noise");
	return action_of(d, PB__ACTION__ACT_REJECT_DELIVERY, act);
}

static Pb__Action *make_cancel(struct driver *d, const struct model_job *job)
{
	MADE(d, act, Pb__CancelJob, pb__cancel_job__init);
	act->job_id = text(d, job->id);
	return action_of(d, PB__ACTION__ACT_CANCEL_JOB, act);
}

/* ---- receipts ---- */

static void spoil_receipt(struct driver *d, Pb__Receipt *r)
{
	switch (draw(d, 13)) {
	case 0: r->receipt_id[draw(d, 32)] ^= 1; return;
	case 1: r->attempt++; return;
	case 2: r->submit_height++; return;
	case 3: spoil(d, &r->coordinator); return;
	case 4: r->miner = data(d, kit_key(anyone(d)).b, 33); return;
	case 5: r->service = text(d, "other/service"); return;
	case 6: spoil(d, &r->payload_hash); return;
	case 7: r->unit_type = text(d, "pixel"); return;
	case 8: r->unit_price++; return;
	case 9: r->amount += 1; return;
	case 10: r->started_ms = r->completed_ms + 1; return;
	case 11: r->units_milli += 500000; return;
	case 12: spoil(d, &r->client); return;
	}
}

/* What the miner would write; the amount by a road of its own, checked where it can't overflow. */
static void receipt_units(struct driver *d, Pb__Receipt *r, const struct model_job *job)
{
	uint64_t since = kit_now_ms(&d->kit) - job->assigned_ms;
	uint64_t units = draw(d, 4) ? draw(d, since + 600) : draw(d, 200000);

	r->units_milli = units;
	if (job->unit_price > UINT64_MAX / 200000)
		r->amount = units > 0 && job->max_units > 0 ? job->reward : 0;
	else
		r->amount =
			(units < job->max_units ? units : job->max_units) * job->unit_price / 1000;
	if (r->amount > job->reward)
		r->amount = job->reward;
}

static void receipt_sign(struct driver *d, Pb__Receipt *r, const struct model_job *job)
{
	struct hash32 digest = receipt_digest(r, &d->model.chain_tag);
	struct account_address miner_address;
	struct account_signature signature;
	struct account_key miner;
	int who;

	memcpy(miner.b, job->miner, 33);
	miner_address = account_address_of(&miner);
	who = person_of(miner_address.b);
	memset(&signature, 1, sizeof signature);
	if (who >= 0)
		account_sign(&signature, kit_secret(chance(d, 97) ? (enum kit_who)who : anyone(d)),
			&digest);
	r->miner_signature = data(d, signature.b, 64);
	if (chance(d, 2))
		spoil(d, &r->miner_signature);
}

static Pb__Receipt *make_receipt(struct driver *d, const struct model_job *job)
{
	struct account_address client;
	struct job_key key;
	uint8_t result[32] = {(uint8_t)draw(d, 256)};

	MADE(d, r, Pb__Receipt, pb__receipt__init);
	if (job->state == 3 && chance(d, 85)) {
		Pb__Receipt *delivered = pb__receipt__unpack(
			arena_protobuf(&d->arena), job->delivered_len, job->delivered);

		CHECK(delivered);
		if (chance(d, 5))
			spoil_receipt(d, delivered);
		return delivered;
	}
	memcpy(client.b, job->client, 20);
	key = job_key_of(&client, bytes_of_text(job->id));
	r->receipt_id = made(d, 33);
	receipt_id_of(r->receipt_id, &d->model.chain_tag, &key, job->attempt);
	r->client = data(d, job->client, 20);
	r->job_id = text(d, job->id);
	r->attempt = attempt_near(d, job->attempt);
	r->submit_height = job->submit_height;
	r->coordinator = data(d, job->coordinator, 20);
	r->miner = data(d, job->miner, 33);
	r->service = text(d, job->service[0] ? job->service : "none");
	r->payload_hash = data(d, job->payload_hash, 32);
	r->unit_type = text(d, job->unit_type[0] ? job->unit_type : "none");
	r->unit_price = job->unit_price;
	receipt_units(d, r, job);
	r->result_hash = data(d, result, 32);
	r->started_ms = draw(d, 1000);
	r->completed_ms = r->started_ms + draw(d, 2);
	if (chance(d, 12))
		spoil_receipt(d, r);
	receipt_sign(d, r, job);
	return r;
}

static Pb__Action *make_record(struct driver *d, const struct model_job *job)
{
	MADE(d, act, Pb__RecordReceipt, pb__record_receipt__init);
	act->receipt = make_receipt(d, job);
	return action_of(d, PB__ACTION__ACT_RECORD_RECEIPT, act);
}

static Pb__Action *make_deliver(struct driver *d, const struct model_job *job)
{
	MADE(d, act, Pb__DeliverResult, pb__deliver_result__init);
	act->receipt = make_receipt(d, job);
	return action_of(d, PB__ACTION__ACT_DELIVER_RESULT, act);
}

/* ---- transactions ---- */

/* What most likely comes next for a job in this state. */
static Pb__Action *make_job_action(struct driver *d, enum kit_who *sender)
{
	const struct model_job *job = target(d);
	uint64_t die = draw(d, 100);
	int client = person_of(job->client);

	*sender = speaker(d, job);
	if (job->state == 1 && die < 70)
		return make_assign(d, job);
	if (job->state == 2 && die < 35)
		return make_record(d, job);
	if (job->state == 2 && die < 60)
		return *sender = anyone(d), make_deliver(d, job);
	if (job->state == 3 && die < 20)
		return make_record(d, job);
	die = draw(d, 100);
	if (die < 15)
		return make_assign(d, job);
	if (die < 30)
		return make_renew(d, job);
	if (die < 50)
		return make_release(d, job);
	if (die < 60)
		return make_record(d, job);
	if (die < 70)
		return make_deliver(d, job);
	if (die < 80)
		return make_reject(d, job);
	if (die < 88)
		return make_fail(d, job);
	*sender = client >= 0 && chance(d, 90) ? (enum kit_who)client : anyone(d);
	return make_cancel(d, job);
}

static Pb__Action *make_action(struct driver *d, enum kit_who *sender)
{
	uint64_t die = draw(d, 100);

	do
		*sender = anyone(d);
	while (*sender == TREASURY && chance(d, 95)); /* it can't send */
	if (die < 15)
		return make_transfer(d);
	if (die < 18)
		return *sender = chance(d, 80) ? COORDINATOR : anyone(d), make_coordinator_set(d);
	if (die < 38)
		return make_submit(d, sender);
	if (die < 44)
		return make_authority(d, sender);
	return make_job_action(d, sender);
}

/* Wrong in one way that pass 1 must see. */
static void spoil_body(struct driver *d, Pb__TxBody *body, struct driver_tx *tx)
{
	uint64_t now = kit_now_ms(&d->kit);

	switch (draw(d, 9)) {
	case 0: body->sequence += 1 + draw(d, 70); return;
	case 1: body->sequence -= body->sequence > 0 ? 1 : 0; return;
	case 2: body->fee = draw(d, 150); return;
	case 3: body->chain_hint ^= 1; return;
	case 4: body->valid_until_ms = now - draw(d, 2); return;
	case 5: body->valid_until_ms = now + 86400000 + draw(d, 40000); return;
	case 6: body->fee = 2000u * KIT_COIN; return;
	case 7: tx->model.signature_good = false; return;
	case 8: body->n_actions = 0; return;
	}
}

/* Signed in earnest when asked; else any signature does, and the machine is told that it was
 * verified. */
static void seal(struct driver *d, struct driver_tx *tx, Pb__TxBody *body, enum kit_who sender,
	bool in_earnest)
{
	struct account_secret nobody = {{0}};
	const struct account_secret *secret = kit_secret(sender);
	struct account_key key = kit_key(sender);
	struct account_address from;
	uint8_t packed[65536], signature[64] = {1};
	struct buf whole = {0};
	uint32_t hint = body->chain_hint;
	Pb__Tx outer = PB__TX__INIT;
	struct hash32 digest;

	if (!tx->model.signature_good && chance(d, 50)) {
		/* Well signed, by a key that has no account. */
		tx->model.signature_good = true;
		in_earnest = true;
		nobody.b[0] = 0x77;
		nobody.b[31] = (uint8_t)draw(d, 256);
		secret = &nobody;
		CHECK(account_key_of(&key, secret));
	}
	from = account_address_of(&key);
	CHECK(pb__tx_body__get_packed_size(body) < sizeof packed);
	outer.body = (ProtobufCBinaryData){pb__tx_body__pack(body, packed), packed};
	outer.public_key = (ProtobufCBinaryData){33, key.b};
	outer.signature = (ProtobufCBinaryData){64, signature};
	if (in_earnest) {
		struct account_signature good;

		digest = tx_digest(&d->model.chain_tag, &key, bytes_view(packed, outer.body.len));
		account_sign(&good, secret, &digest);
		memcpy(signature, good.b, 64);
	}
	if (!tx->model.signature_good)
		signature[40] ^= 1;
	body->chain_hint = hint;
	buf_clear(&tx->raw);
	CHECK(buf_extend(&whole, pb__tx__get_packed_size(&outer)));
	pb__tx__pack(&outer, whole.data);
	buf_append_view(&tx->raw, buf_view(&whole));
	buf_fini(&whole);
	CHECK(buf_ok(&tx->raw));
	memcpy(tx->model.sender, from.b, 20);
	tx->model.body = body;
	tx->model.size = tx->raw.len;
	tx->app.raw = buf_view(&tx->raw);
	tx->app.hash = sha256(tx->app.raw);
	tx->app.verified = !in_earnest && tx->model.signature_good;
}

static void make_tx(struct driver *d)
{
	struct driver_tx *tx = &d->txs[d->tx_count];
	struct model_account *account;
	enum kit_who sender, other;
	bool spoiled = chance(d, 7);

	MADE(d, body, Pb__TxBody, pb__tx_body__init);
	body->actions = made(d, 8 * sizeof *body->actions);
	body->actions[body->n_actions++] = make_action(d, &sender);
	while (body->n_actions < 7 && chance(d, 25)) {
		body->actions[body->n_actions++] = make_action(d, &other);
		if (chance(d, 30)) /* else a good beginning would rarely end in a rollback */
			sender = other;
	}
	account = model_account(&d->model, kit_address(sender).b);
	body->chain_hint = chain_hint_of(&d->model.chain_tag);
	body->sequence = (account ? account->sequence : 0) + d->queued[sender];
	body->fee = 3000 + draw(d, 2000);
	body->mode = chance(d, 40) ? PB__MODE__EACH : PB__MODE__ATOMIC;
	body->memo = text(d, chance(d, 5) ? "a memo" : "");
	if (chance(d, 10))
		body->valid_until_ms = kit_now_ms(&d->kit) + draw(d, 60000);
	tx->model.signature_good = true;
	if (spoiled)
		spoil_body(d, body, tx);
	else
		d->queued[sender]++;
	seal(d, tx, body, sender, chance(d, 10));
	d->tx_count++;
	d->ops += body->n_actions;
}

/* The same bytes again: of this block, or of an earlier one. */
static void make_replay(struct driver *d)
{
	struct driver_tx *tx = &d->txs[d->tx_count];
	struct driver_tx *twin;
	const struct buf *old;
	struct tx decoded;
	enum status local;
	char fault[64];

	buf_clear(&tx->raw);
	if (d->tx_count > 0 && chance(d, 50)) {
		twin = &d->txs[draw(d, d->tx_count)];
		buf_append_view(&tx->raw, buf_view(&twin->raw));
		tx->model = twin->model;
		tx->app = twin->app;
	} else if (d->old_count > 0) {
		old = &d->old[draw(d, d->old_count)];
		if (tx_decode(&decoded, &d->arena, buf_view(old), &local, fault) != SETTLE_OK)
			return;
		buf_append_view(&tx->raw, buf_view(old));
		memcpy(tx->model.sender, decoded.sender.b, 20);
		tx->model.body = decoded.body;
		tx->model.size = tx->raw.len;
		tx->model.signature_good = true;
		tx->app.verified = true;
	} else {
		return;
	}
	tx->app.raw = buf_view(&tx->raw);
	tx->app.hash = sha256(tx->app.raw);
	d->tx_count++;
	d->ops++;
}

void make_block(struct driver *d)
{
	size_t wanted = chance(d, 15) ? 0 : chance(d, 90) ? draw(d, 10) : draw(d, DRIVER_TXS_MAX);

	arena_reset(&d->arena);
	memset(d->queued, 0, sizeof d->queued);
	d->tx_count = 0;
	while (d->tx_count < wanted) {
		if (chance(d, 3))
			make_replay(d);
		else
			make_tx(d);
	}
}
