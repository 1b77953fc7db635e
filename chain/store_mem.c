/* Each family is a treap of immutable nodes, shared by every version that holds them: a batch
 * copies only the paths it changes, so a snapshot, an iterator and "the state before that batch"
 * each cost one reference. Priorities are a hash of the key: the same writes give the same trees on
 * every machine. Out of memory is a CHECK here: this adapter runs under tests and the simulator
 * only. */
#include "chain/store_mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A row; shared by the nodes of several versions. */
struct entry {
	uint32_t refs;
	size_t key_len;
	size_t value_len;
	uint8_t data[]; /* key, value */
};

struct node {
	uint32_t refs;
	uint32_t priority;
	struct node *left;
	struct node *right;
	struct entry *entry;
};

struct version {
	struct node *roots[STORE_FAMILIES];
};

struct store_mem {
	pthread_mutex_t lock;     /* over everything but the insides of nodes that someone holds */
	struct version *versions; /* [0] is durable, then one after each unsynced batch; the last is
				     the newest */
	size_t version_count;
	size_t version_cap;
	size_t readers; /* live snapshots and iterators */
	enum status fail_status;
};

struct store_snapshot {
	struct version version;
};

struct store_iterator {
	struct store_mem *mem;
	struct node *root;
	struct entry *at; /* the row last answered; held by root */
	struct buf from;
	struct buf to;
	bool backwards;
	bool started;
	bool done;
};

static struct bytes entry_key(const struct entry *entry)
{
	return bytes_view(entry->data, entry->key_len);
}

static struct bytes entry_value(const struct entry *entry)
{
	return bytes_view(entry->data + entry->key_len, entry->value_len);
}

static struct entry *entry_new(struct bytes key, struct bytes value)
{
	struct entry *entry = malloc(sizeof *entry + key.len + value.len);

	CHECK(entry);
	entry->refs = 1;
	entry->key_len = key.len;
	entry->value_len = value.len;
	if (key.len > 0)
		memcpy(entry->data, key.data, key.len);
	if (value.len > 0)
		memcpy(entry->data + key.len, value.data, value.len);
	return entry;
}

static void entry_release(struct entry *entry)
{
	CHECK(entry->refs > 0);
	if (--entry->refs == 0)
		free(entry);
}

static struct node *node_hold(struct node *node)
{
	if (node)
		node->refs++;
	return node;
}

static void node_release(struct node *node)
{
	if (!node)
		return;
	CHECK(node->refs > 0);
	if (--node->refs > 0)
		return;
	node_release(node->left);
	node_release(node->right);
	entry_release(node->entry);
	free(node);
}

static uint32_t priority_of(struct bytes key)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ key.data[i]) * 16777619u;
	hash ^= hash >> 16;
	hash *= 0x85ebca6bu;
	return hash ^ hash >> 13;
}

static struct node *node_new_take(struct entry *entry)
{
	struct node *node = calloc(1, sizeof *node);

	CHECK(node);
	node->refs = 1;
	node->priority = priority_of(entry_key(entry));
	node->entry = entry;
	return node;
}

/* The caller's reference to a node, made one that nobody shares. */
static struct node *node_own_take(struct node *node)
{
	struct node *copy;

	if (node->refs == 1)
		return node;
	copy = malloc(sizeof *copy);
	CHECK(copy);
	*copy = *node;
	copy->refs = 1;
	node_hold(copy->left);
	node_hold(copy->right);
	copy->entry->refs++;
	node->refs--;
	return copy;
}

/* Both eat the root they are given and return the one in its place. */
static struct node *rotate_right(struct node *top)
{
	struct node *left = top->left;

	top->left = left->right;
	left->right = top;
	return left;
}

static struct node *rotate_left(struct node *top)
{
	struct node *right = top->right;

	top->right = right->left;
	right->left = top;
	return right;
}

static struct node *tree_put_take(struct node *root, struct entry *entry)
{
	struct node *top;
	int order;

	if (!root)
		return node_new_take(entry);
	top = node_own_take(root);
	order = bytes_compare(entry_key(entry), entry_key(top->entry));
	if (order == 0) {
		entry_release(top->entry);
		top->entry = entry;
		return top;
	}
	if (order < 0) {
		top->left = tree_put_take(top->left, entry);
		return top->left->priority > top->priority ? rotate_right(top) : top;
	}
	top->right = tree_put_take(top->right, entry);
	return top->right->priority > top->priority ? rotate_left(top) : top;
}

/* One tree of two, every key of left below every key of right. Eats both references. */
static struct node *tree_join_take(struct node *left, struct node *right)
{
	if (!left)
		return right;
	if (!right)
		return left;
	if (left->priority > right->priority) {
		left = node_own_take(left);
		left->right = tree_join_take(left->right, right);
		return left;
	}
	right = node_own_take(right);
	right->left = tree_join_take(left, right->left);
	return right;
}

static const struct entry *tree_find(const struct node *node, struct bytes key)
{
	while (node) {
		int order = bytes_compare(key, entry_key(node->entry));

		if (order == 0)
			return node->entry;
		node = order < 0 ? node->left : node->right;
	}
	return NULL;
}

/* The key is in the tree. Eats the root and returns the one in its place. */
static struct node *tree_delete_take(struct node *root, struct bytes key)
{
	struct node *top, *rest;
	int order;

	CHECK(root);
	top = node_own_take(root);
	order = bytes_compare(key, entry_key(top->entry));
	if (order < 0) {
		top->left = tree_delete_take(top->left, key);
		return top;
	}
	if (order > 0) {
		top->right = tree_delete_take(top->right, key);
		return top;
	}
	rest = tree_join_take(top->left, top->right);
	entry_release(top->entry);
	free(top);
	return rest;
}

/* Least row with key >= bound (or > bound). */
static struct entry *tree_above(struct node *node, struct bytes bound, bool equal_too)
{
	struct entry *best = NULL;

	while (node) {
		int order = bytes_compare(entry_key(node->entry), bound);

		if (order > 0 || (order == 0 && equal_too)) {
			best = node->entry;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return best;
}

/* Greatest row with key < bound. */
static struct entry *tree_below(struct node *node, struct bytes bound)
{
	struct entry *best = NULL;

	while (node) {
		if (bytes_compare(entry_key(node->entry), bound) < 0) {
			best = node->entry;
			node = node->right;
		} else {
			node = node->left;
		}
	}
	return best;
}

static struct entry *tree_last(struct node *node)
{
	while (node && node->right)
		node = node->right;
	return node ? node->entry : NULL;
}

static void version_hold(struct version *out, const struct version *version)
{
	for (size_t i = 0; i < STORE_FAMILIES; i++)
		out->roots[i] = node_hold(version->roots[i]);
}

static void version_release(struct version *version)
{
	for (size_t i = 0; i < STORE_FAMILIES; i++)
		node_release(version->roots[i]);
	memset(version, 0, sizeof *version);
}

static struct version *newest(struct store_mem *mem)
{
	return &mem->versions[mem->version_count - 1];
}

/* Versions [0, first) fall away; the one at first becomes durable. */
static void versions_forget(struct store_mem *mem, size_t first)
{
	for (size_t i = 0; i < first; i++)
		version_release(&mem->versions[i]);
	mem->version_count -= first;
	memmove(mem->versions, mem->versions + first, mem->version_count * sizeof *mem->versions);
}

static enum status mem_get(void *self, const struct store_snapshot *snapshot,
	enum store_family family, struct bytes key, struct buf *value)
{
	struct store_mem *mem = self;
	const struct version *version;
	const struct entry *entry;

	pthread_mutex_lock(&mem->lock);
	version = snapshot ? &snapshot->version : newest(mem);
	entry = tree_find(version->roots[family], key);
	if (entry)
		buf_append_view(value, entry_value(entry));
	pthread_mutex_unlock(&mem->lock);
	return entry ? STATUS_OK : STATUS_NOT_FOUND;
}

static struct store_snapshot *mem_snapshot_new(void *self)
{
	struct store_mem *mem = self;
	struct store_snapshot *snapshot = malloc(sizeof *snapshot);

	CHECK(snapshot);
	pthread_mutex_lock(&mem->lock);
	version_hold(&snapshot->version, newest(mem));
	mem->readers++;
	pthread_mutex_unlock(&mem->lock);
	return snapshot;
}

static void mem_snapshot_free(void *self, struct store_snapshot *snapshot)
{
	struct store_mem *mem = self;

	pthread_mutex_lock(&mem->lock);
	version_release(&snapshot->version);
	mem->readers--;
	pthread_mutex_unlock(&mem->lock);
	free(snapshot);
}

static struct store_iterator *mem_iterator_new(void *self, const struct store_snapshot *snapshot,
	enum store_family family, struct bytes from, struct bytes to, bool backwards)
{
	struct store_mem *mem = self;
	struct store_iterator *it = calloc(1, sizeof *it);

	CHECK(it);
	it->mem = mem;
	it->backwards = backwards;
	buf_append_view(&it->from, from);
	buf_append_view(&it->to, to);
	CHECK(buf_ok(&it->from) && buf_ok(&it->to));
	pthread_mutex_lock(&mem->lock);
	it->root = node_hold((snapshot ? &snapshot->version : newest(mem))->roots[family]);
	mem->readers++;
	pthread_mutex_unlock(&mem->lock);
	return it;
}

static struct entry *iterator_step(const struct store_iterator *it)
{
	if (!it->started && it->backwards)
		return it->to.len == 0 ? tree_last(it->root)
				       : tree_below(it->root, buf_view(&it->to));
	if (!it->started)
		return tree_above(it->root, buf_view(&it->from), true);
	if (it->backwards)
		return tree_below(it->root, entry_key(it->at));
	return tree_above(it->root, entry_key(it->at), false);
}

/* Takes no lock: the iterator's reference keeps every node below its root as it is. */
static enum status mem_iterator_next(
	struct store_iterator *it, struct bytes *key, struct bytes *value)
{
	struct entry *entry;

	if (it->done)
		return STATUS_NOT_FOUND;
	entry = iterator_step(it);
	if (!entry || bytes_compare(entry_key(entry), buf_view(&it->from)) < 0 ||
		(it->to.len > 0 && bytes_compare(entry_key(entry), buf_view(&it->to)) >= 0)) {
		it->done = true;
		return STATUS_NOT_FOUND;
	}
	it->at = entry;
	it->started = true;
	*key = entry_key(entry);
	*value = entry_value(entry);
	return STATUS_OK;
}

static void mem_iterator_free(struct store_iterator *it)
{
	struct store_mem *mem = it->mem;

	pthread_mutex_lock(&mem->lock);
	node_release(it->root);
	mem->readers--;
	pthread_mutex_unlock(&mem->lock);
	buf_fini(&it->from);
	buf_fini(&it->to);
	free(it);
}

static void versions_push(struct store_mem *mem, const struct version *version)
{
	if (mem->version_count == mem->version_cap) {
		mem->version_cap *= 2;
		mem->versions = realloc(mem->versions, mem->version_cap * sizeof *mem->versions);
		CHECK(mem->versions);
	}
	mem->versions[mem->version_count++] = *version;
}

static enum status mem_write(void *self, const struct store_batch *batch, bool sync)
{
	struct store_mem *mem = self;
	struct version next;
	struct store_op op;
	size_t at = 0;

	pthread_mutex_lock(&mem->lock);
	if (mem->fail_status != STATUS_OK) {
		enum status status = mem->fail_status;

		pthread_mutex_unlock(&mem->lock);
		return status;
	}
	version_hold(&next, newest(mem));
	while (store_batch_next(batch, &at, &op)) {
		struct node **root = &next.roots[op.family];

		if (op.is_put)
			*root = tree_put_take(*root, entry_new(op.key, op.value));
		else if (tree_find(*root, op.key))
			*root = tree_delete_take(*root, op.key);
	}
	versions_push(mem, &next);
	if (sync)
		versions_forget(mem, mem->version_count - 1);
	pthread_mutex_unlock(&mem->lock);
	return STATUS_OK;
}

static void mem_close(void *self)
{
	struct store_mem *mem = self;

	CHECK(mem->readers == 0);
	for (size_t i = 0; i < mem->version_count; i++)
		version_release(&mem->versions[i]);
	free(mem->versions);
	pthread_mutex_destroy(&mem->lock);
	free(mem);
}

static const struct store_vtable mem_vtable = {
	.get = mem_get,
	.snapshot_new = mem_snapshot_new,
	.snapshot_free = mem_snapshot_free,
	.iterator_new = mem_iterator_new,
	.iterator_next = mem_iterator_next,
	.iterator_free = mem_iterator_free,
	.write = mem_write,
	.close = mem_close,
};

enum status store_mem_open(struct store *out)
{
	struct store_mem *mem = calloc(1, sizeof *mem);

	if (!mem)
		return STATUS_NO_MEMORY;
	mem->version_cap = 4;
	mem->versions = calloc(mem->version_cap, sizeof *mem->versions);
	if (!mem->versions || pthread_mutex_init(&mem->lock, NULL) != 0) {
		free(mem->versions);
		free(mem);
		return STATUS_NO_MEMORY;
	}
	mem->version_count = 1;
	out->vtable = &mem_vtable;
	out->self = mem;
	return STATUS_OK;
}

static struct store_mem *mem_of(const struct store *store)
{
	CHECK(store->vtable == &mem_vtable);
	return store->self;
}

void store_mem_crash(struct store *store, size_t keep_unsynced)
{
	struct store_mem *mem = mem_of(store);
	size_t kept;

	pthread_mutex_lock(&mem->lock);
	kept = keep_unsynced < mem->version_count - 1 ? keep_unsynced : mem->version_count - 1;
	while (mem->version_count > kept + 1)
		version_release(&mem->versions[--mem->version_count]);
	versions_forget(mem, kept);
	pthread_mutex_unlock(&mem->lock);
}

size_t store_mem_unsynced(const struct store *store)
{
	struct store_mem *mem = mem_of(store);
	size_t unsynced;

	pthread_mutex_lock(&mem->lock);
	unsynced = mem->version_count - 1;
	pthread_mutex_unlock(&mem->lock);
	return unsynced;
}

void store_mem_fail_writes(struct store *store, enum status status)
{
	struct store_mem *mem = mem_of(store);

	pthread_mutex_lock(&mem->lock);
	mem->fail_status = status;
	pthread_mutex_unlock(&mem->lock);
}
