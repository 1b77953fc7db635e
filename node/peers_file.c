#include "node/peers_file.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"

enum { PEERS_BYTES_MAX = 64 * 1024 };

/* Where a fault is: which entry, and what to say of it. */
struct place_in_file {
	size_t index;
	char *fault;
};

static enum status invalid(const struct place_in_file *at, const char *member, const char *what)
{
	snprintf(at->fault, NODE_FAULT_BYTES, "peers.json: [%zu].%s: %s", at->index, member, what);
	return STATUS_INVALID;
}

static bool read_name(char out[PEER_NAME_BYTES_MAX + 1], const json_t *value)
{
	if (!json_is_string(value))
		return false;
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	if (len == 0 || len > PEER_NAME_BYTES_MAX)
		return false;
	/* It stands in log lines: nothing that could end one, or look like another key. */
	for (size_t i = 0; i < len; i++) {
		bool plain = (text[i] >= 'a' && text[i] <= 'z') ||
			     (text[i] >= 'A' && text[i] <= 'Z') ||
			     (text[i] >= '0' && text[i] <= '9') || strchr("._-", text[i]);
		if (!plain || text[i] == 0)
			return false;
	}
	memcpy(out, text, len + 1);
	return true;
}

static bool read_node_key(struct validator_key *out, const json_t *value)
{
	if (!json_is_string(value))
		return false;
	struct buf raw;
	buf_init(&raw, PEERS_BYTES_MAX);
	bool good = base64_decode(&raw, json_string_value(value), json_string_length(value)) &&
		    buf_ok(&raw) && raw.len == sizeof out->b;
	if (good)
		memcpy(out->b, raw.data, sizeof out->b);
	buf_fini(&raw);
	return good;
}

/* "127.0.0.1:1" or "[::1]:1" */
static bool read_address(struct net_peer *out, const json_t *value)
{
	if (!json_is_string(value) || json_string_length(value) >= NET_HOST_BYTES)
		return false;
	char text[NET_HOST_BYTES];
	memcpy(text, json_string_value(value), json_string_length(value) + 1);
	char *colon = strrchr(text, ':');
	if (!colon)
		return false;
	*colon = 0;
	const char *digits = colon + 1;
	size_t len = strlen(digits);
	unsigned long port = strtoul(digits, NULL, 10);
	if (len == 0 || len > 5 || strspn(digits, "0123456789") != len || port == 0 || port > 65535)
		return false;
	bool bracketed = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
	if (bracketed)
		colon[-1] = 0;
	const char *host = bracketed ? text + 1 : text;
	uint8_t raw[16];
	if (inet_pton(bracketed ? AF_INET6 : AF_INET, host, raw) != 1)
		return false;
	memcpy(out->host, host, strlen(host) + 1);
	out->port = (uint16_t)port;
	return true;
}

static enum status read_peer(
	struct net_peer *out, const json_t *entry, const struct place_in_file *at)
{
	if (!json_is_object(entry))
		return invalid(at, "", "not an object");
	memset(out, 0, sizeof *out);
	if (!read_name(out->name, json_object_get(entry, "name")))
		return invalid(at, "name", "1 to 64 letters, digits, '.', '_' or '-'");
	if (!read_node_key(&out->key, json_object_get(entry, "key")))
		return invalid(at, "key", "no base64 of 32 bytes");
	if (!read_address(out, json_object_get(entry, "address")))
		return invalid(at, "address", "no numeric ADDRESS:PORT");
	if (json_object_size(entry) != 3)
		return invalid(at, "*", "a member beside name, key and address");
	return STATUS_OK;
}

static enum status read_entry(struct peer_list *out, const json_t *entry,
	const struct validator_key *me, const struct place_in_file *at)
{
	struct net_peer *peer = &out->peers[out->count];
	enum status status = read_peer(peer, entry, at);
	if (status != STATUS_OK)
		return status;
	if (memcmp(peer->key.b, me->b, sizeof me->b) == 0)
		return invalid(at, "key", "this node's own");
	for (uint32_t i = 0; i < out->count; i++) {
		if (memcmp(out->peers[i].key.b, peer->key.b, sizeof peer->key.b) == 0)
			return invalid(at, "key", "listed before");
		if (strcmp(out->peers[i].name, peer->name) == 0)
			return invalid(at, "name", "listed before");
	}
	out->count++;
	return STATUS_OK;
}

static enum status read_text(struct peer_list *out, struct bytes text,
	const struct validator_key *me, char fault[NODE_FAULT_BYTES])
{
	struct json_fault json_fault = {"no array"};
	json_t *root = json_read(text, &json_fault);
	enum status status = STATUS_OK;
	if (!root || !json_is_array(root)) {
		snprintf(fault, NODE_FAULT_BYTES, "peers.json: %s", json_fault.text);
		status = STATUS_INVALID;
	} else if (json_array_size(root) > PEERS_MAX) {
		snprintf(fault, NODE_FAULT_BYTES, "peers.json: %zu nodes, %d at most",
			json_array_size(root), PEERS_MAX);
		status = STATUS_INVALID;
	}
	for (size_t i = 0; status == STATUS_OK && i < json_array_size(root); i++) {
		struct place_in_file at = {i, fault};
		status = read_entry(out, json_array_get(root, i), me, &at);
	}
	json_decref(root);
	return status;
}

enum status peers_file_read(struct peer_list *out, const char *home, const struct validator_key *me,
	char fault[NODE_FAULT_BYTES])
{
	char path[NODE_PATH_BYTES];
	struct buf text;
	buf_init(&text, PEERS_BYTES_MAX);
	out->count = 0;
	enum status status = files_join(path, home, "peers.json");
	if (status == STATUS_OK)
		status = files_read(&text, path, PEERS_BYTES_MAX, fault);
	if (status == STATUS_OK)
		status = read_text(out, buf_view(&text), me, fault);
	else if (status == STATUS_NOT_FOUND)
		status = STATUS_OK;
	buf_fini(&text);
	return status;
}

void peers_file_write(struct buf *out, const struct net_peer *peers, size_t count)
{
	buf_append_text(out, "[");
	for (size_t i = 0; i < count; i++) {
		const struct net_peer *peer = &peers[i];
		bool ipv6 = strchr(peer->host, ':') != NULL;
		buf_append_text(out, i ? ",\n  {\"name\": " : "\n  {\"name\": ");
		json_put_text(out, peer->name);
		buf_append_text(out, ", \"key\": ");
		json_put_base64(out, peer->key.b, sizeof peer->key.b);
		buf_appendf(out, ", \"address\": \"%s%s%s:%u\"}", ipv6 ? "[" : "", peer->host,
			ipv6 ? "]" : "", peer->port);
	}
	buf_append_text(out, count > 0 ? "\n]\n" : "]\n");
}
