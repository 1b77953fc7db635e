#include "coordinator/dispatch.h"

#include <stdlib.h>
#include <string.h>

void dispatch_init(struct dispatch *dispatch)
{
	memset(dispatch, 0, sizeof *dispatch);
}

void dispatch_fini(struct dispatch *dispatch)
{
	for (size_t i = 0; i < SERVICE_COUNT; i++) {
		while (dispatch->queues[i]) {
			struct queue *queue = dispatch->queues[i];

			dispatch->queues[i] = queue->next;
			free(queue);
		}
		free(dispatch->by_service[i].miners);
	}
	dispatch_init(dispatch);
}

static bool index_add(struct dispatch *dispatch, size_t service, struct miner *miner)
{
	if (dispatch->by_service[service].count == dispatch->by_service[service].cap) {
		size_t cap = dispatch->by_service[service].cap * 2 + 16;
		struct miner **miners =
			realloc(dispatch->by_service[service].miners, cap * sizeof *miners);

		if (!miners)
			return false;
		dispatch->by_service[service].miners = miners;
		dispatch->by_service[service].cap = cap;
	}
	dispatch->by_service[service].miners[dispatch->by_service[service].count++] = miner;
	return true;
}

bool dispatch_index(struct dispatch *dispatch, const struct miner_table *miners)
{
	for (size_t s = 0; s < SERVICE_COUNT; s++)
		dispatch->by_service[s].count = 0;
	for (size_t i = 0; i < miners->count; i++) {
		for (size_t s = 0; s < SERVICE_COUNT; s++) {
			if (!(miners->miners[i]->services & (uint64_t)1 << s) ||
				index_add(dispatch, s, miners->miners[i]))
				continue;
			for (size_t k = 0; k < SERVICE_COUNT; k++)
				dispatch->by_service[k].count = 0;
			return false;
		}
	}
	return true;
}

static struct queue *queue_for(
	struct dispatch *dispatch, const struct service *service, const char *model)
{
	struct queue **head = &dispatch->queues[service_index(service)];
	struct queue *queue = *head;

	while (queue && strcmp(queue->model, model) != 0)
		queue = queue->next;
	if (queue || dispatch->queue_count >= QUEUES_MAX)
		return queue;
	queue = calloc(1, sizeof *queue);
	if (!queue)
		return NULL;
	queue->service = service;
	memcpy(queue->model, model, strlen(model) + 1);
	queue->next = *head;
	*head = queue;
	dispatch->queue_count++;
	return queue;
}

bool dispatch_enqueue(struct dispatch *dispatch, struct job *job, bool at_front)
{
	const struct service *service =
		service_by_name(job->terms.service, strlen(job->terms.service));
	struct queue *queue;

	if (job->queue)
		return true;
	queue = service ? queue_for(dispatch, service, job->model) : NULL;
	if (!queue)
		return false;
	job->queue = queue;
	job->queue_prev = at_front ? NULL : queue->last;
	job->queue_next = at_front ? queue->first : NULL;
	if (job->queue_prev)
		job->queue_prev->queue_next = job;
	else
		queue->first = job;
	if (job->queue_next)
		job->queue_next->queue_prev = job;
	else
		queue->last = job;
	queue->count++;
	dispatch->job_count++;
	return true;
}

/* A queue is there as long as someone waits in it: names of models come from strangers. */
static void queue_free_if_empty(struct dispatch *dispatch, struct queue *queue)
{
	struct queue **at = &dispatch->queues[service_index(queue->service)];

	if (queue->count > 0)
		return;
	while (*at != queue)
		at = &(*at)->next;
	*at = queue->next;
	dispatch->queue_count--;
	free(queue);
}

void dispatch_remove(struct dispatch *dispatch, struct job *job)
{
	struct queue *queue = job->queue;

	if (!queue)
		return;
	if (job->queue_prev)
		job->queue_prev->queue_next = job->queue_next;
	else
		queue->first = job->queue_next;
	if (job->queue_next)
		job->queue_next->queue_prev = job->queue_prev;
	else
		queue->last = job->queue_prev;
	job->queue = NULL;
	job->queue_next = job->queue_prev = NULL;
	queue->count--;
	dispatch->job_count--;
	queue_free_if_empty(dispatch, queue);
}

struct miner *dispatch_choose(
	struct dispatch *dispatch, struct job *job, uint64_t now_ms, uint32_t ttl_ms)
{
	struct queue *queue = job->queue;
	struct miner *best = NULL, *again = NULL;
	size_t service;

	if (!queue || queue->starved)
		return NULL;
	service = service_index(queue->service);
	for (size_t i = 0; i < dispatch->by_service[service].count; i++) {
		struct miner *miner = dispatch->by_service[service].miners[i];

		if (!miner_ready(miner, now_ms, ttl_ms) ||
			!miner_serves(miner, queue->service, queue->model))
			continue;
		if (strcmp(miner->id, job->miner_id) == 0)
			again = miner;
		else if (!best || miner_better(miner, best))
			best = miner;
	}
	if (!best)
		best = again;
	queue->starved = !best;
	return best;
}

struct job *dispatch_next_for(struct dispatch *dispatch, const struct miner *miner)
{
	struct job *oldest = NULL;

	for (size_t s = 0; s < SERVICE_COUNT; s++) {
		if (!(miner->services & (uint64_t)1 << s))
			continue;
		for (struct queue *queue = dispatch->queues[s]; queue; queue = queue->next) {
			if (queue->first && miner_serves(miner, queue->service, queue->model) &&
				(!oldest || queue->first->submitted_ms < oldest->submitted_ms))
				oldest = queue->first;
		}
	}
	return oldest;
}

void dispatch_lift(struct dispatch *dispatch, const struct miner *miner)
{
	for (size_t s = 0; s < SERVICE_COUNT; s++) {
		if (!(miner->services & (uint64_t)1 << s))
			continue;
		for (struct queue *queue = dispatch->queues[s]; queue; queue = queue->next)
			queue->starved = false;
	}
}

bool dispatch_is_served(const struct dispatch *dispatch, const struct service *service,
	const char *model, uint64_t now_ms, uint32_t ttl_ms)
{
	size_t s = service_index(service);

	for (size_t i = 0; i < dispatch->by_service[s].count; i++) {
		const struct miner *miner = dispatch->by_service[s].miners[i];

		if (miner_online(miner, now_ms, ttl_ms) && miner_serves(miner, service, model))
			return true;
	}
	return false;
}
