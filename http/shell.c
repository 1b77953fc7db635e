#define _GNU_SOURCE
#include "http/shell.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http/port_holder.h"
#include "http/shell_internal.h"

enum {
	LISTEN_BACKLOG = 1024,
	/* Holds MHD's read buffer, parsed header list and answer's header block. A block over
	 * HTTP_HEADER_BYTES_MAX that still fits is refused in our words, a larger one in MHD's. */
	CONNECTION_POOL_BYTES = 32 * 1024,
	SWEEP_MS_MAX = 250,
	/* Slots over connections_max: for those sent away until MHD has closed them. Beyond them
	 * MHD stops accepting, and nobody is refused. */
	SPARE_SLOTS = 32,
	STOP_FLUSH_MS = 2000
};

uint64_t http_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- the loop
 * ------------------------------------------------------------------------------------------ */

void shell_kick(struct http_shell *shell)
{
	static const struct timeval now = {0, 0};

	/* A timer and not event_active: an event that activates itself starves every other one. */
	if (!shell->running)
		event_add(shell->again, &now);
}

static void shell_run(struct http_shell *shell)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	shell->now_ms = http_clock_ms();
	shell->running = true;
	MHD_run(shell->daemon);
	shell->running = false;
	if (MHD_get_timeout(shell->daemon, &timeout_ms) == MHD_YES) {
		struct timeval after = {
			(time_t)(timeout_ms / 1000), (suseconds_t)(timeout_ms % 1000 * 1000)};
		event_add(shell->again, &after);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what;
	shell_run(ctx);
}

/* --- waiting requests
 * ---------------------------------------------------------------------------------- */

static void conn_resume(struct conn *conn, enum conn_phase phase)
{
	struct http_shell *shell = conn->shell;

	CHECK(conn->phase == CONN_WAITING);
	event_del(conn->gone);
	conn->phase = phase;
	shell->waiting--;
	MHD_resume_connection(conn->mhd);
	shell_kick(shell);
}

static void on_gone(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what;
	conn_resume(ctx, CONN_DOOMED);
}

/* MHD has let the socket go, so the other side's leaving would go unseen. Most waits are over
 * before it is worth two system calls to know: the sweep starts the watch. */
static void conn_watch(struct conn *conn)
{
	if (event_initialized(conn->gone) && event_pending(conn->gone, EV_CLOSED, NULL))
		return;
	event_assign(conn->gone, conn->shell->loop, conn->fd, EV_CLOSED, on_gone, conn);
	event_add(conn->gone, NULL);
}

bool http_ticket_answer(
	struct http_shell *shell, struct http_ticket ticket, struct http_reply *reply)
{
	struct conn *conn = ticket.slot < shell->conn_slots ? &shell->conns[ticket.slot] : NULL;

	if (!conn || conn->generation != ticket.generation ||
		(conn->phase != CONN_WAITING && conn->phase != CONN_HANDLING)) {
		http_reply_fini(reply);
		return false;
	}
	conn->reply = *reply;
	reply->body_fd = -1;
	buf_init(&reply->body, 0);
	if (conn->phase == CONN_WAITING)
		conn_resume(conn, CONN_ANSWERED);
	else
		conn->phase = CONN_ANSWERED; /* before the handler came back: nothing to resume */
	return true;
}

static void conn_refuse_waiting(struct conn *conn, uint16_t status, const char *reason)
{
	conn_refusal(conn, &conn->reply, status, reason);
	conn_resume(conn, CONN_ANSWERED);
}

/* --- deadlines
 * ----------------------------------------------------------------------------------------- */

static void conn_sweep(struct conn *conn, uint64_t now_ms)
{
	if (conn->phase == CONN_WAITING)
		conn_watch(conn);
	if (conn->phase == CONN_FREE || now_ms < conn->deadline_ms)
		return;
	switch (conn->phase) {
	case CONN_WAITING: conn_refuse_waiting(conn, 504, "no answer in time"); break;
	case CONN_IDLE:
	case CONN_BODY:
	case CONN_SENDING: shutdown(conn->fd, SHUT_RDWR); break; /* MHD sees the end and closes */
	case CONN_FREE:
	case CONN_HANDLING:
	case CONN_ANSWERED:
	case CONN_DOOMED: break;
	}
}

static void sweep_arm(struct http_shell *shell)
{
	uint32_t every_ms = shell->config.header_ms_max / 4;

	if (every_ms > SWEEP_MS_MAX)
		every_ms = SWEEP_MS_MAX;
	struct timeval after = {0, (suseconds_t)(every_ms + 1) * 1000};
	event_add(shell->sweep, &after);
}

static void on_sweep(evutil_socket_t fd, short what, void *ctx)
{
	struct http_shell *shell = ctx;
	uint64_t now_ms = http_clock_ms();

	(void)fd, (void)what;
	for (uint32_t i = 0; i < shell->conn_slots; i++)
		conn_sweep(&shell->conns[i], now_ms);
	if (shell->connections > 0)
		sweep_arm(shell);
}

/* --- connections
 * --------------------------------------------------------------------------------------- */

/* Sends away who has held a place longest without a whole request: somebody slow, idle, or one of
 * many who mean to fill the house. False: everybody here is being served. */
static bool make_room(struct http_shell *shell)
{
	struct conn *oldest = NULL;

	for (uint32_t i = 0; i < shell->conn_slots; i++) {
		struct conn *conn = &shell->conns[i];
		bool unserved =
			conn->phase == CONN_IDLE || (conn->phase == CONN_BODY && !conn->is_upload);

		if (unserved && conn->since_ms < (oldest ? oldest->since_ms : UINT64_MAX))
			oldest = conn;
	}
	if (!oldest)
		return false;
	oldest->since_ms = UINT64_MAX;
	shutdown(oldest->fd, SHUT_RDWR);
	return true;
}

static enum MHD_Result on_accept(void *cls, const struct sockaddr *address, socklen_t len)
{
	struct http_shell *shell = cls;

	(void)address, (void)len;
	if (shell->stopping || shell->connections == shell->conn_slots)
		return MHD_NO;
	return shell->connections < shell->config.connections_max || make_room(shell) ? MHD_YES
										      : MHD_NO;
}

static void peer_text(char out[INET6_ADDRSTRLEN], const struct sockaddr *address)
{
	const void *raw = NULL;

	snprintf(out, INET6_ADDRSTRLEN, "?");
	if (address && address->sa_family == AF_INET)
		raw = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
	if (address && address->sa_family == AF_INET6)
		raw = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	if (raw)
		inet_ntop(address->sa_family, raw, out, INET6_ADDRSTRLEN);
}

static void conn_open(struct http_shell *shell, struct MHD_Connection *mhd, void **slot)
{
	const union MHD_ConnectionInfo *fd =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *address =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	/* on_accept counts connections before MHD does, so a slot is there. */
	CHECK(shell->free_head < shell->conn_slots);
	struct conn *conn = &shell->conns[shell->free_head];
	shell->free_head = conn->next_free;
	conn->mhd = mhd;
	conn->fd = fd->connect_fd;
	conn->phase = CONN_IDLE;
	conn->since_ms = http_clock_ms();
	conn->deadline_ms = conn->since_ms + shell->config.header_ms_max;
	peer_text(conn->peer, address ? address->client_addr : NULL);
	if (shell->connections++ == 0)
		sweep_arm(shell);
	*slot = conn;
}

static void conn_close(struct http_shell *shell, struct conn *conn)
{
	CHECK(conn->phase != CONN_WAITING);
	conn_clear_request(conn);
	/* A connection keeps its body's memory from request to request, but not for the next
	 * connection. */
	buf_fini(&conn->body);
	buf_init(&conn->body, shell->config.body_bytes_max + 1);
	conn->phase = CONN_FREE;
	conn->mhd = NULL;
	conn->fd = -1;
	conn->next_free = shell->free_head;
	shell->free_head = conn->slot;
	shell->connections--;
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **slot,
	enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		conn_open(cls, mhd, slot);
	else if (*slot)
		conn_close(cls, *slot);
}

/* --- start and stop
 * ------------------------------------------------------------------------------------ */

static socklen_t address_parse_numeric(
	struct sockaddr_storage *out, const char *text, uint16_t port)
{
	struct sockaddr_in *v4 = (void *)out;
	struct sockaddr_in6 *v6 = (void *)out;

	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof *v4;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		return sizeof *v6;
	}
	return 0;
}

static enum status listen_fault(const struct http_shell_config *config, char fault[256])
{
	int error = errno;
	char holder[128];

	if (error == EADDRINUSE) {
		port_holder_text(holder, sizeof holder, config->port);
		snprintf(fault, 256, "port %u is taken by %s; stop it or choose another port",
			config->port, holder);
		return STATUS_BUSY;
	}
	snprintf(fault, 256, "can't listen on %s port %u: %s", config->listen_address, config->port,
		strerror(error));
	return error == EADDRNOTAVAIL || error == EACCES ? STATUS_INVALID : STATUS_IO;
}

static enum status listen_open(struct http_shell *shell, char fault[256])
{
	const struct http_shell_config *config = &shell->config;
	struct sockaddr_storage address;
	socklen_t len = address_parse_numeric(&address, config->listen_address, config->port);
	int on = 1;

	if (len == 0) {
		snprintf(fault, 256, "\"%.64s\" is not a numeric address to listen on",
			config->listen_address);
		return STATUS_INVALID;
	}
	shell->listens_on_any = strcmp(config->listen_address, "0.0.0.0") == 0 ||
				strcmp(config->listen_address, "::") == 0;
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return listen_fault(config, fault);
	shell->listen_fd = fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	/* Accepted sockets inherit it: a small answer must not wait for the last one's
	 * acknowledgement. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, LISTEN_BACKLOG) != 0 ||
		getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return listen_fault(config, fault);
	shell->port = address.ss_family == AF_INET
			      ? ntohs(((struct sockaddr_in *)&address)->sin_port)
			      : ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	return STATUS_OK;
}

static void on_daemon_log(void *cls, const char *format, va_list args)
{
	struct http_shell *shell = cls;
	char line[256];

	if (!shell->config.log)
		return;
	vsnprintf(line, sizeof line, format, args);
	line[strcspn(line, "\n")] = 0;
	log_event(shell->config.log, LOG_DEBUG, "http port=%u note=\"%s\"", shell->port, line);
}

static bool daemon_open(struct http_shell *shell)
{
	unsigned flags =
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO | MHD_USE_ERROR_LOG;

	int listen_fd = shell->listen_fd;

	shell->listen_fd = -1; /* the daemon's from here on, whether it starts or not */
	/* The logger comes first: MHD uses what it has read so far when a later option is refused.
	 */
	shell->daemon = MHD_start_daemon(flags, 0, on_accept, shell, request_access, shell,
		MHD_OPTION_EXTERNAL_LOGGER, on_daemon_log, shell, MHD_OPTION_LISTEN_SOCKET,
		listen_fd, MHD_OPTION_CONNECTION_LIMIT, shell->conn_slots,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_POOL_BYTES,
		MHD_OPTION_CONNECTION_TIMEOUT, 0U, MHD_OPTION_STRICT_FOR_CLIENT, 0,
		MHD_OPTION_URI_LOG_CALLBACK, request_uri, shell, MHD_OPTION_NOTIFY_COMPLETED,
		request_completed, shell, MHD_OPTION_NOTIFY_CONNECTION, on_connection, shell,
		MHD_OPTION_END);
	if (!shell->daemon)
		return false;
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(shell->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	shell->readable =
		event_new(shell->loop, info->epoll_fd, EV_READ | EV_PERSIST, on_readable, shell);
	shell->again = event_new(shell->loop, -1, 0, on_readable, shell);
	shell->sweep = event_new(shell->loop, -1, 0, on_sweep, shell);
	return shell->readable && shell->again && shell->sweep &&
	       event_add(shell->readable, NULL) == 0;
}

static bool conns_open(struct http_shell *shell)
{
	shell->conn_slots = shell->config.connections_max + SPARE_SLOTS;
	shell->conns = calloc(shell->conn_slots, sizeof *shell->conns);
	if (!shell->conns)
		return false;
	for (uint32_t i = 0; i < shell->conn_slots; i++) {
		struct conn *conn = &shell->conns[i];

		conn->shell = shell;
		conn->slot = i;
		conn->generation = 1;
		conn->next_free = i + 1;
		conn->fd = -1;
		conn->upload_fd = -1;
		conn->reply.body_fd = -1;
		buf_init(&conn->body, shell->config.body_bytes_max + 1);
		conn->gone = event_new(shell->loop, -1, 0, on_gone, conn);
		if (!conn->gone)
			return false;
	}
	return true;
}

static void config_defaults(struct http_shell_config *config)
{
	if (config->body_bytes_max == 0)
		config->body_bytes_max = HTTP_BODY_BYTES_MAX;
	if (config->too_large_status == 0)
		config->too_large_status = 413;
	if (config->upload_bytes_max == 0)
		config->upload_bytes_max = ARTIFACT_BYTES_MAX;
	if (config->connections_max == 0 || config->connections_max > HTTP_CONNECTIONS_MAX)
		config->connections_max = HTTP_CONNECTIONS_MAX;
	if (config->request_ms_max == 0)
		config->request_ms_max = HTTP_REQUEST_MS_MAX;
	if (config->header_ms_max == 0)
		config->header_ms_max = HTTP_HEADER_MS_MAX;
	if (config->header_ms_max > config->request_ms_max)
		config->header_ms_max = config->request_ms_max;
}

static void shell_free(struct http_shell *shell)
{
	if (shell->daemon)
		MHD_stop_daemon(shell->daemon);
	if (shell->listen_fd >= 0)
		close(shell->listen_fd);
	for (uint32_t i = 0; shell->conns && i < shell->conn_slots; i++) {
		buf_fini(&shell->conns[i].body);
		if (shell->conns[i].gone)
			event_free(shell->conns[i].gone);
	}
	free(shell->conns);
	if (shell->readable)
		event_free(shell->readable);
	if (shell->again)
		event_free(shell->again);
	if (shell->sweep)
		event_free(shell->sweep);
	free(shell);
}

/* Uploads that nobody took when the process died. */
static void spool_clear(const char *dir)
{
	DIR *spool = dir ? opendir(dir) : NULL;

	if (!spool)
		return;
	for (struct dirent *entry; (entry = readdir(spool)) != NULL;) {
		if (strncmp(entry->d_name, UPLOAD_PREFIX, sizeof UPLOAD_PREFIX - 1) == 0)
			unlinkat(dirfd(spool), entry->d_name, 0);
	}
	closedir(spool);
}

enum status http_shell_start(struct http_shell **out, struct event_base *loop,
	const struct http_shell_config *config, char fault[256])
{
	struct http_shell *shell = calloc(1, sizeof *shell);

	fault[0] = 0;
	if (!shell)
		return STATUS_NO_MEMORY;
	shell->config = *config;
	shell->loop = loop;
	shell->listen_fd = -1;
	config_defaults(&shell->config);
	enum status status = listen_open(shell, fault);
	/* The port is ours: nobody else is filling that folder. */
	if (status == STATUS_OK)
		spool_clear(config->upload_dir);
	if (status == STATUS_OK && (!conns_open(shell) || !daemon_open(shell))) {
		snprintf(fault, 256, "the HTTP server on port %u could not start", shell->port);
		status = STATUS_NO_MEMORY;
	}
	if (status != STATUS_OK) {
		shell_free(shell);
		return status;
	}
	*out = shell;
	return STATUS_OK;
}

uint16_t http_shell_port(const struct http_shell *shell)
{
	return shell->port;
}

size_t http_shell_connections(const struct http_shell *shell)
{
	return shell->connections;
}

static void on_nothing(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what, (void)ctx;
}

/* Turns the loop until *count is 0 or ms have passed. */
static void run_until_zero(struct http_shell *shell, const size_t *count, uint32_t ms)
{
	uint64_t end_ms = http_clock_ms() + ms;
	/* A turn must come back though nothing happens. */
	struct event *tick = event_new(shell->loop, -1, EV_PERSIST, on_nothing, NULL);
	struct timeval every = {0, 20 * 1000};

	if (tick)
		event_add(tick, &every);
	while (*count > 0 && http_clock_ms() < end_ms)
		event_base_loop(shell->loop, tick ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
	if (tick)
		event_free(tick);
}

void http_shell_stop(struct http_shell *shell, uint32_t drain_ms)
{
	MHD_socket listener;

	if (!shell)
		return;
	shell->stopping = true;
	listener = MHD_quiesce_daemon(shell->daemon);
	if (listener != MHD_INVALID_SOCKET)
		close(listener);
	run_until_zero(shell, &shell->waiting, drain_ms);
	for (uint32_t i = 0; i < shell->conn_slots; i++) {
		if (shell->conns[i].phase == CONN_WAITING)
			conn_refuse_waiting(&shell->conns[i], 503, "the server is stopping");
	}
	run_until_zero(shell, &shell->requests, STOP_FLUSH_MS);
	/* Only resumed connections may be left, or MHD_stop_daemon aborts: one more run books a
	 * resume that came in the last turn. New waits can't begin, as a stopping shell refuses
	 * them. */
	shell_run(shell);
	CHECK(shell->waiting == 0);
	shell_free(shell);
}
