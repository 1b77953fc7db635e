#include "coordinator/services.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"

static const char *const video_formats[] = {"mp4", "mkv", "mov", "webm", NULL};
static const char *const video_codecs[] = {"h264", "h265", "vp9", "av1", NULL};
static const char *const video_presets[] = {"ultrafast", "superfast", "veryfast", "faster", "fast",
	"medium", "slow", "slower", "veryslow", NULL};
static const char *const audio_codecs[] = {"aac", "opus", "mp3", "copy", "none", NULL};
static const char *const image_formats[] = {"png", "jpg", NULL};

static const struct service services[SERVICE_COUNT] = {
	{"inference", "Text inference", "ai_ml",
		"Completes a prompt with a named open-weight language model.", "second", true,
		{{"prompt", FIELD_TEXT, true, 1, 100000, NULL, "what the model is asked"},
			{"model", FIELD_TEXT, true, 1, SERVICE_MODEL_BYTES_MAX, NULL,
				"name of the model, e.g. llama3.2:latest"},
			{"system", FIELD_TEXT, false, 1, 20000, NULL, "system prompt"},
			{"max_tokens", FIELD_INTEGER, false, 1, 32768, NULL,
				"longest answer in tokens"},
			{"temperature", FIELD_REAL, false, 0, 2, NULL, "sampling temperature"},
			{"top_p", FIELD_REAL, false, 0, 1, NULL, "nucleus sampling"},
			{"top_k", FIELD_INTEGER, false, 0, 1000, NULL, "sampling among so many"},
			{"seed", FIELD_INTEGER, false, 0, 4294967295.0, NULL,
				"seed of the sampling"}}},
	{"ffmpeg/transcode", "Video transcoding", "media_processing",
		"Re-encodes a video: container, codec, preset, rate.", "second", false,
		{{"input", FIELD_ARTIFACT, true, 0, 0, NULL, "the video"},
			{"output_format", FIELD_CHOICE, false, 0, 0, video_formats, "container"},
			{"codec", FIELD_CHOICE, false, 0, 0, video_codecs, "video codec"},
			{"preset", FIELD_CHOICE, false, 0, 0, video_presets, "speed against size"},
			{"crf", FIELD_INTEGER, false, 0, 51, NULL, "constant rate factor"},
			{"resolution", FIELD_SIZE, false, 16, 7680, NULL, "WIDTHxHEIGHT"},
			{"bitrate", FIELD_BITRATE, false, 0, 0, NULL, "video bits per second"},
			{"fps", FIELD_INTEGER, false, 1, 120, NULL, "frames per second"},
			{"audio_codec", FIELD_CHOICE, false, 0, 0, audio_codecs, "audio codec"},
			{"audio_bitrate", FIELD_BITRATE, false, 0, 0, NULL,
				"audio bits per second"}}},
	{"image/scale", "Image scaling", "media_processing", "Scales one picture.", "second", false,
		{{"input", FIELD_ARTIFACT, true, 0, 0, NULL, "the picture"},
			{"width", FIELD_INTEGER, true, 1, 16384, NULL, "pixels"},
			{"height", FIELD_INTEGER, true, 1, 16384, NULL, "pixels"},
			{"output_format", FIELD_CHOICE, false, 0, 0, image_formats,
				"file format"}}},
	{"text/count", "Text counting", "data_analytics",
		"Counts lines, words and bytes of a text.", "second", false,
		{{"input", FIELD_ARTIFACT, true, 0, 0, NULL, "the text"}}},
};

static const struct service_price prices[SERVICE_COUNT] = {
	{false, 20000, 500 * 1000, 10 * 1000000, 300 * 1000, 5},
	{false, 20000, 1800 * 1000, 36 * 1000000, 1800 * 1000, 5},
	{false, 20000, 100 * 1000, 2 * 1000000, 300 * 1000, 5},
	{false, 20000, 100 * 1000, 2 * 1000000, 300 * 1000, 5},
};

/* Names that older clients use. */
static const struct {
	const char *alias;
	const char *name;
} aliases[] = {
	{"llm/inference", "inference"},
	{"transcode", "ffmpeg/transcode"},
	{"ffmpeg", "ffmpeg/transcode"},
};

const struct service *service_at(size_t index)
{
	CHECK(index < SERVICE_COUNT);
	return &services[index];
}

size_t service_index(const struct service *service)
{
	return (size_t)(service - services);
}

static bool same(const char *text, const char *name, size_t len)
{
	return strlen(text) == len && memcmp(text, name, len) == 0;
}

const struct service *service_by_name(const char *name, size_t len)
{
	for (size_t i = 0; i < SERVICE_COUNT; i++) {
		if (same(services[i].name, name, len))
			return &services[i];
	}
	for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
		if (same(aliases[i].alias, name, len))
			return service_by_name(aliases[i].name, strlen(aliases[i].name));
	}
	return NULL;
}

struct service_price service_price_default(const struct service *service)
{
	return prices[service_index(service)];
}

static bool is_digits(const char *text, size_t len)
{
	if (len == 0 || len > 9)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
	}
	return true;
}

static bool digits_within(const char *text, size_t len, double least, double most)
{
	long value = 0;

	if (!is_digits(text, len))
		return false;
	for (size_t i = 0; i < len; i++)
		value = value * 10 + (text[i] - '0');
	return (double)value >= least && (double)value <= most;
}

static bool is_size(const char *text, size_t len, double least, double most)
{
	const char *cross = memchr(text, 'x', len);
	size_t first;

	if (!cross)
		return false;
	first = (size_t)(cross - text);
	return digits_within(text, first, least, most) &&
	       digits_within(cross + 1, len - first - 1, least, most);
}

static bool is_bitrate(const char *text, size_t len)
{
	if (len > 0 && (text[len - 1] == 'k' || text[len - 1] == 'M'))
		len--;
	return is_digits(text, len) && text[0] != '0';
}

static bool is_artifact(const char *text, size_t len)
{
	static const char prefix[] = "artifact:";
	uint8_t hash[32];

	return len == sizeof prefix - 1 + 64 && memcmp(text, prefix, sizeof prefix - 1) == 0 &&
	       hex_decode(hash, sizeof hash, text + sizeof prefix - 1, 64);
}

static bool is_choice(const struct service_field *field, const char *text)
{
	for (const char *const *choice = field->choices; *choice; choice++) {
		if (strcmp(*choice, text) == 0)
			return true;
	}
	return false;
}

/* What the field wants, for people. */
static void say_wanted(char out[200], const struct service_field *field)
{
	switch (field->kind) {
	case FIELD_TEXT:
		snprintf(out, 200, "must be a text of %.0f to %.0f bytes", field->least,
			field->most);
		break;
	case FIELD_INTEGER:
		snprintf(out, 200, "must be a whole number from %.0f to %.0f", field->least,
			field->most);
		break;
	case FIELD_REAL:
		snprintf(out, 200, "must be a number from %g to %g", field->least, field->most);
		break;
	case FIELD_BOOL: snprintf(out, 200, "must be true or false"); break;
	case FIELD_CHOICE: {
		size_t used = (size_t)snprintf(out, 200, "must be one of");

		for (const char *const *choice = field->choices; *choice && used < 200; choice++)
			used += (size_t)snprintf(out + used, 200 - used, "%s %s",
				choice == field->choices ? "" : ",", *choice);
		break;
	}
	case FIELD_ARTIFACT:
		snprintf(out, 200,
			"must be \"artifact:\" and the 64 hex digits an upload was answered with");
		break;
	case FIELD_SIZE:
		snprintf(out, 200, "must be WIDTHxHEIGHT, each from %.0f to %.0f", field->least,
			field->most);
		break;
	case FIELD_BITRATE:
		snprintf(out, 200, "must be digits with an optional k or M, e.g. 128k");
		break;
	}
}

static bool field_fits(const struct service_field *field, const json_t *value)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	double number = json_number_value(value);

	switch (field->kind) {
	case FIELD_TEXT: return text && (double)len >= field->least && (double)len <= field->most;
	case FIELD_INTEGER:
		return json_is_integer(value) && number >= field->least && number <= field->most;
	case FIELD_REAL:
		return json_is_number(value) && isfinite(number) && number >= field->least &&
		       number <= field->most;
	case FIELD_BOOL: return json_is_boolean(value);
	case FIELD_CHOICE: return text && is_choice(field, text);
	case FIELD_ARTIFACT: return text && is_artifact(text, len);
	case FIELD_SIZE: return text && is_size(text, len, field->least, field->most);
	case FIELD_BITRATE: return text && is_bitrate(text, len);
	}
	return false;
}

static const struct service_field *field_named(const struct service *service, const char *name)
{
	for (size_t i = 0; i < SERVICE_FIELDS_MAX && service->fields[i].name; i++) {
		if (strcmp(service->fields[i].name, name) == 0)
			return &service->fields[i];
	}
	return NULL;
}

bool service_check_payload(
	const struct service *service, const json_t *payload, struct service_fault *fault)
{
	const char *name;
	json_t *value;

	if (!json_is_object(payload)) {
		snprintf(fault->field, sizeof fault->field, "payload");
		snprintf(fault->message, sizeof fault->message, "must be an object");
		return false;
	}
	json_object_foreach((json_t *)payload, name, value)
	{
		const struct service_field *field = field_named(service, name);

		if (strcmp(name, "type") == 0)
			continue;
		snprintf(fault->field, sizeof fault->field, "%.63s", name);
		if (!field) {
			snprintf(fault->message, sizeof fault->message,
				"is not an input of %s and would be ignored", service->name);
			return false;
		}
		if (!field_fits(field, value)) {
			say_wanted(fault->message, field);
			return false;
		}
	}
	for (size_t i = 0; i < SERVICE_FIELDS_MAX && service->fields[i].name; i++) {
		const struct service_field *field = &service->fields[i];

		if (field->required && !json_object_get(payload, field->name)) {
			snprintf(fault->field, sizeof fault->field, "%s", field->name);
			snprintf(fault->message, sizeof fault->message, "is missing");
			return false;
		}
	}
	return true;
}

const char *service_model(const struct service *service, const json_t *payload)
{
	const char *model =
		service->has_model ? json_string_value(json_object_get(payload, "model")) : NULL;

	return model ? model : "";
}

static const char *schema_type(enum field_kind kind)
{
	switch (kind) {
	case FIELD_INTEGER: return "integer";
	case FIELD_REAL: return "number";
	case FIELD_BOOL: return "boolean";
	case FIELD_TEXT:
	case FIELD_CHOICE:
	case FIELD_ARTIFACT:
	case FIELD_SIZE:
	case FIELD_BITRATE: return "string";
	}
	return "string";
}

static void put_schema_bounds(struct buf *out, const struct service_field *field)
{
	switch (field->kind) {
	case FIELD_TEXT:
		buf_appendf(
			out, ",\"minLength\":%.0f,\"maxLength\":%.0f", field->least, field->most);
		break;
	case FIELD_INTEGER:
	case FIELD_REAL:
		buf_appendf(out, ",\"minimum\":%.0f,\"maximum\":%.0f", field->least, field->most);
		break;
	case FIELD_CHOICE:
		buf_append_text(out, ",\"enum\":[");
		for (const char *const *choice = field->choices; *choice; choice++) {
			buf_append_text(out, choice == field->choices ? "" : ",");
			json_put_text(out, *choice);
		}
		buf_append_byte(out, ']');
		break;
	case FIELD_ARTIFACT:
		buf_append_text(out, ",\"pattern\":\"^artifact:[0-9a-fA-F]{64}$\"");
		break;
	case FIELD_SIZE: buf_append_text(out, ",\"pattern\":\"^[0-9]+x[0-9]+$\""); break;
	case FIELD_BITRATE: buf_append_text(out, ",\"pattern\":\"^[1-9][0-9]*[kM]?$\""); break;
	case FIELD_BOOL: break;
	}
}

void service_put_schema(struct buf *out, const struct service *service)
{
	bool first = true;

	buf_append_text(out, "{\"type\":\"object\",\"properties\":{");
	for (size_t i = 0; i < SERVICE_FIELDS_MAX && service->fields[i].name; i++) {
		const struct service_field *field = &service->fields[i];

		buf_append_text(out, i == 0 ? "" : ",");
		json_put_key(out, field->name);
		buf_append_text(out, "{\"type\":");
		json_put_text(out, schema_type(field->kind));
		buf_append_text(out, ",\"description\":");
		json_put_text(out, field->about);
		put_schema_bounds(out, field);
		buf_append_byte(out, '}');
	}
	buf_append_text(out, "},\"required\":[");
	for (size_t i = 0; i < SERVICE_FIELDS_MAX && service->fields[i].name; i++) {
		if (!service->fields[i].required)
			continue;
		buf_append_text(out, first ? "" : ",");
		json_put_text(out, service->fields[i].name);
		first = false;
	}
	buf_append_text(out, "],\"additionalProperties\":false}");
}
