/*~ aitbc-miner begins here: configuration, key, loop, signals. Next: miner/miner.c, the daemon;
 * miner/job.c, the way of one job; miner/supervisor.c, what stands between a program and this
 * machine. */
#define _GNU_SOURCE
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/rfc3339.h"
#include "miner/config.h"
#include "miner/link.h"
#include "miner/miner.h"
#include "wallet/keystore.h"

enum { KEY_FILE_BYTES_MAX = 64 * 1024 };

static void put_line(void *ctx, enum log_level level, const char *line, size_t len)
{
	char moment[RFC3339_BYTES];
	struct timespec now;
	(void)ctx, (void)level;
	clock_gettime(CLOCK_REALTIME, &now);
	rfc3339_text(moment,
		timestamp_of_ms((int64_t)now.tv_sec * 1000 + (int64_t)now.tv_nsec / 1000000));
	printf("%s %.*s\n", moment, (int)len, line);
	fflush(stdout);
}

static void on_check(const char *file, int line, const char *fact)
{
	fprintf(stderr, "broken check file=%s line=%d fact=\"%s\"\n", file, line, fact);
}

static bool level_of(enum log_level *out, const char *name)
{
	for (int level = LOG_DEBUG; level <= LOG_BROKEN; level++)
		if (strcmp(log_level_text((enum log_level)level), name) == 0) {
			*out = (enum log_level)level;
			return true;
		}
	return false;
}

/* One line, or the keys that the coordinator made for a devnet. */
static bool key_of_text(
	char out[LINK_KEY_BYTES], const struct miner_config *config, struct bytes text)
{
	struct json_fault fault;
	json_t *json = text.len > 0 && text.data[0] == '{' ? json_read(text, &fault) : NULL;
	const char *key = json_string_value(json_array_get(
		json_object_get(json, "miner_keys"), (size_t)config->miner_key_index));
	size_t len = 0;
	if (json == NULL && text.len > 0 && text.data[0] != '{') {
		key = (const char *)text.data;
		while (len < text.len && text.data[len] > ' ')
			len++;
	} else if (key != NULL) {
		len = strlen(key);
	}
	bool ok = len > 0 && len < LINK_KEY_BYTES;
	if (ok)
		snprintf(out, LINK_KEY_BYTES, "%.*s", (int)len, key);
	json_decref(json);
	return ok;
}

static bool read_miner_key(
	char out[LINK_KEY_BYTES], const struct miner_config *config, char fault[256])
{
	static uint8_t text[KEY_FILE_BYTES_MAX];
	const char *given = getenv("AITBC_MINER_KEY");
	struct stat st;
	if (given != NULL && given[0] != 0 && strlen(given) < LINK_KEY_BYTES) {
		snprintf(out, LINK_KEY_BYTES, "%s", given);
		return true;
	}
	if (config->miner_key_file[0] == 0) {
		snprintf(fault, 256,
			"no API key for the coordinator: set miner_key_file (or AITBC_MINER_KEY)");
		return false;
	}
	int fd = open(config->miner_key_file, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, text, sizeof text) : -1;
	bool open_to_others = fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 077) != 0;
	snprintf(fault, 256, "%.180s: %s", config->miner_key_file,
		got < 0          ? strerror(errno)
		: open_to_others ? "others can read it; chmod 600"
				 : "no usable key in it");
	if (fd >= 0)
		close(fd);
	bool ok = got > 0 && !open_to_others &&
		  key_of_text(out, config, bytes_view(text, (size_t)got));
	secret_wipe(text, sizeof text);
	return ok;
}

static bool read_account(
	struct account_secret *out, const struct miner_config *config, char fault[256])
{
	struct keystore_info info;
	struct passphrase passphrase = {0};
	const struct passphrase *given = NULL;
	if (config->passphrase_file[0] != 0) {
		if (passphrase_from_file(&passphrase, config->passphrase_file, fault) != STATUS_OK)
			return false;
		given = &passphrase;
	}
	enum status status = keystore_load(out, &info, config->key_file, given, fault);
	passphrase_fini(&passphrase);
	return status == STATUS_OK;
}

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
	(void)number, (void)what;
	miner_stop(ctx);
}

static bool catch (struct event *out[2], struct event_base *loop, struct miner *miner)
{
	static const int numbers[2] = {SIGTERM, SIGINT};
	for (int i = 0; i < 2; i++) {
		out[i] = evsignal_new(loop, numbers[i], on_signal, miner);
		if (out[i] == NULL || event_add(out[i], NULL) != 0)
			return false;
	}
	return true;
}

static int serve(const struct miner_config *config, struct log *log, char fault[256])
{
	struct account_secret secret;
	char miner_key[LINK_KEY_BYTES];
	struct event *signals[2] = {NULL, NULL};
	struct miner *miner = NULL;
	struct event_base *loop = event_base_new();
	bool ok = loop != NULL && keystore_keys_start();
	snprintf(fault, 256, "the cryptographic libraries or the event loop can't start");
	ok = ok && read_account(&secret, config, fault) && read_miner_key(miner_key, config, fault);
	ok = ok && miner_new(&miner, loop, config, &secret, miner_key, log, fault) == STATUS_OK;
	secret_wipe(&secret, sizeof secret);
	secret_wipe(miner_key, sizeof miner_key);
	ok = ok && catch (signals, loop, miner);
	if (ok) {
		event_base_dispatch(loop);
		log_event(log, LOG_INFO, "miner.down");
	}
	miner_free(miner);
	for (int i = 0; i < 2; i++)
		if (signals[i] != NULL)
			event_free(signals[i]);
	if (loop != NULL)
		event_base_free(loop);
	return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
	static struct miner_config config;
	struct log log = {.least = LOG_INFO, .sink = put_line};
	enum config_wish wish;
	char fault[256] = "";
	check_set_sink(on_check);
	keystore_harden();
	signal(SIGPIPE, SIG_IGN);
	if (config_load(&config, &wish, argc, argv, fault) != STATUS_OK) {
		fprintf(stderr, "aitbc-miner: %s\n", fault);
		return 2;
	}
	int code = 0;
	if (wish == CONFIG_HELP) {
		config_print_help(stdout);
	} else if (wish == CONFIG_VERSION) {
		puts("aitbc-miner 0.1.0");
	} else if (config.show) {
		config_print(stdout, &config);
	} else if (!level_of(&log.least, config.log_level)) {
		fprintf(stderr, "aitbc-miner: log_level must be debug, info, unusual or broken\n");
		code = 2;
	} else {
		code = serve(&config, &log, fault);
		if (code != 0)
			fprintf(stderr, "aitbc-miner: %s\n", fault);
	}
	config_fini(&config);
	return code;
}
