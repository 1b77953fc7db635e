/* template: how a service of this miner becomes a program's argv.
 * Read once from the configuration and refused there when it could go wrong later; filled per job
 * from the payload, whose values are judged against what the template allows. No value can become
 * an option: none begins with '-', but numbers of a range that holds negative ones. Owns its copy
 * of the JSON. Pure but for the look-up of the program's path when it is read.
 *
 *   {"service":"ffmpeg/transcode","argv":["ffmpeg","-i","{input}","-c:v","{codec}",
 *      {"if":"resolution","argv":["-s","{resolution}"]},"{output}"],
 *    "outputs":[{"name":"output.{output_format}"}],"stdout_result":false,"limits":{"wall_ms":600000},
 *    "params":{"codec":{"map":{"h264":"libx264"},"default":"h264"},"crf":{"min":0,"max":51,"default":23},
 *      "output_format":{"enum":["mp4","mkv"],"default":"mp4"},"resolution":{"word":16,"optional":true}}}
 */
#ifndef MINER_TEMPLATE_H
#define MINER_TEMPLATE_H

#include <jansson.h>

#include "base/limits.h"
#include "miner/exec.h"
#include "miner/workdir.h"

enum {
	TEMPLATES_MAX = 32,
	TEMPLATE_ARGS_MAX = 128,
	TEMPLATE_PARAMS_MAX = 32,
	TEMPLATE_OUTPUTS_MAX = 8,
	TEMPLATE_TEXT_BYTES_MAX = 1024, /* of one argument or value */
	TEMPLATE_NAME_BYTES_MAX = 63
};

enum param_kind {
	PARAM_ENUM,    /* "enum": one of these texts, as it is */
	PARAM_MAP,     /* "map": one of these names, replaced by its text */
	PARAM_INTEGER, /* "min", "max" */
	PARAM_WORD     /* "word": N: 1..N of [A-Za-z0-9_.-], not beginning with '-' or '.' */
};

struct template_param {
	char name[TEMPLATE_NAME_BYTES_MAX + 1];
	enum param_kind kind;
	const json_t *choices; /* borrowed from the template's JSON: array of ENUM, object of MAP */
	int64_t min;
	int64_t max;
	size_t word_bytes_max;
	const json_t *fallback; /* "default"; NULL: none */
	bool optional; /* may stay without a value: only arguments under its "if" name it */
};

struct template
{
	char service[SERVICE_BYTES_MAX + 1];
	char program[512]; /* absolute path */
	json_t *json;      /* owned: the whole definition */
	struct template_param params[TEMPLATE_PARAMS_MAX];
	size_t param_count;
	bool needs_input;
	bool stdout_result;
	size_t output_count;
	struct exec_limits limits;
};

/* STATUS_INVALID: fault says what is wrong and where. json is copied by reference. */
MUST_USE enum status template_read(struct template *out, json_t *json, char fault[256]);
void template_fini(struct template *template);

/* A job's own argv. */
struct command {
	char *argv[TEMPLATE_ARGS_MAX + 1]; /* NULL-terminated */
	size_t argc;
	char outputs[TEMPLATE_OUTPUTS_MAX][TEMPLATE_NAME_BYTES_MAX + 1];
	const char *content_types[TEMPLATE_OUTPUTS_MAX]; /* borrowed from the template, or static */
	size_t output_count;
};

/* False: the payload asks for what the template doesn't allow; fault is for the client. No memory
 * reads like that too. *out must be given to command_fini either way. */
MUST_USE bool template_fill(const struct template *template, struct command *out,
	const json_t *payload, char fault[256]);
void command_fini(struct command *command);

/* The input's name in the job's directory, as "{input}" is replaced. */
#define TEMPLATE_INPUT_NAME "input"

#endif
