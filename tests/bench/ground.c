#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "bench.h"
#include "chain/tx.h"
#include "wallet/sender.h"

enum { ACCOUNT_AITBC = 1000, SIGNERS = 2, READY_S = 10 };

/* ---- talking to the node, one question at a time ---- */

/* The whole answer to one POST, appended; false while nobody listens. */
static bool ask(uint16_t port, const char *body, struct buf *answer)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		close(fd);
		return false;
	}
	char request[1024];
	int len = snprintf(request, sizeof request,
		"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: "
		"%zu\r\n\r\n%s",
		strlen(body), body);
	bool sent = send(fd, request, (size_t)len, MSG_NOSIGNAL) == len;
	char chunk[16384];
	ssize_t got;
	while (sent && (got = recv(fd, chunk, sizeof chunk, 0)) > 0)
		buf_append(answer, chunk, (size_t)got);
	close(fd);
	return sent && answer->len > 0;
}

/* The member "result" of a call; the caller decrefs. */
static json_t *call(uint16_t port, const char *body)
{
	struct buf answer;
	buf_init(&answer, 0);
	json_t *result = NULL;
	if (ask(port, body, &answer)) {
		const char *start = memmem(answer.data, answer.len, "\r\n\r\n", 4);
		struct json_fault fault;
		size_t skip = start ? (size_t)(start + 4 - (char *)answer.data) : answer.len;
		json_t *root = json_read(bytes_view(answer.data + skip, answer.len - skip), &fault);
		result = json_incref(json_object_get(root, "result"));
		json_decref(root);
	}
	buf_fini(&answer);
	return result;
}

/* ---- the home ---- */

static void run_program(char *const argv[])
{
	pid_t child = fork();
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, 1);
		execv(argv[0], argv);
		_exit(127);
	}
	int status = 0;
	waitpid(child, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		bench_die("%s failed", argv[0]);
}

static void read_file(struct buf *out, const char *path)
{
	FILE *file = fopen(path, "re");
	if (!file)
		bench_die("can't read %s", path);
	char chunk[65536];
	size_t got;
	while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
		buf_append(out, chunk, got);
	fclose(file);
}

static void add_accounts(struct ground *g, struct genesis *genesis)
{
	g->secrets = calloc(g->accounts, sizeof *g->secrets);
	g->keys = calloc(g->accounts, sizeof *g->keys);
	if (!g->secrets || !g->keys)
		bench_die("no memory for accounts");
	for (uint32_t i = 0; i < g->accounts; i++) {
		struct hash32 secret = sha256(bytes_view(&i, sizeof i));
		memcpy(g->secrets[i].b, secret.b, sizeof secret.b);
		if (!account_key_of(&g->keys[i], &g->secrets[i]))
			bench_die("no key");
		struct account_address address = account_address_of(&g->keys[i]);
		if (genesis_add_account(genesis, &address,
			    amount_of((uint64_t)ACCOUNT_AITBC * 1000000)) != STATUS_OK)
			bench_die("too many accounts");
	}
}

static void fund(struct ground *g)
{
	char path[512];
	struct buf text;
	struct genesis_fault fault;
	struct genesis *genesis = malloc(sizeof *genesis);
	snprintf(path, sizeof path, "%s/genesis.json", g->home);
	buf_init(&text, 0);
	read_file(&text, path);
	if (!genesis ||
		genesis_parse(genesis, buf_view(&text), GENESIS_APP_SETTLE, &fault) != STATUS_OK)
		bench_die("genesis: %s", fault.text);
	add_accounts(g, genesis);
	if (genesis_seal(genesis, &fault) != STATUS_OK)
		bench_die("genesis: %s", fault.text);
	g->chain_tag = genesis->chain_tag;
	g->base_fee = genesis->params.base_fee;
	g->fee_per_byte = genesis->params.fee_per_byte;
	buf_clear(&text);
	genesis_write(&text, genesis);
	FILE *file = fopen(path, "we");
	if (!file || fwrite(text.data, 1, text.len, file) != text.len || fclose(file) != 0)
		bench_die("can't write %s", path);
	buf_fini(&text);
	genesis_fini(genesis);
	free(genesis);
}

void ground_start(struct ground *g, const char *program_dir, uint32_t accounts, uint16_t base_port)
{
	char program[512], port[16];
	g->accounts = accounts;
	g->rpc_port = (uint16_t)(base_port + 1);
	snprintf(program, sizeof program, "%s/aitbcd", program_dir);
	snprintf(port, sizeof port, "%u", base_port);
	run_program((char *[]){program, "init", "--home", g->home, "--base-port", port, NULL});
	fund(g);
	g->node = fork();
	if (g->node == 0) {
		char log[512];
		snprintf(log, sizeof log, "%s/node.log", g->home);
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		dup2(fd, 2);
		execl(program, program, "start", "--home", g->home, "--coordinator.enabled",
			"false", "--log_level", "unusual", (char *)NULL);
		_exit(127);
	}
	double until = bench_now_s() + READY_S;
	json_t *result = NULL;
	while (!result && bench_now_s() < until) {
		result = call(g->rpc_port, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"health\"}");
		if (!result)
			usleep(10000);
	}
	if (!result)
		bench_die("the node did not answer in %d s; see %s/node.log", READY_S, g->home);
	json_decref(result);
}

/* ---- signing ---- */

struct signer {
	const struct ground *g;
	struct requests part; /* requests from .. to - 1 */
	size_t from, to;
	size_t tx_bytes;
};

static void sign_one(struct signer *s, size_t number, struct buf *tx, struct buf *body)
{
	const struct ground *g = s->g;
	uint32_t account = (uint32_t)(number % g->accounts);
	uint32_t other =
		(account + 1 + (uint32_t)(number / g->accounts) * 7919u % (g->accounts - 1)) %
		g->accounts;
	struct account_address to = account_address_of(&g->keys[other]);
	Pb__Transfer transfer = PB__TRANSFER__INIT;
	transfer.to.data = to.b;
	transfer.to.len = sizeof to.b;
	transfer.amount = 1000 + number % 1000;
	Pb__Action action = PB__ACTION__INIT;
	action.act_case = PB__ACTION__ACT_TRANSFER;
	action.transfer = &transfer;
	Pb__Action *actions[1] = {&action};
	Pb__TxBody tx_body = PB__TX_BODY__INIT;
	tx_body.chain_hint = chain_hint_of(&g->chain_tag); /* the fee pays for its bytes too */
	tx_body.sequence = number / g->accounts;
	tx_body.n_actions = 1;
	tx_body.actions = actions;
	if (!sender_fee(&tx_body, g->base_fee, g->fee_per_byte))
		bench_die("the fee does not fit");
	buf_clear(tx);
	tx_sign(tx, &tx_body, &g->secrets[account], &g->keys[account], &g->chain_tag);
	s->tx_bytes = tx->len;
	buf_clear(body);
	buf_append_text(body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"broadcast_tx_sync\","
			      "\"params\":{\"tx\":\"");
	buf_append_base64(body, tx->data, tx->len);
	buf_append_text(body, "\"}}");
	size_t before = s->part.bytes.len;
	buf_appendf(&s->part.bytes,
		"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n",
		body->len);
	buf_append_view(&s->part.bytes, buf_view(body));
	s->part.sizes[number - s->from] = (uint32_t)(s->part.bytes.len - before);
}

static void *sign_part(void *arg)
{
	struct signer *s = arg;
	struct buf tx, body;
	buf_init(&tx, 0);
	buf_init(&body, 0);
	buf_init(&s->part.bytes, SIZE_MAX / 2);
	s->part.sizes = calloc(s->to - s->from + 1, sizeof *s->part.sizes);
	for (size_t i = s->from; i < s->to; i++)
		sign_one(s, i, &tx, &body);
	if (!buf_ok(&s->part.bytes))
		bench_die("no memory for the requests");
	buf_fini(&tx);
	buf_fini(&body);
	return NULL;
}

void ground_sign(const struct ground *g, struct requests *out, size_t count, size_t *tx_bytes)
{
	struct signer signers[SIGNERS];
	pthread_t threads[SIGNERS];
	memset(signers, 0, sizeof signers);
	for (size_t i = 0; i < SIGNERS; i++) {
		signers[i].g = g;
		signers[i].from = count * i / SIGNERS;
		signers[i].to = count * (i + 1) / SIGNERS;
		if (pthread_create(&threads[i], NULL, sign_part, &signers[i]) != 0)
			bench_die("no thread");
	}
	buf_init(&out->bytes, SIZE_MAX / 2);
	out->sizes = calloc(count + 1, sizeof *out->sizes);
	out->count = count;
	for (size_t i = 0; i < SIGNERS; i++) {
		pthread_join(threads[i], NULL);
		memcpy(out->sizes + signers[i].from, signers[i].part.sizes,
			(signers[i].to - signers[i].from) * sizeof *out->sizes);
		buf_append_view(&out->bytes, buf_view(&signers[i].part.bytes));
		buf_fini(&signers[i].part.bytes);
		free(signers[i].part.sizes);
	}
	if (!buf_ok(&out->bytes))
		bench_die("no memory for the requests");
	*tx_bytes = signers[0].tx_bytes;
}

/* ---- counting ---- */

static double time_of(const json_t *meta)
{
	const char *text =
		json_string_value(json_object_get(json_object_get(meta, "header"), "time"));
	struct timestamp time;
	if (!text || !rfc3339_parse(&time, text, strlen(text)))
		bench_die("a block without a time");
	return (double)time.seconds + time.nanos / 1e9;
}

static uint64_t number_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? strtoull(text, NULL, 10) : 0;
}

void ground_count(const struct ground *g, struct ground_blocks *out, double from_s, double to_s)
{
	memset(out, 0, sizeof *out);
	json_t *status = call(g->rpc_port, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}");
	uint64_t height = number_of(json_object_get(status, "sync_info"), "latest_block_height");
	json_decref(status);
	while (height > 0) {
		char body[256];
		uint64_t least = height > 19 ? height - 19 : 1;
		snprintf(body, sizeof body,
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"blockchain\",\"params\":"
			"{\"minHeight\":\"%llu\",\"maxHeight\":\"%llu\"}}",
			(unsigned long long)least, (unsigned long long)height);
		json_t *result = call(g->rpc_port, body);
		const json_t *metas = json_object_get(result, "block_metas");
		if (json_array_size(metas) == 0)
			bench_die("the node does not show its blocks");
		size_t i;
		const json_t *meta;
		double oldest = to_s;
		json_array_foreach(metas, i, meta)
		{
			double time = time_of(meta);
			uint64_t txs = number_of(meta, "num_txs");
			oldest = time;
			if (time < from_s || time >= to_s)
				continue;
			out->blocks++;
			out->txs += txs;
			out->bytes += number_of(meta, "block_size");
			out->largest = txs > out->largest ? txs : out->largest;
		}
		json_decref(result);
		if (oldest < from_s)
			return;
		height = least - 1;
	}
}

void ground_usage(const struct ground *g, double *cpu_s, double *rss_peak_mb)
{
	char path[64], line[256];
	*cpu_s = *rss_peak_mb = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", g->node);
	FILE *file = fopen(path, "re");
	unsigned long user = 0, system = 0;
	if (file && fscanf(file, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			    &user, &system) == 2)
		*cpu_s = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	if (file)
		fclose(file);
	snprintf(path, sizeof path, "/proc/%d/status", g->node);
	file = fopen(path, "re");
	unsigned long kilobytes;
	while (file && fgets(line, sizeof line, file)) {
		if (sscanf(line, "VmHWM: %lu kB", &kilobytes) == 1)
			*rss_peak_mb = (double)kilobytes / 1024.0;
	}
	if (file)
		fclose(file);
}

void ground_stop(struct ground *g)
{
	if (g->node > 0) {
		kill(g->node, SIGTERM);
		waitpid(g->node, NULL, 0);
	}
	run_program((char *[]){"/bin/rm", "-rf", g->home, NULL});
	free(g->secrets);
	free(g->keys);
}
