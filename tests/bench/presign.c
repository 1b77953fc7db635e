#define _GNU_SOURCE
#include "tests/bench/presign.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/endian.h"
#include "chain/tx.h"

enum { TX_BYTES = 256, THREADS_MAX = 16 };

struct slot {
	uint16_t len;
	uint8_t b[TX_BYTES - 2];
};

struct presigned {
	struct slot *slots;
	size_t count;
	uint32_t account_count;
	uint64_t fee;
	struct hash32 chain_tag;
	struct account_secret *secrets;
	struct account_key *keys;
};

struct share {
	struct presigned *p;
	size_t from;
	size_t to;
	bool ok;
};

void presign_account(struct account_secret *secret, struct account_key *key, uint32_t index)
{
	uint8_t seed[16] = "bench account";
	put_u32be(seed + 12, index);
	struct hash32 hash = sha256(bytes_view(seed, sizeof seed));
	memcpy(secret->b, hash.b, sizeof secret->b);
	CHECK(account_key_of(key, secret));
}

static bool sign_one(struct presigned *p, size_t index, struct buf *scratch)
{
	uint32_t from = (uint32_t)(index % p->account_count);
	uint32_t to = (from * 7919u + 1) % p->account_count;
	struct account_address address = account_address_of(&p->keys[to]);
	Pb__Transfer transfer = PB__TRANSFER__INIT;
	transfer.to.data = address.b;
	transfer.to.len = sizeof address.b;
	transfer.amount = 1;
	Pb__Action action = PB__ACTION__INIT;
	action.act_case = PB__ACTION__ACT_TRANSFER;
	action.transfer = &transfer;
	Pb__Action *actions[] = {&action};
	Pb__TxBody body = PB__TX_BODY__INIT;
	body.sequence = index / p->account_count;
	body.fee = p->fee;
	body.actions = actions;
	body.n_actions = 1;
	buf_clear(scratch);
	tx_sign(scratch, &body, &p->secrets[from], &p->keys[from], &p->chain_tag);
	struct slot *slot = &p->slots[index];
	if (!buf_ok(scratch) || scratch->len > sizeof slot->b)
		return false;
	slot->len = (uint16_t)scratch->len;
	memcpy(slot->b, scratch->data, scratch->len);
	return true;
}

static void *sign_share(void *ctx)
{
	struct share *share = ctx;
	struct buf scratch = {0};
	share->ok = true;
	for (size_t i = share->from; i < share->to && share->ok; i++)
		share->ok = sign_one(share->p, i, &scratch);
	buf_fini(&scratch);
	return NULL;
}

static size_t cores(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	return online < 1 ? 1 : online > THREADS_MAX ? THREADS_MAX : (size_t)online;
}

static bool sign_all(struct presigned *p)
{
	pthread_t threads[THREADS_MAX];
	struct share shares[THREADS_MAX];
	size_t count = cores();
	bool ok = true;
	for (size_t i = 0; i < count; i++) {
		struct share share = {p, p->count * i / count, p->count * (i + 1) / count, false};
		shares[i] = share;
		CHECK(pthread_create(&threads[i], NULL, sign_share, &shares[i]) == 0);
	}
	for (size_t i = 0; i < count; i++) {
		CHECK(pthread_join(threads[i], NULL) == 0);
		ok = ok && shares[i].ok;
	}
	return ok;
}

enum status presigned_new(struct presigned **out, const struct hash32 *chain_tag,
	uint32_t account_count, size_t tx_count, uint64_t fee)
{
	struct presigned *p = calloc(1, sizeof *p);
	if (p == NULL)
		return STATUS_NO_MEMORY;
	p->slots = calloc(tx_count, sizeof p->slots[0]);
	p->secrets = calloc(account_count, sizeof p->secrets[0]);
	p->keys = calloc(account_count, sizeof p->keys[0]);
	p->count = tx_count;
	p->account_count = account_count;
	p->fee = fee;
	p->chain_tag = *chain_tag;
	bool ok = p->slots != NULL && p->secrets != NULL && p->keys != NULL;
	for (uint32_t i = 0; i < account_count && ok; i++)
		presign_account(&p->secrets[i], &p->keys[i], i);
	if (!ok || !sign_all(p)) {
		presigned_free(p);
		return STATUS_NO_MEMORY;
	}
	*out = p;
	return STATUS_OK;
}

void presigned_free(struct presigned *p)
{
	if (p == NULL)
		return;
	free(p->slots);
	free(p->secrets);
	free(p->keys);
	free(p);
}

struct bytes presigned_view(const struct presigned *p, size_t index)
{
	return bytes_view(p->slots[index].b, p->slots[index].len);
}

size_t presigned_count(const struct presigned *p)
{
	return p->count;
}
