/* miner: the daemon as a whole: it learns the chain, registers at the coordinator, says every few
 * seconds that it lives, takes assignments by its HTTP port or by polling, and gives its work back
 * when it is told to stop. Owns everything of workshop.h and the programs that run. Called by
 * main.c; loop thread. */
#ifndef MINER_MINER_H
#define MINER_MINER_H

#include "miner/workshop.h"

struct miner;

/* config is borrowed; secret is copied. STATUS_BUSY: port or state directory is taken. fault says
 * what is wrong. */
MUST_USE enum status miner_new(struct miner **out, struct event_base *loop,
	const struct miner_config *config, const struct account_secret *secret,
	const char *miner_key, struct log *log, char fault[256]);
/* Gives running work back, and ends the loop when that is heard or some seconds have passed. */
void miner_stop(struct miner *miner);
void miner_free(struct miner *miner);

uint16_t miner_port(const struct miner *miner);

#endif
