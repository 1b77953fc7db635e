#include "node/stall.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "node/clock.h"

enum { SILENT_MS = 3000 }; /* a peer says where it stands once a second at least */

/* ---- whom a seat belongs to ---- */

/* The peer that says it has this validator's key, or that bears its name. */
static uint32_t peer_of(
	const struct stall_source *s, const struct validator_address *address, const char *name)
{
	const struct replica *r = driver_replica(s->driver);
	uint32_t count = s->net ? net_peer_count(s->net) : 0, named = PEERS_MAX;
	for (uint32_t i = 0; i < count; i++) {
		const struct replica_peer_state *said = replica_peer_state(r, i);
		if (said->has_validator &&
			memcmp(said->validator.b, address->b, sizeof address->b) == 0)
			return i;
		if (!said->has_validator && strcmp(net_peer(s->net, i)->name, name) == 0)
			named = i;
	}
	return named;
}

static const char *genesis_name(const struct genesis *g, const struct validator_address *address)
{
	for (size_t i = 0; i < g->validator_count; i++) {
		if (memcmp(g->validators[i].address.b, address->b, sizeof address->b) == 0)
			return g->validators[i].name;
	}
	return "";
}

static void name_seat(struct stall_seat *seat, const struct stall_source *s, const char *other)
{
	const char *name = genesis_name(s->genesis, &seat->address);
	name = name[0] ? name : other;
	if (name[0])
		snprintf(seat->name, sizeof seat->name, "%.64s", name);
	else
		hex_upper(seat->name, seat->address.b, 6);
}

static void look_peer(struct stall_seat *seat, const struct stall_source *s, uint32_t peer)
{
	struct net_status status;
	const struct replica_peer_state *said = replica_peer_state(driver_replica(s->driver), peer);
	if (!net_look(s->net, peer, &status)) {
		seat->contact = STALL_AWAY;
		seat->away_ms = net_away_ms(s->net, peer);
		return;
	}
	uint64_t now_ms = clock_steady_ms();
	seat->contact = STALL_LINKED;
	seat->told = said->told;
	seat->silent = said->silent;
	seat->height = said->height;
	seat->round = said->round;
	seat->step = said->step;
	seat->silent_ms = said->told ? now_ms - said->heard_ms : status.up_ms;
}

static void look_seat(struct stall_seat *seat, const struct stall_source *s, uint32_t index)
{
	const struct consensus *c = replica_consensus(driver_replica(s->driver));
	seat->address = c->validators.v[index].address;
	seat->power = c->validators.v[index].power;
	if (memcmp(seat->address.b, s->me.b, sizeof s->me.b) == 0) {
		seat->contact = STALL_ME;
		seat->silent = replica_silent(driver_replica(s->driver)) != NULL;
		name_seat(seat, s, s->moniker);
		return;
	}
	uint32_t peer = peer_of(s, &seat->address, genesis_name(s->genesis, &seat->address));
	seat->contact = STALL_UNKNOWN;
	name_seat(seat, s, peer < PEERS_MAX ? net_peer(s->net, peer)->name : "");
	if (peer < PEERS_MAX)
		look_peer(seat, s, peer);
}

/* ---- what is waited for ---- */

static const struct round_state *round_now(const struct consensus *c)
{
	for (size_t i = 0; i < ROUNDS_KEPT; i++) {
		if (c->rounds[i].used && c->rounds[i].round == c->round)
			return &c->rounds[i];
	}
	return NULL;
}

static enum stall_kind kind_of(const struct consensus *c, bool behind)
{
	if (behind)
		return STALL_BLOCKS;
	switch (c->step) {
	case STEP_WAIT: return STALL_NOTHING;
	case STEP_PROPOSE: return STALL_PROPOSAL;
	case STEP_PREVOTE: return STALL_PREVOTES;
	case STEP_PRECOMMIT: return STALL_PRECOMMITS;
	case STEP_EXECUTE:
	case STEP_COMMIT: return STALL_WRITING;
	}
	return STALL_NOTHING;
}

static void count_votes(struct stall *out, const struct consensus *c, const struct tally *tally)
{
	bool equal = true;
	for (uint32_t i = 0; i < out->count; i++) {
		struct stall_seat *seat = &out->seats[i];
		equal = equal && seat->power == out->seats[0].power;
		if (!tally || !tally->slots[i].present)
			continue;
		seat->voted = true;
		seat->for_nil = block_id_is_nil(&tally->slots[i].vote.block_id);
		out->have += seat->power;
		out->have_count++;
	}
	out->total = c->validators.total_power;
	out->need = power_quorum(out->total);
	out->need_count = equal ? (uint32_t)power_quorum(out->count) : 0;
}

static int64_t greatest_height(const struct stall_source *s)
{
	int64_t greatest = 0;
	for (uint32_t i = 0; s->net && i < net_peer_count(s->net); i++) {
		struct net_status status;
		int64_t height = replica_peer_state(driver_replica(s->driver), i)->height;
		if (height > greatest && net_look(s->net, i, &status))
			greatest = height;
	}
	return greatest;
}

void stall_look(struct stall *out, const struct stall_source *source)
{
	const struct replica *r = driver_replica(source->driver);
	const struct consensus *c = replica_consensus(r);
	const struct round_state *now = round_now(c);
	struct driver_height height = driver_height(source->driver);
	memset(out, 0, sizeof *out);
	out->height = c->height;
	out->round = c->round;
	out->kind = kind_of(c, replica_catching_up(r));
	out->ahead = greatest_height(source);
	out->silent = replica_silent(r);
	out->clock_paused = replica_clock_paused(r);
	out->count = c->validators.count;
	out->proposer = consensus_proposer(c, c->round);
	if (height.begun_ms > 0)
		out->waiting_ms = clock_steady_ms() - height.begun_ms;
	for (uint32_t i = 0; i < out->count; i++)
		look_seat(&out->seats[i], source, i);
	const struct part_set *parts = replica_proposal_parts(r);
	out->parts_missing = now && now->has_proposal && (!parts || !part_set_complete(parts));
	const struct tally *tally = NULL;
	if (now && out->kind == STALL_PREVOTES)
		tally = &now->prevotes;
	if (now && (out->kind == STALL_PRECOMMITS || out->kind == STALL_WRITING))
		tally = &now->precommits;
	count_votes(out, c, tally);
}

/* ---- in words ---- */

const char *stall_kind_name(enum stall_kind kind)
{
	switch (kind) {
	case STALL_NOTHING: return "nothing";
	case STALL_BLOCKS: return "blocks";
	case STALL_PROPOSAL: return "proposal";
	case STALL_PREVOTES: return "prevotes";
	case STALL_PRECOMMITS: return "precommits";
	case STALL_WRITING: return "writing";
	}
	return "?";
}

void stall_seat_text(struct buf *out, const struct stall *stall, const struct stall_seat *seat)
{
	switch (seat->contact) {
	case STALL_ME:
		buf_append_text(out, seat->silent ? "this node, which may not vote" : "this node");
		return;
	case STALL_AWAY:
		buf_appendf(out, "not connected for %llu s",
			(unsigned long long)(seat->away_ms / 1000));
		return;
	case STALL_UNKNOWN: buf_append_text(out, "no listed peer is known to be it"); return;
	case STALL_LINKED: break;
	}
	if (seat->silent_ms >= SILENT_MS || !seat->told)
		buf_appendf(out, "connected, silent for %llu s",
			(unsigned long long)(seat->silent_ms / 1000));
	else if (seat->silent)
		buf_append_text(out, "connected, says that it may not vote");
	else if (seat->height != stall->height)
		buf_appendf(out, "at height %lld", (long long)seat->height);
	else if (seat->round != stall->round)
		buf_appendf(out, "in round %d", seat->round);
	else
		buf_appendf(out, "connected, step %s", consensus_step_name(seat->step));
}

static void put_names(struct buf *out, const struct stall *stall)
{
	const char *comma = "";
	for (uint32_t i = 0; i < stall->count; i++) {
		if (!stall->seats[i].voted)
			continue;
		buf_appendf(out, "%s%s%s", comma, stall->seats[i].name,
			stall->seats[i].for_nil ? " for nil" : "");
		comma = ", ";
	}
}

static void put_missing(struct buf *out, const struct stall *stall)
{
	const char *comma = "; missing: ";
	for (uint32_t i = 0; i < stall->count; i++) {
		const struct stall_seat *seat = &stall->seats[i];
		if (seat->voted)
			continue;
		buf_appendf(out, "%s%s (", comma, seat->name);
		stall_seat_text(out, stall, seat);
		buf_append_text(out, ")");
		comma = ", ";
	}
}

static void put_votes(struct buf *out, const struct stall *stall)
{
	if (stall->need_count > 0)
		buf_appendf(out, "waits for %s: have %u of %u", stall_kind_name(stall->kind),
			stall->have_count, stall->count);
	else
		buf_appendf(out, "waits for %s: have power %lld of %lld",
			stall_kind_name(stall->kind), (long long)stall->have,
			(long long)stall->total);
	if (stall->have_count > 0) {
		buf_append_text(out, " (");
		put_names(out, stall);
		buf_append_text(out, ")");
	}
	buf_appendf(out, ", need %lld",
		stall->need_count > 0 ? (long long)stall->need_count : (long long)stall->need);
	if (stall->have >= stall->need)
		buf_append_text(out, ", but they differ: another round follows");
	put_missing(out, stall);
}

static void put_proposal(struct buf *out, const struct stall *stall)
{
	const struct stall_seat *proposer = &stall->seats[stall->proposer];
	buf_appendf(out, "waits for the %s %s (",
		stall->parts_missing ? "block proposed by" : "proposal of", proposer->name);
	stall_seat_text(out, stall, proposer);
	buf_append_text(out, ")");
}

/* Where no vote is waited for, who could not give one. */
static void put_unlinked(struct buf *out, const struct stall *stall)
{
	const char *comma = "; ";
	for (uint32_t i = 0; i < stall->count; i++) {
		const struct stall_seat *seat = &stall->seats[i];
		if (seat->contact != STALL_AWAY && seat->contact != STALL_UNKNOWN)
			continue;
		buf_appendf(out, "%s%s: ", comma, seat->name);
		stall_seat_text(out, stall, seat);
		comma = ", ";
	}
}

/* What keeps this node itself from its part. */
static void put_self(struct buf *out, const struct stall *stall)
{
	if (stall->silent)
		buf_appendf(out, "; this node may not vote: %s", stall->silent);
	if (stall->clock_paused)
		buf_append_text(out, "; this node's clock leapt ahead: it proposes nothing");
}

void stall_text(struct buf *out, const struct stall *stall)
{
	buf_appendf(out, "height %lld ", (long long)stall->height);
	if (stall->kind != STALL_NOTHING && stall->kind != STALL_BLOCKS)
		buf_appendf(out, "round %d ", stall->round);
	switch (stall->kind) {
	case STALL_NOTHING:
		buf_append_text(out, "has nothing to decide yet: it begins with a transaction, or "
				     "at the heartbeat");
		break;
	case STALL_BLOCKS:
		buf_appendf(out, "is being fetched from peers, who decide height %lld",
			(long long)stall->ahead);
		break;
	case STALL_PROPOSAL: put_proposal(out, stall); break;
	case STALL_PREVOTES:
	case STALL_PRECOMMITS:
		put_votes(out, stall);
		put_self(out, stall);
		return;
	case STALL_WRITING: buf_append_text(out, "is decided; this node writes it"); break;
	}
	put_unlinked(out, stall);
	put_self(out, stall);
}

/* ---- as JSON ---- */

static const char *contact_name(enum stall_contact contact)
{
	switch (contact) {
	case STALL_ME: return "this_node";
	case STALL_LINKED: return "connected";
	case STALL_AWAY: return "not_connected";
	case STALL_UNKNOWN: return "unknown";
	}
	return "?";
}

static void put_text(struct buf *out, const char *key, const char *text)
{
	buf_append_text(out, ",");
	json_put_key(out, key);
	json_put_text(out, text);
}

static void put_number(struct buf *out, const char *key, int64_t value)
{
	buf_append_text(out, ",");
	json_put_key(out, key);
	json_put_i64_text(out, value);
}

static void put_flag(struct buf *out, const char *key, bool value)
{
	buf_append_text(out, ",");
	json_put_key(out, key);
	json_put_bool(out, value);
}

static void put_seat(struct buf *out, const struct stall *stall, const struct stall_seat *seat)
{
	struct buf text = {0};
	stall_seat_text(&text, stall, seat);
	buf_append_text(out, "{\"address\":");
	json_put_hex_upper(out, seat->address.b, sizeof seat->address.b);
	put_text(out, "name", seat->name);
	put_number(out, "voting_power", seat->power);
	put_flag(out, "voted", seat->voted);
	put_flag(out, "for_nil", seat->for_nil);
	put_flag(out, "silent", seat->silent);
	put_text(out, "contact", contact_name(seat->contact));
	if (seat->contact == STALL_AWAY)
		put_number(out, "away_ms", (int64_t)seat->away_ms);
	if (seat->contact == STALL_LINKED)
		put_number(out, "silent_ms", (int64_t)seat->silent_ms);
	if (seat->told) {
		put_number(out, "height", seat->height);
		buf_appendf(out, ",\"round\":%d", seat->round);
		put_text(out, "step", consensus_step_name(seat->step));
	}
	put_text(out, "text", buf_text(&text));
	buf_append_text(out, "}");
	buf_fini(&text);
}

void stall_json(struct buf *out, const struct stall *stall)
{
	struct buf text = {0};
	stall_text(&text, stall);
	buf_appendf(
		out, "{\"height\":\"%lld\",\"round\":%d", (long long)stall->height, stall->round);
	put_text(out, "waits_for", stall_kind_name(stall->kind));
	put_number(out, "waiting_ms", (int64_t)stall->waiting_ms);
	put_text(out, "text", buf_text(&text));
	put_text(out, "silent", stall->silent ? stall->silent : "");
	put_flag(out, "clock_paused", stall->clock_paused);
	buf_append_text(out, ",\"proposer\":");
	json_put_hex_upper(out, stall->seats[stall->proposer].address.b,
		sizeof stall->seats[stall->proposer].address.b);
	put_number(out, "power_voted", stall->have);
	put_number(out, "power_needed", stall->need);
	put_number(out, "power_total", stall->total);
	buf_append_text(out, ",\"validators\":[");
	for (uint32_t i = 0; i < stall->count; i++) {
		buf_append_text(out, i ? "," : "");
		put_seat(out, stall, &stall->seats[i]);
	}
	buf_append_text(out, "]}");
	buf_fini(&text);
}

/* ---- in the log ---- */

void stall_tell(struct stall_teller *teller, struct log *log, const struct stall *stall)
{
	if (teller->height != 0 && stall->height > teller->height) {
		log_event(log, LOG_INFO, "chain_goes_on height=%lld", (long long)stall->height);
		teller->height = 0;
	}
	if (teller->height == 0)
		teller->next_ms = STALL_TELL_MS;
	if (stall->kind == STALL_BLOCKS || stall->waiting_ms < teller->next_ms)
		return;
	struct buf text = {0};
	stall_text(&text, stall);
	log_event(log, LOG_UNUSUAL, "chain_waits seconds=%llu text=\"%s\"",
		(unsigned long long)(stall->waiting_ms / 1000), buf_text(&text));
	buf_fini(&text);
	teller->height = stall->height;
	teller->next_ms =
		stall->waiting_ms +
		(teller->next_ms < STALL_TELL_MS_MAX ? teller->next_ms : STALL_TELL_MS_MAX);
}
