/* aitbc status, result, cancel, receipt, why, jobs: after the submission. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "base/hex.h"
#include "base/json.h"
#include "wallet/commands.h"
#include "wallet/fields.h"
#include "wallet/job_ref.h"
#include "wallet/message_json.h"

/* --timeout SECONDS in ms; 0: none given. */
static bool timeout_ms(struct cli *cli, uint64_t *out)
{
	const char *text = command_flag(cli->line, "timeout");

	*out = 0;
	if (!text || (u64_parse(out, text, strlen(text)) && *out > 0 && *out <= 1000000)) {
		*out *= 1000;
		return true;
	}
	cli_fail("--timeout needs a whole number of seconds");
	return false;
}

int command_status(struct cli *cli)
{
	struct job_ref ref;
	uint64_t wait_ms;

	if (!job_ref_read(cli, &ref, cli->line->args[0]) || !timeout_ms(cli, &wait_ms))
		return CLI_FAILED;
	json_t *view = command_flag(cli->line, "wait") ? job_follow(cli, &ref, wait_ms)
						       : job_view(cli, &ref);
	if (!view)
		return CLI_FAILED;
	if (cli->json) {
		char *text = json_dumps(view, JSON_COMPACT);
		printf("%s\n", text ? text : "{}");
		free(text);
		json_decref(view);
		return CLI_OK;
	}
	struct show *show = show_new(false);
	job_view_show(show, view);
	json_decref(view);
	return show_end(show);
}

int command_result(struct cli *cli)
{
	struct job_ref ref;

	if (!job_ref_read(cli, &ref, cli->line->args[0]) || !job_ref_on_chain(cli, &ref))
		return CLI_FAILED;
	json_t *view = cli->json ? NULL : job_view(cli, &ref);
	struct show *show = show_new(cli->json);
	if (view && job_view_completed(view))
		job_view_show_end(show, view);
	json_decref(view);
	if (job_result_fetch(cli, show, &ref, command_flag(cli->line, "output")))
		return show_end(show);
	show_drop(show);
	return CLI_FAILED;
}

/* By the coordinator when it can be asked, so that it stops looking for a miner at once; else
 * straight to the chain, which is what counts. */
static bool cancel_by_coordinator(
	struct cli *cli, const struct job_ref *ref, const Pb__Action *action, bool *reached)
{
	struct rest_answer answer;
	struct buf tx = {0};
	struct buf body = {0};
	struct hash32 hash;
	uint64_t valid_until_ms;
	char path[128];
	bool ok = false;

	*reached = true;
	if (sender_sign(cli->sender, &tx, &hash, &valid_until_ms, &action, 1, PB__MODE__ATOMIC) !=
		STATUS_OK) {
		cli_fail("can't sign: no memory");
		return false;
	}
	buf_append_text(&body, "{\"tx\":");
	json_put_base64(&body, tx.data, tx.len);
	buf_append_text(&body, "}");
	snprintf(path, sizeof path, "/v1/jobs/%s/cancel", ref->rest_id);
	cli_rest(cli, &answer, HTTP_POST, path, buf_view(&body));
	if (rest_answer_ok(&answer))
		ok = true;
	else if (answer.status != STATUS_OK || answer.http_status == 404)
		*reached = false;
	else
		cli_fail("%s", answer.fault);
	rest_answer_fini(&answer);
	buf_fini(&tx);
	buf_fini(&body);
	return ok;
}

/* A refused cancellation costs its fee: ask before. */
static bool job_on_chain(struct cli *cli, const struct job_ref *ref)
{
	struct job_key key = job_key_of(&ref->client, bytes_of_text(ref->job_id));
	struct job_terms terms;
	char log[256];
	uint32_t code;
	json_t *job = cli_query(cli, &code, log, "/jobs", bytes_view(key.b, key.len));
	bool read = job && job_terms_parse(&terms, job, log);

	json_decref(job);
	if (code)
		cli_fail("key %s has no job %s on the chain", cli->key.name, ref->job_id);
	else if (job && !read)
		cli_fail("the job's record can't be read: %s", log);
	else if (read && job_state_terminal(terms.state))
		cli_fail("the job has ended already: %s", job_state_name(terms.state));
	return read && !job_state_terminal(terms.state);
}

int command_cancel(struct cli *cli)
{
	Pb__CancelJob act = PB__CANCEL_JOB__INIT;
	Pb__Action action = PB__ACTION__INIT;
	struct sender_outcome outcome;
	struct job_ref ref;
	bool reached = false;

	if (!job_ref_read(cli, &ref, cli->line->args[0]) || !job_ref_on_chain(cli, &ref) ||
		!cli_sender(cli))
		return CLI_FAILED;
	if (!account_address_equal(sender_address(cli->sender), &ref.client))
		return cli_fail("key %s didn't order this job; name the one that did: --key NAME",
			cli->key.name);
	if (!job_on_chain(cli, &ref))
		return CLI_FAILED;
	act.job_id = ref.job_id;
	action.act_case = PB__ACTION__ACT_CANCEL_JOB;
	action.cancel_job = &act;
	bool direct = command_flag(cli->line, "direct") != NULL;
	bool ok = !direct && cancel_by_coordinator(cli, &ref, &action, &reached);
	if (!ok && !reached)
		ok = cli_send(cli, &outcome, &action);
	if (!ok)
		return CLI_FAILED;
	struct show *show = show_new(cli->json);
	show_text(show, "Job ID", "job_id", ref.rest_id);
	show_text(show, "Status", "status", "cancelled");
	show_line(show, "what it held in escrow is back on your account");
	return show_end(show);
}

int command_receipt(struct cli *cli)
{
	struct chain_receipt receipt = {0};
	struct account_key miner;
	char miner_text[ADDRESS_TEXT_BYTES];
	struct job_ref ref;

	if (!job_ref_read(cli, &ref, cli->line->args[0]) || !job_ref_on_chain(cli, &ref))
		return CLI_FAILED;
	if (!chain_receipt_read(cli, &receipt, &ref)) {
		chain_receipt_fini(&receipt);
		return CLI_FAILED;
	}
	const Pb__Receipt *r = receipt.receipt;
	struct show *show = show_new(cli->json);
	memcpy(miner.b, r->miner.data, sizeof miner.b);
	struct account_address miner_address = account_address_of(&miner);
	address_text(miner_text, &miner_address);
	show_text(show, "Receipt", "receipt_id", r->receipt_id);
	show_text(show, "Job ID", "job_id", ref.rest_id);
	show_text(show, "State", "state", receipt.settled ? "SETTLED" : "DELIVERED");
	show_text(show, "Service", NULL, r->service);
	show_text(show, "Miner", "miner", miner_text);
	char units[64];
	snprintf(units, sizeof units, "%" PRIu64 ".%03u %s", r->units_milli / 1000,
		(unsigned)(r->units_milli % 1000), r->unit_type);
	show_text(show, "Work", NULL, units);
	show_amount(show, "Price of a unit", NULL, r->unit_price);
	show_amount(show, "Amount", "amount", r->amount);
	if (receipt.settled) {
		show_amount(show, "  to the miner", "to_miner", receipt.to_miner);
		show_amount(show, "  to coordinator", "to_coordinator", receipt.to_coordinator);
		show_amount(show, "  back to client", "to_client", receipt.to_client);
	}
	show_time_ms(show, "Started", NULL, r->started_ms);
	show_time_ms(show, "Completed", NULL, r->completed_ms);
	show_hex(show, "Result hash", NULL, r->result_hash.data, r->result_hash.len);
	show_u64(show, "Block", "height", (uint64_t)receipt.height);
	show_hex(show, "Transaction", "tx_hash", receipt.tx_hash.b, 32);
	show_json(show, "receipt", message_json(&r->base));
	show_line(show, "the miner's signature is good%s",
		receipt.settled ? ", and the job was settled by this receipt"
				: "; the coordinator may still reject it");
	chain_receipt_fini(&receipt);
	return show_end(show);
}

/* --- why --- */

static void say_left(char out[64], uint64_t end_ms, uint64_t now_ms)
{
	uint64_t left = end_ms > now_ms ? end_ms - now_ms : 0;

	if (left == 0)
		snprintf(out, 64, "now");
	else if (left < 120000)
		snprintf(out, 64, "in %" PRIu64 ".%" PRIu64 " s", left / 1000, left % 1000 / 100);
	else
		snprintf(out, 64, "in %" PRIu64 " min", left / 60000);
}

/* What the state means for whoever waits. */
static void say_state(struct show *show, const struct job_terms *t)
{
	char when[64];
	char lease[64];

	say_left(when, t->deadline_ms, t->job_time_ms);
	say_left(lease, t->lease_end_ms, t->job_time_ms);
	switch (t->state) {
	case PB__JOB_STATE__OPEN:
		show_line(show,
			"It waits for a miner. If none delivers, it expires %s and the "
			"whole reward comes back.",
			when);
		break;
	case PB__JOB_STATE__ASSIGNED:
		show_line(show,
			"A miner has it, attempt %u of %u; its lease ends %s. The job "
			"expires %s.",
			t->attempt, t->max_attempts, lease, when);
		break;
	case PB__JOB_STATE__DELIVERED:
		say_left(when, t->review_end_ms, t->job_time_ms);
		show_line(show,
			"The miner delivered to the chain itself, since its coordinator "
			"was silent. The review ends %s; then %s.",
			when,
			t->on_silence == PB__ON_SILENCE__PAY_MINER ? "the miner is paid"
								   : "you are refunded");
		break;
	case PB__JOB_STATE__SETTLED:
		show_line(show, "It is done and paid; see: aitbc receipt, aitbc result.");
		break;
	case PB__JOB_STATE__FAILED:
		show_line(show, "The coordinator gave it up; the reward came back.");
		break;
	case PB__JOB_STATE__CANCELLED:
		show_line(show, "You cancelled it; the reward came back.");
		break;
	case PB__JOB_STATE__EXPIRED:
		show_line(show, "Nobody delivered before its deadline; the reward came back.");
		break;
	case PB__JOB_STATE__REFUNDED:
		show_line(show, "A delivery stayed unreviewed, and its terms then refund you.");
		break;
	case PB__JOB_STATE__JOB_NONE:
	case _PB__JOB_STATE_IS_INT_SIZE: break;
	}
}

static void show_story(struct show *show, const json_t *job)
{
	static const struct show_column columns[] = {{"BLOCK", "height", true},
		{"STATE", "state", false}, {"CAUSE", "cause", false}, {"ATTEMPT", "attempt", true}};
	size_t i;
	json_t *one;

	show_table(show, "history", columns, 4);
	json_array_foreach(json_object_get(job, "history"), i, one)
	{
		char attempt[24];
		uint32_t number = 0;
		if (!field_u32(&number, one, "attempt"))
			continue;
		snprintf(attempt, sizeof attempt, "%u", number);
		show_row(show, (const char *[]){field_text(one, "height"), field_text(one, "state"),
				       field_text(one, "cause"), attempt});
	}
}

/* The coordinator's own word, when it can be asked; the chain's story stands without it. */
static void show_coordinators_word(struct cli *cli, struct show *show, const struct job_ref *ref)
{
	struct rest_answer answer;
	char path[128];

	snprintf(path, sizeof path, "/v1/jobs/%s", ref->rest_id);
	cli_rest(cli, &answer, HTTP_GET, path, bytes_view(NULL, 0));
	if (rest_answer_ok(&answer) && field_text(answer.json, "reason")[0])
		show_text(show, "Coordinator says", "reason", field_text(answer.json, "reason"));
	rest_answer_fini(&answer);
}

int command_why(struct cli *cli)
{
	struct job_terms terms;
	struct job_ref ref;
	char log[256];
	uint32_t code;

	if (!job_ref_read(cli, &ref, cli->line->args[0]) || !job_ref_on_chain(cli, &ref))
		return CLI_FAILED;
	struct job_key key = job_key_of(&ref.client, bytes_of_text(ref.job_id));
	json_t *job = cli_query(cli, &code, log, "/jobs", bytes_view(key.b, key.len));
	if (!job && code)
		return cli_fail("%s\nits submission never reached a block; send it again: "
				"aitbc submit --again %s",
			log, ref.rest_id);
	if (!job)
		return CLI_FAILED;
	if (!job_terms_parse(&terms, job, log)) {
		json_decref(job);
		return cli_fail("the job's record can't be read: %s", log);
	}
	struct show *show = show_new(cli->json);
	show_text(show, "Job ID", "job_id", ref.rest_id);
	show_text(show, "State", "state", job_state_name(terms.state));
	show_coordinators_word(cli, show, &ref);
	say_state(show, &terms);
	show_story(show, job);
	json_decref(job);
	return show_end(show);
}

int command_jobs(struct cli *cli)
{
	static const struct show_column columns[] = {{"JOB", "job_id", false},
		{"STATUS", "status", false}, {"SERVICE", "service", false},
		{"COST AITBC", "cost", true}, {"SUBMITTED", "submitted_at", false}};
	struct rest_answer answer;
	size_t i;
	json_t *one;

	cli_rest(cli, &answer, HTTP_GET, "/v1/jobs?limit=50", bytes_view(NULL, 0));
	if (!rest_answer_ok(&answer)) {
		int failed = cli_fail("%s", answer.fault);
		rest_answer_fini(&answer);
		return failed;
	}
	struct show *show = show_new(cli->json);
	show_table(show, "jobs", columns, 5);
	json_array_foreach(json_object_get(answer.json, "items"), i, one)
		show_row(show, (const char *[]){field_text(one, "job_id"),
				       field_text(one, "status"), field_text(one, "service"),
				       field_text(one, "cost"), field_text(one, "submitted_at")});
	if (json_array_size(json_object_get(answer.json, "items")) == 0)
		show_line(show, "no jobs yet; order one: aitbc submit SERVICE");
	rest_answer_fini(&answer);
	return show_end(show);
}
