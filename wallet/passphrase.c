/* The three ways a passphrase comes in: terminal, descriptor, file. Never argv, never the
 * environment. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "wallet/keystore.h"
#include "wallet/private_file.h"

static enum status too_long(struct passphrase *out, char *fault)
{
	passphrase_fini(out);
	snprintf(fault, KEYSTORE_FAULT_BYTES, "a passphrase has at most %d bytes",
		KEYSTORE_PASSPHRASE_BYTES_MAX - 1);
	return STATUS_INVALID;
}

static void start(struct passphrase *out)
{
	*out = (struct passphrase){0};
	/* Without the right to lock memory we go on: a passphrase in swap is worse than none only
	 * for those who can read swap. */
	(void)sodium_mlock(out, sizeof *out);
}

void passphrase_fini(struct passphrase *passphrase)
{
	(void)sodium_munlock(passphrase, sizeof *passphrase); /* wipes */
	secret_wipe(passphrase, sizeof *passphrase);
}

static enum status read_line(struct passphrase *out, int fd, char *fault)
{
	for (;;) {
		char c;
		ssize_t got = read(fd, &c, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			snprintf(fault, KEYSTORE_FAULT_BYTES, "can't read the passphrase: %s",
				strerror(errno));
			passphrase_fini(out);
			return STATUS_IO;
		}
		if (got == 0 || c == '\n')
			return STATUS_OK;
		if (out->len == sizeof out->text - 1)
			return too_long(out, fault);
		out->text[out->len++] = c;
	}
}

enum status passphrase_from_fd(struct passphrase *out, int fd, char fault[KEYSTORE_FAULT_BYTES])
{
	start(out);
	return read_line(out, fd, fault);
}

enum status passphrase_from_file(
	struct passphrase *out, const char *path, char fault[KEYSTORE_FAULT_BYTES])
{
	start(out);
	enum status status = private_file_read(
		(uint8_t *)out->text, &out->len, sizeof out->text - 1, path, fault);
	if (status != STATUS_OK) {
		passphrase_fini(out);
		return status;
	}
	const char *newline = memchr(out->text, '\n', out->len);
	if (newline)
		out->len = (size_t)(newline - out->text);
	return STATUS_OK;
}

static enum status ask(struct passphrase *out, int tty, const char *prompt, char *fault)
{
	struct termios before;
	struct termios quiet;

	start(out);
	if (tcgetattr(tty, &before) != 0) {
		snprintf(fault, KEYSTORE_FAULT_BYTES, "no terminal to ask for a passphrase on");
		return STATUS_UNSUPPORTED;
	}
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0) {
		snprintf(fault, KEYSTORE_FAULT_BYTES, "the terminal won't stop echoing");
		return STATUS_IO;
	}
	dprintf(tty, "%s", prompt);
	enum status status = read_line(out, tty, fault);
	dprintf(tty, "\n");
	(void)tcsetattr(tty, TCSAFLUSH, &before);
	return status;
}

enum status passphrase_from_tty(
	struct passphrase *out, const char *prompt, bool twice, char fault[KEYSTORE_FAULT_BYTES])
{
	struct passphrase again = {0};
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (tty < 0) {
		snprintf(fault, KEYSTORE_FAULT_BYTES,
			"no terminal to ask on: give --passphrase-file FILE or --passphrase-fd N");
		return STATUS_UNSUPPORTED;
	}
	enum status status = ask(out, tty, prompt, fault);
	if (status == STATUS_OK && twice) {
		status = ask(&again, tty, "Once more: ", fault);
		if (status == STATUS_OK &&
			(again.len != out->len || !secret_equal(again.text, out->text, out->len))) {
			snprintf(fault, KEYSTORE_FAULT_BYTES, "the two passphrases differ");
			status = STATUS_REFUSED;
		}
		passphrase_fini(&again);
	}
	if (status != STATUS_OK)
		passphrase_fini(out);
	close(tty);
	return status;
}
