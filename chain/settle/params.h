/* params: the settlement parameters, their defaults and ranges [protocol 8], as a table that
 * genesis, queries and documents read too. Pure. */
#ifndef CHAIN_SETTLE_PARAMS_H
#define CHAIN_SETTLE_PARAMS_H

#include "base/bytes.h"
#include "chain/proto/settle.pb-c.h"

struct settle_param {
	const char *name;
	size_t offset; /* in Pb__SettleParams */
	bool is_u32;
	uint64_t preset; /* the default */
	uint64_t min;
	uint64_t max;
};

/* In the order of the schema. */
const struct settle_param *settle_param_table(size_t *count);
uint64_t settle_param_get(const Pb__SettleParams *params, const struct settle_param *param);
/* value must fit the parameter's type (within min..max it does). */
void settle_param_set(Pb__SettleParams *params, const struct settle_param *param, uint64_t value);

/* An initialised message with every default. */
void settle_params_preset(Pb__SettleParams *out);
/* NULL: all in range and min_ttl_ms <= max_ttl_ms; else the name of the first one at fault. */
const char *settle_params_fault(const Pb__SettleParams *params);

#endif
