#include "chain/settle/due.h"

#include <stdlib.h>
#include <string.h>

enum { DUE_RUN_MAX = 128 };

struct due_run {
	size_t count;
	struct due items[DUE_RUN_MAX];
};

void due_init(struct due_queue *queue)
{
	memset(queue, 0, sizeof *queue);
}

void due_fini(struct due_queue *queue)
{
	for (size_t i = 0; i < queue->run_count; i++)
		free(queue->runs[i]);
	free(queue->runs);
	due_init(queue);
}

static int due_compare(const struct due *a, const struct due *b)
{
	int order;

	if (a->due_ms != b->due_ms)
		return a->due_ms < b->due_ms ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	order = memcmp(a->job.b, b->job.b, 20);
	if (order != 0)
		return order;
	/* By the text of the id, not by its length, which stands before it in the key. */
	return bytes_compare(bytes_view(a->job.b + 21, a->job.len - 21),
		bytes_view(b->job.b + 21, b->job.len - 21));
}

/* The last run whose first item is not after due; 0 when all are. */
static size_t run_of(const struct due_queue *queue, const struct due *due)
{
	size_t low = 0;
	size_t high = queue->run_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (due_compare(&queue->runs[middle]->items[0], due) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? low - 1 : 0;
}

/* The first item not before due. */
static size_t item_of(const struct due_run *run, const struct due *due)
{
	size_t low = 0;
	size_t high = run->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (due_compare(&run->items[middle], due) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A new empty run at this place; NULL: no memory. */
static struct due_run *run_insert(struct due_queue *queue, size_t at)
{
	struct due_run *run;

	if (queue->run_count == queue->run_cap) {
		size_t cap = queue->run_cap ? queue->run_cap * 2 : 16;
		struct due_run **runs = realloc(queue->runs, cap * sizeof *runs);

		if (!runs)
			return NULL;
		queue->runs = runs;
		queue->run_cap = cap;
	}
	run = malloc(sizeof *run);
	if (!run)
		return NULL;
	run->count = 0;
	memmove(&queue->runs[at + 1], &queue->runs[at],
		(queue->run_count - at) * sizeof *queue->runs);
	queue->runs[at] = run;
	queue->run_count++;
	return run;
}

enum status due_add(struct due_queue *queue, const struct due *due)
{
	size_t at = run_of(queue, due);
	struct due_run *run;
	size_t item;

	if (queue->run_count == 0 && !run_insert(queue, 0))
		return STATUS_NO_MEMORY;
	run = queue->runs[at];
	if (run->count == DUE_RUN_MAX) {
		struct due_run *upper = run_insert(queue, at + 1);

		if (!upper)
			return STATUS_NO_MEMORY;
		upper->count = DUE_RUN_MAX / 2;
		run->count -= upper->count;
		memcpy(upper->items, &run->items[run->count], upper->count * sizeof *run->items);
		if (due_compare(&upper->items[0], due) <= 0)
			run = upper;
	}
	item = item_of(run, due);
	CHECK(item == run->count || due_compare(&run->items[item], due) != 0);
	memmove(&run->items[item + 1], &run->items[item], (run->count - item) * sizeof *run->items);
	run->items[item] = *due;
	run->count++;
	queue->count++;
	return STATUS_OK;
}

void due_remove(struct due_queue *queue, const struct due *due)
{
	size_t at = run_of(queue, due);
	struct due_run *run;
	size_t item;

	CHECK(at < queue->run_count);
	run = queue->runs[at];
	item = item_of(run, due);
	CHECK(item < run->count);
	CHECK(due_compare(&run->items[item], due) == 0);
	run->count--;
	memmove(&run->items[item], &run->items[item + 1], (run->count - item) * sizeof *run->items);
	queue->count--;
	if (run->count > 0)
		return;
	free(run);
	queue->run_count--;
	memmove(&queue->runs[at], &queue->runs[at + 1],
		(queue->run_count - at) * sizeof *queue->runs);
}

const struct due *due_next(const struct due_queue *queue, struct due_place *at)
{
	while (at->run < queue->run_count && at->index == queue->runs[at->run]->count) {
		at->run++;
		at->index = 0;
	}
	return at->run < queue->run_count ? &queue->runs[at->run]->items[at->index++] : NULL;
}
