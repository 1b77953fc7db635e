/* load: one thread that keeps many connections busy with one HTTP request each (epoll, keep-alive).
 * The next request goes out when the answer to the last one is whole, so the server sets the pace.
 * What is sent and what an answer means is the source's. Benchmark only. */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include "base/bytes.h"
#include "base/status.h"

struct load_source {
	void *self;
	/* Appends one whole HTTP request for the server of this number and names it. False: nothing
	 * is left to send. */
	bool (*next)(void *self, size_t server, struct buf *request, uint64_t *name);
	/* The body of the answer, borrowed. Returns how long this connection shall pause, in ms. */
	uint32_t (*answered)(
		void *self, size_t server, uint64_t name, uint16_t http_status, struct bytes body);
};

struct load_plan {
	const uint16_t *ports; /* on 127.0.0.1; a server each */
	size_t servers;
	size_t connections; /* the servers in turn */
	uint32_t warm_ms;   /* not counted */
	uint32_t measure_ms;
	void (*window)(void *ctx, bool begins); /* at both ends of what is measured; may be NULL */
	void *window_ctx;
};

struct load_result {
	uint64_t answered;     /* within the measured time */
	uint64_t window_ms;    /* how long that was; shorter than planned when the source ran dry */
	int64_t began_unix_ms; /* wall clock, to be compared with block times */
	int64_t ended_unix_ms;
	double cpu_us; /* of this thread, for each answer */
	double answer_p50_ms;
	double answer_p99_ms;
};

/* fault says what went wrong. */
MUST_USE enum status load_run(struct load_result *out, const struct load_plan *plan,
	const struct load_source *source, char fault[256]);

/* Monotonic and wall clock in ms. */
uint64_t bench_now_ms(void);
int64_t bench_unix_ms(void);

#endif
