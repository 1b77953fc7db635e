/* tx_form: sizes and shapes of every field of a decoded transaction body: the part of "form and
 * sizes" [protocol 3, order of checks] that no parameter and no state decides. Private to the
 * codec. Pure. */
#ifndef CHAIN_TX_FORM_H
#define CHAIN_TX_FORM_H

#include "chain/tx.h"

/* SETTLE_OK, SETTLE_BAD_PARAM (out of shape) or SETTLE_LIMIT (too long, too many). fault gets the
 * field. */
MUST_USE enum settle_code tx_body_form(const Pb__TxBody *body, char fault[64]);

#endif
