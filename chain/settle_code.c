#include "chain/tx.h"

static const char *const names[SETTLE_CODES] = {
	[SETTLE_OK] = "ok",
	[SETTLE_BAD_ENCODING] = "bad_encoding",
	[SETTLE_WRONG_CHAIN] = "wrong_chain",
	[SETTLE_BAD_SIGNATURE] = "bad_signature",
	[SETTLE_TX_EXPIRED] = "tx_expired",
	[SETTLE_FEE_TOO_LOW] = "fee_too_low",
	[SETTLE_UNKNOWN_ACCOUNT] = "unknown_account",
	[SETTLE_STALE_SEQUENCE] = "stale_sequence",
	[SETTLE_SEQUENCE_GAP] = "sequence_gap",
	[SETTLE_SEQUENCE_TAKEN] = "sequence_taken",
	[SETTLE_INSUFFICIENT_FUNDS] = "insufficient_funds",
	[SETTLE_BAD_PARAM] = "bad_param",
	[SETTLE_LIMIT] = "limit",
	[SETTLE_OVERFLOW] = "overflow",
	[SETTLE_JOB_EXISTS] = "job_exists",
	[SETTLE_UNKNOWN_JOB] = "unknown_job",
	[SETTLE_WRONG_STATE] = "wrong_state",
	[SETTLE_JOB_EXPIRED] = "job_expired",
	[SETTLE_NOT_CLIENT] = "not_client",
	[SETTLE_NOT_COORDINATOR] = "not_coordinator",
	[SETTLE_UNKNOWN_COORDINATOR] = "unknown_coordinator",
	[SETTLE_NOT_ASSIGNED_MINER] = "not_assigned_miner",
	[SETTLE_ATTEMPT_MISMATCH] = "attempt_mismatch",
	[SETTLE_ATTEMPTS_EXHAUSTED] = "attempts_exhausted",
	[SETTLE_LEASE_LIVE] = "lease_live",
	[SETTLE_LEASE_PAST_DEADLINE] = "lease_past_deadline",
	[SETTLE_BAD_RECEIPT] = "bad_receipt",
	[SETTLE_BAD_MINER_SIGNATURE] = "bad_miner_signature",
	[SETTLE_AMOUNT_MISMATCH] = "amount_mismatch",
	[SETTLE_UNIT_MISMATCH] = "unit_mismatch",
	[SETTLE_TOO_MANY_JOBS] = "too_many_jobs",
	[SETTLE_NOT_AUTHORITY] = "not_authority",
	[SETTLE_COORDINATOR_CLOSED] = "coordinator_closed",
	[SETTLE_SHARE_MISMATCH] = "share_mismatch",
	[SETTLE_LEASE_LAPSED] = "lease_lapsed",
};

const char *settle_code_name(uint32_t code)
{
	return code < SETTLE_CODES && names[code] ? names[code] : "unknown";
}
