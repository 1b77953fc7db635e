/* header: the fourteen fields whose Merkle root is the block's hash (comet.md 3.2). Pure. */
#ifndef CHAIN_FORMAT_HEADER_H
#define CHAIN_FORMAT_HEADER_H

#include "base/hash.h"
#include "chain/proto/comet.pb-c.h"

enum { BLOCK_PROTOCOL = 11, HEADER_FIELDS = 14 };

struct hash32 header_hash(const Pb__Header *header);

/* Sizes and ranges of every field, whoever made it. fault gets the field's name. */
MUST_USE bool header_form_valid(const Pb__Header *header, const char **fault);

#endif
