/* evidence: whom a proof convicts, how often, and what a liar can make of it. A chain of five
 * heights and four validators with real keys; blocks hold nothing but their time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chain/blocks.h"
#include "chain/format/wire.h"
#include "chain/store_mem.h"
#include "replica/evidence.h"

enum { TIP = 5, VALIDATORS = 4 };
static const char chain_id[] = "evidence-1";

struct fixture {
	struct store store;
	struct arena arena;
	struct validator_secret secrets[VALIDATORS]; /* by place in the set */
	struct validator_set set;
	struct chain_head head;
	struct evidence_pool pool;
};

static struct timestamp time_at(int64_t height)
{
	return timestamp_of_ms(1700000000000 + height * 1000);
}

static void put_height(struct fixture *f, int64_t height)
{
	Pb__Header header = PB__HEADER__INIT;
	Pb__Data data = PB__DATA__INIT;
	Pb__EvidenceList none = PB__EVIDENCE_LIST__INIT;
	Pb__Commit commit = PB__COMMIT__INIT;
	Pb__BlockID id = PB__BLOCK_ID__INIT;
	Pb__Block block = PB__BLOCK__INIT;
	Pb__BlockMeta meta = PB__BLOCK_META__INIT;
	Pb__BlockResults results = PB__BLOCK_RESULTS__INIT;
	Pb__Head head = PB__HEAD__INIT;
	Pb__Timestamp time;
	struct hash32 hash = sha256(bytes_view(&height, sizeof height));
	timestamp_message_init(&time, time_at(height));
	header.height = height;
	header.time = &time;
	id.hash = wire_borrow(hash.b, sizeof hash.b);
	commit.height = height - 1;
	commit.block_id = &id;
	block.header = &header;
	block.data = &data;
	block.evidence = &none;
	block.last_commit = &commit;
	meta.block_id = &id;
	meta.header = &header;
	head.height = height;
	head.base_height = 1;
	head.validators = head.next_validators = validator_set_to_pb(&f->set, &f->arena);
	assert_non_null(head.validators);
	struct buf raw;
	buf_init(&raw, 0);
	wire_append(&raw, &block.base);
	struct store_batch batch;
	store_batch_init(&batch);
	struct blocks_entry entry = {.raw = buf_view(&raw),
		.meta = &meta,
		.seen_commit = &commit,
		.results = &results,
		.head = &head};
	if (height == 0)
		assert_int_equal(blocks_put_genesis(&batch, &head), STATUS_OK);
	else
		assert_int_equal(blocks_put(&batch, &entry), STATUS_OK);
	assert_int_equal(store_write(&f->store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
	buf_fini(&raw);
}

static void stand_at(struct fixture *f, int64_t height)
{
	f->head.height = height;
	f->head.time = time_at(height);
}

static int begin(void **state)
{
	static const uint8_t seed[32] = {1};
	struct fixture *f = calloc(1, sizeof *f);
	struct validator_power members[VALIDATORS];
	if (!f || !keys_start(seed))
		return -1;
	struct validator_secret secrets[VALIDATORS];
	for (uint8_t i = 0; i < VALIDATORS; i++) {
		memset(secrets[i].seed, i + 1, sizeof secrets[i].seed);
		members[i].key = validator_key_of(&secrets[i]);
		members[i].power = 10;
	}
	assert_int_equal(validator_set_make(&f->set, members, VALIDATORS), VALIDATORS_OK);
	for (uint32_t i = 0; i < VALIDATORS; i++) {
		for (uint32_t k = 0; k < VALIDATORS; k++) {
			if (memcmp(f->set.v[i].key.b, members[k].key.b, 32) == 0)
				f->secrets[i] = secrets[k];
		}
	}
	assert_int_equal(store_mem_open(&f->store), STATUS_OK);
	arena_init(&f->arena, 16 * 1024 * 1024);
	for (int64_t height = 0; height <= TIP; height++)
		put_height(f, height);
	f->head.initial_height = f->head.base_height = 1;
	f->head.validators = f->head.next_validators = f->head.last_validators = f->set;
	f->head.params.evidence_max_age_num_blocks = 100;
	f->head.params.evidence_max_age_ns = INT64_C(100) * 1000 * 1000000;
	stand_at(f, TIP);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;
	evidence_fini(&f->pool);
	store_close(&f->store);
	arena_fini(&f->arena);
	free(f);
	return 0;
}

/* name: of the block; 0 is nil. */
static struct vote vote_of(const struct fixture *f, uint32_t index, int64_t height, int name)
{
	struct vote v;
	memset(&v, 0, sizeof v);
	v.type = VOTE_PRECOMMIT;
	v.height = height;
	v.index = index;
	v.address = f->set.v[index].address;
	v.time = time_at(height);
	if (name > 0) {
		memset(v.block_id.hash.b, name, 32);
		memset(v.block_id.parts_hash.b, name, 32);
		v.block_id.parts_total = 1;
	}
	return v;
}

static void sign(const struct fixture *f, struct vote *v)
{
	struct buf bytes;
	buf_init(&bytes, 0);
	vote_sign_bytes(&bytes, chain_id, v);
	validator_sign(&v->signature, &f->secrets[v->index], buf_view(&bytes));
	buf_fini(&bytes);
}

static struct vote signed_vote(const struct fixture *f, uint32_t index, int64_t height, int name)
{
	struct vote v = vote_of(f, index, height, name);
	sign(f, &v);
	return v;
}

/* A proof as it comes off the wire; pb stays valid while the struct does. */
struct proof {
	struct vote a, b;
	struct vote_message a_message, b_message;
	Pb__Timestamp time;
	Pb__DuplicateVoteEvidence pb;
	Pb__Evidence entry, *entries[1];
	Pb__EvidenceList list;
};

static void prove(struct proof *p, const struct vote *a, const struct vote *b)
{
	p->a = *a;
	p->b = *b;
	vote_message_init(&p->a_message, &p->a);
	vote_message_init(&p->b_message, &p->b);
	timestamp_message_init(&p->time, time_at(a->height));
	pb__duplicate_vote_evidence__init(&p->pb);
	p->pb.vote_a = &p->a_message.pb;
	p->pb.vote_b = &p->b_message.pb;
	p->pb.total_voting_power = 10 * VALIDATORS;
	p->pb.validator_power = 10;
	p->pb.timestamp = &p->time;
	pb__evidence__init(&p->entry);
	p->entry.sum_case = PB__EVIDENCE__SUM_DUPLICATE_VOTE_EVIDENCE;
	p->entry.duplicate_vote_evidence = &p->pb;
	p->entries[0] = &p->entry;
	pb__evidence_list__init(&p->list);
	p->list.n_evidence = 1;
	p->list.evidence = p->entries;
}

static void prove_crime(
	struct fixture *f, struct proof *p, uint32_t index, int64_t height, int one, int two)
{
	struct vote a = signed_vote(f, index, height, one);
	struct vote b = signed_vote(f, index, height, two);
	prove(p, &a, &b);
}

static const char *fault_of(struct fixture *f, const struct proof *p)
{
	const char *fault = "unset";
	assert_int_equal(evidence_check(&fault, &p->pb, &f->store, &f->head, chain_id), STATUS_OK);
	return fault;
}

static const char *block_fault(struct fixture *f, const Pb__EvidenceList *list)
{
	const char *fault = "unset";
	assert_int_equal(
		evidence_check_list(&fault, list, &f->store, &f->head, chain_id), STATUS_OK);
	return fault;
}

/* The block of the height under way is committed with these proofs in it. */
static size_t commit(struct fixture *f, const Pb__EvidenceList *list)
{
	static size_t fresh[EVIDENCE_PAIRS_MAX];
	size_t count;
	Pb__EvidenceList none = PB__EVIDENCE_LIST__INIT;
	Pb__Block block = PB__BLOCK__INIT;
	block.evidence = (Pb__EvidenceList *)(uintptr_t)(list ? list : &none);
	evidence_committed(&f->pool, &f->head, &block, fresh, &count);
	return count;
}

static Pb__EvidenceList *for_block(struct fixture *f)
{
	Pb__EvidenceList *list = evidence_for_block(&f->pool, &f->arena, &f->head, 16 * 1024);
	assert_non_null(list);
	return list;
}

/* ---- claims ---- */

static void the_same_two_votes_give_the_same_bytes_whoever_saw_which_first(void **state)
{
	struct fixture *f = *state;
	struct vote a = signed_vote(f, 2, TIP, 1), b = signed_vote(f, 2, TIP, 2);
	struct evidence_pool other;
	memset(&other, 0, sizeof other);
	evidence_note(&f->pool, &a, &b);
	evidence_note(&other, &b, &a);
	assert_int_equal(commit(f, NULL), 1);
	struct evidence_pool mine = f->pool;
	f->pool = other;
	assert_int_equal(commit(f, NULL), 1);
	assert_true(
		bytes_equal(buf_view(&mine.items[0].packed), buf_view(&f->pool.items[0].packed)));
	assert_null(block_fault(f, for_block(f)));
	evidence_fini(&mine);
}

/* Once such a pair was packed in the order it came in, and every block with it in was refused. */
static void ids_that_differ_only_in_their_count_of_parts_make_a_proof_that_stands(void **state)
{
	struct fixture *f = *state;
	struct vote a = vote_of(f, 1, TIP, 1), b = vote_of(f, 1, TIP, 1);
	a.block_id.parts_total = 2;
	sign(f, &a);
	sign(f, &b);
	evidence_note(&f->pool, &a, &b);
	assert_int_equal(commit(f, NULL), 1);
	assert_int_equal(for_block(f)->n_evidence, 1);
	assert_null(block_fault(f, for_block(f)));
}

static void a_vote_for_nothing_contradicts_one_for_a_block(void **state)
{
	struct fixture *f = *state;
	struct proof p;
	prove_crime(f, &p, 0, 3, 0, 1);
	assert_null(fault_of(f, &p));
}

static void a_hundred_choices_of_one_validator_at_a_height_convict_it_once(void **state)
{
	struct fixture *f = *state;
	struct proof p[2];
	struct vote first = signed_vote(f, 3, TIP, 1);
	for (int name = 2; name < 100; name++) {
		struct vote other = signed_vote(f, 3, TIP, name);
		other.round = name; /* crimes of other rounds, too */
		first.round = name;
		evidence_note(&f->pool, &first, &other);
	}
	assert_int_equal(commit(f, NULL), 1);
	prove_crime(f, &p[0], 3, TIP, 7, 8);
	prove_crime(f, &p[1], 3, TIP, 8, 9);
	assert_false(evidence_wanted(&f->pool, &p[0].pb));
	assert_false(evidence_keep(&f->pool, &p[0].pb));
	Pb__Evidence *both[] = {&p[0].entry, &p[1].entry};
	Pb__EvidenceList list = PB__EVIDENCE_LIST__INIT;
	list.n_evidence = 2;
	list.evidence = both;
	assert_string_equal(block_fault(f, &list), "evidence: one crime twice in a block");
	/* Another pair of the same crime is in a block: that settles it. */
	Pb__Block block = PB__BLOCK__INIT;
	block.evidence = &p[1].list;
	struct store_batch batch;
	store_batch_init(&batch);
	evidence_put(&batch, &block);
	assert_int_equal(store_write(&f->store, &batch, true), STATUS_OK);
	store_batch_fini(&batch);
	assert_string_equal(fault_of(f, &p[0]), "evidence: in a block already");
	commit(f, &p[1].list);
	assert_int_equal(f->pool.item_count, 0);
}

static void spoil(struct proof *p, int how)
{
	switch (how) {
	case 0: p->pb.total_voting_power++; break;
	case 1: p->pb.validator_power--; break;
	case 2: p->time.seconds++; break;
	case 3: p->b_message.pb.signature.data[5] ^= 1; break;
	case 4: p->a_message.pb.validator_index = 0; break;
	case 5: p->a_message.pb.validator_index = p->b_message.pb.validator_index = 0; break;
	case 6: p->a_message.pb.validator_index = p->b_message.pb.validator_index = 99; break;
	case 7: p->a_message.pb.round = 1; break;
	case 8: p->a_message.pb.type = VOTE_PREVOTE; break;
	case 9: {
		Pb__Vote *a = p->pb.vote_a;
		p->pb.vote_a = p->pb.vote_b;
		p->pb.vote_b = a;
		break;
	}
	case 10: p->pb.vote_b = p->pb.vote_a; break;
	case 11: p->a_message.pb.height = p->b_message.pb.height = TIP + 1; break;
	default: break;
	}
}

static void a_proof_with_anything_wrong_convicts_nobody(void **state)
{
	static const char *faults[] = {
		"evidence: powers",
		"evidence: powers",
		"evidence: time",
		"evidence: signature",
		"evidence: votes that don't contradict each other",
		"evidence: not a validator of that height",
		"evidence: not a validator of that height",
		"evidence: votes that don't contradict each other",
		"evidence: votes that don't contradict each other",
		"evidence: votes out of order",
		"evidence: votes out of order",
		"evidence: a height that isn't decided",
	};
	struct fixture *f = *state;
	for (int how = 0; how < (int)(sizeof faults / sizeof *faults); how++) {
		struct proof p;
		prove_crime(f, &p, 2, 4, 1, 2);
		assert_null(fault_of(f, &p));
		spoil(&p, how);
		assert_string_equal(fault_of(f, &p), faults[how]);
		assert_string_equal(block_fault(f, &p.list), faults[how]);
		assert_int_equal(fault_of(f, &p) == evidence_forged, how == 3);
	}
}

static void a_liar_leaves_room_for_the_proofs_against_others(void **state)
{
	struct fixture *f = *state;
	struct proof p;
	for (int64_t height = 1; height <= TIP; height++) {
		prove_crime(f, &p, 0, height, 1, 2);
		assert_int_equal(evidence_keep(&f->pool, &p.pb), height <= EVIDENCE_VALIDATOR_MAX);
	}
	prove_crime(f, &p, 1, 2, 1, 2);
	assert_true(evidence_keep(&f->pool, &p.pb));
	assert_int_equal(for_block(f)->n_evidence, EVIDENCE_VALIDATOR_MAX + 1);
	assert_null(block_fault(f, for_block(f)));
}

static void what_is_too_old_enters_no_block_and_leaves_the_pool(void **state)
{
	struct fixture *f = *state;
	struct proof p;
	prove_crime(f, &p, 1, 2, 1, 2);
	assert_true(evidence_keep(&f->pool, &p.pb));
	stand_at(f, 102); /* by its blocks not yet */
	assert_null(fault_of(f, &p));
	assert_int_equal(for_block(f)->n_evidence, 1);
	stand_at(f, 103); /* by both */
	assert_string_equal(fault_of(f, &p), "evidence: too old");
	assert_int_equal(for_block(f)->n_evidence, 0);
	commit(f, NULL);
	assert_int_equal(f->pool.item_count, 0);
}

static void a_late_vote_is_proof_at_once(void **state)
{
	struct fixture *f = *state;
	struct vote a = signed_vote(f, 2, TIP, 1), b = signed_vote(f, 2, TIP, 2);
	assert_true(evidence_note_late(&f->pool, &b, &a, &f->head));
	assert_false(evidence_note_late(&f->pool, &a, &b, &f->head));
	assert_null(block_fault(f, for_block(f)));
	struct vote old = signed_vote(f, 1, TIP - 1, 1), new = signed_vote(f, 1, TIP - 1, 2);
	assert_false(evidence_note_late(&f->pool, &old, &new, &f->head));
}

/* A node that joined by a snapshot once found such a block invalid, and stopped when it was
 * decided. */
static void a_height_that_is_not_kept_here_is_left_to_the_others(void **state)
{
	struct fixture *f = *state;
	struct proof p;
	prove_crime(f, &p, 2, 3, 1, 2);
	f->head.base_height = 4;
	assert_string_equal(fault_of(f, &p), "evidence: a height that isn't kept here");
	assert_null(block_fault(f, &p.list));
	p.a_message.pb.height = p.b_message.pb.height = 1;
	f->head.initial_height = 2;
	assert_string_equal(block_fault(f, &p.list), "evidence: a height that isn't decided");
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest claims[] = {
		CLAIM(the_same_two_votes_give_the_same_bytes_whoever_saw_which_first),
		CLAIM(ids_that_differ_only_in_their_count_of_parts_make_a_proof_that_stands),
		CLAIM(a_vote_for_nothing_contradicts_one_for_a_block),
		CLAIM(a_hundred_choices_of_one_validator_at_a_height_convict_it_once),
		CLAIM(a_proof_with_anything_wrong_convicts_nobody),
		CLAIM(a_liar_leaves_room_for_the_proofs_against_others),
		CLAIM(what_is_too_old_enters_no_block_and_leaves_the_pool),
		CLAIM(a_late_vote_is_proof_at_once),
		CLAIM(a_height_that_is_not_kept_here_is_left_to_the_others),
	};
	return cmocka_run_group_tests(claims, NULL, NULL);
}
