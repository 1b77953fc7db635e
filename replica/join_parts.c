/* What joining says to peers, and what it leaves in the store. */
#include <string.h>

#include "chain/blocks.h"
#include "chain/format/wire.h"
#include "replica/candidate.h"
#include "replica/join_inside.h"
#include "replica/messages.h"

/* ---- saying ---- */

static void send(
	struct join *j, uint32_t to, const Pb__PeerMessage *message, struct replica_effects *out)
{
	struct replica_effect *e = replica_effect(out, REPLICA_SEND);
	e->u.peer = to;
	e->bytes_at = j->scratch.len;
	wire_append(&j->scratch, &message->base);
	e->bytes.len = j->scratch.len - e->bytes_at;
}

void join_say_standing(struct join *j, uint32_t to, struct replica_effects *out)
{
	Pb__NodeStatus status = PB__NODE_STATUS__INIT;
	Pb__PeerMessage message = PB__PEER_MESSAGE__INIT;
	status.height = status.base_height = j->config.start.initial_height;
	message.sum_case = PB__PEER_MESSAGE__SUM_STATUS;
	message.status = &status;
	send(j, to, &message, out);
}

void join_ask_snapshots(struct join *j, uint32_t to, struct replica_effects *out)
{
	Pb__SnapshotsRequest request = PB__SNAPSHOTS_REQUEST__INIT;
	Pb__PeerMessage message = PB__PEER_MESSAGE__INIT;
	message.sum_case = PB__PEER_MESSAGE__SUM_SNAPSHOTS_REQUEST;
	message.snapshots_request = &request;
	send(j, to, &message, out);
}

void join_ask_light(struct join *j, uint32_t to, int64_t height, struct replica_effects *out)
{
	Pb__LightBlockRequest request = PB__LIGHT_BLOCK_REQUEST__INIT;
	Pb__PeerMessage message = PB__PEER_MESSAGE__INIT;
	request.height = height;
	message.sum_case = PB__PEER_MESSAGE__SUM_LIGHT_BLOCK_REQUEST;
	message.light_block_request = &request;
	send(j, to, &message, out);
}

void join_ask_block(struct join *j, uint32_t to, int64_t height, struct replica_effects *out)
{
	Pb__BlockRequest request = PB__BLOCK_REQUEST__INIT;
	Pb__PeerMessage message = PB__PEER_MESSAGE__INIT;
	request.height = height;
	message.sum_case = PB__PEER_MESSAGE__SUM_BLOCK_REQUEST;
	message.block_request = &request;
	send(j, to, &message, out);
}

void join_ask_chunk(struct join *j, uint32_t to, uint32_t index, struct replica_effects *out)
{
	Pb__ChunkRequest request = PB__CHUNK_REQUEST__INIT;
	Pb__PeerMessage message = PB__PEER_MESSAGE__INIT;
	request.height = j->chosen.about.height;
	request.index = index;
	message.sum_case = PB__PEER_MESSAGE__SUM_CHUNK_REQUEST;
	message.chunk_request = &request;
	send(j, to, &message, out);
}

/* ---- what is left ---- */

static void head_of(const struct join *j, struct chain_head *head)
{
	memset(head, 0, sizeof *head);
	head->height = head->base_height = j->anchor.height;
	head->initial_height = j->config.start.initial_height;
	head->block_id = j->anchor.id;
	head->time = j->anchor.time;
	head->app_hash = j->after.app_hash;
	head->last_results_hash = j->after.last_results_hash;
	head->last_validators = j->anchor.validators;
	head->validators = j->after.validators;
	head->next_validators = j->after.next_validators;
	head->app_version = j->after.app_version;
	head->params = j->config.start.params;
	head->params.app_version = j->after.app_version;
}

enum status join_fill_batch(struct join *j, const struct candidate *c, struct arena *arena)
{
	struct chain_head head;
	struct block_id_message id;
	Pb__BlockMeta meta = PB__BLOCK_META__INIT;
	head_of(j, &head);
	block_id_message_init(&id, &c->id);
	struct bytes raw = part_set_bytes(&c->parts);
	meta.block_id = &id.pb;
	meta.header = c->block->header;
	meta.block_size = (int64_t)raw.len;
	meta.num_txs = (int64_t)c->tx_count;
	struct blocks_entry entry = {
		.raw = raw,
		.meta = &meta,
		.seen_commit = pb__commit__unpack(
			arena_protobuf(arena), j->anchor.commit.len, j->anchor.commit.data),
		.head = chain_head_to_pb(&head, arena),
	};
	if (!entry.seen_commit || !entry.head)
		return STATUS_NO_MEMORY;
	return blocks_put_restored(&j->batch, j->config.store, &entry);
}
