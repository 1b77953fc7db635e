/* tx: the transaction codec and every check that needs no state [protocol 2].
 * tx_decode accepts exactly one encoding of each act: unpack, pack, compare, and no unknown field,
 * bad UTF-8, NUL or foreign enum at any depth. Pure. Verdicts are settlement codes. */
#ifndef CHAIN_TX_H
#define CHAIN_TX_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/keys_cache.h"
#include "base/status.h"
#include "chain/proto/settle.pb-c.h"

/* Codespace "settle" [protocol 7]. On chain and in hashed results: never renumber, append only. */
enum settle_code {
	SETTLE_OK = 0,
	SETTLE_BAD_ENCODING = 1,
	SETTLE_WRONG_CHAIN = 2,
	SETTLE_BAD_SIGNATURE = 3,
	SETTLE_TX_EXPIRED = 4,
	SETTLE_FEE_TOO_LOW = 5,
	SETTLE_UNKNOWN_ACCOUNT = 6,
	SETTLE_STALE_SEQUENCE = 7,
	SETTLE_SEQUENCE_GAP = 8,
	SETTLE_SEQUENCE_TAKEN = 9,
	SETTLE_INSUFFICIENT_FUNDS = 10,
	SETTLE_BAD_PARAM = 11,
	SETTLE_LIMIT = 12,
	SETTLE_OVERFLOW = 13,
	SETTLE_JOB_EXISTS = 14,
	SETTLE_UNKNOWN_JOB = 15,
	SETTLE_WRONG_STATE = 16,
	SETTLE_JOB_EXPIRED = 17,
	SETTLE_NOT_CLIENT = 18,
	SETTLE_NOT_COORDINATOR = 19,
	SETTLE_UNKNOWN_COORDINATOR = 20,
	SETTLE_NOT_ASSIGNED_MINER = 21,
	SETTLE_ATTEMPT_MISMATCH = 22,
	SETTLE_ATTEMPTS_EXHAUSTED = 23,
	SETTLE_LEASE_LIVE = 24,
	SETTLE_LEASE_PAST_DEADLINE = 25,
	SETTLE_BAD_RECEIPT = 26,
	SETTLE_BAD_MINER_SIGNATURE = 27,
	SETTLE_AMOUNT_MISMATCH = 28,
	SETTLE_UNIT_MISMATCH = 29,
	SETTLE_TOO_MANY_JOBS = 30,
	SETTLE_NOT_AUTHORITY = 31,
	SETTLE_COORDINATOR_CLOSED = 32,
	SETTLE_SHARE_MISMATCH = 33,
	SETTLE_LEASE_LAPSED = 34,
	SETTLE_CODES
};

/* "ok", "bad_encoding", ... as in protocol 7; "unknown" beyond. Never NULL. */
const char *settle_code_name(uint32_t code);

/* A decoded transaction. Lives in the arena given to tx_decode; outer.body etc. are copies there.
 */
struct tx {
	const Pb__TxBody *body;
	struct account_key key;
	struct account_signature signature;
	struct account_address sender; /* of key */
	struct bytes body_raw;         /* in the raw transaction */
	size_t size;                   /* bytes of the whole transaction */
};

/* Form, canonicity and sizes: SETTLE_OK, SETTLE_BAD_ENCODING, SETTLE_BAD_PARAM or SETTLE_LIMIT;
 * fault gets the name of the field at fault. raw must outlive the result. STATUS_NO_MEMORY in
 * *local when the arena ran out: a local fault, never a verdict. */
MUST_USE enum settle_code tx_decode(
	struct tx *out, struct arena *arena, struct bytes raw, enum status *local, char fault[64]);

/* The outer message alone: key, signature, body_raw and size; body and sender stay empty. What
 * tx_verify needs. */
MUST_USE enum settle_code tx_split(struct tx *out, struct bytes raw, char fault[64]);

/* SHA256("aitbc/tx/1" 0x00 || chain_tag || public_key || body) */
struct hash32 tx_digest(
	const struct hash32 *chain_tag, const struct account_key *key, struct bytes body);

uint32_t chain_hint_of(const struct hash32 *chain_tag);

MUST_USE bool tx_verify(const struct tx *tx, const struct hash32 *chain_tag);
/* The same, quicker for keys that were seen lately. */
MUST_USE bool tx_verify_cached(
	const struct tx *tx, const struct hash32 *chain_tag, struct keys_cache *points);

/* Packs, signs and appends a whole transaction. body->chain_hint is set here. */
void tx_sign(struct buf *out, Pb__TxBody *body, const struct account_secret *secret,
	const struct account_key *key, const struct hash32 *chain_tag);

/* Job key bytes J = client (20) || u8 len || job_id [protocol 1]. */
enum { JOB_KEY_BYTES_MAX = 20 + 1 + 64 };
struct job_key {
	uint8_t b[JOB_KEY_BYTES_MAX];
	size_t len;
};
struct job_key job_key_of(const struct account_address *client, struct bytes job_id);

/* 1..64 of [A-Za-z0-9_.-] */
MUST_USE bool job_id_valid(struct bytes job_id);

/* hex(SHA256("aitbc/receipt-id/1" 0x00 || chain_tag || J || u32be attempt)[0..16]), 32 digits and
 * NUL. */
void receipt_id_of(
	char out[33], const struct hash32 *chain_tag, const struct job_key *job, uint32_t attempt);

/* R of protocol 4: the deterministic packing with miner_signature absent, appended to out. */
void receipt_pack_unsigned(struct buf *out, const Pb__Receipt *receipt);
/* SHA256(R) */
struct hash32 receipt_hash(const Pb__Receipt *receipt);
/* SHA256("aitbc/receipt/1" 0x00 || chain_tag || R) */
struct hash32 receipt_digest(const Pb__Receipt *receipt, const struct hash32 *chain_tag);
/* act 1 = release, 2 = fail. */
struct hash32 release_digest(const struct hash32 *chain_tag, const struct job_key *job,
	uint32_t attempt, const struct account_key *miner, uint8_t act);

/* SHA256("aitbc/proposal/1" 0x00 || chain_tag || its packing): what votes are counted by. */
struct hash32 proposal_hash(const Pb__AuthorityProposal *proposal, const struct hash32 *chain_tag);

/* min(reward, floor(min(units, max_units) * unit_price / 1000)); false: the product overflows past
 * reward's range (then reward is the answer, so this never fails for payment: see the source). */
uint64_t receipt_amount(
	uint64_t units_milli, uint64_t max_units_milli, uint64_t unit_price, uint64_t reward);

#endif
