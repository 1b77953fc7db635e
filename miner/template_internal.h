/* template_internal: what template.c (filling) and template_read.c (reading) share. */
#ifndef MINER_TEMPLATE_INTERNAL_H
#define MINER_TEMPLATE_INTERNAL_H

#include "miner/template.h"

/* NULL: there is none of that name. */
const struct template_param *template_param(
	const struct template *template, const char *name, size_t len);

/* The text a value becomes. False: not allowed. */
MUST_USE bool template_value(
	char out[TEMPLATE_TEXT_BYTES_MAX], const struct template_param *param, const json_t *value);

#endif
