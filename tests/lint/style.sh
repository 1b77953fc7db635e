#!/bin/sh
# Reads every source: functions of at most 70 lines of code (comments, blank lines and initialisers don't count; a function
# whose body holds `lint: dispatch` passes and is listed), a room card on top of each header that another folder includes,
# marks of unfinished work without a reason. Prints offenders; 0 when there are none.
set -u
cd "$(dirname "$0")/../.." || exit 2
folders="base chain genesis consensus p2p replica http rpc wallet coordinator miner node tests"
# shellcheck disable=SC2086 # the list is ours and holds no spaces
sources=$(find $folders -name '*.[ch]' 2>/dev/null | sort)
status=0

echo "$sources" | xargs awk '
function code(text) {
	gsub(/[ \t]/, "", text)
	if (in_comment) {
		if (!sub(/.*\*\//, "", text)) return 0
		in_comment = 0
	}
	while (match(text, /\/\*/)) {
		before = substr(text, 1, RSTART - 1)
		after = substr(text, RSTART)
		if (!sub(/^\/\*[^*]*(\*+[^*\/][^*]*)*\*+\//, "", after)) { in_comment = 1; after = "" }
		text = before after
	}
	sub(/\/\/.*/, "", text)
	return text != ""
}
FNR == 1 { inside = 0; in_comment = 0; head = "" }
/^\{/ && !inside { inside = 1; lines = 0; start = FNR; dispatch = 0; table = 0; name = head; next }
/^\}/ && inside {
	inside = 0; functions++
	if (lines > 70 && dispatch) { printf "%s:%d: dispatch of %d lines: %s\n", FILENAME, start, lines, name; passed++ }
	else if (lines > 70) { printf "%s:%d: %d lines of code, 70 at most: %s\n", FILENAME, start, lines, name; bad++ }
	else if (lines > longest) longest = lines
	next
}
inside {
	if ($0 ~ /lint: dispatch/) dispatch = 1
	counts = code($0)
	if (table) { if ($0 ~ table_end) table = 0; next }
	if ($0 ~ /= *\{ *$/ && !in_comment) {
		table = 1; table_end = $0; sub(/[^\t ].*/, "", table_end); table_end = "^" table_end "};"
	}
	lines += counts
	next
}
/^[A-Za-z_]/ { head = $0 }
END {
	printf "%d functions read, longest %d lines, %d too long, %d marked dispatch\n", functions, longest, bad, passed
	exit bad > 0
}' || status=1

# shellcheck disable=SC2086
grep -n '^#include "' $sources | awk -F: '
{
	from = $1; to = $0
	sub(/^[^"]*"/, "", to); sub(/".*/, "", to)
	a = from; b = to; sub(/\/[^\/]*$/, "", a); sub(/\/[^\/]*$/, "", b)
	if (a != b && from !~ /^tests\// && to !~ /pb-c\.h$/) print to
}' | sort -u | {
	bad=0 read=0
	while read -r header; do
		[ -f "$header" ] || continue
		read=$((read + 1))
		case $(head -n 1 "$header") in
		"/* "*:*) ;;
		*) echo "$header:1: no room card: /* name: what it is for, owns, who calls, what never, what fails */"
			bad=$((bad + 1)) ;;
		esac
	done
	echo "$read headers are used by another folder, $bad without a room card"
	[ $bad -eq 0 ]
} || status=1

# shellcheck disable=SC2086
marks=$(grep -nE '\<(TODO|XXX|HACK)\>|\<FIXME\>([^(]|$)' $sources CMakeLists.txt cmake/*.cmake devnet/*.sh tests/*.sh 2>/dev/null)
if [ -n "$marks" ]; then
	echo "$marks"
	echo "marks of unfinished work: say it in an issue, or FIXME(reason)"
	status=1
fi
exit $status
