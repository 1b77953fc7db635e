/* show: one answer to a person or to a program. Rows and tables are said once; with --json they
 * become one object on stdout, without it aligned text. Texts that came from elsewhere lose their
 * control characters before a terminal sees them. Used by the commands of aitbc only. */
#ifndef WALLET_SHOW_H
#define WALLET_SHOW_H

#include <jansson.h>

#include "base/bytes.h"

struct show;

struct show *show_new(bool json);

/* label NULL: for programs only. name NULL: for people only. */
void show_text(struct show *show, const char *label, const char *name, const char *value);
/* "0.25 AITBC"; as JSON a decimal text of uaitbc. */
void show_amount(struct show *show, const char *label, const char *name, uint64_t uaitbc);
/* As JSON a decimal text, as every 64-bit integer of this chain. */
void show_u64(struct show *show, const char *label, const char *name, uint64_t value);
void show_hex(struct show *show, const char *label, const char *name, const void *data, size_t len);
void show_time_ms(struct show *show, const char *label, const char *name, uint64_t ms);
void show_bool(struct show *show, const char *label, const char *name, bool value);
/* A whole JSON value for programs; stolen. */
void show_json(struct show *show, const char *name, json_t *value);
/* A sentence for people, on a line of its own. */
void show_line(struct show *show, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A table: an array of objects in JSON. Columns are given once, then cells row by row. */
struct show_column {
	const char *label;
	const char *name;
	bool right; /* numbers */
};
void show_table(
	struct show *show, const char *name, const struct show_column *columns, size_t count);
void show_row(struct show *show, const char *const *cells);

/* Prints everything and frees. 0, or 1 when stdout didn't take it. */
int show_end(struct show *show);
/* Frees without a word. */
void show_drop(struct show *show);

/* Copies text without control characters; newlines and tabs stay when lines is set. Returns out. */
const char *show_clean(char *out, size_t out_bytes, const char *text, bool lines);

#endif
