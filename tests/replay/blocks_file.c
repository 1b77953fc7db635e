#include "tests/replay/blocks_file.h"

#include <string.h>

static void put_time(struct buf *out, struct timestamp time)
{
	buf_append_u64be(out, (uint64_t)time.seconds);
	buf_append_u32be(out, (uint32_t)time.nanos);
}

static struct timestamp take_time(struct cursor *at)
{
	struct timestamp time;
	time.seconds = (int64_t)cursor_u64be(at);
	time.nanos = (int32_t)cursor_u32be(at);
	return time;
}

static void put_bytes(struct buf *out, struct bytes bytes)
{
	buf_append_u32be(out, (uint32_t)bytes.len);
	buf_append_view(out, bytes);
}

static struct bytes take_bytes(struct cursor *at)
{
	size_t len = cursor_u32be(at);
	return cursor_view(at, len);
}

void blocks_file_put_world(
	struct buf *out, const struct settle_config *config, const struct app_genesis *genesis)
{
	buf_append_byte(out, BLOCKS_FILE_WORLD);
	buf_append(out, config->chain_tag.b, sizeof config->chain_tag.b);
	buf_append_u64be(out, config->heartbeat_ms);
	buf_append_u64be(out, config->block_bytes_max);
	buf_append_u64be(out, config->rules_known);
	put_time(out, genesis->time);
	buf_append_u64be(out, (uint64_t)genesis->initial_height);
	buf_append_u64be(out, genesis->heartbeat_ms);
	buf_append_u64be(out, genesis->block_bytes_max);
	put_bytes(out, genesis->app_state);
	buf_append_u32be(out, (uint32_t)genesis->validator_count);
	for (size_t i = 0; i < genesis->validator_count; i++) {
		buf_append(out, genesis->validators[i].key.b, sizeof genesis->validators[i].key.b);
		buf_append_u64be(out, (uint64_t)genesis->validators[i].power);
	}
}

static void take_world(struct blocks_file_record *out, struct cursor *at)
{
	struct app_genesis *genesis = &out->genesis;
	cursor_copy(at, out->config.chain_tag.b, sizeof out->config.chain_tag.b);
	out->config.heartbeat_ms = cursor_u64be(at);
	out->config.block_bytes_max = cursor_u64be(at);
	out->config.rules_known = cursor_u64be(at);
	genesis->chain_tag = out->config.chain_tag;
	genesis->time = take_time(at);
	genesis->initial_height = (int64_t)cursor_u64be(at);
	genesis->heartbeat_ms = cursor_u64be(at);
	genesis->block_bytes_max = cursor_u64be(at);
	genesis->app_state = take_bytes(at);
	genesis->validators = out->seats;
	genesis->validator_count = cursor_u32be(at);
	at->bad = at->bad || genesis->validator_count > BLOCKS_FILE_SEATS_MAX;
	for (size_t i = 0; !at->bad && i < genesis->validator_count; i++) {
		cursor_copy(at, out->seats[i].key.b, sizeof out->seats[i].key.b);
		out->seats[i].power = (int64_t)cursor_u64be(at);
	}
}

void blocks_file_put_block(
	struct buf *out, const struct app_block *block, const struct hash32 *app_hash)
{
	buf_append_byte(out, BLOCKS_FILE_BLOCK);
	buf_append_u64be(out, (uint64_t)block->height);
	put_time(out, block->time);
	put_time(out, block->last_time);
	buf_append(out, block->proposer.b, sizeof block->proposer.b);
	buf_append(out, app_hash->b, sizeof app_hash->b);
	buf_append_u32be(out, (uint32_t)block->tx_count);
	for (size_t i = 0; i < block->tx_count; i++) {
		buf_append_byte(out, block->txs[i].verified);
		put_bytes(out, block->txs[i].raw);
	}
}

static void take_block(struct blocks_file_record *out, struct cursor *at)
{
	struct app_block *block = &out->block;
	block->height = (int64_t)cursor_u64be(at);
	block->time = take_time(at);
	block->last_time = take_time(at);
	cursor_copy(at, block->proposer.b, sizeof block->proposer.b);
	cursor_copy(at, out->app_hash.b, sizeof out->app_hash.b);
	block->txs = out->txs;
	block->tx_count = cursor_u32be(at);
	at->bad = at->bad || block->tx_count > BLOCKS_FILE_TXS_MAX;
	for (size_t i = 0; !at->bad && i < block->tx_count; i++) {
		out->txs[i].verified = cursor_u8(at) != 0;
		out->txs[i].raw = take_bytes(at);
		out->txs[i].hash = sha256(out->txs[i].raw);
	}
}

bool blocks_file_next(struct blocks_file_record *out, struct cursor *at)
{
	memset(out, 0, sizeof *out);
	if (at->left == 0)
		return false;
	uint8_t kind = cursor_u8(at);
	if (kind == BLOCKS_FILE_WORLD) {
		out->kind = BLOCKS_FILE_WORLD;
		take_world(out, at);
	} else if (kind == BLOCKS_FILE_BLOCK) {
		out->kind = BLOCKS_FILE_BLOCK;
		take_block(out, at);
	} else {
		at->bad = true;
	}
	return !at->bad;
}
