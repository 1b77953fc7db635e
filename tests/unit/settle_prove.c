/* A record's proof leads to the app_hash that the header commits to, by CometBFT's own rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/merkle.h"
#include "chain/proto/comet.pb-c.h"
#include "tests/unit/settle_kit.h"

static struct kit kit;
static struct hash32 hashes[16]; /* app_hash after each height */

static int opens(void **state)
{
	kit_open(&kit, NULL);
	hashes[0] = kit_app_hash(&kit);
	return 0;
}

static int closes(void **state)
{
	kit_close(&kit);
	return 0;
}

static void block(void)
{
	kit_run(&kit, 1);
	hashes[kit.height] = kit_app_hash(&kit);
}

static void query(struct app_answer *answer, const struct state_key *key, int64_t height)
{
	struct app_query question = {.path = "/store/settle/key",
		.data = state_key_view(key),
		.height = height,
		.prove = true};

	app_answer_init(answer);
	assert_int_equal(kit.app.vtable->query(kit.app.self, &question, answer), STATUS_OK);
}

/* ValueOp.Run: the root for this value. */
static struct hash32 run(const Pb__ProofOp *op, struct bytes key, struct bytes value)
{
	Pb__ValueOp *parsed = pb__value_op__unpack(NULL, op->data.len, op->data.data);
	struct hash32 value_hash = sha256(value), root;
	struct merkle_proof proof = {0};
	struct buf leaf = {0};

	assert_non_null(parsed);
	assert_string_equal(op->type, "simple:v");
	assert_true(bytes_equal(key, bytes_view(op->key.data, op->key.len)));
	assert_true(bytes_equal(key, bytes_view(parsed->key.data, parsed->key.len)));
	buf_append_byte(&leaf, (uint8_t)key.len);
	buf_append_view(&leaf, key);
	buf_append_byte(&leaf, 32);
	buf_append(&leaf, value_hash.b, 32);
	proof.leaf = merkle_leaf(buf_view(&leaf));
	assert_int_equal(parsed->proof->leaf_hash.len, 32);
	assert_memory_equal(parsed->proof->leaf_hash.data, proof.leaf.b, 32);
	proof.total = (uint64_t)parsed->proof->total;
	proof.index = (uint64_t)parsed->proof->index;
	proof.aunt_count = (uint32_t)parsed->proof->n_aunts;
	for (size_t i = 0; i < parsed->proof->n_aunts; i++)
		memcpy(proof.aunts[i].b, parsed->proof->aunts[i].data, 32);
	assert_true(merkle_proof_root(&root, &proof));
	pb__value_op__free_unpacked(parsed, NULL);
	buf_fini(&leaf);
	return root;
}

static void assert_proves(
	const struct app_answer *answer, const struct state_key *key, int64_t height)
{
	Pb__ProofOps *ops =
		pb__proof_ops__unpack(NULL, answer->proof_ops.len, answer->proof_ops.data);
	struct hash32 root;

	assert_non_null(ops);
	assert_int_equal(ops->n_ops, 2);
	assert_int_equal(answer->height, height);
	root = run(ops->ops[0], state_key_view(key), buf_view(&answer->value));
	root = run(ops->ops[1], bytes_of_text("settle"), hash_view(&root));
	assert_memory_equal(root.b, hashes[height].b, 32);
	pb__proof_ops__free_unpacked(ops, NULL);
}

static void the_version_before_the_tip_is_proved_with_its_own_value(void **state)
{
	struct account_address client = kit_address(CLIENT);
	struct state_key key = state_key_account(&client);
	struct app_answer answer;
	struct account account;

	kit_send(&kit, CLIENT, kit_transfer(&kit, RICH, 5));
	block();
	kit_send(&kit, CLIENT, kit_transfer(&kit, RICH, 7));
	block();
	query(&answer, &key, 0);
	assert_int_equal(answer.verdict.code, 0);
	assert_proves(&answer, &key, 1);
	assert_true(account_unpack(&account, buf_view(&answer.value)));
	assert_int_equal(account.balance, 1000u * KIT_COIN - kit.fee - 5);
	app_answer_fini(&answer);
	query(&answer, &key, 2);
	assert_proves(&answer, &key, 2);
	assert_true(account_unpack(&account, buf_view(&answer.value)));
	assert_int_equal(account.balance, 1000u * KIT_COIN - 2 * kit.fee - 12);
	app_answer_fini(&answer);
	query(&answer, &key, 7);
	assert_int_equal(answer.verdict.code, SETTLE_BAD_PARAM);
	app_answer_fini(&answer);
}

static void every_record_of_the_state_can_be_proved(void **state)
{
	struct store_iterator *it;
	struct bytes row_key, value;
	size_t count = 0;

	kit_send(&kit, CLIENT, kit_submit(&kit, "a"));
	block();
	kit_send(&kit, COORDINATOR, kit_assign(&kit, "a", 1, 1000));
	block();
	kit_send(&kit, RICH, kit_transfer(&kit, CLIENT, 1));
	block();
	it = store_iterate(
		&kit.store, NULL, STORE_STATE, bytes_view(NULL, 0), bytes_view(NULL, 0), false);
	while (store_next(&kit.store, it, &row_key, &value) == STATUS_OK) {
		struct state_key key;

		memcpy(key.b, row_key.data, row_key.len);
		key.len = row_key.len;
		for (int64_t height = 2; height <= 3; height++) {
			struct app_answer answer;

			query(&answer, &key, height);
			assert_int_equal(answer.verdict.code, 0);
			assert_proves(&answer, &key, height);
			app_answer_fini(&answer);
		}
		count++;
	}
	store_iterator_free(&kit.store, it);
	/* c, e, j, o, p, r, s, t, v and z, one of each. */
	assert_int_equal(count, KIT_PEOPLE - 1 + 10);
}

static void what_is_gone_or_new_is_proved_where_it_was(void **state)
{
	struct job_key job = kit_job(CLIENT, "a");
	struct state_key escrow = state_key_escrow(&job);
	struct app_answer answer;

	kit_send(&kit, CLIENT, kit_submit(&kit, "a"));
	block();
	query(&answer, &escrow, 0);
	assert_int_equal(answer.verdict.code, SETTLE_BAD_PARAM); /* not yet there at height 0 */
	app_answer_fini(&answer);
	query(&answer, &escrow, 1);
	assert_proves(&answer, &escrow, 1);
	app_answer_fini(&answer);
	kit_send(&kit, CLIENT, kit_cancel(&kit, "a"));
	block();
	query(&answer, &escrow, 0);
	assert_proves(&answer, &escrow, 1);
	app_answer_fini(&answer);
	query(&answer, &escrow, 2);
	assert_int_equal(answer.verdict.code, SETTLE_BAD_PARAM);
	app_answer_fini(&answer);
}

static void right_after_an_open_the_tip_is_proved(void **state)
{
	struct account_address client = kit_address(CLIENT);
	struct state_key key = state_key_account(&client);
	struct app_answer answer;

	kit_send(&kit, CLIENT, kit_transfer(&kit, RICH, 5));
	block();
	kit_reopen(&kit);
	query(&answer, &key, 0);
	assert_proves(&answer, &key, 1);
	app_answer_fini(&answer);
}

int main(void)
{
#define WORLD(test) cmocka_unit_test_setup_teardown(test, opens, closes)
	const struct CMUnitTest tests[] = {
		WORLD(the_version_before_the_tip_is_proved_with_its_own_value),
		WORLD(every_record_of_the_state_can_be_proved),
		WORLD(what_is_gone_or_new_is_proved_where_it_was),
		WORLD(right_after_an_open_the_tip_is_proved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
