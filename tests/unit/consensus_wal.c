/* wal: what was logged comes back, a torn tail costs only itself, and damage is never read as
 * something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/endian.h"
#include "consensus/wal.h"

enum { RECORDS_MAX = 32 };

/* A log, and where its records start. */
struct log_file {
	struct buf bytes;
	size_t starts[RECORDS_MAX + 1];
	size_t count;
};

static struct block_id block_of(uint8_t fill)
{
	struct block_id id;
	memset(&id, 0, sizeof id);
	memset(id.hash.b, fill, sizeof id.hash.b);
	memset(id.parts_hash.b, fill + 1, sizeof id.parts_hash.b);
	id.parts_total = UINT32_MAX;
	return id;
}

static struct consensus_input input_of(enum consensus_input_kind kind)
{
	struct consensus_input in;
	memset(&in, 0, sizeof in);
	in.kind = kind;
	in.now = (struct timestamp){-62135596800, 999999999};
	switch (kind) {
	case IN_PROPOSAL:
	case IN_SIGNED_PROPOSAL:
		in.u.proposal.height = INT64_MAX;
		in.u.proposal.round = INT32_MAX;
		in.u.proposal.pol_round = -1;
		in.u.proposal.block_id = block_of(0x11);
		in.u.proposal.time = (struct timestamp){1700000000, 1};
		memset(in.u.proposal.signature.b, 0x22, sizeof in.u.proposal.signature.b);
		break;
	case IN_VOTE:
	case IN_SIGNED_VOTE:
		in.u.vote.type = VOTE_PRECOMMIT;
		in.u.vote.height = 7;
		in.u.vote.round = 3;
		in.u.vote.block_id = block_of(0x33);
		in.u.vote.time = (struct timestamp){1700000000, 2};
		memset(in.u.vote.address.b, 0x44, sizeof in.u.vote.address.b);
		in.u.vote.index = 99;
		memset(in.u.vote.signature.b, 0x55, sizeof in.u.vote.signature.b);
		break;
	case IN_BEGIN:
	case IN_TIMEOUT:
	case IN_SIGN_REFUSED:
		in.u.point.height = 7;
		in.u.point.round = 4;
		in.u.point.step = STEP_PRECOMMIT;
		break;
	case IN_BLOCK:
	case IN_PROPOSAL_BUILT:
	case IN_PROPOSAL_CHECKED:
	case IN_EXECUTED:
		in.u.block.height = 7;
		in.u.block.round = 5;
		in.u.block.block = block_of(0x66);
		in.u.block.time = (struct timestamp){1700000000, 3};
		in.u.block.valid = true;
		break;
	case IN_COMMITTED: break;
	}
	return in;
}

static bool logged(enum consensus_input_kind kind)
{
	return kind != IN_EXECUTED && kind != IN_COMMITTED;
}

static void append_input(struct log_file *log, enum consensus_input_kind kind)
{
	struct consensus_input in = input_of(kind);
	log->starts[log->count++] = log->bytes.len;
	wal_append_input(&log->bytes, &in, 7);
	log->starts[log->count] = log->bytes.len;
}

static void append_block(struct log_file *log, size_t len)
{
	uint8_t raw[512];
	struct block_id id = block_of(0x77);
	for (size_t i = 0; i < len; i++)
		raw[i] = (uint8_t)(i * 7);
	log->starts[log->count++] = log->bytes.len;
	wal_append_block(&log->bytes, 7, &id, bytes_view(raw, len));
	log->starts[log->count] = log->bytes.len;
}

/* One record of each kind, blocks empty and not among them. */
static void fill(struct log_file *log)
{
	memset(log, 0, sizeof *log);
	for (int kind = IN_BEGIN; kind <= IN_COMMITTED; kind++) {
		if (logged((enum consensus_input_kind)kind))
			append_input(log, (enum consensus_input_kind)kind);
		if (kind == IN_VOTE)
			append_block(log, 300);
	}
	append_block(log, 0);
	append_input(log, IN_TIMEOUT);
	assert_true(buf_ok(&log->bytes));
}

/* Reads as far as it goes; returns why it stopped. Records read must be those of the whole log. */
static enum wal_answer read_all(struct bytes log, size_t *records, size_t *at)
{
	struct wal_record record;
	*records = *at = 0;
	for (;;) {
		size_t before = *at;
		enum wal_answer answer = wal_next(log, at, &record);
		if (answer != WAL_RECORD) {
			assert_int_equal(*at, before);
			return answer;
		}
		(*records)++;
	}
}

static void assert_same_vote(const struct vote *a, const struct vote *b)
{
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->height, b->height);
	assert_int_equal(a->round, b->round);
	assert_true(block_id_equal(&a->block_id, &b->block_id));
	assert_int_equal(timestamp_compare(a->time, b->time), 0);
	assert_memory_equal(a->address.b, b->address.b, sizeof a->address.b);
	assert_int_equal(a->index, b->index);
	assert_memory_equal(a->signature.b, b->signature.b, sizeof a->signature.b);
}

static void assert_same_proposal(const struct proposal *a, const struct proposal *b)
{
	assert_int_equal(a->height, b->height);
	assert_int_equal(a->round, b->round);
	assert_int_equal(a->pol_round, b->pol_round);
	assert_true(block_id_equal(&a->block_id, &b->block_id));
	assert_int_equal(timestamp_compare(a->time, b->time), 0);
	assert_memory_equal(a->signature.b, b->signature.b, sizeof a->signature.b);
}

static void assert_same_input(const struct consensus_input *a, const struct consensus_input *b)
{
	assert_int_equal(a->kind, b->kind);
	switch (a->kind) {
	case IN_PROPOSAL:
	case IN_SIGNED_PROPOSAL: assert_same_proposal(&a->u.proposal, &b->u.proposal); break;
	case IN_VOTE:
	case IN_SIGNED_VOTE: assert_same_vote(&a->u.vote, &b->u.vote); break;
	case IN_BEGIN:
	case IN_TIMEOUT:
	case IN_SIGN_REFUSED:
		assert_int_equal(a->u.point.height, b->u.point.height);
		assert_int_equal(a->u.point.round, b->u.point.round);
		assert_int_equal(a->u.point.step, b->u.point.step);
		break;
	case IN_BLOCK:
	case IN_PROPOSAL_BUILT:
	case IN_PROPOSAL_CHECKED:
	case IN_EXECUTED:
		assert_int_equal(a->u.block.height, b->u.block.height);
		assert_int_equal(a->u.block.round, b->u.block.round);
		assert_true(block_id_equal(&a->u.block.block, &b->u.block.block));
		assert_int_equal(timestamp_compare(a->u.block.time, b->u.block.time), 0);
		assert_int_equal(a->u.block.valid, b->u.block.valid);
		break;
	case IN_COMMITTED: break;
	}
}

/* ---- what was written comes back ---- */

static void every_kind_of_input_comes_back_as_it_was(void **state)
{
	for (int kind = IN_BEGIN; kind <= IN_COMMITTED; kind++) {
		if (!logged((enum consensus_input_kind)kind))
			continue;
		struct buf log = {0}, again = {0};
		struct consensus_input in = input_of((enum consensus_input_kind)kind);
		wal_append_input(&log, &in, 7);
		struct wal_record record;
		size_t at = 0;
		assert_int_equal(wal_next(buf_view(&log), &at, &record), WAL_RECORD);
		assert_int_equal(at, log.len);
		assert_int_equal(record.kind, WAL_INPUT);
		assert_int_equal(record.height, 7);
		assert_int_equal(record.input.kind, kind);
		assert_same_input(&record.input, &in);
		assert_int_equal(timestamp_compare(record.input.now, in.now), 0);
		wal_append_input(&again, &record.input, record.height);
		assert_int_equal(again.len, log.len);
		assert_memory_equal(again.data, log.data, log.len);
		assert_int_equal(wal_next(buf_view(&log), &at, &record), WAL_END);
		buf_fini(&log);
		buf_fini(&again);
	}
}

static void both_kinds_of_vote_and_a_block_found_invalid_come_back(void **state)
{
	struct buf log = {0};
	struct consensus_input vote = input_of(IN_VOTE), checked = input_of(IN_PROPOSAL_CHECKED);
	struct wal_record record;
	size_t at = 0;
	vote.u.vote.type = VOTE_PREVOTE;
	checked.u.block.valid = false;
	wal_append_input(&log, &vote, 1);
	wal_append_input(&log, &checked, 1);
	assert_int_equal(wal_next(buf_view(&log), &at, &record), WAL_RECORD);
	assert_int_equal(record.input.u.vote.type, VOTE_PREVOTE);
	assert_int_equal(wal_next(buf_view(&log), &at, &record), WAL_RECORD);
	assert_false(record.input.u.block.valid);
	buf_fini(&log);
}

static void block_comes_back_with_its_id_and_bytes(void **state)
{
	static const size_t sizes[] = {0, 1, 65536, BLOCK_BYTES_MAX, GENESIS_BLOCK_BYTES_MAX};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct buf log = {0};
		uint8_t *raw = malloc(sizes[i] + 1);
		assert_non_null(raw);
		memset(raw, 0xab, sizes[i]);
		struct block_id id = block_of(9);
		wal_append_block(&log, INT64_MAX, &id, bytes_view(raw, sizes[i]));
		struct wal_record record;
		size_t at = 0;
		assert_int_equal(wal_next(buf_view(&log), &at, &record), WAL_RECORD);
		assert_int_equal(record.kind, WAL_BLOCK);
		assert_int_equal(record.height, INT64_MAX);
		assert_true(block_id_equal(&record.block, &id));
		assert_true(bytes_equal(record.block_raw, bytes_view(raw, sizes[i])));
		free(raw);
		buf_fini(&log);
	}
}

static void empty_log_is_at_its_end(void **state)
{
	struct wal_record record;
	size_t at = 0;
	assert_int_equal(wal_next(bytes_view(NULL, 0), &at, &record), WAL_END);
}

/* ---- a tail that a crash cut ---- */

static void log_cut_anywhere_keeps_every_whole_record_before_the_cut(void **state)
{
	struct log_file log;
	fill(&log);
	for (size_t cut = 0; cut <= log.bytes.len; cut++) {
		size_t whole = 0;
		while (whole < log.count && log.starts[whole + 1] <= cut)
			whole++;
		size_t records, at;
		enum wal_answer answer = read_all(bytes_view(log.bytes.data, cut), &records, &at);
		assert_int_equal(answer, cut == log.starts[whole] ? WAL_END : WAL_TORN);
		assert_int_equal(records, whole);
		assert_int_equal(at, log.starts[whole]);
	}
	buf_fini(&log.bytes);
}

static void cut_log_with_zeros_behind_it_keeps_every_whole_record(void **state)
{
	/* The file's length came to the disk before its bytes did. */
	static const size_t tails[] = {1, 11, 12, 13, 4096};
	struct log_file log;
	fill(&log);
	for (size_t whole = 0; whole <= log.count; whole++) {
		for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
			struct buf file = {0};
			size_t records, at;
			buf_append(&file, log.bytes.data, log.starts[whole]);
			memset(buf_extend(&file, tails[i]), 0, tails[i]);
			assert_int_equal(read_all(buf_view(&file), &records, &at), WAL_TORN);
			assert_int_equal(records, whole);
			assert_int_equal(at, log.starts[whole]);
			buf_fini(&file);
		}
	}
	buf_fini(&log.bytes);
}

static void last_record_whose_bytes_did_not_all_arrive_is_torn(void **state)
{
	struct log_file log;
	fill(&log);
	size_t last = log.starts[log.count - 1];
	size_t body = last + WAL_FRAME_HEADER_BYTES;
	for (size_t from = body; from < log.bytes.len; from++) {
		struct buf file = {0};
		size_t records, at;
		buf_append_view(&file, buf_view(&log.bytes));
		bool zero = true;
		for (size_t i = from; i < file.len; i++) {
			zero = zero && file.data[i] == 0;
			file.data[i] = 0;
		}
		enum wal_answer answer = read_all(buf_view(&file), &records, &at);
		assert_int_equal(answer, zero ? WAL_END : WAL_TORN);
		assert_int_equal(at, zero ? file.len : last);
		buf_fini(&file);
	}
	buf_fini(&log.bytes);
}

/* ---- rot ---- */

static void flipped_bit_before_the_last_record_is_rot_and_stops_there(void **state)
{
	struct log_file log;
	fill(&log);
	size_t last = log.starts[log.count - 1], record = 0;
	for (size_t byte = 0; byte < last; byte++) {
		if (byte == log.starts[record + 1])
			record++;
		for (unsigned bit = 0; bit < 8; bit++) {
			log.bytes.data[byte] ^= (uint8_t)(1u << bit);
			size_t records, at;
			assert_int_equal(read_all(buf_view(&log.bytes), &records, &at), WAL_ROTTEN);
			assert_int_equal(records, record);
			assert_int_equal(at, log.starts[record]);
			log.bytes.data[byte] ^= (uint8_t)(1u << bit);
		}
	}
	buf_fini(&log.bytes);
}

static void flipped_bit_in_the_last_record_loses_only_that_record(void **state)
{
	struct log_file log;
	fill(&log);
	size_t last = log.starts[log.count - 1];
	for (size_t byte = last; byte < log.bytes.len; byte++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			log.bytes.data[byte] ^= (uint8_t)(1u << bit);
			size_t records, at;
			enum wal_answer answer = read_all(buf_view(&log.bytes), &records, &at);
			assert_true(answer == WAL_TORN || answer == WAL_ROTTEN);
			assert_int_equal(at, last);
			log.bytes.data[byte] ^= (uint8_t)(1u << bit);
		}
	}
	buf_fini(&log.bytes);
}

/* Puts a payload into a frame whose checksums are right. */
static void append_frame(struct buf *out, struct bytes payload)
{
	uint8_t len[4];
	put_u32be(len, (uint32_t)payload.len);
	buf_append(out, len, sizeof len);
	buf_append_u32be(out, crc32c(0, bytes_view(len, sizeof len)));
	buf_append_u32be(out, crc32c(0, payload));
	buf_append_view(out, payload);
}

static void whole_frame_that_says_nothing_known_is_rot(void **state)
{
	/* kind 1 = input: | height 8 | input kind 1 | ... */
	uint8_t long_begin[64] = {WAL_INPUT, 0, 0, 0, 0, 0, 0, 0, 7, IN_BEGIN};
	uint8_t executed[64] = {WAL_INPUT, 0, 0, 0, 0, 0, 0, 0, 7, IN_EXECUTED};
	uint8_t beyond[64] = {WAL_INPUT, 0, 0, 0, 0, 0, 0, 0, 7, 200};
	uint8_t unknown[64] = {3};
	uint8_t short_block[20] = {WAL_BLOCK, 0, 0, 0, 0, 0, 0, 0, 7};
	const struct bytes payloads[] = {
		bytes_view(long_begin, sizeof long_begin),
		bytes_view(executed, sizeof executed),
		bytes_view(beyond, sizeof beyond),
		bytes_view(unknown, sizeof unknown),
		bytes_view(short_block, sizeof short_block),
		bytes_view(unknown, 1),
		bytes_view(NULL, 0),
	};
	for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
		struct buf log = {0};
		struct wal_record record;
		size_t at = 0;
		append_frame(&log, payloads[i]);
		assert_int_equal(wal_next(buf_view(&log), &at, &record), WAL_ROTTEN);
		buf_fini(&log);
	}
}

static void frame_longer_than_any_record_is_rot(void **state)
{
	uint8_t header[WAL_FRAME_HEADER_BYTES] = {0xff, 0xff, 0xff, 0xff};
	put_u32be(header + 4, crc32c(0, bytes_view(header, 4)));
	struct wal_record record;
	size_t at = 0;
	assert_int_equal(wal_next(bytes_view(header, sizeof header), &at, &record), WAL_ROTTEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_input_comes_back_as_it_was),
		cmocka_unit_test(both_kinds_of_vote_and_a_block_found_invalid_come_back),
		cmocka_unit_test(block_comes_back_with_its_id_and_bytes),
		cmocka_unit_test(empty_log_is_at_its_end),
		cmocka_unit_test(log_cut_anywhere_keeps_every_whole_record_before_the_cut),
		cmocka_unit_test(cut_log_with_zeros_behind_it_keeps_every_whole_record),
		cmocka_unit_test(last_record_whose_bytes_did_not_all_arrive_is_torn),
		cmocka_unit_test(flipped_bit_before_the_last_record_is_rot_and_stops_there),
		cmocka_unit_test(flipped_bit_in_the_last_record_loses_only_that_record),
		cmocka_unit_test(whole_frame_that_says_nothing_known_is_rot),
		cmocka_unit_test(frame_longer_than_any_record_is_rot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
