/* query: the language in which clients name events and search blocks and transactions, as CometBFT
 * v0.38's pubsub reads it: `cond {AND cond}`, where a cond is a tag with = < <= > >= and an
 * operand, CONTAINS 'text', or EXISTS. Operands are 'text', a decimal number, DATE yyyy-mm-dd or
 * TIME rfc3339. No OR, no brackets, no NOT. A tag may have several values: a condition holds when
 * one of them fulfils it, and each condition may take another. Owns nothing: a query looks into the
 * text it was read from. Pure. */
#ifndef RPC_QUERY_H
#define RPC_QUERY_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/rfc3339.h"

enum query_operator {
	QUERY_EQUAL,
	QUERY_LESS,
	QUERY_LESS_EQUAL,
	QUERY_GREATER,
	QUERY_GREATER_EQUAL,
	QUERY_CONTAINS,
	QUERY_EXISTS
};

enum query_operand {
	QUERY_NOTHING, /* of EXISTS */
	QUERY_TEXT,
	QUERY_NUMBER,
	QUERY_DAY,   /* DATE */
	QUERY_MOMENT /* TIME */
};

struct query_condition {
	struct bytes tag;
	enum query_operator op;
	enum query_operand operand;
	struct bytes text;     /* TEXT without its quotes; NUMBER: its digits */
	struct timestamp when; /* DAY, MOMENT */
};

struct query {
	struct query_condition conditions[QUERY_CONDITIONS_MAX];
	size_t count; /* at least 1 */
};

/* One value of an event: `transfer.sender` and an address, say. */
struct query_pair {
	struct bytes tag;
	struct bytes value;
};

enum { QUERY_FAULT_BYTES = 160 };

/* text: at most QUERY_BYTES_MAX bytes, borrowed for as long as the query lives. False: fault says
 * in words what is wrong and at which byte. */
MUST_USE bool query_read(struct query *out, char fault[QUERY_FAULT_BYTES], struct bytes text);

/* Whether every condition holds for what happened. */
bool query_matches(const struct query *query, const struct query_pair *pairs, size_t pair_count);

/* Whether this value fulfils a condition on its tag. */
bool query_value_fits(const struct query_condition *condition, struct bytes value);

/* -1, 0, 1: a below, equal to, above b, both digits with at most one point between them; exact
 * whatever their length. */
int query_compare_numbers(struct bytes a, struct bytes b);

#endif
