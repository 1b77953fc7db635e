/* What operators of validators decide together [protocol 10]: who validates, the parameters, the
 * rules version, and what the treasury pays. */
#include <string.h>

#include "base/hex.h"
#include "chain/format/validators.h"
#include "chain/settle/machine.h"

enum { VALIDATORS_FEW = 4 }; /* with fewer, one that fails stops the chain */

/* A vote on its way: for what, and what is behind it. */
struct ballot {
	const Pb__AuthorityProposal *proposal;
	struct hash32 hash;
	struct seats seats; /* kind validators: as they will be */
	int64_t power;
	int64_t total_power;
	bool decided;
};

static struct account_address address_of(const ProtobufCBinaryData *field)
{
	struct account_address address;

	CHECK(field->len == sizeof address.b); /* tx_decode saw to it */
	memcpy(address.b, field->data, sizeof address.b);
	return address;
}

static const char *kind_of(const Pb__AuthorityProposal *proposal)
{
	switch (proposal->change_case) {
	case PB__AUTHORITY_PROPOSAL__CHANGE_VALIDATORS: return "validators";
	case PB__AUTHORITY_PROPOSAL__CHANGE_PARAMS: return "params";
	case PB__AUTHORITY_PROPOSAL__CHANGE_RULES: return "rules";
	case PB__AUTHORITY_PROPOSAL__CHANGE_SPEND: return "spend";
	case PB__AUTHORITY_PROPOSAL__CHANGE__NOT_SET:
	case _PB__AUTHORITY_PROPOSAL__CHANGE__CASE_IS_INT_SIZE: break;
	}
	CHECK(false); /* the form refused it */
}

/* ---- could it be done now? ---- */

static enum settle_code rules_stand(struct run *run, const Pb__RulesVersion *change)
{
	struct rules rules = authority_rules(run);

	/* One by one, so that no slip of a digit asks for a version nobody will ever write. */
	return change->version == rules.version + 1 && change->height > run->height
		       ? SETTLE_OK
		       : SETTLE_BAD_PARAM;
}

static enum settle_code spend_stands(struct run *run, const Pb__TreasurySpend *change)
{
	struct account_address to = address_of(&change->to);
	const struct account *treasury;

	if (change->amount < run->settle->params.min_account_amount &&
		!state_account(run->state, &to))
		return SETTLE_LIMIT;
	treasury = state_account(run->state, &run->settle->treasury);
	return treasury && treasury->balance >= change->amount ? SETTLE_OK
							       : SETTLE_INSUFFICIENT_FUNDS;
}

static enum settle_code proposal_stands(struct run *run, struct ballot *ballot)
{
	const Pb__AuthorityProposal *proposal = ballot->proposal;

	switch (proposal->change_case) {
	case PB__AUTHORITY_PROPOSAL__CHANGE_VALIDATORS:
		return seats_change(&ballot->seats, &run->settle->seats, authority_seats(run),
			proposal->validators);
	case PB__AUTHORITY_PROPOSAL__CHANGE_PARAMS: return SETTLE_OK; /* action_fits */
	case PB__AUTHORITY_PROPOSAL__CHANGE_RULES: return rules_stand(run, proposal->rules);
	case PB__AUTHORITY_PROPOSAL__CHANGE_SPEND: return spend_stands(run, proposal->spend);
	case PB__AUTHORITY_PROPOSAL__CHANGE__NOT_SET:
	case _PB__AUTHORITY_PROPOSAL__CHANGE__CASE_IS_INT_SIZE: break;
	}
	CHECK(false);
}

/* ---- in force ---- */

static void tell_few(struct run *run, size_t count)
{
	struct event_draft draft = {.count = 0};

	draft_add_u64(run->results, &draft, "validators", count, false);
	draft_add_static(&draft, "warning", "one validator that fails stops the chain", false);
	run_event(run, &draft, "validators_few");
}

static void enact_validators(struct run *run, const struct ballot *ballot)
{
	const Pb__ValidatorsChange *change = ballot->proposal->validators;
	size_t count_before = authority_seats(run)->count;

	for (size_t i = 0; i < change->n_changes; i++) {
		const Pb__ValidatorChange *one = change->changes[i];
		struct validator_address address;
		struct validator_key validator;
		struct state_key key;

		if (one->account.len == 0)
			continue;
		memcpy(validator.b, one->key.data, sizeof validator.b);
		address = validator_address_of(&validator);
		key = state_key_operator(&address);
		state_put(run->state, &key,
			bytes_view(
				arena_copy(run->state->arena, one->account.data, one->account.len),
				one->account.len));
	}
	authority_put_seats(run, &ballot->seats);
	/* Who operates nothing any more has no say in what is still open. */
	authority_drop_stale(run, &ballot->seats);
	if (ballot->seats.count < VALIDATORS_FEW && ballot->seats.count < count_before)
		tell_few(run, ballot->seats.count);
}

static void enact_spend(struct run *run, const Pb__TreasurySpend *change)
{
	struct account_address to = address_of(&change->to);
	struct event_draft draft = {.count = 0};
	bool paid = money_debit(run->state, &run->settle->treasury, change->amount);

	CHECK(paid || run->state->fault != STATUS_OK); /* spend_stands saw the balance */
	money_credit(run->state, &to, change->amount);
	draft_add_address(run->results, &draft, "sender", &run->settle->treasury, true);
	draft_add_address(run->results, &draft, "recipient", &to, true);
	draft_add_u64(run->results, &draft, "amount", change->amount, false);
	run_event(run, &draft, "transfer");
	run_touch(run, &run->settle->treasury);
	run_touch(run, &to);
}

static void enact_rules(struct run *run, const Pb__RulesVersion *change)
{
	struct rules rules = authority_rules(run);

	rules.next_version = change->version;
	rules.next_height = change->height;
	memcpy(rules.release, change->release, strlen(change->release) + 1);
	authority_put_rules(run, &rules);
}

static void enact(struct run *run, const struct ballot *ballot)
{
	const Pb__AuthorityProposal *proposal = ballot->proposal;
	struct state_key params = state_key_params();

	switch (proposal->change_case) {
	case PB__AUTHORITY_PROPOSAL__CHANGE_VALIDATORS: enact_validators(run, ballot); return;
	case PB__AUTHORITY_PROPOSAL__CHANGE_PARAMS:
		/* They act from the next block on, when this record is the committed one. */
		state_put(run->state, &params, state_pack(run->state, &proposal->params->base));
		return;
	case PB__AUTHORITY_PROPOSAL__CHANGE_RULES: enact_rules(run, proposal->rules); return;
	case PB__AUTHORITY_PROPOSAL__CHANGE_SPEND: enact_spend(run, proposal->spend); return;
	case PB__AUTHORITY_PROPOSAL__CHANGE__NOT_SET:
	case _PB__AUTHORITY_PROPOSAL__CHANGE__CASE_IS_INT_SIZE: break;
	}
	CHECK(false);
}

/* ---- the vote ---- */

static void tell_vote(struct run *run, const struct ballot *ballot)
{
	struct event_draft draft = {.count = 0};
	char text[2 * sizeof ballot->hash.b + 1];

	hex_upper(text, ballot->hash.b, sizeof ballot->hash.b);
	run_add_sender(run, &draft, "operator", false);
	draft_add_text(run->results, &draft, "proposal", bytes_of_text(text), true);
	draft_add_static(&draft, "kind", kind_of(ballot->proposal), false);
	draft_add_u64(run->results, &draft, "power", (uint64_t)ballot->power, false);
	draft_add_u64(run->results, &draft, "total_power", (uint64_t)ballot->total_power, false);
	draft_add_static(&draft, "status", ballot->decided ? "in_force" : "open", false);
	run_event(run, &draft, "authority");
}

/* False: the sender has its share of open votes. */
static bool cast(struct run *run, struct ballot *ballot)
{
	const struct seats *seats = authority_seats(run);
	struct open_votes *votes = authority_votes(run);
	struct open_vote vote = {ballot->hash, run->sender, run->job_ms};
	struct state_key key = state_key_proposal(&ballot->hash);
	size_t count_before = votes->count;
	bool known = votes_know(votes, &ballot->hash);

	if (!votes_add(votes, &vote))
		return false;
	ballot->power = votes_power(votes, seats, &ballot->hash);
	ballot->total_power = seats->total_power;
	ballot->decided = validator_power_decides(ballot->power, ballot->total_power);
	if (ballot->decided)
		votes_drop_proposal(votes, &ballot->hash);
	if (votes->count != count_before)
		authority_put_votes(run);
	if (ballot->decided && known)
		state_delete(run->state, &key);
	if (!ballot->decided && !known)
		state_put(run->state, &key, state_pack(run->state, &ballot->proposal->base));
	return true;
}

enum settle_code action_authority(struct run *run, const Pb__Authority *act)
{
	struct ballot ballot = {.proposal = act->proposal};
	enum settle_code code;

	if (seats_power_of(authority_seats(run), &run->sender) == 0)
		return SETTLE_NOT_AUTHORITY;
	code = proposal_stands(run, &ballot);
	if (code != SETTLE_OK)
		return code;
	ballot.hash = proposal_hash(act->proposal, &run->settle->config.chain_tag);
	if (!cast(run, &ballot))
		return SETTLE_LIMIT;
	if (ballot.decided)
		enact(run, &ballot);
	tell_vote(run, &ballot);
	return SETTLE_OK;
}
