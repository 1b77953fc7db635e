/* Every cell of (state, action, role): its refusal or the state it leads to; and a refusal moves
 * nothing but the fee. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chain/settle/jobs.h"
#include "tests/unit/settle_kit.h"

enum situation {
	NEVER,     /* no such job */
	WAITS,     /* OPEN */
	LEASED,    /* ASSIGNED, lease live */
	LAPSED,    /* ASSIGNED, from lease end on, within grace */
	GONE,      /* ASSIGNED, from lease end + grace on */
	DELIVERED, /* and not yet reviewed */
	SETTLED,
	FAILED,
	CANCELLED,
	EXPIRED,
	REFUNDED,
	SITUATIONS
};

enum deed {
	ASSIGN,
	RENEW,
	RELEASE,
	RELEASE_SIGNED,
	RECORD,
	DELIVER,
	REJECT,
	FAIL,
	FAIL_SIGNED,
	CANCEL,
	SUBMIT,
	DEEDS
};

enum { LEASE_MS = 5000, GRACE_MS = 10000 };

/* What the right party gets: minus a code, or the state the job is in afterwards. */
#define NO(code) (-(int)(code))
static const int cells[SITUATIONS][DEEDS] = {
	[NEVER] = {NO(SETTLE_UNKNOWN_JOB), NO(SETTLE_UNKNOWN_JOB), NO(SETTLE_UNKNOWN_JOB),
		NO(SETTLE_UNKNOWN_JOB), NO(SETTLE_UNKNOWN_JOB), NO(SETTLE_UNKNOWN_JOB),
		NO(SETTLE_UNKNOWN_JOB), NO(SETTLE_UNKNOWN_JOB), NO(SETTLE_UNKNOWN_JOB),
		NO(SETTLE_UNKNOWN_JOB), JOB_OPEN},
	[WAITS] = {JOB_ASSIGNED, NO(SETTLE_WRONG_STATE), NO(SETTLE_WRONG_STATE),
		NO(SETTLE_WRONG_STATE), NO(SETTLE_WRONG_STATE), NO(SETTLE_WRONG_STATE),
		NO(SETTLE_WRONG_STATE), JOB_FAILED, JOB_FAILED, JOB_CANCELLED,
		NO(SETTLE_JOB_EXISTS)},
	[LEASED] = {NO(SETTLE_LEASE_LIVE), JOB_ASSIGNED, NO(SETTLE_LEASE_LIVE), JOB_OPEN,
		JOB_SETTLED, JOB_DELIVERED, NO(SETTLE_WRONG_STATE), NO(SETTLE_LEASE_LIVE),
		JOB_FAILED, NO(SETTLE_LEASE_LIVE), NO(SETTLE_JOB_EXISTS)},
	[LAPSED] = {NO(SETTLE_LEASE_LIVE), NO(SETTLE_LEASE_LAPSED), NO(SETTLE_LEASE_LIVE), JOB_OPEN,
		JOB_SETTLED, JOB_DELIVERED, NO(SETTLE_WRONG_STATE), NO(SETTLE_LEASE_LIVE),
		JOB_FAILED, NO(SETTLE_LEASE_LIVE), NO(SETTLE_JOB_EXISTS)},
	[GONE] = {JOB_ASSIGNED, NO(SETTLE_LEASE_LAPSED), JOB_OPEN, JOB_OPEN, JOB_SETTLED,
		JOB_DELIVERED, NO(SETTLE_WRONG_STATE), JOB_FAILED, JOB_FAILED, JOB_CANCELLED,
		NO(SETTLE_JOB_EXISTS)},
	[DELIVERED] = {NO(SETTLE_WRONG_STATE), NO(SETTLE_WRONG_STATE), NO(SETTLE_WRONG_STATE),
		NO(SETTLE_WRONG_STATE), JOB_SETTLED, NO(SETTLE_WRONG_STATE), JOB_OPEN,
		NO(SETTLE_WRONG_STATE), NO(SETTLE_WRONG_STATE), NO(SETTLE_WRONG_STATE),
		NO(SETTLE_JOB_EXISTS)},
};

/* Terminal states refuse everything, whoever asks. */
static int cell(enum situation at, enum deed deed)
{
	if (at < SETTLED)
		return cells[at][deed];
	if (deed == SUBMIT)
		return NO(SETTLE_JOB_EXISTS);
	return at == EXPIRED ? NO(SETTLE_JOB_EXPIRED) : NO(SETTLE_WRONG_STATE);
}

/* What `who` gets where the right party gets `cell`. */
static int expected(enum situation at, enum deed deed, enum kit_who who)
{
	int right = cell(at, deed);
	bool speaks = who == COORDINATOR || who == OPERATOR;

	if (deed == DELIVER)
		return right;
	if (deed == CANCEL || deed == SUBMIT) {
		/* Another's job can't be named, and one's own of the same id is another job. */
		if (who == CLIENT)
			return right;
		return deed == CANCEL ? NO(SETTLE_UNKNOWN_JOB) : (int)JOB_OPEN;
	}
	if (speaks || at == NEVER || at >= SETTLED)
		return right;
	return NO(SETTLE_NOT_COORDINATOR);
}

static void ok(struct kit *kit, enum kit_who who, Pb__Action *action)
{
	assert_int_equal(kit_act(kit, who, action), SETTLE_OK);
}

/* Leads "job" into the situation; the block before the deed. */
static void lead_to(struct kit *kit, enum situation at)
{
	Pb__Action *submit = kit_submit(kit, "job");

	kit->fee = 5000;
	if (at == NEVER) {
		kit_run(kit, 1);
		kit_run(kit, 1);
		return;
	}
	if (at == REFUNDED)
		submit->submit_job->on_silence = PB__ON_SILENCE__REFUND;
	ok(kit, CLIENT, submit);
	if (at == FAILED)
		ok(kit, COORDINATOR, kit_fail(kit, "job", 0, false));
	if (at == CANCELLED)
		ok(kit, CLIENT, kit_cancel(kit, "job"));
	if (at == EXPIRED) {
		for (int i = 0; i < 6; i++)
			kit_run(kit, 10000);
	}
	if (at == WAITS || at == FAILED || at == CANCELLED || at == EXPIRED)
		return;
	ok(kit, COORDINATOR, kit_assign(kit, "job", 1, LEASE_MS));
	if (at == LAPSED)
		kit_run(kit, LEASE_MS - 1); /* the deed's block comes 1 ms later */
	if (at == GONE)
		kit_run(kit, LEASE_MS + GRACE_MS - 1);
	if (at == SETTLED)
		ok(kit, COORDINATOR, kit_record(kit, kit_receipt(kit, "job", 1, 1, 100)));
	if (at == DELIVERED || at == REFUNDED)
		ok(kit, MINER, kit_deliver(kit, kit_receipt(kit, "job", 1, 1, 100)));
	if (at == REFUNDED) {
		for (int i = 0; i < 40; i++)
			kit_run(kit, 15000);
	}
}

static Pb__Action *action_of(struct kit *kit, enum situation at, enum deed deed)
{
	uint32_t attempt =
		at == NEVER || at == WAITS || at == FAILED || at == CANCELLED || at == EXPIRED ? 0
											       : 1;

	switch (deed) {
	case ASSIGN: return kit_assign(kit, "job", attempt + 1, LEASE_MS);
	case RENEW: return kit_renew(kit, "job", attempt, LEASE_MS);
	case RELEASE: return kit_release(kit, "job", attempt, false);
	case RELEASE_SIGNED: return kit_release(kit, "job", attempt, true);
	case RECORD: return kit_record(kit, kit_receipt(kit, "job", attempt, 1, 100));
	case DELIVER: return kit_deliver(kit, kit_receipt(kit, "job", attempt, 1, 100));
	case REJECT: return kit_reject(kit, "job", attempt);
	case FAIL: return kit_fail(kit, "job", attempt, false);
	case FAIL_SIGNED: return kit_fail(kit, "job", attempt, true);
	case CANCEL: return kit_cancel(kit, "job");
	case SUBMIT: return kit_submit(kit, "job");
	case DEEDS: break;
	}
	fail();
	return NULL;
}

struct purse {
	uint64_t balances[KIT_PEOPLE];
	uint64_t escrow;
	uint32_t state;
};

static struct purse purse_of(struct kit *kit)
{
	struct purse purse;

	for (int i = 0; i < KIT_PEOPLE; i++)
		purse.balances[i] = kit_balance(kit, (enum kit_who)i);
	purse.escrow = kit_totals(kit).escrow;
	purse.state = kit_job_state(kit, "job", NULL);
	return purse;
}

static void try_cell(struct kit *kit, enum situation at, enum deed deed, enum kit_who who)
{
	int want = expected(at, deed, who);
	struct purse before, after;
	uint32_t code;

	kit_open(kit, NULL);
	lead_to(kit, at);
	before = purse_of(kit);
	code = kit_act(kit, who, action_of(kit, at, deed));
	after = purse_of(kit);
	if (want <= 0 ? code != (uint32_t)-want : code != 0)
		fail_msg("situation %d deed %d by %d: code %u, expected %d", at, deed, who, code,
			want);
	if (want > 0 && (who == CLIENT || (deed != CANCEL && deed != SUBMIT)) &&
		after.state != (uint32_t)want)
		fail_msg("situation %d deed %d by %d: state %u, expected %d", at, deed, who,
			after.state, want);
	if (want <= 0) {
		assert_int_equal(after.state, before.state);
		assert_int_equal(after.escrow, before.escrow);
		for (int i = 0; i < KIT_PEOPLE; i++) {
			uint64_t fee = i == (int)who ? kit->fee : 0;

			if (i == PROPOSER)
				assert_int_equal(
					after.balances[i], before.balances[i] + kit->fee - fee);
			else
				assert_int_equal(after.balances[i], before.balances[i] - fee);
		}
	}
	kit_close(kit);
}

static void every_cell_is_as_the_table_says(void **state)
{
	static const enum kit_who roles[] = {CLIENT, COORDINATOR, OPERATOR, MINER, RICH};
	struct kit *kit = calloc(1, sizeof *kit);

	assert_non_null(kit);
	for (int at = 0; at < SITUATIONS; at++)
		for (int deed = 0; deed < DEEDS; deed++)
			for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
				try_cell(kit, (enum situation)at, (enum deed)deed, roles[i]);
	free(kit);
}

/* The switch itself, whole: 9 states x 13 events, with the 18 arrows of the protocol and no other.
 */
static void only_the_arrows_of_the_protocol_exist(void **state)
{
	static const struct {
		enum job_state from;
		enum job_event event;
		enum job_state to;
	} arrows[] = {
		{JOB_NONE, JOB_SUBMIT, JOB_OPEN},
		{JOB_OPEN, JOB_ASSIGN, JOB_ASSIGNED},
		{JOB_OPEN, JOB_FAIL, JOB_FAILED},
		{JOB_OPEN, JOB_CANCEL, JOB_CANCELLED},
		{JOB_OPEN, JOB_DEADLINE, JOB_EXPIRED},
		{JOB_ASSIGNED, JOB_ASSIGN, JOB_ASSIGNED},
		{JOB_ASSIGNED, JOB_RENEW, JOB_ASSIGNED},
		{JOB_ASSIGNED, JOB_RELEASE, JOB_OPEN},
		{JOB_ASSIGNED, JOB_RECORD, JOB_SETTLED},
		{JOB_ASSIGNED, JOB_DELIVER, JOB_DELIVERED},
		{JOB_ASSIGNED, JOB_FAIL, JOB_FAILED},
		{JOB_ASSIGNED, JOB_CANCEL, JOB_CANCELLED},
		{JOB_ASSIGNED, JOB_DEADLINE, JOB_EXPIRED},
		{JOB_DELIVERED, JOB_RECORD, JOB_SETTLED},
		{JOB_DELIVERED, JOB_REJECT, JOB_OPEN},
		{JOB_DELIVERED, JOB_REJECT_LAST, JOB_FAILED},
		{JOB_DELIVERED, JOB_REVIEW_PAY, JOB_SETTLED},
		{JOB_DELIVERED, JOB_REVIEW_REFUND, JOB_REFUNDED},
	};
	enum { ARROWS = sizeof arrows / sizeof arrows[0] };
	int legal = 0;

	for (int at = JOB_NONE; at <= JOB_REFUNDED; at++) {
		for (int event = 0; event < JOB_EVENTS; event++) {
			enum job_state next = (enum job_state)at;
			bool goes = job_next((enum job_state)at, (enum job_event)event, &next);
			size_t i = 0;

			legal += goes;
			while (i < ARROWS &&
				((int)arrows[i].from != at || (int)arrows[i].event != event))
				i++;
			assert_int_equal(goes, i < ARROWS);
			if (goes)
				assert_int_equal(next, arrows[i].to);
			else
				assert_int_equal(next, at);
		}
	}
	assert_int_equal(legal, ARROWS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_arrows_of_the_protocol_exist),
		cmocka_unit_test(every_cell_is_as_the_table_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
