# Shared by devnet/demo.sh, devnet/up.sh, devnet/down.sh and tests/run.sh: words on the terminal, packages, builds, polling.
# Sourced by bash; defines functions and constants only. Nothing here removes a package or touches a file outside the tree.
# shellcheck shell=bash

AITBC_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
AITBC_JOBS=${AITBC_JOBS:-$(nproc 2>/dev/null || echo 2)}

# Debian's names; a|b: either will do. The list is the same for demo and tests, so that the second of them finds all there.
AITBC_PACKAGES="build-essential cmake ninja-build pkg-config|pkgconf protobuf-c-compiler protobuf-compiler libprotobuf-c-dev
	libevent-dev libmicrohttpd-dev libwslay-dev libjansson-dev libcurl4-openssl-dev|libcurl4-gnutls-dev|libcurl4-nss-dev
	libsecp256k1-dev libsodium-dev nettle-dev librocksdb-dev libcmocka-dev curl ffmpeg iproute2 procps"
# The same needs as commands and pkg-config modules, for systems without dpkg.
AITBC_COMMANDS="cc cmake ninja pkg-config protoc-c curl ffmpeg ffprobe"
AITBC_MODULES="libprotobuf-c libevent libevent_pthreads libmicrohttpd jansson libcurl libsecp256k1 libsodium nettle
	rocksdb cmocka"

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
	bold='' dim='' red='' green='' plain=''
fi

started_at=$SECONDS

say()  { printf '%s\n' "$*"; }
step() { printf '%s== %s%s\n' "$bold" "$*" "$plain"; }
note() { printf '%s   %s%s\n' "$dim" "$*" "$plain"; }
good() { printf '   %sok%s      %s\n' "$green" "$plain" "$*"; }
bad()  { printf '   %sFAILED%s  %s\n' "$red" "$plain" "$*"; }
figure() { printf '   figure  %s\n' "$*"; }
warn() { printf '   %snote%s    %s\n' "$red" "$plain" "$*" >&2; }
die()  { printf '%sstopped:%s %s\n' "$red" "$plain" "$*" >&2; exit 1; }

elapsed() { local s=$((SECONDS - started_at)); printf '%d:%02d' $((s / 60)) $((s % 60)); }

package_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

packages_missing() {
	local wish name
	for wish in $AITBC_PACKAGES; do
		for name in ${wish//|/ }; do
			package_installed "$name" && continue 2
		done
		printf '%s ' "${wish%%|*}"
	done
}

needs_elsewhere() { # without dpkg: what commands and modules are missing
	local name
	for name in $AITBC_COMMANDS; do
		command -v "$name" >/dev/null || printf '%s ' "$name"
	done
	for name in $AITBC_MODULES; do
		pkg-config --exists "$name" 2>/dev/null || printf '%s(pkg-config) ' "$name"
	done
	echo '#include <wslay/wslay.h>' | cc -E - >/dev/null 2>&1 || printf 'wslay(header) '
}

# Makes sure that everything needed is installed, or stops with the list of what isn't.
packages_ensure() {
	local missing log become=''
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		missing=$(needs_elsewhere)
		[ -z "$missing" ] && return 0
		die "this is not a Debian system; please install: $missing"
	fi
	missing=$(packages_missing)
	[ -z "$missing" ] && return 0
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || die "packages are missing and this is neither root nor has sudo; install them with:
  apt-get install -y --no-install-recommends ${missing% }"
		become=sudo
	fi
	step "installing packages: ${missing% }"
	log=$(mktemp)
	export DEBIAN_FRONTEND=noninteractive
	# --no-remove: apt stops rather than take anything away
	# shellcheck disable=SC2086 # two lists of words
	if ! { $become apt-get update && $become apt-get install -y --no-install-recommends --no-remove $missing; } >"$log" 2>&1; then
		tail -n 15 "$log" >&2
		die "apt could not install them (whole log: $log)"
	fi
	rm -f "$log"
	good "packages installed ($(elapsed))"
}

# build_tree PRESET DIRECTORY [TARGET...]: configures once, builds what changed. Quiet unless it fails.
build_tree() {
	local preset=$1 tree=$AITBC_ROOT/$2 log
	shift 2
	mkdir -p "$tree" || die "can't make $tree"
	log=$tree/build.log
	step "building $preset in ${tree#"$AITBC_ROOT"/}/ (-j$AITBC_JOBS)"
	if ! (cd "$AITBC_ROOT" && cmake --preset "$preset" && cmake --build "$tree" -j "$AITBC_JOBS" -- "$@") >"$log" 2>&1; then
		grep -nE 'error|FAILED|CMake Error' "$log" | grep -v ' -c ' | head -n 20 >&2 || tail -n 20 "$log" >&2
		die "the $preset build failed (whole log: $log)"
	fi
	good "$preset build ($(elapsed))"
}

now_ms() { # wall clock; bash 5 has it without a process
	local t=${EPOCHREALTIME/[.,]/}
	printf '%s' "$((t / 1000))"
}

# wait_until SECONDS COMMAND...: polls every 20 ms until the command succeeds. 1: it never did.
wait_until() {
	local end=$(($(now_ms) + $1 * 1000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.02
	done
}

# The process that listens on a TCP port, as "name (pid N)"; empty: nobody does.
port_holder() {
	local line
	line=$(ss -Hltnp "sport = :$1" 2>/dev/null | head -n 1)
	[ -n "$line" ] || return 0
	case $line in
	*'users:(("'*) line=${line#*users:((\"}; printf '%s (pid %s)' "${line%%\"*}" "$(sed 's/.*pid=\([0-9]*\).*/\1/' <<<"$line")" ;;
	*) printf 'a process of another user' ;;
	esac
}

ports_free() {
	local port holder
	for port in "$@"; do
		holder=$(port_holder "$port")
		[ -z "$holder" ] || die "port $port is held by $holder; stop it, or choose others with AITBC_BASE_PORT"
	done
}
