/* accuse: the simulator's judge of forks, held to the two ways a validator can be guilty of one and
 * to the ways an honest one can look so. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "chain/format/wire.h"
#include "chain/proto/peer.pb-c.h"
#include "tests/sim/accuse.h"

enum { VALIDATORS = 4 };
static const char chain_id[] = "accuse-1";
static struct validator_secret secrets[VALIDATORS]; /* by place in the set */
static struct validator_set set;
static struct accuse accuse;

static int begin(void **state)
{
	static const uint8_t blinding[32] = {1};
	struct validator_power members[VALIDATORS];
	struct validator_secret made[VALIDATORS];
	if (!keys_start(blinding))
		return -1;
	for (uint8_t i = 0; i < VALIDATORS; i++) {
		memset(made[i].seed, i + 1, sizeof made[i].seed);
		members[i] = (struct validator_power){validator_key_of(&made[i]), 10};
	}
	assert_int_equal(validator_set_make(&set, members, VALIDATORS), VALIDATORS_OK);
	for (uint32_t i = 0; i < VALIDATORS; i++) {
		for (uint32_t k = 0; k < VALIDATORS; k++) {
			if (memcmp(set.v[i].key.b, members[k].key.b, 32) == 0)
				secrets[i] = made[k];
		}
	}
	memset(&accuse, 0, sizeof accuse);
	return 0;
}

static int end(void **state)
{
	accuse_fini(&accuse);
	return 0;
}

/* name: of the block; 0: nil. */
static void says(uint32_t index, enum vote_type type, int32_t round, int name)
{
	struct vote v;
	memset(&v, 0, sizeof v);
	v.type = type;
	v.height = 5;
	v.round = round;
	v.index = index;
	v.address = set.v[index].address;
	v.time = timestamp_of_ms(1700000000000);
	if (name > 0) {
		memset(v.block_id.hash.b, name, 32);
		memset(v.block_id.parts_hash.b, name, 32);
		v.block_id.parts_total = 1;
	}
	struct buf bytes;
	buf_init(&bytes, 0);
	vote_sign_bytes(&bytes, chain_id, &v);
	validator_sign(&v.signature, &secrets[index], buf_view(&bytes));
	struct vote_message m;
	vote_message_init(&m, &v);
	Pb__PeerMessage message = PB__PEER_MESSAGE__INIT;
	message.sum_case = PB__PEER_MESSAGE__SUM_VOTE;
	message.vote = &m.pb;
	buf_clear(&bytes);
	wire_append(&bytes, &message.base);
	accuse_message(&accuse, buf_view(&bytes), &set, chain_id);
	buf_fini(&bytes);
}

/* A digit a validator: 1 for guilty. */
static unsigned guilty(void)
{
	bool named[VALIDATORS_MAX];
	unsigned bits = 0;
	accuse_name(named, &accuse, &set, 5);
	for (uint32_t i = 0; i < VALIDATORS; i++)
		bits |= (unsigned)named[i] << i;
	return bits;
}

static void two_choices_in_one_round_are_guilt(void **state)
{
	says(0, VOTE_PREVOTE, 0, 1);
	says(0, VOTE_PREVOTE, 0, 2);
	says(2, VOTE_PRECOMMIT, 1, 0);
	says(2, VOTE_PRECOMMIT, 1, 1);
	says(3, VOTE_PRECOMMIT, 1, 1);
	says(3, VOTE_PRECOMMIT, 1, 1);
	assert_int_equal(guilty(), 5);
}

static void a_lock_forgotten_is_guilt(void **state)
{
	for (uint32_t i = 0; i < 3; i++)
		says(i, VOTE_PRECOMMIT, 0, 1);
	for (uint32_t i = 1; i < 4; i++)
		says(i, VOTE_PREVOTE, 2, 2);
	for (uint32_t i = 1; i < 4; i++)
		says(i, VOTE_PRECOMMIT, 2, 2);
	assert_int_equal(guilty(), 6); /* 1 and 2: they made both quorums */
}

static void a_lock_given_up_for_a_later_proof_is_none(void **state)
{
	says(0, VOTE_PRECOMMIT, 0, 1);
	for (uint32_t i = 1; i < 4; i++)
		says(i, VOTE_PREVOTE, 1, 2);
	says(0, VOTE_PREVOTE, 2, 2);
	says(0, VOTE_PRECOMMIT, 2, 2);
	assert_int_equal(guilty(), 0);
}

static void a_proof_from_before_the_lock_excuses_nobody(void **state)
{
	for (uint32_t i = 1; i < 4; i++)
		says(i, VOTE_PREVOTE, 0, 2);
	says(0, VOTE_PRECOMMIT, 1, 1);
	says(0, VOTE_PREVOTE, 2, 2);
	assert_int_equal(guilty(), 1);
}

static void votes_for_nothing_and_for_the_same_again_are_no_guilt(void **state)
{
	says(1, VOTE_PRECOMMIT, 0, 1);
	says(1, VOTE_PREVOTE, 1, 0);
	says(1, VOTE_PREVOTE, 2, 1);
	says(1, VOTE_PRECOMMIT, 2, 0);
	says(1, VOTE_PREVOTE, 3, 2); /* the lock of round 0 stands */
	assert_int_equal(guilty(), 2);
	says(2, VOTE_PRECOMMIT, 0, 0);
	says(2, VOTE_PREVOTE, 1, 2);
	assert_int_equal(guilty(), 2);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest claims[] = {
		CLAIM(two_choices_in_one_round_are_guilt),
		CLAIM(a_lock_forgotten_is_guilt),
		CLAIM(a_lock_given_up_for_a_later_proof_is_none),
		CLAIM(a_proof_from_before_the_lock_excuses_nobody),
		CLAIM(votes_for_nothing_and_for_the_same_again_are_no_guilt),
	};
	return cmocka_run_group_tests(claims, NULL, NULL);
}
