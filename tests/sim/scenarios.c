/* The published failures, as data. With n validators a quorum is more than 2n/3 here; where the
 * source counts otherwise, votes are held back so that the same validators end up with the same
 * locks. Roles: role r proposes in round r. */
#include <string.h>

#include "tests/sim/scenario.h"

static const struct scenario scenarios[] = {
	/* Saltini and Hyland-Wood, arXiv 1901.07160, on persistence: IBFT's quorum of 2f+1 is too
	 * small where n isn't 3f+1 (Quorum changed it to ceil(2n/3)): two quorums of three share
	 * no honest validator among five, and none at all among six. */
	{
		.name = "two-quorums-of-three-among-six",
		.claim = "two halves of six, each of 2f+1, decide nothing apart and one block "
			 "together",
		.nodes = 6,
		.sides = {"024", "135"},
		.heal_ms = 3000,
	},
	{
		.name = "two-quorums-of-three-among-five-one-lying",
		.claim = "a liar with two voices between two pairs of honest ones makes no two "
			 "quorums",
		.nodes = 5,
		.twins = true,
		.sides = {"012", "t34"},
		.heal_ms = 3000,
	},
	/* The same paper, 7.1, case 1, as 0xPolygon/pbft-consensus plays it (pull requests 19 and
	 * 22, "LivenessIssue_Case1_FiveNodes_OneFaulty"): in round 0 some lock one block, in
	 * round 1 others lock another; one of the second set falls silent, and neither set is
	 * large enough. */
	{
		.name = "locked-on-two-blocks-among-five",
		.claim = "five locked on two blocks, one dead, agree when the newer lock is shown",
		.nodes = 5,
		.held = {{0, 0, HELD_PROPOSAL, NULL, "0123", false},
			{0, 0, HELD_PREVOTE, "2", "", false},
			{1, 1, HELD_PREVOTE, "3", "4", false}},
		.heal_round = 2,
		.locks = true,
		.locked = {"2", "34"},
		.dies = "0",
	},
	/* Case 2 (pull request 31, "LivenessIssue_Case2_SixNodes_OneFaulty"): rounds 0, 2 and 3 do
	 * the locking, round 1 brings nothing; then role 2 falls silent. */
	{
		.name = "locked-on-two-blocks-among-six",
		.claim = "six that tried three blocks and locked two, one dead, agree",
		.nodes = 6,
		.held = {{0, 0, HELD_PROPOSAL, NULL, "01234", false},
			{0, 0, HELD_PREVOTE, "4", "", false},
			{1, 1, HELD_PROPOSAL, NULL, "1", false},
			{2, 2, HELD_PREVOTE, "5", "", false}},
		.heal_round = 4,
		.locks = true,
		.locked = {"4", NULL, "5"},
		.dies = "2",
	},
	/* Quorum issue 305: p alone sees 2f+1 votes for A and locks it; in the next round q alone
	 * sees them for B; one of the other two stops. IBFT had no way to unlock. */
	{
		.name = "fail-stop-between-two-locks",
		.claim = "four of whom two hold different locks survive the stop of a third",
		.nodes = 4,
		.held = {{0, 0, HELD_PROPOSAL, NULL, "012", false},
			{0, 0, HELD_PREVOTE, "2", "", false}, {1, 1, HELD_PREVOTE, "3", "", false}},
		.heal_round = 2,
		.locks = true,
		.locked = {"2", "3"},
		.dies = "0",
	},
	/* linera-protocol 891: A locks X of round 0; B and C lock Y of round 1, D votes for it and
	 * goes; X comes again in round 2 and can't win. A must be allowed to vote for Y, whose
	 * certificate is newer than its lock. */
	{
		.name = "vote-for-a-newer-certificate-although-locked",
		.claim = "who is locked votes for a block with a newer proof of lock",
		.nodes = 4,
		.held = {{0, 0, HELD_PROPOSAL, NULL, "012", false},
			{0, 0, HELD_PREVOTE, "2", "", false},
			{1, 1, HELD_PREVOTE, "3", "1", false}},
		.heal_round = 2,
		.locks = true,
		.locked = {"2", "13"},
		.dies = "0",
	},
	/* What locks are for (arXiv 1807.04938, lemma 5): one validator has decided X, and nobody
	 * hears of it; the next proposer knows of no lock and proposes Y. */
	{
		.name = "decided-where-nobody-hears",
		.claim = "a block that one alone has decided is decided by the others, no other",
		.nodes = 4,
		.held = {{0, 0, HELD_PROPOSAL, NULL, "023", false},
			{0, 0, HELD_PREVOTE, "3", "023", false},
			{0, 0, HELD_PRECOMMIT, "3", "", false}},
		.heal_round = 2,
		.decides = "3",
		.locks = true,
		.locked = {"02"},
	},
	/* The same with an older lock about: role 2 shows its proof for X of round 0 to those who
	 * are locked on Y of round 1, which role 3 has decided and never tells. */
	{
		.name = "older-proof-against-a-newer-lock",
		.claim = "an older proof of lock opens no newer lock",
		.nodes = 4,
		.held = {{0, 0, HELD_PROPOSAL, NULL, "012", false},
			{0, 0, HELD_PREVOTE, "2", "", false},
			{1, 1, HELD_PREVOTE, "3", "01", false},
			{1, 1, HELD_PRECOMMIT, "3", "", true}},
		.heal_round = 2,
		.decides = "3",
		.locks = true,
		.locked = {"2", "01"},
	},
	/* go-ethereum 16406: three signers, each on its own head. */
	{
		.name = "three-signers-on-three-heads",
		.claim = "three that saw three different blocks first agree on one",
		.nodes = 3,
		.held = {{0, 0, HELD_PROPOSAL, NULL, "01", false},
			{1, 1, HELD_PROPOSAL, NULL, "12", false},
			{2, 2, HELD_PROPOSAL, NULL, "20", false}},
		.heal_round = 3,
		.locks = true,
	},
	/* go-ethereum 18402, 26947: an even number of signers, half on each of two heads of equal
	 * weight, and every one "signed recently, must wait for others". */
	{
		.name = "four-signers-two-on-each-head",
		.claim = "four split evenly over two blocks agree on one",
		.nodes = 4,
		.held = {{0, 0, HELD_PROPOSAL, NULL, "03", false},
			{1, 1, HELD_PROPOSAL, NULL, "12", false}},
		.heal_round = 2,
		.locks = true,
	},
	/* IDChain issue 9: the same with five sealers of whom one is down. */
	{
		.name = "four-of-five-signers-two-on-each-head",
		.claim = "four of five, split evenly over two blocks, agree without the fifth",
		.nodes = 5,
		.never = "4",
		.held = {{0, 0, HELD_PROPOSAL, NULL, "03", false},
			{1, 1, HELD_PROPOSAL, NULL, "12", false}},
		.heal_round = 2,
		.locks = true,
	},
	/* EIP-3436 (Goerli, March 2021): eight validators, more than half of them up, halted on
	 * heads of equal difficulty since each kept what it had seen first. */
	{
		.name = "eight-signers-three-on-each-head",
		.claim = "six of eight, split evenly over two blocks, agree without the others",
		.nodes = 8,
		.never = "67",
		.held = {{0, 0, HELD_PROPOSAL, NULL, "024", false},
			{1, 1, HELD_PROPOSAL, NULL, "135", false}},
		.heal_round = 2,
		.locks = true,
	},
	/* Besu 6613 (and 3785, 6732): fewer than 1/3 are down, and "latest prepared metadata
	 * blockhash does not agree": some have prepared a block that the next proposers haven't
	 * heard of, and propose others instead. */
	{
		.name = "proposers-that-missed-the-prepared-block",
		.claim = "seven, two down, come back to the block that some of them prepared",
		.nodes = 7,
		.never = "6",
		.held = {{0, 0, HELD_PROPOSAL, NULL, "01234", false},
			{0, 0, HELD_PREVOTE, "4", "3", false}},
		.heal_round = 2,
		.locks = true,
		.locked = {"34"},
		.dies = "5",
	},
	/* Besu 8307: two of four validators come back with empty data directories; they followed
	 * the chain and never moved their round timers, and so nobody made a block again. */
	{
		.name = "two-of-four-wiped",
		.claim = "two of four that lost their data fetch the chain and vote on",
		.nodes = 4,
		.held = {{0, 0, HELD_PRECOMMIT, NULL, "", false}},
		.heal_ms = 1000,
		.wiped = "13",
	},
	/* SOVEREIGN-NET pull request 2591 (height 59117): rounds moved on local timers only, votes
	 * for one proposal landed in different rounds, and the votes of the rounds between were
	 * gone. f+1 votes of a later round must take the stragglers there. */
	{
		.name = "rounds-drifted-apart",
		.claim = "stragglers who lost the votes of six rounds join the others at once",
		.nodes = 7,
		.held = {{0, 5, HELD_ALL, NULL, "01234", true},
			{0, 5, HELD_PROPOSAL, NULL, "", false}},
		.slow = "56",
		.heal_round = 6,
		.dies = "3",
	},
	/* linera-protocol 6582, and the liveness proof of arXiv 1807.04938: messages take longer
	 * than the first rounds wait. */
	{
		.name = "network-slower-than-the-first-timeouts",
		.claim = "rounds grow until a slow network fits into one",
		.nodes = 4,
		.delay_ms = 400,
		.rounds = 12,
	},
	{
		.name = "started-within-thirty-seconds",
		.claim = "four started up to 30 s apart decide within 3 rounds of the third",
		.nodes = 4,
		.start_ms_max = 30000,
		.heal_quorum = true,
		.rounds = 3,
	},
};

const struct scenario *scenario_at(size_t index)
{
	return index < sizeof scenarios / sizeof *scenarios ? &scenarios[index] : NULL;
}

const struct scenario *scenario_named(const char *name)
{
	for (size_t i = 0; scenario_at(i); i++) {
		if (strcmp(scenario_at(i)->name, name) == 0)
			return scenario_at(i);
	}
	return NULL;
}
