#include "chain/settle/prove.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/proto/comet.pb-c.h"

/* CometBFT counts leaves in an int64: 2^62 is the last power of two it knows. Finding two keys
 * whose paths agree in more bits is beyond everybody. */
enum { PROOF_DEPTH_MAX = 62 };

void past_fini(struct past *past)
{
	free(past->rows);
	buf_fini(&past->values);
	memset(past, 0, sizeof *past);
}

void past_keep(struct past *past, const struct state *work)
{
	struct past_row *rows = realloc(past->rows, (work->count + 1) * sizeof *rows);

	past->count = 0;
	past->complete = rows != NULL;
	buf_clear(&past->values);
	if (!rows)
		return;
	past->rows = rows;
	for (const struct state_entry *entry = work->newest; entry; entry = entry->older) {
		uint8_t scratch[ACCOUNT_BYTES_MAX];
		struct past_row *row = &rows[past->count];
		struct bytes value;

		if (!state_entry_changed(entry))
			continue;
		*row = (struct past_row){entry->path, past->values.len, 0, entry->exists_before};
		if (entry->exists_before) {
			value = state_entry_before(entry, scratch);
			buf_append_view(&past->values, value);
			row->len = value.len;
		}
		past->count++;
	}
	past->complete = buf_ok(&past->values);
}

/* The record's value at the tip. A block may stand in the store that isn't adopted yet; what it
 * replaced is then still in work, which nobody changes before it is. */
static enum status value_at_tip(const struct settle *settle, const struct store_snapshot *snapshot,
	struct buf *out, struct bytes key, const struct hash32 *path)
{
	uint8_t scratch[ACCOUNT_BYTES_MAX];
	const struct state_entry *entry;
	struct settle_head stored;
	enum status status = settle_head_get(settle->store, snapshot, &stored);

	if (status != STATUS_OK)
		return status;
	entry = stored.height > settle->head.height ? state_find_path(&settle->work, path) : NULL;
	if (!entry || !state_entry_changed(entry))
		return store_get(settle->store, snapshot, STORE_STATE, key, out);
	if (!entry->exists_before)
		return STATUS_NOT_FOUND;
	buf_append_view(out, state_entry_before(entry, scratch));
	return STATUS_OK;
}

/* The record's value in this version, appended. */
static enum status value_then(const struct settle *settle, const struct store_snapshot *snapshot,
	struct buf *out, enum tree_version version, struct bytes key, const struct hash32 *path)
{
	for (size_t i = 0; version == TREE_BEFORE && i < settle->past.count; i++) {
		const struct past_row *row = &settle->past.rows[i];

		if (!hash_equal(&row->path, path))
			continue;
		if (!row->existed)
			return STATUS_NOT_FOUND;
		buf_append(out, settle->past.values.data + row->at, row->len);
		return STATUS_OK;
	}
	return value_at_tip(settle, snapshot, out, key, path);
}

static ProtobufCBinaryData field(const void *data, size_t len)
{
	return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

/* A ValueOp packed; *data is the caller's to fini. */
static void pack_value_op(struct buf *data, struct bytes key, Pb__Proof *proof)
{
	Pb__ValueOp op = PB__VALUE_OP__INIT;
	uint8_t *at;

	op.key = field(key.data, key.len);
	op.proof = proof;
	at = buf_extend(data, pb__value_op__get_packed_size(&op));
	if (at)
		pb__value_op__pack(&op, at);
}

static void pack_record_op(struct buf *data, const struct tree_path *way, struct bytes key)
{
	Pb__Proof proof = PB__PROOF__INIT;
	ProtobufCBinaryData aunts[PROOF_DEPTH_MAX];

	proof.total = (int64_t)1 << way->depth;
	for (uint32_t i = 0; i < way->depth; i++) {
		proof.index = proof.index << 1 | way->right[i];
		aunts[i] = field(way->aunts[i].b, 32);
	}
	proof.leaf_hash = field(way->leaf.b, 32);
	proof.aunts = aunts;
	proof.n_aunts = way->depth;
	pack_value_op(data, key, &proof);
}

static void pack_store_op(struct buf *data, const struct hash32 *root)
{
	Pb__Proof proof = PB__PROOF__INIT;
	struct hash32 leaf = app_hash_of(root);

	proof.total = 1;
	proof.leaf_hash = field(leaf.b, 32);
	pack_value_op(data, bytes_of_text("settle"), &proof);
}

static enum status pack_ops(struct buf *out, const struct tree_path *way, struct bytes key)
{
	struct hash32 root = tree_path_root(way);
	struct buf record = {0}, whole = {0};
	Pb__ProofOp ops[2] = {PB__PROOF_OP__INIT, PB__PROOF_OP__INIT};
	Pb__ProofOp *list[2] = {&ops[0], &ops[1]};
	Pb__ProofOps message = PB__PROOF_OPS__INIT;
	uint8_t *at = NULL;

	pack_record_op(&record, way, key);
	pack_store_op(&whole, &root);
	if (buf_ok(&record) && buf_ok(&whole)) {
		ops[0].type = ops[1].type = (char *)(uintptr_t) "simple:v";
		ops[0].key = field(key.data, key.len);
		ops[0].data = field(record.data, record.len);
		ops[1].key = field("settle", 6);
		ops[1].data = field(whole.data, whole.len);
		message.ops = list;
		message.n_ops = 2;
		at = buf_extend(out, pb__proof_ops__get_packed_size(&message));
		if (at)
			pb__proof_ops__pack(&message, at);
	}
	buf_fini(&record);
	buf_fini(&whole);
	return at ? STATUS_OK : STATUS_NO_MEMORY;
}

/* False: neither of the two heights that can be proved. */
static bool version_asked(
	const struct settle *settle, int64_t height, enum tree_version *version, int64_t *answered)
{
	int64_t tip = settle->head.height;

	*version = TREE_BEFORE;
	*answered = tip - 1;
	if (settle->past.complete && (height == 0 || height == tip - 1))
		return true;
	*version = TREE_TIP;
	*answered = tip;
	return height == 0 || height == tip;
}

static void refuse(struct app_answer *out, const char *log)
{
	out->verdict.code = SETTLE_BAD_PARAM;
	snprintf(out->verdict.log, APP_LOG_BYTES, "%s", log);
}

enum status prove_record(const struct settle *settle, const struct store_snapshot *snapshot,
	const struct app_query *query, struct app_answer *out)
{
	struct hash32 path = sha256(query->data);
	struct tree_path *way;
	enum tree_version version;
	enum status status = STATUS_OK;

	if (!version_asked(settle, query->height, &version, &out->height)) {
		refuse(out, "only the last two heights can be proved");
		return STATUS_OK;
	}
	way = malloc(sizeof *way);
	if (!way)
		return STATUS_NO_MEMORY;
	if (!tree_prove(&settle->tree, way, version, &path))
		refuse(out, "no record has this key");
	else if (way->depth > PROOF_DEPTH_MAX)
		refuse(out, "the path is too long for this form of proof");
	else
		status = value_then(settle, snapshot, &out->value, version, query->data, &path);
	if (status == STATUS_OK && out->verdict.code == SETTLE_OK)
		status = pack_ops(&out->proof_ops, way, query->data);
	free(way);
	/* The tree has it, so the rows must. */
	return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
}
