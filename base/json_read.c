#include "base/json.h"

#include <stdio.h>
#include <string.h>

#include "base/json_scan.h"

json_t *json_read(struct bytes text, struct json_fault *fault)
{
	return json_read_bounded(text, 0, fault);
}

json_t *json_read_bounded(struct bytes text, size_t values_max, struct json_fault *fault)
{
	struct json_scan_events events = {.values_max = values_max};
	size_t offset;
	const char *wrong = json_scan(text, &events, &offset);
	json_error_t error;
	json_t *value;

	if (wrong) {
		snprintf(fault->text, sizeof fault->text, "%s at byte %zu", wrong, offset);
		return NULL;
	}
	/* Left for jansson: duplicate keys, which its seeded hash finds in linear time, and reals
	 * beyond a double's range. */
	value = json_loadb((const char *)text.data, text.len,
		JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
	if (!value)
		snprintf(fault->text, sizeof fault->text, "%.100s at byte %d", error.text,
			error.position);
	return value;
}

struct id_spans {
	struct bytes *ids;
	size_t max;
	size_t count; /* elements seen */
};

static void on_element(void *ctx)
{
	struct id_spans *spans = ctx;

	if (spans->count < spans->max)
		spans->ids[spans->count] = bytes_view(NULL, 0);
	spans->count++;
}

/* Is the raw key "id", also when spelled with \u0069 or \u0064? */
static bool is_id(struct bytes key)
{
	const char *wanted = "id";
	size_t at = 0;

	for (; *wanted; wanted++) {
		char escape[7];

		snprintf(escape, sizeof escape, "\\u00%02x", (unsigned)(unsigned char)*wanted);
		if (at < key.len && key.data[at] == (uint8_t)*wanted)
			at++;
		else if (key.len - at >= 6 && memcmp(key.data + at, escape, 6) == 0)
			at += 6;
		else
			return false;
	}
	return at == key.len;
}

static void on_member(void *ctx, struct bytes key, struct bytes value)
{
	struct id_spans *spans = ctx;

	if (spans->count <= spans->max && is_id(key))
		spans->ids[spans->count - 1] = value;
}

size_t json_id_spans(struct bytes text, struct bytes *ids, size_t max)
{
	struct id_spans spans = {ids, max, 0};
	struct json_scan_events events = {on_element, on_member, &spans, 0};
	size_t offset;

	if (json_scan(text, &events, &offset))
		return 0;
	return spans.count;
}
