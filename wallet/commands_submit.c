/* aitbc submit: from a prompt or a file to a signed submit_job and its payload. */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "base/hex.h"
#include "base/json.h"
#include "wallet/commands.h"
#include "wallet/fields.h"
#include "wallet/file_hash.h"
#include "wallet/job_ref.h"

enum { TRIES_MAX = 3, BACK_OFF_MS = 500, TTL_SECONDS_MAX = 31 * 24 * 3600 };

/* What the coordinator asks for, and what the client agrees to. */
struct offer {
	struct account_address coordinator;
	uint32_t share_ppm;
	char chain_id[CHAIN_ID_BYTES_MAX + 1];
	char service[SERVICE_BYTES_MAX + 1];
	char unit_type[UNIT_TYPE_BYTES_MAX + 1];
	uint64_t unit_price;
	uint64_t max_units_milli;
	uint64_t reward;
	uint64_t ttl_ms;
	uint32_t max_attempts;
	Pb__OnSilence on_silence;
};

/* --- the terms --- */

/* "inference" names "llm/inference" when no other service ends so. */
static const json_t *find_price(const json_t *prices, const char **service)
{
	const json_t *found = json_object_get(prices, *service);
	const char *name;
	json_t *one;

	if (found)
		return found;
	const char *whole = NULL;
	json_object_foreach((json_t *)(uintptr_t)prices, name, one)
	{
		const char *slash = strrchr(name, '/');
		if (!slash || strcmp(slash + 1, *service) != 0)
			continue;
		if (found)
			return NULL;
		found = one;
		whole = name;
	}
	if (found)
		*service = whole;
	return found;
}

static void say_services(char *out, size_t out_bytes, const json_t *prices)
{
	const char *name;
	json_t *one;
	size_t len = 0;

	out[0] = '\0';
	json_object_foreach((json_t *)(uintptr_t)prices, name, one)
	{
		if (len + 80 < out_bytes)
			len += (size_t)snprintf(
				out + len, out_bytes - len, "%s%.64s", len ? ", " : "", name);
	}
}

static bool read_offer(struct offer *out, const json_t *terms, const char *service)
{
	const json_t *prices = json_object_get(terms, "prices");
	const json_t *price = find_price(prices, &service);
	char known[512];
	bool open = true;

	if (!price) {
		say_services(known, sizeof known, prices);
		cli_fail("the coordinator offers no service %s; it offers: %s", service, known);
		return false;
	}
	if (field_bool(&open, terms, "accepts_new") && !open) {
		cli_fail("the coordinator takes no new jobs at present");
		return false;
	}
	if (snprintf(out->service, sizeof out->service, "%s", service) <= SERVICE_BYTES_MAX &&
		field_address(&out->coordinator, terms, "address") &&
		field_u32(&out->share_ppm, terms, "share_ppm") &&
		field_copy(out->chain_id, CHAIN_ID_BYTES_MAX, terms, "chain_id") &&
		field_copy(out->unit_type, UNIT_TYPE_BYTES_MAX, price, "unit_type") &&
		field_u64(&out->unit_price, price, "unit_price") &&
		field_u64(&out->max_units_milli, price, "max_units_milli") &&
		field_u64(&out->reward, price, "reward") &&
		field_u64(&out->ttl_ms, price, "ttl_ms"))
		return true;
	cli_fail("the coordinator's terms can't be read");
	return false;
}

static bool flag_amount(struct cli *cli, uint64_t *out, const char *name)
{
	const char *text = command_flag(cli->line, name);
	struct amount amount;

	if (!text)
		return true;
	if (!amount_parse(&amount, text, strlen(text)) || amount.uaitbc == 0) {
		cli_fail("--%s %s is no amount: write it like 0.25aitbc", name, text);
		return false;
	}
	*out = amount.uaitbc;
	return true;
}

static bool flag_number(
	struct cli *cli, uint64_t *out, const char *name, uint64_t scale, uint64_t most)
{
	const char *text = command_flag(cli->line, name);

	if (!text)
		return true;
	if (!u64_parse(out, text, strlen(text)) || *out == 0 || *out > most) {
		cli_fail("--%s needs a whole number from 1 to %" PRIu64, name, most);
		return false;
	}
	*out *= scale;
	return true;
}

/* What the client wants otherwise than the coordinator proposes. */
static bool bend_offer(struct cli *cli, struct offer *offer)
{
	const char *silence = command_flag(cli->line, "on-silence");
	uint64_t attempts = offer->max_attempts ? offer->max_attempts : 5;

	bool read = flag_amount(cli, &offer->reward, "reward") &&
		    flag_amount(cli, &offer->unit_price, "price") &&
		    flag_number(cli, &offer->max_units_milli, "max-units", 1000, UINT32_MAX) &&
		    flag_number(cli, &offer->ttl_ms, "ttl", 1000, TTL_SECONDS_MAX) &&
		    flag_number(cli, &attempts, "attempts", 1, 100);
	if (!read)
		return false;
	offer->max_attempts = (uint32_t)attempts;
	offer->on_silence = PB__ON_SILENCE__PAY_MINER;
	if (silence && strcmp(silence, "refund") == 0) {
		offer->on_silence = PB__ON_SILENCE__REFUND;
	} else if (silence && strcmp(silence, "pay") != 0) {
		cli_fail("--on-silence is pay or refund");
		return false;
	}
	return true;
}

static bool ask_offer(struct cli *cli, struct offer *offer)
{
	struct rest_answer answer;

	*offer = (struct offer){0};
	cli_rest(cli, &answer, HTTP_GET, "/v1/coordinator", bytes_view(NULL, 0));
	bool ok = rest_answer_ok(&answer);
	if (!ok)
		cli_fail("%s", answer.fault);
	ok = ok && read_offer(offer, answer.json, cli->line->args[0]) && bend_offer(cli, offer);
	rest_answer_fini(&answer);
	return ok;
}

/* --- the payload --- */

/* "name=value" split; false: said why. */
static bool split(const char *given, char name[65], const char **value, const char *flag)
{
	const char *equals = strchr(given, '=');
	size_t len = equals ? (size_t)(equals - given) : 0;

	if (len == 0 || len > 64) {
		cli_fail("--%s %s: write it as name=value", flag, given);
		return false;
	}
	memcpy(name, given, len);
	name[len] = '\0';
	*value = equals + 1;
	return true;
}

/* 23, true, [1,2] mean what JSON means by them; anything else is a text. */
static json_t *value_of(const char *text)
{
	struct json_fault ignored;
	json_t *value = json_read(bytes_of_text(text), &ignored);

	if (json_is_string(value)) {
		json_decref(value);
		value = NULL;
	}
	return value ? value : json_string(text);
}

static bool put_input(json_t *payload, const char *name, json_t *value)
{
	if (value && !json_object_get(payload, name) &&
		json_object_set_new(payload, name, value) == 0)
		return true;
	cli_fail("input %s is given twice, or isn't UTF-8", name);
	return false;
}

/* Sends a file to the coordinator and checks that it arrived as it left. */
static bool upload(struct cli *cli, char reference[80], const char *file)
{
	struct rest_answer answer;
	struct hash32 hash;
	struct hash32 got;
	uint64_t size = 0;

	if (!file_hash(&hash, &size, file)) {
		cli_fail("can't read %s: %s", file, strerror(errno));
		return false;
	}
	cli_rest_upload(cli, &answer, "/v1/artifacts", file);
	bool ok = rest_answer_ok(&answer);
	if (!ok)
		cli_fail("%s: %s", file, answer.fault);
	else if (!field_hex(got.b, 32, answer.json, "artifact") || !hash_equal(&got, &hash)) {
		cli_fail("%s arrived with other bytes; try again", file);
		ok = false;
	}
	rest_answer_fini(&answer);
	snprintf(reference, 80, "artifact:");
	hex_lower(reference + 9, hash.b, 32);
	if (ok && !cli->json)
		printf("uploaded %s (%" PRIu64 " bytes)\n", file, size);
	return ok;
}

static bool put_inputs(struct cli *cli, json_t *payload)
{
	const char *given;
	const char *value;
	char name[65];
	char reference[80];

	for (size_t i = 0; (given = command_flag_at(cli->line, "input", i)); i++)
		if (!split(given, name, &value, "input") ||
			!put_input(payload, name, value_of(value)))
			return false;
	for (size_t i = 0; (given = command_flag_at(cli->line, "input-text", i)); i++)
		if (!split(given, name, &value, "input-text") ||
			!put_input(payload, name, json_string(value)))
			return false;
	for (size_t i = 0; (given = command_flag_at(cli->line, "input-file", i)); i++)
		if (!split(given, name, &value, "input-file") || !upload(cli, reference, value) ||
			!put_input(payload, name, json_string(reference)))
			return false;
	return true;
}

/* The payload's bytes, exactly as they will be hashed and sent. */
static bool make_payload(struct cli *cli, struct buf *out, const char *service)
{
	const char *prompt = command_flag(cli->line, "prompt");
	const char *model = command_flag(cli->line, "model");
	json_t *payload = json_object();
	bool ok = put_input(payload, "type", json_string(service)) &&
		  (!prompt || put_input(payload, "prompt", json_string(prompt))) &&
		  (!model || put_input(payload, "model", json_string(model))) &&
		  put_inputs(cli, payload);
	char *text = ok ? json_dumps(payload, JSON_COMPACT) : NULL;

	if (text)
		buf_append_text(out, text);
	free(text);
	json_decref(payload);
	return ok && out->len > 0 && buf_ok(out);
}

/* --- the transaction --- */

static bool name_job(struct cli *cli, struct job_ref *ref)
{
	const char *own = command_flag(cli->line, "job-id");
	uint8_t random[16];

	if (own && !job_id_valid(bytes_of_text(own))) {
		cli_fail("--job-id: 1 to 64 of letters, digits, _ . -");
		return false;
	}
	randombytes_buf(random, sizeof random);
	if (own)
		snprintf(ref->job_id, sizeof ref->job_id, "%s", own);
	else
		hex_lower(ref->job_id, random, sizeof random);
	ref->client = *sender_address(cli->sender);
	ref->chain_known = true;
	job_rest_id(ref->rest_id, &ref->client, ref->job_id);
	return true;
}

/* Signs submit_job over the payload and makes the whole POST body. */
static bool make_body(struct cli *cli, struct buf *body, struct job_ref *ref, struct offer *offer,
	struct bytes payload)
{
	Pb__SubmitJob act = PB__SUBMIT_JOB__INIT;
	Pb__Action action = PB__ACTION__INIT;
	const Pb__Action *actions = &action;
	uint8_t salt[32];
	struct buf tx = {0};
	struct hash32 tx_hash;
	uint64_t valid_until_ms;

	if (!name_job(cli, ref))
		return false;
	randombytes_buf(salt, sizeof salt);
	struct hash32 hash = job_payload_hash(salt, payload);
	act.job_id = ref->job_id;
	act.coordinator = (ProtobufCBinaryData){20, offer->coordinator.b};
	act.coordinator_ppm = offer->share_ppm;
	act.service = offer->service;
	act.payload_hash = (ProtobufCBinaryData){32, hash.b};
	act.reward = offer->reward;
	act.unit_type = offer->unit_type;
	act.unit_price = offer->unit_price;
	act.max_units_milli = offer->max_units_milli;
	act.ttl_ms = offer->ttl_ms;
	act.max_attempts = offer->max_attempts;
	act.on_silence = offer->on_silence;
	act.replicas = 1;
	action.act_case = PB__ACTION__ACT_SUBMIT_JOB;
	action.submit_job = &act;
	if (sender_sign(cli->sender, &tx, &tx_hash, &valid_until_ms, &actions, 1,
		    PB__MODE__ATOMIC) != STATUS_OK) {
		cli_fail("can't sign the submission: no memory");
		return false;
	}
	buf_append_text(body, "{\"tx\":");
	json_put_base64(body, tx.data, tx.len);
	buf_append_text(body, ",\"salt\":\"");
	buf_append_hex_lower(body, salt, sizeof salt);
	buf_append_text(body, "\",\"payload\":");
	buf_append_view(body, payload);
	buf_append_text(body, "}");
	buf_fini(&tx);
	return buf_ok(body);
}

/* --- the way to the coordinator --- */

/* No answer, or one that asks for patience: the same bytes may be sent again. */
static bool try_again(const struct rest_answer *answer)
{
	return answer->status != STATUS_OK || answer->http_status == 429 ||
	       answer->http_status >= 502;
}

/* At most three times, with a growing pause. The same bytes name the same job, so a repeat orders
 * nothing twice. False: said why. */
static bool post(struct cli *cli, const struct job_ref *ref, struct bytes body)
{
	struct rest_answer answer;
	bool ok = false;

	for (uint32_t tries = 1;; tries++) {
		cli_rest(cli, &answer, HTTP_POST, "/v1/jobs", body);
		ok = rest_answer_ok(&answer);
		if (ok || !try_again(&answer) || tries == TRIES_MAX)
			break;
		if (!cli->json)
			printf("no luck (%.80s); once more\n", answer.fault);
		rest_answer_fini(&answer);
		cli_pause(cli, BACK_OFF_MS << (tries - 1));
	}
	if (!ok && try_again(&answer))
		cli_fail("%s\nnothing is lost: send the same job again with\n  aitbc submit "
			 "--again %s",
			answer.fault, ref->rest_id);
	else if (!ok)
		cli_fail("%s", answer.fault);
	rest_answer_fini(&answer);
	return ok;
}

static int show_submitted(struct cli *cli, const struct job_ref *ref)
{
	json_t *view = job_view(cli, ref);

	if (!view)
		return CLI_FAILED;
	struct show *show = show_new(cli->json);
	const json_t *tx = json_object_get(json_object_get(view, "tx"), "submit");
	show_text(show, "Job ID", "job_id", ref->rest_id);
	show_text(show, "Status", "status", field_text(view, "status"));
	show_text(show, "Transaction", "tx_hash", field_text(tx, "hash"));
	show_text(show, "Block", "height", field_text(tx, "height"));
	show_line(show, "follow it: aitbc status %s --wait", ref->rest_id);
	json_decref(view);
	return show_end(show);
}

/* Follows the job to its end and shows what it gave. */
static int wait_for_end(struct cli *cli, const struct job_ref *ref)
{
	const char *folder = command_flag(cli->line, "output");
	uint64_t wait_ms = 0;

	if (!flag_number(cli, &wait_ms, "timeout", 1000, 1000000))
		return CLI_FAILED;
	json_t *view = job_follow(cli, ref, wait_ms);
	if (!view)
		return CLI_FAILED;
	bool completed = job_view_completed(view);
	struct show *show = show_new(cli->json);
	if (!cli->json)
		printf("\n");
	job_view_show_end(show, view);
	show_json(show, "job", view);
	show_text(show, NULL, "job_id", ref->rest_id);
	show_text(show, NULL, "status", field_text(view, "status"));
	bool ok = completed && job_result_fetch(cli, show, ref, folder);
	int shown = show_end(show);
	return ok ? shown : CLI_FAILED;
}

static int finish(struct cli *cli, const struct job_ref *ref, struct bytes body)
{
	if (!post(cli, ref, body))
		return CLI_FAILED;
	if (!command_flag(cli->line, "wait"))
		return show_submitted(cli, ref);
	if (!cli->json)
		printf("%s\n", ref->rest_id);
	return wait_for_end(cli, ref);
}

static int submit_again(struct cli *cli, const char *job)
{
	struct job_ref ref;
	struct buf body = {0};
	int code = CLI_FAILED;

	if (job_ref_read(cli, &ref, job) && job_record_read(cli, &ref, &body))
		code = finish(cli, &ref, buf_view(&body));
	buf_fini(&body);
	return code;
}

/* By a managed account of the coordinator: the API key pays. */
static int submit_managed(struct cli *cli, struct bytes payload)
{
	struct rest_answer answer;
	struct job_ref ref = {0};

	cli_rest(cli, &answer, HTTP_POST, "/v1/jobs", payload);
	bool ok = rest_answer_ok(&answer) &&
		  field_copy(ref.rest_id, sizeof ref.rest_id - 1, answer.json, "job_id");
	if (!ok)
		cli_fail("%s",
			answer.fault[0] ? answer.fault : "the coordinator's answer can't be read");
	rest_answer_fini(&answer);
	if (!ok || !job_ref_on_chain(cli, &ref))
		return CLI_FAILED;
	return command_flag(cli->line, "wait") ? wait_for_end(cli, &ref)
					       : show_submitted(cli, &ref);
}

int command_submit(struct cli *cli)
{
	const char *again = command_flag(cli->line, "again");
	struct offer offer;
	struct job_ref ref = {0};
	struct buf payload = {0};
	struct buf body = {0};
	int code = CLI_FAILED;

	if (again)
		return submit_again(cli, again);
	if (cli->line->arg_count == 0)
		return cli_fail("which service? aitbc submit SERVICE (see: aitbc help submit)");
	if (!ask_offer(cli, &offer))
		return CLI_FAILED;
	if (command_flag(cli->line, "managed")) {
		if (make_payload(cli, &payload, offer.service))
			code = submit_managed(cli, buf_view(&payload));
	} else if (cli_sender(cli) && strcmp(offer.chain_id, sender_chain_id(cli->sender)) != 0) {
		cli_fail("the coordinator works on chain %s, the node on %s", offer.chain_id,
			sender_chain_id(cli->sender));
	} else if (cli->sender && make_payload(cli, &payload, offer.service) &&
		   make_body(cli, &body, &ref, &offer, buf_view(&payload)) &&
		   job_record_write(cli, &ref, buf_view(&body))) {
		code = finish(cli, &ref, buf_view(&body));
	}
	buf_fini(&payload);
	buf_fini(&body);
	return code;
}
