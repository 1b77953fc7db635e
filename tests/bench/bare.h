/* bare: what this machine can do at all, measured alone: the bounds the node is compared with.
 * Each takes under two seconds. Benchmark only. */
#ifndef TESTS_BENCH_BARE_H
#define TESTS_BENCH_BARE_H

#include "base/status.h"

/* Signature checks per second and core, with every core at work; *cpu_us: CPU time of one, which
 * others' load on this machine disturbs less. */
double bare_verify_per_core(double *cpu_us);
/* Requests per second that our HTTP shell answers with a fixed body, and the generator's CPU time
 * for each. */
MUST_USE enum status bare_http_echo(double *per_s, double *generator_us, char fault[256]);
/* Milliseconds for a synced batch of 1 000 rows of 250 bytes in a new database under dir. */
MUST_USE enum status bare_store_batch(double *batch_ms, const char *dir, char fault[256]);
/* Removes what bare_store_batch left. */
void bare_store_remove(const char *dir);

unsigned bare_cores(void);

#endif
