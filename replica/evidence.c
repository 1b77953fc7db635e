#include "replica/evidence.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "chain/blocks.h"
#include "chain/format/wire.h"

enum { EVIDENCE_ARENA_BYTES_MAX = 1024 * 1024, KEY_BYTES = 80, PACKED_OVERHEAD_BYTES = 8 };

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
	return order != 0 ? order
			  : memcmp(a->parts_hash.b, b->parts_hash.b, sizeof a->parts_hash.b);
}

void evidence_note(struct evidence_pool *pool, const struct vote *a, const struct vote *b)
{
	for (size_t i = 0; i < pool->pair_count; i++) {
		const struct vote *known = &pool->pairs[i].a;
		if (known->index == a->index && known->round == a->round && known->type == a->type)
			return; /* one proof convicts */
	}
	if (pool->pair_count == EVIDENCE_PAIRS_MAX)
		return;
	bool in_order = block_id_compare(&a->block_id, &b->block_id) < 0;
	pool->pairs[pool->pair_count++] =
		in_order ? (struct evidence_pair){*a, *b} : (struct evidence_pair){*b, *a};
}

/* ---- keeping ---- */

static bool find(const struct evidence_pool *pool, const struct hash32 *hash, size_t *index)
{
	for (size_t i = 0; i < pool->item_count; i++) {
		if (hash_equal(&pool->items[i].hash, hash)) {
			*index = i;
			return true;
		}
	}
	return false;
}

void evidence_keep(struct evidence_pool *pool, const Pb__DuplicateVoteEvidence *evidence)
{
	struct hash32 hash = wire_sha256(&evidence->base);
	size_t index;
	if (pool->item_count == EVIDENCE_PENDING_MAX || find(pool, &hash, &index))
		return;
	struct evidence_item *item = &pool->items[pool->item_count];
	memset(item, 0, sizeof *item);
	item->hash = hash;
	item->height = evidence->vote_a->height;
	wire_append(&item->packed, &evidence->base);
	if (!buf_ok(&item->packed)) {
		buf_fini(&item->packed);
		return;
	}
	pool->item_count++;
}

/* head is that after the pair's block: last_validators signed it, and its time is the proof's. */
static void prove_pair(
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
	evidence_keep(pool, &evidence);
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
		struct hash32 hash =
			wire_sha256(&block->evidence->evidence[i]->duplicate_vote_evidence->base);
		if (find(pool, &hash, &index))
			item_remove(pool, index);
	}
	for (size_t i = 0; i < pool->item_count;) {
		if (head->height - pool->items[i].height >
			2 * head->params.evidence_max_age_num_blocks)
			item_remove(pool, i);
		else
			i++;
	}
	*fresh_count = 0;
	for (size_t i = 0; i < pool->pair_count; i++) {
		size_t before = pool->item_count;
		CHECK(pool->pairs[i].a.index < head->last_validators.count);
		prove_pair(pool, &pool->pairs[i], head);
		if (pool->item_count > before)
			fresh[(*fresh_count)++] = before;
	}
	pool->pair_count = 0;
}

/* ---- judging ---- */

static void row_key(char out[KEY_BYTES], const struct hash32 *hash)
{
	char digits[2 * sizeof hash->b + 1];
	hex_lower(digits, hash->b, sizeof hash->b);
	snprintf(out, KEY_BYTES, "/evidence/%s", digits);
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
		return "evidence: signature";
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

enum status evidence_check(const char **fault, const Pb__DuplicateVoteEvidence *evidence,
	struct store *store, const struct chain_head *head, const char *chain_id)
{
	struct vote a, b;
	struct validator_set set;
	struct timestamp time, said;
	char key[KEY_BYTES];
	*fault = pair_fault(&a, &b, evidence);
	if (!*fault && (a.height > head->height || a.height < head->base_height))
		*fault = "evidence: a height that isn't kept here";
	if (*fault)
		return STATUS_OK;
	struct arena arena;
	arena_init(&arena, EVIDENCE_ARENA_BYTES_MAX);
	enum status status = look_up(&time, &set, store, &arena, a.height);
	arena_fini(&arena);
	if (status != STATUS_OK)
		return status;
	*fault = signer_fault(&a, &b, &set, evidence, chain_id);
	if (!*fault && (!timestamp_from_pb(&said, evidence->timestamp) ||
			       timestamp_compare(said, time) != 0))
		*fault = "evidence: time";
	if (!*fault && expired(a.height, time, head))
		*fault = "evidence: too old";
	if (*fault)
		return STATUS_OK;
	struct hash32 hash = wire_sha256(&evidence->base);
	struct buf row;
	buf_init(&row, 0);
	row_key(key, &hash);
	status = blocks_record(store, NULL, key, &row);
	buf_fini(&row);
	if (status == STATUS_OK)
		*fault = "evidence: in a block already";
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status evidence_check_list(const char **fault, const Pb__EvidenceList *list,
	struct store *store, const struct chain_head *head, const char *chain_id)
{
	*fault = NULL;
	for (size_t i = 0; i < list->n_evidence && !*fault; i++) {
		const Pb__DuplicateVoteEvidence *evidence =
			list->evidence[i]->duplicate_vote_evidence;
		struct hash32 hash = wire_sha256(&evidence->base);
		for (size_t k = 0; k < i && !*fault; k++) {
			struct hash32 other =
				wire_sha256(&list->evidence[k]->duplicate_vote_evidence->base);
			if (hash_equal(&hash, &other))
				*fault = "evidence: twice in one block";
		}
		if (*fault)
			break;
		enum status status = evidence_check(fault, evidence, store, head, chain_id);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* ---- into a block ---- */

Pb__EvidenceList *evidence_for_block(
	const struct evidence_pool *pool, struct arena *arena, int64_t bytes_max)
{
	Pb__EvidenceList *list = arena_alloc(arena, sizeof *list);
	Pb__Evidence **entries = arena_alloc(arena, EVIDENCE_PENDING_MAX * sizeof *entries);
	if (!list || !entries)
		return NULL;
	pb__evidence_list__init(list);
	list->evidence = entries;
	int64_t bytes = 0;
	for (size_t i = 0; i < pool->item_count; i++) {
		const struct buf *packed = &pool->items[i].packed;
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
		struct hash32 hash =
			wire_sha256(&block->evidence->evidence[i]->duplicate_vote_evidence->base);
		row_key(key, &hash);
		blocks_put_record(batch, key, bytes_view("", 0));
	}
}
