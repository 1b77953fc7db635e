/* serve: what a node gives to one that joins: snapshots of the app's state with their chunks, and
 * headers with their commits and validators, out of the same budget as blocks. */
#include <string.h>

#include "chain/blocks.h"
#include "chain/format/proof.h"
#include "chain/format/wire.h"
#include "replica/messages.h"

enum { LIGHT_ARENA_BYTES_MAX = 1024 * 1024, COST_BYTES = 4096 };

static Pb__PeerMessage message_of(Pb__PeerMessage__SumCase sum_case)
{
	Pb__PeerMessage message = PB__PEER_MESSAGE__INIT;
	message.sum_case = sum_case;
	return message;
}

/* The sets of three heights as they are stored, priorities and all. */
static enum status turns_hash(struct replica *r, int64_t height, struct hash32 *out)
{
	struct arena arena;
	struct buf packed;
	enum status status = STATUS_OK;
	arena_init(&arena, LIGHT_ARENA_BYTES_MAX);
	buf_init(&packed, 0);
	for (int64_t h = height; status == STATUS_OK && h <= height + 2; h++) {
		const Pb__ValidatorSet *set;
		status = blocks_validators(r->config.store, NULL, &arena, h, &set);
		if (status == STATUS_OK)
			wire_append(&packed, &set->base);
	}
	if (status == STATUS_OK && !buf_ok(&packed))
		status = STATUS_NO_MEMORY;
	if (status == STATUS_OK)
		*out = sha256(buf_view(&packed));
	buf_fini(&packed);
	arena_fini(&arena);
	return status;
}

static void offer(struct replica *r, uint32_t peer, const struct app_snapshot *snapshot,
	struct replica_effects *out)
{
	struct hash32 turns;
	/* Without the next block nothing proves it. */
	if (snapshot->height >= r->head.height || snapshot->height < r->head.base_height ||
		turns_hash(r, snapshot->height, &turns) != STATUS_OK)
		return;
	Pb__SnapshotOffer pb = PB__SNAPSHOT_OFFER__INIT;
	pb.height = snapshot->height;
	pb.format = snapshot->format;
	pb.chunks = snapshot->chunks;
	pb.root = wire_borrow(snapshot->root.b, sizeof snapshot->root.b);
	pb.turns = wire_borrow(turns.b, sizeof turns.b);
	Pb__PeerMessage message = message_of(PB__PEER_MESSAGE__SUM_SNAPSHOT_OFFER);
	message.snapshot_offer = &pb;
	say(r, peer, &message, out);
}

static void no_offer(struct replica *r, uint32_t peer, struct replica_effects *out)
{
	Pb__SnapshotOffer none = PB__SNAPSHOT_OFFER__INIT;
	Pb__PeerMessage message = message_of(PB__PEER_MESSAGE__SUM_SNAPSHOT_OFFER);
	message.snapshot_offer = &none;
	say(r, peer, &message, out);
}

void serve_snapshots(
	struct replica *r, uint32_t peer, struct replica_now now, struct replica_effects *out)
{
	struct app_snapshot list[APP_SNAPSHOTS_MAX];
	const struct app_vtable *app = r->config.app.vtable;
	if (!sync_may_serve(r, peer, now, COST_BYTES))
		return;
	size_t count = app->list_snapshots ? app->list_snapshots(r->config.app.self, list) : 0;
	for (size_t i = 0; i < count; i++)
		offer(r, peer, &list[i], out);
	no_offer(r, peer, out); /* that was all */
}

void serve_chunk(struct replica *r, uint32_t peer, const Pb__ChunkRequest *request,
	struct replica_now now, struct replica_effects *out)
{
	const struct app_vtable *app = r->config.app.vtable;
	struct merkle_proof proof;
	struct arena arena;
	struct buf bytes;
	if (!app->load_chunk || !sync_may_serve(r, peer, now, COST_BYTES))
		return;
	arena_init(&arena, LIGHT_ARENA_BYTES_MAX);
	buf_init(&bytes, 0);
	enum status status = app->load_chunk(
		r->config.app.self, request->height, request->index, &bytes, &proof);
	Pb__Chunk pb = PB__CHUNK__INIT;
	pb.height = request->height;
	pb.index = request->index;
	pb.bytes = wire_borrow(bytes.data, bytes.len);
	pb.proof = status == STATUS_OK ? merkle_proof_to_pb(&proof, &arena) : NULL;
	Pb__PeerMessage message = message_of(PB__PEER_MESSAGE__SUM_CHUNK);
	message.chunk = &pb;
	if (pb.proof) {
		say(r, peer, &message, out);
		sync_spend(r, peer, bytes.len);
	} else if (status != STATUS_NOT_FOUND) {
		log_event(r->config.log, LOG_BROKEN, "chunk_not_served height=%lld reason=\"%s\"",
			(long long)request->height, status_text(status));
	}
	buf_fini(&bytes);
	arena_fini(&arena);
}

void serve_light_block(struct replica *r, uint32_t peer, const Pb__LightBlockRequest *request,
	struct replica_now now, struct replica_effects *out)
{
	struct store *store = r->config.store;
	int64_t height = request->height;
	const Pb__BlockMeta *meta;
	const Pb__Commit *commit;
	const Pb__ValidatorSet *set, *next;
	bool canonical;
	struct arena arena;
	if (height < r->head.base_height || height > r->head.height ||
		!sync_may_serve(r, peer, now, COST_BYTES))
		return;
	arena_init(&arena, LIGHT_ARENA_BYTES_MAX);
	enum status status = blocks_meta(store, NULL, &arena, height, &meta);
	if (status == STATUS_OK)
		status = blocks_commit(store, NULL, &arena, height, &commit, &canonical);
	if (status == STATUS_OK)
		status = blocks_validators(store, NULL, &arena, height, &set);
	if (status == STATUS_OK)
		status = blocks_validators(store, NULL, &arena, height + 1, &next);
	if (status == STATUS_OK) {
		Pb__LightBlock pb = PB__LIGHT_BLOCK__INIT;
		pb.header = meta->header;
		pb.commit = (Pb__Commit *)(uintptr_t)commit;
		pb.validators = (Pb__ValidatorSet *)(uintptr_t)set;
		pb.next_validators = (Pb__ValidatorSet *)(uintptr_t)next;
		Pb__PeerMessage message = message_of(PB__PEER_MESSAGE__SUM_LIGHT_BLOCK);
		message.light_block = &pb;
		say(r, peer, &message, out);
	} else {
		log_event(r->config.log, LOG_BROKEN, "header_not_served height=%lld reason=\"%s\"",
			(long long)height, status_text(status));
	}
	arena_fini(&arena);
}
