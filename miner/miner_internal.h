/* miner_internal: what miner.c (life, HTTP port) and miner_link.c (registration, heartbeats,
 * polling) share. */
#ifndef MINER_MINER_INTERNAL_H
#define MINER_MINER_INTERNAL_H

#include "base/bech32.h"
#include "miner/job.h"
#include "miner/miner.h"

struct miner {
	struct workshop shop;
	struct http_client *http;
	struct rpc_client *rpc;
	struct cgroup cgroup;
	struct event *heartbeat_timer;
	struct event *register_timer;
	struct event *poll_timer;
	struct event *stop_timer;
	uint64_t heartbeat_ms;
	unsigned register_tries;
	unsigned poll_tries;
	bool learnt;     /* the chain is known */
	bool unheard;    /* the last heartbeat found nobody */
	bool registered; /* the coordinator knows us */
	bool resumed;    /* the journal has been read */
	bool polling;
	bool pull;
	bool push;
	uint64_t stop_at_ms;
	char coordinator_text[ADDRESS_TEXT_BYTES];
	bool asking_models;
	uint64_t models_at_ms;  /* when to ask again */
	char models[16 * 1024]; /* JSON texts with commas */
};

void miner_link_start(struct miner *miner);
/* A slot may be free: ask for work, if that is our way. */
void miner_poll_soon(struct miner *miner);
/* Tells the coordinator to send nothing more. */
void miner_drain(struct miner *miner);
/* The loop's way to say later: adds the timer in ms. */
void miner_after(struct miner *miner, struct event *timer, uint64_t ms);

#endif
