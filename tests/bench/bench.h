/* bench: what the node does in a second, beside what this machine could do at all. Not a test: it
 * never fails for being slow. bounds.c measures the bare bounds, ground.c makes and starts a real
 * node, load.c drives it, main.c reports. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <sys/types.h>

#include "base/keys.h"
#include "genesis/genesis.h"

double bench_now_s(void);        /* steady */
double bench_thread_cpu_s(void); /* of the calling thread */
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- bounds.c ---- */

/* Signatures checked per second and core, with both cores busy. */
double bounds_verify_per_core(void);
/* Puts of 250 bytes per second in synced batches of 1000, in a store under dir. */
double bounds_synced_puts(const char *dir);
/* A child that answers a constant through the node's own HTTP shell; *port is where. */
pid_t bounds_echo_start(uint16_t *port);

/* ---- load.c: one thread, plain sockets, one request under way a connection ---- */

struct requests {
	struct buf bytes; /* whole HTTP requests, one after another */
	uint32_t *sizes;
	size_t count;
};

struct load_plan {
	uint16_t port;
	unsigned connections;
	const struct requests
		*requests; /* sent in order, each once; with repeat, from the start again */
	bool repeat;
	double warmup_s, seconds; /* only answers after the warm-up count */
	const char *good;         /* what a good answer contains */
};
struct load_result {
	uint64_t sent, good, bad; /* of the whole run */
	uint64_t counted;         /* answers in the measured time */
	double measured_s;
	double cpu_us_per_request; /* of the generator */
	double p50_ms, p99_ms;
	bool ran_dry;        /* all requests were sent before the time was up */
	double began_wall_s; /* of the measured time, seconds since 1970 */
	char first_bad[512];
};
void load_run(struct load_result *out, const struct load_plan *plan);

/* ---- ground.c: a real home, a real node ---- */

struct ground {
	char home[256];
	uint16_t rpc_port;
	struct hash32 chain_tag;
	uint64_t base_fee, fee_per_byte;
	struct account_secret *secrets;
	struct account_key *keys;
	uint32_t accounts;
	pid_t node;
};
/* Makes the home with this many funded accounts, starts aitbcd (found beside this program) and
 * waits until it answers. */
void ground_start(struct ground *g, const char *program_dir, uint32_t accounts, uint16_t base_port);
/* Transfers round the accounts as broadcast_tx_sync requests, signed by two threads. */
void ground_sign(const struct ground *g, struct requests *out, size_t count, size_t *tx_bytes);

struct ground_blocks {
	uint64_t txs, blocks, bytes, largest;
};
/* Blocks whose time lies in [from_s, to_s), by asking the node. */
void ground_count(const struct ground *g, struct ground_blocks *out, double from_s, double to_s);
/* CPU seconds (user and system) and the peak of resident memory. */
void ground_usage(const struct ground *g, double *cpu_s, double *rss_peak_mb);
/* Stops the node and removes the home. */
void ground_stop(struct ground *g);

#endif
