/* log: one event per line, `level event key=value ...`, for someone: debug for a developer, info
 * the operator's timeline, unusual somebody else misbehaves, broken we have a bug. Sink and clock
 * are given by main; secrets never enter. A NULL log drops everything. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/bytes.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_UNUSUAL, LOG_BROKEN };

typedef void log_sink(void *ctx, enum log_level level, const char *line, size_t len);

struct log {
	enum log_level least;
	log_sink *sink;
	void *ctx;
};

const char *log_level_text(enum log_level level);

/* format makes "event key=value ..." */
void log_event(struct log *log, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
