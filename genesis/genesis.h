/* genesis: the document a chain starts from, in CometBFT's shape with our `engine` and `app_state`.
 * Owns the parsed lists until genesis_fini. Read by node (parse) and by `aitbcd init|testnet`
 * (write). Pure: bytes in, bytes out; it never reads a file, a clock or randomness. Every rule a
 * document can break is a verdict with the field's name; only lack of memory is a status. The JSON
 * text is never hashed: chain_tag is over the sorted, re-packed content, so spelling and order of
 * lists don't matter [protocol 1]. */
#ifndef GENESIS_GENESIS_H
#define GENESIS_GENESIS_H

#include "base/amount.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/keys.h"
#include "base/limits.h"
#include "base/rfc3339.h"
#include "base/status.h"
#include "chain/format/validators.h"
#include "chain/proto/settle.pb-c.h"

/* Whose app_state the document carries: settlement's, checked field by field, or another machine's,
 * kept as JSON text and not looked into. */
enum genesis_app { GENESIS_APP_SETTLE, GENESIS_APP_OTHER };

enum genesis_pace {
	GENESIS_PACE_INSTANT = 0,
	GENESIS_PACE_INTERVAL = 1
}; /* in chain_tag: never renumber */

struct genesis_validator {
	struct validator_key key;
	struct validator_address address; /* of key; genesis_seal fills it */
	int64_t power;
	char name[GENESIS_NAME_BYTES_MAX + 1];
};

struct genesis_account {
	struct account_address address;
	struct amount balance;
};

/* The account that receives the fees of the blocks a validator proposes. */
struct genesis_operator {
	struct validator_address validator;
	struct account_address account;
};

struct genesis_coordinator {
	struct account_address owner;
	uint32_t share_ppm;
	struct account_address operators[COORDINATOR_OPERATORS_MAX];
	size_t operator_count;
	char url[COORDINATOR_URL_BYTES_MAX + 1];
	bool accepts_new;
};

struct genesis {
	enum genesis_app app;
	char chain_id[CHAIN_ID_BYTES_MAX + 1];
	struct timestamp time;
	int64_t initial_height;
	Pb__ConsensusParams consensus;
	Pb__EngineParams engine;
	struct genesis_validator
		validators[VALIDATORS_MAX]; /* sealed: power descending, address ascending */
	size_t validator_count;

	/* settlement's app_state; unused by another app */
	Pb__SettleParams params;
	bool has_treasury;
	struct account_address treasury;
	struct genesis_account *accounts; /* sealed: ascending by address */
	size_t account_count;
	size_t account_cap;
	struct genesis_operator *operators; /* sealed: ascending by validator */
	size_t operator_count;
	size_t operator_cap;
	struct genesis_coordinator *coordinators; /* sealed: ascending by owner */
	size_t coordinator_count;
	size_t coordinator_cap;

	/* filled by genesis_seal (app_state of another app: by the parser or the caller) */
	struct buf app_state; /* packed AppState, or JSON text: what app.h's init_chain is given */
	uint64_t supply;      /* uaitbc, sum of the balances */
	struct hash32 chain_tag;
};

struct genesis_fault {
	char text[256]; /* "app_state.accounts[2].address: ..." for the operator's eyes */
};

/* An empty document with every default in place: no chain id, time, validators or accounts yet. */
void genesis_init(struct genesis *g, enum genesis_app app);
void genesis_fini(struct genesis *g);

/* Append to the lists; copies. STATUS_NO_MEMORY: no memory or a bound of limits.h. */
MUST_USE enum status genesis_add_validator(
	struct genesis *g, const struct validator_key *key, int64_t power, const char *name);
MUST_USE enum status genesis_add_account(
	struct genesis *g, const struct account_address *address, struct amount balance);
MUST_USE enum status genesis_add_operator(struct genesis *g,
	const struct validator_address *validator, const struct account_address *account);
MUST_USE enum status genesis_add_coordinator(
	struct genesis *g, const struct genesis_coordinator *coordinator);

/* Sorts the lists, checks every rule, packs app_state and computes supply and chain_tag.
 * STATUS_INVALID: a rule is broken, fault names the field. May be called again after a change. */
MUST_USE enum status genesis_seal(struct genesis *g, struct genesis_fault *fault);

/* Reads a whole document into *out (not yet inited) and seals it. On failure *out needs no fini.
 * STATUS_INVALID with fault, or STATUS_NO_MEMORY. */
MUST_USE enum status genesis_parse(
	struct genesis *out, struct bytes text, enum genesis_app app, struct genesis_fault *fault);

/* The validators of the first height, from a sealed document. */
void genesis_validator_set(struct validator_set *out, const struct genesis *g);

/* Appends a sealed document as JSON that genesis_parse reads back to the same chain_tag. */
void genesis_write(struct buf *out, const struct genesis *g);

#endif
