/* tx_samples: a signed transaction with one well-formed action of every kind, to be bent by tests.
 */
#ifndef TESTS_UNIT_TX_SAMPLES_H
#define TESTS_UNIT_TX_SAMPLES_H

#include "base/limits.h"
#include "chain/tx.h"

enum { SAMPLE_ACTIONS = 12 };

/* Everything points into the struct itself: fill it where it stays. */
struct tx_sample {
	struct hash32 chain_tag;
	struct account_secret secret;
	struct account_key key;
	Pb__TxBody body;
	Pb__Action actions[SAMPLE_ACTIONS], *list[SAMPLE_ACTIONS];
	Pb__Transfer transfer;
	Pb__CoordinatorSet coordinator_set;
	Pb__SubmitJob submit_job;
	Pb__AssignJob assign_job;
	Pb__RenewLease renew_lease;
	Pb__ReleaseJob release_job;
	Pb__RecordReceipt record_receipt;
	Pb__DeliverResult deliver_result;
	Pb__RejectDelivery reject_delivery;
	Pb__FailJob fail_job;
	Pb__CancelJob cancel_job;
	Pb__Authority authority;
	Pb__AuthorityProposal proposal;
	Pb__ValidatorsChange validators;
	Pb__ValidatorChange changes[AUTHORITY_CHANGES_MAX + 1];
	Pb__ValidatorChange *change_list[AUTHORITY_CHANGES_MAX + 1];
	uint8_t validator_keys[AUTHORITY_CHANGES_MAX + 1][32];
	/* Other sides of the proposal, ready to be put in. */
	Pb__SettleParams params;
	Pb__RulesVersion rules;
	Pb__TreasurySpend spend;
	Pb__Receipt receipt;
	ProtobufCBinaryData operators[3];
};

void tx_sample_fill(struct tx_sample *s);
/* The receipt of protocol.md's kind that the known digests are of. */
void receipt_sample_fill(Pb__Receipt *receipt);
/* Appends the sample signed. */
void tx_sample_sign(struct buf *out, struct tx_sample *s);

/* The body, whatever it is, under a good signature of the sample's key. */
void tx_sample_sign_raw(struct buf *out, const struct tx_sample *s, struct bytes body);

/* Protobuf by hand. is_long: with a zero byte more than it needs. */
void put_varint(struct buf *out, uint64_t value, bool is_long);
void put_bytes_field(struct buf *out, uint64_t tag, struct bytes content);

/* Some bytes of one value, static. */
ProtobufCBinaryData sample_address(void);
ProtobufCBinaryData sample_hash(void);
ProtobufCBinaryData sample_key(void);
ProtobufCBinaryData sample_signature(void);

#endif
