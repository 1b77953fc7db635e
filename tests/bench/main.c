#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

double bench_now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double bench_thread_cpu_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct ground ground;
static pid_t echo;

void bench_die(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	if (ground.node > 0)
		kill(ground.node, SIGKILL);
	if (echo > 0)
		kill(echo, SIGKILL);
	exit(1);
}

struct options {
	bool json;
	double seconds, warmup;
	uint32_t accounts, connections;
	uint16_t base_port;
};

static const char usage[] =
	"bench - committed transactions per second of a real node, as a ratio to what the machine "
	"can verify\n"
	"  --seconds N      measured time (15)      --warmup N       before it (3)\n"
	"  --accounts N     funded accounts (10000) --connections N  one request under way each "
	"(128)\n"
	"  --base-port P    ports of the node (36656)\n"
	"  --json           one object with committed_tx_per_s and ratio\n";

static void read_options(struct options *o, int argc, char **argv)
{
	*o = (struct options){false, 15, 3, 10000, 128, 36656};
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";
		if (strcmp(argv[i], "--json") == 0) {
			o->json = true;
			continue;
		}
		if (strcmp(argv[i], "--help") == 0) {
			fputs(usage, stdout);
			exit(0);
		}
		if (strcmp(argv[i], "--seconds") == 0)
			o->seconds = atof(value);
		else if (strcmp(argv[i], "--warmup") == 0)
			o->warmup = atof(value);
		else if (strcmp(argv[i], "--accounts") == 0)
			o->accounts = (uint32_t)atoi(value);
		else if (strcmp(argv[i], "--connections") == 0)
			o->connections = (uint32_t)atoi(value);
		else if (strcmp(argv[i], "--base-port") == 0)
			o->base_port = (uint16_t)atoi(value);
		else
			bench_die("unknown option %s\n%s", argv[i], usage);
		i++;
	}
	if (o->seconds <= 0 || o->accounts < 2 || o->connections < 1)
		bench_die("an option is out of range\n%s", usage);
}

struct figures {
	double verify_before, verify_after, echo_per_s, synced_puts;
	struct load_result load;
	struct ground_blocks blocks;
	double committed_per_s, ratio, node_cpu_us_per_tx, rss_peak_mb, ready_s;
	size_t tx_bytes;
};

static double measure_echo(const struct options *o)
{
	struct requests one;
	uint32_t size;
	const char *request = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 52\r\n\r\n"
			      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":{}";
	buf_init(&one.bytes, 0);
	buf_append_text(&one.bytes, request);
	size = (uint32_t)one.bytes.len;
	one.sizes = &size;
	one.count = 1;
	uint16_t port;
	echo = bounds_echo_start(&port);
	struct load_plan plan = {
		.port = port,
		.connections = o->connections,
		.requests = &one,
		.repeat = true,
		.warmup_s = 0.5,
		.seconds = 2,
		.good = "200 OK",
	};
	struct load_result result;
	load_run(&result, &plan);
	kill(echo, SIGKILL);
	waitpid(echo, NULL, 0);
	echo = 0;
	buf_fini(&one.bytes);
	return (double)result.counted / result.measured_s;
}

static void measure_chain(const struct options *o, const char *program_dir, struct figures *f)
{
	double from = bench_now_s();
	ground_start(&ground, program_dir, o->accounts, o->base_port);
	f->ready_s = bench_now_s() - from;
	/* Enough for half of what the signatures alone would allow. */
	size_t count = (size_t)(f->verify_before * (o->seconds + o->warmup));
	struct requests requests;
	ground_sign(&ground, &requests, count, &f->tx_bytes);
	struct load_plan plan = {
		.port = ground.rpc_port,
		.connections = o->connections,
		.requests = &requests,
		.warmup_s = o->warmup,
		.seconds = o->seconds,
		.good = "\"code\":0",
	};
	double cpu_before, cpu_after;
	ground_usage(&ground, &cpu_before, &f->rss_peak_mb);
	load_run(&f->load, &plan);
	ground_usage(&ground, &cpu_after, &f->rss_peak_mb);
	usleep(500000); /* the last block of the measured time may still be on its way */
	double until = f->load.began_wall_s + f->load.measured_s;
	ground_count(&ground, &f->blocks, f->load.began_wall_s, until);
	f->committed_per_s = (double)f->blocks.txs / f->load.measured_s;
	f->node_cpu_us_per_tx =
		(cpu_after - cpu_before) * 1e6 / (double)(f->load.good ? f->load.good : 1);
	ground_stop(&ground);
	buf_fini(&requests.bytes);
	free(requests.sizes);
}

static void print_text(const struct options *o, const struct figures *f)
{
	struct utsname machine;
	uname(&machine);
	printf("machine            %ld cores, %s %s\n", sysconf(_SC_NPROCESSORS_ONLN),
		machine.sysname, machine.release);
	printf("load               %u accounts, %zu-byte transfers, %u connections, %.0f s after "
	       "%.0f s\n",
		o->accounts, f->tx_bytes, o->connections, o->seconds, o->warmup);
	printf("bare verify        %.0f /s a core before, %.0f after\n", f->verify_before,
		f->verify_after);
	printf("bare HTTP echo     %.0f /s\n", f->echo_per_s);
	printf("bare synced puts   %.0f /s\n", f->synced_puts);
	printf("committed          %.0f tx/s in %llu blocks (%.0f tx each, largest %llu)\n",
		f->committed_per_s, (unsigned long long)f->blocks.blocks,
		(double)f->blocks.txs / (double)(f->blocks.blocks ? f->blocks.blocks : 1),
		(unsigned long long)f->blocks.largest);
	printf("ratio              %.3f of 2 x bare verify\n", f->ratio);
	printf("answers            %llu good, %llu bad, p50 %.2f ms, p99 %.2f ms%s\n",
		(unsigned long long)f->load.good, (unsigned long long)f->load.bad, f->load.p50_ms,
		f->load.p99_ms, f->load.ran_dry ? " (the requests ran out before the time)" : "");
	if (f->load.bad > 0)
		printf("first bad answer   %s\n", f->load.first_bad);
	printf("generator          %.1f us CPU a request\n", f->load.cpu_us_per_request);
	printf("node               %.1f us CPU a transaction, %.0f MB resident at most\n",
		f->node_cpu_us_per_tx, f->rss_peak_mb);
}

static void print_json(const struct options *o, const struct figures *f)
{
	printf("{\"committed_tx_per_s\":%.1f,\"ratio\":%.4f,\"verify_per_core_before\":%.0f,"
	       "\"verify_per_core_after\":%.0f,\"http_echo_per_s\":%.0f,\"synced_puts_per_s\":%.0f,"
	       "\"accounts\":%u,\"connections\":%u,\"tx_bytes\":%zu,\"seconds\":%.1f,\"blocks\":%"
	       "llu,"
	       "\"good\":%llu,\"bad\":%llu,\"ran_dry\":%s,\"p50_ms\":%.2f,\"p99_ms\":%.2f,"
	       "\"generator_us_per_request\":%.2f,\"node_us_per_tx\":%.2f,\"rss_peak_mb\":%.1f}\n",
		f->committed_per_s, f->ratio, f->verify_before, f->verify_after, f->echo_per_s,
		f->synced_puts, o->accounts, o->connections, f->tx_bytes, f->load.measured_s,
		(unsigned long long)f->blocks.blocks, (unsigned long long)f->load.good,
		(unsigned long long)f->load.bad, f->load.ran_dry ? "true" : "false", f->load.p50_ms,
		f->load.p99_ms, f->load.cpu_us_per_request, f->node_cpu_us_per_tx, f->rss_peak_mb);
}

int main(int argc, char **argv)
{
	struct options options;
	struct figures figures;
	memset(&figures, 0, sizeof figures);
	read_options(&options, argc, argv);
	uint8_t seed[32] = {1};
	if (!keys_start(seed))
		bench_die("no signature library");
	char program_dir[256];
	ssize_t len = readlink("/proc/self/exe", program_dir, sizeof program_dir - 1);
	program_dir[len > 0 ? len : 0] = 0;
	char *slash = strrchr(program_dir, '/');
	if (slash)
		*slash = 0;
	char dir[] = "/tmp/aitbc-bench-XXXXXX";
	if (!mkdtemp(dir))
		bench_die("no temporary folder");
	snprintf(ground.home, sizeof ground.home, "%s", dir);
	figures.synced_puts = bounds_synced_puts(dir);
	figures.echo_per_s = measure_echo(&options);
	figures.verify_before = bounds_verify_per_core();
	measure_chain(&options, program_dir, &figures);
	figures.verify_after = bounds_verify_per_core();
	figures.ratio = figures.committed_per_s / (figures.verify_before + figures.verify_after);
	if (options.json)
		print_json(&options, &figures);
	else
		print_text(&options, &figures);
	return figures.load.bad == 0 ? 0 : 1;
}
