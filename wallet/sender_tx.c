/* The sender's pure half: what a transaction costs, and what its result says of each action. */
#include <string.h>

#include "chain/tx.h"
#include "wallet/fields.h"
#include "wallet/sender.h"

/* Tx{body, public_key, signature}: each length-delimited with a one-byte tag. */
static size_t field_bytes(size_t len)
{
	size_t digits = 1;

	for (size_t rest = len; rest >= 128; rest >>= 7)
		digits++;
	return 1 + digits + len;
}

size_t sender_tx_bytes(const Pb__TxBody *body)
{
	return field_bytes(pb__tx_body__get_packed_size(body)) + field_bytes(33) + field_bytes(64);
}

bool sender_fee(Pb__TxBody *body, uint64_t base_fee, uint64_t fee_per_byte)
{
	body->fee = 0;
	/* The size grows with the fee's digits and never shrinks, so this rises to the smallest fee
	 * that pays for itself; ten digits of a varint bound the steps. */
	for (;;) {
		uint64_t size = sender_tx_bytes(body);
		if (fee_per_byte != 0 && size > (UINT64_MAX - base_fee) / fee_per_byte)
			return false;
		uint64_t fee = base_fee + fee_per_byte * size;
		if (fee <= body->fee)
			return true;
		body->fee = fee;
	}
}

static bool code_of_name(uint32_t *code, const char *name, size_t len)
{
	for (uint32_t c = 1; c < SETTLE_CODES; c++) {
		const char *known = settle_code_name(c);
		if (strlen(known) == len && memcmp(known, name, len) == 0) {
			*code = c;
			return true;
		}
	}
	return false;
}

/* One "INDEX:CODE_NAME" off the front of *at. */
static bool next_failure(const char **at, uint64_t *index, uint32_t *code)
{
	size_t digits = strspn(*at, "0123456789");
	const char *name = *at + digits + 1;

	if (!u64_parse(index, *at, digits) || (*at)[digits] != ':')
		return false;
	size_t len = strcspn(name, ",");
	if (!code_of_name(code, name, len))
		return false;
	*at = name[len] == ',' ? name + len + 1 : name + len;
	return true;
}

static void fill(uint32_t *codes, size_t count, uint32_t code)
{
	for (size_t i = 0; i < count; i++)
		codes[i] = code;
}

bool sender_codes(uint32_t *codes, size_t count, Pb__Mode mode, uint32_t code, const char *log)
{
	uint64_t index;
	uint32_t failure;

	fill(codes, count, code);
	/* ATOMIC: one code for all. EACH that failed as a whole has no codes of its own either. */
	if (mode == PB__MODE__ATOMIC || code != SETTLE_OK)
		return true;
	while (*log) {
		if (!next_failure(&log, &index, &failure) || index >= count) {
			fill(codes, count, SETTLE_CODES);
			return false;
		}
		codes[index] = failure;
	}
	return true;
}
