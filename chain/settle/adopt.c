/* How a block's work is written into its batch, and how it becomes the committed state. */
#include <string.h>

#include "chain/settle/jobs.h"
#include "chain/settle/machine.h"
#include "chain/settle/prove.h"

void work_put(struct settle *settle, struct store_batch *batch)
{
	struct store_op op;
	size_t at = 0;

	for (const struct state_entry *entry = settle->work.newest; entry; entry = entry->older) {
		uint8_t scratch[ACCOUNT_BYTES_MAX];

		if (!state_entry_changed(entry))
			continue;
		if (entry->exists)
			store_batch_put(
				batch, STORE_STATE, entry->key, state_entry_value(entry, scratch));
		else
			store_batch_delete(batch, STORE_STATE, entry->key);
	}
	while (store_batch_next(&settle->results.rows, &at, &op))
		store_batch_put(batch, op.family, op.key, op.value);
	rows_put_head(batch, &settle->work_head);
}

enum status settle_commit(void *self, struct store_batch *batch)
{
	struct settle *settle = self;

	CHECK(settle->pending);
	if (!buf_ok(&settle->results.rows.ops))
		return STATUS_NO_MEMORY;
	work_put(settle, batch);
	snapshots_build(settle);
	return buf_ok(&batch->ops) ? STATUS_OK : STATUS_NO_MEMORY;
}

/* The due entry of a live job as it was or as it is; false: none. */
static bool due_of(
	struct settle *settle, struct due *out, const struct state_entry *entry, bool before)
{
	bool exists = before ? entry->exists_before : entry->exists;
	struct bytes packed = before ? entry->before.packed : entry->value.packed;
	const struct state_entry *holder;
	Pb__Assignment *assignment = NULL;
	struct state_key key;
	struct job_key job;
	Pb__Job *record;

	if (!exists)
		return false;
	record = pb__job__unpack(arena_protobuf(&settle->scratch), packed.len, packed.data);
	if (!record) {
		settle->fault = STATUS_NO_MEMORY;
		return false;
	}
	if (job_state_is_terminal((enum job_state)record->state))
		return false;
	job.len = entry->key.len - 1;
	memcpy(job.b, entry->key.data + 1, job.len);
	if (record->state == PB__JOB_STATE__DELIVERED) {
		key = state_key_assignment(&job, record->attempt);
		holder = state_find(&settle->work, &key);
		CHECK(holder);
		packed = before ? holder->before.packed : holder->value.packed;
		assignment = pb__assignment__unpack(
			arena_protobuf(&settle->scratch), packed.len, packed.data);
		if (!assignment) {
			settle->fault = STATUS_NO_MEMORY;
			return false;
		}
	}
	*out = job_due(&job, record, assignment);
	return true;
}

static void adopt_job(struct settle *settle, const struct state_entry *entry)
{
	struct due was, is;
	bool had, has;

	arena_reset(&settle->scratch);
	had = due_of(settle, &was, entry, true);
	has = due_of(settle, &is, entry, false);
	if (had && has && was.due_ms == is.due_ms && was.kind == is.kind)
		return;
	if (had)
		due_remove(&settle->due, &was);
	if (has && due_add(&settle->due, &is) != STATUS_OK)
		settle->fault = STATUS_NO_MEMORY;
}

void work_adopt(struct settle *settle)
{
	for (const struct state_entry *entry = settle->work.newest; entry; entry = entry->older) {
		struct account_address address;

		if (entry->key.data[0] == 'a' && entry->exists) {
			memcpy(address.b, entry->key.data + 1, sizeof address.b);
			account_cache_put(settle->cache, &address, &entry->value.account);
		} else if (entry->key.data[0] == 'j' && state_entry_changed(entry)) {
			adopt_job(settle, entry);
		} else {
			authority_adopt(settle, entry);
		}
	}
	tree_commit(&settle->tree);
	settle->totals = settle->work.totals;
	settle->head = settle->work_head;
	settle->pending = false;
}

void settle_committed(void *self)
{
	struct settle *settle = self;

	/* Nothing is pending after init_chain, which adopts at once. */
	if (!settle->pending)
		return;
	past_keep(&settle->past, &settle->work);
	work_adopt(settle);
	snapshots_turn(settle);
}
