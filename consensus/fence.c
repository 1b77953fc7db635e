#include "consensus/fence.h"

#include <string.h>

#include "base/bytes.h"
#include "base/endian.h"

/* Slot: "AFN1" | counter 8 | height 8 | round 4 | step 4 | sign_bytes 32 | validator 20 | log_bytes
 * 8 | zeros | crc32c 4 */
static const uint8_t magic[4] = {'A', 'F', 'N', '1'};
enum {
	AT_COUNTER = 4,
	AT_HEIGHT = 12,
	AT_ROUND = 20,
	AT_STEP = 24,
	AT_SIGN_BYTES = 28,
	AT_VALIDATOR = 60,
	AT_LOG_BYTES = 80,
	AT_CRC = FENCE_SLOT_BYTES - 4
};

void fence_encode(uint8_t out[FENCE_SLOT_BYTES], const struct fence_record *record)
{
	memset(out, 0, FENCE_SLOT_BYTES);
	memcpy(out, magic, sizeof magic);
	put_u64be(out + AT_COUNTER, record->counter);
	put_u64be(out + AT_HEIGHT, (uint64_t)record->height);
	put_u32be(out + AT_ROUND, (uint32_t)record->round);
	put_u32be(out + AT_STEP, (uint32_t)record->step);
	memcpy(out + AT_SIGN_BYTES, record->sign_bytes.b, sizeof record->sign_bytes.b);
	memcpy(out + AT_VALIDATOR, record->validator.b, sizeof record->validator.b);
	put_u64be(out + AT_LOG_BYTES, record->log_bytes);
	put_u32be(out + AT_CRC, crc32c(0, bytes_view(out, AT_CRC)));
}

enum fence_slot fence_decode(struct fence_record *out, const uint8_t slot[FENCE_SLOT_BYTES])
{
	bool blank = true;
	for (size_t i = 0; i < FENCE_SLOT_BYTES && blank; i++)
		blank = slot[i] == 0;
	if (blank)
		return FENCE_EMPTY;
	if (memcmp(slot, magic, sizeof magic) != 0)
		return FENCE_DAMAGED;
	if (get_u32be(slot + AT_CRC) != crc32c(0, bytes_view(slot, AT_CRC)))
		return FENCE_DAMAGED;
	uint32_t step = get_u32be(slot + AT_STEP);
	if (step > FENCE_PRECOMMIT)
		return FENCE_DAMAGED;
	memset(out, 0, sizeof *out);
	out->counter = get_u64be(slot + AT_COUNTER);
	out->height = (int64_t)get_u64be(slot + AT_HEIGHT);
	out->round = (int32_t)get_u32be(slot + AT_ROUND);
	out->step = (enum fence_step)step;
	memcpy(out->sign_bytes.b, slot + AT_SIGN_BYTES, sizeof out->sign_bytes.b);
	memcpy(out->validator.b, slot + AT_VALIDATOR, sizeof out->validator.b);
	out->log_bytes = get_u64be(slot + AT_LOG_BYTES);
	return FENCE_WHOLE;
}

void fence_fresh(uint8_t file[FENCE_FILE_BYTES])
{
	struct fence_record nothing;
	memset(&nothing, 0, sizeof nothing);
	memset(file, 0, FENCE_FILE_BYTES);
	fence_encode(file, &nothing);
}

enum fence_slot fence_load(struct fence_record *out, const uint8_t file[FENCE_FILE_BYTES])
{
	struct fence_record records[2];
	enum fence_slot slots[2];
	for (unsigned i = 0; i < 2; i++)
		slots[i] = fence_decode(&records[i], file + (size_t)i * FENCE_SLOT_BYTES);
	/* Record n went to slot n % 2. */
	for (unsigned i = 0; i < 2; i++) {
		if (slots[i] == FENCE_WHOLE && records[i].counter % 2 != i)
			slots[i] = FENCE_DAMAGED;
	}
	if (slots[0] != FENCE_WHOLE && slots[1] != FENCE_WHOLE) {
		memset(out, 0, sizeof *out);
		bool blank = slots[0] == FENCE_EMPTY && slots[1] == FENCE_EMPTY;
		return blank ? FENCE_EMPTY : FENCE_DAMAGED;
	}
	bool second = slots[0] != FENCE_WHOLE ||
		      (slots[1] == FENCE_WHOLE && records[1].counter > records[0].counter);
	*out = records[second ? 1 : 0];
	return FENCE_WHOLE;
}

void fence_follow(
	struct fence_record *next, const struct fence_record *in_force, uint64_t log_durable_bytes)
{
	bool same_height = next->height == in_force->height;
	next->counter = in_force->counter + 1;
	next->log_bytes = log_durable_bytes;
	if (same_height && in_force->log_bytes > log_durable_bytes)
		next->log_bytes = in_force->log_bytes;
}

unsigned fence_next_slot(const struct fence_record *in_force)
{
	return (unsigned)((in_force->counter + 1) % 2);
}

int fence_order(const struct fence_record *a, const struct fence_record *b)
{
	if (a->height != b->height)
		return a->height < b->height ? -1 : 1;
	if (a->round != b->round)
		return a->round < b->round ? -1 : 1;
	if (a->step != b->step)
		return a->step < b->step ? -1 : 1;
	return 0;
}

enum fence_answer fence_ask(const struct fence_record *last, const struct fence_record *wanted)
{
	int later = fence_order(wanted, last);
	if (later > 0)
		return FENCE_SIGN;
	if (later == 0 && hash_equal(&last->sign_bytes, &wanted->sign_bytes))
		return FENCE_AGAIN;
	return FENCE_REFUSE;
}
