/* homes_join: the home of a node that joins a chain which runs already. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/disk.h"
#include "node/homes.h"
#include "node/peers_file.h"

enum { GENESIS_FILE_BYTES_MAX = 64 * 1024 * 1024, PEERS_FILE_BYTES_MAX = 64 * 1024 };

static enum status put(const char *home, const char *name, unsigned mode, struct bytes content,
	char fault[NODE_FAULT_BYTES])
{
	char path[NODE_PATH_BYTES];
	enum status status = files_join(path, home, name);
	return status == STATUS_OK ? files_create(path, mode, content, fault) : status;
}

static enum status put_key(struct validator_secret *out, const char *home, const char *name,
	char fault[NODE_FAULT_BYTES])
{
	char path[NODE_PATH_BYTES];
	enum status status = files_join(path, home, name);
	return status == STATUS_OK ? homes_make_key(out, path, fault) : status;
}

/* The document as it was written, once it is known to be one. */
static enum status put_genesis(const char *home, const char *from, char fault[NODE_FAULT_BYTES])
{
	struct genesis_fault why = {""};
	struct buf text;
	buf_init(&text, 0);
	struct genesis *g = malloc(sizeof *g);
	enum status status =
		g ? files_read(&text, from, GENESIS_FILE_BYTES_MAX, fault) : STATUS_NO_MEMORY;
	if (status == STATUS_NOT_FOUND)
		snprintf(fault, NODE_FAULT_BYTES, "there is no %.200s", from);
	if (status == STATUS_OK) {
		status = genesis_parse(g, buf_view(&text), GENESIS_APP_SETTLE, &why);
		if (status == STATUS_OK)
			genesis_fini(g);
		else
			snprintf(fault, NODE_FAULT_BYTES, "%.100s: %.120s", from, why.text);
	}
	if (status == STATUS_OK)
		status = put(home, "genesis.json", 0644, buf_view(&text), fault);
	buf_fini(&text);
	free(g);
	return status;
}

static void take_back(const char *home, const char *name)
{
	char path[NODE_PATH_BYTES];
	if (files_join(path, home, name) == STATUS_OK)
		unlink(path);
}

/* Copied as it is; then read as the node will read it. What it won't read is taken back, so that
 * the operator can try again. */
static enum status put_peers(const char *home, const char *from, char fault[NODE_FAULT_BYTES])
{
	static const struct validator_key nobody;
	struct peer_list list;
	struct buf text;
	buf_init(&text, 0);
	enum status status = STATUS_OK;
	if (from)
		status = files_read(&text, from, PEERS_FILE_BYTES_MAX, fault);
	else
		buf_append_text(&text, "[]\n");
	if (status == STATUS_NOT_FOUND)
		snprintf(fault, NODE_FAULT_BYTES, "there is no %.200s", from);
	if (status == STATUS_OK) {
		status = put(home, "peers.json", 0644, buf_view(&text), fault);
		if (status == STATUS_OK) {
			status = peers_file_read(&list, home, &nobody, fault);
			if (status != STATUS_OK)
				take_back(home, "peers.json");
		}
	}
	if (status != STATUS_OK)
		take_back(home, "genesis.json");
	buf_fini(&text);
	return status;
}

static enum status put_config(
	const char *home, const struct config *config, char fault[NODE_FAULT_BYTES])
{
	struct buf text;
	buf_init(&text, 0);
	config_write(&text, config);
	enum status status = put(home, "config.json", 0644, buf_view(&text), fault);
	buf_fini(&text);
	return status;
}

enum status homes_join(const char *home, const char *genesis, const char *peers,
	const struct config *config, char fault[NODE_FAULT_BYTES])
{
	struct validator_secret validator, node;
	snprintf(fault, NODE_FAULT_BYTES, "%.200s: a path is too long, or no memory", home);
	enum status status = files_mkdir(home, 0700, fault);
	if (status == STATUS_OK)
		status = put_genesis(home, genesis, fault);
	if (status == STATUS_OK)
		status = put_peers(home, peers, fault);
	if (status == STATUS_OK)
		status = put_key(&validator, home, "validator_key.json", fault);
	if (status == STATUS_OK)
		status = disk_make_fence(home, fault);
	if (status == STATUS_OK)
		status = put_key(&node, home, "node_key.json", fault);
	if (status == STATUS_OK)
		status = put_config(home, config, fault);
	secret_wipe(&validator, sizeof validator);
	secret_wipe(&node, sizeof node);
	return status;
}
