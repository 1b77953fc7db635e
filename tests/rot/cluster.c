#include "tests/rot/cluster.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/settle/settle.h"
#include "chain/store_mem.h"
#include "chain/store_rocks.h"

enum { INPUTS_MAX = 4096, TRANSFER_FEE = 100000, BLOCKS_MAX = 100 * 1000 };

/* A signature that was made. */
struct said {
	uint32_t index;
	struct fence_record record;
};

struct mail {
	uint32_t from, to;
	struct bytes bytes; /* owned */
};

static void fail(struct cluster *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct cluster *c, const char *format, ...)
{
	if (c->fault[0])
		return;
	va_list args;
	va_start(args, format);
	vsnprintf(c->fault, sizeof c->fault, format, args);
	va_end(args);
}

static void on_log(void *ctx, enum log_level level, const char *line, size_t len)
{
	struct cluster *c = ctx;
	if (getenv("ROT_TRACE"))
		printf("%8llu %.*s\n", (unsigned long long)c->now_ms, (int)len, line);
	if (strstr(line, "validator_votes_again"))
		snprintf(c->votes_again, sizeof c->votes_again, "%.*s", (int)len, line);
	if (level >= LOG_UNUSUAL)
		snprintf(c->last_event, sizeof c->last_event, "%.*s", (int)len, line);
}

/* ---- homes ---- */

void cluster_init(struct cluster *c, const char *dir, uint32_t count)
{
	char name[32], fault[NODE_FAULT_BYTES];
	memset(c, 0, sizeof *c);
	c->count = count;
	c->log = (struct log){LOG_INFO, on_log, c};
	people_init(&c->people, count);
	c->blocks = calloc(BLOCKS_MAX, sizeof *c->blocks);
	CHECK(c->blocks);
	for (uint32_t i = 0; i < count; i++) {
		struct member *m = &c->members[i];
		m->cluster = c;
		m->index = i;
		m->secret = c->people.validators[i];
		snprintf(name, sizeof name, "node%u", i);
		CHECK(files_join(m->home, dir, name) == STATUS_OK);
		CHECK(files_mkdir(m->home, 0700, fault) == STATUS_OK);
		CHECK(disk_make_fence(m->home, fault) == STATUS_OK);
		CHECK(store_mem_open(&m->memory) == STATUS_OK);
	}
}

void cluster_fini(struct cluster *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		if (c->members[i].up)
			cluster_stop(c, i);
		store_close(&c->members[i].memory);
		free(c->members[i].inputs);
		replica_effects_fini(&c->members[i].effects);
	}
	for (size_t i = 0; i < c->batch_count; i++)
		store_batch_fini(&c->batches[i]);
	free(c->batches);
	for (size_t i = c->mail_first; i < c->mail_count; i++)
		free((void *)(uintptr_t)c->mail[i].bytes.data);
	free(c->mail);
	free(c->said);
	free(c->blocks);
	people_fini(&c->people);
}

/* ---- truth ---- */

static void note_signature(struct member *m, const struct fence_record *record)
{
	struct cluster *c = m->cluster;
	m->signatures++;
	m->proposals += record->step == FENCE_PROPOSAL;
	for (size_t i = 0; i < c->said_count; i++) {
		const struct said *s = &c->said[i];
		if (s->index != m->index || fence_order(&s->record, record) != 0)
			continue;
		if (!hash_equal(&s->record.sign_bytes, &record->sign_bytes))
			fail(c, "double sign: node %u, height %lld round %d step %d", m->index,
				(long long)record->height, record->round, (int)record->step);
		return;
	}
	c->said = realloc(c->said, (c->said_count + 1) * sizeof *c->said);
	CHECK(c->said);
	c->said[c->said_count++] = (struct said){m->index, *record};
}

static void note_block(struct member *m)
{
	struct cluster *c = m->cluster;
	const struct chain_head *head = replica_head(m->replica);
	CHECK(head->height < BLOCKS_MAX);
	struct block_id *truth = &c->blocks[head->height];
	if (head->height > c->top) {
		c->top = head->height;
		*truth = head->block_id;
	} else if (!block_id_equal(truth, &head->block_id)) {
		fail(c, "fork: node %u, height %lld", m->index, (long long)head->height);
	}
}

/* ---- deeds, as node/driver.c does them ---- */

static void put_input(struct member *m, const struct replica_input *in)
{
	if (m->input_count == m->input_cap) {
		m->input_cap = m->input_cap ? m->input_cap * 2 : 64;
		m->inputs = realloc(m->inputs, m->input_cap * sizeof *m->inputs);
		CHECK(m->inputs);
	}
	CHECK(m->input_count < INPUTS_MAX);
	m->inputs[m->input_count++] = *in;
}

static void stops(struct member *m, const char *what, enum status status)
{
	if (!m->stopped[0])
		snprintf(m->stopped, sizeof m->stopped, "%s: %s", what, status_text(status));
}

static bool synced(struct member *m)
{
	if (!m->sync_wanted)
		return true;
	m->sync_wanted = false;
	enum status status = disk_log_sync(&m->disk);
	if (status != STATUS_OK)
		stops(m, "syncing the consensus log", status);
	return status == STATUS_OK;
}

static void do_sign(struct member *m, const struct replica_effect *e)
{
	struct replica_input answer = {.kind = REPLICA_SIGNED};
	struct fence_record record = e->u.fence;
	enum status status = STATUS_OK;
	switch (fence_ask(&m->disk.fence, &record)) {
	case FENCE_SIGN: status = disk_fence_write(&m->disk, &record); break;
	case FENCE_AGAIN: break;
	case FENCE_REFUSE: answer.u.sign.refused = true; break;
	}
	if (status != STATUS_OK) {
		stops(m, "writing the fence", status);
		return;
	}
	if (!answer.u.sign.refused) {
		validator_sign(&answer.u.sign.signature, &m->secret, e->bytes);
		note_signature(m, &record);
		if (record.step == FENCE_PRECOMMIT)
			m->voted = record.height;
	}
	put_input(m, &answer);
}

static void send(struct member *m, uint32_t to, struct bytes bytes)
{
	struct cluster *c = m->cluster;
	for (uint32_t i = 0; i < c->count; i++) {
		if (i == m->index || !c->members[i].up || (to != REPLICA_EVERYONE && to != i))
			continue;
		if (c->mail_count == c->mail_cap) {
			c->mail_cap = c->mail_cap ? c->mail_cap * 2 : 256;
			c->mail = realloc(c->mail, c->mail_cap * sizeof *c->mail);
			CHECK(c->mail);
		}
		uint8_t *copy = malloc(bytes.len + 1);
		CHECK(copy);
		memcpy(copy, bytes.data, bytes.len);
		c->mail[c->mail_count++] = (struct mail){m->index, i, bytes_view(copy, bytes.len)};
	}
}

static void do_effect(struct member *m, const struct replica_effect *e)
{
	struct replica_input answer = {.kind = REPLICA_APPLIED};
	switch (e->kind) { /* lint: dispatch */
	case REPLICA_LOG: disk_log_append(&m->disk, e->bytes); break;
	case REPLICA_LOG_SYNC: m->sync_wanted = true; break;
	case REPLICA_LOG_RESET:
		m->sync_wanted = false;
		CHECK(disk_log_reset(&m->disk) == STATUS_OK);
		break;
	case REPLICA_SIGN:
		if (synced(m))
			do_sign(m, e);
		break;
	case REPLICA_SEND:
		if (synced(m))
			send(m, e->u.peer, e->bytes);
		break;
	case REPLICA_DROP_PEER:
		fail(m->cluster, "node %u drops node %u", m->index, e->u.peer);
		break;
	case REPLICA_SUBMIT:
	case REPLICA_VERIFY_TX:
	case REPLICA_TX_DONE: break; /* transfers are known as verified before they come */
	case REPLICA_APPLY:
		answer.u.job = e->u.job;
		if (e->u.job->kind == APPLY_WRITE && !synced(m)) {
			apply_job_free(e->u.job);
			break;
		}
		apply_run(e->u.job);
		put_input(m, &answer);
		break;
	case REPLICA_COMMITTED: note_block(m); break;
	}
}

static struct replica_now now_of(const struct member *m)
{
	uint64_t ms = m->cluster->now_ms;
	struct replica_now now = {
		timestamp_of_ms((int64_t)SIM_START_S * 1000 + (int64_t)ms + m->clock_ms),
		ms,
	};
	return now;
}

static void do_effects(struct member *m)
{
	size_t i = 0, count = m->effects.count;
	for (; i < count && !m->stopped[0]; i++)
		do_effect(m, &m->effects.items[i]);
	for (; i < count; i++) {
		if (m->effects.items[i].kind == REPLICA_APPLY)
			apply_job_free(m->effects.items[i].u.job);
	}
	m->effects.count = 0;
}

static void pump(struct member *m)
{
	for (size_t at = 0; at < m->input_count && !m->stopped[0]; at++) {
		struct replica_input in = m->inputs[at];
		m->inputs[at].kind = REPLICA_TICK; /* taken */
		replica_step(m->replica, &in, now_of(m), &m->effects);
		do_effects(m);
	}
	if (!m->stopped[0] && disk_log_push(&m->disk) != STATUS_OK)
		stops(m, "writing the consensus log", STATUS_IO);
	if (replica_stopped(m->replica) && !m->stopped[0])
		snprintf(m->stopped, sizeof m->stopped, "%s", replica_stopped(m->replica));
	for (size_t at = 0; m->stopped[0] && at < m->input_count; at++) {
		if (m->inputs[at].kind == REPLICA_APPLIED)
			apply_job_free(m->inputs[at].u.job);
	}
	m->input_count = 0;
}

static void input(struct member *m, const struct replica_input *in)
{
	put_input(m, in);
	pump(m);
}

/* ---- life ---- */

/* Keeps a copy of what member 0 writes. */
static struct store_vtable recording;
static const struct store_vtable *recorded;
static struct cluster *recorder;

static enum status write_recorded(void *self, const struct store_batch *batch, bool sync)
{
	struct cluster *c = recorder;
	c->batches = realloc(c->batches, (c->batch_count + 1) * sizeof *c->batches);
	CHECK(c->batches);
	struct store_batch *copy = &c->batches[c->batch_count++];
	store_batch_init(copy);
	buf_append_view(&copy->ops, buf_view(&batch->ops));
	copy->count = batch->count;
	return recorded->write(self, batch, sync);
}

static enum status open_app(struct member *m)
{
	const struct genesis *genesis = &m->cluster->people.genesis;
	struct settle_config config = {
		.chain_tag = genesis->chain_tag,
		.heartbeat_ms = genesis->engine.heartbeat_ms,
		.block_bytes_max = (uint64_t)genesis->consensus.block_max_bytes,
		.log = &m->cluster->log,
	};
	return settle_open(&m->app, &m->store, &config);
}

static void config_of(struct member *m, struct replica_config *out)
{
	const struct genesis *genesis = &m->cluster->people.genesis;
	memset(out, 0, sizeof *out);
	out->start.chain_id = genesis->chain_id;
	out->start.initial_height = genesis->initial_height;
	out->start.time = genesis->time;
	genesis_validator_set(&out->start.validators, genesis);
	out->start.params = genesis->consensus;
	out->chain_tag = genesis->chain_tag;
	out->engine = genesis->engine;
	out->me = validator_key_of(&m->secret);
	out->has_peers = true;
	out->app = m->app;
	out->store = &m->store;
	out->mempool = m->mempool;
	out->timing.propose_ms = 300;
	out->timing.prevote_ms = out->timing.precommit_ms = 150;
	out->timing.growth_ms = 100;
	out->renew_fence = m->renew_fence;
	out->clock_unchecked = m->clock_unchecked;
	out->ignores_twins = m->ignores_twins;
	out->look_back_blocks = m->look_back_blocks;
	out->log = &m->cluster->log;
}

static enum status write_genesis(struct member *m, char fault[256])
{
	struct chain_head head;
	enum status status = chain_head_load(&head, &m->store, 1);
	snprintf(fault, 256, "the store's head: %s", status_text(status));
	if (status != STATUS_NOT_FOUND)
		return status;
	struct replica_config config;
	config_of(m, &config);
	struct store_batch batch;
	store_batch_init(&batch);
	struct bytes state = buf_view(&m->cluster->people.genesis.app_state);
	status = replica_genesis(&batch, &config, state);
	if (status == STATUS_OK)
		status = store_write(&m->store, &batch, true);
	store_batch_fini(&batch);
	snprintf(fault, 256, "writing the genesis state: %s", status_text(status));
	if (status != STATUS_OK)
		return status;
	m->app.vtable->close(m->app.self);
	m->app.self = NULL;
	return open_app(m);
}

static enum status open_store(struct member *m, char fault[256])
{
	char path[NODE_PATH_BYTES];
	m->store = m->memory;
	if (m->rocks) {
		CHECK(files_join(path, m->home, "data") == STATUS_OK);
		enum status status = store_rocks_open(&m->store, path, fault);
		if (status != STATUS_OK)
			return status;
	} else if (m->cluster->keeps_batches && m->index == 0) {
		recorder = m->cluster;
		recorded = m->memory.vtable;
		recording = *recorded;
		recording.write = write_recorded;
		m->store.vtable = &recording;
	}
	enum status status = open_app(m);
	snprintf(fault, 256, "the settlement state: %s", status_text(status));
	return status == STATUS_OK ? write_genesis(m, fault) : status;
}

static enum status open_replica(struct member *m, char fault[256])
{
	struct mempool_options options;
	memset(&options, 0, sizeof options);
	options.account = m->app.vtable->account;
	options.account_self = m->app.self;
	m->mempool = mempool_new(&options);
	CHECK(m->mempool);
	struct replica_config config;
	config_of(m, &config);
	enum status status = replica_new(&m->replica, &config, fault);
	if (status == STATUS_OK)
		status = disk_open(&m->disk, m->home, fault);
	struct buf log;
	buf_init(&log, 0);
	size_t good = 0;
	if (status == STATUS_OK)
		status = disk_log_read(&m->disk, &log, fault);
	if (status == STATUS_OK)
		status = replica_recover(m->replica, buf_view(&log),
			m->disk.fence_known ? &m->disk.fence : NULL, now_of(m), &m->effects, &good,
			fault);
	if (status == STATUS_OK)
		status = disk_log_cut(&m->disk, good);
	buf_fini(&log);
	return status;
}

enum status cluster_start(struct cluster *c, uint32_t index, char fault[256])
{
	struct member *m = &c->members[index];
	CHECK(!m->up);
	m->up = true;
	m->stopped[0] = fault[0] = 0;
	m->disk.log_fd = m->disk.fence_fd = -1;
	enum status status = open_store(m, fault);
	if (status == STATUS_OK)
		status = open_replica(m, fault);
	if (status != STATUS_OK) {
		cluster_stop(c, index);
		return status;
	}
	do_effects(m);
	pump(m);
	for (uint32_t i = 0; i < c->count; i++) {
		if (i == index || !c->members[i].up)
			continue;
		struct replica_input up = {.kind = REPLICA_PEER_UP};
		up.u.peer.peer = i;
		input(m, &up);
		up.u.peer.peer = index;
		input(&c->members[i], &up);
	}
	return STATUS_OK;
}

void cluster_stop(struct cluster *c, uint32_t index)
{
	struct member *m = &c->members[index];
	CHECK(m->up);
	for (size_t i = 0; i < m->effects.count; i++) {
		if (m->effects.items[i].kind == REPLICA_APPLY)
			apply_job_free(m->effects.items[i].u.job);
	}
	m->effects.count = 0;
	CHECK(m->input_count == 0);
	m->sync_wanted = false;
	disk_close(&m->disk);
	replica_free(m->replica);
	m->replica = NULL;
	if (m->mempool)
		mempool_free(m->mempool);
	m->mempool = NULL;
	if (m->app.self)
		m->app.vtable->close(m->app.self);
	m->app.self = NULL;
	if (m->rocks && m->store.self)
		store_close(&m->store);
	m->store.self = NULL;
	m->up = false;
	for (size_t i = c->mail_first; i < c->mail_count; i++) {
		if (c->mail[i].to == index || c->mail[i].from == index)
			c->mail[i].to = CLUSTER_MAX;
	}
	for (uint32_t i = 0; i < c->count; i++) {
		struct replica_input down = {.kind = REPLICA_PEER_DOWN};
		down.u.peer.peer = index;
		if (c->members[i].up)
			input(&c->members[i], &down);
	}
}

/* ---- time ---- */

static bool runs(const struct member *m)
{
	return m->up && !m->stopped[0];
}

static void deliver_all(struct cluster *c)
{
	while (c->mail_first < c->mail_count) {
		struct mail mail = c->mail[c->mail_first++];
		if (mail.to < CLUSTER_MAX && runs(&c->members[mail.to])) {
			struct replica_input in = {.kind = REPLICA_MESSAGE};
			in.u.peer.peer = mail.from;
			in.u.peer.message = mail.bytes;
			input(&c->members[mail.to], &in);
		}
		free((void *)(uintptr_t)mail.bytes.data);
	}
	c->mail_first = c->mail_count = 0;
}

static uint64_t next_ms(const struct cluster *c)
{
	uint64_t next = UINT64_MAX;
	for (uint32_t i = 0; i < c->count; i++) {
		const struct member *m = &c->members[i];
		uint64_t at = runs(m) ? replica_next_ms(m->replica, now_of(m)) : UINT64_MAX;
		next = at < next ? at : next;
	}
	return next;
}

static bool reached(const struct cluster *c, int64_t height)
{
	for (uint32_t i = 0; i < c->count; i++) {
		if (runs(&c->members[i]) && cluster_height(c, i) < height)
			return false;
	}
	return true;
}

bool cluster_reach(struct cluster *c, int64_t height, uint64_t ms)
{
	uint64_t end_ms = c->now_ms + ms;
	while (!c->fault[0]) {
		deliver_all(c);
		if (reached(c, height))
			return true;
		uint64_t next = next_ms(c);
		if (next > end_ms)
			return false;
		c->now_ms = next > c->now_ms ? next : c->now_ms + 1;
		for (uint32_t i = 0; i < c->count; i++) {
			struct member *m = &c->members[i];
			struct replica_input tick = {.kind = REPLICA_TICK};
			if (runs(m) && replica_next_ms(m->replica, now_of(m)) <= c->now_ms)
				input(m, &tick);
		}
	}
	return false;
}

void cluster_input(struct cluster *c, uint32_t index, const struct replica_input *in)
{
	input(&c->members[index], in);
	deliver_all(c);
}

int64_t cluster_height(const struct cluster *c, uint32_t index)
{
	const struct member *m = &c->members[index];
	return m->replica ? replica_head(m->replica)->height : -1;
}

/* ---- people ---- */

void cluster_transfer(struct cluster *c)
{
	const struct people *p = &c->people;
	Pb__Transfer transfer = PB__TRANSFER__INIT;
	transfer.to.data = (uint8_t *)(uintptr_t)p->addresses[BOB].b;
	transfer.to.len = sizeof p->addresses[BOB].b;
	transfer.amount = 1000 + c->next_sequence;
	Pb__Action action = PB__ACTION__INIT;
	action.act_case = PB__ACTION__ACT_TRANSFER;
	action.transfer = &transfer;
	Pb__Action *actions[] = {&action};
	Pb__TxBody body = PB__TX_BODY__INIT;
	body.sequence = c->next_sequence++;
	body.fee = TRANSFER_FEE;
	body.actions = actions;
	body.n_actions = 1;
	struct buf raw = {0};
	tx_sign(&raw, &body, &p->secrets[ALICE], &p->keys[ALICE], &p->genesis.chain_tag);
	CHECK(buf_ok(&raw));
	struct hash32 hash = sha256(buf_view(&raw));
	for (uint32_t i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];
		if (!runs(m))
			continue;
		mempool_note_verified(m->mempool, &hash);
		struct replica_input in = {.kind = REPLICA_TX};
		in.u.tx.raw = buf_view(&raw);
		in.u.tx.from_peer = true;
		input(m, &in);
	}
	buf_fini(&raw);
}
