#!/bin/sh
# Holds every #include of the tree to the table in arrows.txt. Prints offenders; 0 when there are none.
set -u
cd "$(dirname "$0")/../.." || exit 2
find base chain genesis consensus p2p replica http rpc wallet coordinator miner node tests \
	-name '*.[ch]' 2>/dev/null | sort |
xargs grep -n '^[ \t]*#[ \t]*include' /dev/null |
awk '
function room_of(path,   at) { # longest folder of the table that holds path
	at = path
	while (sub(/\/[^\/]*$/, "", at))
		if (at in known)
			return at
	return ""
}
FILENAME != "-" {
	if ($0 ~ /^#/ || $0 !~ /:/)
		next
	name = $0; sub(/:.*/, "", name)
	list = $0; sub(/^[^:]*:/, "", list)
	if (name ~ /^</) { library[name] = list; next }
	known[name] = 1
	n = split(list, to, " ")
	for (i = 1; i <= n; i++)
		may[name, to[i]] = 1
	next
}
{
	split($0, part, ":")
	file = part[1]; line = part[2]
	text = $0; sub(/^[^:]*:[^:]*:/, "", text)
	includes++
	if (text ~ /</) {
		sub(/^[^<]*/, "", text)
		for (name in library) {
			if (index(text, name) != 1 || file ~ /^tests\//)
				continue
			n = split(library[name], to, " "); allowed = 0
			for (i = 1; i <= n; i++)
				if (index(file, to[i]) == 1)
					allowed = 1
			if (!allowed) {
				printf "%s:%s: %s is for %s only\n", file, line, text, library[name]
				bad++
			}
		}
		next
	}
	sub(/^[^"]*"/, "", text); sub(/".*/, "", text)
	from = room_of(file); to_room = room_of(text)
	if (from == "") {
		printf "%s:%s: this folder is not in tests/lint/arrows.txt\n", file, line; bad++
	} else if (to_room == "") {
		if (from !~ /^tests/) {
			printf "%s:%s: \"%s\": include from the root of the tree\n", file, line, text; bad++
		}
	} else if (from != to_room && !((from, "*") in may) && !((from, to_room) in may)) {
		printf "%s:%s: %s must not include %s (\"%s\")\n", file, line, from, to_room, text; bad++
	}
}
END {
	printf "%d includes read, %d against the arrows\n", includes, bad
	exit bad > 0
}' tests/lint/arrows.txt -
