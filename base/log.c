#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LOG_LINE_BYTES = 1024 };

const char *log_level_text(enum log_level level)
{
	switch (level) {
	case LOG_DEBUG: return "debug";
	case LOG_INFO: return "info";
	case LOG_UNUSUAL: return "unusual";
	case LOG_BROKEN: return "broken";
	}
	return "unknown";
}

/* A value may have come from a peer: it must not be able to forge a line of its own. */
static void one_line(char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c < 0x20 || c == 0x7f)
			line[i] = '?';
	}
}

void log_event(struct log *log, enum log_level level, const char *format, ...)
{
	char line[LOG_LINE_BYTES];
	size_t prefix, len;
	va_list args;
	int wanted;

	if (!log || !log->sink || level < log->least)
		return;
	prefix = (size_t)snprintf(line, sizeof line, "%s ", log_level_text(level));
	va_start(args, format);
	wanted = vsnprintf(line + prefix, sizeof line - prefix, format, args);
	va_end(args);
	CHECK(wanted >= 0);
	len = prefix + (size_t)wanted;
	if (len >= sizeof line) {
		len = sizeof line - 1;
		memset(line + len - 3, '.', 3);
	}
	one_line(line, len);
	log->sink(log->ctx, level, line, len);
}
