#include "consensus/wal.h"

#include <string.h>

#include "base/endian.h"

static void put_block_id(struct buf *b, const struct block_id *id)
{
	buf_append(b, id->hash.b, sizeof id->hash.b);
	buf_append_u32be(b, id->parts_total);
	buf_append(b, id->parts_hash.b, sizeof id->parts_hash.b);
}

static struct block_id get_block_id(struct cursor *c)
{
	struct block_id id;
	memset(&id, 0, sizeof id);
	cursor_copy(c, id.hash.b, sizeof id.hash.b);
	id.parts_total = cursor_u32be(c);
	cursor_copy(c, id.parts_hash.b, sizeof id.parts_hash.b);
	return id;
}

static void put_time(struct buf *b, struct timestamp t)
{
	buf_append_u64be(b, (uint64_t)t.seconds);
	buf_append_u32be(b, (uint32_t)t.nanos);
}

static struct timestamp get_time(struct cursor *c)
{
	struct timestamp t;
	t.seconds = (int64_t)cursor_u64be(c);
	t.nanos = (int32_t)cursor_u32be(c);
	return t;
}

static void put_vote(struct buf *b, const struct vote *v)
{
	buf_append_byte(b, (uint8_t)v->type);
	buf_append_u64be(b, (uint64_t)v->height);
	buf_append_u32be(b, (uint32_t)v->round);
	put_block_id(b, &v->block_id);
	put_time(b, v->time);
	buf_append(b, v->address.b, sizeof v->address.b);
	buf_append_u32be(b, v->index);
	buf_append(b, v->signature.b, sizeof v->signature.b);
}

static bool get_vote(struct cursor *c, struct vote *v)
{
	uint8_t type = cursor_u8(c);
	v->type = (enum vote_type)type;
	v->height = (int64_t)cursor_u64be(c);
	v->round = (int32_t)cursor_u32be(c);
	v->block_id = get_block_id(c);
	v->time = get_time(c);
	cursor_copy(c, v->address.b, sizeof v->address.b);
	v->index = cursor_u32be(c);
	cursor_copy(c, v->signature.b, sizeof v->signature.b);
	return type == VOTE_PREVOTE || type == VOTE_PRECOMMIT;
}

static void put_proposal(struct buf *b, const struct proposal *p)
{
	buf_append_u64be(b, (uint64_t)p->height);
	buf_append_u32be(b, (uint32_t)p->round);
	buf_append_u32be(b, (uint32_t)p->pol_round);
	put_block_id(b, &p->block_id);
	put_time(b, p->time);
	buf_append(b, p->signature.b, sizeof p->signature.b);
}

static void get_proposal(struct cursor *c, struct proposal *p)
{
	p->height = (int64_t)cursor_u64be(c);
	p->round = (int32_t)cursor_u32be(c);
	p->pol_round = (int32_t)cursor_u32be(c);
	p->block_id = get_block_id(c);
	p->time = get_time(c);
	cursor_copy(c, p->signature.b, sizeof p->signature.b);
}

static size_t frame_begin(struct buf *out, enum wal_kind kind, int64_t height)
{
	size_t at = out->len;
	buf_append_u64be(out, 0); /* the header, filled by frame_end */
	buf_append_u32be(out, 0);
	buf_append_byte(out, (uint8_t)kind);
	buf_append_u64be(out, (uint64_t)height);
	return at;
}

static void frame_end(struct buf *out, size_t at)
{
	if (!buf_ok(out))
		return;
	uint8_t *frame = out->data + at;
	size_t len = out->len - at - WAL_FRAME_HEADER_BYTES;
	put_u32be(frame, (uint32_t)len);
	put_u32be(frame + 4, crc32c(0, bytes_view(frame, 4)));
	put_u32be(frame + 8, crc32c(0, bytes_view(frame + WAL_FRAME_HEADER_BYTES, len)));
}

void wal_append_input(struct buf *out, const struct consensus_input *in, int64_t height)
{
	size_t at = frame_begin(out, WAL_INPUT, height);
	buf_append_byte(out, (uint8_t)in->kind);
	put_time(out, in->now);
	switch (in->kind) {
	case IN_PROPOSAL:
	case IN_SIGNED_PROPOSAL: put_proposal(out, &in->u.proposal); break;
	case IN_VOTE:
	case IN_SIGNED_VOTE: put_vote(out, &in->u.vote); break;
	case IN_BEGIN:
	case IN_TIMEOUT:
	case IN_SIGN_REFUSED:
		buf_append_u64be(out, (uint64_t)in->u.point.height);
		buf_append_u32be(out, (uint32_t)in->u.point.round);
		buf_append_byte(out, (uint8_t)in->u.point.step);
		break;
	case IN_BLOCK:
	case IN_PROPOSAL_BUILT:
	case IN_PROPOSAL_CHECKED:
		buf_append_u64be(out, (uint64_t)in->u.block.height);
		buf_append_u32be(out, (uint32_t)in->u.block.round);
		put_block_id(out, &in->u.block.block);
		put_time(out, in->u.block.time);
		buf_append_byte(out, in->u.block.valid ? 1 : 0);
		break;
	case IN_EXECUTED:
	case IN_COMMITTED: CHECK(in->kind != IN_EXECUTED && in->kind != IN_COMMITTED); break;
	}
	frame_end(out, at);
}

void wal_append_block(struct buf *out, int64_t height, const struct block_id *id, struct bytes raw)
{
	size_t at = frame_begin(out, WAL_BLOCK, height);
	put_block_id(out, id);
	buf_append_view(out, raw);
	frame_end(out, at);
}

static bool get_input(struct cursor *c, struct consensus_input *in)
{
	uint8_t kind = cursor_u8(c);
	if (kind >= IN_EXECUTED)
		return false;
	in->kind = (enum consensus_input_kind)kind;
	in->now = get_time(c);
	bool good = true;
	switch (in->kind) {
	case IN_PROPOSAL:
	case IN_SIGNED_PROPOSAL: get_proposal(c, &in->u.proposal); break;
	case IN_VOTE:
	case IN_SIGNED_VOTE: good = get_vote(c, &in->u.vote); break;
	case IN_BEGIN:
	case IN_TIMEOUT:
	case IN_SIGN_REFUSED:
		in->u.point.height = (int64_t)cursor_u64be(c);
		in->u.point.round = (int32_t)cursor_u32be(c);
		in->u.point.step = (enum consensus_step)cursor_u8(c);
		good = in->u.point.step <= STEP_COMMIT;
		break;
	case IN_BLOCK:
	case IN_PROPOSAL_BUILT:
	case IN_PROPOSAL_CHECKED:
		in->u.block.height = (int64_t)cursor_u64be(c);
		in->u.block.round = (int32_t)cursor_u32be(c);
		in->u.block.block = get_block_id(c);
		in->u.block.time = get_time(c);
		in->u.block.valid = cursor_u8(c) == 1;
		break;
	case IN_EXECUTED:
	case IN_COMMITTED: return false;
	}
	return good && cursor_done(c);
}

static bool get_record(struct bytes payload, struct wal_record *out)
{
	struct cursor c = cursor_of(payload);
	memset(out, 0, sizeof *out);
	uint8_t kind = cursor_u8(&c);
	out->height = (int64_t)cursor_u64be(&c);
	if (kind == WAL_INPUT) {
		out->kind = WAL_INPUT;
		return get_input(&c, &out->input);
	}
	if (kind != WAL_BLOCK)
		return false;
	out->kind = WAL_BLOCK;
	out->block = get_block_id(&c);
	out->block_raw = cursor_view(&c, c.left);
	return cursor_done(&c);
}

/* The tail of a file whose size was extended before its bytes arrived reads as zeros. */
static bool all_zero(struct bytes view)
{
	for (size_t i = 0; i < view.len; i++) {
		if (view.data[i] != 0)
			return false;
	}
	return true;
}

enum wal_answer wal_next(struct bytes log, size_t *at, struct wal_record *out)
{
	CHECK(*at <= log.len);
	struct bytes rest = bytes_view(log.data + *at, log.len - *at);
	if (rest.len == 0)
		return WAL_END;
	if (rest.len < WAL_FRAME_HEADER_BYTES || all_zero(rest))
		return WAL_TORN;
	uint32_t len = get_u32be(rest.data);
	if (get_u32be(rest.data + 4) != crc32c(0, bytes_view(rest.data, 4)) ||
		len > WAL_RECORD_BYTES_MAX)
		return WAL_ROTTEN;
	if (rest.len - WAL_FRAME_HEADER_BYTES < len)
		return WAL_TORN;
	struct bytes payload = bytes_view(rest.data + WAL_FRAME_HEADER_BYTES, len);
	bool last = rest.len - WAL_FRAME_HEADER_BYTES == len;
	if (get_u32be(rest.data + 8) != crc32c(0, payload))
		return last ? WAL_TORN : WAL_ROTTEN;
	if (!get_record(payload, out))
		return WAL_ROTTEN;
	*at += (size_t)len + WAL_FRAME_HEADER_BYTES;
	return WAL_RECORD;
}
