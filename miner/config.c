#define _GNU_SOURCE
#include "miner/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bech32.h"
#include "base/json.h"
#include "miner/nearest.h"

enum { CONFIG_FILE_BYTES_MAX = 1024 * 1024 };

enum option_kind { OPTION_TEXT, OPTION_PATH, OPTION_NUMBER, OPTION_BOOL };

struct option {
	const char *key; /* in the file; the flag is --key with '-' for '_' */
	const char *variable;
	enum option_kind kind;
	size_t offset;
	const char *initial;
	uint64_t min;
	uint64_t max;
	const char *about;
};

#define AT(member) offsetof(struct miner_config, member)

static const struct option OPTIONS[] = {
	{"coordinator", "AITBC_COORDINATOR", OPTION_TEXT, AT(coordinator), "http://127.0.0.1:18000",
		0, 0, "URL of the coordinator"},
	{"coordinator_address", "AITBC_COORDINATOR_ADDRESS", OPTION_TEXT, AT(coordinator_address),
		"", 0, 0, "the account it must have (ait1...); empty: whichever it says"},
	{"rpc", "AITBC_RPC", OPTION_TEXT, AT(rpc), "http://127.0.0.1:26657", 0, 0,
		"URL of the node that answers for the chain"},
	{"chain_id", "AITBC_CHAIN_ID", OPTION_TEXT, AT(chain_id), "", 0, 0,
		"the chain it must be; empty: whichever it says"},
	{"miner_id", "AITBC_MINER_ID", OPTION_TEXT, AT(miner_id), "miner", 0, 0,
		"name at the coordinator, 1..63 of [A-Za-z0-9_.-]"},
	{"region", "AITBC_MINER_REGION", OPTION_TEXT, AT(region), "", 0, 0,
		"region told to the coordinator"},
	{"listen", "AITBC_MINER_LISTEN", OPTION_TEXT, AT(listen), "127.0.0.1", 0, 0,
		"address to listen on"},
	{"port", "AITBC_MINER_PORT", OPTION_NUMBER, AT(port), "18001", 0, 65535,
		"port to listen on; 0: any"},
	{"public_url", "AITBC_MINER_URL", OPTION_TEXT, AT(public_url), "", 0, 0,
		"how the coordinator reaches us; empty: http://LISTEN:PORT"},
	{"mode", "AITBC_MINER_MODE", OPTION_TEXT, AT(mode), "push", 0, 0,
		"push: the coordinator calls us; pull: we ask it; both"},
	{"key_file", "AITBC_MINER_KEY_STORE", OPTION_PATH, AT(key_file), "", 0, 0,
		"key of the account that is paid, made by `aitbc keys new`; required"},
	{"passphrase_file", "AITBC_PASSPHRASE_FILE", OPTION_PATH, AT(passphrase_file), "", 0, 0,
		"0600 file with the key's passphrase; empty: the key is a plain devnet one"},
	{"miner_key_file", "AITBC_MINER_KEY_FILE", OPTION_PATH, AT(miner_key_file), "", 0, 0,
		"0600 file with the API key from the coordinator: one line, or its "
		"devnet-keys.json"},
	{"miner_key_index", "AITBC_MINER_KEY_INDEX", OPTION_NUMBER, AT(miner_key_index), "0", 0,
		1000, "which of the keys of a devnet-keys.json"},
	{"state_dir", "AITBC_MINER_STATE_DIR", OPTION_PATH, AT(state_dir), "miner-state", 0, 0,
		"results not yet paid live here, over crashes too"},
	{"work_dir", "AITBC_MINER_WORK_DIR", OPTION_PATH, AT(work_dir), "", 0, 0,
		"jobs get private directories here; empty: STATE_DIR/work"},
	{"run_as", "AITBC_MINER_RUN_AS", OPTION_TEXT, AT(run_as), "", 0, 0,
		"user that programs run as; needs a daemon started by root"},
	{"cgroup", "AITBC_MINER_CGROUP", OPTION_TEXT, AT(cgroup), "auto", 0, 0,
		"control group (v2) for jobs: auto, off, or a folder that gives pids and memory"},
	{"concurrency", "AITBC_MINER_CONCURRENCY", OPTION_NUMBER, AT(concurrency), "1", 1, 32,
		"jobs run at a time"},
	{"heartbeat_ms", "AITBC_MINER_HEARTBEAT_MS", OPTION_NUMBER, AT(heartbeat_ms), "0", 0,
		600000, "0: as the coordinator asks"},
	{"accept_refund", "AITBC_MINER_ACCEPT_REFUND", OPTION_BOOL, AT(accept_refund), "false", 0,
		0, "take jobs that go back to the client unpaid when the coordinator is silent"},
	{"log_level", "AITBC_LOG_LEVEL", OPTION_TEXT, AT(log_level), "info", 0, 0,
		"debug, info, unusual or broken"},
};
enum { OPTION_COUNT = sizeof OPTIONS / sizeof OPTIONS[0] };

static bool set_option(struct miner_config *c, const struct option *o, const char *text,
	const char *whence, char fault[256])
{
	char *at = (char *)c + o->offset;
	switch (o->kind) {
	case OPTION_TEXT:
	case OPTION_PATH:
		if (strlen(text) >= CONFIG_TEXT_BYTES) {
			snprintf(fault, 256, "%s: %s is too long", whence, o->key);
			return false;
		}
		snprintf(at, CONFIG_TEXT_BYTES, "%s", text);
		return true;
	case OPTION_NUMBER: {
		char *end;
		errno = 0;
		unsigned long long value = strtoull(text, &end, 10);
		if (text[0] < '0' || text[0] > '9' || *end != 0 || errno != 0 || value < o->min ||
			value > o->max) {
			snprintf(fault, 256, "%s: %s must be a number from %llu to %llu", whence,
				o->key, (unsigned long long)o->min, (unsigned long long)o->max);
			return false;
		}
		*(uint64_t *)(void *)at = value;
		return true;
	}
	case OPTION_BOOL:
		if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
			snprintf(fault, 256, "%s: %s must be true or false", whence, o->key);
			return false;
		}
		*(bool *)at = text[0] == 't';
		return true;
	}
	return false;
}

/* ---- the file ---- */

/* A path in the file is relative to the file, so that a home can be moved whole. */
static bool set_path(struct miner_config *c, const struct option *o, const char *text,
	const char *file, char fault[256])
{
	char whole[2 * CONFIG_TEXT_BYTES];
	const char *slash = strrchr(file, '/');
	if (text[0] == 0 || text[0] == '/' || slash == NULL)
		return set_option(c, o, text, file, fault);
	snprintf(whole, sizeof whole, "%.*s/%s",
		(int)(slash - file < CONFIG_TEXT_BYTES ? slash - file : 0), file, text);
	return set_option(c, o, whole, file, fault);
}

static bool set_from_json(struct miner_config *c, const struct option *o, const json_t *value,
	const char *file, char fault[256])
{
	char number[32];
	if (o->kind == OPTION_NUMBER && json_is_integer(value)) {
		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
		return set_option(c, o, number, file, fault);
	}
	if (o->kind == OPTION_BOOL && json_is_boolean(value))
		return set_option(c, o, json_is_true(value) ? "true" : "false", file, fault);
	if (o->kind == OPTION_TEXT && json_is_string(value))
		return set_option(c, o, json_string_value(value), file, fault);
	if (o->kind == OPTION_PATH && json_is_string(value))
		return set_path(c, o, json_string_value(value), file, fault);
	snprintf(fault, 256, "%s: %s isn't of its kind", file, o->key);
	return false;
}

static bool read_ollama(
	struct miner_config *c, const json_t *json, const char *file, char fault[256])
{
	static const char *const known[] = {"service", "url", "timeout_ms", NULL};
	const char *service = json_string_value(json_object_get(json, "service"));
	const char *url = json_string_value(json_object_get(json, "url"));
	const json_t *timeout = json_object_get(json, "timeout_ms");
	if (!json_is_object(json)) {
		snprintf(fault, 256, "%s: ollama must be an object", file);
		return false;
	}
	if (!known_keys(fault, json, "ollama", known))
		return false;
	snprintf(c->ollama.service, sizeof c->ollama.service, "%s",
		service != NULL ? service : "inference");
	snprintf(c->ollama.url, sizeof c->ollama.url, "%s",
		url != NULL ? url : "http://127.0.0.1:11434");
	c->ollama.timeout_ms = json_is_integer(timeout) && json_integer_value(timeout) > 0
				       ? (uint64_t)json_integer_value(timeout)
				       : 300 * 1000;
	c->ollama.enabled = true;
	return true;
}

static bool read_services(
	struct miner_config *c, const json_t *list, const char *file, char fault[256])
{
	size_t i;
	json_t *item;
	if (!json_is_array(list) || json_array_size(list) > TEMPLATES_MAX) {
		snprintf(fault, 256, "%s: services must be a list of at most %d", file,
			TEMPLATES_MAX);
		return false;
	}
	json_array_foreach(list, i, item)
	{
		if (template_read(&c->templates[c->template_count], item, fault) != STATUS_OK)
			return false;
		for (size_t j = 0; j < c->template_count; j++)
			if (strcmp(c->templates[j].service,
				    c->templates[c->template_count].service) == 0) {
				snprintf(fault, 256, "%s: service %.64s is there twice", file,
					c->templates[j].service);
				template_fini(&c->templates[c->template_count]);
				return false;
			}
		c->template_count++;
	}
	return true;
}

static bool apply_json(
	struct miner_config *c, const json_t *json, const char *file, char fault[256])
{
	const char *known[OPTION_COUNT + 3] = {0};
	for (size_t i = 0; i < OPTION_COUNT; i++)
		known[i] = OPTIONS[i].key;
	known[OPTION_COUNT] = "ollama", known[OPTION_COUNT + 1] = "services";
	if (!json_is_object(json)) {
		snprintf(fault, 256, "%s: not a JSON object", file);
		return false;
	}
	if (!known_keys(fault, json, file, known))
		return false;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const json_t *value = json_object_get(json, OPTIONS[i].key);
		if (value != NULL && !set_from_json(c, &OPTIONS[i], value, file, fault))
			return false;
	}
	const json_t *ollama = json_object_get(json, "ollama"),
		     *services = json_object_get(json, "services");
	return (ollama == NULL || read_ollama(c, ollama, file, fault)) &&
	       (services == NULL || read_services(c, services, file, fault));
}

static bool apply_file(struct miner_config *c, const char *file, char fault[256])
{
	struct buf text;
	struct json_fault json_fault;
	json_t *json = NULL;
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;
	buf_init(&text, CONFIG_FILE_BYTES_MAX + 1);
	uint8_t *room = fd >= 0 ? buf_extend(&text, CONFIG_FILE_BYTES_MAX + 1) : NULL;
	if (room != NULL)
		got = read(fd, room, CONFIG_FILE_BYTES_MAX + 1);
	snprintf(fault, 256, "%s: %s", file, fd < 0 ? strerror(errno) : "can't be read");
	if (fd >= 0)
		close(fd);
	if (got > CONFIG_FILE_BYTES_MAX) {
		snprintf(fault, 256, "%s: over 1 MiB", file);
	} else if (got >= 0) {
		json = json_read(bytes_view(text.data, (size_t)got), &json_fault);
		if (json == NULL)
			snprintf(fault, 256, "%s: %s", file, json_fault.text);
	}
	buf_fini(&text);
	bool ok = json != NULL && apply_json(c, json, file, fault);
	json_decref(json);
	return ok;
}

/* ---- flags ---- */

static void flag_of(char out[64], const struct option *o)
{
	snprintf(out, 64, "--%s", o->key);
	for (char *at = out + 2; *at != 0; at++)
		if (*at == '_')
			*at = '-';
}

static const struct option *option_of_flag(const char *flag, size_t len)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char name[64];
		flag_of(name, &OPTIONS[i]);
		if (strlen(name) == len && memcmp(name, flag, len) == 0)
			return &OPTIONS[i];
	}
	return NULL;
}

static bool unknown_flag(const char *flag, char fault[256])
{
	static char names[OPTION_COUNT][64];
	const char *known[OPTION_COUNT + 5] = {"--config", "--help", "--version", "--print-config"};
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		flag_of(names[i], &OPTIONS[i]);
		known[i + 4] = names[i];
	}
	const char *near = nearest_name(known, flag);
	snprintf(fault, 256, "unknown argument %.64s%s%s%s", flag,
		near != NULL ? "; did you mean " : "", near != NULL ? near : "",
		near != NULL ? "?" : " (see --help)");
	return false;
}

/* One round over argv. file: where the value of --config goes; apply: set the others. */
static bool read_flags(struct miner_config *c, enum config_wish *wish, const char **file,
	bool apply, int argc, char *const *argv, char fault[256])
{
	for (int i = 1; i < argc; i++) {
		const char *flag = argv[i];
		size_t len = strcspn(flag, "=");
		const struct option *o = option_of_flag(flag, len);
		bool is_file = len == 8 && memcmp(flag, "--config", 8) == 0;
		if (strcmp(flag, "--help") == 0 || strcmp(flag, "-h") == 0)
			*wish = CONFIG_HELP;
		else if (strcmp(flag, "--version") == 0)
			*wish = CONFIG_VERSION;
		else if (strcmp(flag, "--print-config") == 0)
			c->show = true;
		else if (o == NULL && !is_file)
			return unknown_flag(flag, fault);
		if (o == NULL && !is_file)
			continue;
		const char *value = flag[len] == '=' ? flag + len + 1
				    : i + 1 < argc   ? argv[++i]
						     : NULL;
		if (value == NULL) {
			snprintf(fault, 256, "%.*s needs a value", (int)len, flag);
			return false;
		}
		if (is_file)
			*file = value;
		else if (apply && !set_option(c, o, value, "command line", fault))
			return false;
	}
	return true;
}

/* The daemon's directory may change; a path must not. */
static bool make_absolute(struct miner_config *c, const struct option *o, char fault[256])
{
	char here[CONFIG_TEXT_BYTES], whole[2 * CONFIG_TEXT_BYTES];
	char *at = (char *)c + o->offset;
	if (o->kind != OPTION_PATH || at[0] == 0 || at[0] == '/')
		return true;
	if (getcwd(here, sizeof here) == NULL) {
		snprintf(fault, 256, "the current directory has no usable name");
		return false;
	}
	snprintf(whole, sizeof whole, "%s/%s", here, at);
	return set_option(c, o, whole, "current directory", fault);
}

static bool check_whole(struct miner_config *c, char fault[256])
{
	struct account_address address;
	const char *wrong = NULL;
	if (c->key_file[0] == 0)
		wrong = "key_file is required: the account that is paid (make one with `aitbc keys "
			"new miner`)";
	else if (c->template_count == 0 && !c->ollama.enabled)
		wrong = "no service: give \"services\" or \"ollama\" in the file named by --config";
	else if (strcmp(c->mode, "push") != 0 && strcmp(c->mode, "pull") != 0 &&
		 strcmp(c->mode, "both") != 0)
		wrong = "mode must be push, pull or both";
	else if (c->coordinator_address[0] != 0 &&
		 !address_parse(&address, c->coordinator_address, strlen(c->coordinator_address)))
		wrong = "coordinator_address isn't an ait1... address";
	else if (c->miner_id[0] == 0 || strlen(c->miner_id) > 63)
		wrong = "miner_id must have 1 to 63 bytes";
	else if (c->run_as[0] != 0 && getuid() != 0)
		wrong = "run_as needs a daemon started by root";
	if (wrong != NULL)
		snprintf(fault, 256, "%s", wrong);
	if (c->work_dir[0] == 0 && (size_t)snprintf(c->work_dir, sizeof c->work_dir, "%.480s/work",
					   c->state_dir) >= sizeof c->work_dir)
		return false;
	bool ok = wrong == NULL;
	for (size_t i = 0; i < OPTION_COUNT && ok; i++)
		ok = make_absolute(c, &OPTIONS[i], fault);
	return ok;
}

enum status config_load(struct miner_config *out, enum config_wish *wish, int argc,
	char *const *argv, char fault[256])
{
	const char *file = getenv("AITBC_MINER_CONFIG");
	*out = (struct miner_config){0};
	*wish = CONFIG_RUN;
	bool ok = true;
	for (size_t i = 0; i < OPTION_COUNT && ok; i++)
		ok = set_option(out, &OPTIONS[i], OPTIONS[i].initial, "default", fault);
	ok = ok && read_flags(out, wish, &file, false, argc, argv, fault);
	if (ok && *wish != CONFIG_RUN)
		return STATUS_OK;
	ok = ok && (file == NULL || apply_file(out, file, fault));
	for (size_t i = 0; i < OPTION_COUNT && ok; i++) {
		const char *value = getenv(OPTIONS[i].variable);
		if (value != NULL)
			ok = set_option(out, &OPTIONS[i], value, OPTIONS[i].variable, fault);
	}
	ok = ok && read_flags(out, wish, &file, true, argc, argv, fault) && check_whole(out, fault);
	if (!ok)
		config_fini(out);
	return ok ? STATUS_OK : STATUS_INVALID;
}

void config_fini(struct miner_config *config)
{
	for (size_t i = 0; i < config->template_count; i++)
		template_fini(&config->templates[i]);
	config->template_count = 0;
}

void config_print_help(FILE *to)
{
	fputs("aitbc-miner: takes jobs from a coordinator, runs them, signs what was done and is "
	      "paid on the chain.\n\n"
	      "usage: aitbc-miner --config FILE [--KEY VALUE]...\n\n"
	      "FILE is JSON with any of the keys below, and\n"
	      "  \"ollama\": "
	      "{\"service\":\"inference\",\"url\":\"http://"
	      "127.0.0.1:11434\",\"timeout_ms\":300000}\n"
	      "  \"services\": "
	      "[{\"service\":NAME,\"argv\":[PROGRAM,ARGUMENT,..],\"outputs\":[{\"name\":..}],\n"
	      "     \"stdout_result\":false,\"params\":{..},\"limits\":{..}}]\n"
	      "     argv is never given to a shell. {input} is the job's file, {output} the first "
	      "output, {NAME} a param:\n"
	      "     {\"enum\":[..]} {\"map\":{..}} {\"min\":0,\"max\":51} {\"word\":16}, with "
	      "\"default\" or \"optional\":true;\n"
	      "     {\"if\":PARAM,\"is\":X,\"argv\":[..]} stands for arguments used only when the "
	      "param has a value.\n"
	      "     limits: wall_ms cpu_seconds memory_bytes file_bytes directory_bytes open_files "
	      "processes\n"
	      "     stdout_bytes stderr_bytes; 0 for cpu_seconds or memory_bytes means none\n"
	      "Paths in FILE are relative to FILE. A variable overrides the file, a flag overrides "
	      "both.\n\n",
		to);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char flag[64];
		flag_of(flag, &OPTIONS[i]);
		fprintf(to, "  %-22s %s\n%25s%s%s; %s\n", flag, OPTIONS[i].about, "", "default ",
			OPTIONS[i].initial[0] != 0 ? OPTIONS[i].initial : "empty",
			OPTIONS[i].variable);
	}
	fputs("  --print-config         show the effective configuration and end\n"
	      "  --help, --version\n\n"
	      "AITBC_MINER_KEY holds the coordinator's API key itself, instead of miner_key_file.\n"
	      "AITBC_MINER_CONFIG stands for --config.\n\n"
	      "Routes: GET /health, GET /v1/status, POST /v1/jobs/assign (the coordinator's).\n"
	      "SIGTERM or SIGINT: running work is given back, and the daemon ends with 0 within "
	      "seconds. A result that\n"
	      "was complete is kept in state_dir and claimed at the next start.\n",
		to);
}

void config_print(FILE *to, const struct miner_config *config)
{
	json_t *json = json_object(), *services = json_array();
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *o = &OPTIONS[i];
		const char *at = (const char *)config + o->offset;
		json_t *value = NULL;
		switch (o->kind) {
		case OPTION_TEXT:
		case OPTION_PATH: value = json_string(at); break;
		case OPTION_NUMBER:
			value = json_integer((json_int_t) * (const uint64_t *)(const void *)at);
			break;
		case OPTION_BOOL: value = json_boolean(*(const bool *)at); break;
		}
		json_object_set_new(json, o->key, value);
	}
	if (config->ollama.enabled)
		json_object_set_new(json, "ollama",
			json_pack("{s:s, s:s, s:I}", "service", config->ollama.service, "url",
				config->ollama.url, "timeout_ms",
				(json_int_t)config->ollama.timeout_ms));
	for (size_t i = 0; i < config->template_count; i++)
		json_array_append(services, config->templates[i].json);
	json_object_set_new(json, "services", services);
	json_dumpf(json, to, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	fputc('\n', to);
	json_decref(json);
}
