#include "replica/candidate.h"

#include <stdlib.h>
#include <string.h>

#include "chain/format/commit.h"
#include "chain/format/wire.h"

/* [comet 3.3] header <= 626 bytes, block overhead 11, commit 94 + 111 a validator. */
enum { HEADER_BYTES = 626, OVERHEAD_BYTES = 11 + 32, COMMIT_BYTES = 94, COMMIT_SIG_BYTES = 111 };
/* Decoded messages take more room than their bytes; a block of empty transactions is the worst. */
enum { CANDIDATE_ARENA_BYTES_MAX = 64 * 1024 * 1024 };

void candidate_free(struct candidate *c)
{
	if (!c)
		return;
	free(c->txs);
	free(c->tx_hashes);
	arena_fini(&c->arena);
	part_set_fini(&c->parts);
	free(c);
}

static enum status list_txs(struct candidate *c)
{
	const Pb__Data *data = c->block->data;
	c->tx_count = data->n_txs;
	c->txs = calloc(c->tx_count + 1, sizeof *c->txs);
	c->tx_hashes = calloc(c->tx_count + 1, sizeof *c->tx_hashes);
	if (!c->txs || !c->tx_hashes)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < c->tx_count; i++) {
		c->txs[i].raw = wire_view(data->txs[i]);
		c->tx_hashes[i] = sha256(c->txs[i].raw);
		c->txs[i].hash = c->tx_hashes[i];
	}
	return STATUS_OK;
}

static enum status decode(struct candidate *c, const char **fault)
{
	enum status local = STATUS_OK;
	arena_init(&c->arena, CANDIDATE_ARENA_BYTES_MAX);
	c->block = block_decode(&c->arena, &local, fault, part_set_bytes(&c->parts), BLOCK_TXS_MAX);
	if (!c->block)
		return local != STATUS_OK ? local : STATUS_REFUSED;
	if (!timestamp_from_pb(&c->time, c->block->header->time)) {
		*fault = "header.time";
		return STATUS_REFUSED;
	}
	c->id.hash = header_hash(c->block->header);
	c->id.parts_total = c->parts.total;
	c->id.parts_hash = c->parts.hash;
	return list_txs(c);
}

enum status candidate_of_parts(
	struct candidate **out, struct part_set *parts_take, const char **fault)
{
	*out = NULL;
	*fault = NULL;
	struct candidate *c = calloc(1, sizeof *c);
	if (!c) {
		part_set_fini(parts_take);
		return STATUS_NO_MEMORY;
	}
	c->parts = *parts_take;
	memset(parts_take, 0, sizeof *parts_take);
	enum status status = decode(c, fault);
	if (status == STATUS_OK) {
		*out = c;
		return STATUS_OK;
	}
	candidate_free(c);
	return status == STATUS_REFUSED ? STATUS_OK : status;
}

enum status candidate_of_bytes(struct candidate **out, struct bytes raw, const char **fault)
{
	*out = NULL;
	struct part_set parts;
	enum status status = part_set_split(&parts, raw);
	if (status != STATUS_OK)
		return status;
	return candidate_of_parts(out, &parts, fault);
}

/* One struct, so that every pointer of the header stays valid until it is packed. */
struct header_message {
	Pb__Header pb;
	Pb__Version version;
	Pb__Timestamp time;
	struct block_id_message last_block_id;
	struct hash32 last_commit_hash, data_hash, validators_hash, next_validators_hash,
		consensus_hash, evidence_hash;
};

static ProtobufCBinaryData borrow(const struct hash32 *hash)
{
	return wire_borrow(hash->b, sizeof hash->b);
}

/* Everything of the header that follows from the head: what a builder writes and a checker
 * compares. */
static void header_of_head(
	struct header_message *m, const struct chain_head *head, const char *chain_id)
{
	memset(m, 0, sizeof *m);
	pb__header__init(&m->pb);
	pb__version__init(&m->version);
	m->version.block = BLOCK_PROTOCOL;
	m->version.app = head->app_version;
	m->pb.version = &m->version;
	m->pb.chain_id = (char *)(uintptr_t)chain_id;
	m->pb.height = head->height + 1;
	block_id_message_init(&m->last_block_id, &head->block_id);
	m->pb.last_block_id = &m->last_block_id.pb;
	m->validators_hash = validators_hash(&head->validators);
	m->pb.validators_hash = borrow(&m->validators_hash);
	m->next_validators_hash = validators_hash(&head->next_validators);
	m->pb.next_validators_hash = borrow(&m->next_validators_hash);
	m->consensus_hash = consensus_params_hash(&head->params);
	m->pb.consensus_hash = borrow(&m->consensus_hash);
	m->pb.app_hash = borrow(&head->app_hash);
	m->pb.last_results_hash = borrow(&head->last_results_hash);
}

enum status candidate_pack(struct buf *out, const struct candidate_plan *plan)
{
	struct header_message m;
	header_of_head(&m, plan->head, plan->chain_id);
	timestamp_message_init(&m.time, plan->time);
	m.pb.time = &m.time;
	m.pb.proposer_address = wire_borrow(plan->proposer.b, sizeof plan->proposer.b);
	Pb__Commit no_commit;
	pb__commit__init(&no_commit);
	struct block_id nil = {0};
	struct block_id_message nil_message;
	block_id_message_init(&nil_message, &nil);
	no_commit.block_id = &nil_message.pb;
	const Pb__Commit *last_commit = plan->last_commit ? plan->last_commit : &no_commit;
	m.last_commit_hash = commit_hash(last_commit);
	m.pb.last_commit_hash = borrow(&m.last_commit_hash);
	Pb__Data data;
	pb__data__init(&data);
	data.n_txs = plan->tx_count;
	data.txs = calloc(plan->tx_count + 1, sizeof *data.txs);
	if (!data.txs)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < plan->tx_count; i++)
		data.txs[i] = wire_borrow(plan->txs[i].raw.data, plan->txs[i].raw.len);
	m.data_hash = data_hash(&data);
	m.pb.data_hash = borrow(&m.data_hash);
	m.evidence_hash = evidence_hash(plan->evidence);
	m.pb.evidence_hash = borrow(&m.evidence_hash);
	Pb__Block block;
	pb__block__init(&block);
	block.header = &m.pb;
	block.data = &data;
	block.evidence = (Pb__EvidenceList *)(uintptr_t)plan->evidence;
	block.last_commit = (Pb__Commit *)(uintptr_t)last_commit;
	block_pack(out, &block);
	free(data.txs);
	return buf_ok(out) ? STATUS_OK : STATUS_NO_MEMORY;
}

static bool same(ProtobufCBinaryData a, ProtobufCBinaryData b)
{
	return bytes_equal(wire_view(a), wire_view(b));
}

static const char *last_commit_fault(const struct candidate *c, const struct chain_head *head,
	const char *chain_id, const struct tally *seen)
{
	const struct vote *known[VALIDATORS_MAX] = {NULL};
	const Pb__Commit *commit = c->block->last_commit;
	if (head->height < head->initial_height)
		return commit->n_signatures == 0 ? NULL : "last_commit of the first block";
	for (uint32_t i = 0; seen && i < head->last_validators.count; i++) {
		const struct block_id nil = {0};
		known[i] = tally_vote_for(seen, i, &head->block_id);
		if (!known[i])
			known[i] = tally_vote_for(seen, i, &nil);
	}
	enum commit_verdict verdict = commit_verify_beyond(
		&head->last_validators, chain_id, &head->block_id, head->height, commit, known);
	return verdict == COMMIT_OK ? NULL : commit_verdict_text(verdict);
}

const char *candidate_fault(const struct candidate *c, const struct chain_head *head,
	const char *chain_id, const struct tally *seen)
{
	struct header_message want;
	header_of_head(&want, head, chain_id);
	const Pb__Header *h = c->block->header;
	struct block_id last;
	if (h->version->block != want.version.block || h->version->app != want.version.app)
		return "header.version";
	if (strcmp(h->chain_id, chain_id) != 0)
		return "header.chain_id";
	if (h->height != want.pb.height)
		return "header.height";
	if (!block_id_from_pb(&last, h->last_block_id) || !block_id_equal(&last, &head->block_id))
		return "header.last_block_id";
	if (!same(h->validators_hash, want.pb.validators_hash))
		return "header.validators_hash";
	if (!same(h->next_validators_hash, want.pb.next_validators_hash))
		return "header.next_validators_hash";
	if (!same(h->consensus_hash, want.pb.consensus_hash))
		return "header.consensus_hash";
	if (!same(h->app_hash, want.pb.app_hash))
		return "header.app_hash";
	if (!same(h->last_results_hash, want.pb.last_results_hash))
		return "header.last_results_hash";
	if (c->parts.len > (size_t)head->params.block_max_bytes)
		return "block larger than max_bytes";
	if (timestamp_compare(c->time, head->time) <= 0)
		return "header.time";
	struct validator_address proposer;
	memcpy(proposer.b, h->proposer_address.data, sizeof proposer.b);
	if (validator_set_find(&head->validators, &proposer) < 0)
		return "header.proposer_address";
	return last_commit_fault(c, head, chain_id, seen);
}

size_t candidate_tx_room(int64_t block_bytes_max, uint32_t validator_count)
{
	int64_t used = HEADER_BYTES + OVERHEAD_BYTES + COMMIT_BYTES +
		       (int64_t)COMMIT_SIG_BYTES * validator_count;
	return block_bytes_max > used ? (size_t)(block_bytes_max - used) : 0;
}
