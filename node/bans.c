#include "node/bans.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/rfc3339.h"

enum { BANS_BYTES_MAX = 64 * 1024 };

/* Index of the peer with this key; the list's count: nobody any more. */
static uint32_t find(const struct peer_list *list, const char *key)
{
	struct buf raw;
	buf_init(&raw, BANS_BYTES_MAX);
	uint32_t found = list->count;
	if (base64_decode(&raw, key, strlen(key)) && buf_ok(&raw) &&
		raw.len == sizeof list->peers[0].key.b) {
		for (uint32_t i = 0; i < list->count; i++) {
			if (memcmp(list->peers[i].key.b, raw.data, raw.len) == 0)
				found = i;
		}
	}
	buf_fini(&raw);
	return found;
}

static bool read_ban(struct net_ban bans[PEERS_MAX], const struct peer_list *list,
	const json_t *entry, uint64_t wall_ms)
{
	const char *key, *until;
	json_int_t count;
	struct timestamp time;
	if (json_unpack((json_t *)(uintptr_t)entry, "{s:s, s:s, s:I}", "key", &key, "until", &until,
		    "count", &count) != 0 ||
		!rfc3339_parse(&time, until, strlen(until)) || count < 1 || count > 1000)
		return false;
	uint32_t i = find(list, key);
	int64_t left_ms = timestamp_ms(time) - (int64_t)wall_ms;
	/* A clock that was set back since doesn't make it longer. */
	if (left_ms > P2P_BAN_MS_MAX)
		left_ms = P2P_BAN_MS_MAX;
	if (i < list->count && left_ms >= -P2P_BAN_FORGIVEN_MS)
		bans[i] = (struct net_ban){left_ms, (uint32_t)count};
	return true;
}

static enum status read_text(struct net_ban bans[PEERS_MAX], const struct peer_list *list,
	struct bytes text, uint64_t wall_ms, char fault[NODE_FAULT_BYTES])
{
	struct json_fault json_fault = {"no array"};
	json_t *root = json_read(text, &json_fault);
	bool good = json_is_array(root);
	snprintf(fault, NODE_FAULT_BYTES, "bans.json: %s", json_fault.text);
	for (size_t i = 0; good && i < json_array_size(root); i++) {
		good = read_ban(bans, list, json_array_get(root, i), wall_ms);
		if (!good)
			snprintf(fault, NODE_FAULT_BYTES, "bans.json: [%zu]", i);
	}
	json_decref(root);
	if (!good)
		memset(bans, 0, PEERS_MAX * sizeof *bans);
	return good ? STATUS_OK : STATUS_INVALID;
}

enum status bans_read(struct net_ban bans[PEERS_MAX], const struct peer_list *list,
	const char *home, uint64_t wall_ms, char fault[NODE_FAULT_BYTES])
{
	char path[NODE_PATH_BYTES];
	struct buf text;
	buf_init(&text, BANS_BYTES_MAX);
	memset(bans, 0, PEERS_MAX * sizeof *bans);
	enum status status = files_join(path, home, "bans.json");
	if (status == STATUS_OK)
		status = files_read(&text, path, BANS_BYTES_MAX, fault);
	if (status == STATUS_OK)
		status = read_text(bans, list, buf_view(&text), wall_ms, fault);
	else if (status == STATUS_NOT_FOUND)
		status = STATUS_OK;
	buf_fini(&text);
	return status;
}

static void put_bans(struct buf *out, const struct net *net, uint64_t wall_ms)
{
	const char *comma = "\n  ";
	buf_append_text(out, "[");
	for (uint32_t i = 0; i < net_peer_count(net); i++) {
		struct net_ban ban = net_ban_of(net, i);
		char until[RFC3339_BYTES];
		if (ban.count == 0)
			continue;
		rfc3339_text(until, timestamp_of_ms((int64_t)wall_ms + ban.left_ms));
		buf_appendf(out, "%s{\"name\": \"%s\", \"key\": ", comma, net_peer(net, i)->name);
		json_put_base64(out, net_peer(net, i)->key.b, sizeof net_peer(net, i)->key.b);
		buf_appendf(out, ", \"until\": \"%s\", \"count\": %u}", until, ban.count);
		comma = ",\n  ";
	}
	buf_append_text(out, "\n]\n");
}

enum status bans_write(
	const struct net *net, const char *home, uint64_t wall_ms, char fault[NODE_FAULT_BYTES])
{
	char path[NODE_PATH_BYTES], fresh[NODE_PATH_BYTES];
	struct buf text;
	buf_init(&text, BANS_BYTES_MAX);
	put_bans(&text, net, wall_ms);
	enum status status = files_join(path, home, "bans.json");
	if (status == STATUS_OK)
		status = files_join(fresh, home, "bans.json.new");
	if (status == STATUS_OK) {
		unlink(fresh); /* of a node that died while it wrote */
		status = files_create(fresh, 0600, buf_view(&text), fault);
	}
	if (status == STATUS_OK)
		status = files_move(path, fresh, fault);
	buf_fini(&text);
	return status;
}
