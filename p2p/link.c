#include "p2p/link.h"

#include <string.h>

#include "base/endian.h"

/* A frame on the wire: u32be length of what follows | sealed frame. The length is the seal's
 * associated data. */
enum { LENGTH_BYTES = 4 };

const char *link_verdict_text(enum link_verdict verdict)
{
	switch (verdict) {
	case LINK_FINE: return "fine";
	case LINK_STRANGER: return "not a listed node";
	case LINK_FORGED: return "a message its key did not make";
	case LINK_TOO_LARGE: return "a frame over the bound";
	case LINK_NO_MEMORY: return "no memory";
	}
	return "unknown";
}

static struct bytes prologue_of(uint8_t out[64], const struct hash32 *chain_tag)
{
	static const char name[] = "aitbc/p2p/1"; /* its NUL parts it from the tag */
	memcpy(out, name, sizeof name);
	memcpy(out + sizeof name, chain_tag->b, sizeof chain_tag->b);
	return bytes_view(out, sizeof name + sizeof chain_tag->b);
}

static void start(struct link *l, enum link_state state, bool dialer)
{
	memset(l, 0, sizeof *l);
	l->state = state;
	l->dialer = dialer;
	buf_init(&l->input, LENGTH_BYTES + P2P_FRAME_BYTES_MAX + NOISE_TAG_BYTES);
}

bool link_dial(struct link *l, struct buf *out, const struct validator_secret *me,
	const struct validator_key *peer_key, uint32_t peer, const struct hash32 *chain_tag,
	const uint8_t ephemeral_seed[32])
{
	uint8_t prologue[64], first[NOISE_FIRST_BYTES];
	struct noise_key remote;
	start(l, LINK_SECOND, true);
	l->peer = peer;
	if (!noise_public_of(&remote, peer_key) ||
		!noise_start(
			&l->noise, me, &remote, prologue_of(prologue, chain_tag), ephemeral_seed) ||
		!noise_write_first(&l->noise, first)) {
		link_fini(l);
		return false;
	}
	buf_append(out, first, sizeof first);
	l->bytes_out += sizeof first;
	return true;
}

bool link_listen(struct link *l, const struct validator_secret *me, const struct hash32 *chain_tag,
	const uint8_t ephemeral_seed[32], link_admits *admits, void *ctx)
{
	uint8_t prologue[64];
	start(l, LINK_FIRST, false);
	l->admits = admits;
	l->ctx = ctx;
	return noise_start(&l->noise, me, NULL, prologue_of(prologue, chain_tag), ephemeral_seed);
}

void link_fini(struct link *l)
{
	l->state = LINK_CLOSED;
	buf_fini(&l->input);
	noise_wipe(&l->noise);
	secret_wipe(&l->sends, sizeof l->sends);
	secret_wipe(&l->receives, sizeof l->receives);
}

/* ---- handshake ---- */

static enum link_verdict on_first(struct link *l, struct buf *out, const uint8_t *message)
{
	uint8_t second[NOISE_SECOND_BYTES];
	if (!noise_read_first(&l->noise, message))
		return LINK_FORGED;
	if (!l->admits(l->ctx, &l->noise.remote, &l->peer))
		return LINK_STRANGER;
	if (!noise_write_second(&l->noise, second))
		return LINK_FORGED;
	buf_append(out, second, sizeof second);
	l->bytes_out += sizeof second;
	noise_split(&l->noise, &l->receives, &l->sends);
	l->state = LINK_OPEN;
	return LINK_FINE;
}

static enum link_verdict on_second(struct link *l, const uint8_t *message)
{
	if (!noise_read_second(&l->noise, message))
		return LINK_FORGED;
	noise_split(&l->noise, &l->sends, &l->receives);
	l->state = LINK_OPEN;
	return LINK_FINE;
}

/* ---- frames ---- */

/* Bytes the next message takes; 0: its length is not here yet. */
static size_t message_bytes(const struct link *l, struct bytes in, enum link_verdict *verdict)
{
	*verdict = LINK_FINE;
	switch (l->state) {
	case LINK_FIRST: return NOISE_FIRST_BYTES;
	case LINK_SECOND: return NOISE_SECOND_BYTES;
	case LINK_OPEN: break;
	case LINK_CLOSED: return 0;
	}
	if (in.len < LENGTH_BYTES)
		return 0;
	uint32_t len = get_u32be(in.data);
	if (len <= NOISE_TAG_BYTES)
		*verdict = LINK_FORGED;
	else if (len > P2P_FRAME_BYTES_MAX + NOISE_TAG_BYTES)
		*verdict = LINK_TOO_LARGE;
	return LENGTH_BYTES + (size_t)len;
}

static enum link_verdict take_message(struct link *l, struct buf *out, struct bytes message,
	struct buf *plain, link_frame *on_frame, void *ctx)
{
	if (l->state == LINK_FIRST)
		return on_first(l, out, message.data);
	if (l->state == LINK_SECOND)
		return on_second(l, message.data);
	size_t sealed = message.len - LENGTH_BYTES;
	buf_clear(plain);
	uint8_t *frame = buf_extend(plain, sealed - NOISE_TAG_BYTES);
	if (!frame)
		return LINK_NO_MEMORY;
	if (!noise_open(&l->receives, frame, bytes_view(message.data, LENGTH_BYTES),
		    message.data + LENGTH_BYTES, sealed))
		return LINK_FORGED;
	l->frames_in++;
	on_frame(ctx, buf_view(plain));
	return LINK_FINE;
}

/* Every whole message at the front of the bytes; *used is what they took. */
static enum link_verdict take_whole(struct link *l, struct buf *out, struct bytes in, size_t *used,
	link_frame *on_frame, void *ctx)
{
	struct buf plain;
	buf_init(&plain, P2P_FRAME_BYTES_MAX);
	enum link_verdict verdict = LINK_FINE;
	*used = 0;
	while (verdict == LINK_FINE && l->state != LINK_CLOSED) {
		struct bytes rest = bytes_view(in.data + *used, in.len - *used);
		size_t len = message_bytes(l, rest, &verdict);
		if (verdict != LINK_FINE || len == 0 || len > rest.len)
			break;
		verdict = take_message(l, out, bytes_view(rest.data, len), &plain, on_frame, ctx);
		*used += len;
	}
	buf_fini(&plain);
	return verdict;
}

/* What is left over from before, made whole with the first of the new bytes. */
static enum link_verdict take_joined(
	struct link *l, struct buf *out, struct bytes *in, link_frame *on_frame, void *ctx)
{
	enum link_verdict verdict = LINK_FINE;
	while (l->input.len > 0 && in->len > 0 && verdict == LINK_FINE) {
		size_t wanted = message_bytes(l, buf_view(&l->input), &verdict);
		if (verdict != LINK_FINE)
			return verdict;
		size_t missing = (wanted ? wanted : LENGTH_BYTES) - l->input.len;
		size_t part = missing < in->len ? missing : in->len;
		buf_append(&l->input, in->data, part);
		if (!buf_ok(&l->input))
			return LINK_NO_MEMORY;
		in->data += part;
		in->len -= part;
		size_t used;
		verdict = take_whole(l, out, buf_view(&l->input), &used, on_frame, ctx);
		CHECK(used == 0 || used == l->input.len); /* never more than one message */
		if (used > 0)
			buf_clear(&l->input);
	}
	return verdict;
}

enum link_verdict link_take(
	struct link *l, struct buf *out, struct bytes in, link_frame *on_frame, void *ctx)
{
	if (l->state == LINK_CLOSED)
		return LINK_FORGED;
	l->bytes_in += in.len;
	size_t used = 0;
	enum link_verdict verdict = take_joined(l, out, &in, on_frame, ctx);
	if (verdict == LINK_FINE)
		verdict = take_whole(l, out, in, &used, on_frame, ctx);
	if (verdict == LINK_FINE) {
		buf_append(&l->input, in.data + used, in.len - used);
		if (!buf_ok(&l->input) || !buf_ok(out))
			verdict = LINK_NO_MEMORY;
	}
	if (verdict != LINK_FINE)
		link_fini(l);
	return verdict;
}

void link_put(struct link *l, struct buf *out, struct bytes frame)
{
	CHECK(l->state == LINK_OPEN);
	CHECK(frame.len > 0);
	CHECK(frame.len <= P2P_FRAME_BYTES_MAX);
	size_t sealed = frame.len + NOISE_TAG_BYTES;
	uint8_t *at = buf_extend(out, LENGTH_BYTES + sealed);
	if (!at)
		return; /* out has failed, and its owner will see */
	put_u32be(at, (uint32_t)sealed);
	noise_seal(
		&l->sends, at + LENGTH_BYTES, bytes_view(at, LENGTH_BYTES), frame.data, frame.len);
	l->frames_out++;
	l->bytes_out += LENGTH_BYTES + sealed;
}
