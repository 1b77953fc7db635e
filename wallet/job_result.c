/* What a job gave, held against what the chain says it gave. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/json.h"
#include "wallet/fields.h"
#include "wallet/file_hash.h"
#include "wallet/job_ref.h"

static const Pb__Receipt *receipt_of(const Pb__Action *action)
{
	if (action->act_case == PB__ACTION__ACT_RECORD_RECEIPT)
		return action->record_receipt->receipt;
	if (action->act_case == PB__ACTION__ACT_DELIVER_RESULT)
		return action->deliver_result->receipt;
	return NULL;
}

/* Takes the receipt out of the block that the chain's index names. */
static bool read_from_block(struct cli *cli, struct chain_receipt *out, const json_t *place)
{
	uint32_t tx_index;
	uint32_t action_index;
	char height[24];
	char fault[64];
	enum status local;
	struct tx tx;
	bool ok = false;

	if (!field_i64(&out->height, place, "height") || !field_u32(&tx_index, place, "tx") ||
		!field_u32(&action_index, place, "action")) {
		cli_fail("the node's answer about the receipt can't be read");
		return false;
	}
	snprintf(height, sizeof height, "%" PRId64, out->height);
	json_t *block = cli_rpc(cli, "block", json_pack("{s:s}", "height", height));
	if (!block)
		return false;
	const json_t *data = json_object_get(json_object_get(block, "block"), "data");
	const char *text =
		json_string_value(json_array_get(json_object_get(data, "txs"), tx_index));
	if (text && base64_decode(&out->raw, text, strlen(text)) && buf_ok(&out->raw) &&
		tx_decode(&tx, &out->arena, buf_view(&out->raw), &local, fault) == SETTLE_OK &&
		action_index < tx.body->n_actions) {
		out->receipt = receipt_of(tx.body->actions[action_index]);
		out->tx_hash = sha256(buf_view(&out->raw));
		ok = out->receipt != NULL;
	}
	if (!ok)
		cli_fail("block %s doesn't hold the receipt it is said to hold", height);
	json_decref(block);
	return ok;
}

static bool signature_good(struct cli *cli, const Pb__Receipt *receipt)
{
	struct account_key miner;
	struct account_signature signature;
	struct hash32 tag;
	char log[256];
	uint32_t code;
	json_t *chain = cli_query(cli, &code, log, "/chain", bytes_view(NULL, 0));
	bool read = field_hex(tag.b, sizeof tag.b, chain, "chain_tag");

	json_decref(chain);
	if (!read || receipt->miner.len != sizeof miner.b ||
		receipt->miner_signature.len != sizeof signature.b)
		return false;
	memcpy(miner.b, receipt->miner.data, sizeof miner.b);
	memcpy(signature.b, receipt->miner_signature.data, sizeof signature.b);
	struct hash32 digest = receipt_digest(receipt, &tag);
	return account_verify(&miner, &digest, &signature);
}

/* The job's own record: is this the receipt it was settled by, and where did the money go? */
static bool check_record(struct cli *cli, struct chain_receipt *out, const struct job_key *key)
{
	struct job_terms terms;
	char log[256];
	uint32_t code;
	json_t *job = cli_query(cli, &code, log, "/jobs", bytes_view(key->b, key->len));
	bool read = job && job_terms_parse(&terms, job, log);

	json_decref(job);
	if (!read) {
		cli_fail("the job's record can't be read: %s", log);
		return false;
	}
	struct hash32 hash = receipt_hash(out->receipt);
	out->settled = terms.state == PB__JOB_STATE__SETTLED;
	if (out->settled && !hash_equal(&hash, &terms.receipt_hash)) {
		cli_fail("the receipt in the block isn't the one the job was settled by");
		return false;
	}
	out->to_miner = terms.to_miner;
	out->to_coordinator = terms.to_coordinator;
	out->to_client = terms.to_client;
	return true;
}

bool chain_receipt_read(struct cli *cli, struct chain_receipt *out, const struct job_ref *ref)
{
	struct job_key key = job_key_of(&ref->client, bytes_of_text(ref->job_id));
	char log[256];
	uint32_t code;

	*out = (struct chain_receipt){0};
	arena_init(&out->arena, TX_ARENA_BYTES_MAX);
	json_t *place = cli_query(cli, &code, log, "/receipts", bytes_view(key.b, key.len));
	if (!place && code)
		cli_fail("no receipt of this job is on the chain: %s\nlook why: aitbc why %s", log,
			ref->rest_id);
	bool ok = place && read_from_block(cli, out, place);
	json_decref(place);
	if (ok && !signature_good(cli, out->receipt)) {
		cli_fail("the miner's signature on the receipt doesn't verify");
		ok = false;
	}
	return ok && check_record(cli, out, &key);
}

void chain_receipt_fini(struct chain_receipt *receipt)
{
	buf_fini(&receipt->raw);
	arena_fini(&receipt->arena);
}

/* --- the result --- */

/* A name that stays in its folder and shows itself. */
static bool safe_name(const char *name)
{
	return name[0] && name[0] != '.' && strlen(name) < 200 && !strpbrk(name, "/\\") &&
	       strspn(name, "\n\r\t") == 0;
}

static bool write_file(const char *path, struct bytes content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	bool ok = fd >= 0;

	for (size_t at = 0; ok && at < content.len;) {
		ssize_t put = write(fd, content.data + at, content.len - at);
		ok = put > 0 || (put < 0 && errno == EINTR);
		at += put > 0 ? (size_t)put : 0;
	}
	if (!ok)
		cli_fail("can't write %s: %s", path, strerror(errno));
	if (fd >= 0 && close(fd) != 0 && ok) {
		cli_fail("can't write %s: %s", path, strerror(errno));
		ok = false;
	}
	return ok;
}

static bool fetch_artifact(
	struct cli *cli, struct show *show, const json_t *artifact, const char *folder)
{
	const char *name = field_text(artifact, "name");
	char url[128];
	char path[KEYSTORE_PATH_BYTES];
	char hex[65];
	struct hash32 want;
	struct hash32 got;
	struct rest_answer answer;

	if (!safe_name(name) || !field_hex(want.b, 32, artifact, "sha256")) {
		cli_fail("the result names a file that can't be saved: %s", name);
		return false;
	}
	hex_lower(hex, want.b, 32);
	snprintf(url, sizeof url, "/v1/artifacts/%s", hex);
	if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
		cli_fail("the path %s/%s is too long", folder, name);
		return false;
	}
	cli_rest_download(cli, &answer, url, path);
	bool ok = rest_answer_ok(&answer);
	if (!ok)
		cli_fail("%s: %s", name, answer.fault);
	rest_answer_fini(&answer);
	if (ok && (!file_hash(&got, NULL, path) || !hash_equal(&got, &want))) {
		(void)unlink(path);
		cli_fail("%s came with other bytes than the result names: removed", name);
		ok = false;
	}
	if (ok)
		show_text(show, "File", NULL, path);
	return ok;
}

static bool save_result(struct cli *cli, struct show *show, const json_t *result, struct bytes raw,
	const char *folder)
{
	char path[KEYSTORE_PATH_BYTES];
	size_t i;
	json_t *one;

	if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
		cli_fail("can't make %s: %s", folder, strerror(errno));
		return false;
	}
	if (snprintf(path, sizeof path, "%s/result.json", folder) >= (int)sizeof path ||
		!write_file(path, raw))
		return false;
	show_text(show, "File", NULL, path);
	json_array_foreach(json_object_get(result, "artifacts"), i, one)
	{
		if (!fetch_artifact(cli, show, one, folder))
			return false;
	}
	return true;
}

bool job_result_fetch(
	struct cli *cli, struct show *show, const struct job_ref *ref, const char *folder)
{
	struct chain_receipt receipt = {0};
	struct rest_answer answer;
	struct bytes raw = {0};
	char path[128];

	snprintf(path, sizeof path, "/v1/jobs/%s/result", ref->rest_id);
	cli_rest(cli, &answer, HTTP_GET, path, bytes_view(NULL, 0));
	bool ok = rest_answer_ok(&answer);
	if (!ok && answer.http_status == 425)
		cli_fail("not yet: %s\nwait for it: aitbc status %s --wait", answer.fault,
			ref->rest_id);
	else if (!ok)
		cli_fail("%s", answer.fault);
	else if (!json_member_span(buf_view(&answer.body), "result", &raw)) {
		cli_fail("the coordinator's answer holds no result");
		ok = false;
	}
	ok = ok && chain_receipt_read(cli, &receipt, ref);
	if (ok) {
		struct hash32 hash = sha256(raw);
		const ProtobufCBinaryData *want = &receipt.receipt->result_hash;
		if (!bytes_equal(hash_view(&hash), bytes_view(want->data, want->len))) {
			cli_fail("the coordinator gave other bytes than the miner signed for");
			ok = false;
		}
	}
	const json_t *result = json_object_get(answer.json, "result");
	ok = ok && (!folder || save_result(cli, show, result, raw, folder));
	if (ok) {
		char hash[65];
		hex_upper(hash, receipt.receipt->result_hash.data, 32);
		show_text(show, "Result hash", "result_hash", hash);
		show_line(show, "the bytes are those the miner signed for in block %" PRId64,
			receipt.height);
		show_json(show, "result", json_incref(json_object_get(answer.json, "result")));
		show_u64(show, NULL, "height", (uint64_t)receipt.height);
	}
	chain_receipt_fini(&receipt);
	rest_answer_fini(&answer);
	return ok;
}
