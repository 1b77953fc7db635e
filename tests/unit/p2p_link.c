/* The link between two nodes: who gets in, what travels, what ends it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "p2p/link.h"

static const uint8_t dialer_seed[32] = {1}, listener_seed[32] = {2};
static const struct hash32 chain = {{7}}, other_chain = {{8}};

static struct validator_secret secret_of(uint8_t number)
{
	struct validator_secret secret = {{number}};
	return secret;
}

/* The listener's book: one key, or none. */
struct book {
	struct noise_key listed;
	bool any;
};

static bool admits(void *ctx, const struct noise_key *remote, uint32_t *peer)
{
	const struct book *book = ctx;
	*peer = 5;
	return book->any && memcmp(remote->b, book->listed.b, sizeof remote->b) == 0;
}

static struct book book_of(const struct validator_secret *secret)
{
	struct book book = {.any = true};
	struct validator_key key = validator_key_of(secret);
	assert_true(noise_public_of(&book.listed, &key));
	return book;
}

/* Frames as they arrive, one after another. */
static void gather(void *ctx, struct bytes frame)
{
	buf_append_view(ctx, frame);
	buf_append_byte(ctx, '|');
}

struct pair {
	struct link dialer, listener;
	struct buf to_listener, to_dialer, got_listener, got_dialer;
	struct book book;
};

static void pair_start(struct pair *p)
{
	memset(p, 0, sizeof *p);
	struct validator_secret dialer = secret_of(11), listener = secret_of(22);
	struct validator_key listener_key = validator_key_of(&listener);
	p->book = book_of(&dialer);
	assert_true(link_dial(
		&p->dialer, &p->to_listener, &dialer, &listener_key, 3, &chain, dialer_seed));
	assert_true(link_listen(&p->listener, &listener, &chain, listener_seed, admits, &p->book));
}

static enum link_verdict to_listener(struct pair *p)
{
	enum link_verdict verdict = link_take(
		&p->listener, &p->to_dialer, buf_view(&p->to_listener), gather, &p->got_listener);
	buf_clear(&p->to_listener);
	return verdict;
}

static enum link_verdict to_dialer(struct pair *p)
{
	enum link_verdict verdict = link_take(
		&p->dialer, &p->to_listener, buf_view(&p->to_dialer), gather, &p->got_dialer);
	buf_clear(&p->to_dialer);
	return verdict;
}

static void pair_open(struct pair *p)
{
	pair_start(p);
	assert_int_equal(to_listener(p), LINK_FINE);
	assert_int_equal(to_dialer(p), LINK_FINE);
	assert_int_equal(p->dialer.state, LINK_OPEN);
	assert_int_equal(p->listener.state, LINK_OPEN);
}

static void pair_end(struct pair *p)
{
	link_fini(&p->dialer);
	link_fini(&p->listener);
	buf_fini(&p->to_listener);
	buf_fini(&p->to_dialer);
	buf_fini(&p->got_listener);
	buf_fini(&p->got_dialer);
}

static void two_listed_nodes_talk_both_ways(void **state)
{
	struct pair p;
	pair_open(&p);
	assert_int_equal(p.listener.peer, 5);
	link_put(&p.dialer, &p.to_listener, bytes_of_text("one"));
	link_put(&p.dialer, &p.to_listener, bytes_of_text("two"));
	link_put(&p.listener, &p.to_dialer, bytes_of_text("three"));
	assert_int_equal(to_listener(&p), LINK_FINE);
	assert_int_equal(to_dialer(&p), LINK_FINE);
	assert_string_equal(buf_text(&p.got_listener), "one|two|");
	assert_string_equal(buf_text(&p.got_dialer), "three|");
	pair_end(&p);
}

static void frames_survive_any_cut_of_the_wire(void **state)
{
	for (size_t step = 1; step < 40; step++) {
		struct pair p;
		pair_start(&p);
		struct buf wire = {0}, ignored = {0};
		assert_int_equal(to_listener(&p), LINK_FINE);
		assert_int_equal(to_dialer(&p), LINK_FINE);
		for (int i = 0; i < 3; i++)
			link_put(&p.dialer, &wire, bytes_of_text("a frame of some length"));
		for (size_t at = 0; at < wire.len; at += step) {
			size_t part = wire.len - at < step ? wire.len - at : step;
			assert_int_equal(
				link_take(&p.listener, &ignored, bytes_view(wire.data + at, part),
					gather, &p.got_listener),
				LINK_FINE);
		}
		assert_int_equal(p.listener.frames_in, 3);
		buf_fini(&wire);
		buf_fini(&ignored);
		pair_end(&p);
	}
}

static void the_handshake_survives_single_bytes(void **state)
{
	struct pair p;
	pair_start(&p);
	for (size_t i = 0; i < p.to_listener.len; i++)
		assert_int_equal(link_take(&p.listener, &p.to_dialer,
					 bytes_view(p.to_listener.data + i, 1), gather, NULL),
			LINK_FINE);
	assert_int_equal(p.listener.state, LINK_OPEN);
	pair_end(&p);
}

static void a_stranger_learns_nothing(void **state)
{
	struct pair p;
	pair_start(&p);
	p.book.any = false;
	assert_int_equal(to_listener(&p), LINK_STRANGER);
	assert_int_equal(p.to_dialer.len, 0);
	assert_int_equal(p.listener.state, LINK_CLOSED);
	pair_end(&p);
}

static void a_node_of_another_chain_learns_nothing(void **state)
{
	struct pair p;
	pair_start(&p);
	struct validator_secret dialer = secret_of(11), listener = secret_of(22);
	struct validator_key listener_key = validator_key_of(&listener);
	buf_clear(&p.to_listener);
	link_fini(&p.dialer);
	assert_true(link_dial(
		&p.dialer, &p.to_listener, &dialer, &listener_key, 3, &other_chain, dialer_seed));
	assert_int_equal(to_listener(&p), LINK_FORGED);
	assert_int_equal(p.to_dialer.len, 0);
	pair_end(&p);
}

static void a_listener_with_another_key_cannot_answer(void **state)
{
	struct pair p;
	pair_start(&p);
	struct validator_secret impostor = secret_of(33);
	link_fini(&p.listener);
	assert_true(link_listen(&p.listener, &impostor, &chain, listener_seed, admits, &p.book));
	assert_int_equal(to_listener(&p), LINK_FORGED);
	assert_int_equal(p.to_dialer.len, 0);
	pair_end(&p);
}

static void every_changed_byte_of_the_handshake_ends_it(void **state)
{
	for (size_t at = 0; at < NOISE_FIRST_BYTES; at++) {
		struct pair p;
		pair_start(&p);
		p.to_listener.data[at] ^= 0x40;
		assert_int_not_equal(to_listener(&p), LINK_FINE);
		assert_int_equal(p.to_dialer.len, 0);
		pair_end(&p);
	}
	for (size_t at = 0; at < NOISE_SECOND_BYTES; at++) {
		struct pair p;
		pair_start(&p);
		assert_int_equal(to_listener(&p), LINK_FINE);
		p.to_dialer.data[at] ^= 0x40;
		assert_int_equal(to_dialer(&p), LINK_FORGED);
		pair_end(&p);
	}
}

static void every_changed_byte_of_a_frame_ends_the_link(void **state)
{
	enum { FRAME = 4 + 5 + NOISE_TAG_BYTES };
	for (size_t at = 0; at < FRAME; at++) {
		struct pair p;
		pair_open(&p);
		link_put(&p.dialer, &p.to_listener, bytes_of_text("money"));
		link_put(&p.dialer, &p.to_listener, bytes_of_text("after"));
		p.to_listener.data[at] ^= 1;
		/* A longer length may wait for bytes that never come; what it never does is
		 * deliver. */
		enum link_verdict verdict = to_listener(&p);
		assert_true(verdict != LINK_FINE || at < 4);
		assert_int_equal(p.got_listener.len, 0);
		pair_end(&p);
	}
}

static void a_frame_said_twice_ends_the_link(void **state)
{
	struct pair p;
	pair_open(&p);
	link_put(&p.dialer, &p.to_listener, bytes_of_text("pay"));
	struct buf again = {0};
	buf_append_view(&again, buf_view(&p.to_listener));
	assert_int_equal(to_listener(&p), LINK_FINE);
	buf_append_view(&p.to_listener, buf_view(&again));
	assert_int_equal(to_listener(&p), LINK_FORGED);
	assert_string_equal(buf_text(&p.got_listener), "pay|");
	buf_fini(&again);
	pair_end(&p);
}

static void a_frame_over_the_bound_is_refused_by_its_length(void **state)
{
	struct pair p;
	pair_open(&p);
	buf_append_u32be(&p.to_listener, P2P_FRAME_BYTES_MAX + NOISE_TAG_BYTES + 1);
	assert_int_equal(to_listener(&p), LINK_TOO_LARGE);
	pair_end(&p);
}

static void the_largest_frame_passes(void **state)
{
	struct pair p;
	pair_open(&p);
	static uint8_t frame[P2P_FRAME_BYTES_MAX];
	link_put(&p.dialer, &p.to_listener, bytes_view(frame, sizeof frame));
	assert_int_equal(to_listener(&p), LINK_FINE);
	assert_int_equal(p.got_listener.len, sizeof frame + 1);
	pair_end(&p);
}

/* The bytes of the handshake are fixed by keys and seeds: the simulator's traces depend on it. */
static void the_same_seeds_make_the_same_bytes(void **state)
{
	struct pair a, b;
	pair_start(&a);
	pair_start(&b);
	assert_true(bytes_equal(buf_view(&a.to_listener), buf_view(&b.to_listener)));
	assert_int_equal(to_listener(&a), LINK_FINE);
	assert_int_equal(to_listener(&b), LINK_FINE);
	assert_true(bytes_equal(buf_view(&a.to_dialer), buf_view(&b.to_dialer)));
	pair_end(&a);
	pair_end(&b);
}

static int start_keys(void **state)
{
	uint8_t seed[32] = {9};
	return keys_start(seed) ? 0 : 1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_listed_nodes_talk_both_ways),
		cmocka_unit_test(frames_survive_any_cut_of_the_wire),
		cmocka_unit_test(the_handshake_survives_single_bytes),
		cmocka_unit_test(a_stranger_learns_nothing),
		cmocka_unit_test(a_node_of_another_chain_learns_nothing),
		cmocka_unit_test(a_listener_with_another_key_cannot_answer),
		cmocka_unit_test(every_changed_byte_of_the_handshake_ends_it),
		cmocka_unit_test(every_changed_byte_of_a_frame_ends_the_link),
		cmocka_unit_test(a_frame_said_twice_ends_the_link),
		cmocka_unit_test(a_frame_over_the_bound_is_refused_by_its_length),
		cmocka_unit_test(the_largest_frame_passes),
		cmocka_unit_test(the_same_seeds_make_the_same_bytes),
	};
	return cmocka_run_group_tests(tests, start_keys, NULL);
}
