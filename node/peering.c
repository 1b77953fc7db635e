/* peering: joins the links (net.c) to the validator (driver.c): who is up and what they say goes
 * in, what it says goes out. */
#include <stdio.h>
#include <string.h>

#include "node/bans.h"
#include "node/clock.h"
#include "node/homes.h"
#include "node/parts.h"
#include "node/peers_file.h"

static void on_up(void *ctx, uint32_t peer)
{
	struct daemon_parts *p = ctx;
	p->peer_up[peer] = true;
	if (p->joining)
		joining_input(p, REPLICA_PEER_UP, peer, bytes_view(NULL, 0));
	else if (p->driver)
		driver_peer_up(p->driver, peer);
}

static void on_down(void *ctx, uint32_t peer)
{
	struct daemon_parts *p = ctx;
	p->peer_up[peer] = false;
	if (p->joining)
		joining_input(p, REPLICA_PEER_DOWN, peer, bytes_view(NULL, 0));
	else if (p->driver)
		driver_peer_down(p->driver, peer);
}

static void on_frame(void *ctx, uint32_t peer, struct bytes frame)
{
	struct daemon_parts *p = ctx;
	if (p->joining)
		joining_input(p, REPLICA_MESSAGE, peer, frame);
	else if (p->driver)
		driver_peer_message(p->driver, peer, frame);
}

void peering_send(void *ctx, uint32_t peer, struct bytes message)
{
	const struct daemon_parts *p = ctx;
	uint32_t count = p->net ? net_peer_count(p->net) : 0;
	if (peer != REPLICA_EVERYONE) {
		/* Who went away in the meantime is told again when it is back. */
		if (peer < count)
			(void)net_send(p->net, peer, message);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		(void)net_send(p->net, i, message);
}

void peering_drop(void *ctx, uint32_t peer)
{
	struct daemon_parts *p = ctx;
	char fault[NODE_FAULT_BYTES] = "";
	if (!p->net || peer >= net_peer_count(p->net))
		return;
	net_drop(p->net, peer, P2P_BAN_MS, "its messages prove misbehaviour");
	/* Each ban is twice as long as the last: this can't be often. */
	if (bans_write(p->net, p->home, clock_wall_ms(), fault) != STATUS_OK)
		log_event(&p->log, LOG_UNUSUAL, "bans_not_kept reason=\"%s\"", fault);
}

static enum status start_net(struct daemon_parts *p, const struct peer_list *list,
	const struct validator_secret *node_key, char fault[NODE_FAULT_BYTES])
{
	struct net_ban bans[PEERS_MAX];
	if (bans_read(bans, list, p->home, clock_wall_ms(), fault) != STATUS_OK)
		log_event(&p->log, LOG_UNUSUAL, "bans_forgotten reason=\"%s\"", fault);
	struct net_config config = {
		.loop = p->loop,
		.listen_address = p->config->p2p_listen,
		.listen_port = (uint16_t)p->config->p2p_port,
		.me = *node_key,
		.chain_tag = p->genesis->chain_tag,
		.peers = list->peers,
		.peer_count = list->count,
		.bans = bans,
		.log = &p->log,
		.up = on_up,
		.down = on_down,
		.frame = on_frame,
		.ctx = p,
	};
	enum status status = net_start(&p->net, &config, fault);
	secret_wipe(&config.me, sizeof config.me);
	return status;
}

enum status peering_start(struct daemon_parts *p, char fault[NODE_FAULT_BYTES])
{
	char path[NODE_PATH_BYTES];
	struct validator_secret node_key;
	struct peer_list list;
	enum status status = files_join(path, p->home, "node_key.json");
	if (status == STATUS_OK)
		status = homes_read_key(&node_key, path, fault);
	if (status != STATUS_OK)
		return status;
	homes_node_id(p->node_id, &node_key);
	struct validator_key me = validator_key_of(&node_key);
	status = peers_file_read(&list, p->home, &me, fault);
	/* A node that lists nobody has no port for them to knock at. */
	if (status == STATUS_OK && list.count > 0)
		status = start_net(p, &list, &node_key, fault);
	else if (status == STATUS_OK && p->genesis->validator_count > 1)
		log_event(&p->log, LOG_UNUSUAL, "no_peers validators=%u file=peers.json",
			(unsigned)p->genesis->validator_count);
	secret_wipe(&node_key, sizeof node_key);
	snprintf(p->p2p_address, sizeof p->p2p_address, "tcp://%.64s:%u", p->config->p2p_listen,
		p->net ? net_port(p->net) : (unsigned)p->config->p2p_port);
	return status;
}
