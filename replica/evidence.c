#include "replica/evidence.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "chain/blocks.h"
#include "chain/format/wire.h"

enum { EVIDENCE_ARENA_BYTES_MAX = 1024 * 1024, KEY_BYTES = 80, PACKED_OVERHEAD_BYTES = 8 };

const char evidence_forged[] = "evidence: signature";

static void item_remove(struct evidence_pool *pool, size_t index)
{
	buf_fini(&pool->items[index].packed);
	pool->items[index] = pool->items[--pool->item_count];
}

void evidence_fini(struct evidence_pool *pool)
{
	while (pool->item_count > 0)
		item_remove(pool, 0);
}

static int block_id_compare(const struct block_id *a, const struct block_id *b)
{
	int order = memcmp(a->hash.b, b->hash.b, sizeof a->hash.b);
	if (order == 0)
		order = memcmp(a->parts_hash.b, b->parts_hash.b, sizeof a->parts_hash.b);
	/* Ids that differ in nothing else are two choices all the same. */
	if (order == 0)
		order = (a->parts_total > b->parts_total) - (a->parts_total < b->parts_total);
	return order;
}

static struct evidence_pair pair_of(const struct vote *a, const struct vote *b)
{
	bool in_order = block_id_compare(&a->block_id, &b->block_id) < 0;
	return in_order ? (struct evidence_pair){*a, *b} : (struct evidence_pair){*b, *a};
}

void evidence_note(struct evidence_pool *pool, const struct vote *a, const struct vote *b)
{
	for (size_t i = 0; i < pool->pair_count; i++) {
		if (pool->pairs[i].a.index == a->index)
			return; /* one proof convicts */
	}
	CHECK(a->index < EVIDENCE_PAIRS_MAX);
	CHECK(pool->pair_count < EVIDENCE_PAIRS_MAX);
	pool->pairs[pool->pair_count++] = pair_of(a, b);
}

/* ---- keeping ---- */

static bool is_address(const struct validator_address *address, ProtobufCBinaryData bytes)
{
	return bytes_equal(bytes_view(address->b, sizeof address->b), wire_view(bytes));
}

static bool find(const struct evidence_pool *pool, const Pb__Vote *vote, size_t *index)
{
	for (size_t i = 0; i < pool->item_count; i++) {
		const struct evidence_item *item = &pool->items[i];
		if (item->height == vote->height &&
			is_address(&item->address, vote->validator_address)) {
			*index = i;
			return true;
		}
	}
	return false;
}

static size_t count_of(const struct evidence_pool *pool, const Pb__Vote *vote)
{
	size_t count = 0;
	for (size_t i = 0; i < pool->item_count; i++)
		count += is_address(&pool->items[i].address, vote->validator_address);
	return count;
}

bool evidence_wanted(const struct evidence_pool *pool, const Pb__DuplicateVoteEvidence *evidence)
{
	size_t index;
	return pool->item_count < EVIDENCE_PENDING_MAX && !find(pool, evidence->vote_a, &index) &&
	       count_of(pool, evidence->vote_a) < EVIDENCE_VALIDATOR_MAX;
}

bool evidence_keep(struct evidence_pool *pool, const Pb__DuplicateVoteEvidence *evidence)
{
	const Pb__Vote *vote = evidence->vote_a;
	if (!evidence_wanted(pool, evidence))
		return false;
	struct evidence_item *item = &pool->items[pool->item_count];
	memset(item, 0, sizeof *item);
	item->height = vote->height;
	CHECK(vote->validator_address.len == sizeof item->address.b);
	memcpy(item->address.b, vote->validator_address.data, sizeof item->address.b);
	CHECK(timestamp_from_pb(&item->time, evidence->timestamp));
	wire_append(&item->packed, &evidence->base);
	if (!buf_ok(&item->packed)) {
		buf_fini(&item->packed);
		return false;
	}
	pool->item_count++;
	return true;
}

/* head is that after the pair's block: last_validators signed it, and its time is the proof's. */
static bool prove_pair(
	struct evidence_pool *pool, const struct evidence_pair *pair, const struct chain_head *head)
{
	struct vote_message a, b;
	vote_message_init(&a, &pair->a);
	vote_message_init(&b, &pair->b);
	Pb__Timestamp time;
	timestamp_message_init(&time, head->time);
	Pb__DuplicateVoteEvidence evidence;
	pb__duplicate_vote_evidence__init(&evidence);
	evidence.vote_a = &a.pb;
	evidence.vote_b = &b.pb;
	evidence.total_voting_power = head->last_validators.total_power;
	evidence.validator_power = head->last_validators.v[pair->a.index].power;
	evidence.timestamp = &time;
	return evidence_keep(pool, &evidence);
}

bool evidence_note_late(struct evidence_pool *pool, const struct vote *a, const struct vote *b,
	const struct chain_head *head)
{
	if (a->height != head->height || a->index >= head->last_validators.count)
		return false;
	struct evidence_pair pair = pair_of(a, b);
	return prove_pair(pool, &pair, head);
}

/* CometBFT's rule: only what is too old by both measures has expired. */
static bool expired(int64_t height, struct timestamp time, const struct chain_head *head)
{
	int64_t age_ms = timestamp_ms(head->time) - timestamp_ms(time);
	return head->height - height > head->params.evidence_max_age_num_blocks &&
	       age_ms > head->params.evidence_max_age_ns / 1000000;
}

void evidence_committed(struct evidence_pool *pool, const struct chain_head *head,
	const Pb__Block *block, size_t fresh[EVIDENCE_PAIRS_MAX], size_t *fresh_count)
{
	size_t index;
	for (size_t i = 0; i < block->evidence->n_evidence; i++) {
		if (find(pool, block->evidence->evidence[i]->duplicate_vote_evidence->vote_a,
			    &index))
			item_remove(pool, index);
	}
	for (size_t i = 0; i < pool->item_count;) {
		if (expired(pool->items[i].height, pool->items[i].time, head))
			item_remove(pool, i);
		else
			i++;
	}
	*fresh_count = 0;
	for (size_t i = 0; i < pool->pair_count; i++) {
		CHECK(pool->pairs[i].a.index < head->last_validators.count);
		if (prove_pair(pool, &pool->pairs[i], head))
			fresh[(*fresh_count)++] = pool->item_count - 1;
	}
	pool->pair_count = 0;
}

/* ---- judging ---- */

static void row_key(char out[KEY_BYTES], int64_t height, const struct validator_address *address)
{
	char digits[2 * sizeof address->b + 1];
	hex_lower(digits, address->b, sizeof address->b);
	snprintf(out, KEY_BYTES, "/evidence/%lld/%s", (long long)height, digits);
}

/* Has a block convicted this validator for this height? */
static enum status is_convicted(bool *convicted, struct store *store, const struct vote *vote)
{
	char key[KEY_BYTES];
	struct buf row;
	buf_init(&row, 0);
	row_key(key, vote->height, &vote->address);
	enum status status = blocks_record(store, NULL, key, &row);
	buf_fini(&row);
	*convicted = status == STATUS_OK;
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static const char *pair_fault(
	struct vote *a, struct vote *b, const Pb__DuplicateVoteEvidence *evidence)
{
	if (!vote_from_pb(a, evidence->vote_a) || !vote_from_pb(b, evidence->vote_b))
		return "evidence: form of a vote";
	if (a->height != b->height || a->round != b->round || a->type != b->type ||
		a->index != b->index ||
		memcmp(a->address.b, b->address.b, sizeof a->address.b) != 0)
		return "evidence: votes that don't contradict each other";
	if (block_id_compare(&a->block_id, &b->block_id) >= 0)
		return "evidence: votes out of order";
	return NULL;
}

static const char *signer_fault(const struct vote *a, const struct vote *b,
	const struct validator_set *set, const Pb__DuplicateVoteEvidence *evidence,
	const char *chain_id)
{
	if (a->index >= set->count ||
		memcmp(set->v[a->index].address.b, a->address.b, sizeof a->address.b) != 0)
		return "evidence: not a validator of that height";
	const struct validator *v = &set->v[a->index];
	if (evidence->total_voting_power != set->total_power ||
		evidence->validator_power != v->power)
		return "evidence: powers";
	if (!vote_verify(a, chain_id, &v->key) || !vote_verify(b, chain_id, &v->key))
		return evidence_forged;
	return NULL;
}

/* What the chain says of the height: its time and its validators. */
static enum status look_up(struct timestamp *time, struct validator_set *set, struct store *store,
	struct arena *arena, int64_t height)
{
	const Pb__BlockMeta *meta;
	const Pb__ValidatorSet *set_pb;
	enum status status = blocks_meta(store, NULL, arena, height, &meta);
	if (status == STATUS_OK)
		status = blocks_validators(store, NULL, arena, height, &set_pb);
	if (status == STATUS_OK && (!timestamp_from_pb(time, meta->header->time) ||
					   !validator_set_from_pb(set, set_pb)))
		status = STATUS_CORRUPT;
	return status;
}

/* What needs no look at the chain, and whether it has convicted already: cheapest first. */
static enum status claim_fault(const char **fault, struct vote *a, struct vote *b,
	const Pb__DuplicateVoteEvidence *evidence, struct store *store,
	const struct chain_head *head)
{
	bool convicted = false;
	enum status status = STATUS_OK;
	*fault = pair_fault(a, b, evidence);
	if (!*fault && (a->height > head->height || a->height < head->initial_height))
		*fault = "evidence: a height that isn't decided";
	if (!*fault)
		status = is_convicted(&convicted, store, a);
	if (convicted)
		*fault = "evidence: in a block already";
	return status;
}

static enum status chain_fault(const char **fault, const struct vote *a, const struct vote *b,
	const Pb__DuplicateVoteEvidence *evidence, struct store *store,
	const struct chain_head *head, const char *chain_id)
{
	struct validator_set set;
	struct timestamp time, said;
	struct arena arena;
	arena_init(&arena, EVIDENCE_ARENA_BYTES_MAX);
	enum status status = look_up(&time, &set, store, &arena, a->height);
	arena_fini(&arena);
	if (status != STATUS_OK)
		return status;
	if (!timestamp_from_pb(&said, evidence->timestamp) || timestamp_compare(said, time) != 0)
		*fault = "evidence: time";
	else if (expired(a->height, time, head))
		*fault = "evidence: too old";
	else
		*fault = signer_fault(a, b, &set, evidence, chain_id);
	return STATUS_OK;
}

enum status evidence_check(const char **fault, const Pb__DuplicateVoteEvidence *evidence,
	struct store *store, const struct chain_head *head, const char *chain_id)
{
	struct vote a, b;
	enum status status = claim_fault(fault, &a, &b, evidence, store, head);
	if (status != STATUS_OK || *fault)
		return status;
	if (a.height < head->base_height) {
		*fault = "evidence: a height that isn't kept here";
		return STATUS_OK;
	}
	return chain_fault(fault, &a, &b, evidence, store, head, chain_id);
}

enum status evidence_check_list(const char **fault, const Pb__EvidenceList *list,
	struct store *store, const struct chain_head *head, const char *chain_id)
{
	struct vote a, b;
	*fault = NULL;
	for (size_t i = 0; i < list->n_evidence && !*fault; i++) {
		const Pb__DuplicateVoteEvidence *evidence =
			list->evidence[i]->duplicate_vote_evidence;
		enum status status = claim_fault(fault, &a, &b, evidence, store, head);
		for (size_t k = 0; k < i && !*fault; k++) {
			const Pb__Vote *other = list->evidence[k]->duplicate_vote_evidence->vote_a;
			if (other->height == a.height &&
				is_address(&a.address, other->validator_address))
				*fault = "evidence: one crime twice in a block";
		}
		if (status == STATUS_OK && !*fault && a.height >= head->base_height)
			status = chain_fault(fault, &a, &b, evidence, store, head, chain_id);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* ---- into a block ---- */

Pb__EvidenceList *evidence_for_block(const struct evidence_pool *pool, struct arena *arena,
	const struct chain_head *head, int64_t bytes_max)
{
	Pb__EvidenceList *list = arena_alloc(arena, sizeof *list);
	Pb__Evidence **entries = arena_alloc(arena, EVIDENCE_PENDING_MAX * sizeof *entries);
	if (!list || !entries)
		return NULL;
	pb__evidence_list__init(list);
	list->evidence = entries;
	int64_t bytes = 0;
	for (size_t i = 0; i < pool->item_count; i++) {
		const struct evidence_item *item = &pool->items[i];
		const struct buf *packed = &item->packed;
		if (expired(item->height, item->time, head))
			continue;
		bytes += (int64_t)packed->len + PACKED_OVERHEAD_BYTES;
		if (bytes > bytes_max)
			break;
		Pb__Evidence *entry = arena_alloc(arena, sizeof *entry);
		Pb__DuplicateVoteEvidence *evidence = pb__duplicate_vote_evidence__unpack(
			arena_protobuf(arena), packed->len, packed->data);
		if (!entry || !evidence)
			return NULL;
		pb__evidence__init(entry);
		entry->sum_case = PB__EVIDENCE__SUM_DUPLICATE_VOTE_EVIDENCE;
		entry->duplicate_vote_evidence = evidence;
		entries[list->n_evidence++] = entry;
	}
	return list;
}

void evidence_put(struct store_batch *batch, const Pb__Block *block)
{
	for (size_t i = 0; i < block->evidence->n_evidence; i++) {
		char key[KEY_BYTES];
		struct vote vote;
		/* A decided block's: its form was checked. */
		CHECK(vote_from_pb(
			&vote, block->evidence->evidence[i]->duplicate_vote_evidence->vote_a));
		row_key(key, vote.height, &vote.address);
		blocks_put_record(batch, key, bytes_view("", 0));
	}
}
