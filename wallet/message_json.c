#include "wallet/message_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bech32.h"
#include "base/hex.h"

/* Where the schema says address, 20 bytes are one. */
static bool names_account(const char *name)
{
	static const char *const names[] = {
		"to", "client", "coordinator", "operators", "treasury", "account"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static json_t *bytes_json(const char *name, const ProtobufCBinaryData *data)
{
	struct account_address address;
	char text[ADDRESS_TEXT_BYTES];

	if (data->len == sizeof address.b && names_account(name)) {
		memcpy(address.b, data->data, sizeof address.b);
		address_text(text, &address);
		return json_string(text);
	}
	char *hex = malloc(2 * data->len + 1);
	if (!hex)
		return NULL;
	hex_upper(hex, data->data, data->len);
	json_t *json = json_string(hex);
	free(hex);
	return json;
}

static json_t *u64_json(uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, value);
	return json_string(text);
}

static json_t *i64_json(int64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRId64, value);
	return json_string(text);
}

static json_t *enum_json(const ProtobufCFieldDescriptor *field, int value)
{
	const ProtobufCEnumValue *known =
		protobuf_c_enum_descriptor_get_value(field->descriptor, value);

	return known ? json_string(known->name) : json_integer(value);
}

/* at points to one value of the field's type. */
static json_t *value_json(const ProtobufCFieldDescriptor *field, const void *at)
{
	const char *text;

	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32: return json_integer(*(const int32_t *)at);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32: return json_integer(*(const uint32_t *)at);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64: return i64_json(*(const int64_t *)at);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64: return u64_json(*(const uint64_t *)at);
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE: return NULL; /* the schema has none */
	case PROTOBUF_C_TYPE_BOOL: return json_boolean(*(const protobuf_c_boolean *)at);
	case PROTOBUF_C_TYPE_ENUM: return enum_json(field, *(const int *)at);
	case PROTOBUF_C_TYPE_STRING:
		text = *(char *const *)at;
		return json_string(text ? text : "");
	case PROTOBUF_C_TYPE_BYTES: return bytes_json(field->name, at);
	case PROTOBUF_C_TYPE_MESSAGE: return message_json(*(ProtobufCMessage *const *)at);
	}
	return NULL;
}

static size_t size_of(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_ENUM: return 4;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE: return 8;
	case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
	}
	return 0;
}

static json_t *list_json(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	size_t count = *(const size_t *)((const char *)message + field->quantifier_offset);
	const char *items = *(char *const *)((const char *)message + field->offset);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, value_json(field, items + i * size_of(field)));
	return list;
}

/* proto3: what isn't on the wire is at its default. */
static bool is_default(const ProtobufCFieldDescriptor *field, const void *at)
{
	static const char zero[8];

	if (field->type == PROTOBUF_C_TYPE_STRING)
		return !*(char *const *)at || **(char *const *)at == '\0';
	if (field->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)at)->len == 0;
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return !*(ProtobufCMessage *const *)at;
	return memcmp(at, zero, size_of(field)) == 0;
}

json_t *message_json(const ProtobufCMessage *message)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
		const void *at = (const char *)message + field->offset;
		bool oneof = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			json_object_set_new(object, field->name, list_json(message, field));
			continue;
		}
		/* A side of a oneof is there when the case names it. */
		if (oneof && *(const uint32_t *)((const char *)message +
						 field->quantifier_offset) != field->id)
			continue;
		if (oneof || !is_default(field, at))
			json_object_set_new(object, field->name, value_json(field, at));
	}
	return object;
}
