#include "node/round_state.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "node/clock.h"
#include "rpc/shapes.h"

/* Go's zero time, which stands for "not yet". */
static const struct timestamp never = {-62135596800, 0};

int round_state_step(enum consensus_step step)
{
	switch (step) {
	case STEP_WAIT: return 1;
	case STEP_PROPOSE: return 3;
	case STEP_PREVOTE: return 4;
	case STEP_PRECOMMIT: return 6;
	case STEP_EXECUTE:
	case STEP_COMMIT: return 8;
	}
	return 0;
}

static void put_time(struct buf *out, const char *key, struct timestamp time)
{
	char text[RFC3339_BYTES];
	rfc3339_text(text, time);
	json_put_key(out, key);
	json_put_text(out, text);
}

/* ---- votes ---- */

static const struct tally_slot *slot_of(const struct tally *tally, uint32_t index)
{
	return tally && tally->slots[index].present ? &tally->slots[index] : NULL;
}

/* "BA{4:xx_x} 30/40 = 0.75" */
static void put_vote_bits(
	struct buf *out, const struct validator_set *set, const struct tally *tally)
{
	int64_t power = 0;
	buf_appendf(out, "\"BA{%u:", set->count);
	for (uint32_t i = 0; i < set->count; i++) {
		bool present = slot_of(tally, i) != NULL;
		buf_append_byte(out, present ? 'x' : '_');
		power += present ? set->v[i].power : 0;
	}
	buf_appendf(out, "} %lld/%lld = %.2f\"", (long long)power, (long long)set->total_power,
		(double)power / (double)set->total_power);
}

static void put_fingerprint(struct buf *out, const uint8_t *bytes)
{
	buf_append_hex_upper(out, bytes, 6);
}

/* Vote{INDEX:ADDRESS HEIGHT/ROUND/TYPE(Type) BLOCK SIGNATURE EXTENSION @ TIME} */
static void put_vote(struct buf *out, const struct vote *vote)
{
	bool prevote = vote->type == VOTE_PREVOTE;
	char time[RFC3339_BYTES];
	rfc3339_text(time, vote->time);
	buf_appendf(out, "\"Vote{%u:", vote->index);
	put_fingerprint(out, vote->address.b);
	buf_appendf(out, " %lld/%02d/%s ", (long long)vote->height, vote->round,
		prevote ? "SIGNED_MSG_TYPE_PREVOTE(Prevote)"
			: "SIGNED_MSG_TYPE_PRECOMMIT(Precommit)");
	put_fingerprint(out, vote->block_id.hash.b);
	buf_append_text(out, " ");
	put_fingerprint(out, vote->signature.b);
	buf_appendf(out, " 000000000000 @ %s}\"", time);
}

static void put_votes(struct buf *out, const struct validator_set *set, const struct tally *tally)
{
	buf_append_text(out, "[");
	for (uint32_t i = 0; i < set->count; i++) {
		const struct tally_slot *slot = slot_of(tally, i);
		buf_append_text(out, i ? "," : "");
		if (slot)
			put_vote(out, &slot->vote);
		else
			buf_append_text(out, "\"nil-Vote\"");
	}
	buf_append_text(out, "]");
}

static const struct round_state *round_of(const struct consensus *c, int32_t round)
{
	for (size_t i = 0; i < ROUNDS_KEPT; i++) {
		if (c->rounds[i].used && c->rounds[i].round == round)
			return &c->rounds[i];
	}
	return NULL;
}

static void put_round(struct buf *out, const struct consensus *c, int32_t round)
{
	const struct round_state *state = round_of(c, round);
	const struct tally *prevotes = state ? &state->prevotes : NULL;
	const struct tally *precommits = state ? &state->precommits : NULL;
	buf_appendf(out, "{\"round\":%d,\"prevotes\":", round);
	put_votes(out, &c->validators, prevotes);
	buf_append_text(out, ",\"prevotes_bit_array\":");
	put_vote_bits(out, &c->validators, prevotes);
	buf_append_text(out, ",\"precommits\":");
	put_votes(out, &c->validators, precommits);
	buf_append_text(out, ",\"precommits_bit_array\":");
	put_vote_bits(out, &c->validators, precommits);
	buf_append_text(out, "}");
}

/* The next round known after one; -1: none. Ours is known, votes or not. */
static int32_t round_after(const struct consensus *c, int32_t round)
{
	int32_t next = c->round > round ? c->round : -1;
	for (size_t i = 0; i < ROUNDS_KEPT; i++) {
		const struct round_state *state = &c->rounds[i];
		if (state->used && state->round > round && (next < 0 || state->round < next))
			next = state->round;
	}
	return next;
}

static void put_rounds(struct buf *out, const struct consensus *c)
{
	const char *comma = "";
	buf_append_text(out, "[");
	for (int32_t round = round_after(c, -1); round >= 0; round = round_after(c, round)) {
		buf_append_text(out, comma);
		comma = ",";
		put_round(out, c, round);
	}
	buf_append_text(out, "]");
}

/* ---- consensus_state ---- */

static void put_hash_of(struct buf *out, const char *key, const struct block_id *id)
{
	json_put_key(out, key);
	json_put_hex_upper(out, id ? id->hash.b : NULL, id ? sizeof id->hash.b : 0);
}

static const struct proposal *proposal_of(const struct consensus *c)
{
	const struct round_state *now = round_of(c, c->round);
	return now && now->has_proposal ? &now->proposal : NULL;
}

static void put_simple(struct buf *out, const struct driver *driver)
{
	const struct consensus *c = replica_consensus(driver_replica(driver));
	const struct proposal *proposal = proposal_of(c);
	uint32_t proposer = consensus_proposer(c, c->round);
	buf_appendf(out, "{\"height/round/step\":\"%lld/%d/%d\",", (long long)c->height, c->round,
		round_state_step(c->step));
	put_time(out, "start_time", driver_height(driver).began);
	buf_append_text(out, ",");
	put_hash_of(out, "proposal_block_hash", proposal ? &proposal->block_id : NULL);
	buf_append_text(out, ",");
	put_hash_of(out, "locked_block_hash", c->locked_round >= 0 ? &c->locked_block : NULL);
	buf_append_text(out, ",");
	put_hash_of(out, "valid_block_hash", c->valid_round >= 0 ? &c->valid_block : NULL);
	buf_append_text(out, ",\"height_vote_set\":");
	put_rounds(out, c);
	buf_append_text(out, ",\"proposer\":{\"address\":");
	json_put_hex_upper(out, c->validators.v[proposer].address.b,
		sizeof c->validators.v[proposer].address.b);
	buf_appendf(out, ",\"index\":%u}}", proposer);
}

/* ---- dump_consensus_state ---- */

static void put_validator(struct buf *out, const struct validator *v)
{
	buf_append_text(out, "{\"address\":");
	json_put_hex_upper(out, v->address.b, sizeof v->address.b);
	buf_append_text(out, ",\"pub_key\":");
	shape_public_key(out, bytes_view(v->key.b, sizeof v->key.b));
	buf_append_text(out, ",\"voting_power\":");
	json_put_i64_text(out, v->power);
	buf_append_text(out, ",\"proposer_priority\":");
	json_put_i64_text(out, v->priority);
	buf_append_text(out, "}");
}

static void put_validators(
	struct buf *out, const char *key, const struct validator_set *set, uint32_t proposer)
{
	json_put_key(out, key);
	buf_append_text(out, "{\"validators\":[");
	for (uint32_t i = 0; i < set->count; i++) {
		buf_append_text(out, i ? "," : "");
		put_validator(out, &set->v[i]);
	}
	buf_append_text(out, "],\"proposer\":");
	if (set->count > 0)
		put_validator(out, &set->v[proposer]);
	else
		buf_append_text(out, "null");
	buf_append_text(out, "}");
}

static void put_part_header(struct buf *out, const struct block_id *id)
{
	buf_appendf(out, "{\"total\":%u,\"hash\":", id ? id->parts_total : 0);
	json_put_hex_upper(out, id ? id->parts_hash.b : NULL, id ? sizeof id->parts_hash.b : 0);
	buf_append_text(out, "}");
}

static void put_proposal(struct buf *out, const struct proposal *p)
{
	if (!p) {
		buf_append_text(out, "null");
		return;
	}
	buf_appendf(out, "{\"Type\":%d,\"height\":\"%lld\",\"round\":%d,\"pol_round\":%d,",
		PROPOSAL_TYPE, (long long)p->height, p->round, p->pol_round);
	buf_append_text(out, "\"block_id\":{\"hash\":");
	json_put_hex_upper(out, p->block_id.hash.b, sizeof p->block_id.hash.b);
	buf_append_text(out, ",\"parts\":");
	put_part_header(out, &p->block_id);
	buf_append_text(out, "},");
	put_time(out, "timestamp", p->time);
	buf_append_text(out, ",\"signature\":");
	json_put_base64(out, p->signature.b, sizeof p->signature.b);
	buf_append_text(out, "}");
}

static void put_parts(struct buf *out, const struct part_set *parts)
{
	if (!parts) {
		buf_append_text(out, "null");
		return;
	}
	buf_appendf(out, "{\"count/total\":\"%u/%u\",\"parts_bit_array\":\"", parts->have,
		parts->total);
	for (uint32_t i = 0; i < parts->total; i++)
		buf_append_byte(out, part_set_has(parts, i) ? 'x' : '_');
	buf_append_text(out, "\"}");
}

static void put_last_commit(struct buf *out, const struct consensus *c)
{
	if (!c->has_last_commit) {
		buf_append_text(out, "null");
		return;
	}
	buf_append_text(out, "{\"votes\":");
	put_votes(out, &c->last_validators, &c->last_precommits);
	buf_append_text(out, ",\"votes_bit_array\":");
	put_vote_bits(out, &c->last_validators, &c->last_precommits);
	buf_append_text(out, ",\"peer_maj_23s\":{}}");
}

static void put_full(struct buf *out, const struct driver *driver)
{
	const struct consensus *c = replica_consensus(driver_replica(driver));
	const struct round_state *now = round_of(c, c->round);
	buf_appendf(out, "{\"height\":\"%lld\",\"round\":%d,\"step\":%d,", (long long)c->height,
		c->round, round_state_step(c->step));
	put_time(out, "start_time", driver_height(driver).began);
	buf_append_text(out, ",");
	put_time(out, "commit_time", c->has_last_commit ? driver_height(driver).began : never);
	buf_append_text(out, ",");
	put_validators(out, "validators", &c->validators, consensus_proposer(c, c->round));
	buf_append_text(out, ",\"proposal\":");
	put_proposal(out, proposal_of(c));
	buf_append_text(out, ",\"proposal_block\":null,\"proposal_block_parts\":");
	put_parts(out, replica_proposal_parts(driver_replica(driver)));
	buf_appendf(out, ",\"locked_round\":%d,\"locked_block\":null,\"locked_block_parts\":null",
		c->locked_round);
	buf_appendf(out, ",\"valid_round\":%d,\"valid_block\":null,\"valid_block_parts\":null",
		c->valid_round);
	buf_append_text(out, ",\"votes\":");
	put_rounds(out, c);
	buf_appendf(out, ",\"commit_round\":%d,\"last_commit\":", c->decided_round);
	put_last_commit(out, c);
	buf_append_text(out, ",");
	put_validators(out, "last_validators", &c->last_validators, c->last_validators.proposer);
	buf_append_text(out, ",\"triggered_timeout_precommit\":");
	json_put_bool(out, now && now->precommit_timer);
	buf_append_text(out, "}");
}

void round_state_put(struct buf *out, const struct driver *driver, bool full)
{
	if (full)
		put_full(out, driver);
	else
		put_simple(out, driver);
}

/* ---- peers ---- */

/* null where CometBFT has a nil bit array. */
static void put_bits(struct buf *out, const char *key, const uint8_t *bits, uint32_t count)
{
	buf_append_text(out, ",");
	json_put_key(out, key);
	if (count == 0) {
		buf_append_text(out, "null");
		return;
	}
	buf_append_text(out, "\"");
	for (uint32_t i = 0; i < count; i++)
		buf_append_byte(out, bits[i / 8] >> i % 8 & 1 ? 'x' : '_');
	buf_append_text(out, "\"");
}

/* What it says of parts and votes can be read only while it stands in our round. */
static void put_peer_round(struct buf *out, const struct driver *driver,
	const struct replica_peer_state *peer, uint64_t up_ms)
{
	const struct consensus *c = replica_consensus(driver_replica(driver));
	const struct proposal *p = proposal_of(c);
	bool ours = peer->told && peer->height == c->height;
	bool proposal = ours && peer->has_proposal && p && peer->round == c->round;
	const struct block_id *block = proposal ? &p->block_id : NULL;
	buf_appendf(out, "{\"height\":\"%lld\",\"round\":%d,\"step\":%d,", (long long)peer->height,
		peer->told ? peer->round : -1, peer->told ? round_state_step(peer->step) : 0);
	put_time(out, "start_time", timestamp_of_ms((int64_t)(clock_wall_ms() - up_ms)));
	buf_append_text(out, ",\"proposal\":");
	json_put_bool(out, peer->has_proposal);
	buf_append_text(out, ",\"proposal_block_part_set_header\":");
	put_part_header(out, block);
	put_bits(out, "proposal_block_parts", peer->parts, block ? block->parts_total : 0);
	buf_appendf(out, ",\"proposal_pol_round\":%d,\"proposal_pol\":null",
		proposal ? p->pol_round : -1);
	put_bits(out, "prevotes", peer->prevotes, ours ? c->validators.count : 0);
	put_bits(out, "precommits", peer->precommits, ours ? c->validators.count : 0);
	buf_append_text(out, ",\"last_commit_round\":-1,\"last_commit\":null,"
			     "\"catchup_commit_round\":-1,\"catchup_commit\":null}");
}

static void put_peer(struct buf *out, const struct driver *driver, const struct net_peer *peer,
	const struct net_status *status, const struct replica_peer_state *state)
{
	struct validator_address id = validator_address_of(&peer->key);
	bool ipv6 = strchr(peer->host, ':') != NULL;
	buf_append_text(out, "{\"node_address\":\"");
	buf_append_hex_lower(out, id.b, sizeof id.b);
	buf_appendf(out, "@%s%s%s:%u\",\"peer_state\":{\"round_state\":", ipv6 ? "[" : "",
		peer->host, ipv6 ? "]" : "", peer->port);
	put_peer_round(out, driver, state, status->up_ms);
	buf_append_text(out, ",\"stats\":{\"votes\":\"0\",\"block_parts\":\"0\"}}}");
}

void round_state_put_peers(struct buf *out, const struct driver *driver, const struct net *net)
{
	bool first = true;
	buf_append_text(out, "[");
	for (uint32_t i = 0; net && i < net_peer_count(net); i++) {
		struct net_status status;
		if (!net_look(net, i, &status))
			continue;
		buf_append_text(out, first ? "" : ",");
		first = false;
		put_peer(out, driver, net_peer(net, i), &status,
			replica_peer_state(driver_replica(driver), i));
	}
	buf_append_text(out, "]");
}
