#include "wallet/fields.h"

#include <string.h>

#include "base/hex.h"

bool u64_parse(uint64_t *out, const char *text, size_t len)
{
	uint64_t value = 0;

	if (len == 0 || len > 20 || (len > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(text[i] - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

bool field_u64(uint64_t *out, const json_t *object, const char *name)
{
	const json_t *member = json_object_get(object, name);

	if (json_is_string(member))
		return u64_parse(out, json_string_value(member), json_string_length(member));
	if (!json_is_integer(member) || json_integer_value(member) < 0)
		return false;
	*out = (uint64_t)json_integer_value(member);
	return true;
}

bool field_u32(uint32_t *out, const json_t *object, const char *name)
{
	uint64_t value;

	if (!field_u64(&value, object, name) || value > UINT32_MAX)
		return false;
	*out = (uint32_t)value;
	return true;
}

bool field_i64(int64_t *out, const json_t *object, const char *name)
{
	const json_t *member = json_object_get(object, name);
	const char *text = json_string_value(member);
	uint64_t value;

	if (json_is_integer(member)) {
		*out = json_integer_value(member);
		return true;
	}
	if (!text)
		return false;
	bool negative = text[0] == '-';
	if (!u64_parse(&value, text + negative, json_string_length(member) - negative) ||
		value > INT64_MAX)
		return false;
	*out = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

bool field_bool(bool *out, const json_t *object, const char *name)
{
	const json_t *member = json_object_get(object, name);

	if (!json_is_boolean(member))
		return false;
	*out = json_is_true(member);
	return true;
}

bool field_hex(uint8_t *out, size_t len, const json_t *object, const char *name)
{
	const json_t *member = json_object_get(object, name);

	return json_is_string(member) &&
	       hex_decode(out, len, json_string_value(member), json_string_length(member));
}

bool field_address(struct account_address *out, const json_t *object, const char *name)
{
	const json_t *member = json_object_get(object, name);

	return json_is_string(member) &&
	       address_parse(out, json_string_value(member), json_string_length(member));
}

bool field_time(struct timestamp *out, const json_t *object, const char *name)
{
	const json_t *member = json_object_get(object, name);

	return json_is_string(member) &&
	       rfc3339_parse(out, json_string_value(member), json_string_length(member));
}

bool field_copy(char *out, size_t max, const json_t *object, const char *name)
{
	const json_t *member = json_object_get(object, name);

	if (!json_is_string(member) || json_string_length(member) > max ||
		strlen(json_string_value(member)) != json_string_length(member))
		return false;
	memcpy(out, json_string_value(member), json_string_length(member) + 1);
	return true;
}

bool field_enum(
	int *out, const ProtobufCEnumDescriptor *names, const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	const ProtobufCEnumValue *value =
		text ? protobuf_c_enum_descriptor_get_value_by_name(names, text) : NULL;

	if (!value)
		return false;
	*out = value->value;
	return true;
}

const char *field_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}
