/* Sizes and shapes of every action, the preimages of receipts, and the names of refusals. */
#include "tests/unit/vectors.h"

#include <string.h>

#include "base/hex.h"
#include "base/limits.h"
#include "chain/format/wire.h"
#include "tests/unit/tx_samples.h"

static struct tx_sample s;
static uint8_t bytes_of_a[300];
static char text_of_a[300];

static int start(void **state)
{
	static const uint8_t seed[32] = {3};

	(void)state;
	memset(bytes_of_a, 'a', sizeof bytes_of_a);
	return keys_start(seed) ? 0 : -1;
}

static enum settle_code code_of(char fault[64])
{
	struct buf raw = {0};
	struct arena arena;
	enum settle_code code;
	enum status local;
	struct tx tx;

	arena_init(&arena, TX_ARENA_BYTES_MAX);
	tx_sample_sign(&raw, &s);
	code = tx_decode(&tx, &arena, buf_view(&raw), &local, fault);
	assert_int_equal(local, STATUS_OK);
	arena_fini(&arena);
	buf_fini(&raw);
	return code;
}

static char *letters(size_t len)
{
	memset(text_of_a, 'a', len);
	text_of_a[len] = 0;
	return text_of_a;
}

static ProtobufCBinaryData some(size_t len)
{
	return wire_borrow(bytes_of_a, len);
}

/* Of the whole sample, after one change. */
#define CODE(expected, name, change)                                                               \
	do {                                                                                       \
		char fault[64];                                                                    \
		enum settle_code code;                                                             \
		tx_sample_fill(&s);                                                                \
		change;                                                                            \
		code = code_of(fault);                                                             \
		if (code != (expected) || strcmp(fault, name) != 0)                                \
			fail_msg("%s: %s %s", #change, settle_code_name(code), fault);             \
	} while (0)
#define GOOD(change)       CODE(SETTLE_OK, "", change)
#define BAD(name, change)  CODE(SETTLE_BAD_PARAM, name, change)
#define LONG(name, change) CODE(SETTLE_LIMIT, name, change)

static void bodies_have_bounds(void **state)
{
	GOOD((void)0);
	GOOD(s.body.memo = letters(256));
	LONG("memo", s.body.memo = letters(257));
	BAD("actions", s.body.n_actions = 0);
	GOOD(s.body.n_actions = 1);
	BAD("actions[1].act", s.actions[1].act_case = PB__ACTION__ACT__NOT_SET);
	GOOD((s.body.sequence = UINT64_MAX, s.body.fee = UINT64_MAX, s.body.valid_until_ms = 0));
	GOOD(s.body.mode = PB__MODE__ATOMIC);
	CODE(SETTLE_BAD_ENCODING, "mode", s.body.mode = (Pb__Mode)2);
}

static void account_actions_have_bounds(void **state)
{
	BAD("actions[0].to", s.transfer.to = some(19));
	BAD("actions[0].to", s.transfer.to = some(21));
	BAD("actions[0].to", s.transfer.to = some(0));
	BAD("actions[0].amount", s.transfer.amount = 0);
	GOOD(s.transfer.amount = UINT64_MAX);
	GOOD(s.coordinator_set.share_ppm = 1000000);
	BAD("actions[1].share_ppm", s.coordinator_set.share_ppm = 1000001);
	BAD("actions[1].operators", s.operators[2] = some(33));
	BAD("actions[1].operators", s.operators[0] = some(0));
	GOOD(s.coordinator_set.n_operators = 0);
	GOOD(s.coordinator_set.url = letters(256));
	GOOD(s.coordinator_set.url = letters(0));
	LONG("actions[1].url", s.coordinator_set.url = letters(257));
}

static void submissions_have_bounds(void **state)
{
	GOOD(s.submit_job.job_id = letters(64));
	LONG("actions[2].job_id", s.submit_job.job_id = letters(65));
	BAD("actions[2].job_id", s.submit_job.job_id = letters(0));
	BAD("actions[2].job_id", s.submit_job.job_id = (char *)&"a b");
	BAD("actions[2].coordinator", s.submit_job.coordinator = some(33));
	GOOD(s.submit_job.coordinator_ppm = 1000000);
	BAD("actions[2].coordinator_ppm", s.submit_job.coordinator_ppm = 1000001);
	GOOD(s.submit_job.service = letters(64));
	LONG("actions[2].service", s.submit_job.service = letters(65));
	BAD("actions[2].service", s.submit_job.service = letters(0));
	BAD("actions[2].payload_hash", s.submit_job.payload_hash = some(31));
	GOOD(s.submit_job.unit_type = letters(16));
	GOOD(s.submit_job.unit_type = (char *)&"_");
	LONG("actions[2].unit_type", s.submit_job.unit_type = letters(17));
	BAD("actions[2].unit_type", s.submit_job.unit_type = letters(0));
	BAD("actions[2].unit_type", s.submit_job.unit_type = (char *)&"Second");
	BAD("actions[2].unit_type", s.submit_job.unit_type = (char *)&"k2");
	GOOD(s.submit_job.on_silence = PB__ON_SILENCE__REFUND);
	BAD("actions[2].on_silence", s.submit_job.on_silence = PB__ON_SILENCE__ON_SILENCE_NONE);
	BAD("actions[2].replicas", s.submit_job.replicas = 0);
	BAD("actions[2].replicas", s.submit_job.replicas = 2);
	BAD("actions[2].settle_rule", s.submit_job.settle_rule = 1);
}

static void coordinator_actions_have_bounds(void **state)
{
	BAD("actions[3].client", s.assign_job.client = some(0));
	BAD("actions[3].job_id", s.assign_job.job_id = (char *)&"a/b");
	BAD("actions[3].miner", s.assign_job.miner = some(20));
	BAD("actions[3].lease_ms", s.assign_job.lease_ms = 0);
	BAD("actions[4].client", s.renew_lease.client = some(21));
	BAD("actions[4].job_id", s.renew_lease.job_id = letters(0));
	BAD("actions[4].lease_ms", s.renew_lease.lease_ms = 0);
	BAD("actions[5].client", s.release_job.client = some(21));
	LONG("actions[5].job_id", s.release_job.job_id = letters(65));
	GOOD(s.release_job.miner_signature = some(0));
	BAD("actions[5].miner_signature", s.release_job.miner_signature = some(63));
	BAD("actions[8].client", s.reject_delivery.client = some(2));
	BAD("actions[8].job_id", s.reject_delivery.job_id = letters(0));
	GOOD(s.reject_delivery.reason = letters(0));
	GOOD(s.reject_delivery.reason = letters(256));
	LONG("actions[8].reason", s.reject_delivery.reason = letters(257));
	BAD("actions[9].client", s.fail_job.client = some(2));
	BAD("actions[9].job_id", s.fail_job.job_id = letters(0));
	LONG("actions[9].reason", s.fail_job.reason = letters(257));
	GOOD(s.fail_job.miner_signature = some(64));
	BAD("actions[9].miner_signature", s.fail_job.miner_signature = some(65));
	BAD("actions[10].job_id", s.cancel_job.job_id = letters(0));
	LONG("actions[10].job_id", s.cancel_job.job_id = letters(200));
}

#define SIDE(case_name, side, message)                                                             \
	(s.proposal.change_case = PB__AUTHORITY_PROPOSAL__CHANGE_##case_name,                      \
		s.proposal.side = &(message))

static void proposals_have_bounds(void **state)
{
	int64_t power_max = ((int64_t)1 << 60) - 1;

	BAD("actions[11].proposal", s.authority.proposal = NULL);
	BAD("actions[11].change", s.proposal.change_case = PB__AUTHORITY_PROPOSAL__CHANGE__NOT_SET);
	GOOD(s.proposal.reference = letters(64));
	GOOD(s.proposal.reference = letters(0));
	LONG("actions[11].reference", s.proposal.reference = letters(65));
	BAD("actions[11].changes", s.validators.n_changes = 0);
	GOOD(s.validators.n_changes = AUTHORITY_CHANGES_MAX);
	LONG("changes", s.validators.n_changes = AUTHORITY_CHANGES_MAX + 1);
	BAD("actions[11].key", s.changes[0].key = some(31));
	BAD("actions[11].key", s.changes[0].key = some(33));
	BAD("actions[11].key", memset(s.validator_keys[1], 0, 32));
	BAD("actions[11].key", memset(s.validator_keys[1], 1, 32));
	BAD("actions[11].power", s.changes[0].power = -1);
	GOOD(s.changes[0].power = power_max);
	BAD("actions[11].power", s.changes[0].power = power_max + 1);
	GOOD(s.changes[0].account = some(0));
	BAD("actions[11].account", s.changes[0].account = some(21));
	BAD("actions[11].account", s.changes[1].account = some(20));
	GOOD(SIDE(PARAMS, params, s.params)); /* its ranges are settlement's */
	GOOD(SIDE(RULES, rules, s.rules));
	BAD("actions[11].version", (SIDE(RULES, rules, s.rules), s.rules.version = 0));
	BAD("actions[11].height", (SIDE(RULES, rules, s.rules), s.rules.height = 0));
	BAD("actions[11].height", (SIDE(RULES, rules, s.rules), s.rules.height = -1));
	GOOD((SIDE(RULES, rules, s.rules), s.rules.release = letters(64)));
	LONG("actions[11].release", (SIDE(RULES, rules, s.rules), s.rules.release = letters(65)));
	GOOD(SIDE(SPEND, spend, s.spend));
	BAD("actions[11].to", (SIDE(SPEND, spend, s.spend), s.spend.to = some(19)));
	BAD("actions[11].amount", (SIDE(SPEND, spend, s.spend), s.spend.amount = 0));
}

static void receipts_have_bounds(void **state)
{
	BAD("actions[6].receipt", s.record_receipt.receipt = NULL);
	BAD("actions[7].receipt", s.deliver_result.receipt = NULL);
	BAD("actions[6].receipt_id", s.receipt.receipt_id = letters(31));
	BAD("actions[6].receipt_id", s.receipt.receipt_id = letters(33));
	BAD("actions[6].receipt_id",
		s.receipt.receipt_id = (char *)&"0000000000000000000000000000000A");
	GOOD(s.receipt.receipt_id = letters(32));
	BAD("actions[6].client", s.receipt.client = some(19));
	BAD("actions[6].job_id", s.receipt.job_id = letters(0));
	BAD("actions[6].coordinator", s.receipt.coordinator = some(19));
	BAD("actions[6].miner", s.receipt.miner = some(32));
	BAD("actions[6].service", s.receipt.service = letters(0));
	BAD("actions[6].payload_hash", s.receipt.payload_hash = some(20));
	BAD("actions[6].unit_type", s.receipt.unit_type = (char *)&"-");
	BAD("actions[6].result_hash", s.receipt.result_hash = some(64));
	BAD("actions[6].miner_signature", s.receipt.miner_signature = some(0));
	GOOD((s.receipt.units_milli = 0, s.receipt.amount = 0));
}

static void job_ids_are_of_few_letters(void **state)
{
	for (unsigned c = 0; c < 256; c++) {
		uint8_t id[3] = {'a', (uint8_t)c, 'b'};
		bool is_allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				  (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';

		assert_int_equal(job_id_valid(bytes_view(id, 3)), is_allowed);
	}
	assert_false(job_id_valid(bytes_view(NULL, 0)));
	assert_true(job_id_valid(bytes_view(bytes_of_a, JOB_ID_BYTES_MAX)));
	assert_false(job_id_valid(bytes_view(bytes_of_a, JOB_ID_BYTES_MAX + 1)));
}

static void is_hex(struct hash32 hash, const char *expected)
{
	char hex[65];

	hex_lower(hex, hash.b, sizeof hash.b);
	assert_string_equal(hex, expected);
}

/* The expected values were computed by another program from the rules of protocol 1 and 4. */
static void preimages_are_those_of_the_protocol(void **state)
{
	struct account_address client;
	struct account_key miner;
	struct buf packed = {0}, again = {0};
	struct job_key job;
	Pb__Receipt receipt;
	struct hash32 tag;
	char id[33];

	memset(tag.b, 0x11, sizeof tag.b);
	memcpy(client.b, sample_address().data, sizeof client.b);
	memcpy(miner.b, sample_key().data, sizeof miner.b);
	job = job_key_of(&client, bytes_of_text("job-1"));
	assert_int_equal(job.len, 20 + 1 + 5);
	receipt_id_of(id, &tag, &job, 2);
	assert_string_equal(id, "a75ea3bb66fab576a7a51589866d3382");
	is_hex(release_digest(&tag, &job, 2, &miner, 1),
		"60caa92cf9c70b68f83726bba4bd74f138d215847f419eb9c2b1cd5b12f50471");
	is_hex(release_digest(&tag, &job, 2, &miner, 2),
		"03d88f42ef4ac2ca402e8068f2c48a741d679e9abcb07b8fc20aa78166f8a456");
	is_hex(tx_digest(&tag, &miner, bytes_view("\x0d\x11\x11\x11\x11\x10\x07", 7)),
		"d048ec1b4dd510d31bcb34a8d3a1f5fff6f248ce287104ac04973e7758ef4e8b");
	receipt_sample_fill(&receipt);
	is_hex(receipt_hash(&receipt),
		"ef94bae9a9512283a3b60e918a9157e7e75181027e2c4630b554cba7c6affdf7");
	is_hex(receipt_digest(&receipt, &tag),
		"64b9aab085fca89f97e4041a401707712431ff879dbc557bf26ff266a850a471");
	receipt_pack_unsigned(&packed, &receipt);
	is_hex(sha256(buf_view(&packed)),
		"ef94bae9a9512283a3b60e918a9157e7e75181027e2c4630b554cba7c6affdf7");
	receipt.miner_signature = some(1); /* takes no part */
	receipt_pack_unsigned(&again, &receipt);
	assert_bytes_equal(buf_view(&again), buf_view(&packed), "unsigned");
	buf_fini(&packed);
	buf_fini(&again);
}

static void a_hint_is_the_tags_first_bytes_on_the_wire(void **state)
{
	struct hash32 tag = {{0xde, 0xad, 0xbe, 0xef, 0x01}};
	struct buf packed = {0};
	Pb__TxBody body = PB__TX_BODY__INIT;

	body.chain_hint = chain_hint_of(&tag);
	wire_append(&packed, &body.base);
	assert_bytes_equal(buf_view(&packed), bytes_view("\x0d\xde\xad\xbe\xef", 5), "hint");
	buf_fini(&packed);
}

static void a_receipt_is_worth_its_units_up_to_the_reward(void **state)
{
	static const struct {
		uint64_t units, max_units, price, reward, amount;
	} table[] = {
		{12500, 60000, 20000, 500000, 250000},
		{12500, 60000, 20000, 250000, 250000},
		{12500, 60000, 20000, 249999, 249999},
		{0, 60000, 20000, 500000, 0},
		{60001, 60000, 1000, 500000, 60000},
		{999, 60000, 1, 500000, 0},
		{1000, 60000, 1, 500000, 1},
		{1999, 60000, 1, 500000, 1},
		{UINT64_MAX, UINT64_MAX, UINT64_MAX, 500000, 500000},
		{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
		{UINT64_MAX, UINT64_MAX, 1000, UINT64_MAX, UINT64_MAX},
		{UINT64_MAX, UINT64_MAX, 999, UINT64_MAX, 18428297329635842063u},
		{5, 0, 20000, 500000, 0},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		uint64_t amount = receipt_amount(
			table[i].units, table[i].max_units, table[i].price, table[i].reward);

		assert_true(amount == table[i].amount);
	}
}

static void refusals_keep_their_numbers_and_names(void **state)
{
	static const char *const names[] = {"ok", "bad_encoding", "wrong_chain", "bad_signature",
		"tx_expired", "fee_too_low", "unknown_account", "stale_sequence", "sequence_gap",
		"sequence_taken", "insufficient_funds", "bad_param", "limit", "overflow",
		"job_exists", "unknown_job", "wrong_state", "job_expired", "not_client",
		"not_coordinator", "unknown_coordinator", "not_assigned_miner", "attempt_mismatch",
		"attempts_exhausted", "lease_live", "lease_past_deadline", "bad_receipt",
		"bad_miner_signature", "amount_mismatch", "unit_mismatch", "too_many_jobs",
		"not_authority", "coordinator_closed", "share_mismatch", "lease_lapsed"};

	assert_true(SETTLE_CODES >= sizeof names / sizeof names[0]);
	for (uint32_t code = 0; code < sizeof names / sizeof names[0]; code++)
		assert_string_equal(settle_code_name(code), names[code]);
	for (uint32_t code = 0; code < SETTLE_CODES; code++)
		assert_string_not_equal(settle_code_name(code), "unknown");
	assert_string_equal(settle_code_name(SETTLE_CODES), "unknown");
	assert_string_equal(settle_code_name(UINT32_MAX), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_have_bounds),
		cmocka_unit_test(account_actions_have_bounds),
		cmocka_unit_test(submissions_have_bounds),
		cmocka_unit_test(coordinator_actions_have_bounds),
		cmocka_unit_test(proposals_have_bounds),
		cmocka_unit_test(receipts_have_bounds),
		cmocka_unit_test(job_ids_are_of_few_letters),
		cmocka_unit_test(preimages_are_those_of_the_protocol),
		cmocka_unit_test(a_hint_is_the_tags_first_bytes_on_the_wire),
		cmocka_unit_test(a_receipt_is_worth_its_units_up_to_the_reward),
		cmocka_unit_test(refusals_keep_their_numbers_and_names),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
