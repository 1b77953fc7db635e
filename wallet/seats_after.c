#include "wallet/seats_after.h"

#include <stdlib.h>
#include <string.h>

static int strongest_first(const void *a, const void *b)
{
	const struct seat_power *x = a, *y = b;

	return x->power < y->power ? 1 : x->power > y->power ? -1 : 0;
}

/* Without multiplying: powers may be as large as they like. */
static bool is_quorum(int64_t power, int64_t total)
{
	return power >= total / 3 * 2 + total % 3 * 2 / 3 + 1;
}

static int64_t sum(const struct seat_power *seats, size_t count)
{
	int64_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += seats[i].power;
	return total;
}

static uint32_t may_fail(struct seat_power *seats, size_t count)
{
	int64_t total = sum(seats, count);
	int64_t left = total;
	uint32_t failed = 0;

	qsort(seats, count, sizeof *seats, strongest_first);
	while (failed < count && is_quorum(left - seats[failed].power, total))
		left -= seats[failed++].power;
	return failed;
}

static struct seat_power *find(struct seats_after *s, const struct validator_address *address)
{
	for (uint32_t i = 0; i < s->count; i++) {
		if (memcmp(s->seats[i].address.b, address->b, sizeof address->b) == 0)
			return &s->seats[i];
	}
	return NULL;
}

static void apply(struct seats_after *out, const Pb__ValidatorChange *change)
{
	struct validator_key key;
	struct validator_address address;
	struct seat_power *seat;

	if (change->key.len != sizeof key.b || change->power < 0)
		return;
	memcpy(key.b, change->key.data, sizeof key.b);
	address = validator_address_of(&key);
	seat = find(out, &address);
	if (seat && change->power == 0) {
		*seat = out->seats[--out->count];
	} else if (seat) {
		seat->power = change->power;
	} else if (change->power > 0 && out->count < VALIDATORS_MAX + AUTHORITY_CHANGES_MAX) {
		out->seats[out->count++] = (struct seat_power){address, change->power};
		out->fresh += change->power;
		out->fresh_count++;
	}
}

void seats_after(struct seats_after *out, const struct seat_power *now, size_t now_count,
	const Pb__ValidatorsChange *change)
{
	memset(out, 0, sizeof *out);
	CHECK(now_count <= VALIDATORS_MAX);
	if (now_count > 0)
		memcpy(out->seats, now, now_count * sizeof *now);
	out->count = out->count_before = (uint32_t)now_count;
	out->may_fail_before = may_fail(out->seats, now_count);
	for (size_t i = 0; i < change->n_changes && i < AUTHORITY_CHANGES_MAX; i++)
		apply(out, change->changes[i]);
	out->total = sum(out->seats, out->count);
	out->may_fail = may_fail(out->seats, out->count);
	out->stops = out->fresh > 0 && !is_quorum(out->total - out->fresh, out->total);
}

bool seats_after_text(struct buf *out, const struct seats_after *s)
{
	if (s->count == 0) {
		buf_append_text(out, "nobody would be left to validate: the chain refuses that\n");
		return false;
	}
	if (s->stops)
		buf_appendf(out,
			"without the new key%s there is no quorum: the chain stops two blocks "
			"after "
			"this is decided unless %s node%s\nbefore. Start %s first, and see that it "
			"has caught up (aitbc chain at its port)\n",
			s->fresh_count > 1 ? "s" : "", s->fresh_count > 1 ? "their" : "its",
			s->fresh_count > 1 ? "s run" : " runs", s->fresh_count > 1 ? "them" : "it");
	else if (s->fresh_count > 0)
		buf_appendf(out, "the new key counts two blocks after this is decided, whether its "
				 "node runs "
				 "or not: start it first\n");
	if (s->count == 1 && s->count_before > 1)
		buf_append_text(out, "one validator is left: it decides alone, and nothing is "
				     "decided while it is away\n");
	else if (s->count > 1 && s->may_fail == 0 &&
		 (s->may_fail_before > 0 || s->count != s->count_before))
		buf_appendf(out,
			"of the %u validators none may be away from then on; four of equal power "
			"are the fewest that survive the loss of one\n",
			s->count);
	else if (s->may_fail < s->may_fail_before)
		buf_appendf(out, "of the %u validators %u may be away from then on; now it is %u\n",
			s->count, s->may_fail, s->may_fail_before);
	return true;
}
