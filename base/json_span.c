#include "base/json.h"

#include <string.h>

#include "base/json_scan.h"

struct wanted {
	struct bytes name;
	struct bytes found;
	bool is_found;
};

static void on_member(void *ctx, struct bytes key, struct bytes value)
{
	struct wanted *wanted = ctx;

	if (bytes_equal(key, wanted->name)) {
		wanted->found = value;
		wanted->is_found = true;
	}
}

/* Only an object has members; the scan would also tell those of an array's elements. */
static bool starts_as_object(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!strchr(" \t\r\n", text.data[i]) || text.data[i] == 0)
			return text.data[i] == '{';
	}
	return false;
}

bool json_member_span(struct bytes text, const char *name, struct bytes *span)
{
	struct wanted wanted = {bytes_of_text(name), {NULL, 0}, false};
	struct json_scan_events events = {NULL, on_member, &wanted, 0};
	size_t offset;

	if (!starts_as_object(text) || json_scan(text, &events, &offset) || !wanted.is_found)
		return false;
	*span = wanted.found;
	return true;
}

struct gathered {
	struct json_member *members;
	size_t max;
	size_t count;
	bool is_odd;
};

static void on_gathered(void *ctx, struct bytes key, struct bytes value)
{
	struct gathered *gathered = ctx;

	gathered->is_odd = gathered->is_odd || gathered->count == gathered->max ||
			   (key.len > 0 && memchr(key.data, '\\', key.len));
	for (size_t i = 0; i < gathered->count && !gathered->is_odd; i++)
		gathered->is_odd = bytes_equal(gathered->members[i].key, key);
	if (!gathered->is_odd)
		gathered->members[gathered->count++] = (struct json_member){key, value};
}

bool json_members(struct bytes text, struct json_member *members, size_t max, size_t *count)
{
	struct gathered gathered = {members, max, 0, false};
	struct json_scan_events events = {NULL, on_gathered, &gathered, 0};
	size_t offset;

	*count = 0;
	if (!starts_as_object(text) || json_scan(text, &events, &offset) || gathered.is_odd)
		return false;
	*count = gathered.count;
	return true;
}
