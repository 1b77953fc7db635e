/* The hashes of headers, blocks, commits, results and evidence against CometBFT's own answers. */
#include "tests/unit/vectors.h"

#include <string.h>

#include "base/merkle.h"
#include "chain/format/block.h"
#include "chain/format/part_set.h"
#include "chain/format/proof.h"
#include "chain/format/wire.h"

static json_t *all;

static int load(void **state)
{
	(void)state;
	all = vectors_load("comet_format.json");
	return 0;
}

static int unload(void **state)
{
	(void)state;
	vectors_free_all();
	json_decref(all);
	return 0;
}

static ProtobufCBinaryData field(const json_t *object, const char *key)
{
	struct bytes bytes = vectors_bytes(object, key);

	return wire_borrow(bytes.data, bytes.len);
}

struct header_of {
	Pb__Header pb;
	Pb__Version version;
	Pb__Timestamp time;
	Pb__BlockID last_block_id;
	Pb__PartSetHeader parts;
};

static void header_read(struct header_of *h, const json_t *v)
{
	const json_t *id = vectors_member(v, "last_block_id");

	pb__header__init(&h->pb);
	pb__version__init(&h->version);
	pb__block_id__init(&h->last_block_id);
	pb__part_set_header__init(&h->parts);
	timestamp_message_init(&h->time, vectors_time(v, "time"));
	h->version.block = (uint64_t)vectors_int(v, "block");
	h->version.app = (uint64_t)vectors_int(v, "app");
	h->last_block_id.hash = field(id, "hash");
	h->last_block_id.part_set_header = &h->parts;
	h->parts.total = (uint32_t)vectors_int(id, "total");
	h->parts.hash = field(id, "parts");
	h->pb.version = &h->version;
	h->pb.chain_id = (char *)(uintptr_t)vectors_text(v, "chain_id");
	h->pb.height = vectors_int(v, "height");
	h->pb.time = &h->time;
	h->pb.last_block_id = &h->last_block_id;
	h->pb.last_commit_hash = field(v, "last_commit_hash");
	h->pb.data_hash = field(v, "data_hash");
	h->pb.validators_hash = field(v, "validators_hash");
	h->pb.next_validators_hash = field(v, "next_validators_hash");
	h->pb.consensus_hash = field(v, "consensus_hash");
	h->pb.app_hash = field(v, "app_hash");
	h->pb.last_results_hash = field(v, "last_results_hash");
	h->pb.evidence_hash = field(v, "evidence_hash");
	h->pb.proposer_address = field(v, "proposer_address");
}

static void a_header_hashes_as_in_cometbft(void **state)
{
	size_t i;
	json_t *v;

	json_array_foreach(vectors_member(all, "header"), i, v)
	{
		struct header_of h;
		const char *fault = "";
		bool is_ours;

		header_read(&h, v);
		assert_hash_equal(
			header_hash(&h.pb), vectors_hash(v, "hash"), vectors_text(v, "name"));
		is_ours = h.version.block == BLOCK_PROTOCOL;
		assert_int_equal(header_form_valid(&h.pb, &fault), is_ours);
		if (!is_ours)
			assert_string_equal(fault, "version");
	}
}

static void a_malformed_header_is_refused_by_the_field_at_fault(void **state)
{
	struct header_of h;
	const char *fault;
	json_t *v = json_array_get(vectors_member(all, "header"), 2);
	static char long_id[] = "123456789012345678901234567890123456789012345678901";

#define REFUSED(change, name)                                                                      \
	do {                                                                                       \
		header_read(&h, v);                                                                \
		assert_true(header_form_valid(&h.pb, &fault));                                     \
		change;                                                                            \
		assert_false(header_form_valid(&h.pb, &fault));                                    \
		assert_string_equal(fault, name);                                                  \
	} while (0)
	REFUSED(h.pb.version = NULL, "version");
	REFUSED(h.version.block = 10, "version");
	REFUSED(h.pb.chain_id = long_id, "chain_id");
	REFUSED(h.pb.chain_id = (char *)&"", "chain_id");
	REFUSED(h.pb.height = 0, "height");
	REFUSED(h.pb.time = NULL, "time");
	REFUSED(h.time.nanos = 1000000000, "time");
	REFUSED(h.time.nanos = -1, "time");
	REFUSED(h.time.seconds = INT64_MAX, "time");
	REFUSED(h.pb.last_block_id = NULL, "last_block_id");
	REFUSED(h.last_block_id.part_set_header = NULL, "last_block_id");
	REFUSED(h.last_block_id.hash.len = 31, "last_block_id");
	REFUSED(h.parts.total = 0, "last_block_id");
	REFUSED(h.pb.proposer_address.len = 19, "proposer_address");
	REFUSED(h.pb.last_commit_hash.len = 0, "last_commit_hash");
	REFUSED(h.pb.data_hash.len = 31, "data_hash");
	REFUSED(h.pb.validators_hash.len = 0, "validators_hash");
	REFUSED(h.pb.next_validators_hash.len = 0, "next_validators_hash");
	REFUSED(h.pb.consensus_hash.len = 0, "consensus_hash");
	REFUSED(h.pb.app_hash.len = 33, "app_hash");
	REFUSED(h.pb.last_results_hash.len = 0, "last_results_hash");
	REFUSED(h.pb.evidence_hash.len = 0, "evidence_hash");
#undef REFUSED
	assert_false(header_form_valid(NULL, &fault));
}

static void a_block_of_a_running_chain_is_read_hashed_and_cut_as_there(void **state)
{
	size_t i;
	json_t *v;

	json_array_foreach(vectors_member(all, "block"), i, v)
	{
		const char *name = vectors_text(v, "name"), *fault = "";
		struct bytes raw = vectors_bytes(v, "bytes");
		struct arena arena;
		struct part_set parts;
		struct buf packed = {0};
		enum status local;
		const Pb__Block *block;

		arena_init(&arena, 1 << 20);
		block = block_decode(&arena, &local, &fault, raw, 10);
		if (!block)
			fail_msg("%s: %s", name, fault);
		assert_hash_equal(header_hash(block->header), vectors_hash(v, "hash"), name);
		assert_hash_equal(
			commit_hash(block->last_commit), vectors_hash(v, "last_commit_hash"), name);
		block_pack(&packed, block);
		assert_bytes_equal(buf_view(&packed), raw, name);
		assert_int_equal(part_set_split(&parts, raw), STATUS_OK);
		assert_int_equal(parts.total, vectors_int(v, "parts_total"));
		assert_hash_equal(parts.hash, vectors_hash(v, "parts_hash"), name);
		part_set_fini(&parts);
		buf_fini(&packed);
		arena_fini(&arena);
	}
}

/* Wherever one bit of a block is turned, block_decode refuses it, or what it read packs to the
 * turned bytes and has another hash: never two byte strings for one block. */
static void no_turned_bit_of_a_block_goes_unseen(void **state)
{
	json_t *v = json_array_get(vectors_member(all, "block"), 1);
	struct bytes raw = vectors_bytes(v, "bytes");
	struct hash32 hash = vectors_hash(v, "hash");
	struct buf turned = {0};
	size_t read = 0;

	buf_append_view(&turned, raw);
	for (size_t bit = 0; bit < raw.len * 8; bit++) {
		const char *fault = NULL;
		struct arena arena;
		enum status local;
		const Pb__Block *block;

		arena_init(&arena, 1 << 20);
		turned.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		block = block_decode(&arena, &local, &fault, buf_view(&turned), 10);
		assert_int_equal(local, STATUS_OK);
		if (block) {
			struct hash32 other = header_hash(block->header);

			assert_true(wire_is_packing_of(&block->base, buf_view(&turned)));
			if (hash_equal(&hash, &other))
				assert_int_not_equal(block->last_commit->round, 0);
			read++;
		} else {
			assert_non_null(fault);
		}
		turned.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		arena_fini(&arena);
	}
	assert_true(read > 0);
	buf_fini(&turned);
}

static void a_block_that_is_cut_or_too_rich_is_refused(void **state)
{
	json_t *v = json_array_get(vectors_member(all, "block"), 1);
	struct bytes raw = vectors_bytes(v, "bytes");
	struct arena arena;
	enum status local;
	const char *fault;

	arena_init(&arena, 1 << 20);
	for (size_t len = 0; len < raw.len; len++)
		assert_null(block_decode(&arena, &local, &fault, bytes_view(raw.data, len), 10));
	arena_fini(&arena);
	/* Three empty transactions where two are allowed. */
	arena_init(&arena, 1 << 20);
	assert_null(block_decode(
		&arena, &local, &fault, bytes_view("\x12\x06\x0a\0\x0a\0\x0a\0", 8), 2));
	assert_string_equal(fault, "txs");
	assert_int_equal(local, STATUS_OK);
	arena_fini(&arena);
	/* No room is no verdict. */
	arena_init(&arena, 64);
	assert_null(block_decode(&arena, &local, &fault, raw, 10));
	assert_int_equal(local, STATUS_NO_MEMORY);
	arena_fini(&arena);
}

static void params_hash_as_in_cometbft(void **state)
{
	size_t i;
	json_t *v;

	json_array_foreach(vectors_member(all, "consensus_params"), i, v)
	{
		Pb__ConsensusParams params = PB__CONSENSUS_PARAMS__INIT;

		params.block_max_bytes = vectors_int(v, "max_bytes");
		params.block_max_gas = vectors_int(v, "max_gas");
		params.evidence_max_bytes = 7;
		assert_hash_equal(
			consensus_params_hash(&params), vectors_hash(v, "hash"), "params");
	}
}

static void results_hash_as_in_cometbft(void **state)
{
	size_t i, j;
	json_t *v, *r;

	json_array_foreach(vectors_member(all, "results"), i, v)
	{
		Pb__ExecTxResult results[8];
		Pb__ExecTxResult *list[8];

		json_array_foreach(vectors_member(v, "results"), j, r)
		{
			pb__exec_tx_result__init(&results[j]);
			results[j].code = (uint32_t)vectors_int(r, "code");
			results[j].data = field(r, "data");
			results[j].gas_wanted = vectors_int(r, "gas_wanted");
			results[j].gas_used = vectors_int(r, "gas_used");
			results[j].log = (char *)&"no log is hashed";
			list[j] = &results[j];
		}
		assert_hash_equal(results_hash(list, j), vectors_hash(v, "hash"), "results");
	}
}

static void transactions_hash_as_in_cometbft(void **state)
{
	size_t i, j;
	json_t *v, *tx;

	json_array_foreach(vectors_member(all, "data"), i, v)
	{
		ProtobufCBinaryData txs[8];
		Pb__Data data = PB__DATA__INIT;

		json_array_foreach(vectors_member(v, "txs"), j, tx)
		{
			struct bytes bytes = vectors_hex(tx);

			txs[j] = wire_borrow(bytes.data, bytes.len);
		}
		data.txs = txs;
		data.n_txs = j;
		assert_hash_equal(data_hash(&data), vectors_hash(v, "hash"), "data");
	}
}

static void evidence_hashes_as_in_cometbft(void **state)
{
	json_t *v = json_array_get(vectors_member(all, "evidence"), 0);
	struct bytes raw = vectors_bytes(v, "duplicate_vote");
	Pb__DuplicateVoteEvidence *duplicate =
		pb__duplicate_vote_evidence__unpack(NULL, raw.len, raw.data);
	Pb__Evidence evidence = PB__EVIDENCE__INIT, *list[1] = {&evidence};
	Pb__EvidenceList evidences = PB__EVIDENCE_LIST__INIT;
	struct hash32 empty = sha256(bytes_view(NULL, 0));

	assert_hash_equal(evidence_hash(&evidences), empty, "no evidence");
	assert_non_null(duplicate);
	evidence.sum_case = PB__EVIDENCE__SUM_DUPLICATE_VOTE_EVIDENCE;
	evidence.duplicate_vote_evidence = duplicate;
	evidences.n_evidence = 1;
	evidences.evidence = list;
	assert_hash_equal(evidence_hash(&evidences), vectors_hash(v, "hash"), "evidence");
	pb__duplicate_vote_evidence__free_unpacked(duplicate, NULL);
}

static void a_commit_hashes_as_in_cometbft_whatever_its_flags(void **state)
{
	json_t *v = json_array_get(vectors_member(all, "commit"), 0), *s;
	Pb__CommitSig slots[3], *list[3];
	Pb__Timestamp times[3];
	Pb__Commit commit = PB__COMMIT__INIT;
	size_t i;

	json_array_foreach(vectors_member(v, "signatures"), i, s)
	{
		pb__commit_sig__init(&slots[i]);
		timestamp_message_init(&times[i], vectors_time(s, "time"));
		slots[i].block_id_flag = (int32_t)vectors_int(s, "flag");
		slots[i].validator_address = field(s, "address");
		slots[i].timestamp = &times[i];
		slots[i].signature = field(s, "signature");
		list[i] = &slots[i];
	}
	assert_int_equal(i, 3);
	json_array_foreach(vectors_member(v, "leaves"), i, s)
	{
		assert_true(wire_is_packing_of(&slots[i].base, vectors_hex(s)));
	}
	commit.n_signatures = 3;
	commit.signatures = list;
	assert_hash_equal(commit_hash(&commit), vectors_hash(v, "hash"), "commit");
}

static void a_transaction_is_proved_as_in_cometbft(void **state)
{
	size_t i;
	json_t *v;

	json_array_foreach(vectors_member(all, "tx_proof"), i, v)
	{
		struct bytes tx = vectors_bytes(v, "tx");
		ProtobufCBinaryData txs[1] = {wire_borrow(tx.data, tx.len)};
		Pb__Data data = PB__DATA__INIT;
		struct merkle_proof proof;
		struct hash32 root;

		data.txs = txs;
		data.n_txs = 1;
		assert_hash_equal(sha256(tx), vectors_hash(v, "tx_hash"), "hash");
		assert_int_equal(tx_prove(&proof, &root, &data, 0), STATUS_OK);
		assert_hash_equal(root, vectors_hash(v, "root"), "root");
		assert_hash_equal(proof.leaf, vectors_hash(v, "leaf"), "leaf");
		assert_int_equal(proof.total, vectors_int(v, "total"));
		assert_int_equal(proof.aunt_count, 0);
		assert_true(tx_proof_verify(&proof, tx, &root));
	}
}

static void every_transaction_of_a_block_is_proved_and_no_other(void **state)
{
	enum { COUNT = 37 };
	uint8_t bytes[COUNT][2];
	ProtobufCBinaryData txs[COUNT];
	Pb__Data data = PB__DATA__INIT;
	struct arena arena;

	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < COUNT; i++) {
		bytes[i][0] = (uint8_t)i;
		bytes[i][1] = 7;
		txs[i] = wire_borrow(bytes[i], 2);
	}
	data.txs = txs;
	data.n_txs = COUNT;
	for (size_t i = 0; i < COUNT; i++) {
		struct merkle_proof proof, back;
		struct hash32 root;
		Pb__Proof *pb;

		assert_int_equal(tx_prove(&proof, &root, &data, i), STATUS_OK);
		assert_hash_equal(root, data_hash(&data), "root");
		pb = merkle_proof_to_pb(&proof, &arena);
		assert_non_null(pb);
		assert_true(merkle_proof_from_pb(&back, pb));
		assert_true(tx_proof_verify(&back, wire_view(txs[i]), &root));
		assert_false(tx_proof_verify(&back, wire_view(txs[(i + 1) % COUNT]), &root));
		back.index = (back.index + 1) % COUNT;
		assert_false(tx_proof_verify(&back, wire_view(txs[i]), &root));
		pb->index = pb->total;
		assert_false(merkle_proof_from_pb(&back, pb));
		pb->index = -1;
		assert_false(merkle_proof_from_pb(&back, pb));
	}
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_hashes_as_in_cometbft),
		cmocka_unit_test(a_malformed_header_is_refused_by_the_field_at_fault),
		cmocka_unit_test(a_block_of_a_running_chain_is_read_hashed_and_cut_as_there),
		cmocka_unit_test(no_turned_bit_of_a_block_goes_unseen),
		cmocka_unit_test(a_block_that_is_cut_or_too_rich_is_refused),
		cmocka_unit_test(params_hash_as_in_cometbft),
		cmocka_unit_test(results_hash_as_in_cometbft),
		cmocka_unit_test(transactions_hash_as_in_cometbft),
		cmocka_unit_test(evidence_hashes_as_in_cometbft),
		cmocka_unit_test(a_commit_hashes_as_in_cometbft_whatever_its_flags),
		cmocka_unit_test(a_transaction_is_proved_as_in_cometbft),
		cmocka_unit_test(every_transaction_of_a_block_is_proved_and_no_other),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
