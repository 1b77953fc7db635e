#include "rpc/search.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "rpc/search_filter.h"

/*~ A search goes from what is cheap to know to what is dear: heights narrow the span; one tag with
 * one value is a list of the index, and if nothing else is asked the answer is that list. Otherwise
 * somebody must be looked at: the members of the shortest list, or of a tag's values, or everything
 * in the span; and each is held against all conditions by its own events. */

static const struct tx_place nowhere = {0, 0};

static bool is_tag(const struct query_condition *c, const char *tag)
{
	return bytes_equal(c->tag, bytes_of_text(tag));
}

/* ---- heights ---- */

static void at_least(struct search *s, int64_t height)
{
	if (height > s->span.from.height)
		s->span.from = (struct tx_place){height, 0};
}

static void at_most(struct search *s, int64_t height)
{
	struct tx_place beyond = {height == INT64_MAX ? height : height + 1, 0};

	if (tx_place_compare(beyond, s->span.to) < 0)
		s->span.to = beyond;
}

/* A number's whole part, at most INT64_MAX; *is_whole: nothing but zeros after the point. */
static int64_t whole_of(struct bytes number, bool *is_whole)
{
	int64_t whole = 0;
	size_t i = 0;

	for (; i < number.len && number.data[i] != '.'; i++) {
		int64_t digit = number.data[i] - '0';
		whole = whole > (INT64_MAX - digit) / 10 ? INT64_MAX : whole * 10 + digit;
	}
	*is_whole = true;
	for (i++; i < number.len; i++)
		*is_whole = *is_whole && number.data[i] == '0';
	return whole;
}

/* False: the condition must be looked at row by row. */
static bool narrow(struct search *s, const struct query_condition *c)
{
	bool is_whole = true;

	if (c->op == QUERY_EXISTS)
		return true;
	if (c->operand != QUERY_NUMBER)
		return false;
	int64_t height = whole_of(c->text, &is_whole);
	switch (c->op) {
	case QUERY_EQUAL:
		at_least(s, height);
		at_most(s, is_whole ? height : -1);
		return true;
	case QUERY_LESS: at_most(s, is_whole ? height - 1 : height); return true;
	case QUERY_LESS_EQUAL: at_most(s, height); return true;
	case QUERY_GREATER: at_least(s, height == INT64_MAX ? height : height + 1); return true;
	case QUERY_GREATER_EQUAL:
		at_least(s, is_whole || height == INT64_MAX ? height : height + 1);
		return true;
	case QUERY_CONTAINS:
	case QUERY_EXISTS: break;
	}
	return false;
}

/* ---- places one by one ---- */

static enum status keep(struct search *s, struct tx_place place)
{
	if (s->place_count == s->place_cap) {
		size_t cap = s->place_cap ? s->place_cap * 2 : 256;
		struct tx_place *places = realloc(s->places, cap * sizeof *places);

		if (!places)
			return STATUS_NO_MEMORY;
		s->places = places;
		s->place_cap = cap;
	}
	s->places[s->place_count++] = place;
	s->too_many = s->place_count > SEARCH_ROWS_MAX;
	return STATUS_OK;
}

static bool in_span(const struct search *s, struct tx_place place)
{
	return tx_place_compare(place, s->span.from) >= 0 &&
	       tx_place_compare(place, s->span.to) < 0 &&
	       (place.index == APP_EVENT_OF_BLOCK) == s->blocks;
}

/* Those of the places kept so far that fulfil the conditions. */
static enum status sift(struct search *s, const struct conditions *conditions)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->place_count && !s->too_many; i++) {
		enum status status = filter_fits(s, conditions, s->places[i]);

		if (status == STATUS_OK)
			s->places[kept++] = s->places[i];
		else if (status != STATUS_NOT_FOUND)
			return status;
	}
	s->place_count = kept;
	return STATUS_OK;
}

static enum status keep_list(struct search *s, const struct index_list *list)
{
	struct index_span oldest_first = s->span;
	struct index_iterator it;
	struct tx_place place;

	oldest_first.newest_first = false;
	enum status status = index_walk(&it, list, &oldest_first);
	while (status == STATUS_OK && !s->too_many &&
		(status = index_next(&it, &place)) == STATUS_OK)
		status = keep(s, place);
	index_iterator_fini(&it);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static int by_place(const void *a, const void *b)
{
	return tx_place_compare(*(const struct tx_place *)a, *(const struct tx_place *)b);
}

/* Every place where the tag has a value that fulfils the condition. */
static enum status keep_values(struct search *s, const struct query_condition *c)
{
	struct index_iterator it;
	struct tx_place place;
	struct bytes value;
	size_t looked_at = 0, kept = 0;

	enum status status = index_walk_values(&it, s->store, s->snapshot, c->tag);
	while (status == STATUS_OK && !s->too_many &&
		(status = index_next_value(&it, &value, &place)) == STATUS_OK) {
		if (in_span(s, place) && query_value_fits(c, value))
			status = keep(s, place);
		s->too_many = s->too_many || ++looked_at > SEARCH_ROWS_MAX;
	}
	index_iterator_fini(&it);
	if (s->place_count > 0)
		qsort(s->places, s->place_count, sizeof *s->places, by_place);
	for (size_t i = 0; i < s->place_count; i++) {
		if (i == 0 || by_place(&s->places[i], &s->places[kept - 1]) != 0)
			s->places[kept++] = s->places[i];
	}
	s->place_count = kept;
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status keep_height(struct search *s, int64_t height)
{
	const Pb__BlockMeta *meta;
	struct arena arena;

	if (s->blocks)
		return keep(s, (struct tx_place){height, APP_EVENT_OF_BLOCK});
	arena_init(&arena, 64 * 1024);
	enum status status = blocks_meta(s->store, s->snapshot, &arena, height, &meta);
	for (int64_t i = 0; status == STATUS_OK && i < meta->num_txs && !s->too_many; i++)
		status = keep(s, (struct tx_place){height, (uint32_t)i});
	arena_fini(&arena);
	return status;
}

static enum status keep_span(struct search *s)
{
	enum status status = STATUS_OK;
	int64_t height = s->span.from.height, looked_at = 0;

	for (; height < s->span.to.height && status == STATUS_OK && !s->too_many; height++) {
		status = keep_height(s, height);
		s->too_many = s->too_many || ++looked_at > SEARCH_ROWS_MAX;
	}
	return status;
}

/* tx.hash = '..', in either case of its letters. */
static enum status keep_hash(struct search *s, struct bytes text)
{
	struct tx_place place;
	struct hash32 hash;

	if (text.len != 2 * sizeof hash.b ||
		!hex_decode(hash.b, sizeof hash.b, (const char *)text.data, text.len))
		return STATUS_OK;
	enum status status = blocks_tx_place(s->store, s->snapshot, &hash, &place);
	if (status == STATUS_OK && in_span(s, place))
		return keep(s, place);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- the way to go ---- */

/* The rest of the conditions, when heights and what is true of everything are gone. False: nothing
 * can fulfil them. */
static bool sort_out(struct search *s, struct conditions *rest)
{
	rest->count = 0;
	for (size_t i = 0; i < s->query->count; i++) {
		const struct query_condition *c = &s->query->conditions[i];

		if (is_tag(c, "tm.event")) {
			if (!query_value_fits(c, bytes_of_text(s->blocks ? "NewBlock" : "Tx")))
				return false;
		} else if (!is_tag(c, s->blocks ? "block.height" : "tx.height") || !narrow(s, c)) {
			rest->items[rest->count++] = c;
		}
	}
	return true;
}

static bool names_list(const struct search *s, const struct query_condition *c)
{
	return c->op == QUERY_EQUAL && c->operand == QUERY_TEXT && !is_tag(c, "tx.hash") &&
	       !is_tag(c, s->blocks ? "block.height" : "tx.height");
}

/* The shortest list that a condition names, into s->list. */
static enum status choose_list(struct search *s, const struct conditions *rest)
{
	for (size_t i = 0; i < rest->count; i++) {
		const struct query_condition *c = rest->items[i];
		struct index_list list;
		uint64_t count;

		if (!names_list(s, c))
			continue;
		enum status status =
			index_list_event(&list, s->store, s->snapshot, c->tag, c->text, s->blocks);
		if (status == STATUS_OK)
			status = index_list_count(&count, &list, &s->span);
		if (status == STATUS_OK && (!s->has_list || count < s->total)) {
			if (s->has_list)
				index_list_fini(&s->list);
			s->list = list;
			s->has_list = true;
			s->total = count;
		} else {
			index_list_fini(&list);
		}
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* Candidates by the cheapest way there is. A hash that names one, in whatever case, leaves the
 * conditions. */
static enum status gather(struct search *s, struct conditions *rest)
{
	for (size_t i = 0; i < rest->count && !s->blocks; i++) {
		const struct query_condition *c = rest->items[i];

		if (is_tag(c, "tx.hash") && c->op == QUERY_EQUAL && c->operand == QUERY_TEXT) {
			rest->items[i] = rest->items[--rest->count];
			return keep_hash(s, c->text);
		}
	}
	if (s->has_list)
		return keep_list(s, &s->list);
	for (size_t i = 0; i < rest->count; i++) {
		const struct query_condition *c = rest->items[i];
		bool reserved =
			is_tag(c, "tx.hash") || is_tag(c, "tx.height") || is_tag(c, "block.height");

		if (!reserved && (s->blocks || !index_is_mark(c->tag)))
			return keep_values(s, c);
	}
	return keep_span(s);
}

enum status search_run(struct search *s)
{
	struct conditions rest;
	int64_t low, high;

	enum status status = blocks_span(s->store, s->snapshot, &low, &high);
	if (status != STATUS_OK)
		return status;
	s->span = index_span_of(low, high, s->newest_first);
	if (!sort_out(s, &rest))
		s->span.to = s->span.from = nowhere;
	status = choose_list(s, &rest);
	if (status != STATUS_OK || (s->has_list && rest.count == 1))
		return status;
	status = gather(s, &rest);
	if (status == STATUS_OK)
		status = sift(s, &rest);
	if (s->has_list)
		index_list_fini(&s->list);
	s->has_list = false;
	s->total = s->place_count;
	return status;
}

enum status search_page(
	const struct search *s, struct tx_place *out, size_t *found, uint64_t first, size_t count)
{
	struct tx_place start;

	*found = 0;
	if (first >= s->total)
		return STATUS_OK;
	if (!s->has_list) {
		for (; *found < count && first + *found < s->total; ++*found) {
			size_t at = (size_t)first + *found;
			out[*found] = s->places[s->newest_first ? s->place_count - 1 - at : at];
		}
		return STATUS_OK;
	}
	enum status status = index_list_nth(&start, &s->list, &s->span, first);
	if (status != STATUS_OK)
		return status == STATUS_NOT_FOUND ? STATUS_OK : status;
	out[(*found)++] = start;
	size_t more = 0;
	status = search_after(s, out + 1, &more, start, count - 1);
	*found += more;
	return status;
}

static enum status list_after(const struct search *s, struct tx_place *out, size_t *found,
	struct tx_place seen, size_t count)
{
	struct index_span rest = index_span_after(s->span, seen);
	struct index_iterator it;

	enum status status = index_walk(&it, &s->list, &rest);
	while (status == STATUS_OK && *found < count) {
		status = index_next(&it, &out[*found]);
		*found += status == STATUS_OK;
	}
	index_iterator_fini(&it);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status search_after(const struct search *s, struct tx_place *out, size_t *found,
	struct tx_place seen, size_t count)
{
	*found = 0;
	if (s->has_list)
		return list_after(s, out, found, seen, count);
	for (size_t i = 0; i < s->place_count && *found < count; i++) {
		struct tx_place place = s->places[s->newest_first ? s->place_count - 1 - i : i];
		int order = tx_place_compare(place, seen);

		if (s->newest_first ? order < 0 : order > 0)
			out[(*found)++] = place;
	}
	return STATUS_OK;
}

void search_fini(struct search *s)
{
	if (s->has_list)
		index_list_fini(&s->list);
	free(s->places);
}
