#define _GNU_SOURCE
#include "tests/e2e/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/endian.h"
#include "base/hex.h"
#include "base/json.h"
#include "chain/tx.h"
#include "tests/bench/presign.h"
#include "tests/live/ask.h"

enum {
	JOB_ACCOUNT = 100, /* client and coordinator in one */
	MINER_ACCOUNT = 101,
	SINK_ACCOUNT = 102,
	SHARE_PPM = 50000,
	FEE = 5000,
	PRICE = 100000
};
static const uint64_t balance_at_start = UINT64_C(1000) * 1000 * 1000 * 1000;

void load_fail(struct load *l, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	printf("FAILED: ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	l->failures++;
}

void pause_for_ms(uint64_t ms)
{
	const struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
	nanosleep(&t, NULL);
}

void load_init(struct load *l, const uint16_t *ports, size_t node_count, size_t sender_count)
{
	CHECK(node_count <= LOAD_NODES_MAX && sender_count <= LOAD_SENDERS_MAX);
	memset(l, 0, sizeof *l);
	memcpy(l->ports, ports, node_count * sizeof *ports);
	l->node_count = node_count;
	l->sender_count = sender_count;
	l->burst = 1;
	CHECK(pthread_mutex_init(&l->acks_lock, NULL) == 0);
}

/* ---- one account's voice ---- */

static void voice_init(struct load_voice *v, uint32_t account)
{
	presign_account(&v->secret, &v->key, account);
	v->address = account_address_of(&v->key);
	v->sequence = 0;
}

/* The next node that isn't away, from *turn on; SIZE_MAX: all are. */
static size_t present(struct load *l, size_t *turn)
{
	for (size_t i = 0; i < l->node_count; i++) {
		size_t node = (*turn + i) % l->node_count;
		if (!l->away[node]) {
			*turn = node;
			return node;
		}
	}
	return SIZE_MAX;
}

struct landed {
	int64_t height; /* 0: not in the chain */
	int64_t code;
};

static struct landed look_up(uint16_t port, const struct hash32 *hash)
{
	struct landed landed = {0, -1};
	struct buf base64 = {0};
	char fault[256];
	buf_append_base64(&base64, hash->b, sizeof hash->b);
	json_t *found = ask_call(port, "tx", json_pack("{s:s}", "hash", buf_text(&base64)), fault);
	if (found != NULL) {
		landed.height = ask_number(found, "height");
		landed.code = ask_number(json_object_get(found, "tx_result"), "code");
	}
	json_decref(found);
	buf_fini(&base64);
	return landed;
}

static void acknowledge(struct load *l, const struct hash32 *hash, int64_t height)
{
	pthread_mutex_lock(&l->acks_lock);
	if (l->ack_count < LOAD_ACKS_MAX) {
		l->acks[l->ack_count].hash = *hash;
		l->acks[l->ack_count++].height = height;
	}
	pthread_mutex_unlock(&l->acks_lock);
}

/* One try: what the node acknowledged, or height 0 when it said nothing certain; said is why. */
static struct landed broadcast(uint16_t port, struct bytes tx, char said[256])
{
	struct landed landed = {0, -1};
	struct buf base64 = {0};
	buf_append_base64(&base64, tx.data, tx.len);
	json_t *answer = ask_call(
		port, "broadcast_tx_commit", json_pack("{s:s}", "tx", buf_text(&base64)), said);
	buf_fini(&base64);
	if (answer == NULL)
		return landed;
	const json_t *check = json_object_get(answer, "check_tx");
	if (ask_number(check, "code") != 0) {
		const char *log = json_string_value(json_object_get(check, "log"));
		snprintf(said, 256, "check_tx: %s", log != NULL ? log : "no log");
	} else {
		landed.height = ask_number(answer, "height");
		landed.code = ask_number(json_object_get(answer, "tx_result"), "code");
	}
	json_decref(answer);
	return landed;
}

/* Hands it over without waiting; what comes of it shows later. */
static void mention(uint16_t port, struct bytes tx)
{
	char fault[256];
	struct buf base64 = {0};
	buf_append_base64(&base64, tx.data, tx.len);
	json_decref(ask_call(
		port, "broadcast_tx_sync", json_pack("{s:s}", "tx", buf_text(&base64)), fault));
	buf_fini(&base64);
}

/* Until the last of these transactions of one account is in the chain, whatever falls meanwhile.
 * height 0: given up. */
static struct landed insist(struct load *l, struct buf *txs, size_t count, size_t turn)
{
	struct hash32 hash = sha256(buf_view(&txs[count - 1]));
	struct landed landed = {0, -1};
	char said[256] = "";
	time_t began = time(NULL);
	for (int tries = 0; !l->abandoned; tries++, turn++) {
		size_t node = present(l, &turn);
		if (node != SIZE_MAX) {
			for (size_t i = 0; i + 1 < count; i++)
				mention(l->ports[node], buf_view(&txs[i]));
			landed = broadcast(l->ports[node], buf_view(&txs[count - 1]), said);
			if (landed.height <= 0) /* an answer may have died on its way */
				landed = look_up(l->ports[node], &hash);
			if (landed.height > 0) {
				acknowledge(l, &hash, landed.height);
				break;
			}
		}
		pause_for_ms(tries < 10 ? 5 : 50);
		if (time(NULL) - began > LOAD_ACT_SECONDS_MAX) {
			load_fail(
				l, "a transaction neither lands nor fails; a node says: %s", said);
			l->abandoned = true;
		}
	}
	return landed;
}

static void sign_with(struct load *l, struct buf *tx, struct load_voice *v, uint64_t sequence,
	Pb__Action *const *actions, size_t count)
{
	Pb__TxBody body = PB__TX_BODY__INIT;
	body.sequence = sequence;
	body.fee = FEE;
	body.actions = (Pb__Action **)(uintptr_t)actions;
	body.n_actions = count;
	buf_clear(tx);
	tx_sign(tx, &body, &v->secret, &v->key, &l->chain_tag);
}

static struct landed act(
	struct load *l, struct load_voice *v, Pb__Action *const *actions, size_t count)
{
	struct buf tx = {0};
	sign_with(l, &tx, v, v->sequence, actions, count);
	struct landed landed = insist(l, &tx, 1, v->address.b[0] + v->sequence);
	buf_fini(&tx);
	if (landed.height > 0)
		v->sequence++;
	pause_for_ms(l->pause_ms);
	return landed;
}

/* ---- workers ---- */

/* The last of a burst is in the chain, so the others are too: sequences have no gaps. */
static void acknowledge_burst(struct load *l, struct buf *txs, size_t count, size_t turn)
{
	for (size_t i = 0; i < count && !l->abandoned;) {
		struct hash32 hash = sha256(buf_view(&txs[i]));
		size_t node = present(l, &turn);
		struct landed landed = {0, -1};
		if (node != SIZE_MAX)
			landed = look_up(l->ports[node], &hash);
		if (landed.height > 0 && landed.code != 0)
			load_fail(l, "a transfer landed with code %" PRId64, landed.code);
		if (landed.height > 0) {
			acknowledge(l, &hash, landed.height);
			i++;
		} else { /* that node is gone, or not so far yet */
			turn++;
			pause_for_ms(5);
		}
	}
}

static void transfer_burst(struct load_sender *t, struct load_voice *v, struct load_voice *sink)
{
	struct load *l = t->load;
	struct buf txs[LOAD_BURST_MAX] = {{0}};
	Pb__Transfer transfer = PB__TRANSFER__INIT;
	Pb__Action action = PB__ACTION__INIT;
	Pb__Action *actions[] = {&action};
	transfer.to.data = sink->address.b;
	transfer.to.len = sizeof sink->address.b;
	transfer.amount = 1000;
	action.act_case = PB__ACTION__ACT_TRANSFER;
	action.transfer = &transfer;
	for (size_t i = 0; i < l->burst; i++)
		sign_with(l, &txs[i], v, v->sequence + i, actions, 1);
	size_t turn = t->account + v->sequence / l->burst;
	struct landed landed = insist(l, txs, l->burst, turn);
	if (landed.height > 0 && landed.code != 0)
		load_fail(l, "a transfer landed with code %" PRId64, landed.code);
	if (landed.height > 0) {
		acknowledge_burst(l, txs, l->burst - 1, turn);
		v->sequence += l->burst;
		t->done += l->burst;
	}
	for (size_t i = 0; i < l->burst; i++)
		buf_fini(&txs[i]);
	pause_for_ms(l->pause_ms);
}

static void *transfer_for_ever(void *ctx)
{
	struct load_sender *t = ctx;
	struct load_voice v;
	struct load_voice sink;
	voice_init(&v, t->account);
	voice_init(&sink, SINK_ACCOUNT);
	while (!t->load->stopping && !t->load->abandoned)
		transfer_burst(t, &v, &sink);
	return NULL;
}

static ProtobufCBinaryData data_of(void *bytes, size_t len)
{
	ProtobufCBinaryData data = {len, bytes};
	return data;
}

static struct landed submit_and_assign(struct load *l, struct load_voice *v,
	struct load_voice *miner, char *job_id, struct hash32 *payload_hash)
{
	Pb__SubmitJob submit = PB__SUBMIT_JOB__INIT;
	Pb__AssignJob assign = PB__ASSIGN_JOB__INIT;
	Pb__Action first = PB__ACTION__INIT;
	Pb__Action second = PB__ACTION__INIT;
	Pb__Action *actions[] = {&first, &second};
	submit.job_id = job_id;
	submit.coordinator = data_of(v->address.b, sizeof v->address.b);
	submit.coordinator_ppm = SHARE_PPM;
	submit.service = (char *)(uintptr_t) "text/count";
	submit.payload_hash = data_of(payload_hash->b, sizeof payload_hash->b);
	submit.reward = 2 * PRICE;
	submit.unit_type = (char *)(uintptr_t) "item";
	submit.unit_price = PRICE;
	submit.max_units_milli = 2000;
	submit.ttl_ms = 3600 * 1000;
	submit.max_attempts = 3;
	submit.on_silence = PB__ON_SILENCE__PAY_MINER;
	submit.replicas = 1;
	assign.client = submit.coordinator;
	assign.job_id = job_id;
	assign.attempt = 1;
	assign.miner = data_of(miner->key.b, sizeof miner->key.b);
	assign.lease_ms = 600 * 1000;
	first.act_case = PB__ACTION__ACT_SUBMIT_JOB;
	first.submit_job = &submit;
	second.act_case = PB__ACTION__ACT_ASSIGN_JOB;
	second.assign_job = &assign;
	return act(l, v, actions, 2);
}

/* Sends the same receipt twice, in two transactions. */
static void record_twice(struct load_jobs *j, struct load_voice *v, struct load_voice *miner,
	char *job_id, struct hash32 *payload_hash, int64_t submit_height)
{
	struct job_key job = job_key_of(&v->address, bytes_of_text(job_id));
	Pb__Receipt receipt = PB__RECEIPT__INIT;
	char receipt_id[33];
	receipt_id_of(receipt_id, &j->load->chain_tag, &job, 1);
	receipt.receipt_id = receipt_id;
	receipt.client = data_of(v->address.b, sizeof v->address.b);
	receipt.job_id = job_id;
	receipt.attempt = 1;
	receipt.submit_height = submit_height;
	receipt.coordinator = receipt.client;
	receipt.miner = data_of(miner->key.b, sizeof miner->key.b);
	receipt.service = (char *)(uintptr_t) "text/count";
	receipt.payload_hash = data_of(payload_hash->b, sizeof payload_hash->b);
	receipt.unit_type = (char *)(uintptr_t) "item";
	receipt.units_milli = 1000;
	receipt.unit_price = PRICE;
	receipt.amount = receipt_amount(1000, 2000, PRICE, 2 * PRICE);
	receipt.result_hash = receipt.payload_hash;
	receipt.started_ms = 1;
	receipt.completed_ms = 2;
	struct hash32 digest = receipt_digest(&receipt, &j->load->chain_tag);
	struct account_signature signature;
	account_sign(&signature, &miner->secret, &digest);
	receipt.miner_signature = data_of(signature.b, sizeof signature.b);

	Pb__RecordReceipt record = PB__RECORD_RECEIPT__INIT;
	Pb__Action action = PB__ACTION__INIT;
	Pb__Action *actions[] = {&action};
	record.receipt = &receipt;
	action.act_case = PB__ACTION__ACT_RECORD_RECEIPT;
	action.record_receipt = &record;
	struct landed first = act(j->load, v, actions, 1);
	if (first.height <= 0)
		return;
	j->sent++;
	j->paid += first.code == 0;
	if (first.code != 0)
		load_fail(j->load, "%s: the receipt was refused with code %" PRId64, job_id,
			first.code);
	struct landed second = act(j->load, v, actions, 1);
	if (second.height <= 0)
		return;
	j->sent++;
	j->refused_again += second.code == SETTLE_WRONG_STATE;
	if (second.code != SETTLE_WRONG_STATE)
		load_fail(j->load, "%s: its second receipt got code %" PRId64, job_id, second.code);
}

static void *work_jobs_for_ever(void *ctx)
{
	struct load_jobs *j = ctx;
	struct load *l = j->load;
	struct load_voice v;
	struct load_voice miner;
	voice_init(&v, JOB_ACCOUNT);
	voice_init(&miner, MINER_ACCOUNT);
	while (!l->stopping && !l->abandoned) {
		char job_id[32];
		snprintf(job_id, sizeof job_id, "crash-%" PRIu64, j->submitted);
		struct hash32 payload_hash = sha256(bytes_of_text(job_id));
		struct landed landed = submit_and_assign(l, &v, &miner, job_id, &payload_hash);
		if (landed.height <= 0)
			break;
		j->sent++;
		j->submitted++;
		if (landed.code != 0)
			load_fail(
				l, "%s: submit and assign got code %" PRId64, job_id, landed.code);
		else
			record_twice(j, &v, &miner, job_id, &payload_hash, landed.height);
	}
	return NULL;
}

bool load_fund(struct load *l, struct genesis *g)
{
	struct genesis_coordinator coordinator;
	struct load_voice v;
	bool ok = true;
	for (uint32_t i = 0; i <= l->sender_count && ok; i++) {
		voice_init(&v, i < l->sender_count ? i : JOB_ACCOUNT);
		ok = genesis_add_account(g, &v.address, amount_of(balance_at_start)) == STATUS_OK;
	}
	memset(&coordinator, 0, sizeof coordinator);
	voice_init(&v, JOB_ACCOUNT);
	coordinator.owner = v.address;
	coordinator.share_ppm = SHARE_PPM;
	coordinator.accepts_new = true;
	return ok && genesis_add_coordinator(g, &coordinator) == STATUS_OK;
}

void load_start(struct load *l)
{
	for (uint32_t i = 0; i < l->sender_count; i++) {
		struct load_sender *s = &l->senders[i];
		s->load = l;
		s->account = i;
		CHECK(pthread_create(&s->thread, NULL, transfer_for_ever, s) == 0);
	}
	l->jobs.load = l;
	CHECK(pthread_create(&l->jobs.thread, NULL, work_jobs_for_ever, &l->jobs) == 0);
}

void load_stop(struct load *l)
{
	l->stopping = true;
	for (size_t i = 0; i < l->sender_count; i++)
		pthread_join(l->senders[i].thread, NULL);
	pthread_join(l->jobs.thread, NULL);
}

/* ---- the judge ---- */

size_t load_acknowledged(struct load *l)
{
	pthread_mutex_lock(&l->acks_lock);
	size_t count = l->ack_count;
	pthread_mutex_unlock(&l->acks_lock);
	return count;
}

/* One that isn't away and can tell of that height; they take turns. */
static size_t witness(struct load *l, size_t turn, int64_t height)
{
	for (size_t i = 0; i < l->node_count; i++) {
		size_t node = (turn + i) % l->node_count;
		if (!l->away[node] && l->earliest[node] <= height)
			return node;
	}
	return SIZE_MAX;
}

void load_check_acknowledged(struct load *l, size_t from, size_t until)
{
	for (size_t i = from; i < until; i++) {
		size_t node = witness(l, i, l->acks[i].height);
		char text[65];
		hex_upper(text, l->acks[i].hash.b, 32);
		if (node == SIZE_MAX) {
			load_fail(l, "no node can tell of height %" PRId64, l->acks[i].height);
			continue;
		}
		struct landed landed = look_up(l->ports[node], &l->acks[i].hash);
		if (landed.height != l->acks[i].height)
			load_fail(l,
				"%s was acknowledged at height %" PRId64
				", node %zu has it at %" PRId64,
				text, l->acks[i].height, node, landed.height);
	}
}

/* The account's record; balance and next sequence. */
static bool account_of(uint16_t port, uint32_t account, uint64_t *balance, uint64_t *sequence)
{
	struct load_voice v;
	char hex[41];
	char fault[256];
	struct json_fault spelling;
	struct buf value = {0};
	voice_init(&v, account);
	hex_lower(hex, v.address.b, sizeof v.address.b);
	json_t *answer = ask_call(port, "abci_query",
		json_pack("{s:s,s:s}", "path", "/accounts", "data", hex), fault);
	const char *base64 =
		json_string_value(json_object_get(json_object_get(answer, "response"), "value"));
	bool ok = base64 != NULL && base64_decode(&value, base64, strlen(base64));
	json_t *record = ok ? json_read(buf_view(&value), &spelling) : NULL;
	*balance = (uint64_t)ask_number(record, "balance");
	*sequence = (uint64_t)ask_number(record, "next_sequence");
	ok = record != NULL;
	json_decref(record);
	json_decref(answer);
	buf_fini(&value);
	return ok;
}

static void expect_account(struct load *l, const char *who, uint32_t account,
	uint64_t balance_wanted, uint64_t sequence_wanted)
{
	uint64_t balance;
	uint64_t sequence;
	if (!account_of(l->ports[0], account, &balance, &sequence))
		load_fail(l, "%s: no account", who);
	else if (balance != balance_wanted || sequence != sequence_wanted)
		load_fail(l,
			"%s: balance %" PRIu64 " and sequence %" PRIu64 ", expected %" PRIu64
			" and %" PRIu64,
			who, balance, sequence, balance_wanted, sequence_wanted);
}

void load_judge(struct load *l)
{
	const struct load_jobs *j = &l->jobs;
	uint64_t sunk = 0;
	load_check_acknowledged(l, 0, l->ack_count);
	for (size_t i = 0; i < l->sender_count; i++) {
		uint64_t done = l->senders[i].done;
		sunk += done * 1000;
		expect_account(l, "a sender of transfers", l->senders[i].account,
			balance_at_start - done * (1000 + FEE), done);
	}
	expect_account(l, "the receiver of transfers", SINK_ACCOUNT, sunk, 0);
	uint64_t share = PRICE * (uint64_t)SHARE_PPM / 1000000;
	expect_account(l, "the miner", MINER_ACCOUNT, j->paid * (PRICE - share), 0);
	/* A job whose receipt hasn't landed still holds its reward. */
	expect_account(l, "the client", JOB_ACCOUNT,
		balance_at_start - j->sent * FEE - j->paid * (PRICE - share) -
			(j->submitted - j->paid) * 2 * PRICE,
		j->sent);
}
