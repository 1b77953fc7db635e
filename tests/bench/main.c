/* build/bench: how many transfers a second one aitbcd commits on this machine, and four that agree
 * on each block, beside the bounds of the machine itself, measured in the same run. The figure to
 * watch is the ratio to 2 x bare signature checks; with n validators each transfer is checked n
 * times, so the bound is an n-th of it. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/keys.h"
#include "tests/bench/bare.h"
#include "tests/bench/load.h"
#include "tests/bench/settle.h"
#include "tests/live/net.h"

struct options {
	bool json;
	uint32_t seconds;
	uint32_t warm_seconds;
	uint32_t connections;
	uint32_t accounts;
	uint32_t txs;        /* 0: enough for the verify bound */
	uint32_t validators; /* 0: one, then four */
	char program[PATH_MAX];
	char dir[PATH_MAX];
};

enum { RUNS_MAX = 2 };

struct figures {
	double verify_before;
	double verify_after;
	double verify_before_us; /* CPU time of one */
	double verify_after_us;
	double echo_per_s;
	double echo_generator_us;
	double batch_ms;
	struct settle_run {
		uint32_t validators;
		struct settle_figures settle;
	} runs[RUNS_MAX];
	size_t run_count;
};

static int usage(FILE *to)
{
	fputs("usage: bench [--json] [--seconds 15] [--warm 3] [--connections 64] [--accounts "
	      "10000] [--txs N]\n"
	      "             [--validators N] [--program AITBCD] [--dir FOLDER]\n"
	      "Measures this machine's bounds, then one real aitbcd, then four of one chain (or N\n"
	      "only); progress goes to stderr. Exit code 1: a transfer was refused or lost.\n",
		to);
	return to == stdout ? 0 : 2;
}

/* The folder this program lies in, where aitbcd is too. */
static void own_folder(char out[PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - 1);
	out[len > 0 ? len : 0] = '\0';
	char *end = strrchr(out, '/');
	if (end != NULL)
		*end = '\0';
}

static bool read_options(struct options *o, int argc, char **argv)
{
	const struct {
		const char *name;
		uint32_t *number;
		char *text;
	} known[] = {{"--seconds", &o->seconds, NULL}, {"--warm", &o->warm_seconds, NULL},
		{"--connections", &o->connections, NULL}, {"--accounts", &o->accounts, NULL},
		{"--txs", &o->txs, NULL}, {"--validators", &o->validators, NULL},
		{"--program", NULL, o->program}, {"--dir", NULL, o->dir}};
	for (int i = 1; i < argc; i++) {
		size_t k = 0;
		if (strcmp(argv[i], "--json") == 0) {
			o->json = true;
			continue;
		}
		while (k < sizeof known / sizeof known[0] && strcmp(argv[i], known[k].name) != 0)
			k++;
		if (k == sizeof known / sizeof known[0] || ++i == argc)
			return false;
		if (known[k].text != NULL)
			snprintf(known[k].text, PATH_MAX, "%s", argv[i]);
		else
			*known[k].number = (uint32_t)strtoul(argv[i], NULL, 10);
	}
	uint32_t most = o->validators > 4 ? o->validators : 4;
	return o->seconds > 0 && o->accounts > 0 && o->accounts % most == 0 &&
	       o->connections >= most && o->connections <= 800 && most <= LIVE_NODES_MAX;
}

static bool measure_bounds(struct figures *f, const char *dir, char fault[256])
{
	char store[PATH_MAX];
	snprintf(store, sizeof store, "%.4000s/bench-store-XXXXXX", dir);
	fprintf(stderr, "bare signature checks, HTTP echo, synced batch ...\n");
	f->verify_before = bare_verify_per_core(&f->verify_before_us);
	if (bare_http_echo(&f->echo_per_s, &f->echo_generator_us, fault) != STATUS_OK)
		return false;
	if (mkdtemp(store) == NULL) {
		snprintf(fault, 256, "%.200s can't be made", store);
		return false;
	}
	bool ok = bare_store_batch(&f->batch_ms, store, fault) == STATUS_OK;
	bare_store_remove(store);
	return ok;
}

/* Committed against what the signature checks alone would let through. */
static double ratio_of(const struct figures *f, const struct settle_run *run)
{
	double per_core = (f->verify_before + f->verify_after) / 2;
	double bound = per_core * 2 / run->validators;
	return bound > 0 ? run->settle.committed_per_s / bound : 0;
}

/* What the ratio were on a machine that nobody else uses, if both cores never idled: the share of
 * the signature checks in all CPU time spent for a transfer. */
static double share_of(const struct figures *f, const struct settle_run *run)
{
	double spent_us = run->settle.nodes_us + run->settle.generator_us;
	double check_us = (f->verify_before_us + f->verify_after_us) / 2;
	return spent_us > 0 ? check_us * run->validators / spent_us : 0;
}

/* ---- what a claim about speed has to say of itself ---- */

struct surroundings {
	char processor[128];
	char commit[64];
	double load_before; /* of the machine, one minute's; ours is the only fair one */
};

static void first_line_of(char *out, size_t out_len, const char *command)
{
	FILE *from = popen(command, "r");
	out[0] = '\0';
	if (from == NULL || fgets(out, (int)out_len, from) == NULL)
		snprintf(out, out_len, "unknown");
	out[strcspn(out, "\n")] = '\0';
	if (from != NULL)
		pclose(from);
}

static void processor_name(char *out, size_t out_len)
{
	char line[256];
	FILE *file = fopen("/proc/cpuinfo", "r");
	snprintf(out, out_len, "unknown");
	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		const char *value = strchr(line, ':');
		if (strncmp(line, "model name", 10) != 0 || value == NULL)
			continue;
		snprintf(out, out_len, "%.100s", value + 2);
		out[strcspn(out, "\n\"\\")] = '\0';
		break;
	}
	if (file != NULL)
		fclose(file);
}

static struct surroundings look_around(void)
{
	struct surroundings s;
	processor_name(s.processor, sizeof s.processor);
	first_line_of(s.commit, sizeof s.commit,
		"git -C '" BENCH_SOURCE_DIR "' describe --always --dirty 2>/dev/null");
	if (getloadavg(&s.load_before, 1) != 1)
		s.load_before = -1;
	return s;
}

static void print_json_run(
	const struct figures *f, const struct settle_run *run, const struct options *o)
{
	const struct settle_figures *s = &run->settle;
	printf("{\"committed_tx_per_s\":%.1f,\"ratio\":%.4f,\"cpu_share\":%.4f,"
	       "\"validators\":%u,\"tx_bytes\":%zu,"
	       "\"window_s\":%.3f,\"blocks\":%" PRIu64 ",\"later_rounds\":%" PRIu64
	       ",\"committed\":%" PRIu64 ",\"lost\":%" PRId64 ",\"refused\":%" PRIu64
	       ",\"held_back\":%" PRIu64
	       ",\"answered_per_s\":%.1f,\"answer_p50_ms\":%.2f,\"answer_p99_ms\":%.2f,"
	       "\"commit_p50_ms\":%.2f,\"commit_p99_ms\":%.2f,\"commit_us\":%.1f,"
	       "\"nodes_us_per_tx\":%.2f,\"generator_us_per_request\":%.2f,"
	       "\"link_bytes_per_tx\":%.1f,\"link_bytes_per_tx_max\":%.1f,\"accounts\":%u,"
	       "\"connections\":%u,\"ready_ms\":%" PRIu64 ",\"rss_mb\":%.1f,\"rss_peak_mb\":%.1f}",
		s->committed_per_s, ratio_of(f, run), share_of(f, run), run->validators,
		s->tx_bytes, s->window_s, s->blocks, s->later_rounds, s->committed, s->lost,
		s->refused, s->held_back, s->admitted_per_s, s->answer_p50_ms, s->answer_p99_ms,
		s->commit_p50_ms, s->commit_p99_ms, s->commit_us, s->nodes_us, s->generator_us,
		s->link_bytes, s->link_bytes_max, o->accounts, o->connections, s->ready_ms,
		(double)s->rss_kb / 1024, (double)s->rss_peak_kb / 1024);
}

static void print_json(
	const struct figures *f, const struct options *o, const struct surroundings *at)
{
	printf("{\"machine\":\"%s\",\"cores\":%u,\"load_before\":%.2f,\"commit\":\"%s\","
	       "\"verify_per_core_before\":%.0f,\"verify_per_core_after\":%.0f,"
	       "\"http_echo_per_s\":%.0f,\"store_batch_1000_ms\":%.3f,\"runs\":[",
		at->processor, bare_cores(), at->load_before, at->commit, f->verify_before,
		f->verify_after, f->echo_per_s, f->batch_ms);
	for (size_t i = 0; i < f->run_count; i++) {
		printf("%s", i > 0 ? "," : "");
		print_json_run(f, &f->runs[i], o);
	}
	printf("]}\n");
}

static void print_bounds(const struct figures *f, const struct surroundings *at)
{
	printf("machine:         %s, %u cores, load %.2f before; commit %s\n", at->processor,
		bare_cores(), at->load_before, at->commit);
	printf("bare, per core:  %.0f signature checks/s before, %.0f after, all cores at work; "
	       "%.1f and %.1f us CPU each\n",
		f->verify_before, f->verify_after, f->verify_before_us, f->verify_after_us);
	printf("bare HTTP echo:  %.0f requests/s through our shell (generator %.2f us each)\n",
		f->echo_per_s, f->echo_generator_us);
	printf("bare store:      %.2f ms for a synced batch of 1000 rows\n", f->batch_ms);
}

static void print_run(
	const struct figures *f, const struct settle_run *run, const struct options *o)
{
	const struct settle_figures *s = &run->settle;
	printf("\n%u validator%s\n", run->validators, run->validators == 1 ? "" : "s");
	printf("committed:       %.0f tx/s: %" PRIu64 " transfers of %zu bytes in %" PRIu64
	       " blocks, %.1f s; %" PRIu64 " took later rounds; %u accounts, %u connections\n",
		s->committed_per_s, s->committed, s->tx_bytes, s->blocks, s->window_s,
		s->later_rounds, o->accounts, o->connections);
	printf("answers:         %.0f/s, p50 %.2f ms, p99 %.2f ms; %" PRIu64
	       " sent again (mempool full), %" PRIu64 " refused%s%s, %" PRId64 " lost\n",
		s->admitted_per_s, s->answer_p50_ms, s->answer_p99_ms, s->held_back, s->refused,
		s->refused > 0 ? ": " : "", s->first_refusal, s->lost);
	printf("one client:      broadcast_tx_commit p50 %.2f ms, p99 %.2f ms (%" PRIu64
	       "), %.0f us CPU each\n",
		s->commit_p50_ms, s->commit_p99_ms, s->commits, s->commit_us);
	printf("nodes:           %.1f us CPU a transfer, all of them; the largest has %.1f MB at "
	       "the end, %.1f MB at most; ready after %" PRIu64 " ms\n",
		s->nodes_us, (double)s->rss_kb / 1024, (double)s->rss_peak_kb / 1024, s->ready_ms);
	if (run->validators > 1)
		printf("links:           %.0f bytes a transfer, both ways (%.2f x its size), %.0f "
		       "on the busiest\n",
			s->link_bytes, s->link_bytes / (double)s->tx_bytes, s->link_bytes_max);
	printf("generator:       %.2f us CPU a request%s\n", s->generator_us,
		s->generator_us > 12 ? "  (over 12: it may be the limit)" : "");
	printf("ratio:           %.3f of 2 x bare signature checks per core / %u; they are %.3f of "
	       "all CPU time\n",
		ratio_of(f, run), run->validators, share_of(f, run));
}

static void print_text(
	const struct figures *f, const struct options *o, const struct surroundings *at)
{
	print_bounds(f, at);
	for (size_t i = 0; i < f->run_count; i++)
		print_run(f, &f->runs[i], o);
}

static bool measure_nodes(
	struct figures *f, const struct options *o, uint32_t validators, char fault[256])
{
	uint32_t txs = o->txs;
	if (txs == 0)
		txs = (uint32_t)((o->seconds + o->warm_seconds) * 1.2e6 / f->verify_before_us /
				 validators);
	const struct settle_plan plan = {o->program, o->dir, validators, o->accounts,
		o->connections, o->warm_seconds * 1000, o->seconds * 1000,
		(o->seconds < 4 ? o->seconds : 4) * 1000, txs};
	fprintf(stderr, "%u validators: signing %u transfers, then %u s of load after %u s ...\n",
		validators, txs, o->seconds, o->warm_seconds);
	struct settle_run *run = &f->runs[f->run_count++];
	run->validators = validators;
	return settle_run(&run->settle, &plan, fault) == STATUS_OK;
}

/* Fast is worth nothing when what was admitted isn't there. */
static bool nothing_amiss(const struct figures *f)
{
	for (size_t i = 0; i < f->run_count; i++) {
		const struct settle_figures *s = &f->runs[i].settle;
		if (s->lost == 0 && s->refused == 0)
			continue;
		fprintf(stderr, "bench: %" PRId64 " lost, %" PRIu64 " refused: %s\n", s->lost,
			s->refused, s->first_refusal);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	static struct options o = {
		.seconds = 15, .warm_seconds = 3, .connections = 64, .accounts = 10000};
	static struct figures f;
	char fault[256] = "";
	uint8_t seed[32];
	const struct surroundings at = look_around();
	own_folder(o.dir);
	snprintf(o.program, sizeof o.program, "%.4000s/aitbcd", o.dir);
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(stdout);
	if (!read_options(&o, argc, argv))
		return usage(stderr);
	if (getrandom(seed, sizeof seed, 0) != sizeof seed || !keys_start(seed)) {
		fprintf(stderr, "bench: no randomness or no libraries\n");
		return 1;
	}
	if (!measure_bounds(&f, o.dir, fault)) {
		fprintf(stderr, "bench: %s\n", fault);
		return 1;
	}
	bool good = measure_nodes(&f, &o, o.validators > 0 ? o.validators : 1, fault);
	if (good && o.validators == 0)
		good = measure_nodes(&f, &o, 4, fault);
	if (!good) {
		fprintf(stderr, "bench: %s\n", fault);
		return 1;
	}
	f.verify_after = bare_verify_per_core(&f.verify_after_us);
	if (o.json)
		print_json(&f, &o, &at);
	else
		print_text(&f, &o, &at);
	return nothing_amiss(&f) ? 0 : 1;
}
