/* message_json: any message of the schema as JSON for people: addresses in bech32, other bytes in
 * hex, 64-bit integers as decimal texts, enums by name; fields that are at their default are left
 * out. Pure. */
#ifndef WALLET_MESSAGE_JSON_H
#define WALLET_MESSAGE_JSON_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

/* New reference; NULL: no memory. */
json_t *message_json(const ProtobufCMessage *message);

#endif
