#include <string.h>

#include "base/keys.h"
#include "chain/settle/machine.h"
#include "chain/settle/params.h"

/* tx_decode has refused whatever the bytes alone decide; these need a parameter or the curve. */

static bool coordinator_set_fits(const Pb__CoordinatorSet *act, const Pb__SettleParams *params)
{
	if (act->share_ppm > params->max_coordinator_ppm)
		return false;
	for (size_t i = 0; i < act->n_operators; i++) {
		for (size_t j = 0; j < i; j++) {
			if (memcmp(act->operators[i].data, act->operators[j].data,
				    sizeof(struct account_address)) == 0)
				return false;
		}
	}
	return true;
}

static bool submit_job_fits(const Pb__SubmitJob *act, const Pb__SettleParams *params)
{
	return act->reward >= params->min_reward && act->ttl_ms >= params->min_ttl_ms &&
	       act->ttl_ms <= params->max_ttl_ms && act->max_attempts >= 1 &&
	       act->max_attempts <= params->max_attempts;
}

static bool assign_job_fits(const Pb__AssignJob *act, const Pb__SettleParams *params)
{
	struct account_key miner;

	memcpy(miner.b, act->miner.data, sizeof miner.b);
	return act->lease_ms <= params->max_lease_ms && account_key_valid(&miner);
}

static bool authority_fits(const Pb__AuthorityProposal *proposal)
{
	return proposal->change_case != PB__AUTHORITY_PROPOSAL__CHANGE_PARAMS ||
	       !settle_params_fault(proposal->params);
}

bool action_fits(const Pb__Action *action, const Pb__SettleParams *params)
{
	switch (action->act_case) {
	case PB__ACTION__ACT_COORDINATOR_SET:
		return coordinator_set_fits(action->coordinator_set, params);
	case PB__ACTION__ACT_SUBMIT_JOB: return submit_job_fits(action->submit_job, params);
	case PB__ACTION__ACT_ASSIGN_JOB: return assign_job_fits(action->assign_job, params);
	case PB__ACTION__ACT_RENEW_LEASE:
		return action->renew_lease->lease_ms <= params->max_lease_ms;
	case PB__ACTION__ACT_AUTHORITY: return authority_fits(action->authority->proposal);
	case PB__ACTION__ACT_TRANSFER:
	case PB__ACTION__ACT_RELEASE_JOB:
	case PB__ACTION__ACT_RECORD_RECEIPT:
	case PB__ACTION__ACT_DELIVER_RESULT:
	case PB__ACTION__ACT_REJECT_DELIVERY:
	case PB__ACTION__ACT_FAIL_JOB:
	case PB__ACTION__ACT_CANCEL_JOB: return true;
	case PB__ACTION__ACT__NOT_SET:
	case _PB__ACTION__ACT__CASE_IS_INT_SIZE: return false;
	}
	return false;
}
