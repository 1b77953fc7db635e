/* What the miner's money hangs on: which assignments it takes, when it goes to the chain, what
 * survives a crash. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bech32.h"
#include "base/hex.h"
#include "miner/assignment.h"
#include "miner/deadline.h"
#include "miner/journal.h"

/* ---- when ---- */

static void the_chain_is_asked_at_half_time_or_five_seconds_before_the_end(void **state)
{
	static const struct {
		uint64_t completed, lease_end, deadline, at;
	} ROWS[] = {
		{1000, 61000, 500000, 31000},     /* half of the lease */
		{1000, 500000, 61000, 31000},     /* the deadline comes first */
		{100000, 108000, 200000, 103000}, /* 5 s before the end come before half */
		{100000, 104000, 200000, 100000}, /* less than 5 s: at once */
		{100000, 100000, 200000, 100000}, /* lapsed on completion: at once */
		{100000, 50000, 200000, 100000},
		{0, 3000, 3000, 0},
		{UINT64_MAX - 10, UINT64_MAX, UINT64_MAX, UINT64_MAX - 10},
	};
	(void)state;
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
		assert_int_equal(
			deliver_at_ms(ROWS[i].completed, ROWS[i].lease_end, ROWS[i].deadline),
			ROWS[i].at);
}

static void pauses_double_and_end_growing(void **state)
{
	(void)state;
	assert_int_equal(retry_pause_ms(1), 250);
	assert_int_equal(retry_pause_ms(2), 500);
	assert_int_equal(retry_pause_ms(6), 8000);
	assert_int_equal(retry_pause_ms(7), 15000);
	assert_int_equal(retry_pause_ms(4000000000u), 15000);
}

/* ---- what ---- */

struct offer {
	struct account_secret secret;
	struct assignment_rules rules;
	struct job_terms terms;
	char payload[64];
	uint8_t salt[32];
	char body[4096];
};

static void address_in(char out[ADDRESS_TEXT_BYTES], const struct account_address *address)
{
	address_text(out, address);
}

/* The body a coordinator would send for the offer's terms. */
static void write_body(struct offer *o)
{
	char client[ADDRESS_TEXT_BYTES], coordinator[ADDRESS_TEXT_BYTES],
		rest_id[JOB_REST_ID_BYTES];
	char salt[65], payload_hash[65], tag[65];
	address_in(client, &o->terms.client);
	address_in(coordinator, &o->terms.coordinator);
	job_rest_id(rest_id, &o->terms.client, o->terms.job_id);
	hex_lower(salt, o->salt, 32);
	hex_lower(payload_hash, o->terms.payload_hash.b, 32);
	hex_lower(tag, o->rules.chain_tag.b, 32);
	snprintf(o->body, sizeof o->body,
		"{\"job_id\":\"%s\",\"client_job_id\":\"%s\",\"client\":\"%s\",\"attempt\":%u,"
		"\"job_data\":%s,"
		"\"salt\":\"%s\",\"reward\":\"%llu\",\"payload_hash\":\"%s\",\"service\":\"%s\","
		"\"unit_type\":\"%s\","
		"\"unit_price\":\"%llu\",\"max_units_milli\":\"%llu\",\"coordinator\":\"%s\","
		"\"submit_height\":\"%lld\","
		"\"chain_tag\":\"%s\",\"lease_end_ms\":\"9000\"}",
		rest_id, o->terms.job_id, client, o->terms.attempt, o->payload, salt,
		(unsigned long long)o->terms.reward, payload_hash, o->terms.service,
		o->terms.unit_type, (unsigned long long)o->terms.unit_price,
		(unsigned long long)o->terms.max_units_milli, coordinator,
		(long long)o->terms.submit_height, tag);
}

static void make_offer(struct offer *o)
{
	*o = (struct offer){.terms = {.state = PB__JOB_STATE__ASSIGNED,
				    .attempt = 1,
				    .reward = 10000000,
				    .unit_price = 20000,
				    .max_units_milli = 500000,
				    .deadline_ms = 100000,
				    .lease_end_ms = 9000,
				    .on_silence = PB__ON_SILENCE__PAY_MINER,
				    .submit_height = 7,
				    .assigned = true}};
	uint8_t seed[32] = {1};
	assert_true(keys_start(seed));
	memset(o->secret.b, 5, sizeof o->secret.b);
	assert_true(account_key_of(&o->rules.miner, &o->secret));
	o->terms.miner = o->rules.miner;
	memset(o->terms.client.b, 2, 20);
	memset(o->terms.coordinator.b, 3, 20);
	o->rules.coordinator = o->terms.coordinator;
	memset(o->rules.chain_tag.b, 9, 32);
	snprintf(o->terms.job_id, sizeof o->terms.job_id, "my-job");
	snprintf(o->terms.service, sizeof o->terms.service, "text/count");
	snprintf(o->terms.unit_type, sizeof o->terms.unit_type, "second");
	snprintf(o->payload, sizeof o->payload, "{ \"type\":\"text/count\", \"n\":1.50 }");
	memset(o->salt, 8, sizeof o->salt);
	o->terms.payload_hash = job_payload_hash(o->salt, bytes_of_text(o->payload));
	write_body(o);
}

static enum assignment_verdict judge(const struct offer *o, char fault[160])
{
	struct assignment assignment;
	if (!assignment_read(&assignment, bytes_of_text(o->body), fault))
		fail_msg("%s", fault);
	enum assignment_verdict verdict =
		assignment_judge(&assignment, &o->terms, &o->rules, fault);
	assignment_fini(&assignment);
	return verdict;
}

static void an_honest_assignment_is_taken(void **state)
{
	struct offer o;
	char fault[160];
	(void)state;
	make_offer(&o);
	assert_int_equal(judge(&o, fault), ASSIGNMENT_GOOD);
}

static void the_payload_hash_is_over_the_bytes_as_they_stood(void **state)
{
	struct offer o;
	struct assignment assignment;
	char fault[160];
	(void)state;
	make_offer(&o);
	assert_true(assignment_read(&assignment, bytes_of_text(o.body), fault));
	assert_int_equal(assignment.payload_raw.len, strlen(o.payload));
	assert_memory_equal(assignment.payload_raw.data, o.payload, strlen(o.payload));
	assignment_fini(&assignment);
	char *space = strstr(o.body, "{ \"type\"");
	memmove(space + 1, space + 2, strlen(space + 2) + 1); /* the same JSON, other bytes */
	assert_false(assignment_read(&assignment, bytes_of_text(o.body), fault));
	assert_non_null(strstr(fault, "payload_hash"));
	assignment_fini(&assignment);
}

static void a_malformed_assignment_is_refused_by_field(void **state)
{
	static const char *const fields[] = {"job_id", "client_job_id", "client", "attempt",
		"job_data", "salt", "reward", "payload_hash", "service", "unit_type", "unit_price",
		"max_units_milli", "coordinator", "submit_height", "chain_tag"};
	(void)state;
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		struct offer o;
		struct assignment assignment;
		char fault[160] = "", quoted[64];
		make_offer(&o);
		snprintf(quoted, sizeof quoted, "\"%s\":", fields[i]);
		char *at = strstr(o.body, quoted);
		assert_non_null(at);
		at[1] = 'X'; /* the field is gone, another one is there */
		assert_false(assignment_read(&assignment, bytes_of_text(o.body), fault));
		if (strstr(fault, fields[i]) == NULL)
			fail_msg("%s: %s", fields[i], fault);
		assignment_fini(&assignment);
	}
}

/* One difference between coordinator and chain each; the body is written before it. */
static void differ(struct offer *o, size_t row)
{
	switch (row) {
	case 0: o->terms.reward--; break;
	case 1: o->terms.unit_price++; break;
	case 2: o->terms.max_units_milli--; break;
	case 3: o->terms.submit_height++; break;
	case 4: o->terms.service[0] = 'x'; break;
	case 5: o->terms.unit_type[0] = 'x'; break;
	case 6: o->terms.payload_hash.b[0] ^= 1; break;
	case 7: o->terms.coordinator.b[0] ^= 1; break;
	case 8: o->rules.coordinator.b[0] ^= 1; break;
	case 9: o->terms.on_silence = PB__ON_SILENCE__REFUND; break;
	case 10: o->terms.state = PB__JOB_STATE__OPEN; break;
	case 11: o->terms.assigned = false; break;
	case 12: o->terms.attempt++; break;
	case 13: o->terms.miner.b[5] ^= 1; break;
	case 14: o->rules.chain_tag.b[0] ^= 1; break;
	default: break;
	}
}

static void the_chains_word_wins_over_the_coordinators(void **state)
{
	enum { ROWS = 15, FIRST_NOT_MINE = 10 };
	(void)state;
	for (size_t row = 0; row < ROWS; row++) {
		struct offer o;
		char fault[160] = "";
		make_offer(&o);
		differ(&o, row);
		enum assignment_verdict verdict = judge(&o, fault);
		if (verdict != (row < FIRST_NOT_MINE ? ASSIGNMENT_REFUSED : ASSIGNMENT_NOT_MINE))
			fail_msg("row %zu: %s", row, fault);
		assert_true(fault[0] != 0);
	}
}

static void a_refund_on_silence_is_taken_only_when_configured(void **state)
{
	struct offer o;
	char fault[160];
	(void)state;
	make_offer(&o);
	o.terms.on_silence = PB__ON_SILENCE__REFUND;
	o.rules.accept_refund = true;
	assert_int_equal(judge(&o, fault), ASSIGNMENT_GOOD);
}

/* ---- what survives ---- */

struct box {
	char path[64];
	struct journal journal;
	size_t seen;
	struct journal_entry last;
	struct buf result;
};

static int set_up(void **state)
{
	struct box *box = calloc(1, sizeof *box);
	char fault[256];
	snprintf(box->path, sizeof box->path, "/tmp/aitbc-journal-XXXXXX");
	assert_non_null(mkdtemp(box->path));
	assert_int_equal(journal_open(&box->journal, box->path, NULL, fault), STATUS_OK);
	buf_init(&box->result, 0);
	*state = box;
	return 0;
}

static int tear_down(void **state)
{
	struct box *box = *state;
	journal_close(&box->journal);
	buf_fini(&box->result);
	assert_int_equal(workdir_remove(box->path), STATUS_OK);
	free(box);
	return 0;
}

static void on_entry(void *ctx, const struct journal_entry *entry)
{
	struct box *box = ctx;
	box->seen++;
	box->last = *entry;
	buf_clear(&box->result);
	buf_append_view(&box->result, buf_view(&entry->result));
}

static struct journal_entry entry_of(const char *result)
{
	struct journal_entry entry = {.complete = true,
		.job_id = "my-job",
		.attempt = 2,
		.work = {12500, 1000, 13500, {{0}}},
		.completed_job_ms = 77,
		.tokens = 5,
		.compute_ms = 12499};
	memset(entry.client.b, 4, 20);
	buf_init(&entry.result, 0);
	buf_append_text(&entry.result, result);
	entry.work.result_hash = sha256(buf_view(&entry.result));
	return entry;
}

static void a_kept_result_comes_back_to_the_byte(void **state)
{
	struct box *box = *state;
	struct journal_entry entry = entry_of("{\"a\":1.50,  \"b\":\"\\u0041\"}");
	assert_int_equal(journal_write(&box->journal, &entry), STATUS_OK);
	journal_each(&box->journal, on_entry, box);
	assert_int_equal(box->seen, 1);
	assert_true(box->last.complete);
	assert_string_equal(box->last.job_id, "my-job");
	assert_int_equal(box->last.attempt, 2);
	assert_int_equal(box->last.work.units_milli, 12500);
	assert_int_equal(box->last.work.completed_ms, 13500);
	assert_int_equal(box->last.completed_job_ms, 77);
	assert_int_equal(box->last.compute_ms, 12499);
	assert_true(bytes_equal(buf_view(&box->result), buf_view(&entry.result)));
	journal_remove(&box->journal, &entry.client, entry.job_id, entry.attempt);
	box->seen = 0;
	journal_each(&box->journal, on_entry, box);
	assert_int_equal(box->seen, 0);
	buf_fini(&entry.result);
}

static void completion_replaces_the_running_attempt(void **state)
{
	struct box *box = *state;
	struct journal_entry entry = entry_of("{}");
	entry.complete = false;
	assert_int_equal(journal_write(&box->journal, &entry), STATUS_OK);
	journal_each(&box->journal, on_entry, box);
	assert_false(box->last.complete);
	entry.complete = true;
	assert_int_equal(journal_write(&box->journal, &entry), STATUS_OK);
	box->seen = 0;
	journal_each(&box->journal, on_entry, box);
	assert_int_equal(box->seen, 1);
	assert_true(box->last.complete);
	buf_fini(&entry.result);
}

/* Cuts the one entry to len bytes, or flips one of its bytes. */
static void damage(const struct box *box, const struct journal_entry *entry, long len)
{
	char path[256], id[JOB_REST_ID_BYTES];
	job_rest_id(id, &entry->client, entry->job_id);
	snprintf(path, sizeof path, "%s/jobs/%s.%u.json", box->path, id, entry->attempt);
	assert_int_equal(truncate(path, len), 0);
}

static void a_torn_file_is_put_aside_and_never_believed(void **state)
{
	struct box *box = *state;
	struct journal_entry entry = entry_of("{\"x\":\"yyyyyyyyyyyy\"}");
	for (long len = 0; len < 300; len += 37) {
		assert_int_equal(journal_write(&box->journal, &entry), STATUS_OK);
		damage(box, &entry, len);
		journal_each(&box->journal, on_entry, box);
		assert_int_equal(box->seen, 0);
	}
	buf_fini(&entry.result);
}

static void a_result_that_lost_its_hash_is_put_aside(void **state)
{
	struct box *box = *state;
	struct journal_entry entry = entry_of("{}");
	entry.work.result_hash.b[0] ^= 1;
	assert_int_equal(journal_write(&box->journal, &entry), STATUS_OK);
	journal_each(&box->journal, on_entry, box);
	assert_int_equal(box->seen, 0);
	buf_fini(&entry.result);
}

static void two_daemons_never_share_a_state_directory(void **state)
{
	struct box *box = *state;
	struct journal other;
	char fault[256];
	assert_int_equal(journal_open(&other, box->path, NULL, fault), STATUS_BUSY);
	assert_non_null(strstr(fault, "another aitbc-miner"));
}

#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_chain_is_asked_at_half_time_or_five_seconds_before_the_end),
		cmocka_unit_test(pauses_double_and_end_growing),
		cmocka_unit_test(an_honest_assignment_is_taken),
		cmocka_unit_test(the_payload_hash_is_over_the_bytes_as_they_stood),
		cmocka_unit_test(a_malformed_assignment_is_refused_by_field),
		cmocka_unit_test(the_chains_word_wins_over_the_coordinators),
		cmocka_unit_test(a_refund_on_silence_is_taken_only_when_configured),
		WITH_BOX(a_kept_result_comes_back_to_the_byte),
		WITH_BOX(completion_replaces_the_running_attempt),
		WITH_BOX(a_torn_file_is_put_aside_and_never_believed),
		WITH_BOX(a_result_that_lost_its_hash_is_put_aside),
		WITH_BOX(two_daemons_never_share_a_state_directory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
