#define _GNU_SOURCE
#include "tests/bench/bare.h"

#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/endian.h"
#include "base/keys.h"
#include "chain/store_rocks.h"
#include "http/shell.h"
#include "tests/bench/load.h"

enum { VERIFY_MS = 700, VERIFY_SAMPLES = 64, ECHO_MS = 1500, BATCHES = 200, BATCH_ROWS = 1000 };

unsigned bare_cores(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	return cores < 1 ? 1 : (unsigned)cores;
}

struct sample {
	struct account_key key;
	struct hash32 digest;
	struct account_signature signature;
};

static struct sample samples[VERIFY_SAMPLES];

static void make_samples(void)
{
	for (uint32_t i = 0; i < VERIFY_SAMPLES; i++) {
		struct account_secret secret;
		uint8_t seed[4];
		put_u32be(seed, i);
		struct hash32 hash = sha256(bytes_view(seed, sizeof seed));
		memcpy(secret.b, hash.b, sizeof secret.b);
		CHECK(account_key_of(&samples[i].key, &secret));
		samples[i].digest = hash;
		account_sign(&samples[i].signature, &secret, &hash);
	}
}

struct tally {
	_Alignas(64) uint64_t count; /* a cache line each */
	uint64_t cpu_ns;
};

static void *verify_for_a_while(void *ctx)
{
	struct tally *tally = ctx;
	struct timespec spent;
	uint64_t end = bench_now_ms() + VERIFY_MS;
	while (bench_now_ms() < end)
		for (size_t i = 0; i < VERIFY_SAMPLES; i++, tally->count++) {
			const struct sample *s = &samples[i];
			CHECK(account_verify(&s->key, &s->digest, &s->signature));
		}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
	tally->cpu_ns = (uint64_t)spent.tv_sec * 1000000000 + (uint64_t)spent.tv_nsec;
	return NULL;
}

double bare_verify_per_core(double *cpu_us)
{
	unsigned cores = bare_cores();
	pthread_t threads[64];
	struct tally tallies[64] = {0};
	struct tally total = {0, 0};
	if (cores > 64)
		cores = 64;
	make_samples();
	uint64_t began = bench_now_ms();
	for (unsigned i = 0; i < cores; i++)
		CHECK(pthread_create(&threads[i], NULL, verify_for_a_while, &tallies[i]) == 0);
	for (unsigned i = 0; i < cores; i++) {
		CHECK(pthread_join(threads[i], NULL) == 0);
		total.count += tallies[i].count;
		total.cpu_ns += tallies[i].cpu_ns;
	}
	*cpu_us = (double)total.cpu_ns / 1000 / (double)total.count;
	return (double)total.count * 1000 / (double)(bench_now_ms() - began) / cores;
}

/* ---- HTTP ---- */

static const char echo_body[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"code\":0}}";

static enum http_answer echo(void *self, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply)
{
	(void)self, (void)request, (void)ticket;
	reply->status = 200;
	reply->content_type = "application/json";
	buf_append(&reply->body, echo_body, sizeof echo_body - 1);
	return HTTP_DONE;
}

/* The server's process: tells its port through the pipe, then serves until it is killed. */
_Noreturn static void serve_echo(int port_fd)
{
	struct http_shell *shell;
	struct http_shell_config config = {.listen_address = "127.0.0.1", .handler = echo};
	struct event_base *loop = event_base_new();
	char fault[256];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (loop == NULL || http_shell_start(&shell, loop, &config, fault) != STATUS_OK)
		_exit(1);
	uint16_t port = http_shell_port(shell);
	if (write(port_fd, &port, sizeof port) != sizeof port)
		_exit(1);
	event_base_dispatch(loop);
	_exit(0);
}

static bool next_echo(void *self, size_t server, struct buf *request, uint64_t *name)
{
	static const char text[] = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
				   "application/json\r\nContent-Length: 300\r\n\r\n";
	uint8_t body[300];
	(void)self, (void)server;
	memset(body, 'x', sizeof body);
	buf_append(request, text, sizeof text - 1);
	buf_append(request, body, sizeof body);
	*name = 0;
	return true;
}

static uint32_t answered_echo(
	void *self, size_t server, uint64_t name, uint16_t http_status, struct bytes body)
{
	(void)self, (void)server, (void)name, (void)body;
	CHECK(http_status == 200);
	return 0;
}

enum status bare_http_echo(double *per_s, double *generator_us, char fault[256])
{
	int pipe_fds[2];
	uint16_t port = 0;
	snprintf(fault, 256, "the echo server didn't start");
	if (pipe(pipe_fds) != 0)
		return STATUS_IO;
	pid_t server = fork();
	if (server == 0)
		serve_echo(pipe_fds[1]);
	close(pipe_fds[1]);
	bool started = server > 0 && read(pipe_fds[0], &port, sizeof port) == sizeof port;
	close(pipe_fds[0]);
	enum status status = STATUS_IO;
	if (started) {
		const struct load_source source = {NULL, next_echo, answered_echo};
		const struct load_plan plan = {&port, 1, 64, ECHO_MS / 5, ECHO_MS, NULL, NULL};
		struct load_result result;
		status = load_run(&result, &plan, &source, fault);
		*per_s = (double)result.answered * 1000 / (double)(result.window_ms + 1);
		*generator_us = result.cpu_us;
	}
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	return status;
}

/* ---- store ---- */

static void fill_batch(struct store_batch *batch, uint64_t number)
{
	uint8_t value[250];
	memset(value, (int)number, sizeof value);
	store_batch_clear(batch);
	for (uint64_t row = 0; row < BATCH_ROWS; row++) {
		uint8_t key[32];
		uint8_t seed[16];
		put_u64be(seed, number);
		put_u64be(seed + 8, row);
		struct hash32 hash = sha256(bytes_view(seed, sizeof seed));
		memcpy(key, hash.b, sizeof key);
		store_batch_put(batch, STORE_TXS, bytes_view(key, sizeof key),
			bytes_view(value, sizeof value));
	}
}

enum status bare_store_batch(double *batch_ms, const char *dir, char fault[256])
{
	struct store store;
	struct store_batch batch;
	enum status status = store_rocks_open(&store, dir, fault);
	if (status != STATUS_OK)
		return status;
	store_batch_init(&batch);
	uint64_t spent = 0;
	for (uint64_t i = 0; i < BATCHES && status == STATUS_OK; i++) {
		fill_batch(&batch, i);
		uint64_t began = bench_now_ms();
		status = store_write(&store, &batch, true);
		spent += bench_now_ms() - began;
	}
	store_batch_fini(&batch);
	store_close(&store);
	*batch_ms = (double)spent / BATCHES;
	if (status != STATUS_OK)
		snprintf(fault, 256, "writing: %s", status_text(status));
	return status;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	(void)info, (void)kind, (void)at;
	return remove(path);
}

void bare_store_remove(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
