#include "node/net_info.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "node/clock.h"

static void put_duration(struct buf *out, const char *key, uint64_t ms)
{
	json_put_key(out, key);
	json_put_u64_text(out, ms * 1000000);
}

static void put_monitor(
	struct buf *out, const char *key, const struct net_status *status, uint64_t bytes)
{
	char start[RFC3339_BYTES];
	rfc3339_text(start, timestamp_of_ms((int64_t)(clock_wall_ms() - status->up_ms)));
	json_put_key(out, key);
	buf_append_text(out, "{\"Start\":");
	json_put_text(out, start);
	buf_append_text(out, ",\"Bytes\":");
	json_put_u64_text(out, bytes);
	buf_append_text(
		out, ",\"Samples\":\"0\",\"InstRate\":\"0\",\"CurRate\":\"0\",\"AvgRate\":");
	json_put_u64_text(out, status->up_ms > 0 ? bytes * 1000 / status->up_ms : 0);
	buf_append_text(out, ",\"PeakRate\":\"0\",\"BytesRem\":\"0\",");
	put_duration(out, "Duration", status->up_ms);
	buf_append_text(out, ",\"Idle\":\"0\",\"TimeRem\":\"0\",\"Progress\":0,\"Active\":true}");
}

static void put_node_info(
	struct buf *out, const struct net_peer *peer, const struct view_identity *identity)
{
	struct validator_address address = validator_address_of(&peer->key);
	char id[41];
	hex_lower(id, address.b, sizeof address.b);
	bool ipv6 = strchr(peer->host, ':') != NULL;
	buf_append_text(out,
		"{\"protocol_version\":{\"p2p\":\"8\",\"block\":\"11\",\"app\":\"0\"},\"id\":");
	json_put_text(out, id);
	buf_appendf(out, ",\"listen_addr\":\"tcp://%s%s%s:%u\",\"network\":", ipv6 ? "[" : "",
		peer->host, ipv6 ? "]" : "", peer->port);
	json_put_text(out, identity->chain_id);
	buf_append_text(out, ",\"version\":");
	json_put_text(out, identity->version);
	buf_append_text(out, ",\"channels\":\"\",\"moniker\":");
	json_put_text(out, peer->name);
	buf_append_text(
		out, ",\"other\":{\"tx_index\":\"on\",\"rpc_address\":\"tcp://0.0.0.0:0\"}}");
}

static void put_peer(struct buf *out, const struct net_peer *peer, const struct net_status *status,
	const struct view_identity *identity)
{
	buf_append_text(out, "{\"node_info\":");
	put_node_info(out, peer, identity);
	buf_append_text(out, ",\"is_outbound\":");
	json_put_bool(out, status->outbound);
	buf_append_text(out, ",\"connection_status\":{");
	put_duration(out, "Duration", status->up_ms);
	buf_append_text(out, ",");
	put_monitor(out, "SendMonitor", status, status->bytes_out);
	buf_append_text(out, ",");
	put_monitor(out, "RecvMonitor", status, status->bytes_in);
	buf_append_text(out, ",\"Channels\":[]},\"remote_ip\":");
	json_put_text(out, status->address);
	buf_append_text(out, "}");
}

void net_info_json(struct buf *out, const struct net *net, const struct view_identity *identity)
{
	buf_append_text(out, "{\"listening\":true,\"listeners\":[");
	json_put_text(out, identity->listen_address);
	buf_append_text(out, "],\"n_peers\":");
	json_put_u64_text(out, net ? net_up_count(net) : 0);
	buf_append_text(out, ",\"peers\":[");
	bool first = true;
	for (uint32_t i = 0; net && i < net_peer_count(net); i++) {
		struct net_status status;
		if (!net_look(net, i, &status))
			continue;
		buf_append_text(out, first ? "" : ",");
		first = false;
		put_peer(out, net_peer(net, i), &status, identity);
	}
	buf_append_text(out, "]}");
}
