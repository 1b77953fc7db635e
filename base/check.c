#include "base/check.h"

#include <stdlib.h>

/* Written once by main before any thread exists, read only on the way to the abort. */
static check_sink *report_sink;

void check_set_sink(check_sink *sink)
{
	report_sink = sink;
}

_Noreturn void check_failed(const char *file, int line, const char *fact)
{
	check_sink *sink = report_sink;

	/* A sink that fails a CHECK of its own must not report for ever. */
	report_sink = NULL;
	if (sink)
		sink(file, line, fact);
	abort();
}
