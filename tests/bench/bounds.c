#include <arpa/inet.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "chain/store_rocks.h"
#include "http/shell.h"

enum { VERIFY_ROUNDS = 25000, BATCHES = 30, BATCH_PUTS = 1000, PUT_BYTES = 250 };

static void *verify_rounds(void *arg)
{
	double *per_s = arg;
	struct account_secret secret;
	struct account_key key;
	struct account_signature signature;
	memset(&secret, 7, sizeof secret);
	if (!account_key_of(&key, &secret))
		bench_die("no key");
	struct hash32 digest = sha256(bytes_view("bench", 5));
	account_sign(&signature, &secret, &digest);
	double from = bench_now_s();
	unsigned good = 0;
	for (int i = 0; i < VERIFY_ROUNDS; i++)
		good += account_verify(&key, &digest, &signature);
	if (good != VERIFY_ROUNDS)
		bench_die("a good signature was refused");
	*per_s = VERIFY_ROUNDS / (bench_now_s() - from);
	return NULL;
}

double bounds_verify_per_core(void)
{
	enum { CORES = 2 };
	pthread_t threads[CORES];
	double per_s[CORES];
	for (int i = 0; i < CORES; i++) {
		if (pthread_create(&threads[i], NULL, verify_rounds, &per_s[i]) != 0)
			bench_die("no thread");
	}
	double sum = 0;
	for (int i = 0; i < CORES; i++) {
		pthread_join(threads[i], NULL);
		sum += per_s[i];
	}
	return sum / CORES;
}

double bounds_synced_puts(const char *dir)
{
	char path[512], fault[256], value[PUT_BYTES];
	snprintf(path, sizeof path, "%s/puts", dir);
	struct store store;
	if (store_rocks_open(&store, path, fault) != STATUS_OK)
		bench_die("%s", fault);
	memset(value, 'v', sizeof value);
	double from = bench_now_s();
	for (unsigned b = 0; b < BATCHES; b++) {
		struct store_batch batch;
		store_batch_init(&batch);
		for (unsigned i = 0; i < BATCH_PUTS; i++) {
			unsigned number[2] = {b, i};
			struct hash32 key = sha256(bytes_view(number, sizeof number));
			store_batch_put(&batch, STORE_STATE, hash_view(&key),
				bytes_view(value, sizeof value));
		}
		if (store_write(&store, &batch, true) != STATUS_OK)
			bench_die("a synced batch failed");
		store_batch_fini(&batch);
	}
	double puts = BATCHES * BATCH_PUTS / (bench_now_s() - from);
	store_close(&store);
	return puts;
}

/* ---- echo ---- */

static enum http_answer answer_constant(void *self, const struct http_request *request,
	struct http_ticket ticket, struct http_reply *reply)
{
	reply->status = 200;
	reply->content_type = "application/json";
	buf_append_text(&reply->body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"code\":0}}");
	return HTTP_DONE;
}

pid_t bounds_echo_start(uint16_t *port)
{
	int told[2];
	if (pipe(told) != 0)
		bench_die("no pipe");
	pid_t child = fork();
	if (child < 0)
		bench_die("no fork");
	if (child == 0) {
		char fault[256];
		struct http_shell *shell;
		struct event_base *loop = event_base_new();
		struct http_shell_config config = {
			.listen_address = "127.0.0.1",
			.too_large_status = 413,
			.handler = answer_constant,
		};
		if (!loop || http_shell_start(&shell, loop, &config, fault) != STATUS_OK)
			_exit(1);
		uint16_t mine = http_shell_port(shell);
		if (write(told[1], &mine, sizeof mine) != (ssize_t)sizeof mine)
			_exit(1);
		event_base_dispatch(loop);
		_exit(0);
	}
	close(told[1]);
	if (read(told[0], port, sizeof *port) != (ssize_t)sizeof *port)
		bench_die("the echo server did not start");
	close(told[0]);
	return child;
}
