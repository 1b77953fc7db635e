/* shapes: CometBFT's JSON of the things a block is made of (docs/rpc.md), written straight into a
 * buf. Pure: fields in their order, 64-bit integers as texts, hashes in upper-case hex, bytes in
 * base64. A message that is absent is written as its zero value. Cannot fail but for memory, which
 * the buf remembers. */
#ifndef RPC_SHAPES_H
#define RPC_SHAPES_H

#include "base/merkle.h"
#include "chain/app.h"
#include "chain/proto/comet.pb-c.h"
#include "chain/proto/node.pb-c.h"

void shape_time(struct buf *out, const Pb__Timestamp *time);
void shape_block_id(struct buf *out, const Pb__BlockID *id);
void shape_header(struct buf *out, const Pb__Header *header);
void shape_commit(struct buf *out, const Pb__Commit *commit);
void shape_evidence(struct buf *out, const Pb__EvidenceList *list);
/* data: the packed Data message. False: it doesn't parse. */
MUST_USE bool shape_data(struct buf *out, struct bytes data);
void shape_meta(struct buf *out, const Pb__BlockMeta *meta);

/* {"type":"tendermint/PubKeyEd25519","value":..} */
void shape_public_key(struct buf *out, struct bytes key);
void shape_validator(struct buf *out, const Pb__Validator *validator);
/* The sparse form of an ABCI update. */
void shape_validator_update(struct buf *out, const Pb__Validator *update);

/* "full" form: every field, default or not. NULL: the zero result. */
void shape_result(struct buf *out, const Pb__ExecTxResult *result);
/* A CheckTx verdict in the same form. */
void shape_verdict(struct buf *out, const struct app_verdict *verdict);
/* null when there are none. */
void shape_events_or_null(struct buf *out, Pb__Event *const *events, size_t count);

/* total, index, leaf_hash, aunts */
void shape_proof(struct buf *out, const struct merkle_proof *proof);

#endif
