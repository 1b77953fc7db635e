#include "base/nearest.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { NAME_BYTES_MAX = 64 };

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance, row by row; a name that is too long is near to none. */
static size_t edits(const char *a, const char *b)
{
	size_t row[NAME_BYTES_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);
	if (a_len > NAME_BYTES_MAX || b_len > NAME_BYTES_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t kept = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			row[j] = smaller(kept, smaller(row[j], row[j - 1]) + 1);
		}
	}
	return row[b_len];
}

const char *nearest_name(const char *const *known, const char *name)
{
	const char *best = NULL;
	size_t best_edits = strlen(name) / 3 + 2;
	for (size_t i = 0; known[i] != NULL; i++) {
		size_t distance = edits(name, known[i]);
		if (distance < best_edits) {
			best_edits = distance;
			best = known[i];
		}
	}
	return best;
}
