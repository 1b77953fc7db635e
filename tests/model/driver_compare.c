#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/driver.h"

_Noreturn void differ(const struct driver *d, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "machine and model differ: seed %" PRIu64 " height %" PRId64 ": ",
		d->world_seed, d->kit.height);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}

void compare_results(struct driver *d, const struct app_result *result, size_t tx_count)
{
	if (result->tx_count != tx_count)
		differ(d, "%zu results for %zu transactions", result->tx_count, tx_count);
	for (size_t i = 0; i < tx_count; i++) {
		const struct app_tx_result *machine = &result->txs[i];
		const struct model_result *model = &d->results[i];

		if (machine->code != model->code)
			differ(d, "tx %zu: code %u, model %u (log: %s)", i, machine->code,
				model->code, machine->log);
		if (machine->data.len != (model->has_data ? 32u : 0u))
			differ(d, "tx %zu: %zu bytes of data", i, machine->data.len);
		if (model->has_data && memcmp(machine->data.data, model->data.b, 32) != 0) {
			for (size_t j = 0; j < model->outcome_count; j++)
				fprintf(stderr, "model: action %zu code %u state %d\n", j,
					model->outcomes[j].code, model->outcomes[j].state);
			differ(d, "tx %zu: data differs (log: %s)", i, machine->log);
		}
		d->code_counts[model->code]++;
		for (size_t j = 0; model->has_data && j < model->outcome_count; j++)
			d->code_counts[model->outcomes[j].code]++;
	}
}

/* ---- records ---- */

static bool read(struct driver *d, const struct state_key *key, struct buf *out)
{
	buf_clear(out);
	return store_get(&d->kit.store, NULL, STORE_STATE, state_key_view(key), out) == STATUS_OK;
}

void compare_record(struct driver *d, const struct state_key *key, struct bytes expected,
	const char *what, const char *name)
{
	struct buf stored = {0};

	if (!read(d, key, &stored))
		differ(d, "%s %s is not in the store", what, name);
	if (!bytes_equal(buf_view(&stored), expected))
		differ(d, "%s %s has another record", what, name);
	buf_fini(&stored);
}

void compare_message(struct driver *d, const struct state_key *key,
	const ProtobufCMessage *expected, const char *what, const char *name)
{
	uint8_t packed[16384];
	size_t len = protobuf_c_message_get_packed_size(expected);

	CHECK(len <= sizeof packed);
	protobuf_c_message_pack(expected, packed);
	compare_record(d, key, bytes_view(packed, len), what, name);
}

static struct job_key key_of(const struct model_job *job)
{
	struct account_address client;

	memcpy(client.b, job->client, 20);
	return job_key_of(&client, bytes_of_text(job->id));
}

static ProtobufCBinaryData view(const void *data, size_t len)
{
	return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static void compare_assignment(
	struct driver *d, const struct model_job *job, const struct job_key *name)
{
	struct state_key key = state_key_assignment(name, job->attempt);
	Pb__Assignment expected = PB__ASSIGNMENT__INIT;

	expected.miner = view(job->miner, 33);
	expected.lease_end_ms = job->lease_end;
	expected.assigned_block_ms = job->assigned_ms;
	if (job->state == 3) {
		expected.delivered = pb__receipt__unpack(NULL, job->delivered_len, job->delivered);
		expected.review_end_ms = job->review_end;
	}
	compare_message(d, &key, &expected.base, "assignment of", job->id);
	if (expected.delivered)
		pb__receipt__free_unpacked(expected.delivered, NULL);
}

static void compare_live(struct driver *d, const struct model_job *job)
{
	struct job_key name = key_of(job);
	struct state_key key = state_key_job(&name);
	struct state_key escrow_key = state_key_escrow(&name);
	Pb__Escrow escrow = PB__ESCROW__INIT;
	Pb__Job expected = PB__JOB__INIT;

	expected.state = (Pb__JobState)job->state;
	expected.attempt = job->attempt;
	expected.coordinator = view(job->coordinator, 20);
	expected.coordinator_ppm = job->ppm;
	expected.service = (char *)(uintptr_t)job->service;
	expected.payload_hash = view(job->payload_hash, 32);
	expected.reward = job->reward;
	expected.unit_type = (char *)(uintptr_t)job->unit_type;
	expected.unit_price = job->unit_price;
	expected.max_units_milli = job->max_units;
	expected.deadline_ms = job->deadline;
	expected.max_attempts = job->max_attempts;
	expected.on_silence = (Pb__OnSilence)job->on_silence;
	expected.review_ms = job->review_ms;
	expected.grace_ms = job->grace_ms;
	expected.submit_height = job->submit_height;
	compare_message(d, &key, &expected.base, "live job", job->id);
	escrow.amount = job->reward;
	compare_message(d, &escrow_key, &escrow.base, "escrow of", job->id);
	if (job->state != 1)
		compare_assignment(d, job, &name);
}

static void compare_dead(struct driver *d, const struct model_job *job)
{
	struct job_key name = key_of(job);
	struct state_key key = state_key_job(&name);
	Pb__Job expected = PB__JOB__INIT;

	expected.state = (Pb__JobState)job->state;
	expected.attempt = job->attempt;
	if (job->paid_receipt)
		expected.receipt_hash = view(job->receipt_hash, 32);
	expected.to_miner = job->to_miner;
	expected.to_coordinator = job->to_coordinator;
	expected.to_client = job->to_client;
	expected.height = job->height;
	compare_message(d, &key, &expected.base, "ended job", job->id);
}

static void compare_account(struct driver *d, const struct model_account *account)
{
	struct account_address address;
	struct state_key key;
	Pb__Account expected = PB__ACCOUNT__INIT;

	memcpy(address.b, account->address, 20);
	key = state_key_account(&address);
	expected.balance = account->balance;
	expected.next_sequence = account->sequence;
	expected.open_jobs = account->open_jobs;
	compare_message(d, &key, &expected.base, "an account", "");
}

static void compare_totals(struct driver *d)
{
	struct state_key key = state_key_chain();
	Pb__ChainState expected = PB__CHAIN_STATE__INIT;
	uint64_t wake = UINT64_MAX;

	expected.supply = d->model.supply;
	expected.escrow = model_escrow(&d->model);
	expected.outage_ms = d->model.outage_ms;
	expected.live_jobs = d->model.world.live_count;
	compare_message(d, &key, &expected.base, "the chain's totals", "");
	for (size_t i = 0; i < d->model.world.live_count; i++) {
		uint64_t due = model_due_ms(&d->model.world.live[i]) + d->model.outage_ms;

		wake = due < wake ? due : wake;
	}
	if (d->kit.app.vtable->next_wake_ms(d->kit.app.self) != wake)
		differ(d, "it would wake at another time than %" PRIu64, wake);
}

void compare_state(struct driver *d)
{
	const struct model_world *world = &d->model.world;

	for (size_t i = 0; i < world->account_count; i++)
		compare_account(d, &world->accounts[i]);
	for (size_t i = 0; i < world->live_count; i++)
		compare_live(d, &world->live[i]);
	/* The last to end: whatever ended in this block is among them. */
	for (size_t i = 0; i < 20 && i < world->dead_count; i++)
		compare_dead(d, &d->model.dead[world->dead_count - 1 - i]);
	compare_totals(d);
	compare_authority(d);
}

/* ---- the tree, by its definition ---- */

struct leaf {
	struct hash32 path;
	struct hash32 hash;
};

static int by_path(const void *a, const void *b)
{
	return memcmp(((const struct leaf *)a)->path.b, ((const struct leaf *)b)->path.b, 32);
}

static bool bit(const struct leaf *leaf, size_t i)
{
	return (leaf->path.b[i / 8] & 0x80 >> i % 8) != 0;
}

static struct hash32 root_of(const struct leaf *leaves, size_t count, size_t from_bit)
{
	struct hash32 halves[2];
	uint8_t node[65] = {1};
	size_t split = 0;

	if (count == 1)
		return leaves[0].hash;
	while (bit(&leaves[0], from_bit) == bit(&leaves[count - 1], from_bit))
		from_bit++;
	while (!bit(&leaves[split], from_bit))
		split++;
	halves[0] = root_of(leaves, split, from_bit + 1);
	halves[1] = root_of(leaves + split, count - split, from_bit + 1);
	memcpy(node + 1, halves[0].b, 32);
	memcpy(node + 33, halves[1].b, 32);
	return sha256(bytes_view(node, 65));
}

/* 0x00 || len || key || 0x20 || SHA256(value); no key of ours is longer than 127 bytes. */
static struct hash32 leaf_of(struct bytes key, struct bytes value)
{
	struct hash32 value_hash = sha256(value);
	uint8_t text[256] = {0, (uint8_t)key.len};

	CHECK(key.len < 128);
	memcpy(text + 2, key.data, key.len);
	text[2 + key.len] = 32;
	memcpy(text + 3 + key.len, value_hash.b, 32);
	return sha256(bytes_view(text, 35 + key.len));
}

static void compare_root(struct driver *d, const struct hash32 *root)
{
	struct hash32 expected = leaf_of(bytes_of_text("settle"), hash_view(root));
	struct hash32 machine = kit_app_hash(&d->kit);

	if (!hash_equal(&expected, &machine))
		differ(d, "the app hash is not that of the records");
}

void compare_all(struct driver *d)
{
	const struct model_world *world = &d->model.world;
	struct store_iterator *it = store_iterate(
		&d->kit.store, NULL, STORE_STATE, bytes_view(NULL, 0), bytes_view(NULL, 0), false);
	size_t counts[256] = {0};
	struct leaf *leaves = NULL;
	struct bytes key, value;
	struct hash32 root;
	size_t count = 0;
	size_t assigned = 0;

	compare_state(d);
	for (size_t i = 0; i < world->dead_count; i++)
		compare_dead(d, &d->model.dead[i]);
	CHECK(it);
	while (store_next(&d->kit.store, it, &key, &value) == STATUS_OK) {
		leaves = realloc(leaves, (count + 1) * sizeof *leaves);
		CHECK(leaves);
		leaves[count].path = sha256(key);
		leaves[count++].hash = leaf_of(key, value);
		counts[key.data[0]]++;
	}
	store_iterator_free(&d->kit.store, it);
	for (size_t i = 0; i < world->live_count; i++)
		assigned += world->live[i].state != 1;
	if (counts['a'] != world->account_count ||
		counts['j'] != world->live_count + world->dead_count ||
		counts['e'] != world->live_count || counts['s'] != assigned ||
		counts['c'] != world->coordinator_count ||
		count - counts['a'] - counts['j'] - counts['e'] - counts['s'] - counts['c'] !=
			2 + authority_records(d))
		differ(d, "there are records that the model doesn't know");
	qsort(leaves, count, sizeof *leaves, by_path);
	root = root_of(leaves, count, 0);
	compare_root(d, &root);
	free(leaves);
}
