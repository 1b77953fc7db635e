#include "tests/sim/checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "chain/blocks.h"
#include "chain/format/commit.h"
#include "chain/proto/peer.pb-c.h"
#include "chain/settle/state.h"
#include "replica/candidate.h"

enum { READ_ARENA_BYTES_MAX = 16 * 1024 * 1024, LOOK_BACK = 20 };

__attribute__((format(printf, 2, 3))) static void breach(struct checks *c, const char *format, ...)
{
	if (c->fault[0])
		return;
	va_list args;
	va_start(args, format);
	vsnprintf(c->fault, sizeof c->fault, format, args);
	va_end(args);
}

static void *grown(void *list, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return list;
	*cap = *cap ? *cap * 2 : 64;
	list = realloc(list, *cap * size);
	CHECK(list);
	return list;
}

void checks_init(struct checks *c, const struct people *people)
{
	memset(c, 0, sizeof *c);
	c->people = people;
	genesis_validator_set(&c->validators, &people->genesis);
	c->heights = calloc(CHECKS_HEIGHTS_MAX, sizeof *c->heights);
	c->jobs = calloc(CHECKS_JOBS_MAX, sizeof *c->jobs);
	CHECK(c->heights && c->jobs);
}

void checks_fini(struct checks *c)
{
	for (size_t i = 0; i < VALIDATORS_MAX; i++)
		free(c->signatures[i]);
	for (size_t i = 0; i < CHECKS_HEIGHTS_MAX; i++)
		free(c->heights[i].heard);
	free(c->heights);
	free(c->jobs);
	free(c->txs);
	accuse_fini(&c->accuse);
}

/* ---- signatures ---- */

void checks_signed(struct checks *c, uint32_t who, const struct fence_record *record)
{
	if (c->faulty[who])
		return;
	for (size_t i = c->signature_count[who]; i > 0; i--) {
		const struct signed_once *s = &c->signatures[who][i - 1];
		if (s->height != record->height || s->round != record->round ||
			s->step != record->step)
			continue;
		if (!hash_equal(&s->sign_bytes, &record->sign_bytes))
			breach(c, "validator %u signed twice: height %lld round %d step %d", who,
				(long long)record->height, record->round, record->step);
		return;
	}
	c->signatures[who] = grown(c->signatures[who], c->signature_count[who],
		&c->signature_cap[who], sizeof *c->signatures[who]);
	c->signatures[who][c->signature_count[who]++] = (struct signed_once){
		record->height, record->round, record->step, record->sign_bytes};
}

/* ---- what was overheard ---- */

static struct height_seen *height_at(struct checks *c, int64_t height)
{
	if (height > 0 && height < CHECKS_HEIGHTS_MAX)
		return &c->heights[height];
	breach(c, "height %lld is out of reach", (long long)height);
	return NULL;
}

static struct heard *heard_of(struct height_seen *h, int32_t round, const struct block_id *block)
{
	for (size_t i = 0; i < h->heard_count; i++) {
		if (h->heard[i].round == round && block_id_equal(&h->heard[i].block, block))
			return &h->heard[i];
	}
	h->heard = realloc(h->heard, (h->heard_count + 1) * sizeof *h->heard);
	CHECK(h->heard);
	struct heard *heard = &h->heard[h->heard_count++];
	memset(heard, 0, sizeof *heard);
	heard->round = round;
	heard->block = *block;
	return heard;
}

static void agree(struct checks *c, const struct height_seen *h, int64_t height)
{
	if (h->decided && h->committed && !block_id_equal(&h->block, &h->decided_block))
		breach(c, "height %lld: more than 2/3 decided one block and another is committed",
			(long long)height);
}

static void overhear_precommit(struct checks *c, const struct vote *vote)
{
	struct height_seen *h = height_at(c, vote->height);
	if (!h || vote->index >= c->validators.count || block_id_is_nil(&vote->block_id))
		return;
	if (!vote_verify(vote, c->people->genesis.chain_id, &c->validators.v[vote->index].key)) {
		breach(c, "height %lld: a vote left with a bad signature", (long long)vote->height);
		return;
	}
	struct heard *heard = heard_of(h, vote->round, &vote->block_id);
	heard->from[vote->index] = true;
	int64_t power = 0;
	for (uint32_t i = 0; i < c->validators.count; i++)
		power += heard->from[i] ? c->validators.v[i].power : 0;
	if (!validator_power_decides(power, c->validators.total_power))
		return;
	if (h->decided && !block_id_equal(&h->decided_block, &vote->block_id))
		breach(c, "height %lld: two blocks are decided", (long long)vote->height);
	h->decided = true;
	h->decided_block = vote->block_id;
	agree(c, h, vote->height);
}

void checks_heard(struct checks *c, const struct vote *vote)
{
	if (vote->type == VOTE_PRECOMMIT && !c->forks)
		overhear_precommit(c, vote);
}

void checks_reached(struct checks *c, struct bytes message)
{
	if (c->forks)
		accuse_message(&c->accuse, message, &c->validators, c->people->genesis.chain_id);
}

void checks_judge(struct checks *c)
{
	bool guilty[VALIDATORS_MAX];
	int64_t power = 0;
	accuse_name(guilty, &c->accuse, &c->validators, c->forked);
	for (uint32_t i = 0; i < c->validators.count; i++) {
		if (guilty[i] && !c->faulty[i])
			breach(c, "height %lld: validator %u is blamed for a fork and is honest",
				(long long)c->forked, i);
		c->accused += guilty[i];
		power += guilty[i] ? c->validators.v[i].power : 0;
	}
	if (power * 3 <= c->validators.total_power)
		breach(c, "height %lld: a fork, and votes name only %zu of the guilty",
			(long long)c->forked, c->accused);
}

void checks_sent(struct checks *c, struct bytes message)
{
	checks_reached(c, message);
	Pb__PeerMessage *m = pb__peer_message__unpack(NULL, message.len, message.data);
	if (!m) {
		breach(c, "a message left that doesn't parse");
		return;
	}
	struct vote vote;
	if (m->sum_case == PB__PEER_MESSAGE__SUM_VOTE) {
		if (!vote_from_pb(&vote, m->vote))
			breach(c, "a vote left that is none");
		else
			checks_heard(c, &vote);
	}
	pb__peer_message__free_unpacked(m, NULL);
}

/* ---- money and jobs ---- */

struct books {
	uint64_t balances;
	uint64_t escrow;
	uint64_t supply;
	uint64_t supply_escrow; /* as ChainState says */
	uint64_t miner;
	uint64_t paid; /* to the miner, by the ended jobs' records */
};

static struct job_seen *job_of(struct checks *c, struct bytes key)
{
	for (size_t i = 0; i < c->job_count; i++) {
		if (bytes_equal(bytes_view(c->jobs[i].key.b, c->jobs[i].key.len), key))
			return &c->jobs[i];
	}
	CHECK(c->job_count < CHECKS_JOBS_MAX && key.len <= JOB_KEY_BYTES_MAX);
	struct job_seen *job = &c->jobs[c->job_count++];
	memset(job, 0, sizeof *job);
	memcpy(job->key.b, key.data, key.len);
	job->key.len = key.len;
	return job;
}

static void look_at_job(struct checks *c, struct books *books, struct bytes key, struct bytes value)
{
	Pb__Job *record = pb__job__unpack(NULL, value.len, value.data);
	if (!record) {
		breach(c, "a job record doesn't parse");
		return;
	}
	struct job_seen *job = job_of(c, key);
	bool alive = record->state < PB__JOB_STATE__SETTLED;
	struct hash32 hash = sha256(value);
	if (job->ended && (alive || !hash_equal(&job->record, &hash)))
		breach(c, "a job came back after its end");
	if (alive)
		job->reward = record->reward;
	if (!alive && !job->ended) {
		uint64_t out = record->to_miner + record->to_coordinator + record->to_client;
		if (job->reward > 0 && out != job->reward)
			breach(c, "a job of %llu paid out %llu", (unsigned long long)job->reward,
				(unsigned long long)out);
		job->ended = true;
		job->record = hash;
		job->to_miner = record->to_miner;
		c->jobs_ended++;
		c->jobs_paid += record->to_miner > 0;
	}
	books->paid += job->to_miner;
	pb__job__free_unpacked(record, NULL);
}

static void look_at_row(struct checks *c, struct books *books, struct bytes key, struct bytes value)
{
	struct account account;
	switch (key.data[0]) {
	case 'a':
		if (!account_unpack(&account, value)) {
			breach(c, "an account record doesn't parse");
			return;
		}
		books->balances += account.balance;
		if (memcmp(key.data + 1, c->people->addresses[MINER].b, 20) == 0)
			books->miner = account.balance;
		break;
	case 'e': {
		Pb__Escrow *escrow = pb__escrow__unpack(NULL, value.len, value.data);
		books->escrow += escrow ? escrow->amount : 0;
		pb__escrow__free_unpacked(escrow, NULL);
		break;
	}
	case 'j': look_at_job(c, books, bytes_view(key.data + 1, key.len - 1), value); break;
	case 'z': {
		Pb__ChainState *chain = pb__chain_state__unpack(NULL, value.len, value.data);
		books->supply = chain ? chain->supply : 0;
		books->supply_escrow = chain ? chain->escrow : 0;
		pb__chain_state__free_unpacked(chain, NULL);
		break;
	}
	default: break;
	}
}

static void audit(struct checks *c, struct store *store, int64_t height)
{
	struct books books;
	memset(&books, 0, sizeof books);
	struct bytes all = bytes_view(NULL, 0), key, value;
	struct store_iterator *it = store_iterate(store, NULL, STORE_STATE, all, all, false);
	CHECK(it);
	while (store_next(store, it, &key, &value) == STATUS_OK)
		look_at_row(c, &books, key, value);
	store_iterator_free(store, it);
	if (books.supply != c->people->genesis.supply ||
		books.balances + books.escrow != books.supply)
		breach(c, "height %lld: %llu on accounts and %llu in escrow are not %llu",
			(long long)height, (unsigned long long)books.balances,
			(unsigned long long)books.escrow,
			(unsigned long long)c->people->genesis.supply);
	if (books.supply_escrow != books.escrow)
		breach(c, "height %lld: the chain's own sum of escrow is wrong", (long long)height);
	if (books.miner != books.paid)
		breach(c, "height %lld: the miner owns %llu and its jobs paid %llu",
			(long long)height, (unsigned long long)books.miner,
			(unsigned long long)books.paid);
}

/* ---- blocks ---- */

/* Counted here, by nobody's code but its own: whose signature over this very block is good, and
 * is that more than two thirds? */
static void count_commit(
	struct checks *c, const struct height_seen *h, int64_t height, const Pb__Commit *commit)
{
	int64_t power = 0;
	if (commit->height != height || commit->n_signatures != c->validators.count) {
		breach(c, "height %lld: a commit of another height or set", (long long)height);
		return;
	}
	for (uint32_t i = 0; i < c->validators.count; i++) {
		const Pb__CommitSig *sig = commit->signatures[i];
		const struct validator *v = &c->validators.v[i];
		struct vote vote = {.type = VOTE_PRECOMMIT, .height = height, .index = i};
		if (sig->block_id_flag != COMMIT_FLAG_ABSENT &&
			(sig->validator_address.len != sizeof v->address.b ||
				memcmp(sig->validator_address.data, v->address.b,
					sizeof v->address.b) != 0))
			breach(c, "height %lld: its commit names somebody else", (long long)height);
		if (sig->block_id_flag != COMMIT_FLAG_COMMIT)
			continue;
		vote.round = commit->round;
		vote.block_id = h->block;
		vote.time.seconds = sig->timestamp->seconds;
		vote.time.nanos = sig->timestamp->nanos;
		bool good = sig->signature.len == sizeof vote.signature.b;
		if (good)
			memcpy(vote.signature.b, sig->signature.data, sizeof vote.signature.b);
		if (!good || !vote_verify(&vote, c->people->genesis.chain_id, &v->key))
			breach(c, "height %lld: a bad signature in its commit", (long long)height);
		else
			power += v->power;
	}
	if (power * 3 <= c->validators.total_power * 2)
		breach(c, "height %lld: committed by %lld of %lld", (long long)height,
			(long long)power, (long long)c->validators.total_power);
}

static void look_at_commit(struct checks *c, struct store *store, struct arena *arena,
	const struct height_seen *h, int64_t height)
{
	const Pb__Commit *commit;
	bool canonical;
	enum status status = blocks_commit(store, NULL, arena, height, &commit, &canonical);
	if (status != STATUS_OK) {
		breach(c, "height %lld: no commit: %s", (long long)height, status_text(status));
		return;
	}
	count_commit(c, h, height, commit);
}

/* The block at this height, freed by the caller; NULL: it is gone or another, which is noted. */
static struct candidate *look_at_block(
	struct checks *c, struct store *store, const struct height_seen *h, int64_t height)
{
	struct buf raw;
	buf_init(&raw, 0);
	struct candidate *block = NULL;
	const char *fault = "";
	enum status status = blocks_raw(store, NULL, height, &raw);
	if (status == STATUS_OK)
		status = candidate_of_bytes(&block, buf_view(&raw), &fault);
	if (status != STATUS_OK || !block || !block_id_equal(&block->id, &h->block)) {
		breach(c, "height %lld: its block is gone or another", (long long)height);
		candidate_free(block);
		block = NULL;
	}
	buf_fini(&raw);
	return block;
}

/* One crime is told once: whoever is convicted of a height isn't convicted of it again. */
static void convict(struct checks *c, uint32_t who, int64_t height)
{
	for (size_t i = 0; i < c->convictions && i < CHECKS_CONVICTS_MAX; i++) {
		if (c->convicts[i].who == who && c->convicts[i].height == height)
			breach(c, "validator %u is convicted twice for height %lld", who,
				(long long)height);
	}
	if (c->convictions < CHECKS_CONVICTS_MAX)
		c->convicts[c->convictions] = (struct convicted){who, height};
	c->convictions++;
}

/* Nobody honest is ever convicted. */
static void look_at_evidence(struct checks *c, const struct candidate *block)
{
	const Pb__EvidenceList *list = block->block->evidence;
	for (size_t i = 0; i < list->n_evidence; i++) {
		const Pb__DuplicateVoteEvidence *proof = list->evidence[i]->duplicate_vote_evidence;
		uint32_t who = (uint32_t)proof->vote_a->validator_index;
		if (who >= c->validators.count || !c->faulty[who])
			breach(c, "a block convicts validator %d, which is honest",
				proof->vote_a->validator_index);
		convict(c, who, proof->vote_a->height);
	}
}

/* A block names what it stands on; who made it may have lied. */
static void look_at_header(struct checks *c, const struct candidate *block, int64_t height)
{
	const Pb__Header *header = block->block->header;
	const struct height_seen *last = &c->heights[height - 1];
	struct block_id id;
	if (header->height != height)
		breach(c, "height %lld: its block says %lld", (long long)height,
			(long long)header->height);
	if (height - 1 < c->people->genesis.initial_height || !last->committed)
		return;
	if (!block_id_from_pb(&id, header->last_block_id) || !block_id_equal(&id, &last->block))
		breach(c, "height %lld: its block follows another", (long long)height);
	if (header->app_hash.len != sizeof last->app_hash.b ||
		memcmp(header->app_hash.data, last->app_hash.b, sizeof last->app_hash.b) != 0)
		breach(c, "height %lld: its block names another app_hash", (long long)height);
	if (timestamp_compare(block->time, last->time) <= 0)
		breach(c, "height %lld: its block's time is not later", (long long)height);
}

/* The first node that has this height sets what the others must agree with. */
static void first_at(struct checks *c, struct store *store, const struct chain_head *head)
{
	struct height_seen *h = &c->heights[head->height];
	if (head->height != c->top + 1)
		breach(c, "height %lld comes after %lld", (long long)head->height,
			(long long)c->top);
	h->committed = true;
	h->block = head->block_id;
	h->app_hash = head->app_hash;
	c->top = head->height;
	struct candidate *block = look_at_block(c, store, h, head->height);
	for (size_t i = 0; block && i < block->tx_count; i++) {
		c->txs = grown(c->txs, c->tx_count, &c->tx_cap, sizeof *c->txs);
		c->txs[c->tx_count++] =
			(struct tx_seen){block->tx_hashes[i], head->height, (uint32_t)i};
	}
	if (block) {
		h->time = block->time;
		look_at_header(c, block, head->height);
		look_at_evidence(c, block);
	}
	candidate_free(block);
	audit(c, store, head->height);
	agree(c, h, head->height);
}

/* The store's head, held against all others'. False: there is none, or it is out of reach. */
static bool look_at_head(
	struct checks *c, struct chain_head *head, uint32_t node, struct store *store)
{
	if (chain_head_load(head, store, 1) != STATUS_OK) {
		breach(c, "node %u has no head", node);
		return false;
	}
	if (head->height == 0)
		return true;
	struct height_seen *h = height_at(c, head->height);
	if (!h)
		return false;
	struct arena arena;
	arena_init(&arena, READ_ARENA_BYTES_MAX);
	if (!h->committed)
		first_at(c, store, head);
	else if (c->forks && !block_id_equal(&h->block, &head->block_id))
		c->forked = head->height;
	else if (!block_id_equal(&h->block, &head->block_id))
		breach(c, "height %lld: node %u committed another block", (long long)head->height,
			node);
	else if (!hash_equal(&h->app_hash, &head->app_hash))
		breach(c, "height %lld: node %u has another app_hash", (long long)head->height,
			node);
	if (c->forked == 0)
		look_at_commit(c, store, &arena, h, head->height);
	arena_fini(&arena);
	return true;
}

void checks_committed(struct checks *c, uint32_t node, struct store *store,
	const struct hash32 *tx_hashes, size_t tx_count, int64_t height)
{
	struct chain_head head;
	if (!look_at_head(c, &head, node, store) || c->forked > 0)
		return;
	if (head.height != height)
		breach(c, "node %u says height %lld and its store doesn't", node,
			(long long)height);
	struct candidate *block = look_at_block(c, store, &c->heights[head.height], head.height);
	bool same = block && block->tx_count == tx_count &&
		    memcmp(block->tx_hashes, tx_hashes, tx_count * sizeof *tx_hashes) == 0;
	if (!same)
		breach(c, "node %u says other transactions than its block holds", node);
	candidate_free(block);
}

void checks_store(struct checks *c, uint32_t node, struct store *store, int64_t told, bool all)
{
	struct chain_head head;
	/* Its head may be a block that became durable and was never told of. */
	if (!look_at_head(c, &head, node, store))
		return;
	if (head.height < told)
		breach(c, "node %u said that height %lld was committed and lost it", node,
			(long long)told);
	struct arena arena;
	arena_init(&arena, READ_ARENA_BYTES_MAX);
	int64_t top = head.height < c->top ? head.height : c->top;
	int64_t from = all || top <= LOOK_BACK ? 1 : top - LOOK_BACK;
	for (int64_t height = from; height <= top && !c->fault[0]; height++) {
		candidate_free(look_at_block(c, store, &c->heights[height], height));
		look_at_commit(c, store, &arena, &c->heights[height], height);
		arena_reset(&arena);
	}
	arena_fini(&arena);
	for (size_t i = c->tx_count; i > 0 && c->txs[i - 1].height >= from; i--) {
		const struct tx_seen *tx = &c->txs[i - 1];
		struct tx_place place;
		if (tx->height > top)
			continue;
		if (blocks_tx_place(store, NULL, &tx->hash, &place) != STATUS_OK ||
			place.height != tx->height || place.index != tx->index)
			breach(c, "node %u lost a transaction of height %lld", node,
				(long long)tx->height);
	}
}
