/* Decoding lives in one bounded arena that no transaction can exhaust [protocol 2]. */
#include "tests/unit/vectors.h"

#include <string.h>

#include "base/limits.h"
#include "tests/unit/tx_samples.h"

static struct tx_sample sample;

static int start(void **state)
{
	static const uint8_t seed[32] = {3};

	(void)state;
	if (!keys_start(seed))
		return -1;
	tx_sample_fill(&sample);
	return 0;
}

struct decoded {
	enum settle_code code;
	struct tx tx;
	struct arena arena;
	enum status local;
	char fault[64];
};

static void decode(struct decoded *d, struct bytes raw)
{
	arena_init(&d->arena, TX_ARENA_BYTES_MAX);
	d->code = tx_decode(&d->tx, &d->arena, raw, &d->local, d->fault);
	assert_int_equal(d->local, STATUS_OK);
}

/* What decoding this body takes of the arena; it must not be all. */
static size_t arena_used(struct bytes body)
{
	struct buf raw = {0};
	struct decoded d;
	size_t used;

	tx_sample_sign_raw(&raw, &sample, body);
	assert_true(raw.len <= TX_BYTES_MAX);
	decode(&d, buf_view(&raw));
	assert_false(d.arena.exhausted);
	used = d.arena.used;
	arena_fini(&d.arena);
	buf_fini(&raw);
	return used;
}

/* A receipt or coordinator of the smallest fields that still cost an allocation each, as often as a
 * transaction may hold actions, and the rest of its 64 KiB spent on the memo and on longer fields.
 */
static void append_action(struct buf *body, unsigned side, struct bytes content)
{
	struct buf inner = {0};

	put_bytes_field(&inner, side << 3 | 2, content);
	put_bytes_field(body, 7 << 3 | 2, buf_view(&inner));
	buf_fini(&inner);
}

static void fill_receipt(struct buf *out, size_t text_len)
{
	static const char zs[512] =
		"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
		"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
		"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";
	struct buf receipt = {0};

	for (unsigned i = 0; i < pb__receipt__descriptor.n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &pb__receipt__descriptor.fields[i];
		bool is_bytes = field->type == PROTOBUF_C_TYPE_STRING ||
				field->type == PROTOBUF_C_TYPE_BYTES;

		if (is_bytes) {
			put_bytes_field(&receipt, field->id << 3 | 2,
				bytes_view(zs, field->id == 1 ? text_len : 1));
		} else {
			put_varint(&receipt, field->id << 3, false);
			put_varint(&receipt, 1, false);
		}
	}
	put_bytes_field(out, 1 << 3 | 2, buf_view(&receipt));
	buf_fini(&receipt);
}

static size_t used_by_receipts(size_t text_len)
{
	struct buf body = {0}, content = {0};
	size_t used;

	put_bytes_field(&body, 6 << 3 | 2, bytes_of_text("m"));
	fill_receipt(&content, text_len);
	for (size_t i = 0; i < TX_ACTIONS_MAX; i++)
		append_action(&body, 7, buf_view(&content));
	used = arena_used(buf_view(&body));
	buf_fini(&content);
	buf_fini(&body);
	return used;
}

static size_t used_by_coordinators(size_t operator_len)
{
	struct buf body = {0}, content = {0};
	size_t used;

	for (size_t i = 0; i < COORDINATOR_OPERATORS_MAX; i++)
		put_bytes_field(
			&content, 2 << 3 | 2, bytes_view("aaaaaaaaaaaaaaaaaaaaaaaa", operator_len));
	put_bytes_field(&content, 3 << 3 | 2, bytes_of_text("u"));
	for (size_t i = 0; i < TX_ACTIONS_MAX; i++)
		append_action(&body, 2, buf_view(&content));
	used = arena_used(buf_view(&body));
	buf_fini(&content);
	buf_fini(&body);
	return used;
}

/* As many changes of validators, each of a byte or two, as there may be. */
static size_t used_by_changes(size_t field_len, size_t action_count)
{
	struct buf body = {0}, change = {0}, changes = {0}, proposal = {0}, content = {0};
	size_t used;

	if (field_len > 0) {
		put_bytes_field(&change, 1 << 3 | 2, bytes_view("kkkkkkkk", field_len));
		put_bytes_field(&change, 3 << 3 | 2, bytes_view("aaaaaaaa", field_len));
	}
	for (size_t i = 0; i < AUTHORITY_CHANGES_MAX; i++)
		put_bytes_field(&changes, 1 << 3 | 2, buf_view(&change));
	put_bytes_field(&proposal, 1 << 3 | 2, bytes_of_text("r"));
	put_bytes_field(&proposal, 2 << 3 | 2, buf_view(&changes));
	put_bytes_field(&content, 1 << 3 | 2, buf_view(&proposal));
	for (size_t i = 0; i < action_count; i++)
		append_action(&body, 12, buf_view(&content));
	used = arena_used(buf_view(&body));
	buf_fini(&content);
	buf_fini(&proposal);
	buf_fini(&changes);
	buf_fini(&change);
	buf_fini(&body);
	return used;
}

static void no_transaction_exhausts_the_arena(void **state)
{
	size_t worst = 0, used;

	for (size_t len = 1; len < 170; len += 12) {
		used = used_by_receipts(len);
		worst = used > worst ? used : worst;
	}
	for (size_t len = 0; len <= 24; len++) {
		used = used_by_coordinators(len);
		worst = used > worst ? used : worst;
	}
	for (size_t len = 0; len <= 4; len++) {
		used = used_by_changes(len, TX_ACTIONS_MAX);
		worst = used > worst ? used : worst;
	}
	print_message("worst transaction: %zu of %d arena bytes\n", worst, TX_ARENA_BYTES_MAX);
	/* A margin for protobuf-c's own tables to grow in a later release. */
	assert_true(worst < TX_ARENA_BYTES_MAX * 3 / 4);
}

static void too_many_are_counted_before_they_cost_memory(void **state)
{
	struct buf body = {0}, raw = {0}, operators = {0};
	struct decoded d;

	for (size_t i = 0; i <= TX_ACTIONS_MAX; i++)
		append_action(&body, 1, bytes_view(NULL, 0));
	tx_sample_sign_raw(&raw, &sample, buf_view(&body));
	decode(&d, buf_view(&raw));
	assert_int_equal(d.code, SETTLE_LIMIT);
	assert_string_equal(d.fault, "actions");
	assert_int_equal(d.arena.used, 0);
	arena_fini(&d.arena);
	buf_clear(&body);
	buf_clear(&raw);
	for (size_t i = 0; i < 30000; i++)
		put_bytes_field(&operators, 2 << 3 | 2, bytes_view(NULL, 0));
	append_action(&body, 2, buf_view(&operators));
	tx_sample_sign_raw(&raw, &sample, buf_view(&body));
	decode(&d, buf_view(&raw));
	assert_int_equal(d.code, SETTLE_LIMIT);
	assert_string_equal(d.fault, "operators");
	assert_int_equal(d.arena.used, 0);
	arena_fini(&d.arena);
	buf_fini(&operators);
	buf_fini(&body);
	buf_fini(&raw);
}

static void a_full_arena_is_no_verdict(void **state)
{
	struct buf raw = {0};
	enum status local;
	char fault[64];
	struct arena arena;
	struct tx tx;

	tx_sample_sign(&raw, &sample);
	for (size_t max = 0; max < 8000; max += 100) {
		enum settle_code code;

		arena_init(&arena, max);
		code = tx_decode(&tx, &arena, buf_view(&raw), &local, fault);
		assert_true(local == STATUS_NO_MEMORY || code == SETTLE_OK);
		arena_fini(&arena);
	}
	assert_int_equal(local, STATUS_OK);
	buf_fini(&raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_transaction_exhausts_the_arena),
		cmocka_unit_test(too_many_are_counted_before_they_cost_memory),
		cmocka_unit_test(a_full_arena_is_no_verdict),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
