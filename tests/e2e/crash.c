/* kill -9 of a working node, again and again. Workers send transfers and whole jobs over JSON-RPC
 * and note what the node acknowledged; the main thread kills it at random moments and starts it
 * again. In the end everything acknowledged is in the chain at its height, every sequence was spent
 * once, and no job was paid twice. crash AITBCD FOLDER KILLS [SEED] */
#define _GNU_SOURCE
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/endian.h"
#include "base/hex.h"
#include "base/json.h"
#include "chain/tx.h"
#include "tests/bench/presign.h"
#include "tests/live/ask.h"
#include "tests/live/node.h"

enum {
	TRANSFER_WORKERS = 4,
	JOB_ACCOUNT = 100, /* client and coordinator in one */
	MINER_ACCOUNT = 101,
	SINK_ACCOUNT = 102,
	SHARE_PPM = 50000,
	FEE = 5000,
	PRICE = 100000,
	ACKS_MAX = 200000,
	AT_RISK = 100,
	ACT_SECONDS_MAX = 60
};
static const uint64_t balance_at_start = UINT64_C(1000) * 1000 * 1000 * 1000;

struct ack {
	struct hash32 hash;
	int64_t height;
};

static struct live_node node;
static struct hash32 chain_tag;
static atomic_bool stopping;  /* finish the act at hand, then end */
static atomic_bool abandoned; /* the node is gone for good, or a worker is stuck */
static pthread_mutex_t acks_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ack acks[ACKS_MAX];
static size_t ack_count;
static atomic_int failures;

__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	printf("FAILED: ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	failures++;
}

static void pause_ms(uint64_t ms)
{
	const struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
	nanosleep(&t, NULL);
}

/* ---- one account's voice ---- */

struct voice {
	struct account_secret secret;
	struct account_key key;
	struct account_address address;
	uint64_t sequence;
};

static void voice_init(struct voice *v, uint32_t account)
{
	presign_account(&v->secret, &v->key, account);
	v->address = account_address_of(&v->key);
	v->sequence = 0;
}

struct landed {
	int64_t height; /* 0: not in the chain */
	int64_t code;
};

static struct landed look_up(const struct hash32 *hash)
{
	struct landed landed = {0, -1};
	struct buf base64 = {0};
	char fault[256];
	buf_append_base64(&base64, hash->b, sizeof hash->b);
	json_t *found =
		ask_call(node.rpc_port, "tx", json_pack("{s:s}", "hash", buf_text(&base64)), fault);
	if (found != NULL) {
		landed.height = ask_number(found, "height");
		landed.code = ask_number(json_object_get(found, "tx_result"), "code");
	}
	json_decref(found);
	buf_fini(&base64);
	return landed;
}

static void acknowledge(const struct hash32 *hash, int64_t height)
{
	pthread_mutex_lock(&acks_lock);
	if (ack_count < ACKS_MAX) {
		acks[ack_count].hash = *hash;
		acks[ack_count++].height = height;
	}
	pthread_mutex_unlock(&acks_lock);
}

/* One try: what the node acknowledged, or height 0 when it said nothing certain; said is why. */
static struct landed broadcast(struct bytes tx, char said[256])
{
	struct landed landed = {0, -1};
	struct buf base64 = {0};
	buf_append_base64(&base64, tx.data, tx.len);
	json_t *answer = ask_call(node.rpc_port, "broadcast_tx_commit",
		json_pack("{s:s}", "tx", buf_text(&base64)), said);
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

/* Until the transaction is in the chain, whatever dies meanwhile. height 0: the node is gone. */
static struct landed act(struct voice *v, Pb__Action *const *actions, size_t count)
{
	Pb__TxBody body = PB__TX_BODY__INIT;
	struct buf tx = {0};
	body.sequence = v->sequence;
	body.fee = FEE;
	body.actions = (Pb__Action **)(uintptr_t)actions;
	body.n_actions = count;
	tx_sign(&tx, &body, &v->secret, &v->key, &chain_tag);
	struct hash32 hash = sha256(buf_view(&tx));
	struct landed landed = {0, -1};
	char said[256] = "";
	time_t began = time(NULL);
	for (int tries = 0; landed.height <= 0 && !abandoned; tries++) {
		landed = broadcast(buf_view(&tx), said);
		if (landed.height > 0) {
			acknowledge(&hash, landed.height);
			break;
		}
		landed = look_up(&hash); /* an answer may have died on its way */
		if (landed.height <= 0)
			pause_ms(tries < 10 ? 5 : 50);
		if (landed.height <= 0 && time(NULL) - began > ACT_SECONDS_MAX) {
			fail("a transaction neither lands nor fails; the node says: %s", said);
			abandoned = true;
		}
	}
	buf_fini(&tx);
	if (landed.height > 0)
		v->sequence++;
	return landed;
}

/* ---- workers ---- */

struct transfers {
	uint32_t account;
	uint64_t done;
	pthread_t thread;
};

static void *transfer_for_ever(void *ctx)
{
	struct transfers *t = ctx;
	struct voice v;
	struct voice sink;
	voice_init(&v, t->account);
	voice_init(&sink, SINK_ACCOUNT);
	while (!stopping) {
		Pb__Transfer transfer = PB__TRANSFER__INIT;
		Pb__Action action = PB__ACTION__INIT;
		Pb__Action *actions[] = {&action};
		transfer.to.data = sink.address.b;
		transfer.to.len = sizeof sink.address.b;
		transfer.amount = 1000;
		action.act_case = PB__ACTION__ACT_TRANSFER;
		action.transfer = &transfer;
		struct landed landed = act(&v, actions, 1);
		if (landed.height > 0 && landed.code != 0)
			fail("a transfer landed with code %" PRId64, landed.code);
		t->done += landed.height > 0;
	}
	return NULL;
}

struct jobs {
	uint64_t submitted;
	uint64_t paid;
	uint64_t refused_again;
	uint64_t sent;
	pthread_t thread;
};

static ProtobufCBinaryData data_of(void *bytes, size_t len)
{
	ProtobufCBinaryData data = {len, bytes};
	return data;
}

static struct landed submit_and_assign(
	struct voice *v, struct voice *miner, char *job_id, struct hash32 *payload_hash)
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
	return act(v, actions, 2);
}

/* Sends the same receipt twice, in two transactions. */
static void record_twice(struct jobs *j, struct voice *v, struct voice *miner, char *job_id,
	struct hash32 *payload_hash, int64_t submit_height)
{
	struct job_key job = job_key_of(&v->address, bytes_of_text(job_id));
	Pb__Receipt receipt = PB__RECEIPT__INIT;
	char receipt_id[33];
	receipt_id_of(receipt_id, &chain_tag, &job, 1);
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
	struct hash32 digest = receipt_digest(&receipt, &chain_tag);
	struct account_signature signature;
	account_sign(&signature, &miner->secret, &digest);
	receipt.miner_signature = data_of(signature.b, sizeof signature.b);

	Pb__RecordReceipt record = PB__RECORD_RECEIPT__INIT;
	Pb__Action action = PB__ACTION__INIT;
	Pb__Action *actions[] = {&action};
	record.receipt = &receipt;
	action.act_case = PB__ACTION__ACT_RECORD_RECEIPT;
	action.record_receipt = &record;
	struct landed first = act(v, actions, 1);
	if (first.height <= 0)
		return;
	j->sent++;
	j->paid += first.code == 0;
	if (first.code != 0)
		fail("%s: the receipt was refused with code %" PRId64, job_id, first.code);
	struct landed second = act(v, actions, 1);
	if (second.height <= 0)
		return;
	j->sent++;
	j->refused_again += second.code == SETTLE_WRONG_STATE;
	if (second.code != SETTLE_WRONG_STATE)
		fail("%s: its second receipt got code %" PRId64, job_id, second.code);
}

static void *work_jobs_for_ever(void *ctx)
{
	struct jobs *j = ctx;
	struct voice v;
	struct voice miner;
	voice_init(&v, JOB_ACCOUNT);
	voice_init(&miner, MINER_ACCOUNT);
	while (!stopping) {
		char job_id[32];
		snprintf(job_id, sizeof job_id, "crash-%" PRIu64, j->submitted);
		struct hash32 payload_hash = sha256(bytes_of_text(job_id));
		struct landed landed = submit_and_assign(&v, &miner, job_id, &payload_hash);
		if (landed.height <= 0)
			break;
		j->sent++;
		j->submitted++;
		if (landed.code != 0)
			fail("%s: submit and assign got code %" PRId64, job_id, landed.code);
		else
			record_twice(j, &v, &miner, job_id, &payload_hash, landed.height);
	}
	return NULL;
}

/* ---- the judge ---- */

static size_t ack_count_now(void)
{
	pthread_mutex_lock(&acks_lock);
	size_t count = ack_count;
	pthread_mutex_unlock(&acks_lock);
	return count;
}

static void check_acknowledged(size_t from, size_t until)
{
	for (size_t i = from; i < until; i++) {
		struct landed landed = look_up(&acks[i].hash);
		char text[65];
		hex_upper(text, acks[i].hash.b, 32);
		if (landed.height != acks[i].height)
			fail("%s was acknowledged at height %" PRId64
			     ", the chain has it at %" PRId64,
				text, acks[i].height, landed.height);
	}
}

/* The account's record; balance and next sequence. */
static bool account_of(uint32_t account, uint64_t *balance, uint64_t *sequence)
{
	struct voice v;
	char hex[41];
	char fault[256];
	struct json_fault spelling;
	struct buf value = {0};
	voice_init(&v, account);
	hex_lower(hex, v.address.b, sizeof v.address.b);
	json_t *answer = ask_call(node.rpc_port, "abci_query",
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

static void expect_account(
	const char *who, uint32_t account, uint64_t balance_wanted, uint64_t sequence_wanted)
{
	uint64_t balance;
	uint64_t sequence;
	if (!account_of(account, &balance, &sequence))
		fail("%s: no account", who);
	else if (balance != balance_wanted || sequence != sequence_wanted)
		fail("%s: balance %" PRIu64 " and sequence %" PRIu64 ", expected %" PRIu64
		     " and %" PRIu64,
			who, balance, sequence, balance_wanted, sequence_wanted);
}

static void judge(const struct transfers *workers, const struct jobs *j)
{
	uint64_t sunk = 0;
	check_acknowledged(0, ack_count);
	for (size_t i = 0; i < TRANSFER_WORKERS; i++) {
		uint64_t done = workers[i].done;
		sunk += done * 1000;
		expect_account("a sender of transfers", workers[i].account,
			balance_at_start - done * (1000 + FEE), done);
	}
	expect_account("the receiver of transfers", SINK_ACCOUNT, sunk, 0);
	uint64_t share = PRICE * (uint64_t)SHARE_PPM / 1000000;
	expect_account("the miner", MINER_ACCOUNT, j->paid * (PRICE - share), 0);
	/* A job whose receipt hasn't landed still holds its reward. */
	expect_account("the client", JOB_ACCOUNT,
		balance_at_start - j->sent * FEE - j->paid * (PRICE - share) -
			(j->submitted - j->paid) * 2 * PRICE,
		j->sent);
}

/* ---- the story ---- */

static bool prepare(const char *program, const char *dir, char fault[256])
{
	struct genesis g;
	if (!live_node_make(&node, program, dir, "devnet-crash", fault) ||
		!live_genesis_read(&g, &node, fault))
		return false;
	bool ok = true;
	for (uint32_t i = 0; i <= TRANSFER_WORKERS && ok; i++) {
		struct voice v;
		voice_init(&v, i < TRANSFER_WORKERS ? i : JOB_ACCOUNT);
		ok = genesis_add_account(&g, &v.address, amount_of(balance_at_start)) == STATUS_OK;
	}
	struct genesis_coordinator coordinator;
	struct voice owner;
	memset(&coordinator, 0, sizeof coordinator);
	voice_init(&owner, JOB_ACCOUNT);
	coordinator.owner = owner.address;
	coordinator.share_ppm = SHARE_PPM;
	coordinator.accepts_new = true;
	ok = ok && genesis_add_coordinator(&g, &coordinator) == STATUS_OK &&
	     live_genesis_write(&node, &g, fault);
	chain_tag = g.chain_tag;
	genesis_fini(&g);
	node.extra[0] = "--coordinator.enabled";
	node.extra[1] = "false";
	return ok && live_node_start(&node, fault);
}

static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* False: it didn't come back. */
static bool kill_and_restart(int kills, uint64_t seed, uint64_t *ready_ms_worst)
{
	for (int i = 0; i < kills && !abandoned; i++) {
		char fault[256];
		pause_ms(50 + draw(&seed) % 500);
		/* What was acknowledged just before the kill is what a lazy sync would lose. */
		size_t until = ack_count_now();
		if (!live_node_kill(&node, SIGKILL)) {
			fail("the node had died by itself before kill %d", i + 1);
			return false;
		}
		if (!live_node_start(&node, fault)) {
			fail("after kill %d: %s", i + 1, fault);
			return false;
		}
		if (node.ready_ms > *ready_ms_worst)
			*ready_ms_worst = node.ready_ms;
		check_acknowledged(until > AT_RISK ? until - AT_RISK : 0, until);
	}
	pause_ms(300);
	return true;
}

static int run(int kills, uint64_t seed)
{
	static struct transfers workers[TRANSFER_WORKERS];
	static struct jobs jobs;
	uint64_t ready_ms_worst = node.ready_ms;
	for (uint32_t i = 0; i < TRANSFER_WORKERS; i++) {
		workers[i].account = i;
		CHECK(pthread_create(&workers[i].thread, NULL, transfer_for_ever, &workers[i]) ==
			0);
	}
	CHECK(pthread_create(&jobs.thread, NULL, work_jobs_for_ever, &jobs) == 0);
	bool back = kill_and_restart(kills, seed, &ready_ms_worst);
	abandoned = abandoned || !back;
	stopping = true;
	for (size_t i = 0; i < TRANSFER_WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
	pthread_join(jobs.thread, NULL);
	if (abandoned)
		return 1;
	if (ack_count == 0 || jobs.paid == 0)
		fail("nothing was acknowledged (%zu transactions, %" PRIu64 " receipts)", ack_count,
			jobs.paid);
	judge(workers, &jobs);
	printf("figure: %d kills, %zu transactions acknowledged, %" PRIu64
	       " jobs paid, worst restart %" PRIu64 " ms\n",
		kills, ack_count, jobs.paid, ready_ms_worst);
	return failures > 0;
}

int main(int argc, char **argv)
{
	uint8_t random[32];
	char fault[256];
	if (argc < 4) {
		fprintf(stderr, "usage: crash AITBCD FOLDER KILLS [SEED]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	json_object_seed(0);
	if (getrandom(random, sizeof random, 0) != sizeof random || !keys_start(random))
		return 1;
	uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 10) : get_u64be(random) >> 1 | 1;
	printf("seed %" PRIu64 "\n", seed);
	if (!prepare(argv[1], argv[2], fault)) {
		printf("FAILED: %s\n", fault);
		return 1;
	}
	int code = run(atoi(argv[3]), seed);
	live_node_kill(&node, SIGKILL);
	if (code == 0) {
		printf("ok: everything acknowledged before a kill is in the chain after it\n");
		printf("ok: every sequence is spent once and no receipt is paid twice\n");
		printf("ok: the node is ready again after each of %s kills\n", argv[3]);
		live_node_remove(&node);
	} else {
		printf("home kept: %s; replay the timing with seed %" PRIu64 "\n", node.home, seed);
	}
	return code;
}
