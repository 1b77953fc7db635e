#include "chain/store_remains.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "chain/store_manifest.h"
#include "chain/store_table.h"

enum { PATH_BYTES = 1024, MANIFEST_READ_BYTES_MAX = 64 << 20 };

/* The last bytes of a file, at most so many. False: it can't be read; the library will say why. */
static bool read_tail(
	struct buf *out, uint64_t *file_bytes, const char *dir, const char *name, long most)
{
	char path[PATH_BYTES];
	long size = -1;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *file = fopen(path, "rbe");
	if (file && fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	long len = size < most ? size : most;
	uint8_t *at = len > 0 ? buf_extend(out, (size_t)len) : NULL;
	bool read = at && fseek(file, size - len, SEEK_SET) == 0 &&
		    fread(at, 1, (size_t)len, file) == (size_t)len;
	*file_bytes = size > 0 ? (uint64_t)size : 0;
	if (file)
		fclose(file);
	return read;
}

static bool manifest_forgets(const char *dir, const char *name)
{
	struct buf content = {0};
	uint64_t size;
	bool forgets = read_tail(&content, &size, dir, name, MANIFEST_READ_BYTES_MAX) &&
		       size == content.len && !store_manifest_ends_well(buf_view(&content));

	buf_fini(&content);
	return forgets;
}

static bool table_is_deadly(const char *dir, const char *name)
{
	struct buf tail = {0};
	uint64_t size;
	bool deadly = read_tail(&tail, &size, dir, name, STORE_TABLE_TAIL_BYTES) &&
		      !store_table_can_be_opened(buf_view(&tail), size);

	buf_fini(&tail);
	return deadly;
}

struct store_remains store_remains_look(const char *dir)
{
	struct store_remains found = {false, NULL};
	DIR *folder = opendir(dir);
	bool current = false;

	if (!folder)
		return found;
	for (struct dirent *file; (file = readdir(folder));) {
		size_t len = strlen(file->d_name);
		bool manifest = strncmp(file->d_name, "MANIFEST-", 9) == 0;
		bool table = len > 4 && strcmp(file->d_name + len - 4, ".sst") == 0;

		current = current || strcmp(file->d_name, "CURRENT") == 0;
		found.any = found.any || manifest || table;
		if (manifest && manifest_forgets(dir, file->d_name))
			found.fault = "its MANIFEST is damaged";
		if (table && table_is_deadly(dir, file->d_name))
			found.fault = "the properties of one of its tables are damaged";
	}
	closedir(folder);
	/* The library would make a new, empty database over what is left of one without it. */
	if (found.any && !current)
		found.fault = "its CURRENT file is gone";
	return found;
}
