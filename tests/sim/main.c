/* sim: the deterministic simulator's command line. One line a claim; exit code 0 only when all
 * hold; a broken one prints the command that replays it. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "tests/sim/liar.h"
#include "tests/sim/scenario.h"
#include "tests/sim/world.h"

static const char *plant_names[PLANTS] = {"none", "fence", "hash", "barrier", "store"};

enum { SEEDS_PER_WORD = 1000 };
enum { STORY_MS = 60000 }; /* at most until a scenario heals */
enum { SEEN_ENOUGH = 10 };

struct plan {
	struct sim_options options;
	uint64_t from, to;   /* seeds */
	uint64_t everywhere; /* crash at each of the first so many deeds; 0: not so */
	uint64_t stride;     /* of them */
	bool twice;          /* each seed, to see the same hash */
	bool stories;        /* one scenario, or all of them */
	bool hunt;           /* something is wrong, and must be seen */
	const char *program;
};

struct outcome {
	bool good;
	char fault[256];
	struct hash32 hash;
	int64_t height;
	uint32_t nodes;
	uint64_t crashes, halts, happened, txs, paid, ended, convictions, partitions;
	uint64_t struck[FAULT_KINDS];
	uint64_t forks, accused; /* keys named for a fork */
	int32_t rounds_max;
	int32_t rounds; /* of a scenario: from healing to decision */
};

static uint64_t seed_running;

/* While a bug is hunted, a broken CHECK is one way to see it; what the run held is lost. */
static bool hunting;
static jmp_buf hunted;
static char check_text[256];

static void on_check(const char *file, int line, const char *fact)
{
	if (hunting) {
		snprintf(check_text, sizeof check_text, "%s:%d: CHECK(%s)", file, line, fact);
		longjmp(hunted, 1);
	}
	fprintf(stderr, "FAILED: seed %llu: %s:%d: CHECK(%s)\n", (unsigned long long)seed_running,
		file, line, fact);
}

static void run(struct outcome *out, const struct sim_options *options)
{
	seed_running = options->seed;
	struct world *w = calloc(1, sizeof *w);
	CHECK(w);
	world_init(w, options);
	memset(out, 0, sizeof *out);
	out->good = world_run(w);
	snprintf(out->fault, sizeof out->fault, "%s", w->fault);
	out->hash = world_hash(w);
	out->height = w->checks.top;
	out->crashes = w->crashes;
	out->happened = w->happened;
	out->forks = w->checks.forked > 0;
	out->accused = w->checks.accused;
	out->txs = w->checks.tx_count;
	out->paid = w->checks.jobs_paid;
	out->ended = w->checks.jobs_ended;
	out->convictions = w->checks.convictions;
	out->rounds = options->scenario ? scenario_rounds(w) : 0;
	out->nodes = w->options.nodes;
	out->halts = w->halts;
	out->partitions = w->faults.partitions;
	out->rounds_max = w->rounds_max;
	memcpy(out->struck, w->faults.struck, sizeof out->struck);
	world_fini(w);
	free(w);
}

static void run_hunted(struct outcome *out, const struct sim_options *options)
{
	check_set_sink(on_check); /* a CHECK that fails takes it away */
	hunting = true;
	if (setjmp(hunted) == 0) {
		run(out, options);
	} else {
		memset(out, 0, sizeof *out);
		snprintf(out->fault, sizeof out->fault, "%s", check_text);
	}
	hunting = false;
}

static void print_replay(const struct plan *p, const struct sim_options *o)
{
	if (o->scenario) {
		printf("        replay: %s --scenario %s --seed %llu --trace\n", p->program,
			o->scenario->name, (unsigned long long)o->seed);
		return;
	}
	printf("        replay: %s --seed %llu", p->program, (unsigned long long)o->seed);
	if (o->nodes)
		printf(" --nodes %u", o->nodes);
	if (o->storm)
		printf(" --storm");
	if (o->twins)
		printf(" --twins");
	if (o->lies == LIES_DRAWN)
		printf(" --liars any");
	for (int i = 0, first = 1; i < LIES && o->lies != LIES_DRAWN; i++) {
		if (o->lies >> i & 1)
			printf("%s%s", first ? " --liars " : ",", lie_name((enum lie)i)), first = 0;
	}
	if (o->liars > 0)
		printf(" --liar-count %u", o->liars);
	if (o->split)
		printf(" --split");
	if (o->late)
		printf(" --late");
	if (o->forks)
		printf(" --forks");
	if (o->crashes)
		printf(" --crashes");
	if (o->loss)
		printf(" --loss %u", o->loss);
	if (o->plant != PLANT_NONE)
		printf(" --plant %s", plant_names[o->plant]);
	if (o->crash_at != UINT64_MAX)
		printf(" --crash-node %u --crash-at %llu%s%s", o->crash_node,
			(unsigned long long)o->crash_at,
			o->crash_kind == CRASH_POWER ? " --power" : "",
			o->crash_torn ? " --torn" : "");
	printf(" --fault-ms %llu --blocks %lld --trace\n", (unsigned long long)o->fault_ms,
		(long long)o->blocks);
}

static void add(struct outcome *sum, const struct outcome *out)
{
	sum->height += out->height;
	sum->txs += out->txs;
	sum->paid += out->paid;
	sum->ended += out->ended;
	sum->crashes += out->crashes;
	sum->halts += out->halts;
	sum->convictions += out->convictions;
	sum->forks += out->forks;
	sum->accused += out->accused;
	sum->partitions += out->partitions;
	for (int kind = 0; kind < FAULT_KINDS; kind++)
		sum->struck[kind] += out->struck[kind];
	if (out->rounds_max > sum->rounds_max)
		sum->rounds_max = out->rounds_max;
}

static void print_storm(const struct outcome *out)
{
	printf("faults: %llu partitions", (unsigned long long)out->partitions);
	for (int kind = 0; kind < FAULT_KINDS; kind++)
		printf(", %llu %s", (unsigned long long)out->struck[kind],
			fault_name((enum fault_kind)kind));
	printf("; %llu stops of sick nodes; after the faults %d rounds at most for a block\n",
		(unsigned long long)out->halts, out->rounds_max);
}

static void print_outcome(const struct sim_options *o, const struct outcome *out)
{
	char hash[65];
	hex_lower(hash, out->hash.b, sizeof out->hash.b);
	printf("seed %llu: %lld blocks, %llu transactions, %llu jobs ended, %llu paid, "
	       "%llu crashes, %llu events, trace %.16s\n",
		(unsigned long long)o->seed, (long long)out->height, (unsigned long long)out->txs,
		(unsigned long long)out->ended, (unsigned long long)out->paid,
		(unsigned long long)out->crashes, (unsigned long long)out->happened, hash);
}

static int broken(const struct plan *p, const struct sim_options *o, const struct outcome *out)
{
	printf("FAILED: seed %llu, %u nodes: %s\n", (unsigned long long)o->seed, out->nodes,
		out->fault);
	print_replay(p, o);
	return 1;
}

static int one_seed(const struct plan *p)
{
	struct outcome out;
	run(&out, &p->options);
	print_outcome(&p->options, &out);
	if (p->options.storm)
		print_storm(&out);
	return out.good ? 0 : broken(p, &p->options, &out);
}

static void print_sum(const struct plan *p, const struct outcome *sum)
{
	const struct sim_options *o = &p->options;
	printf("ok: %llu seeds of ", (unsigned long long)(p->to - p->from + 1));
	if (o->nodes > 0)
		printf("%u nodes", o->nodes);
	else
		printf("1 to 7 nodes");
	printf("%s%s%s%s: %lld blocks, %llu transactions, %llu jobs ended, %llu paid, %llu "
	       "crashes, %llu convictions, %s\n",
		o->storm ? ", in a storm" : "", o->crashes ? ", crashing" : "",
		o->loss ? ", losing messages" : "",
		p->twice ? ", each twice with the same trace" : "", (long long)sum->height,
		(unsigned long long)sum->txs, (unsigned long long)sum->ended,
		(unsigned long long)sum->paid, (unsigned long long)sum->crashes,
		(unsigned long long)sum->convictions,
		o->forks ? "no fork without its guilty"
			 : "nothing lost, forked or signed twice by the honest");
	if (o->storm)
		print_storm(sum);
	if (o->forks)
		printf("    %llu forks, each blamed by votes alone on more than a third of the "
		       "power: "
		       "%llu keys, all of them liars'\n",
			(unsigned long long)sum->forks, (unsigned long long)sum->accused);
}

static int many_seeds(const struct plan *p)
{
	struct sim_options o = p->options;
	struct outcome out, again, sum = {.good = true};
	int status = 0;
	for (o.seed = p->from; o.seed <= p->to; o.seed++) {
		run(&out, &o);
		if (!out.good)
			status |= broken(p, &o, &out);
		if (p->twice) {
			run(&again, &o);
			if (!hash_equal(&out.hash, &again.hash)) {
				snprintf(out.fault, sizeof out.fault, "two runs differ");
				status |= broken(p, &o, &out);
			}
		}
		add(&sum, &out);
		uint64_t done = o.seed - p->from + 1;
		if (done % SEEDS_PER_WORD == 0) /* who waits for very many wants to know */
			fprintf(stderr, "%llu seeds\n", (unsigned long long)done);
	}
	if (status == 0)
		print_sum(p, &sum);
	return status;
}

static void play(struct sim_options *o, const struct scenario *story)
{
	o->scenario = story;
	o->script = &scenario_script;
	o->nodes = story->nodes;
	o->twins = story->twins;
	o->fault_ms = STORY_MS;
}

/* Each published failure, over all the seeds; only: NULL, all of them. */
static int tell_stories(const struct plan *p)
{
	int status = 0;
	for (size_t i = 0; scenario_at(i); i++) {
		const struct scenario *story = scenario_at(i);
		struct sim_options o = p->options;
		struct outcome out;
		int told = 0;
		int32_t rounds = 0;
		if (o.scenario && o.scenario != story)
			continue;
		play(&o, story);
		for (o.seed = p->from; o.seed <= p->to; o.seed++) {
			run(&out, &o);
			if (!out.good)
				told |= broken(p, &o, &out);
			rounds = out.rounds > rounds ? out.rounds : rounds;
		}
		if (told == 0)
			printf("ok: %s: %s (%llu seeds, at most %d rounds)\n", story->name,
				story->claim, (unsigned long long)(p->to - p->from + 1), rounds);
		status |= told;
	}
	return status;
}

/* A bug must be seen within these seeds. Seen often enough, it isn't looked for any further. */
static int hunt(const struct plan *p)
{
	struct sim_options o = p->options;
	struct outcome out;
	uint64_t seen = 0;
	o.hunted = true;
	if (o.scenario)
		play(&o, o.scenario);
	char first[400] = "";
	for (o.seed = p->from; o.seed <= p->to && seen < SEEN_ENOUGH; o.seed++) {
		run_hunted(&out, &o);
		if (out.good)
			continue;
		if (seen++ == 0)
			snprintf(first, sizeof first, "seed %llu: %s", (unsigned long long)o.seed,
				out.fault);
	}
	const char *what = o.plant == PLANT_NONE ? "a bug" : plant_names[o.plant];
	printf("%s: %s: seen in %llu of %llu seeds%s%s\n", seen > 0 ? "ok" : "FAILED", what,
		(unsigned long long)seen, (unsigned long long)(o.seed - p->from),
		seen > 0 ? ", first by " : "", first);
	return seen == 0;
}

/* A crash of each kind before, or in the midst of, each of the first deeds of each node; with a
 * stride only some of them, others for each node and kind. */
static int crash_everywhere(const struct plan *p)
{
	struct sim_options o = p->options;
	struct outcome out;
	int status = 0;
	uint64_t runs = 0, crashes = 0, stride = p->stride > 0 ? p->stride : 1;
	for (uint64_t kind = 0; kind < o.nodes * UINT64_C(4); kind++) {
		o.crash_node = (uint32_t)(kind / 4);
		o.crash_kind = kind & 1 ? CRASH_POWER : CRASH_KILL;
		o.crash_torn = kind & 2;
		for (o.crash_at = kind % stride; o.crash_at < p->everywhere; o.crash_at += stride) {
			run(&out, &o);
			if (out.good && out.crashes == 0) {
				out.good = false;
				snprintf(out.fault, sizeof out.fault, "it never came to that deed");
			}
			if (!out.good)
				status |= broken(p, &o, &out);
			runs++;
			crashes += out.crashes;
		}
	}
	if (status == 0)
		printf("ok: killed and cut off, between and in the midst of deeds, at %s of the "
		       "first %llu deeds of each of %u nodes: %llu runs, %llu crashes, nothing "
		       "lost, forked or signed twice\n",
			stride == 1 ? "each" : "some", (unsigned long long)p->everywhere, o.nodes,
			(unsigned long long)runs, (unsigned long long)crashes);
	return status;
}

static void usage(void)
{
	printf("usage: sim [--nodes N] (--seed S [--trace] | --seeds FROM..TO [--twice])\n"
	       "           [--storm]   one seed draws all: 1, 4, 5 or 7 validators, and which\n"
	       "                       faults there are and how bad: loss, copies, overtaking,\n"
	       "                       partitions, clogs, pauses, crashes, hanging workers, full\n"
	       "                       and failing disks, wrong clocks, floods, rot, wiped nodes,\n"
	       "                       twins. Then more than 2/3 are healed and must commit.\n"
	       "           [--twins [--split]] [--crashes] [--loss PER-MILLE] [--fault-ms MS] "
	       "[--blocks N]\n"
	       "           [--liars KIND[,KIND]|any [--liar-count N] [--late] [--forks]]\n"
	       "           [--crash-at DEED [--crash-node N] [--power] [--torn]]\n"
	       "           [--crash-everywhere DEEDS [--crash-stride N]]   of each node\n"
	       "           [--scenario NAME|all]   a published failure, healed\n"
	       "           [--hunt]   something is wrong and must be seen within the seeds\n"
	       "           [--plant fence|hash|barrier|store]   must be seen within the seeds\n");
}

static enum plant plant_of(const char *name)
{
	for (int i = 0; i < PLANTS; i++) {
		if (strcmp(name, plant_names[i]) == 0)
			return (enum plant)i;
	}
	usage();
	exit(2);
}

static bool take_flag(struct plan *p, const char *name)
{
	struct sim_options *o = &p->options;
	struct {
		const char *name;
		bool *flag;
	} flags[] = {{"--trace", &o->trace}, {"--crashes", &o->crashes}, {"--torn", &o->crash_torn},
		{"--twice", &p->twice}, {"--hunt", &p->hunt}, {"--twins", &o->twins},
		{"--storm", &o->storm}, {"--split", &o->split}, {"--late", &o->late},
		{"--forks", &o->forks}};
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		if (strcmp(name, flags[i].name) == 0) {
			*flags[i].flag = true;
			return true;
		}
	}
	if (strcmp(name, "--power") == 0) {
		o->crash_kind = CRASH_POWER;
		return true;
	}
	return false;
}

static bool take_value(struct plan *p, const char *name, const char *text)
{
	struct sim_options *o = &p->options;
	char *end;
	uint64_t value = strtoull(text, &end, 10);
	if (strcmp(name, "--plant") == 0) {
		o->plant = plant_of(text);
		return true;
	}
	if (strcmp(name, "--scenario") == 0) {
		p->stories = true;
		o->scenario = scenario_named(text);
		return o->scenario || strcmp(text, "all") == 0;
	}
	if (strcmp(name, "--liars") == 0)
		return lies_of_text(&o->lies, text);
	if (strcmp(name, "--seeds") == 0) {
		p->from = value;
		p->to = strncmp(end, "..", 2) == 0 ? strtoull(end + 2, &end, 10) : value;
		return *end == 0 && p->to >= p->from;
	}
	if (*end != 0)
		return false;
	if (strcmp(name, "--nodes") == 0) {
		o->nodes = (uint32_t)value;
		return value >= 1 && value < SIM_NODES_MAX;
	}
	if (strcmp(name, "--seed") == 0)
		p->from = p->to = o->seed = value;
	else if (strcmp(name, "--loss") == 0)
		o->loss = (unsigned)value;
	else if (strcmp(name, "--liar-count") == 0)
		o->liars = (uint32_t)value;
	else if (strcmp(name, "--fault-ms") == 0)
		o->fault_ms = value;
	else if (strcmp(name, "--blocks") == 0)
		o->blocks = (int64_t)value;
	else if (strcmp(name, "--crash-at") == 0)
		o->crash_at = value;
	else if (strcmp(name, "--crash-node") == 0)
		o->crash_node = (uint32_t)(value % SIM_NODES_MAX);
	else if (strcmp(name, "--crash-everywhere") == 0)
		p->everywhere = value;
	else if (strcmp(name, "--crash-stride") == 0)
		p->stride = value;
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	static const uint8_t blinding[32] = {1};
	struct plan p = {.program = argv[0]};
	p.options = (struct sim_options){.seed = 1, .crash_at = UINT64_MAX, .blocks = 5};
	p.from = p.to = 1;
	for (int i = 1; i < argc; i++) {
		if (take_flag(&p, argv[i]))
			continue;
		if (i + 1 < argc && take_value(&p, argv[i], argv[i + 1])) {
			i++;
			continue;
		}
		usage();
		return strcmp(argv[i], "--help") == 0 ? 0 : 2;
	}
	if (p.options.nodes == 0 && !p.options.storm)
		p.options.nodes = 1;
	if (p.options.fault_ms == 0)
		p.options.fault_ms = p.options.storm ? 2000 : 3000;
	if (p.options.lies && p.options.liars == 0 && p.options.nodes > 0)
		p.options.liars = (p.options.nodes - 1) / 3 + (p.options.forks ? 1 : 0);
	if (p.options.lies)
		p.options.cast = liars_cast;
	check_set_sink(on_check);
	if (!keys_start(blinding))
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (p.everywhere > 0)
		return crash_everywhere(&p);
	if (p.hunt || p.options.plant != PLANT_NONE)
		return hunt(&p);
	if (p.stories)
		return tell_stories(&p);
	if (p.from < p.to || p.twice)
		return many_seeds(&p);
	return one_seed(&p);
}
