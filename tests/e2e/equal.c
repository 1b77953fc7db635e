#define _GNU_SOURCE
#include "tests/e2e/equal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/live/ask.h"

enum { RANGE = 20, LOOK_MS = 20 };

/* SHA-256 of nothing: the evidence hash of a block without evidence. */
static const char no_evidence[] =
	"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";

static int64_t look(uint16_t port, int64_t *earliest)
{
	char fault[256];
	json_t *status = ask_call(port, "status", NULL, fault);
	const json_t *sync = json_object_get(status, "sync_info");
	int64_t height = ask_number(sync, "latest_block_height");
	*earliest = ask_number(sync, "earliest_block_height");
	json_decref(status);
	return height;
}

bool equal_await(struct equal_report *report, const uint16_t *ports, size_t count, uint64_t wait_ms)
{
	const struct timespec pause = {0, LOOK_MS * 1000000};
	int64_t heights[EQUAL_NODES_MAX] = {0};
	CHECK(count <= EQUAL_NODES_MAX);
	memset(report, 0, sizeof *report);
	for (uint64_t waited_ms = 0; waited_ms < wait_ms; waited_ms += LOOK_MS) {
		size_t same = 0;
		for (size_t i = 0; i < count; i++) {
			heights[i] = look(ports[i], &report->earliest[i]);
			same += heights[i] > 0 && heights[i] == heights[0];
		}
		report->head = heights[0];
		if (same == count)
			return true;
		nanosleep(&pause, NULL);
	}
	size_t len = (size_t)snprintf(report->text, sizeof report->text, "heights differ:");
	for (size_t i = 0; i < count && len < sizeof report->text; i++)
		len += (size_t)snprintf(
			report->text + len, sizeof report->text - len, " %" PRId64, heights[i]);
	return false;
}

static json_t *metas_of(struct equal_report *report, uint16_t port, int64_t from, int64_t until)
{
	char fault[256], from_text[24], until_text[24];
	snprintf(from_text, sizeof from_text, "%" PRId64, from);
	snprintf(until_text, sizeof until_text, "%" PRId64, until);
	json_t *answer = ask_call(port, "blockchain",
		json_pack("{s:s,s:s}", "minHeight", from_text, "maxHeight", until_text), fault);
	json_t *metas = json_incref(json_object_get(answer, "block_metas"));
	json_decref(answer);
	if (json_array_size(metas) != (size_t)(until - from + 1)) {
		snprintf(report->text, sizeof report->text, "port %u has no blocks %s to %s", port,
			from_text, until_text);
		json_decref(metas);
		return NULL;
	}
	return metas;
}

static bool without_evidence(struct equal_report *report, const json_t *metas)
{
	size_t at;
	const json_t *meta;
	json_array_foreach(metas, at, meta)
	{
		const json_t *header = json_object_get(meta, "header");
		const char *hash = json_string_value(json_object_get(header, "evidence_hash"));
		if (hash == NULL || strcmp(hash, no_evidence) != 0) {
			snprintf(report->text, sizeof report->text,
				"block %" PRId64 " carries evidence: somebody signed twice",
				ask_number(header, "height"));
			return false;
		}
	}
	return true;
}

static void tell_difference(
	struct equal_report *report, const json_t *one, const json_t *other, uint16_t port)
{
	size_t at = 0;
	while (json_equal(json_array_get(one, at), json_array_get(other, at)))
		at++;
	const json_t *headers[] = {json_object_get(json_array_get(one, at), "header"),
		json_object_get(json_array_get(other, at), "header")};
	snprintf(report->text, sizeof report->text,
		"block %" PRId64 " differs on port %u: app hash %s and %s",
		ask_number(headers[0], "height"), port,
		json_string_value(json_object_get(headers[0], "app_hash")),
		json_string_value(json_object_get(headers[1], "app_hash")));
}

static bool equal_range(struct equal_report *report, const uint16_t *ports, size_t count,
	int64_t from, int64_t until)
{
	json_t *first = NULL;
	bool ok = true;
	for (size_t i = 0; i < count && ok; i++) {
		if (report->earliest[i] > from)
			continue;
		json_t *metas = metas_of(report, ports[i], from, until);
		ok = metas != NULL;
		if (ok && first == NULL) {
			first = json_incref(metas);
			ok = without_evidence(report, first);
		}
		if (ok && !json_equal(first, metas)) {
			tell_difference(report, first, metas, ports[i]);
			ok = false;
		}
		json_decref(metas);
	}
	if (ok && first == NULL) {
		snprintf(report->text, sizeof report->text, "nobody has block %" PRId64, from);
		ok = false;
	}
	json_decref(first);
	return ok;
}

bool equal_blocks(struct equal_report *report, const uint16_t *ports, size_t count)
{
	bool ok = true;
	for (int64_t from = 1; from <= report->head && ok; from += RANGE) {
		int64_t until = from + RANGE - 1 < report->head ? from + RANGE - 1 : report->head;
		ok = equal_range(report, ports, count, from, until);
	}
	return ok;
}
