#define _GNU_SOURCE
#include "tests/e2e/miner_world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bech32.h"
#include "base/hex.h"
#include "base/json.h"
#include "wallet/fields.h"
#include "wallet/keystore.h"

enum { TURN_MS = 10, COINS = 1000 * 1000 * 1000 };
static const char CHAIN_ID[] = "devnet-miner";

uint64_t world_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

_Noreturn void world_die(const char *file, int line, const char *fact)
{
	fprintf(stderr, "%s:%d: never came true: %s\n", file, line, fact);
	exit(1);
}

static void on_turn(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what, (void)ctx;
}

void world_turn(struct world *w)
{
	struct timeval tv = {0, TURN_MS * 1000};
	event_base_once(w->loop, -1, EV_TIMEOUT, on_turn, NULL, &tv);
	event_base_loop(w->loop, EVLOOP_ONCE);
}

/* ---- the coordinator's port ---- */

static void say(struct http_reply *reply, uint16_t status, const char *json)
{
	reply->status = status;
	reply->content_type = "application/json";
	buf_append_text(&reply->body, json);
}

static void keep(char out[WORLD_BODY_BYTES], struct bytes body)
{
	snprintf(out, WORLD_BODY_BYTES, "%.*s", (int)body.len, (const char *)body.data);
}

static void answer_registration(struct world *w, struct http_reply *reply)
{
	char address[ADDRESS_TEXT_BYTES], text[512];
	address_text(address, &w->coordinator);
	snprintf(text, sizeof text,
		"{\"status\":\"ok\",\"miner_id\":\"m\",\"coordinator\":\"%s\",\"chain_id\":\"%s\","
		"\"heartbeat_ms\":200}",
		address, CHAIN_ID);
	w->registrations++;
	say(reply, 200, text);
}

static void artifact_path(const struct world *w, char out[512], const char *hex)
{
	snprintf(out, 512, "%s/artifacts/%.64s", w->folder, hex);
}

static void take_upload(
	struct world *w, const struct http_request *request, struct http_reply *reply)
{
	char path[512], hex[65], text[256];
	struct stat st;
	struct buf bytes;
	uint8_t chunk[4096];
	ssize_t got = -1;
	buf_init(&bytes, 0);
	int fd = request->body_file != NULL ? open(request->body_file, O_RDONLY) : -1;
	while (fd >= 0 && (got = read(fd, chunk, sizeof chunk)) > 0)
		buf_append(&bytes, chunk, (size_t)got);
	CHECK(fd >= 0 && got == 0 && buf_ok(&bytes) && fstat(fd, &st) == 0);
	close(fd);
	struct hash32 hash = sha256(buf_view(&bytes));
	hex_lower(hex, hash.b, 32);
	artifact_path(w, path, hex);
	CHECK(rename(request->body_file, path) == 0);
	buf_fini(&bytes);
	w->uploads++;
	snprintf(text, sizeof text, "{\"artifact\":\"%s\",\"size\":%lld}", hex,
		(long long)st.st_size);
	say(reply, 201, text);
}

static enum http_answer take_report(struct world *w, const struct http_request *request,
	struct http_reply *reply, char out[WORLD_BODY_BYTES], unsigned *count)
{
	keep(out, request->body);
	++*count;
	if (w->manner == MANNER_FREEZE)
		return HTTP_WAIT;
	say(reply, w->manner == MANNER_TAKE ? 200 : 503, "{\"status\":\"ok\"}");
	return HTTP_DONE;
}

static bool ends(const char *text, const char *ending)
{
	size_t len = strlen(text), ending_len = strlen(ending);
	return len >= ending_len && strcmp(text + len - ending_len, ending) == 0;
}

static enum http_answer handle(void *self, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply)
{
	struct world *w = self;
	const char *path = request->path;
	char file[512];
	(void)ticket;
	if (ends(path, "/miners/register")) {
		answer_registration(w, reply);
	} else if (ends(path, "/miners/heartbeat")) {
		keep(w->heartbeat, request->body);
		w->heartbeats++;
		say(reply, 200, "{\"status\":\"ok\",\"drop\":[");
		if (w->drop[0] != 0)
			json_put_text(&reply->body, w->drop);
		buf_append_text(&reply->body, "]}");
	} else if (ends(path, "/miners/poll")) {
		if (w->polled[0] == 0)
			return HTTP_WAIT;
		say(reply, 200, w->polled);
		w->polled[0] = 0;
	} else if (ends(path, "/complete")) {
		return take_report(w, request, reply, w->completion, &w->completions);
	} else if (ends(path, "/fail")) {
		return take_report(w, request, reply, w->failure, &w->failures);
	} else if (strncmp(path, "/v1/artifacts", 13) == 0 && request->method == HTTP_PUT) {
		take_upload(w, request, reply);
	} else if (strncmp(path, "/v1/artifacts/", 14) == 0) {
		artifact_path(w, file, path + 14);
		reply->body_fd = open(file, O_RDONLY);
		if (reply->body_fd < 0)
			say(reply, 404, "{\"error\":{\"message\":\"no such artifact\"}}");
		else
			reply->status = 200, reply->content_type = "application/octet-stream";
	} else {
		say(reply, 200, "{\"status\":\"ok\"}");
	}
	return HTTP_DONE;
}

/* ---- opening ---- */

static struct account_address person(struct account_secret *secret, uint8_t number)
{
	struct account_key key;
	memset(secret->b, number, sizeof secret->b);
	CHECK(account_key_of(&key, secret));
	return account_address_of(&key);
}

static bool write_genesis(struct world *w, char fault[256])
{
	static struct genesis g;
	struct genesis_coordinator coordinator = {
		.owner = w->coordinator, .share_ppm = 50000, .accepts_new = true};
	const struct account_address *people[] = {&w->client, &w->coordinator, &w->miner};
	if (!live_genesis_read(&g, &w->node, fault))
		return false;
	g.params.cancel_grace_ms = 100; /* nobody waits here without need */
	bool ok = genesis_add_coordinator(&g, &coordinator) == STATUS_OK;
	for (size_t i = 0; i < 3 && ok; i++)
		ok = genesis_add_account(&g, people[i], amount_of(COINS)) == STATUS_OK;
	ok = ok && live_genesis_write(&w->node, &g, fault);
	genesis_fini(&g);
	return ok;
}

static void make_folder(const struct world *w, const char *name)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", w->folder, name);
	CHECK(mkdir(path, 0700) == 0);
}

static struct sender *make_sender(struct world *w, const struct account_secret *secret)
{
	struct sender *sender;
	struct sender_config config = {.rpc = w->rpc, .loop = w->loop, .secret = secret};
	CHECK(sender_new(&sender, &config) == STATUS_OK);
	return sender;
}

static bool save_key(const struct world *w, const char *name, const struct account_secret *secret,
	char fault[256])
{
	char path[512];
	snprintf(path, sizeof path, "%s/keys/%s.json", w->folder, name);
	return keystore_save_plain(path, secret, CHAIN_ID, fault) == STATUS_OK;
}

static bool open_ports(struct world *w, char fault[256])
{
	static char uploads[512];
	char url[64];
	snprintf(uploads, sizeof uploads, "%s/uploads", w->folder);
	struct http_shell_config shell = {.listen_address = "127.0.0.1",
		.upload_prefix = "/v1/artifacts",
		.upload_dir = uploads,
		.upload_bytes_max = 1 << 20,
		.too_large_status = 413,
		.handler = handle,
		.self = w};
	snprintf(url, sizeof url, "http://127.0.0.1:%u", w->node.rpc_port);
	w->loop = event_base_new();
	CHECK(http_client_new(&w->http, w->loop) == STATUS_OK);
	CHECK(rpc_client_new(&w->rpc, w->http, url) == STATUS_OK);
	w->client_sender = make_sender(w, &w->client_secret);
	w->coordinator_sender = make_sender(w, &w->coordinator_secret);
	return http_shell_start(&w->shell, w->loop, &shell, fault) == STATUS_OK;
}

static void on_learnt(void *ctx, bool ok, const char *fault)
{
	int *learnt = ctx;
	(void)fault;
	*learnt = ok ? 1 : -1;
}

bool world_open(struct world *w, const char *node_program, const char *miner_program,
	const char *child_program, const char *folder, char fault[256])
{
	uint8_t seed[32] = {7};
	struct account_secret poor;
	int learnt = 0;
	*w = (struct world){0};
	CHECK(keys_start(seed));
	snprintf(w->folder, sizeof w->folder, "%s/miner-world-XXXXXX", folder);
	snprintf(w->miner_program, sizeof w->miner_program, "%s", miner_program);
	snprintf(w->child_program, sizeof w->child_program, "%s", child_program);
	CHECK(mkdtemp(w->folder) != NULL);
	make_folder(w, "artifacts"), make_folder(w, "uploads"), make_folder(w, "keys");
	w->client = person(&w->client_secret, 11);
	w->coordinator = person(&w->coordinator_secret, 12);
	w->miner = person(&w->miner_secret, 13);
	CHECK(account_key_of(&w->miner_key, &w->miner_secret));
	if (!save_key(w, "miner", &w->miner_secret, fault))
		return false;
	(void)person(&poor, 14);
	CHECK(account_key_of(&w->poor_key, &poor));
	if (!save_key(w, "poor", &poor, fault))
		return false;
	if (!live_node_make(&w->node, node_program, w->folder, CHAIN_ID, fault))
		return false;
	w->node.extra[0] = "--coordinator.enabled";
	w->node.extra[1] = "false"; /* we are the coordinator */
	if (!write_genesis(w, fault) || !live_node_start(&w->node, fault) || !open_ports(w, fault))
		return false;
	sender_learn(w->client_sender, on_learnt, &learnt);
	WORLD_UNTIL(w, learnt != 0);
	return learnt == 1;
}

void world_close(struct world *w)
{
	char command[512];
	if (w->miner_pid > 0)
		(void)world_miner_end(w, SIGKILL);
	http_shell_stop(w->shell, 0);
	sender_free(w->client_sender);
	sender_free(w->coordinator_sender);
	rpc_client_free(w->rpc);
	http_client_free(w->http);
	event_base_free(w->loop);
	live_node_kill(&w->node, SIGTERM);
	live_node_remove(&w->node);
	snprintf(command, sizeof command, "rm -rf '%s'", w->folder);
	CHECK(system(command) == 0);
}

/* ---- the miner ---- */

static void write_config(struct world *w, const char *mode, const char *path)
{
	FILE *file = fopen(path, "w");
	CHECK(file != NULL);
	fprintf(file,
		"{\"coordinator\":\"http://127.0.0.1:%u\",\"rpc\":\"http://"
		"127.0.0.1:%u\",\"miner_id\":\"m\","
		"\"port\":%u,\"mode\":\"%s\",\"key_file\":\"keys/"
		"%s.json\",\"state_dir\":\"state\",\"services\":["
		"{\"service\":\"text/"
		"count\",\"argv\":[\"wc\",\"-w\",\"{input}\"],\"stdout_result\":true},"
		"{\"service\":\"text/"
		"copy\",\"argv\":[\"cp\",\"{input}\",\"{output}\"],\"outputs\":[{\"name\":\"copy."
		"txt\"}]},"
		"{\"service\":\"fail\",\"argv\":[\"%s\",\"complain\"],\"stdout_result\":true,"
		"\"limits\":{\"memory_bytes\":0}},"
		"{\"service\":\"echo\",\"argv\":[\"echo\",\"{word}\"],\"stdout_result\":true,"
		"\"params\":{\"word\":{\"word\":32,\"default\":\"done\"}}},"
		"{\"service\":\"hang\",\"argv\":[\"%s\",\"hang\"],\"stdout_result\":true,"
		"\"limits\":{\"memory_bytes\":0}}]}",
		http_shell_port(w->shell), w->node.rpc_port, w->miner_port, mode,
		w->key != NULL ? w->key : "miner", w->child_program, w->child_program);
	CHECK(fclose(file) == 0);
}

void world_miner_start(struct world *w, const char *mode)
{
	char config[512], log[512];
	if (w->miner_port == 0)
		w->miner_port = live_free_port();
	snprintf(config, sizeof config, "%s/miner.json", w->folder);
	snprintf(log, sizeof log, "%s/miner.log", w->folder);
	write_config(w, mode, config);
	unsigned before = w->registrations;
	w->miner_pid = fork();
	CHECK(w->miner_pid >= 0);
	if (w->miner_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		dup2(fd, 1), dup2(fd, 2);
		setenv("AITBC_MINER_KEY", "secret", 1);
		execl(w->miner_program, w->miner_program, "--config", config, (char *)NULL);
		_exit(127);
	}
	WORLD_UNTIL(w, w->registrations > before || waitpid(w->miner_pid, NULL, WNOHANG) != 0);
	CHECK(w->registrations > before);
}

int world_miner_end(struct world *w, int signal)
{
	int status = 0;
	pid_t ended = 0;
	CHECK(kill(w->miner_pid, signal) == 0);
	WORLD_UNTIL(w, (ended = waitpid(w->miner_pid, &status, WNOHANG)) != 0);
	CHECK(ended == w->miner_pid);
	w->miner_pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int world_files(const struct world *w, const char *folder)
{
	char path[512];
	int count = 0;
	snprintf(path, sizeof path, "%s/%s", w->folder, folder);
	DIR *directory = opendir(path);
	CHECK(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

void world_artifact(struct world *w, char hex[65], const char *text)
{
	char path[512];
	struct hash32 hash = sha256(bytes_of_text(text));
	hex_lower(hex, hash.b, 32);
	artifact_path(w, path, hex);
	FILE *file = fopen(path, "w");
	CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}
