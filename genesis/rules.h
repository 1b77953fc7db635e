/* rules: what a genesis document must hold to be a chain. Internal to genesis/, called by
 * genesis_seal. Sorts the lists, fills validator addresses and supply. Pure; a broken rule is a
 * verdict with the field. */
#ifndef GENESIS_RULES_H
#define GENESIS_RULES_H

#include "genesis/genesis.h"

MUST_USE bool genesis_rules_hold(struct genesis *g, struct genesis_fault *fault);

#endif
