#include "rpc/shapes.h"

#include "base/hex.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "chain/blocks.h"
#include "chain/format/vote.h"

static void key(struct buf *out, const char *name)
{
	json_put_key(out, name);
}

/* ,"name": */
static void next(struct buf *out, const char *name)
{
	buf_append_byte(out, ',');
	json_put_key(out, name);
}

static void next_hex(struct buf *out, const char *name, ProtobufCBinaryData data)
{
	next(out, name);
	json_put_hex_upper(out, data.data, data.len);
}

static void put_base64(struct buf *out, ProtobufCBinaryData data)
{
	json_put_base64(out, data.data, data.len);
}

/* protobuf-c gives "" for an absent text, but a message made by hand may hold NULL. */
static void put_text(struct buf *out, const char *text)
{
	json_put_text(out, text ? text : "");
}

void shape_time(struct buf *out, const Pb__Timestamp *time)
{
	char text[RFC3339_BYTES];
	struct timestamp t;

	if (!timestamp_from_pb(&t, time))
		t = timestamp_go_zero();
	rfc3339_text(text, t);
	json_put_text(out, text);
}

void shape_block_id(struct buf *out, const Pb__BlockID *id)
{
	const Pb__PartSetHeader *parts = id ? id->part_set_header : NULL;

	buf_append_text(out, "{\"hash\":");
	json_put_hex_upper(out, id ? id->hash.data : NULL, id ? id->hash.len : 0);
	buf_append_text(out, ",\"parts\":{\"total\":");
	json_put_u64(out, parts ? parts->total : 0);
	next(out, "hash");
	json_put_hex_upper(out, parts ? parts->hash.data : NULL, parts ? parts->hash.len : 0);
	buf_append_text(out, "}}");
}

void shape_header(struct buf *out, const Pb__Header *header)
{
	static const Pb__Header zero = PB__HEADER__INIT;
	const Pb__Header *h = header ? header : &zero;

	buf_append_text(out, "{\"version\":{\"block\":");
	json_put_u64_text(out, h->version ? h->version->block : 0);
	if (h->version && h->version->app != 0) {
		next(out, "app");
		json_put_u64_text(out, h->version->app);
	}
	buf_append_text(out, "},\"chain_id\":");
	put_text(out, h->chain_id);
	next(out, "height");
	json_put_i64_text(out, h->height);
	next(out, "time");
	shape_time(out, h->time);
	next(out, "last_block_id");
	shape_block_id(out, h->last_block_id);
	next_hex(out, "last_commit_hash", h->last_commit_hash);
	next_hex(out, "data_hash", h->data_hash);
	next_hex(out, "validators_hash", h->validators_hash);
	next_hex(out, "next_validators_hash", h->next_validators_hash);
	next_hex(out, "consensus_hash", h->consensus_hash);
	next_hex(out, "app_hash", h->app_hash);
	next_hex(out, "last_results_hash", h->last_results_hash);
	next_hex(out, "evidence_hash", h->evidence_hash);
	next_hex(out, "proposer_address", h->proposer_address);
	buf_append_byte(out, '}');
}

static void commit_sig(struct buf *out, const Pb__CommitSig *sig)
{
	buf_append_text(out, "{\"block_id_flag\":");
	json_put_i64(out, sig->block_id_flag);
	next_hex(out, "validator_address", sig->validator_address);
	next(out, "timestamp");
	shape_time(out, sig->timestamp);
	next(out, "signature");
	put_base64(out, sig->signature);
	buf_append_byte(out, '}');
}

void shape_commit(struct buf *out, const Pb__Commit *commit)
{
	static const Pb__Commit zero = PB__COMMIT__INIT;
	const Pb__Commit *c = commit ? commit : &zero;

	buf_append_text(out, "{\"height\":");
	json_put_i64_text(out, c->height);
	next(out, "round");
	json_put_i64(out, c->round);
	next(out, "block_id");
	shape_block_id(out, c->block_id);
	next(out, "signatures");
	buf_append_byte(out, '[');
	for (size_t i = 0; i < c->n_signatures; i++) {
		if (i > 0)
			buf_append_byte(out, ',');
		commit_sig(out, c->signatures[i]);
	}
	buf_append_text(out, "]}");
}

static void vote(struct buf *out, const Pb__Vote *v)
{
	static const Pb__Vote zero = PB__VOTE__INIT;

	if (!v)
		v = &zero;
	buf_append_text(out, "{\"type\":");
	json_put_i64(out, v->type);
	next(out, "height");
	json_put_i64_text(out, v->height);
	next(out, "round");
	json_put_i64(out, v->round);
	next(out, "block_id");
	shape_block_id(out, v->block_id);
	next(out, "timestamp");
	shape_time(out, v->timestamp);
	next_hex(out, "validator_address", v->validator_address);
	next(out, "validator_index");
	json_put_i64(out, v->validator_index);
	next(out, "signature");
	put_base64(out, v->signature);
	buf_append_text(out, ",\"extension\":null,\"extension_signature\":null}");
}

static void duplicate_vote(struct buf *out, const Pb__DuplicateVoteEvidence *evidence)
{
	buf_append_text(
		out, "{\"type\":\"tendermint/DuplicateVoteEvidence\",\"value\":{\"vote_a\":");
	vote(out, evidence->vote_a);
	next(out, "vote_b");
	vote(out, evidence->vote_b);
	next(out, "total_voting_power");
	json_put_i64_text(out, evidence->total_voting_power);
	next(out, "validator_power");
	json_put_i64_text(out, evidence->validator_power);
	next(out, "timestamp");
	shape_time(out, evidence->timestamp);
	buf_append_text(out, "}}");
}

void shape_evidence(struct buf *out, const Pb__EvidenceList *list)
{
	bool first = true;

	buf_append_text(out, "{\"evidence\":[");
	for (size_t i = 0; list && i < list->n_evidence; i++) {
		const Pb__Evidence *evidence = list->evidence[i];

		if (evidence->sum_case != PB__EVIDENCE__SUM_DUPLICATE_VOTE_EVIDENCE)
			continue;
		if (!first)
			buf_append_byte(out, ',');
		first = false;
		duplicate_vote(out, evidence->duplicate_vote_evidence);
	}
	buf_append_text(out, "]}");
}

bool shape_data(struct buf *out, struct bytes data)
{
	struct bytes tx;
	size_t at = 0;
	bool first = true;

	buf_append_text(out, "{\"txs\":[");
	while (block_tx_next(&tx, &at, data)) {
		if (!first)
			buf_append_byte(out, ',');
		first = false;
		buf_append_byte(out, '"');
		buf_append_base64(out, tx.data, tx.len);
		buf_append_byte(out, '"');
	}
	buf_append_text(out, "]}");
	return at == data.len;
}

void shape_meta(struct buf *out, const Pb__BlockMeta *meta)
{
	buf_append_text(out, "{\"block_id\":");
	shape_block_id(out, meta->block_id);
	next(out, "block_size");
	json_put_i64_text(out, meta->block_size);
	next(out, "header");
	shape_header(out, meta->header);
	next(out, "num_txs");
	json_put_i64_text(out, meta->num_txs);
	buf_append_byte(out, '}');
}

/* --- validators
 * ---------------------------------------------------------------------------------------- */

void shape_public_key(struct buf *out, struct bytes public_key)
{
	buf_append_text(out, "{\"type\":\"tendermint/PubKeyEd25519\",\"value\":");
	json_put_base64(out, public_key.data, public_key.len);
	buf_append_byte(out, '}');
}

void shape_validator(struct buf *out, const Pb__Validator *validator)
{
	struct validator_key public_key = {{0}};
	struct validator_address address;

	for (size_t i = 0; i < validator->key.len && i < sizeof public_key.b; i++)
		public_key.b[i] = validator->key.data[i];
	address = validator_address_of(&public_key);
	buf_append_text(out, "{\"address\":");
	json_put_hex_upper(out, address.b, sizeof address.b);
	next(out, "pub_key");
	shape_public_key(out, bytes_view(validator->key.data, validator->key.len));
	next(out, "voting_power");
	json_put_i64_text(out, validator->power);
	next(out, "proposer_priority");
	json_put_i64_text(out, validator->priority);
	buf_append_byte(out, '}');
}

void shape_validator_update(struct buf *out, const Pb__Validator *update)
{
	buf_append_text(out,
		"{\"pub_key\":{\"Sum\":{\"type\":\"tendermint.crypto.PublicKey_Ed25519\","
		"\"value\":{\"ed25519\":");
	put_base64(out, update->key);
	buf_append_text(out, "}}}");
	if (update->power != 0) {
		next(out, "power");
		json_put_i64_text(out, update->power);
	}
	buf_append_byte(out, '}');
}

/* --- results
 * ------------------------------------------------------------------------------------------- */

static void event(struct buf *out, const Pb__Event *e)
{
	bool has_type = e->type && e->type[0];

	buf_append_byte(out, '{');
	if (has_type) {
		key(out, "type");
		json_put_text(out, e->type);
	}
	if (e->n_attributes > 0) {
		if (has_type)
			buf_append_byte(out, ',');
		key(out, "attributes");
		buf_append_byte(out, '[');
	}
	for (size_t i = 0; i < e->n_attributes; i++) {
		const Pb__EventAttribute *attribute = e->attributes[i];

		buf_append_text(out, i > 0 ? ",{\"key\":" : "{\"key\":");
		put_text(out, attribute->key);
		next(out, "value");
		put_text(out, attribute->value);
		next(out, "index");
		json_put_bool(out, attribute->index);
		buf_append_byte(out, '}');
	}
	buf_append_text(out, e->n_attributes > 0 ? "]}" : "}");
}

static void events_list(struct buf *out, Pb__Event *const *events, size_t count)
{
	buf_append_byte(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_append_byte(out, ',');
		event(out, events[i]);
	}
	buf_append_byte(out, ']');
}

void shape_events_or_null(struct buf *out, Pb__Event *const *events, size_t count)
{
	if (count == 0)
		buf_append_text(out, "null");
	else
		events_list(out, events, count);
}

void shape_result(struct buf *out, const Pb__ExecTxResult *result)
{
	static const Pb__ExecTxResult zero = PB__EXEC_TX_RESULT__INIT;
	const Pb__ExecTxResult *r = result ? result : &zero;

	buf_append_text(out, "{\"code\":");
	json_put_u64(out, r->code);
	next(out, "data");
	put_base64(out, r->data);
	next(out, "log");
	put_text(out, r->log);
	next(out, "info");
	put_text(out, r->info);
	next(out, "gas_wanted");
	json_put_i64_text(out, r->gas_wanted);
	next(out, "gas_used");
	json_put_i64_text(out, r->gas_used);
	next(out, "events");
	events_list(out, r->events, r->n_events);
	next(out, "codespace");
	put_text(out, r->codespace);
	buf_append_byte(out, '}');
}

void shape_verdict(struct buf *out, const struct app_verdict *verdict)
{
	buf_append_text(out, "{\"code\":");
	json_put_u64(out, verdict->code);
	buf_append_text(out, ",\"data\":null,\"log\":");
	json_put_text(out, verdict->log);
	buf_append_text(out, ",\"info\":\"\",\"gas_wanted\":\"0\",\"gas_used\":\"0\",\"events\":[],"
			     "\"codespace\":");
	put_text(out, verdict->codespace);
	buf_append_byte(out, '}');
}

void shape_proof(struct buf *out, const struct merkle_proof *proof)
{
	buf_append_text(out, "{\"total\":");
	json_put_u64_text(out, proof->total);
	next(out, "index");
	json_put_u64_text(out, proof->index);
	next(out, "leaf_hash");
	json_put_base64(out, proof->leaf.b, sizeof proof->leaf.b);
	next(out, "aunts");
	buf_append_byte(out, '[');
	for (uint32_t i = 0; i < proof->aunt_count; i++) {
		if (i > 0)
			buf_append_byte(out, ',');
		json_put_base64(out, proof->aunts[i].b, sizeof proof->aunts[i].b);
	}
	buf_append_text(out, "]}");
}
