/* rot: what one byte that changed by itself, or a file cut short, does to one of four validators.
 * Each trial is a child process with a copy of one home (log, fence, RocksDB's files, genesis,
 * peers) and the three others in memory. It changes one byte or cuts one file, starts the node,
 * lets the four go on, and holds every row that the node can be asked for against the truth.
 * Allowed: nothing happens, the node repairs itself from its peers, it stops with a named error, a
 * row answers with an error. Never: a row that differs, a row that is missing, a second signature,
 * an end without a name, a hang.
 *
 *   rot [--trials FROM..TO] [--trace]     one line a claim; exit code 0 only when all hold
 *   rot --lengths MANIFEST|wal            each bit of the lengths of its records instead */
#define _GNU_SOURCE
#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/endian.h"
#include "chain/store_mem.h"
#include "chain/store_rocks.h"
#include "node/peers_file.h"
#include "tests/rot/cluster.h"
#include "tests/sim/random.h"

enum {
	BLOCKS = 12,
	FILES_MAX = 128,
	RECORDS_MAX = 1024,
	TRIAL_S = 60, /* of real time: then it hangs */
	REACH_MS = 120 * 1000,
	TEXT_BYTES = 600,
	HOME_FILE_BYTES_MAX = 64 << 20
};

enum outcome {
	HARMLESS, /* as if nothing had happened */
	REPAIRED, /* it was silent for a while, and then whole */
	STOPPED,  /* with a named error: at the start, later, or voting alone */
	REFUSES,  /* it runs; some rows answer with an error */
	BROKEN,   /* what must never be */
	OUTCOMES
};
static const char *const outcome_names[OUTCOMES] = {
	"harmless", "repaired", "stopped by name", "rows refused", "broken"};

struct verdict {
	enum outcome outcome;
	char text[TEXT_BYTES];
};

/* The home's files, relative to it, in order of their names. */
struct files {
	size_t count;
	char names[FILES_MAX][128];
	size_t sizes[FILES_MAX];
};

struct plan {
	uint64_t from, to;
	bool trace;
	const char *lengths; /* of the first file whose name has this in it; NULL: by chance */
	size_t file, records[RECORDS_MAX];
	char dir[64];
	struct cluster cluster;
	struct files files;
};

static struct plan plan;

/* ---- the world before the rot ---- */

static void die(const char *what)
{
	fprintf(stderr, "rot: %s\n", what);
	exit(2);
}

static void add_file(struct files *f, const char *name, size_t size)
{
	if (f->count == FILES_MAX || strlen(name) >= sizeof f->names[0])
		die("too many files");
	snprintf(f->names[f->count], sizeof f->names[0], "%s", name);
	f->sizes[f->count++] = size;
}

static void list_folder(struct files *f, const char *home, const char *inside)
{
	char path[NODE_PATH_BYTES], name[300];
	struct dirent **found;
	snprintf(path, sizeof path, "%s/%s", home, inside);
	int count = scandir(path, &found, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		struct stat info;
		snprintf(name, sizeof name, "%s%s%s", inside, inside[0] ? "/" : "",
			found[i]->d_name);
		snprintf(path, sizeof path, "%s/%s", home, name);
		if (found[i]->d_name[0] != '.' && stat(path, &info) == 0) {
			if (S_ISDIR(info.st_mode))
				list_folder(f, home, name);
			else if (info.st_size > 0)
				add_file(f, name, (size_t)info.st_size);
		}
		free(found[i]);
	}
	if (count >= 0)
		free(found);
}

static void write_file(const char *home, const char *name, struct bytes content)
{
	char path[NODE_PATH_BYTES], fault[NODE_FAULT_BYTES];
	if (files_join(path, home, name) != STATUS_OK ||
		files_create(path, 0600, content, fault) != STATUS_OK)
		die(fault);
}

/* As a node writes them: half of the blocks before a restart, so that they lie in tables, the rest
 * in the library's log. */
static void make_database(struct cluster *c)
{
	char path[NODE_PATH_BYTES], fault[256];
	snprintf(path, sizeof path, "%s/data", c->members[0].home);
	for (size_t i = 0; i < c->batch_count;) {
		struct store store;
		size_t until = i == 0 ? c->batch_count / 2 : c->batch_count;
		if (store_rocks_open(&store, path, fault) != STATUS_OK)
			die(fault);
		for (; i < until; i++) {
			if (store_write(&store, &c->batches[i], true) != STATUS_OK)
				die("a block isn't written");
		}
		store_close(&store);
	}
}

/* RocksDB has threads, which a fork would leave behind: only children ever open it. */
static void in_child(void (*act)(struct cluster *c), struct cluster *c)
{
	int state = 0;
	pid_t child = fork();
	if (child == 0) {
		act(c);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &state, 0) != child || state != 0)
		die("making the database");
}

static void make_world(struct plan *p)
{
	struct cluster *c = &p->cluster;
	char fault[256];
	snprintf(p->dir, sizeof p->dir, "%s/aitbc-rot-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(p->dir))
		die("no folder to work in");
	cluster_init(c, p->dir, 4);
	c->keeps_batches = true;
	for (uint32_t i = 0; i < 4; i++)
		CHECK(cluster_start(c, i, fault) == STATUS_OK);
	for (int64_t height = 1; height <= BLOCKS; height++) {
		for (unsigned k = 0; k < 4; k++)
			cluster_transfer(c);
		CHECK(cluster_reach(c, height, REACH_MS));
	}
	/* Two go: the others vote, and can't decide. So there is something in log and fence. */
	cluster_stop(c, 2);
	cluster_stop(c, 3);
	CHECK(!cluster_reach(c, c->top + 1, 40 * 1000));
	CHECK(c->members[0].disk.fence.height == cluster_height(c, 0) + 1);
	cluster_stop(c, 0);
	CHECK(cluster_start(c, 2, fault) == STATUS_OK);
	CHECK(cluster_start(c, 3, fault) == STATUS_OK);
	CHECK(!c->fault[0]);
	in_child(make_database, c);
	struct buf text = {0};
	genesis_write(&text, &c->people.genesis);
	write_file(c->members[0].home, "genesis.json", buf_view(&text));
	buf_clear(&text);
	struct net_peer peers[3];
	memset(peers, 0, sizeof peers);
	for (uint16_t i = 0; i < 3; i++) {
		snprintf(peers[i].name, sizeof peers[i].name, "node%u", i + 1u);
		snprintf(peers[i].host, sizeof peers[i].host, "127.0.0.1");
		peers[i].port = (uint16_t)(26656 + i);
		peers[i].key = validator_key_of(&c->people.validators[i + 1]);
	}
	peers_file_write(&text, peers, 3);
	write_file(c->members[0].home, "peers.json", buf_view(&text));
	buf_fini(&text);
	list_folder(&p->files, c->members[0].home, "");
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	(void)info;
	(void)kind;
	(void)at;
	return remove(path);
}

static void remove_folder(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- one trial, in its own process ---- */

/* What a trial that hangs was at, told by its last act. */
static const char *stage = "";
static int answer_to = -1;

static uint64_t dice_state;

static uint64_t dice(uint64_t sides)
{
	struct random random = {dice_state};
	uint64_t value = random_below(&random, sides);
	dice_state = random.state;
	return value;
}

static const char library_log[] = "data/0";

static bool is_like(const char *name, const char *part)
{
	bool like = strstr(name, part) != NULL;
	return like && (part != library_log || strstr(name, ".log") != NULL);
}

/* Log, fence and what leads to the tables are small beside the rest: each kind gets its share, and
 * one share goes to all files alike. */
static size_t pick_file(const struct files *f)
{
	static const char *const kinds[] = {"consensus.log", "fence", ".sst", ".sst", library_log,
		"data/MANIFEST", "data/CURRENT", ""};
	const char *kind = kinds[dice(sizeof kinds / sizeof *kinds)];
	size_t like = 0, chosen = 0;
	for (size_t i = 0; i < f->count; i++) {
		if (is_like(f->names[i], kind) && dice(++like) == 0)
			chosen = i;
	}
	CHECK(like > 0);
	return chosen;
}

/* The records of a file in the library's log format: blocks of 32 KiB, each record with a head of 7
 * bytes. One whose length is more than what is left looks as if a crash had cut it short. */
static size_t find_records(struct plan *p)
{
	enum { BLOCK = 32 * 1024, HEAD = 7 };
	char path[NODE_PATH_BYTES], fault[NODE_FAULT_BYTES];
	struct buf content = {0};
	size_t count = 0, at = 0;
	while (p->file < p->files.count && !is_like(p->files.names[p->file], p->lengths))
		p->file++;
	if (p->file == p->files.count)
		die("no such file");
	snprintf(path, sizeof path, "%s/%s", p->cluster.members[0].home, p->files.names[p->file]);
	if (files_read(&content, path, HOME_FILE_BYTES_MAX, fault) != STATUS_OK)
		die(fault);
	while (count < RECORDS_MAX && at + HEAD < content.len) {
		size_t left = BLOCK - at % BLOCK;
		if (left < HEAD) {
			at += left;
			continue;
		}
		const uint8_t *head = content.data + at;
		p->records[count++] = at;
		at += HEAD + (head[4] | (size_t)head[5] << 8);
	}
	buf_fini(&content);
	return count;
}

static void copy_home(const struct files *f, const char *from, const char *to, size_t rotten,
	size_t at, uint8_t change)
{
	char path[NODE_PATH_BYTES], fault[NODE_FAULT_BYTES];
	if (mkdir(to, 0700) != 0)
		die("no copy");
	snprintf(path, sizeof path, "%s/data", to);
	if (mkdir(path, 0700) != 0)
		die("no copy");
	for (size_t i = 0; i < f->count; i++) {
		struct buf content = {0};
		snprintf(path, sizeof path, "%s/%s", from, f->names[i]);
		if (files_read(&content, path, HOME_FILE_BYTES_MAX, fault) != STATUS_OK)
			die(fault);
		if (i == rotten && change != 0)
			content.data[at] ^= change;
		else if (i == rotten)
			content.len = at; /* cut: what a library may take for a clean end */
		write_file(to, f->names[i], buf_view(&content));
		buf_fini(&content);
	}
}

__attribute__((format(printf, 3, 4))) static void say(
	struct verdict *v, enum outcome outcome, const char *format, ...)
{
	va_list args;
	if (outcome <= v->outcome && v->text[0])
		return;
	v->outcome = outcome;
	va_start(args, format);
	vsnprintf(v->text, sizeof v->text, format, args);
	va_end(args);
}

/* The rows as they were after so many of the batches. */
static void truth_after(struct store *out, const struct cluster *c, size_t batches)
{
	CHECK(store_mem_open(out) == STATUS_OK);
	for (size_t i = 0; i < batches; i++)
		CHECK(store_write(out, &c->batches[i], true) == STATUS_OK);
}

/* The tip's own commit is each node's own. */
static bool is_own(enum store_family family, struct bytes key, int64_t head)
{
	return family == STORE_COMMITS && key.len == 8 && get_u64be(key.data) == (uint64_t)head;
}

static void compare_family(struct verdict *v, struct store *truth, struct store *store,
	enum store_family family, int64_t head, const char *when)
{
	struct bytes none = {0}, key, value, true_key, true_value;
	struct store_iterator *a = store_iterate(truth, NULL, family, none, none, false);
	struct store_iterator *b = store_iterate(store, NULL, family, none, none, false);
	CHECK(a && b);
	enum status expected, found;
	for (;;) {
		expected = store_next(truth, a, &true_key, &true_value);
		found = store_next(store, b, &key, &value);
		if (expected != STATUS_OK || found != STATUS_OK)
			break;
		bool same = bytes_equal(key, true_key) &&
			    (bytes_equal(value, true_value) || is_own(family, key, head));
		if (!same)
			break;
	}
	if (found != STATUS_OK && found != STATUS_NOT_FOUND)
		say(v, REFUSES, "%s: walking %s: %s", when, store_family_name(family),
			status_text(found));
	else if (expected != found || expected == STATUS_OK)
		say(v, BROKEN, "%s: %s: a row is missing, new or different", when,
			store_family_name(family));
	store_iterator_free(store, b);
	store_iterator_free(truth, a);
}

/* Each row by its key too: the library has its own ways for that. */
static void compare_points(struct verdict *v, struct store *truth, struct store *store,
	enum store_family family, int64_t head, const char *when)
{
	struct bytes none = {0}, key, value;
	struct buf got = {0};
	struct store_iterator *it = store_iterate(truth, NULL, family, none, none, false);
	CHECK(it);
	while (store_next(truth, it, &key, &value) == STATUS_OK) {
		buf_clear(&got);
		enum status status = store_get(store, NULL, family, key, &got);
		if (status == STATUS_NOT_FOUND)
			say(v, BROKEN, "%s: %s: a row is not found", when,
				store_family_name(family));
		else if (status != STATUS_OK)
			say(v, REFUSES, "%s: reading %s: %s", when, store_family_name(family),
				status_text(status));
		else if (!bytes_equal(buf_view(&got), value) && !is_own(family, key, head))
			say(v, BROKEN, "%s: %s: a row is different", when,
				store_family_name(family));
	}
	store_iterator_free(truth, it);
	buf_fini(&got);
}

static void compare(
	struct verdict *v, struct store *truth, struct store *store, int64_t head, const char *when)
{
	for (int i = 0; i < STORE_FAMILIES; i++) {
		compare_family(v, truth, store, (enum store_family)i, head, when);
		compare_points(v, truth, store, (enum store_family)i, head, when);
	}
}

/* What a daemon reads before it starts. False: that refused, by name. */
static bool read_documents(struct verdict *v, struct cluster *c, const char *home)
{
	static struct genesis genesis;
	static struct peer_list peers;
	char path[NODE_PATH_BYTES], fault[NODE_FAULT_BYTES] = "";
	struct genesis_fault genesis_fault = {""};
	struct buf text = {0}, again = {0};
	CHECK(files_join(path, home, "genesis.json") == STATUS_OK);
	CHECK(files_read(&text, path, HOME_FILE_BYTES_MAX, fault) == STATUS_OK);
	enum status status =
		genesis_parse(&genesis, buf_view(&text), GENESIS_APP_SETTLE, &genesis_fault);
	bool good = status == STATUS_OK;
	if (!good)
		say(v, genesis_fault.text[0] ? STOPPED : BROKEN, "genesis.json: %s",
			genesis_fault.text);
	if (good && !hash_equal(&genesis.chain_tag, &c->people.genesis.chain_tag)) {
		/* Another chain: the settlement state refuses it when it is opened. */
		c->people.genesis.chain_tag = genesis.chain_tag;
	} else if (good) {
		/* Their names are labels for people: no rule reads them. */
		for (uint32_t i = 0; i < genesis.validator_count; i++)
			memcpy(genesis.validators[i].name, c->people.genesis.validators[i].name,
				sizeof genesis.validators[i].name);
		buf_clear(&text);
		genesis_write(&text, &c->people.genesis);
		genesis_write(&again, &genesis);
		if (!bytes_equal(buf_view(&text), buf_view(&again)))
			say(v, BROKEN, "genesis.json: another document with the same chain tag");
	}
	struct validator_key me = validator_key_of(&c->people.validators[0]);
	if (good && peers_file_read(&peers, home, &me, fault) != STATUS_OK) {
		say(v, fault[0] ? STOPPED : BROKEN, "peers.json: %s", fault);
		good = false;
	}
	buf_fini(&text);
	buf_fini(&again);
	return good;
}

static void live_on(struct verdict *v, struct cluster *c)
{
	struct member *m = &c->members[0];
	struct store truth;
	int64_t head = cluster_height(c, 0), before = c->top;
	if (head < 0 || head > before + 1) {
		say(v, BROKEN, "starts at height %lld", (long long)head);
		return;
	}
	if (head <= before) {
		truth_after(&truth, c, (size_t)head + 1);
		compare(v, &truth, &m->store, -1, "at the start");
		store_close(&truth);
	}
	bool silent = replica_silent(m->replica) != NULL;
	if (silent)
		say(v, REPAIRED, "%s", replica_silent(m->replica));
	stage = "goes on";
	bool reached = cluster_reach(c, before + 3, REACH_MS);
	stage = "is compared";
	if (m->stopped[0]) {
		say(v, STOPPED, "while it ran: %s", m->stopped);
		reached = cluster_reach(c, before + 3, REACH_MS); /* without it */
	}
	if (!reached)
		say(v, BROKEN, "no more blocks: %lld of %lld, its own head %lld, %s",
			(long long)c->top, (long long)before + 3, (long long)cluster_height(c, 0),
			c->last_event);
	if (!m->stopped[0] && cluster_height(c, 0) == cluster_height(c, 1))
		compare(v, &c->members[1].memory, &m->store, c->top, "in the end");
	if (!m->stopped[0] && replica_silent(m->replica))
		say(v, STOPPED, "it votes no more: %s", replica_silent(m->replica));
	if (!m->stopped[0] && silent && replica_silence(m->replica) == REPLICA_VOTES &&
		m->voted < before)
		say(v, BROKEN, "it is whole and doesn't vote");
}

static void on_alarm(int signal_number)
{
	(void)signal_number;
	static struct verdict hung = {.outcome = BROKEN};
	struct timespec used;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	snprintf(hung.text, sizeof hung.text, "it hangs while it %s, after %lld s of CPU", stage,
		(long long)used.tv_sec);
	_exit(write(answer_to, &hung, sizeof hung) == (ssize_t)sizeof hung ? 0 : 1);
}

static void try_one(struct verdict *v, const struct plan *p, uint64_t trial)
{
	struct cluster *c = &plan.cluster;
	struct member *m = &c->members[0];
	char fault[256] = "", home[NODE_PATH_BYTES];
	dice_state = trial * 0x2545f4914f6cdd1du;
	size_t file = pick_file(&p->files);
	size_t at = (size_t)dice(p->files.sizes[file]);
	/* A list of tables without its end can't be told from one that a crash cut short. */
	bool cut = dice(8) == 0 && !is_like(p->files.names[file], "MANIFEST");
	unsigned flip = dice(2) ? 1u << dice(8) : 1 + (unsigned)dice(255);
	unsigned change = cut ? 0 : flip;
	if (p->lengths) {
		file = p->file;
		at = p->records[(trial - 1) / 16] + 4 + (trial - 1) % 16 / 8;
		change = (uint8_t)(1u << (trial - 1) % 8);
	}
	snprintf(home, sizeof home, "%s/trial-%llu", p->dir, (unsigned long long)trial);
	copy_home(&p->files, m->home, home, file, at, (uint8_t)change);
	snprintf(m->home, sizeof m->home, "%s", home);
	m->rocks = true;
	c->keeps_batches = false;
	v->outcome = HARMLESS;
	stage = "reads its documents";
	if (read_documents(v, c, home)) {
		stage = "starts";
		if (cluster_start(c, 0, fault) != STATUS_OK)
			say(v, fault[0] ? STOPPED : BROKEN, "%s", fault);
		else
			live_on(v, c);
		if (c->fault[0])
			say(v, BROKEN, "%s", c->fault);
		stage = "stops";
		if (m->up)
			cluster_stop(c, 0);
	}
	char text[TEXT_BYTES];
	snprintf(text, sizeof text, "%s", v->text);
	const char *what = text[0] ? text : "nothing happens";
	if (change == 0)
		snprintf(v->text, sizeof v->text, "%s cut to %zu bytes: %.400s",
			p->files.names[file], at, what);
	else
		snprintf(v->text, sizeof v->text, "%s byte %zu ^ %02x: %.400s",
			p->files.names[file], at, change, what);
}

static void report_bug(const char *file, int line, const char *fact)
{
	fprintf(stderr, "CHECK %s:%d: %s\n", file, line, fact);
}

static void run_trial(struct verdict *out, const struct plan *p, uint64_t trial)
{
	int ends[2], state = 0;
	char home[NODE_PATH_BYTES];
	memset(out, 0, sizeof *out);
	out->outcome = BROKEN;
	if (pipe(ends) != 0)
		die("no pipe");
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		answer_to = ends[1];
		signal(SIGALRM, on_alarm);
		alarm(TRIAL_S);
		struct verdict verdict = {.outcome = HARMLESS};
		try_one(&verdict, p, trial);
		_exit(write(ends[1], &verdict, sizeof verdict) == (ssize_t)sizeof verdict ? 0 : 1);
	}
	close(ends[1]);
	ssize_t got = read(ends[0], out, sizeof *out);
	close(ends[0]);
	if (child < 0 || waitpid(child, &state, 0) != child)
		die("no child");
	if (got != (ssize_t)sizeof *out || state != 0) {
		out->outcome = BROKEN;
		snprintf(out->text, sizeof out->text, "the process ended with %s %d",
			WIFSIGNALED(state) ? "signal" : "code",
			WIFSIGNALED(state) ? WTERMSIG(state) : WEXITSTATUS(state));
	}
	snprintf(home, sizeof home, "%s/trial-%llu", p->dir, (unsigned long long)trial);
	remove_folder(home);
}

static int usage(void)
{
	printf("usage: rot [--trials FROM..TO | --lengths MANIFEST|wal] [--trace]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const uint8_t blinding[32] = {3};
	struct plan *p = &plan;
	size_t counts[OUTCOMES] = {0};
	p->from = 1;
	p->to = 200;
	for (int i = 1; i < argc; i++) {
		char *end = argv[i];
		if (strcmp(argv[i], "--trace") == 0) {
			p->trace = true;
		} else if (strcmp(argv[i], "--lengths") == 0 && i + 1 < argc) {
			p->lengths = strcmp(argv[++i], "wal") == 0 ? library_log : argv[i];
		} else if (strcmp(argv[i], "--trials") == 0 && i + 1 < argc) {
			p->from = p->to = strtoull(argv[++i], &end, 10);
			if (strncmp(end, "..", 2) == 0)
				p->to = strtoull(end + 2, &end, 10);
			if (*end != 0 || p->to < p->from)
				return usage();
		} else {
			return usage();
		}
	}
	check_set_sink(report_bug);
	if (!keys_start(blinding))
		return 2;
	make_world(p);
	if (p->lengths) {
		p->from = 1;
		p->to = 16 * find_records(p);
	}
	for (uint64_t trial = p->from; trial <= p->to; trial++) {
		struct verdict verdict;
		run_trial(&verdict, p, trial);
		counts[verdict.outcome]++;
		if (p->trace || verdict.outcome == BROKEN)
			printf("%s trial %llu: %s: %s\n",
				verdict.outcome == BROKEN ? "FAILED" : "  ",
				(unsigned long long)trial, outcome_names[verdict.outcome],
				verdict.text);
	}
	remove_folder(p->dir);
	printf("%s: %llu times a changed byte or a cut in %zu files of one of four homes:",
		counts[BROKEN] ? "FAILED" : "ok", (unsigned long long)(p->to - p->from + 1),
		p->files.count);
	for (int i = 0; i < OUTCOMES; i++)
		printf(" %zu %s%s", counts[i], outcome_names[i], i + 1 < OUTCOMES ? "," : "\n");
	return counts[BROKEN] ? 1 : 0;
}
