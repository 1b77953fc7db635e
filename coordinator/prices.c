/* HOME/coordinator/prices.json: {"inference": {"unit_price": "0.02aitbc", "reward": "10aitbc",
 * ...}, ...}; what it doesn't name keeps its default. A member it doesn't know is an error: a
 * misspelled price must not pass silently. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "base/json.h"
#include "coordinator/inside.h"

enum { PRICES_BYTES_MAX = 64 * 1024 };

static bool read_amount(uint64_t *out, const json_t *value)
{
	struct amount amount;

	if (!json_is_string(value) ||
		!amount_parse(&amount, json_string_value(value), json_string_length(value)) ||
		amount.uaitbc == 0)
		return false;
	*out = amount.uaitbc;
	return true;
}

static bool read_number(uint64_t *out, const json_t *value, uint64_t most)
{
	if (!json_is_integer(value) || json_integer_value(value) < 1 ||
		(uint64_t)json_integer_value(value) > most)
		return false;
	*out = (uint64_t)json_integer_value(value);
	return true;
}

/* False: fault says what the member must be. */
static bool read_member(
	struct service_price *price, const char *name, const json_t *value, const char **wanted)
{
	uint64_t attempts = 0;

	*wanted = "must be an amount like \"0.02aitbc\"";
	if (strcmp(name, "unit_price") == 0)
		return read_amount(&price->unit_price, value);
	if (strcmp(name, "reward") == 0)
		return read_amount(&price->reward, value);
	*wanted = "must be a whole number, at least 1";
	if (strcmp(name, "max_units_milli") == 0)
		return read_number(&price->max_units_milli, value, UINT32_MAX);
	if (strcmp(name, "ttl_ms") == 0)
		return read_number(&price->ttl_ms, value, UINT32_MAX);
	if (strcmp(name, "max_attempts") == 0) {
		if (!read_number(&attempts, value, 100))
			return false;
		price->max_attempts = (uint32_t)attempts;
		return true;
	}
	*wanted = "must be true or false";
	if (strcmp(name, "offered") == 0) {
		price->closed = json_is_false(value);
		return json_is_boolean(value);
	}
	*wanted = "is not known; there are offered, unit_price, reward, max_units_milli, ttl_ms, "
		  "max_attempts";
	return false;
}

bool prices_parse(struct service_price prices[SERVICE_COUNT], struct bytes text, char fault[256])
{
	struct json_fault wrong;
	json_t *root = json_read(text, &wrong);
	const char *service_name, *name, *wanted;
	json_t *entry, *value;
	bool good = json_is_object(root);

	if (!good)
		snprintf(fault, 256, "prices: %s", root ? "must be an object" : wrong.text);
	json_object_foreach(root, service_name, entry)
	{
		const struct service *service = service_by_name(service_name, strlen(service_name));

		if (!good)
			break;
		good = service && json_is_object(entry);
		if (!good)
			snprintf(fault, 256, "prices: \"%.80s\" is no service here", service_name);
		json_object_foreach(entry, name, value)
		{
			if (!good)
				break;
			good = read_member(&prices[service_index(service)], name, value, &wanted);
			if (!good)
				snprintf(fault, 256, "prices: %.60s: %.60s %s", service_name, name,
					wanted);
		}
	}
	json_decref(root);
	return good;
}

enum status prices_load(
	struct service_price prices[SERVICE_COUNT], const char *path, char fault[256])
{
	enum status status = STATUS_OK;
	FILE *file = fopen(path, "re");
	struct buf text;
	uint8_t *to;
	size_t len;

	if (!file) {
		snprintf(fault, 256, "%.150s: %s", path, strerror(errno));
		return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
	}
	buf_init(&text, 0);
	to = buf_extend(&text, PRICES_BYTES_MAX);
	len = to ? fread(to, 1, PRICES_BYTES_MAX, file) : 0;
	if (!to || ferror(file) || len == PRICES_BYTES_MAX) {
		snprintf(fault, 256, "%.150s: can't be read, or is too large", path);
		status = STATUS_IO;
	} else if (!prices_parse(prices, bytes_view(to, len), fault)) {
		status = STATUS_INVALID;
	}
	fclose(file);
	buf_fini(&text);
	return status;
}
