/* roles: who may speak for a job's coordinator. Private to chain/settle. */
#ifndef CHAIN_SETTLE_ROLES_H
#define CHAIN_SETTLE_ROLES_H

#include "chain/settle/jobs.h"

/* The sender is the owner or one of its operators, as they stand now. */
MUST_USE bool speaks_for(struct run *run, const struct account_address *coordinator);

/* job_find, then the role: the common beginning of the coordinator's actions. */
MUST_USE enum settle_code job_of_coordinator(struct run *run, struct job_view *out,
	const ProtobufCBinaryData *client_field, const char *job_id);

#endif
