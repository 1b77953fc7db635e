#include "wallet/show.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "base/hex.h"
#include "base/rfc3339.h"

enum { LABEL_WIDTH = 18, COLUMNS_MAX = 10, CELL_BYTES = 512 };

struct show {
	bool json;
	json_t *object;
	/* The table under way. */
	json_t *rows;
	struct show_column columns[COLUMNS_MAX];
	size_t column_count;
	struct buf text;
};

struct show *show_new(bool json)
{
	struct show *show = calloc(1, sizeof *show);

	if (!show)
		abort(); /* a command line without memory has nothing left to say */
	show->json = json;
	show->object = json_object();
	return show;
}

const char *show_clean(char *out, size_t out_bytes, const char *text, bool lines)
{
	size_t len = 0;

	for (; *text && len + 1 < out_bytes; text++) {
		unsigned char c = (unsigned char)*text;
		bool c1 = c == 0xc2 && (unsigned char)text[1] >= 0x80 &&
			  (unsigned char)text[1] < 0xa0;
		bool control = c < 0x20 || c == 0x7f || c1;
		if (control && !(lines && (c == '\n' || c == '\t')))
			out[len++] = '?';
		else
			out[len++] = (char)c;
		text += c1; /* a two-byte control character is one question mark */
	}
	out[len] = '\0';
	return out;
}

static void row(struct show *show, const char *label, const char *value)
{
	char clean[8192];

	if (show->json || !label)
		return;
	show_clean(clean, sizeof clean, value, true);
	buf_appendf(&show->text, "%-*s %s\n", LABEL_WIDTH, label, clean);
}

void show_text(struct show *show, const char *label, const char *name, const char *value)
{
	if (name)
		json_object_set_new(show->object, name, json_string(value));
	row(show, label, value);
}

void show_amount(struct show *show, const char *label, const char *name, uint64_t uaitbc)
{
	char text[AMOUNT_TEXT_BYTES];
	char digits[24];

	amount_text(text, amount_of(uaitbc));
	snprintf(digits, sizeof digits, "%" PRIu64, uaitbc);
	if (name)
		json_object_set_new(show->object, name, json_string(digits));
	row(show, label, text);
}

void show_u64(struct show *show, const char *label, const char *name, uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof digits, "%" PRIu64, value);
	show_text(show, label, name, digits);
}

void show_hex(struct show *show, const char *label, const char *name, const void *data, size_t len)
{
	char *text = malloc(2 * len + 1);

	if (!text)
		abort();
	hex_upper(text, data, len);
	show_text(show, label, name, text);
	free(text);
}

void show_time_ms(struct show *show, const char *label, const char *name, uint64_t ms)
{
	char text[RFC3339_BYTES];

	rfc3339_text(text, timestamp_of_ms((int64_t)ms));
	show_text(show, label, name, text);
}

void show_bool(struct show *show, const char *label, const char *name, bool value)
{
	if (name)
		json_object_set_new(show->object, name, json_boolean(value));
	row(show, label, value ? "yes" : "no");
}

void show_json(struct show *show, const char *name, json_t *value)
{
	json_object_set_new(show->object, name, value);
}

void show_line(struct show *show, const char *format, ...)
{
	char text[1024];
	char clean[1024];
	va_list args;

	if (show->json)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	buf_appendf(&show->text, "%s\n", show_clean(clean, sizeof clean, text, true));
}

void show_row(struct show *show, const char *const *cells)
{
	json_t *object = json_object();

	for (size_t i = 0; i < show->column_count; i++)
		json_object_set_new(object, show->columns[i].name, json_string(cells[i]));
	json_array_append_new(show->rows, object);
}

/* Characters, not bytes: what a terminal makes of UTF-8. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static const char *cell_of(char out[CELL_BYTES], const json_t *row_object, const char *name)
{
	const char *text = json_string_value(json_object_get(row_object, name));

	return show_clean(out, CELL_BYTES, text ? text : "", false);
}

static void put_cell(struct buf *out, const char *text, size_t width, bool right, bool last)
{
	int pad = (int)(width - width_of(text));

	buf_appendf(out, "%*s%s%*s%s", right ? pad : 0, "", text, right || last ? 0 : pad, "",
		last ? "\n" : "  ");
}

/* The table under way is whole: into the text, if it has any row. */
static void end_table(struct show *show)
{
	size_t widths[COLUMNS_MAX] = {0};
	char cell[CELL_BYTES];
	size_t n;
	json_t *one;

	if (show->json || json_array_size(show->rows) == 0)
		return;
	for (size_t i = 0; i < show->column_count; i++) {
		widths[i] = width_of(show->columns[i].label);
		json_array_foreach(show->rows, n, one)
		{
			size_t width = width_of(cell_of(cell, one, show->columns[i].name));
			widths[i] = width > widths[i] ? width : widths[i];
		}
	}
	for (size_t i = 0; i < show->column_count; i++)
		put_cell(&show->text, show->columns[i].label, widths[i], show->columns[i].right,
			i + 1 == show->column_count);
	json_array_foreach(show->rows, n, one) for (size_t i = 0; i < show->column_count; i++)
		put_cell(&show->text, cell_of(cell, one, show->columns[i].name), widths[i],
			show->columns[i].right, i + 1 == show->column_count);
}

void show_table(
	struct show *show, const char *name, const struct show_column *columns, size_t count)
{
	CHECK(count <= COLUMNS_MAX);
	end_table(show); /* one before this */
	show->rows = json_array();
	show->column_count = count;
	memcpy(show->columns, columns, count * sizeof columns[0]);
	json_object_set_new(show->object, name, show->rows);
}

void show_drop(struct show *show)
{
	json_decref(show->object);
	buf_fini(&show->text);
	free(show);
}

int show_end(struct show *show)
{
	if (show->json) {
		char *text = json_dumps(show->object, JSON_COMPACT);
		printf("%s\n", text ? text : "{}");
		free(text);
	} else {
		end_table(show);
		fputs(buf_text(&show->text), stdout);
	}
	show_drop(show);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	fprintf(stderr, "aitbc: can't write the answer to stdout\n");
	return 1;
}
