/* explorer: what its two files share: a transaction as the chain gave it, decoded. Private to
 * coordinator/. */
#ifndef COORDINATOR_EXPLORER_H
#define COORDINATOR_EXPLORER_H

#include "coordinator/inside.h"

struct found_tx {
	struct arena arena;
	struct buf raw;
	struct tx tx;
	uint32_t codes[TX_ACTIONS_MAX]; /* settle_code of each action */
};

/* text: base64 as in a block; outcome: its ExecTxResult. False: not a transaction that can be read.
 * found_tx_fini in either case. */
MUST_USE bool found_tx_read(struct found_tx *found, const char *text, const json_t *outcome);
void found_tx_fini(struct found_tx *found);

/* ,"key":"value" */
void explorer_put_member(struct buf *out, const char *key, const char *value);

#endif
