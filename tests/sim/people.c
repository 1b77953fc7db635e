#include "tests/sim/people.h"

#include <string.h>

enum { COIN = 1000000 };

static void make_accounts(struct people *p)
{
	for (uint8_t i = 0; i < WHO; i++) {
		memset(p->secrets[i].b, 0x40 + i, sizeof p->secrets[i].b);
		CHECK(account_key_of(&p->keys[i], &p->secrets[i]));
		p->addresses[i] = account_address_of(&p->keys[i]);
		struct amount balance = {1000 * (uint64_t)COIN};
		if (i != MINER) /* it begins with nothing and no record */
			CHECK(genesis_add_account(&p->genesis, &p->addresses[i], balance) ==
				STATUS_OK);
	}
	p->genesis.treasury = p->addresses[TREASURY];
	p->genesis.has_treasury = true;
	struct genesis_coordinator coordinator;
	memset(&coordinator, 0, sizeof coordinator);
	coordinator.owner = p->addresses[COORDINATOR];
	coordinator.share_ppm = SIM_COORDINATOR_PPM;
	coordinator.accepts_new = true;
	CHECK(genesis_add_coordinator(&p->genesis, &coordinator) == STATUS_OK);
}

static void make_validators(struct people *p)
{
	struct validator_secret secrets[VALIDATORS_MAX];
	struct validator_key keys[VALIDATORS_MAX];
	for (uint32_t i = 0; i < p->validator_count; i++) {
		memset(secrets[i].seed, (int)i + 1, sizeof secrets[i].seed);
		keys[i] = validator_key_of(&secrets[i]);
		char name[16] = "node";
		CHECK(genesis_add_validator(&p->genesis, &keys[i], 10, name) == STATUS_OK);
		struct validator_address address = validator_address_of(&keys[i]);
		CHECK(genesis_add_operator(&p->genesis, &address, &p->addresses[TREASURY]) ==
			STATUS_OK);
	}
	struct genesis_fault fault;
	CHECK(genesis_seal(&p->genesis, &fault) == STATUS_OK);
	struct validator_set set;
	genesis_validator_set(&set, &p->genesis);
	for (uint32_t i = 0; i < set.count; i++) {
		for (uint32_t k = 0; k < p->validator_count; k++) {
			if (memcmp(set.v[i].key.b, keys[k].b, sizeof keys[k].b) == 0)
				p->validators[i] = secrets[k];
		}
	}
}

void people_init(struct people *p, uint32_t validator_count)
{
	memset(p, 0, sizeof *p);
	p->validator_count = validator_count;
	genesis_init(&p->genesis, GENESIS_APP_SETTLE);
	memcpy(p->genesis.chain_id, "sim-1", sizeof "sim-1");
	p->genesis.time = (struct timestamp){SIM_START_S, 0};
	p->genesis.initial_height = 1;
	p->genesis.engine.heartbeat_ms = 1000;
	p->genesis.params.min_ttl_ms = 500;
	p->genesis.params.max_lease_ms = 60 * 1000;
	p->genesis.params.review_ms = 1000;
	p->genesis.params.cancel_grace_ms = 200;
	make_accounts(p);
	make_validators(p);
}

void people_fini(struct people *p)
{
	genesis_fini(&p->genesis);
}
