/* check: the channel for our own bugs.
 * CHECK stays in every build. It is for facts that only a bug in this program can make false; a
 * value that came from a peer, a file or a user is a verdict or a status, never a CHECK.
 * The report goes to a sink given once by main (the pure rooms print nothing); then we abort. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#define CHECK(fact)                                                                                \
	do {                                                                                       \
		if (__builtin_expect(!(fact), 0))                                                  \
			check_failed(__FILE__, __LINE__, #fact);                                   \
	} while (0)

#define MUST_USE __attribute__((warn_unused_result))

typedef void check_sink(const char *file, int line, const char *fact);

/* Names the function that reports a failed CHECK before the abort; NULL: abort without a word. */
void check_set_sink(check_sink *sink);

_Noreturn void check_failed(const char *file, int line, const char *fact);

#endif
