#include "tests/sim/disk.h"

#include <string.h>

enum { SECTOR_BYTES = 64 }; /* small, so that short logs are hit too */

void disk_init(struct sim_disk *d)
{
	memset(d, 0, sizeof *d);
	fence_fresh(d->fence_file);
	CHECK(disk_open(d));
}

void disk_fini(struct sim_disk *d)
{
	buf_fini(&d->log);
	buf_fini(&d->pending);
	buf_fini(&d->before);
}

void disk_append(struct sim_disk *d, struct bytes record)
{
	buf_append_view(&d->pending, record);
}

enum status disk_push(struct sim_disk *d)
{
	if (d->pending.len == 0)
		return STATUS_OK;
	bool full = d->health == DISK_FULL;
	if (full) /* as much as there was room for */
		d->pending.len /= 2;
	buf_append_view(&d->log, buf_view(&d->pending));
	buf_clear(&d->pending);
	d->dirty = true;
	CHECK(buf_ok(&d->log));
	return full ? STATUS_DISK_FULL : STATUS_OK;
}

enum status disk_sync(struct sim_disk *d)
{
	enum status status = disk_push(d);
	if (status != STATUS_OK || !d->dirty || d->forgets_syncs)
		return status;
	if (d->health == DISK_NO_SYNC)
		return STATUS_IO;
	d->dirty = false;
	d->synced = d->log.len;
	d->reset_pending = false;
	buf_clear(&d->before);
	return STATUS_OK;
}

void disk_reset(struct sim_disk *d)
{
	buf_clear(&d->pending);
	if (!d->reset_pending) {
		buf_clear(&d->before);
		buf_append_view(&d->before, buf_view(&d->log));
		d->reset_pending = true;
	}
	buf_clear(&d->log);
	d->synced = 0;
	d->dirty = false;
}

void disk_cut(struct sim_disk *d, size_t len)
{
	CHECK(len <= d->log.len);
	d->log.len = len;
	if (d->synced > len)
		d->synced = len;
}

enum status disk_fence_write(struct sim_disk *d, struct fence_record *record)
{
	if (d->health == DISK_NO_SYNC)
		return STATUS_IO;
	fence_follow(record, &d->fence, d->synced);
	fence_encode(d->fence_file + (size_t)fence_next_slot(&d->fence) * FENCE_SLOT_BYTES, record);
	d->fence = *record;
	return STATUS_OK;
}

static void noise(uint8_t *at, size_t len, struct random *dice)
{
	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)random_next(dice);
}

/* What a power cut makes of the bytes behind the synced ones. */
static void tear_tail(struct sim_disk *d, struct random *dice)
{
	size_t tail = d->log.len - d->synced;
	uint8_t *at = d->log.data + d->synced;
	size_t cut = (size_t)random_below(dice, tail + 1);
	switch (random_below(dice, 6)) {
	case 0: d->log.len = d->synced; break; /* gone */
	case 1: break;                         /* all of it arrived */
	case 2: d->log.len = d->synced + cut; break;
	case 3: memset(at + cut, 0, tail - cut); break; /* the length came before the bytes */
	case 4: noise(at + cut, tail - cut, dice); break;
	default: /* sectors came in any order */
		for (size_t s = 0; s < tail; s += SECTOR_BYTES) {
			size_t len = tail - s < SECTOR_BYTES ? tail - s : SECTOR_BYTES;
			if (random_chance(dice, 500))
				memset(at + s, 0, len);
		}
		break;
	}
}

void disk_crash(struct sim_disk *d, enum crash_kind kind, bool torn, struct random *dice)
{
	if (torn && d->pending.len > 0) {
		d->pending.len = (size_t)random_below(dice, d->pending.len + 1);
		buf_append_view(&d->log, buf_view(&d->pending));
		CHECK(buf_ok(&d->log));
	}
	buf_clear(&d->pending);
	if (kind == CRASH_KILL)
		return;
	if (d->reset_pending && random_chance(dice, 500)) {
		buf_clear(&d->log);
		buf_append_view(&d->log, buf_view(&d->before));
	} else if (d->log.len > d->synced) {
		tear_tail(d, dice);
	}
	d->reset_pending = false;
	buf_clear(&d->before);
	d->synced = d->log.len; /* what can be read now has survived */
}

void disk_crash_in_fence(struct sim_disk *d, const struct fence_record *wanted, struct random *dice)
{
	struct fence_record record = *wanted;
	uint8_t slot[FENCE_SLOT_BYTES];
	fence_follow(&record, &d->fence, d->synced);
	fence_encode(slot, &record);
	uint8_t *at = d->fence_file + (size_t)fence_next_slot(&d->fence) * FENCE_SLOT_BYTES;
	size_t cut = (size_t)random_below(dice, FENCE_SLOT_BYTES + 1);
	memcpy(at, slot, cut);
	if (random_chance(dice, 500))
		noise(at + cut, FENCE_SLOT_BYTES - cut, dice);
}

void disk_rot(struct sim_disk *d, struct random *dice)
{
	bool in_log = d->log.len > 0 && random_chance(dice, 700);
	uint8_t *at = in_log ? d->log.data : d->fence_file;
	size_t len = in_log ? d->log.len : sizeof d->fence_file;
	for (uint64_t flips = 1 + random_below(dice, 3); flips > 0; flips--)
		at[random_below(dice, len)] ^= (uint8_t)(1 + random_below(dice, 255));
}

void disk_lose_fence(struct sim_disk *d)
{
	memset(d->fence_file, 0, sizeof d->fence_file);
	memset(&d->fence, 0, sizeof d->fence);
}

bool disk_open(struct sim_disk *d)
{
	d->dirty = d->log.len > 0;
	bool known = fence_load(&d->fence, d->fence_file) == FENCE_WHOLE;
	if (!known)
		disk_lose_fence(d); /* the first record takes the place of what is there */
	return known;
}
