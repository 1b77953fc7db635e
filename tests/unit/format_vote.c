/* What votes, proposals and commits are signed over, and whom a commit convinces. */
#include "tests/unit/vectors.h"

#include <string.h>

#include "base/arena.h"
#include "chain/format/commit.h"
#include "chain/format/wire.h"

static json_t *all;

static int load(void **state)
{
	static const uint8_t seed[32] = {1};

	(void)state;
	all = vectors_load("comet_format.json");
	return keys_start(seed) ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	vectors_free_all();
	json_decref(all);
	return 0;
}

static struct block_id read_id(const json_t *v)
{
	struct block_id id = {0};

	if (json_is_null(v))
		return id;
	id.hash = vectors_hash(v, "hash");
	id.parts_total = (uint32_t)vectors_int(v, "total");
	id.parts_hash = vectors_hash(v, "parts");
	return id;
}

static void a_vote_signs_the_bytes_that_cometbft_signs(void **state)
{
	size_t i, verified = 0;
	json_t *v;

	json_array_foreach(vectors_member(all, "vote"), i, v)
	{
		const char *chain_id = vectors_text(v, "chain_id");
		struct vote vote = {0};
		struct buf bytes = {0};

		vote.type = (enum vote_type)vectors_int(v, "type");
		vote.height = vectors_int(v, "height");
		vote.round = (int32_t)vectors_int(v, "round");
		vote.block_id = read_id(vectors_member(v, "block_id"));
		vote.time = vectors_time(v, "time");
		vote_sign_bytes(&bytes, chain_id, &vote);
		assert_bytes_equal(
			buf_view(&bytes), vectors_bytes(v, "sign_bytes"), vectors_text(v, "name"));
		buf_fini(&bytes);
		if (json_object_get(v, "key")) {
			struct validator_key key;

			memcpy(key.b, vectors_bytes(v, "key").data, sizeof key.b);
			memcpy(vote.signature.b, vectors_bytes(v, "signature").data, 64);
			assert_true(vote_verify(&vote, chain_id, &key));
			assert_false(vote_verify(&vote, "another", &key));
			vote.time.nanos++;
			assert_false(vote_verify(&vote, chain_id, &key));
			verified++;
		}
	}
	assert_int_equal(verified, 3);
}

static void a_proposal_signs_the_bytes_that_cometbft_signs(void **state)
{
	json_t *v = json_array_get(vectors_member(all, "proposal"), 0);
	struct proposal proposal = {0};
	struct buf bytes = {0};

	proposal.height = vectors_int(v, "height");
	proposal.round = (int32_t)vectors_int(v, "round");
	proposal.pol_round = (int32_t)vectors_int(v, "pol_round");
	proposal.block_id = read_id(vectors_member(v, "block_id"));
	proposal.time = vectors_time(v, "time");
	proposal_sign_bytes(&bytes, vectors_text(v, "chain_id"), &proposal);
	assert_bytes_equal(buf_view(&bytes), vectors_bytes(v, "sign_bytes"), "proposal");
	buf_fini(&bytes);
}

static struct validator_secret secret_of(unsigned i)
{
	struct validator_secret secret = {{0}};

	secret.seed[0] = (uint8_t)(i + 1);
	return secret;
}

static struct block_id some_id(uint8_t fill)
{
	struct block_id id;

	memset(id.hash.b, fill, sizeof id.hash.b);
	memset(id.parts_hash.b, fill + 1, sizeof id.parts_hash.b);
	id.parts_total = 3;
	return id;
}

static struct vote some_vote(void)
{
	struct vote vote = {.type = VOTE_PREVOTE, .height = 12, .round = 3, .index = 2};

	vote.block_id = some_id(9);
	vote.time = timestamp_of_ms(1700000000123);
	memset(vote.address.b, 4, sizeof vote.address.b);
	memset(vote.signature.b, 5, sizeof vote.signature.b);
	return vote;
}

static void a_vote_survives_its_message(void **state)
{
	struct vote vote = some_vote(), back;
	struct vote_message m;
	uint8_t packed[512];
	size_t len;
	Pb__Vote *pb;

	for (int nil = 0; nil < 2; nil++) {
		if (nil)
			memset(&vote.block_id, 0, sizeof vote.block_id);
		vote_message_init(&m, &vote);
		len = pb__vote__pack(&m.pb, packed);
		pb = pb__vote__unpack(NULL, len, packed);
		assert_non_null(pb);
		assert_true(vote_from_pb(&back, pb));
		assert_int_equal(back.type, vote.type);
		assert_int_equal(back.height, vote.height);
		assert_int_equal(back.round, vote.round);
		assert_int_equal(back.index, vote.index);
		assert_true(block_id_equal(&back.block_id, &vote.block_id));
		assert_int_equal(timestamp_compare(back.time, vote.time), 0);
		assert_memory_equal(back.address.b, vote.address.b, 20);
		assert_memory_equal(back.signature.b, vote.signature.b, 64);
		pb__vote__free_unpacked(pb, NULL);
	}
}

static void a_malformed_vote_is_refused(void **state)
{
	struct vote vote = some_vote(), back;
	struct vote_message m;

#define REFUSED(change)                                                                            \
	do {                                                                                       \
		vote_message_init(&m, &vote);                                                      \
		assert_true(vote_from_pb(&back, &m.pb));                                           \
		change;                                                                            \
		assert_false(vote_from_pb(&back, &m.pb));                                          \
	} while (0)
	REFUSED(m.pb.type = 0);
	REFUSED(m.pb.type = 3);
	REFUSED(m.pb.type = 32);
	REFUSED(m.pb.height = 0);
	REFUSED(m.pb.height = -1);
	REFUSED(m.pb.round = -1);
	REFUSED(m.pb.validator_index = -1);
	REFUSED(m.pb.validator_index = VALIDATORS_MAX);
	REFUSED(m.pb.validator_address.len = 19);
	REFUSED(m.pb.signature.len = 63);
	REFUSED(m.pb.signature.len = 0);
	REFUSED(m.pb.block_id = NULL);
	REFUSED(m.pb.timestamp = NULL);
	REFUSED(m.time.nanos = -1);
	REFUSED(m.block_id.pb.hash.len = 0);
	REFUSED(m.block_id.parts.total = 0);
	REFUSED(m.block_id.parts.total = BLOCK_PARTS_MAX + 1);
	REFUSED(m.block_id.pb.part_set_header = NULL);
#undef REFUSED
}

static void a_malformed_proposal_is_refused(void **state)
{
	struct proposal proposal = {.height = 5, .round = 4, .pol_round = 3}, back;
	struct proposal_message m;

	proposal.block_id = some_id(1);
	proposal.time = timestamp_of_ms(1);
#define REFUSED(change)                                                                            \
	do {                                                                                       \
		proposal_message_init(&m, &proposal);                                              \
		assert_true(proposal_from_pb(&back, &m.pb));                                       \
		assert_true(block_id_equal(&back.block_id, &proposal.block_id));                   \
		change;                                                                            \
		assert_false(proposal_from_pb(&back, &m.pb));                                      \
	} while (0)
	REFUSED(m.pb.type = 1);
	REFUSED(m.pb.height = 0);
	REFUSED(m.pb.round = -1);
	REFUSED(m.pb.pol_round = 4);
	REFUSED(m.pb.pol_round = -2);
	REFUSED(m.pb.signature.len = 65);
	REFUSED(m.pb.block_id = NULL);
	REFUSED(m.pb.timestamp = NULL);
	REFUSED((m.block_id.pb.hash.len = 0, m.block_id.parts.hash.len = 0,
		m.block_id.parts.total = 0));
#undef REFUSED
}

/* ---- commits ---- */

enum { MEMBERS = 4 };
static const char CHAIN[] = "commit-chain";

/* A commit of height 7 whose slot i has flag flags[i]; everything in caller's memory. */
struct commit_of {
	Pb__Commit pb;
	struct block_id id;
	struct block_id_message id_message;
	Pb__CommitSig slots[MEMBERS], *list[MEMBERS];
	Pb__Timestamp times[MEMBERS];
	struct vote votes[MEMBERS];
};

static void make_set(struct validator_set *set, const int64_t powers[MEMBERS])
{
	struct validator_power members[MEMBERS];

	for (unsigned i = 0; i < MEMBERS; i++) {
		struct validator_secret secret = secret_of(i);

		members[i].key = validator_key_of(&secret);
		members[i].power = powers[i];
	}
	assert_int_equal(validator_set_make(set, members, MEMBERS), VALIDATORS_OK);
}

static struct validator_secret secret_in_set(const struct validator_set *set, unsigned at)
{
	for (unsigned i = 0; i < MEMBERS; i++) {
		struct validator_secret secret = secret_of(i);
		struct validator_key key = validator_key_of(&secret);

		if (memcmp(key.b, set->v[at].key.b, sizeof key.b) == 0)
			return secret;
	}
	fail();
	return secret_of(0);
}

static void fill_slot(struct commit_of *c, const struct validator_set *set, unsigned i, int flag)
{
	struct validator_secret secret = secret_in_set(set, i);
	struct vote *vote = &c->votes[i];
	struct buf bytes = {0};

	memset(vote, 0, sizeof *vote);
	pb__commit_sig__init(&c->slots[i]);
	c->list[i] = &c->slots[i];
	c->slots[i].block_id_flag = flag;
	c->slots[i].timestamp = &c->times[i];
	timestamp_message_init(&c->times[i], timestamp_go_zero());
	if (flag == COMMIT_FLAG_ABSENT)
		return;
	vote->type = VOTE_PRECOMMIT;
	vote->height = c->pb.height;
	vote->round = c->pb.round;
	vote->time = timestamp_of_ms(1700000000000 + i);
	vote->address = set->v[i].address;
	if (flag == COMMIT_FLAG_COMMIT)
		vote->block_id = c->id;
	vote_sign_bytes(&bytes, CHAIN, vote);
	validator_sign(&vote->signature, &secret, buf_view(&bytes));
	buf_fini(&bytes);
	timestamp_message_init(&c->times[i], vote->time);
	c->slots[i].validator_address = wire_borrow(vote->address.b, 20);
	c->slots[i].signature = wire_borrow(vote->signature.b, 64);
}

static void make_commit(
	struct commit_of *c, const struct validator_set *set, const int flags[MEMBERS])
{
	pb__commit__init(&c->pb);
	c->id = some_id(40);
	block_id_message_init(&c->id_message, &c->id);
	c->pb.height = 7;
	c->pb.round = 1;
	c->pb.block_id = &c->id_message.pb;
	c->pb.n_signatures = MEMBERS;
	c->pb.signatures = c->list;
	for (unsigned i = 0; i < MEMBERS; i++)
		fill_slot(c, set, i, flags[i]);
}

static void more_than_two_thirds_for_the_block_make_a_commit(void **state)
{
	/* Powers by place in the set (descending): 40 30 20 9, total 99; two thirds are 66. */
	static const int64_t powers[MEMBERS] = {40, 30, 20, 9};
	static const struct {
		int flags[MEMBERS];
		enum commit_verdict verdict;
	} table[] = {
		{{2, 2, 2, 2}, COMMIT_OK},
		{{2, 2, 1, 1}, COMMIT_OK},
		{{2, 2, 3, 3}, COMMIT_OK},
		{{2, 1, 2, 2}, COMMIT_OK},
		{{2, 3, 2, 1}, COMMIT_TOO_LITTLE_POWER},
		{{1, 2, 2, 2}, COMMIT_TOO_LITTLE_POWER},
		{{3, 3, 3, 3}, COMMIT_TOO_LITTLE_POWER},
		{{1, 1, 1, 1}, COMMIT_TOO_LITTLE_POWER},
	};
	struct validator_set set;
	struct commit_of c;

	make_set(&set, powers);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		make_commit(&c, &set, table[i].flags);
		assert_int_equal(commit_verify(&set, CHAIN, &c.id, 7, &c.pb), table[i].verdict);
		assert_int_equal(
			commit_verify_light(&set, CHAIN, &c.id, 7, &c.pb), table[i].verdict);
	}
}

static void exactly_two_thirds_are_too_little(void **state)
{
	static const int64_t powers[MEMBERS] = {40, 20, 20, 10};
	static const int flags[MEMBERS] = {2, 2, 1, 1};
	struct validator_set set;
	struct commit_of c;

	make_set(&set, powers);
	make_commit(&c, &set, flags);
	assert_int_equal(set.total_power, 90);
	assert_int_equal(commit_verify(&set, CHAIN, &c.id, 7, &c.pb), COMMIT_TOO_LITTLE_POWER);
}

static void a_false_commit_is_refused_for_what_is_false(void **state)
{
	static const int64_t powers[MEMBERS] = {10, 10, 10, 10};
	static const int flags[MEMBERS] = {2, 2, 2, 3};
	struct validator_set set;
	struct commit_of c;
	struct block_id other = some_id(50);

	make_set(&set, powers);
#define VERDICT(change, verdict)                                                                   \
	do {                                                                                       \
		make_commit(&c, &set, flags);                                                      \
		assert_int_equal(commit_verify(&set, CHAIN, &c.id, 7, &c.pb), COMMIT_OK);          \
		change;                                                                            \
		assert_int_equal(commit_verify(&set, CHAIN, &c.id, 7, &c.pb), verdict);            \
	} while (0)
	VERDICT(c.pb.n_signatures = 3, COMMIT_WRONG_COUNT);
	VERDICT(c.pb.n_signatures = 0, COMMIT_BAD_FORM);
	VERDICT(c.pb.height = 8, COMMIT_WRONG_HEIGHT);
	VERDICT(c.pb.round = 2, COMMIT_BAD_SIGNATURE);
	VERDICT(c.pb.round = -1, COMMIT_BAD_FORM);
	VERDICT(block_id_message_init(&c.id_message, &other), COMMIT_WRONG_BLOCK);
	VERDICT(c.pb.block_id = NULL, COMMIT_BAD_FORM);
	VERDICT(c.list[0] = &c.slots[1], COMMIT_WRONG_VALIDATOR);
	VERDICT(c.votes[0].signature.b[3] ^= 1, COMMIT_BAD_SIGNATURE);
	VERDICT(c.votes[3].signature.b[3] ^= 1, COMMIT_BAD_SIGNATURE); /* the one for nil */
	VERDICT(c.slots[0].block_id_flag = 3, COMMIT_BAD_SIGNATURE);
	VERDICT(c.slots[3].block_id_flag = 2, COMMIT_BAD_SIGNATURE);
	VERDICT(c.slots[0].block_id_flag = 1, COMMIT_BAD_FORM); /* absent with a signature */
	VERDICT(c.slots[0].block_id_flag = 0, COMMIT_BAD_FORM);
	VERDICT(c.slots[0].block_id_flag = 4, COMMIT_BAD_FORM);
	VERDICT(c.slots[0].signature.len = 63, COMMIT_BAD_FORM);
	VERDICT(c.slots[0].validator_address.len = 0, COMMIT_BAD_FORM);
	VERDICT(c.slots[0].timestamp = NULL, COMMIT_BAD_FORM);
	VERDICT(c.times[0].seconds++, COMMIT_BAD_SIGNATURE);
#undef VERDICT
	make_commit(&c, &set, flags);
	assert_int_equal(commit_verify(&set, "other-chain", &c.id, 7, &c.pb), COMMIT_BAD_SIGNATURE);
	/* A light client doesn't look at votes for nil. */
	c.votes[3].signature.b[3] ^= 1;
	assert_int_equal(commit_verify_light(&set, CHAIN, &c.id, 7, &c.pb), COMMIT_OK);
	c.votes[0].signature.b[3] ^= 1;
	assert_int_equal(commit_verify_light(&set, CHAIN, &c.id, 7, &c.pb), COMMIT_BAD_SIGNATURE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vote_signs_the_bytes_that_cometbft_signs),
		cmocka_unit_test(a_proposal_signs_the_bytes_that_cometbft_signs),
		cmocka_unit_test(a_vote_survives_its_message),
		cmocka_unit_test(a_malformed_vote_is_refused),
		cmocka_unit_test(a_malformed_proposal_is_refused),
		cmocka_unit_test(more_than_two_thirds_for_the_block_make_a_commit),
		cmocka_unit_test(exactly_two_thirds_are_too_little),
		cmocka_unit_test(a_false_commit_is_refused_for_what_is_false),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
