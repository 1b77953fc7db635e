#!/usr/bin/env bash
# The one door to the tests: installs what is missing, builds, runs, prints one line per claim, ends with ctest's summary.
#   tests/run.sh            the daily tier: Release tree with everything, unit tests under ASan and UBSan; under 15 minutes
#   tests/run.sh --quick    Release tree only, without end-to-end tests
#   tests/run.sh --full     adds the large counts (AITBC_FULL=1 and tests labelled `full`) and, for what has threads or meets
#                           them, ThreadSanitizer
# Exit code 0 only when every claim held.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 2
. devnet/lib.sh

mode=daily
for argument in "$@"; do
	case $argument in
	--quick) mode=quick ;;
	--full) mode=full ;;
	-h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
	*) die "unknown argument $argument (see --help)" ;;
	esac
done

summaries=$(mktemp)
trap 'rm -f "$summaries"' EXIT
failed=0
around=() # a command that each run of ctest is started by

# Reads `ctest -V`: cmocka's function names become sentences; `ok:`, `FAILED:` and `skipped:` lines of scripts pass; figures
# (`figure:`) too. What ctest says at its end goes to the summary.
claims='
function sentence(name) { gsub(/_/, " ", name); return name }
# What is left by what each test took before (ctest keeps that), or 60 s for one never seen; two run at a time, more or less.
function left(name, done, total,   used) {
	used = systime_now() - began
	expected_left -= name in expected ? expected[name] : 0
	if (expected_left < 0) expected_left = 0
	return sprintf(" [%d of %d, %s elapsed, about %s left]", done, total, clock(used), clock(expected_left / 1.5))
}
function read_expected(   line, field) {
	while ((getline line < cost_file) > 0)
		if (split(line, field, " ") == 3 && field[2] > 0) seen[field[1]] = field[3]
	while ((getline line < list_file) > 0)
		if (match(line, /^ *Test +#[0-9]+: /)) {
			line = substr(line, RLENGTH + 1)
			expected[line] = line in seen ? seen[line] : 60
			expected_left += expected[line]
		}
}
function clock(s) { return sprintf("%d:%02d", s / 60, s % 60) }
function systime_now(   now) { getline now < "/proc/uptime"; close("/proc/uptime"); sub(/ .*/, "", now); return now + 0 }
BEGIN { began = systime_now(); if (full) read_expected() }
{ print > log_file }
/% tests passed|No tests were found/ { closing = 1 }
closing { print > summary_file; next }
/^ *Start +[0-9]+: / { id = $2; sub(/:$/, "", id); suite[id] = $3; next }
/^[0-9]+: / {
	id = $1; sub(/:$/, "", id)
	text = $0; sub(/^[0-9]+: ?/, "", text)
	if (match(text, /^\[ +OK \] /)) printf "   ok      %s: %s\n", suite[id], sentence(substr(text, RLENGTH + 1))
	else if (match(text, /^\[  FAILED  \] [a-z]/)) {
		name = substr(text, RLENGTH)
		if (!told[id, name]++) printf "   FAILED  %s: %s\n", suite[id], sentence(name)
	}
	else if (match(text, /^\[  SKIPPED \] [a-z]/)) {
		name = substr(text, RLENGTH)
		if (!told[id, name]++) printf "   skipped %s: %s\n", suite[id], sentence(name)
	}
	else if (match(text, /^   (ok    |FAILED|figure)  /)) printf "   %-7s %s: %s\n", $2, suite[id], substr(text, RLENGTH + 1)
	else if (match(text, /^ok: /)) printf "   ok      %s: %s\n", suite[id], substr(text, 5)
	else if (match(text, /^FAILED: /)) printf "   FAILED  %s: %s\n", suite[id], substr(text, 9)
	else if (match(text, /^figure: /)) printf "   figure  %s: %s\n", suite[id], substr(text, 9)
	else if (match(text, /^skipped: /)) printf "   skipped %s: %s\n", suite[id], substr(text, 10)
	fflush()
	next
}
/^ *[0-9]+\/[0-9]+ Test +#/ {
	split($1, at, "/")
	id = $0; sub(/.*#/, "", id); sub(/:.*/, "", id)
	outcome = /Passed/ ? "ok     " : /Skipped/ ? "skipped" : "FAILED "
	printf "   %s %s%s\n", outcome, sentence(suite[id]), full ? left(suite[id], at[1], at[2]) : ""
	fflush()
}'

# run_tests TREE WHAT CTEST-ARGUMENTS...
run_tests() {
	local tree=$1 what=$2 log=$AITBC_ROOT/$1/tests.log
	shift 2
	step "$what"
	printf '%s:\n' "$what" >>"$summaries"
	[ "$mode" = full ] && export AITBC_FULL=1
	ctest --test-dir "$tree" -N "$@" >"$summaries.list" 2>/dev/null
	"${around[@]}" ctest --test-dir "$tree" -V -j "$AITBC_JOBS" "$@" 2>&1 |
		awk -v list_file="$summaries.list" -v cost_file="$tree/Testing/Temporary/CTestCostData.txt" -v log_file="$log" -v summary_file="$summaries.part" -v full="$([ "$mode" = full ] && echo 1)" "$claims"
	if [ "${PIPESTATUS[0]}" -ne 0 ]; then
		failed=1
		show_failures "$log"
	fi
	cat "$summaries.part" >>"$summaries" 2>/dev/null
	rm -f "$summaries.part" "$summaries.list"
}

# What the failed tests themselves printed, without the claims that held.
show_failures() {
	local id
	for id in $(sed -n 's/^ *[0-9]*\/[0-9]* Test *#\([0-9]*\): .*\(Failed\|Timeout\|Exception\|Not Run\).*/\1/p' "$1"); do
		step "output of failed test $(sed -n "s/^ *Start *$id: //p" "$1")"
		grep "^$id: " "$1" | sed "s/^$id: //" | grep -vE '^\[( RUN  |      OK |=====|  PASSED)' | tail -n 60
	done
	say "whole log: $1"
}

sanitizers_run() { # can this compiler and kernel run them?
	local probe
	probe=$(mktemp -d)
	printf 'int main(void) { return 0; }\n' >"$probe/p.c"
	cc -fsanitize=address,undefined "$probe/p.c" -o "$probe/p" 2>/dev/null && "$probe/p" 2>/dev/null
	local status=$?
	rm -rf "$probe"
	return $status
}

leaks_found() { # LeakSanitizer needs ptrace, which some containers forbid
	local probe status
	probe=$(mktemp -d)
	printf '#include <stdlib.h>\nvoid *volatile p; int main(void) { p = malloc(7); p = 0; return 0; }\n' >"$probe/p.c"
	cc -fsanitize=address "$probe/p.c" -o "$probe/p" 2>/dev/null
	"$probe/p" 2>&1 | grep -q 'detected memory leaks'
	status=$?
	rm -rf "$probe"
	return $status
}

# Sets around to what ThreadSanitizer needs before a command here: nothing, or a fixed layout of addresses. GCC 12's knows only
# layouts that the kernel spreads over at most 28 bits; on others it dies, but not every time.
threads_check() {
	local probe bits status
	bits=$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 28)
	probe=$(mktemp -d)
	printf 'int main(void) { return 0; }\n' >"$probe/p.c"
	[ "$bits" -gt 28 ] && around=(setarch "$(uname -m)" -R)
	cc -fsanitize=thread "$probe/p.c" -o "$probe/p" 2>/dev/null && "${around[@]}" "$probe/p" 2>/dev/null
	status=$?
	rm -rf "$probe"
	[ $status -eq 0 ] && return 0
	if [ "$bits" -gt 28 ]; then
		warn "SKIPPED: ThreadSanitizer can't run here: the kernel spreads addresses over $bits bits and does not let a process" \
			"switch that off; sysctl -w vm.mmap_rnd_bits=28 would let it run"
	else
		warn "SKIPPED: ThreadSanitizer can't run on this host"
	fi
	return 1
}

# The rooms with threads of their own, those that live on the loop beside them, and four whole nodes.
threads_tests='^(node_|http_|rpc_|store_|e2e_four_validators_hurt$)'

packages_ensure
build_tree release build
asan=no
if [ "$mode" != quick ]; then
	if sanitizers_run; then
		asan=yes
		build_tree asan build-asan
		if ! leaks_found; then
			warn "SKIPPED: LeakSanitizer can't run here (no ptrace); the other sanitizers do"
			export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
		fi
	else
		warn "SKIPPED: the sanitizers can't run on this host"
	fi
fi

[ "$asan" = yes ] && run_tests build-asan "unit tests under AddressSanitizer and UndefinedBehaviorSanitizer" -LE 'lint|e2e|full|bench'
case $mode in
quick) run_tests build "tests of the Release tree, without end to end" -LE 'e2e|full' ;;
daily) run_tests build "all tests of the Release tree" -LE full ;;
full) run_tests build "all tests of the Release tree, large counts" ;;
esac

tsan=no
if [ "$mode" = full ] && threads_check; then
	tsan=yes
	build_tree tsan build-tsan
	run_tests build-tsan "tests of threads under ThreadSanitizer" -R "$threads_tests"
fi
around=()

say ""
say "log files: build/tests.log$([ "$asan" = yes ] && echo ', build-asan/tests.log')$([ "$tsan" = yes ] && echo ', build-tsan/tests.log'); $(elapsed) in all"
cat "$summaries"
exit $failed
