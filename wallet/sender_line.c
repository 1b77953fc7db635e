/* Acts and the line in which they wait for a sequence. */
#include <stdlib.h>

#include "wallet/sender_inside.h"

void act_free(struct act *act)
{
	pb__tx_body__free_unpacked(act->body, NULL);
	buf_fini(&act->tx);
	free(act);
}

Pb__TxBody *sender_body_copy(const Pb__Action *const *actions, size_t count, Pb__Mode mode)
{
	Pb__TxBody view = PB__TX_BODY__INIT;
	Pb__TxBody *copy = NULL;

	view.mode = mode;
	view.n_actions = count;
	view.actions = (Pb__Action **)(uintptr_t)actions; /* only packed, never written */
	size_t len = pb__tx_body__get_packed_size(&view);
	uint8_t *packed = len <= TX_BYTES_MAX ? malloc(len + 1) : NULL;
	if (packed) {
		copy = pb__tx_body__unpack(NULL, pb__tx_body__pack(&view, packed), packed);
		free(packed);
	}
	if (!copy)
		return NULL;
	copy->sequence = copy->fee = copy->valid_until_ms = UINT64_MAX;
	bool fits = sender_tx_bytes(copy) <= TX_BYTES_MAX;
	copy->sequence = copy->fee = copy->valid_until_ms = 0;
	if (fits)
		return copy;
	pb__tx_body__free_unpacked(copy, NULL);
	return NULL;
}

struct act *act_new(const Pb__Action *const *actions, size_t count, Pb__Mode mode)
{
	Pb__TxBody *body = count >= 1 && count <= TX_ACTIONS_MAX
				   ? sender_body_copy(actions, count, mode)
				   : NULL;
	struct act *act = body ? calloc(1, sizeof *act) : NULL;

	if (!act) {
		if (body)
			pb__tx_body__free_unpacked(body, NULL);
		return NULL;
	}
	act->body = body;
	act->since_ms = sender_now_ms();
	buf_init(&act->tx, TX_BYTES_MAX);
	return act;
}

void line_append(struct sender *s, struct act *act)
{
	act->stage = ACT_QUEUED;
	act->next = NULL;
	*s->line_end = act;
	s->line_end = &act->next;
	s->line_count++;
}

void line_prepend(struct sender *s, struct act *act)
{
	act->stage = ACT_QUEUED;
	act->next = s->line;
	s->line = act;
	if (!act->next)
		s->line_end = &act->next;
	s->line_count++;
}

struct act *line_take(struct sender *s)
{
	struct act *act = s->line;

	s->line = act->next;
	if (!s->line)
		s->line_end = &s->line;
	s->line_count--;
	return act;
}
