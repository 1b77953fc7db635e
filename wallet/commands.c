/* The table of everything aitbc can do. Help, dispatch and the README's list follow it. */
#include "wallet/commands.h"

#define WAIT_FLAGS                                                                                 \
	{"wait", NULL, "show progress until the job has ended"},                                   \
	{                                                                                          \
		"timeout", "SECONDS", "with --wait: stop watching (the job goes on)"               \
	}

const struct command command_table[] = {
	{"keys new", "NAME", "make a key, encrypted under a passphrase", NULL, 1, 1,
		{{"devnet", "CHAIN_ID", "not encrypted, for that development network only"}},
		command_keys_new},
	{"keys import", "NAME", "take in a secret from stdin or a file",
		"The secret is one line of 64 hex digits, on stdin or in --secret-file; never an "
		"argument,\nwhich everybody on this machine can read.",
		1, 1,
		{{"secret-file", "FILE", "64 hex digits in a file only you can read"},
			{"file", "FILE", "a key file of `aitbc keys export`, as it is"},
			{"devnet", "CHAIN_ID", "not encrypted, for that development network only"}},
		command_keys_import},
	{"keys list", "", "names and addresses of the keys at home", NULL, 0, 0, {{0}},
		command_keys_list},
	{"keys show", "[NAME]", "address and public key of one", NULL, 0, 1, {{0}},
		command_keys_show},
	{"keys export", "NAME", "copy a key file, or show its secret", NULL, 1, 1,
		{{"output", "FILE", "write the key file there (0600) instead of to stdout"},
			{"secret", NULL, "the bare secret in hex, decrypted"},
			{"yes", NULL, "with --secret: even onto a terminal"}},
		command_keys_export},

	{"balance", "[ADDRESS|NAME]", "what an account has", NULL, 0, 1, {{0}}, command_balance},
	{"send", "TO AMOUNT", "pay an account: aitbc send miner1 0.25aitbc",
		"TO is an address (ait1...) or the name of a key at home; AMOUNT like 0.25aitbc "
		"or 250000uaitbc.",
		2, 2, {{0}}, command_send},
	{"faucet", "[TO [AMOUNT]]", "on a devnet: 100 AITBC from the key named faucet", NULL, 0, 2,
		{{0}}, command_faucet},
	{"history", "", "what your account did and what came in, newest first", NULL, 0, 0,
		{{"blocks", "N", "how many blocks down from the last (2000)"}}, command_history},

	{"submit", "SERVICE", "order work and put its reward in escrow",
		"The coordinator's published terms are taken unless flags say otherwise. The "
		"signed order is kept at\nhome before it is sent; sending it again orders nothing "
		"twice.\n\n"
		"  aitbc submit inference --prompt \"What is machine learning?\" --model "
		"llama3.2:latest --wait\n"
		"  aitbc submit ffmpeg/transcode --input-file input=clip.mp4 --input "
		"output_format=mkv --wait --output out",
		0, 1,
		{{"prompt", "TEXT", "input prompt"}, {"model", "NAME", "input model"},
			{"input", "NAME=VALUE", "an input; numbers, true, [..] are JSON's"},
			{"input-text", "NAME=TEXT",
				"an input that is a text whatever it looks like"},
			{"input-file", "NAME=PATH", "upload a file and name it as input"},
			{"reward", "AMOUNT", "at most this is paid; it waits in escrow"},
			{"price", "AMOUNT", "per unit of work"},
			{"max-units", "N", "no more than N units are paid"},
			{"ttl", "SECONDS", "refund when nothing is delivered by then"},
			{"attempts", "N", "how many miners may try"},
			{"on-silence", "pay|refund", "if the coordinator never reviews (pay)"},
			{"job-id", "ID", "your own name for it (random)"},
			{"managed", NULL, "the coordinator's account for your API key pays"},
			{"again", "JOB", "send an earlier submission once more, as it was"},
			WAIT_FLAGS, {"output", "DIR", "with --wait: save the result's files"}},
		command_submit},
	{"jobs", "", "the jobs you ordered with this API key", NULL, 0, 0, {{0}}, command_jobs},
	{"status", "JOB", "where a job stands", NULL, 1, 1, {WAIT_FLAGS}, command_status},
	{"result", "JOB", "what it gave, checked against its receipt", NULL, 1, 1,
		{{"output", "DIR", "save result.json and the files"}}, command_result},
	{"cancel", "JOB", "take an order back that no miner holds", NULL, 1, 1,
		{{"direct", NULL, "to the chain without asking the coordinator"}}, command_cancel},
	{"receipt", "JOB", "the receipt in its block: who was paid what for what", NULL, 1, 1,
		{{0}}, command_receipt},
	{"why", "JOB", "its story on the chain, and what it waits for", NULL, 1, 1, {{0}},
		command_why},

	{"chain", "", "height, supply, escrow; with --stall what the next block waits for",
		"--stall asks this one node what the height being decided waits for, and for each "
		"validator\nwhether its vote is here, whether it is connected and where it says it "
		"stands.",
		0, 0, {{"stall", NULL, "what the next block waits for, and for whom"}},
		command_chain},
	{"block", "[HEIGHT]", "one block and its transactions (the last)", NULL, 0, 1, {{0}},
		command_block},
	{"blocks", "", "the last blocks", NULL, 0, 0, {{"limit", "N", "how many (20)"}},
		command_blocks},
	{"tx", "HASH", "one transaction and what became of it", NULL, 1, 1, {{0}}, command_tx},
	{"txs", "ADDRESS|NAME", "an account's transactions, newest first", NULL, 1, 1,
		{{"blocks", "N", "how many blocks down from the last (2000)"}}, command_txs},
	{"receipts", "", "the last receipts on the chain", NULL, 0, 0, {{0}}, command_receipts},
	{"validators", "", "who signs the blocks", NULL, 0, 0, {{0}}, command_validators},
	{"authority", "[DEED ...]", "who decides, what is open; propose and vote as an operator",
		"Without a deed: validators, rules version and open proposals. A proposal is in "
		"force "
		"when more than two\nthirds of the validators' power sent the same one within "
		"seven "
		"days; --key names the operator that votes.\n\n"
		"  aitbc authority vote PROPOSAL            agree (its first digits do)\n"
		"  aitbc authority add KEY POWER OPERATOR   a new validator and who operates it\n"
		"  aitbc authority power KEY POWER          weigh one anew\n"
		"  aitbc authority remove KEY\n"
		"  aitbc authority replace KEY NEW_KEY      the same operator, another key\n"
		"  aitbc authority params NAME=VALUE...     settlement parameters\n"
		"  aitbc authority rules VERSION HEIGHT [RELEASE]\n"
		"  aitbc authority spend TO AMOUNT          from the treasury\n\n"
		"KEY is a public key in base64 or hex, or the address of a validator. A home's "
		"operator votes after\n"
		"  aitbc keys import operator --file HOME/operator.json",
		0, COMMAND_ARGS_MAX,
		{{"reference", "TEXT", "tells apart two proposals of the same content"}},
		command_authority},
	{"miners", "", "who works for the coordinator (needs its admin key)", NULL, 0, 0, {{0}},
		command_miners},
	{"version", "", "which release this is", NULL, 0, 0, {{0}}, command_version},
	{0},
};
