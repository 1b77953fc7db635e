/* people: the simulated chain's genesis and everybody's keys: validators, clients, a coordinator, a
 * miner, a courier. The same for every seed; made once. */
#ifndef TESTS_SIM_PEOPLE_H
#define TESTS_SIM_PEOPLE_H

#include "chain/tx.h"
#include "genesis/genesis.h"

/* Who signs transactions. The miner never does: what it owns is what it was paid. The courier
 * brings its results to the chain when the coordinator is silent. */
enum who { ALICE, BOB, CAROL, DAVE, COORDINATOR, COURIER, SENDERS, MINER = SENDERS, TREASURY, WHO };

enum { SIM_COORDINATOR_PPM = 50000, SIM_START_S = 1700000000 };

struct people {
	uint32_t validator_count;
	struct validator_secret validators[VALIDATORS_MAX]; /* by place in the set */
	struct account_secret secrets[WHO];
	struct account_key keys[WHO];
	struct account_address addresses[WHO];
	uint64_t miner_start;
	struct genesis genesis;
};

void people_init(struct people *p, uint32_t validator_count);
void people_fini(struct people *p);

#endif
