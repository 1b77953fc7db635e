/* link: one connection between two nodes that list each other, as a byte machine: bytes of the wire
 * in, whole frames out, and back. Nothing travels in the clear but frame lengths; a stranger, a
 * wrong key or a changed byte ends the link, and a listener has then said nothing at all. Owns its
 * unfinished input (bounded by P2P_FRAME_BYTES_MAX). One thread. Called by node/ (sockets) and the
 * simulator. Pure: no socket, no clock, no randomness but the seed given at the start. */
#ifndef P2P_LINK_H
#define P2P_LINK_H

#include "base/limits.h"
#include "base/status.h"
#include "p2p/noise.h"

enum link_state {
	LINK_FIRST,  /* listener: waits for the dialer's message */
	LINK_SECOND, /* dialer: waits for the listener's */
	LINK_OPEN,
	LINK_CLOSED
};

enum link_verdict {
	LINK_FINE,
	LINK_STRANGER,  /* the other side is nobody we list */
	LINK_FORGED,    /* a message or frame that its key did not make */
	LINK_TOO_LARGE, /* a frame over the bound */
	LINK_NO_MEMORY  /* ours: not the peer's fault */
};
const char *link_verdict_text(enum link_verdict verdict);

/* Listener: may this node in? index names the peer in the caller's book. */
typedef bool link_admits(void *ctx, const struct noise_key *remote, uint32_t *peer);
/* A whole frame, decrypted; borrowed for the call. The callback must not use the link. */
typedef void link_frame(void *ctx, struct bytes frame);

struct link {
	enum link_state state;
	bool dialer;
	struct noise noise;
	struct noise_cipher sends, receives;
	struct buf input; /* not a whole message yet */
	uint32_t peer;    /* index in the caller's book, once known */
	link_admits *admits;
	void *ctx;
	uint64_t frames_in, frames_out, bytes_in, bytes_out;
};

/* Dials peer, whose node key is known. The first message is appended to out. False: a key that
 * can't be. */
MUST_USE bool link_dial(struct link *l, struct buf *out, const struct validator_secret *me,
	const struct validator_key *peer_key, uint32_t peer, const struct hash32 *chain_tag,
	const uint8_t ephemeral_seed[32]);
/* Listens to whoever connected. */
MUST_USE bool link_listen(struct link *l, const struct validator_secret *me,
	const struct hash32 *chain_tag, const uint8_t ephemeral_seed[32], link_admits *admits,
	void *ctx);
void link_fini(struct link *l);

/* Bytes from the wire. What is to be sent back is appended to out; each whole frame goes to
 * on_frame. Anything but LINK_FINE closes the link for good. */
MUST_USE enum link_verdict link_take(
	struct link *l, struct buf *out, struct bytes in, link_frame *on_frame, void *ctx);

/* Seals a frame (1..P2P_FRAME_BYTES_MAX) and appends it to out. The link must be open. */
void link_put(struct link *l, struct buf *out, struct bytes frame);

#endif
