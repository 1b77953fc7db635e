/* The light client's part of joining: is this a header of our chain? */
#include <string.h>

#include "chain/format/block.h"
#include "chain/format/commit.h"
#include "chain/format/header.h"
#include "chain/format/wire.h"
#include "consensus/tally.h"
#include "replica/join_inside.h"

static bool is_hash(ProtobufCBinaryData data, const struct hash32 *hash)
{
	return data.len == sizeof hash->b && memcmp(data.data, hash->b, sizeof hash->b) == 0;
}

static struct hash32 hash_in(ProtobufCBinaryData data)
{
	struct hash32 hash = {{0}};
	if (data.len == sizeof hash.b)
		memcpy(hash.b, data.data, sizeof hash.b);
	return hash;
}

void join_light_fini(struct join_light *light)
{
	buf_fini(&light->commit);
	memset(light, 0, sizeof *light);
}

static const char *read_sets(struct join_light *light, const Pb__LightBlock *pb)
{
	const Pb__Header *h = pb->header;
	if (!pb->validators || !pb->next_validators ||
		!validator_set_from_pb(&light->validators, pb->validators) ||
		!validator_set_from_pb(&light->next_validators, pb->next_validators))
		return "validators form";
	struct hash32 hash = validators_hash(&light->validators);
	if (!is_hash(h->validators_hash, &hash))
		return "validators of another hash";
	hash = validators_hash(&light->next_validators);
	return is_hash(h->next_validators_hash, &hash) ? NULL : "next validators of another hash";
}

static void read_header(struct join_light *light, const Pb__Header *h)
{
	light->height = h->height;
	light->app_hash = hash_in(h->app_hash);
	light->last_results_hash = hash_in(h->last_results_hash);
	light->consensus_hash = hash_in(h->consensus_hash);
	light->app_version = h->version->app;
	memcpy(light->proposer.b, h->proposer_address.data, sizeof light->proposer.b);
}

const char *join_light_read(
	struct join_light *light, const Pb__LightBlock *pb, const char *chain_id, int64_t height)
{
	const Pb__Header *h = pb->header;
	const char *fault;
	join_light_fini(light);
	if (!h || !pb->commit || !header_form_valid(h, &fault) || h->height != height ||
		strcmp(h->chain_id, chain_id) != 0 || h->app_hash.len != 32)
		return "header form";
	if (!block_id_from_pb(&light->last_id, h->last_block_id) ||
		!timestamp_from_pb(&light->time, h->time) || !commit_form_valid(pb->commit) ||
		!block_id_from_pb(&light->id, pb->commit->block_id))
		return "header form";
	struct hash32 hash = header_hash(h);
	if (!hash_equal(&hash, &light->id.hash))
		return "a commit for another header";
	fault = read_sets(light, pb);
	if (fault)
		return fault;
	enum commit_verdict verdict =
		commit_verify(&light->validators, chain_id, &light->id, height, pb->commit);
	if (verdict != COMMIT_OK)
		return commit_verdict_text(verdict);
	read_header(light, h);
	light->round = pb->commit->round;
	wire_append(&light->commit, &pb->commit->base);
	/* Whose turn it was is in no header; but in round 0 the block is the proposer's of the
	 * turn. */
	if (light->round == 0 &&
		memcmp(light->proposer.b, validator_set_proposer(&light->validators)->address.b,
			sizeof light->proposer.b) != 0)
		return "a proposer whose turn it wasn't";
	return NULL;
}

bool join_light_trusted(const struct trusted *t, const struct join_light *light)
{
	struct hash32 hash = validators_hash(&light->validators);
	if (light->height == t->height + 1)
		return hash_equal(&hash, &t->next_hash);
	int64_t power = 0;
	Pb__Commit *commit = pb__commit__unpack(NULL, light->commit.len, light->commit.data);
	for (size_t i = 0; commit && i < commit->n_signatures; i++) {
		if (commit->signatures[i]->block_id_flag != COMMIT_FLAG_COMMIT)
			continue;
		int at = validator_set_find(&t->validators, &light->validators.v[i].address);
		if (at >= 0)
			power += t->validators.v[at].power;
	}
	if (commit)
		pb__commit__free_unpacked(commit, NULL);
	return power_is_third(power, t->validators.total_power);
}
