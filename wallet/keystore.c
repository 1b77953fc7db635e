#define _GNU_SOURCE
#include "wallet/keystore.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/hex.h"
#include "base/json.h"
#include "wallet/fields.h"
#include "wallet/private_file.h"

#define FORMAT_SEALED "aitbc-key/1"
#define FORMAT_PLAIN  "aitbc-plain-key/1"

enum {
	SALT_BYTES = crypto_pwhash_SALTBYTES,
	NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	SEALED_BYTES = 32 + TAG_BYTES,
	TEXT_BYTES_MAX = KEYSTORE_FILE_BYTES_MAX
};

#define MIB (UINT64_C(1024) * 1024)

/* What a file says, whichever of the two forms it has. */
struct key_file {
	bool plain;
	struct account_address address;
	struct account_key key;
	char chain_id[CHAIN_ID_BYTES_MAX + 1];
	struct account_secret secret; /* plain */
	struct keystore_cost cost;    /* sealed, this and the next */
	uint8_t salt[SALT_BYTES];
	uint8_t nonce[NONCE_BYTES];
	uint8_t sealed[SEALED_BYTES];
};

/* A file's one spelling, in fixed memory; header_len is what the seal (or the checksum) vouches
 * for. */
struct key_text {
	char text[TEXT_BYTES_MAX];
	size_t len;
	size_t header_len;
};

void keystore_harden(void)
{
	struct rlimit none = {0, 0};

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
}

bool keystore_home(char out[KEYSTORE_PATH_BYTES], const char *home)
{
	const char *user = getenv("HOME");
	int len;

	if (!home || !home[0])
		home = getenv("AITBC_HOME");
	if (home && home[0])
		len = snprintf(out, KEYSTORE_PATH_BYTES, "%s", home);
	else if (user && user[0])
		len = snprintf(out, KEYSTORE_PATH_BYTES, "%s/.aitbc", user);
	else
		return false;
	return len > 0 && len < KEYSTORE_PATH_BYTES;
}

bool keystore_path(char out[KEYSTORE_PATH_BYTES], const char *home, const char *name)
{
	struct bytes view = bytes_of_text(name);

	if (view.len == 0 || view.len > KEYSTORE_NAME_BYTES_MAX || name[0] == '.')
		return false;
	if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") !=
		view.len)
		return false;
	int len = snprintf(out, KEYSTORE_PATH_BYTES, "%s/keys/%s.json", home, name);
	return len > 0 && len < KEYSTORE_PATH_BYTES;
}

enum status keystore_folder_make(const char *home, char fault[KEYSTORE_FAULT_BYTES])
{
	char folder[KEYSTORE_PATH_BYTES + 8];

	snprintf(folder, sizeof folder, "%s/keys", home);
	return private_folder_make(folder, fault);
}

struct keystore_cost keystore_cost_default(void)
{
	return (struct keystore_cost){3, 256 * MIB};
}

struct keystore_bounds keystore_bounds_default(void)
{
	/* Less than what we write is a file somebody weakened; more than 1 GiB or about ten seconds
	 * (cost_allowed's product) is a file that wants to stop this machine. */
	return (struct keystore_bounds){{3, 256 * MIB}, {32, 1024 * MIB}};
}

static bool cost_allowed(struct keystore_cost cost, const struct keystore_bounds *bounds)
{
	return cost.passes >= bounds->least.passes && cost.passes <= bounds->most.passes &&
	       cost.memory_bytes >= bounds->least.memory_bytes &&
	       cost.memory_bytes <= bounds->most.memory_bytes &&
	       cost.passes * (cost.memory_bytes / MIB) <= 8 * 1024;
}

bool keystore_chain_is_devnet(const char *chain_id)
{
	return strncmp(chain_id, "devnet", 6) == 0 || strncmp(chain_id, "aitbc-devnet", 12) == 0;
}

void keystore_new_secret(struct account_secret *out)
{
	struct account_key key;

	do
		randombytes_buf(out->b, sizeof out->b);
	while (!account_key_of(&key, out));
}

bool keystore_keys_start(void)
{
	uint8_t seed[32];

	if (sodium_init() < 0)
		return false;
	randombytes_buf(seed, sizeof seed);
	bool ok = keys_start(seed);
	secret_wipe(seed, sizeof seed);
	return ok;
}

static void put(struct key_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct key_text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(t->text + t->len, sizeof t->text - t->len, format, args);
	va_end(args);
	/* Every field has a fixed small size; the whole is under 1 KiB. */
	CHECK(len >= 0 && (size_t)len < sizeof t->text - t->len);
	t->len += (size_t)len;
}

static void put_hex(struct key_text *t, const void *data, size_t len)
{
	CHECK(2 * len < sizeof t->text - t->len);
	hex_lower(t->text + t->len, data, len);
	t->len += 2 * len;
}

static void put_identity(struct key_text *t, const struct key_file *f)
{
	char address[ADDRESS_TEXT_BYTES];

	address_text(address, &f->address);
	put(t, "{\n  \"format\": \"%s\",\n  \"address\": \"%s\",\n  \"public_key\": \"",
		f->plain ? FORMAT_PLAIN : FORMAT_SEALED, address);
	put_hex(t, f->key.b, sizeof f->key.b);
	put(t, "\",\n");
}

/* The header of a sealed file: what its ciphertext vouches for. */
static void text_of_header(struct key_text *t, const struct key_file *f)
{
	t->len = 0;
	put_identity(t, f);
	put(t,
		"  \"kdf\": {\"name\": \"argon2id\", \"passes\": %" PRIu64
		", \"memory_bytes\": %" PRIu64 ", \"salt\": \"",
		f->cost.passes, f->cost.memory_bytes);
	put_hex(t, f->salt, sizeof f->salt);
	put(t, "\"},\n  \"cipher\": {\"name\": \"xchacha20-poly1305\", \"nonce\": \"");
	put_hex(t, f->nonce, sizeof f->nonce);
	put(t, "\"},\n");
	t->header_len = t->len;
}

static void text_of_sealed(struct key_text *t, const struct key_file *f)
{
	text_of_header(t, f);
	put(t, "  \"ciphertext\": \"");
	put_hex(t, f->sealed, sizeof f->sealed);
	put(t, "\"\n}\n");
}

static void text_of_plain(struct key_text *t, const struct key_file *f)
{
	t->len = 0;
	put_identity(t, f);
	put(t, "  \"chain_id\": \"%s\",\n  \"secret\": \"", f->chain_id);
	put_hex(t, f->secret.b, sizeof f->secret.b);
	put(t, "\",\n");
	t->header_len = t->len;
	struct hash32 sum = sha256(bytes_view(t->text, t->len));
	put(t, "  \"checksum\": \"");
	put_hex(t, sum.b, sizeof sum.b);
	put(t, "\"\n}\n");
}

static bool file_of_sealed(struct key_file *f, const json_t *o)
{
	const json_t *kdf = json_object_get(o, "kdf");
	const json_t *cipher = json_object_get(o, "cipher");

	return field_u64(&f->cost.passes, kdf, "passes") &&
	       field_u64(&f->cost.memory_bytes, kdf, "memory_bytes") &&
	       field_hex(f->salt, sizeof f->salt, kdf, "salt") &&
	       field_hex(f->nonce, sizeof f->nonce, cipher, "nonce") &&
	       field_hex(f->sealed, sizeof f->sealed, o, "ciphertext");
}

static bool file_of_plain(struct key_file *f, const json_t *o)
{
	/* The letters of a chain id never need JSON's escapes. */
	return field_copy(f->chain_id, CHAIN_ID_BYTES_MAX, o, "chain_id") &&
	       !strpbrk(f->chain_id, "\"\\") &&
	       field_hex(f->secret.b, sizeof f->secret.b, o, "secret");
}

/* Accepts one spelling of each file: what we read is written again and must give the same bytes. So
 * no byte of a file is without meaning, and a changed one is either seen here or by the seal. */
static bool file_parse(struct key_file *f, struct key_text *again, struct bytes text)
{
	struct json_fault ignored;
	json_t *o = json_read(text, &ignored);
	bool ok = false;

	*f = (struct key_file){0};
	if (json_is_object(o) && field_address(&f->address, o, "address") &&
		field_hex(f->key.b, sizeof f->key.b, o, "public_key")) {
		f->plain = strcmp(field_text(o, "format"), FORMAT_PLAIN) == 0;
		ok = f->plain ? file_of_plain(f, o) : file_of_sealed(f, o);
	}
	json_decref(o);
	if (!ok)
		return false;
	if (f->plain)
		text_of_plain(again, f);
	else
		text_of_sealed(again, f);
	return bytes_equal(bytes_view(again->text, again->len), text);
}

static void name_of(char out[KEYSTORE_NAME_BYTES_MAX + 1], const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t len = strlen(name);

	if (len > 5 && strcmp(name + len - 5, ".json") == 0)
		len -= 5;
	if (len > KEYSTORE_NAME_BYTES_MAX)
		len = KEYSTORE_NAME_BYTES_MAX;
	memcpy(out, name, len);
	out[len] = '\0';
}

static enum status file_read(
	struct key_file *f, struct keystore_info *info, const char *path, char *fault)
{
	char folder[KEYSTORE_PATH_BYTES];
	uint8_t raw[KEYSTORE_FILE_BYTES_MAX];
	struct key_text again;
	size_t len = 0;
	const char *slash = strrchr(path, '/');
	enum status status = STATUS_OK;

	if (slash && slash > path &&
		snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path) <
			(int)sizeof folder)
		status = private_folder_check(folder, fault);
	if (status == STATUS_OK)
		status = private_file_read(raw, &len, sizeof raw, path, fault);
	if (status != STATUS_OK)
		return status;
	if (!file_parse(f, &again, bytes_view(raw, len))) {
		snprintf(fault, KEYSTORE_FAULT_BYTES,
			"%.150s is no key file, or was changed: restore it from a backup", path);
		status = STATUS_INVALID;
	}
	secret_wipe(raw, sizeof raw);
	secret_wipe(&again, sizeof again);
	if (status == STATUS_OK && info) {
		*info = (struct keystore_info){
			.address = f->address, .key = f->key, .plain = f->plain};
		name_of(info->name, path);
		memcpy(info->chain_id, f->chain_id, sizeof info->chain_id);
	}
	return status;
}

enum status keystore_read_info(
	struct keystore_info *out, const char *path, char fault[KEYSTORE_FAULT_BYTES])
{
	struct key_file f;
	enum status status = file_read(&f, out, path, fault);

	secret_wipe(&f, sizeof f);
	return status;
}

static enum status derive(
	uint8_t out[32], const struct key_file *f, const struct passphrase *passphrase, char *fault)
{
	if (crypto_pwhash(out, 32, passphrase->text, passphrase->len, f->salt, f->cost.passes,
		    (size_t)f->cost.memory_bytes, crypto_pwhash_ALG_ARGON2ID13) == 0)
		return STATUS_OK;
	snprintf(fault, KEYSTORE_FAULT_BYTES,
		"argon2id needs %" PRIu64 " MiB of memory, which are not to be had now",
		f->cost.memory_bytes / MIB);
	return STATUS_NO_MEMORY;
}

static enum status unseal(struct account_secret *out, const struct key_file *f,
	const struct passphrase *passphrase, const struct keystore_bounds *bounds, char *fault)
{
	struct key_text header;
	uint8_t key[32];

	if (!passphrase) {
		snprintf(fault, KEYSTORE_FAULT_BYTES, "the key is encrypted: give its passphrase");
		return STATUS_REFUSED;
	}
	if (!cost_allowed(f->cost, bounds)) {
		snprintf(fault, KEYSTORE_FAULT_BYTES,
			"the key file asks for %" PRIu64 " passes over %" PRIu64
			" MiB, which is out of bounds",
			f->cost.passes, f->cost.memory_bytes / MIB);
		return STATUS_INVALID;
	}
	enum status status = derive(key, f, passphrase, fault);
	if (status != STATUS_OK)
		return status;
	text_of_header(&header, f);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(out->b, NULL, NULL, f->sealed, SEALED_BYTES,
		    (const uint8_t *)header.text, header.header_len, f->nonce, key) != 0) {
		snprintf(fault, KEYSTORE_FAULT_BYTES,
			"wrong passphrase, or the key file was changed");
		status = STATUS_REFUSED;
	}
	secret_wipe(key, sizeof key);
	return status;
}

enum status keystore_load_bounded(struct account_secret *out, struct keystore_info *info,
	const char *path, const struct passphrase *passphrase, const struct keystore_bounds *bounds,
	char fault[KEYSTORE_FAULT_BYTES])
{
	struct key_file f;
	struct account_key key;

	fault[0] = '\0';
	enum status status = file_read(&f, info, path, fault);
	if (status == STATUS_OK && f.plain && !keystore_chain_is_devnet(f.chain_id)) {
		snprintf(fault, KEYSTORE_FAULT_BYTES,
			"a key that isn't encrypted is only for devnets; this one names chain %s",
			f.chain_id);
		status = STATUS_REFUSED;
	} else if (status == STATUS_OK && f.plain) {
		*out = f.secret;
	} else if (status == STATUS_OK) {
		status = unseal(out, &f, passphrase, bounds, fault);
	}
	if (status == STATUS_OK) {
		/* The seal vouches for the file, this for whoever sealed it. */
		struct account_address address = {{0}};
		bool is_key = account_key_of(&key, out);
		if (is_key)
			address = account_address_of(&key);
		if (!is_key || memcmp(key.b, f.key.b, sizeof key.b) != 0 ||
			!account_address_equal(&address, &f.address)) {
			snprintf(fault, KEYSTORE_FAULT_BYTES,
				"the secret in the key file isn't that of its address");
			status = STATUS_INVALID;
		}
	}
	if (status != STATUS_OK)
		secret_wipe(out, sizeof *out);
	secret_wipe(&f, sizeof f);
	return status;
}

enum status keystore_load(struct account_secret *out, struct keystore_info *info, const char *path,
	const struct passphrase *passphrase, char fault[KEYSTORE_FAULT_BYTES])
{
	struct keystore_bounds bounds = keystore_bounds_default();

	return keystore_load_bounded(out, info, path, passphrase, &bounds, fault);
}

static enum status identify(struct key_file *f, const struct account_secret *secret, char *fault)
{
	*f = (struct key_file){0};
	if (!account_key_of(&f->key, secret)) {
		snprintf(fault, KEYSTORE_FAULT_BYTES, "these 32 bytes are no secp256k1 secret");
		return STATUS_INVALID;
	}
	f->address = account_address_of(&f->key);
	return STATUS_OK;
}

static enum status write_text(const char *path, struct key_text *t, char *fault)
{
	char folder[KEYSTORE_PATH_BYTES];
	const char *slash = strrchr(path, '/');
	enum status status = STATUS_OK;

	if (slash && slash > path) {
		snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
		status = private_folder_make(folder, fault);
	}
	if (status == STATUS_OK)
		status = private_file_create(path, bytes_view(t->text, t->len), fault);
	if (status == STATUS_BUSY)
		snprintf(fault, KEYSTORE_FAULT_BYTES,
			"there is a key at %.150s already: choose another name", path);
	secret_wipe(t, sizeof *t);
	return status;
}

enum status keystore_save(const char *path, const struct account_secret *secret,
	const struct passphrase *passphrase, const struct keystore_cost *cost,
	char fault[KEYSTORE_FAULT_BYTES])
{
	struct key_file f;
	struct key_text t;
	uint8_t key[32];

	enum status status = identify(&f, secret, fault);
	if (status != STATUS_OK)
		return status;
	if (passphrase->len == 0) {
		snprintf(fault, KEYSTORE_FAULT_BYTES, "an empty passphrase protects nothing");
		return STATUS_INVALID;
	}
	f.cost = cost ? *cost : keystore_cost_default();
	randombytes_buf(f.salt, sizeof f.salt);
	randombytes_buf(f.nonce, sizeof f.nonce);
	status = derive(key, &f, passphrase, fault);
	if (status != STATUS_OK)
		return status;
	text_of_header(&t, &f);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(f.sealed, NULL, secret->b,
		sizeof secret->b, (const uint8_t *)t.text, t.header_len, NULL, f.nonce, key);
	secret_wipe(key, sizeof key);
	text_of_sealed(&t, &f);
	return write_text(path, &t, fault);
}

enum status keystore_save_plain(const char *path, const struct account_secret *secret,
	const char *chain_id, char fault[KEYSTORE_FAULT_BYTES])
{
	struct key_file f;
	struct key_text t;

	enum status status = identify(&f, secret, fault);
	if (status != STATUS_OK)
		return status;
	if (!keystore_chain_is_devnet(chain_id) || strlen(chain_id) > CHAIN_ID_BYTES_MAX ||
		strpbrk(chain_id, "\"\\")) {
		snprintf(fault, KEYSTORE_FAULT_BYTES,
			"only keys of a devnet may stay unencrypted; %.50s is none", chain_id);
		return STATUS_REFUSED;
	}
	f.plain = true;
	f.secret = *secret;
	memcpy(f.chain_id, chain_id, strlen(chain_id) + 1);
	text_of_plain(&t, &f);
	secret_wipe(&f, sizeof f);
	return write_text(path, &t, fault);
}
