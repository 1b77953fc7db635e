/* disk: the simulator's consensus log and fence, with a disk's bad manners. Same deeds as
 * node/disk: appends are pending until pushed, pushed bytes survive the process, synced ones the
 * power. A cut of power leaves of what was not synced whatever a file system may leave. Owned by a
 * sim node; survives its crashes. */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include "base/status.h"
#include "consensus/fence.h"
#include "tests/sim/random.h"

/* What is wrong with the disk at this moment. */
enum disk_health {
	DISK_WELL,
	DISK_FULL,   /* no byte more; a write may have begun */
	DISK_NO_SYNC /* writes go through, syncs fail */
};

struct sim_disk {
	enum disk_health health;
	struct buf log;     /* what a reader of the file sees */
	struct buf pending; /* appended, not written */
	size_t synced;      /* of log, durable */
	bool dirty;         /* written, not synced; unknown after a restart */
	/* The content before a reset that isn't durable yet: a power cut may bring it back. */
	struct buf before;
	bool reset_pending;
	uint8_t fence_file[FENCE_FILE_BYTES];
	struct fence_record fence; /* in force */
	bool forgets_syncs;        /* planted: a sync does nothing */
};

void disk_init(struct sim_disk *d);
void disk_fini(struct sim_disk *d);

void disk_append(struct sim_disk *d, struct bytes record);
/* STATUS_DISK_FULL, STATUS_IO as health says; the driver must stop then. */
MUST_USE enum status disk_push(struct sim_disk *d);
MUST_USE enum status disk_sync(struct sim_disk *d);
void disk_reset(struct sim_disk *d);
void disk_cut(struct sim_disk *d, size_t len);
/* STATUS_IO: nobody knows what of the record is on the disk. */
MUST_USE enum status disk_fence_write(struct sim_disk *d, struct fence_record *record);

enum crash_kind { CRASH_KILL, CRASH_POWER };
/* The process is gone. torn: in the middle of what it was writing. */
void disk_crash(struct sim_disk *d, enum crash_kind kind, bool torn, struct random *dice);
/* The fence record that was being written when it happened. */
void disk_crash_in_fence(
	struct sim_disk *d, const struct fence_record *wanted, struct random *dice);
/* Bytes of the log, or of the fence when there is no log, are not what was written. */
void disk_rot(struct sim_disk *d, struct random *dice);
/* No file is there; the first record makes one. */
void disk_lose_fence(struct sim_disk *d);
/* Reads the fence again. False: no whole slot. */
bool disk_open(struct sim_disk *d);

#endif
