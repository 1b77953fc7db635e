#include "miner/nearest.h"

#include <stdio.h>
#include <string.h>

bool known_keys(char fault[256], const json_t *object, const char *where, const char *const *known)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		size_t i = 0;
		while (known[i] != NULL && strcmp(known[i], key) != 0)
			i++;
		if (known[i] != NULL)
			continue;
		const char *near = nearest_name(known, key);
		snprintf(fault, 256, "%s: unknown key \"%.64s\"%s%s%s", where, key,
			near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
			near != NULL ? "\"?" : "");
		return false;
	}
	return true;
}
