/* services: what kinds of work this coordinator takes, as data: typed inputs with their ranges, and
 * the price each is offered at. Validation answers with the field at fault; a member that the
 * service doesn't list is refused, because the miner would silently ignore what the client asked
 * for. Pure; owns nothing but the prices its caller keeps. Called by the job and registry routes.
 */
#ifndef COORDINATOR_SERVICES_H
#define COORDINATOR_SERVICES_H

#include <jansson.h>

#include "base/bytes.h"

enum { SERVICE_COUNT = 4, SERVICE_FIELDS_MAX = 12, SERVICE_MODEL_BYTES_MAX = 128 };

enum field_kind {
	FIELD_TEXT,    /* least..most bytes */
	FIELD_INTEGER, /* least..most */
	FIELD_REAL,    /* least..most */
	FIELD_BOOL,
	FIELD_CHOICE,   /* one of choices */
	FIELD_ARTIFACT, /* "artifact:" and 64 hex digits */
	FIELD_SIZE,     /* "WIDTHxHEIGHT", each least..most */
	FIELD_BITRATE   /* digits and an optional k or M */
};

struct service_field {
	const char *name; /* NULL ends the list */
	enum field_kind kind;
	bool required;
	double least;
	double most;
	const char *const *choices; /* NULL-terminated */
	const char *about;
};

struct service {
	const char *name;
	const char *title;
	const char *category;
	const char *about;
	const char *unit_type;
	bool has_model; /* its "model" is part of what a miner must offer */
	struct service_field fields[SERVICE_FIELDS_MAX];
};

/* What a job of the service is offered at. */
struct service_price {
	bool closed;         /* not offered */
	uint64_t unit_price; /* uaitbc per unit */
	uint64_t max_units_milli;
	uint64_t reward; /* the escrow a wallet is told to set aside, uaitbc */
	uint64_t ttl_ms;
	uint32_t max_attempts;
};

const struct service *service_at(size_t index); /* index < SERVICE_COUNT */
/* By name or by its older spellings ("llm/inference"); NULL: unknown. */
const struct service *service_by_name(const char *name, size_t len);
size_t service_index(const struct service *service);
struct service_price service_price_default(const struct service *service);

struct service_fault {
	char field[64];
	char message[200];
};
/* The members of a payload {"type": SERVICE, ...}. False: fault names the field. */
MUST_USE bool service_check_payload(
	const struct service *service, const json_t *payload, struct service_fault *fault);
/* The model a payload (already checked) asks for; "" when the service has none. */
const char *service_model(const struct service *service, const json_t *payload);

/* {"type":"object","properties":{..},"required":[..]} appended. */
void service_put_schema(struct buf *out, const struct service *service);

#endif
