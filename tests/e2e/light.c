/* light: follows a chain by a light client's rules and nothing but the answers of `commit` and
 * `validators`: from the genesis document's validators to the tip, height by height, and once more
 * by skipping as far as a third of the trusted power allows. Usage: light PORT [SKIPS_LEAST].
 * Prints what it verified; ends with 1 when a rule is broken, or when a forged block passes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "chain/format/header.h"
#include "chain/format/validators.h"
#include "chain/format/vote.h"
#include "tests/live/ask.h"

enum { HEIGHTS_MAX = 400, PER_PAGE = 3, CHAIN_ID_BYTES = 64 };

struct signature {
	bool for_block;
	struct validator_address address;
	struct timestamp time;
	struct validator_signature signature;
};

/* One height as a light client knows it. */
struct light_block {
	int64_t height;
	struct timestamp time;
	char chain_id[CHAIN_ID_BYTES];
	struct hash32 validators_hash, next_validators_hash;
	struct block_id id;
	int32_t round;
	struct validator_set set; /* order, keys and powers; no turns */
	struct signature signatures[VALIDATORS_MAX];
	size_t signature_count;
};

static uint16_t port;
static struct light_block *known[HEIGHTS_MAX]; /* by height */
static unsigned fetched;

static void give_up(const char *what, int64_t height)
{
	fprintf(stderr, "light: height %lld: %s\n", (long long)height, what);
	exit(1);
}

/* ---- reading ---- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

static bool hex_of(void *out, size_t len, const json_t *object, const char *name)
{
	const char *text = text_of(object, name);
	return hex_decode(out, len, text, strlen(text));
}

static bool base64_of(void *out, size_t len, const json_t *object, const char *name)
{
	const char *text = text_of(object, name);
	struct buf raw = {0};
	bool good = base64_decode(&raw, text, strlen(text)) && buf_ok(&raw) && raw.len == len;
	if (good)
		memcpy(out, raw.data, len);
	buf_fini(&raw);
	return good;
}

static bool time_of(struct timestamp *out, const json_t *object, const char *name)
{
	const char *text = text_of(object, name);
	return rfc3339_parse(out, text, strlen(text));
}

static bool block_id_of(struct block_id *out, const json_t *object)
{
	const json_t *parts = json_object_get(object, "parts");
	memset(out, 0, sizeof *out);
	out->parts_total = (uint32_t)json_integer_value(json_object_get(parts, "total"));
	return text_of(object, "hash")[0] == 0 ||
	       (hex_of(out->hash.b, 32, object, "hash") &&
		       hex_of(out->parts_hash.b, 32, parts, "hash"));
}

/* Its fourteen fields, hashed again here. */
struct header_bytes {
	Pb__Version version;
	Pb__Timestamp time;
	struct block_id last;
	struct block_id_message last_message;
	uint8_t hashes[8][32], proposer[20];
};

static bool header_of(Pb__Header *out, struct header_bytes *bytes, const json_t *header)
{
	static const char *const names[8] = {"last_commit_hash", "data_hash", "validators_hash",
		"next_validators_hash", "consensus_hash", "app_hash", "last_results_hash",
		"evidence_hash"};
	ProtobufCBinaryData *const fields[8] = {&out->last_commit_hash, &out->data_hash,
		&out->validators_hash, &out->next_validators_hash, &out->consensus_hash,
		&out->app_hash, &out->last_results_hash, &out->evidence_hash};
	struct timestamp time;
	pb__header__init(out);
	pb__version__init(&bytes->version);
	pb__timestamp__init(&bytes->time);
	if (!time_of(&time, header, "time") ||
		!block_id_of(&bytes->last, json_object_get(header, "last_block_id")) ||
		!hex_of(bytes->proposer, 20, header, "proposer_address"))
		return false;
	const json_t *version = json_object_get(header, "version");
	bytes->version.block = (uint64_t)ask_number(version, "block");
	bytes->version.app =
		json_object_get(version, "app") ? (uint64_t)ask_number(version, "app") : 0;
	bytes->time.seconds = time.seconds;
	bytes->time.nanos = time.nanos;
	block_id_message_init(&bytes->last_message, &bytes->last);
	out->version = &bytes->version;
	out->time = &bytes->time;
	out->last_block_id = &bytes->last_message.pb;
	out->chain_id = (char *)(uintptr_t)text_of(header, "chain_id");
	out->height = ask_number(header, "height");
	out->proposer_address = (ProtobufCBinaryData){20, bytes->proposer};
	for (size_t i = 0; i < 8; i++) {
		if (!hex_of(bytes->hashes[i], 32, header, names[i]))
			return false;
		*fields[i] = (ProtobufCBinaryData){32, bytes->hashes[i]};
	}
	return true;
}

static bool read_signatures(struct light_block *b, const json_t *list)
{
	size_t i;
	const json_t *one;
	json_array_foreach(list, i, one)
	{
		struct signature *s = &b->signatures[i];
		json_int_t flag = json_integer_value(json_object_get(one, "block_id_flag"));
		if (i == VALIDATORS_MAX || flag < 1 || flag > 3)
			return false;
		s->for_block = flag == 2;
		if (s->for_block && (!hex_of(s->address.b, 20, one, "validator_address") ||
					    !time_of(&s->time, one, "timestamp") ||
					    !base64_of(s->signature.b, 64, one, "signature")))
			return false;
	}
	b->signature_count = json_array_size(list);
	return true;
}

static bool read_commit(struct light_block *b, const json_t *result)
{
	struct header_bytes bytes;
	Pb__Header header;
	const json_t *signed_header = json_object_get(result, "signed_header");
	const json_t *commit = json_object_get(signed_header, "commit");
	if (!header_of(&header, &bytes, json_object_get(signed_header, "header")) ||
		!block_id_of(&b->id, json_object_get(commit, "block_id")) ||
		!read_signatures(b, json_object_get(commit, "signatures")))
		return false;
	b->height = header.height;
	b->time = (struct timestamp){header.time->seconds, header.time->nanos};
	snprintf(b->chain_id, sizeof b->chain_id, "%s", header.chain_id);
	memcpy(b->validators_hash.b, bytes.hashes[2], 32);
	memcpy(b->next_validators_hash.b, bytes.hashes[3], 32);
	b->round = (int32_t)json_integer_value(json_object_get(commit, "round"));
	struct hash32 hash = header_hash(&header);
	return memcmp(hash.b, b->id.hash.b, 32) == 0 && ask_number(commit, "height") == b->height;
}

static bool read_validator(struct validator *out, const json_t *one)
{
	if (!base64_of(out->key.b, sizeof out->key.b, json_object_get(one, "pub_key"), "value") ||
		!hex_of(out->address.b, sizeof out->address.b, one, "address"))
		return false;
	struct validator_address derived = validator_address_of(&out->key);
	out->power = ask_number(one, "voting_power");
	return out->power > 0 && memcmp(derived.b, out->address.b, sizeof derived.b) == 0;
}

/* All pages. */
static bool read_validators(struct validator_set *set, int64_t height)
{
	char fault[256] = "", height_text[24], page_text[24], per_page[24];
	snprintf(height_text, sizeof height_text, "%lld", (long long)height);
	snprintf(per_page, sizeof per_page, "%d", PER_PAGE);
	memset(set, 0, sizeof *set);
	for (int page = 1;; page++) {
		snprintf(page_text, sizeof page_text, "%d", page);
		json_t *result = ask_call(port, "validators",
			json_pack("{s:s,s:s,s:s}", "height", height_text, "page", page_text,
				"per_page", per_page),
			fault);
		size_t i;
		const json_t *one;
		json_array_foreach(json_object_get(result, "validators"), i, one)
		{
			if (set->count == VALIDATORS_MAX ||
				!read_validator(&set->v[set->count], one))
				return false;
			set->total_power += set->v[set->count++].power;
		}
		int64_t total = ask_number(result, "total");
		json_decref(result);
		if (total < 1 || set->count >= total)
			return total == set->count;
	}
}

static const struct light_block *fetch(int64_t height)
{
	char fault[256] = "", text[24];
	if (height < 1 || height >= HEIGHTS_MAX)
		give_up("not within reach of this test", height);
	if (known[height])
		return known[height];
	struct light_block *b = calloc(1, sizeof *b);
	snprintf(text, sizeof text, "%lld", (long long)height);
	json_t *result = ask_call(port, "commit", json_pack("{s:s}", "height", text), fault);
	if (!b || !result)
		give_up(fault, height);
	if (!read_commit(b, result) || b->height != height)
		give_up("the signed header isn't one, or has another hash", height);
	json_decref(result);
	if (!read_validators(&b->set, height))
		give_up("the validators can't be read", height);
	struct hash32 hash = validators_hash(&b->set);
	if (memcmp(hash.b, b->validators_hash.b, 32) != 0)
		give_up("the validators aren't those of its header", height);
	known[height] = b;
	fetched++;
	return b;
}

/* ---- the rules ---- */

static bool signed_by(
	const struct light_block *b, const struct signature *s, const struct validator_key *key)
{
	struct vote vote = {
		.type = VOTE_PRECOMMIT,
		.height = b->height,
		.round = b->round,
		.block_id = b->id,
		.time = s->time,
		.signature = s->signature,
	};
	return vote_verify(&vote, b->chain_id, key);
}

/* More than two thirds of its own validators, each in his place. */
static bool committed(const struct light_block *b)
{
	int64_t power = 0;
	if (b->signature_count != b->set.count)
		return false;
	for (size_t i = 0; i < b->signature_count; i++) {
		const struct signature *s = &b->signatures[i];
		const struct validator *v = &b->set.v[i];
		if (!s->for_block)
			continue;
		if (memcmp(s->address.b, v->address.b, sizeof v->address.b) != 0 ||
			!signed_by(b, s, &v->key))
			return false;
		power += v->power;
	}
	return power > b->set.total_power * 2 / 3;
}

/* More than a third of the trusted validators, wherever they sit now. */
static bool trusted_by(const struct validator_set *trusted, const struct light_block *b)
{
	bool counted[VALIDATORS_MAX] = {false};
	int64_t power = 0;
	for (size_t i = 0; i < b->signature_count; i++) {
		const struct signature *s = &b->signatures[i];
		int at = s->for_block ? validator_set_find(trusted, &s->address) : -1;
		if (at < 0)
			continue;
		if (counted[at] || !signed_by(b, s, &trusted->v[at].key))
			return false;
		counted[at] = true;
		power += trusted->v[at].power;
	}
	return power > trusted->total_power / 3;
}

static bool follows(const struct light_block *trusted, const struct light_block *b)
{
	return b->height > trusted->height && timestamp_compare(b->time, trusted->time) > 0 &&
	       strcmp(b->chain_id, trusted->chain_id) == 0;
}

static bool adjacent(const struct light_block *trusted, const struct light_block *b)
{
	return follows(trusted, b) && b->height == trusted->height + 1 &&
	       memcmp(b->validators_hash.b, trusted->next_validators_hash.b, 32) == 0 &&
	       committed(b);
}

static bool skipping(const struct light_block *trusted, const struct light_block *b)
{
	if (b->height == trusted->height + 1)
		return adjacent(trusted, b);
	return follows(trusted, b) && trusted_by(&trusted->set, b) && committed(b);
}

/* ---- the two ways ---- */

static bool same_set(const struct light_block *a, const struct light_block *b)
{
	return memcmp(a->validators_hash.b, b->validators_hash.b, 32) == 0;
}

static unsigned walk(int64_t tip)
{
	unsigned changes = 0;
	for (int64_t height = 2; height <= tip; height++) {
		const struct light_block *before = fetch(height - 1), *b = fetch(height);
		if (!adjacent(before, b))
			give_up("doesn't follow from the height before", height);
		changes += !same_set(before, b);
	}
	return changes;
}

/* Halves the way whenever too few of those it trusts have signed. Returns the hops it took. */
static unsigned skip(int64_t tip)
{
	int64_t trusted = 1;
	unsigned hops = 0;
	while (trusted < tip) {
		int64_t to = tip;
		while (!skipping(fetch(trusted), fetch(to))) {
			if (to == trusted + 1)
				give_up("can't be reached by skipping", to);
			to = trusted + (to - trusted) / 2;
		}
		trusted = to;
		hops++;
	}
	return hops;
}

/* ---- forgeries ---- */

static void refuse(bool passed, const char *what)
{
	if (passed)
		give_up(what, 0);
}

static void forge(int64_t tip)
{
	static struct light_block b;
	const struct light_block *before = fetch(tip - 1);
	b = *fetch(tip);
	for (size_t i = 0; i < b.signature_count; i++)
		b.signatures[i].signature.b[5] ^= 1;
	refuse(adjacent(before, &b), "changed signatures pass");
	b = *fetch(tip);
	b.id.parts_total++;
	refuse(adjacent(before, &b), "signatures of another block pass");
	b = *fetch(tip);
	for (size_t i = 0, left = b.set.count / 3 + 1; i < b.signature_count && left > 0; i++) {
		left -= b.signatures[i].for_block;
		b.signatures[i].for_block = false;
	}
	refuse(adjacent(before, &b), "two thirds pass that aren't there");
	b = *fetch(tip);
	for (size_t i = 1; i < b.signature_count; i++)
		b.signatures[i] = b.signatures[0];
	refuse(trusted_by(&before->set, &b), "one vote counts for many");
	b = *fetch(tip);
	b.time = before->time;
	refuse(adjacent(before, &b), "time that stands still passes");
	b = *fetch(tip);
	b.validators_hash.b[0] ^= 1;
	refuse(adjacent(before, &b), "validators that nobody announced pass");
	b = *fetch(tip);
	b.chain_id[0] ^= 1;
	refuse(adjacent(before, &b), "another chain's block passes");
}

/* The first block is trusted because its validators are the genesis document's. */
static void begin(void)
{
	char fault[256] = "";
	json_t *result = ask_call(port, "genesis", NULL, fault);
	const json_t *list = json_object_get(json_object_get(result, "genesis"), "validators");
	const struct light_block *first = fetch(1);
	size_t i, found = 0;
	const json_t *one;
	json_array_foreach(list, i, one)
	{
		struct validator_address address;
		int at = hex_of(address.b, sizeof address.b, one, "address")
				 ? validator_set_find(&first->set, &address)
				 : -1;
		found += at >= 0 && first->set.v[at].power == ask_number(one, "power");
	}
	if (found != first->set.count || json_array_size(list) != found)
		give_up("its validators aren't those of the genesis document", 1);
	if (!committed(first))
		give_up("isn't signed by the genesis document's validators", 1);
	json_decref(result);
}

int main(int argc, char **argv)
{
	static const uint8_t seed[32] = {1};
	char fault[256] = "";
	port = argc > 1 ? (uint16_t)atoi(argv[1]) : 0;
	unsigned hops_least = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
	if (port == 0 || !keys_start(seed)) {
		fprintf(stderr, "light PORT [SKIPS_LEAST]\n");
		return 2;
	}
	json_t *status = ask_call(port, "status", NULL, fault);
	int64_t tip = ask_number(json_object_get(status, "sync_info"), "latest_block_height");
	json_decref(status);
	if (tip < 2)
		give_up(fault, tip);
	begin();
	unsigned changes = walk(tip);
	unsigned hops = skip(tip);
	forge(tip);
	printf("light: %lld heights in a row, %u changes of the validators; 1 to %lld in %u "
	       "hop%s\n",
		(long long)tip, changes, (long long)tip, hops, hops == 1 ? "" : "s");
	for (int64_t i = 0; i < HEIGHTS_MAX; i++)
		free(known[i]);
	if (hops < hops_least) {
		fprintf(stderr, "light: fewer hops than %u: the change was none\n", hops_least);
		return 1;
	}
	return 0;
}
