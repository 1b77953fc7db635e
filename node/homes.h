/* homes: makes the folders that nodes live in, and reads what a node needs of its own back.
 *   HOME/genesis.json  config.json  peers.json  validator_key.json (0600)  node_key.json (0600)
 * fence consensus.log  data/ HOME/coordinator/  its key, API keys and artifacts (node 0)
 * OUTPUT/keys/ the devnet's user accounts, plain, 0600 Used by `aitbcd init` and `aitbcd testnet`,
 * and at every start. Never overwrites. */
#ifndef NODE_HOMES_H
#define NODE_HOMES_H

#include "base/keys.h"
#include "genesis/genesis.h"
#include "node/config.h"
#include "node/files.h"

enum { HOMES_PORTS_PER_NODE = 10 };

struct homes_plan {
	const char *output;
	const char *chain_id;
	uint32_t validators; /* 1: output itself is the home when single_home */
	bool single_home;
	bool own_ports;     /* base_port was given: everything counts up from it */
	uint16_t base_port; /* node i: P2P base + 10 i, RPC + 1, coordinator + 2, metrics + 3 */
	int64_t now_ms;     /* genesis time */
};

/* STATUS_BUSY: there is something already. STATUS_INVALID: fault says which argument. */
MUST_USE enum status homes_make(const struct homes_plan *plan, char fault[NODE_FAULT_BYTES]);

/* Makes the home of a node that joins a chain which runs already: new keys, the chain's genesis
 * document, the nodes it links with (peers may be NULL: an empty list), its settings, and the
 * record of a key that has signed nothing. STATUS_BUSY: there is something already. STATUS_INVALID:
 * fault says what is wrong with a document. */
MUST_USE enum status homes_join(const char *home, const char *genesis, const char *peers,
	const struct config *config, char fault[NODE_FAULT_BYTES]);

/* A new key of a validator or a node, 0600. STATUS_BUSY: the file exists. */
MUST_USE enum status homes_make_key(
	struct validator_secret *out, const char *path, char fault[NODE_FAULT_BYTES]);

/* CometBFT's key file, {address, pub_key, priv_key}; refused when others can read it. */
MUST_USE enum status homes_read_key(
	struct validator_secret *out, const char *path, char fault[NODE_FAULT_BYTES]);

/* Of a node key: 40 lower-case digits and NUL. */
void homes_node_id(char out[41], const struct validator_secret *node_key);

#endif
