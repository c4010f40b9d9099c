// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/tally.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include <weir/names.h>

#include "util/lookup.h"

#define VERSION	   2u
#define BLOCKS_MAX 1024u /* also those of workers that drain */

enum kind {
	LISTENERS,
	RULES,
	ENDPOINTS,
	KINDS,
};

static const uint32_t capacity[KINDS] = { TALLY_LISTENERS, TALLY_RULES, TALLY_ENDPOINTS };
static const uint32_t first[KINDS] = { 0, TALLY_LISTENERS, TALLY_LISTENERS + TALLY_RULES };

/* Filled up with zeroes, so that names are compared as a whole. */
struct name {
	char listener[WEIR_NAME_MAX];
	char part[WEIR_NAME_MAX]; /* of a rule or an endpoint; "": the listener's */
};

/* What the file begins with; endpoints follow, and then blocks. */
struct directory {
	char magic[8];
	uint32_t version;
	uint32_t blocks;       /* that there are */
	uint32_t named[KINDS]; /* rows that have a name */
	uint8_t pad[4096 - 28];
	struct name names[TALLY_LISTENERS + TALLY_RULES + TALLY_ENDPOINTS];
};

#define ENDPOINTS_SIZE (TALLY_ENDPOINTS * sizeof(struct tally_endpoint))

_Static_assert(sizeof(struct directory) % 4096 == 0, "endpoints begin on a page");
_Static_assert(ENDPOINTS_SIZE % 4096 == 0, "blocks begin on a page");

struct tally {
	int fd;
	struct directory *directory;
	struct tally_endpoint *endpoints;
	struct tally_block *own;	   /* of a worker */
	const struct tally_block **blocks; /* mapped */
	bool *held;
	uint32_t count;
	struct lookup lookup; /* in directory->names */
	uint32_t known[KINDS];
};

static const char magic[8] = "weirtal";

const char *tally_path(const char *instance, char path[TALLY_PATH_MAX])
{
	snprintf(path, TALLY_PATH_MAX, WEIR_RUN_DIR "/%.64s/tally", instance);
	return path;
}

static off_t place_of(uint32_t block)
{
	return (off_t)(sizeof(struct directory) + ENDPOINTS_SIZE +
		       block * sizeof(struct tally_block));
}

/* ---- the file ---- */

static void *map(int fd, size_t size, int protection, off_t from)
{
	void *memory = mmap(NULL, size, protection, MAP_SHARED, fd, from);

	return memory == MAP_FAILED ? NULL : memory;
}

/* The descriptor stays the caller's if it fails. */
static int tally_new(int fd, int protection, int of_endpoints, struct tally **ret)
{
	_cleanup_(tally_freep) struct tally *tally = calloc(1, sizeof(*tally));
	struct stat status;

	if (!tally)
		return -ENOMEM;
	tally->fd = -1;
	if (fstat(fd, &status))
		return -errno;
	if (status.st_size < place_of(0))
		return -EPROTO;
	tally->directory = map(fd, sizeof(struct directory), protection, 0);
	if (!tally->directory)
		return -errno;
	if (memcmp(tally->directory->magic, magic, sizeof(magic)) != 0 ||
	    tally->directory->version != VERSION)
		return -EPROTO;
	tally->endpoints = map(fd, ENDPOINTS_SIZE, of_endpoints, sizeof(struct directory));
	if (!tally->endpoints)
		return -errno;
	tally->blocks = calloc(BLOCKS_MAX, sizeof(*tally->blocks));
	tally->held = calloc(BLOCKS_MAX, sizeof(*tally->held));
	if (!tally->blocks || !tally->held)
		return -ENOMEM;
	*ret = take_ptr(tally);
	return 0;
}

void tally_free(struct tally *tally)
{
	if (!tally)
		return;
	for (uint32_t i = 0; i < tally->count; i++)
		munmap((void *)tally->blocks[i], sizeof(struct tally_block));
	free(tally->blocks);
	free(tally->held);
	lookup_fini(&tally->lookup);
	if (tally->own)
		munmap(tally->own, sizeof(struct tally_block));
	if (tally->endpoints)
		munmap(tally->endpoints, ENDPOINTS_SIZE);
	if (tally->directory)
		munmap(tally->directory, sizeof(struct directory));
	closep(&tally->fd);
	free(tally);
}

static int open_as(const char *path, int flags, int protection, struct tally **ret)
{
	_cleanup_(closep) int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW);
	int r = fd < 0 ? -errno : tally_new(fd, protection, protection, ret);

	if (!r)
		(*ret)->fd = take_fd(&fd);
	return r;
}

static int fail(const char *path, int code, struct err *err)
{
	return err_set(err, code, "%s: %s", path,
		       code == -EPROTO ? "it is of another version of weir" : strerror(-code));
}

int tally_open(const char *path, struct tally **ret, struct err *err)
{
	int r = open_as(path, O_RDONLY, PROT_READ, ret);

	r = r ?: tally_refresh(*ret);
	return r < 0 ? fail(path, r, err) : 0;
}

static int create(const char *path)
{
	_cleanup_(closep) int fd = -1;
	struct directory *directory;

	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0 || fchmod(fd, 0640) || ftruncate(fd, place_of(0)))
		return -errno;
	directory = map(fd, sizeof(*directory), PROT_READ | PROT_WRITE, 0);
	if (!directory)
		return -errno;
	directory->version = VERSION;
	memcpy(directory->magic, magic, sizeof(magic));
	munmap(directory, sizeof(*directory));
	return 0;
}

int tally_make(const char *path, struct tally **ret, struct err *err)
{
	int r = open_as(path, O_RDWR, PROT_READ | PROT_WRITE, ret);

	if (r == -ENOENT || r == -EPROTO) {
		r = create(path);
		r = r ?: open_as(path, O_RDWR, PROT_READ | PROT_WRITE, ret);
	}
	return r < 0 ? fail(path, r, err) : 0;
}

/* ---- blocks ---- */

static uint32_t named(const struct tally *tally, enum kind kind)
{
	uint32_t rows = __atomic_load_n(&tally->directory->named[kind], __ATOMIC_ACQUIRE);

	return rows < capacity[kind] ? rows : capacity[kind];
}

static struct flock lock_of(uint32_t block, short type)
{
	return (struct flock){
		.l_type = type, .l_whence = SEEK_SET, .l_start = place_of(block), .l_len = 1
	};
}

/* Nobody has connections or requests in it any more. What has no name was never written. */
static int clean(const struct tally *tally, uint32_t block)
{
	struct tally_block *memory =
		map(tally->fd, sizeof(*memory), PROT_READ | PROT_WRITE, place_of(block));

	if (!memory)
		return -errno;
	for (uint32_t i = 0; i < named(tally, LISTENERS); i++)
		memory->listeners[i].connections = memory->listeners[i].requests = 0;
	for (uint32_t i = 0; i < named(tally, ENDPOINTS); i++)
		__atomic_store_n(&memory->busy[i], 0, __ATOMIC_RELAXED);
	munmap(memory, sizeof(*memory));
	return 0;
}

/* Locks are of what open(2) has made. 0, -EBUSY or -errno. */
static int hold(int fd, uint32_t block)
{
	struct flock lock = lock_of(block, F_WRLCK);

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

static int add_block(struct tally *tally, uint32_t block)
{
	if (ftruncate(tally->fd, place_of(block + 1)))
		return -errno;
	__atomic_store_n(&tally->directory->blocks, block + 1, __ATOMIC_RELEASE);
	return 0;
}

int tally_lend(struct tally *tally, uint32_t *ret_block)
{
	uint32_t blocks = tally->directory->blocks, lent = BLOCKS_MAX;
	_cleanup_(closep) int fd = -1;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", tally->fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* All of the dead are cleaned: what they had taken others wait for. */
	for (uint32_t i = 0; i < blocks || (lent == BLOCKS_MAX && i < BLOCKS_MAX); i++) {
		struct flock unlock = lock_of(i, F_UNLCK);
		int r = hold(fd, i);

		if (r == -EBUSY)
			continue;
		r = r ?: i < blocks ? clean(tally, i) : add_block(tally, i);
		if (r < 0)
			return r;
		if (lent == BLOCKS_MAX)
			lent = i;
		else if (fcntl(fd, F_OFD_SETLK, &unlock))
			return -errno;
	}
	if (lent == BLOCKS_MAX)
		return -EBUSY;
	*ret_block = lent;
	return take_fd(&fd);
}

int tally_attach(int fd, uint32_t block, struct tally **ret)
{
	_cleanup_(tally_freep) struct tally *tally = NULL;
	int r = tally_new(fd, PROT_READ, PROT_READ | PROT_WRITE, &tally);

	if (r < 0)
		return r;
	tally->own = map(fd, sizeof(*tally->own), PROT_READ | PROT_WRITE, place_of(block));
	if (!tally->own)
		return -errno;
	tally->fd = fd;
	*ret = take_ptr(tally);
	return 0;
}

struct tally_block *tally_own(struct tally *tally)
{
	return tally->own;
}

/* More of them are mapped; the file may say what it likes, but not have less than they need. */
static int map_blocks(struct tally *tally)
{
	uint32_t blocks = __atomic_load_n(&tally->directory->blocks, __ATOMIC_ACQUIRE);
	struct stat status;

	if (fstat(tally->fd, &status))
		return -errno;
	while (tally->count < blocks && tally->count < BLOCKS_MAX &&
	       place_of(tally->count + 1) <= status.st_size) {
		const struct tally_block *block =
			map(tally->fd, sizeof(*block), PROT_READ, place_of(tally->count));

		if (!block)
			return -errno;
		tally->blocks[tally->count++] = block;
	}
	return 0;
}

int tally_refresh(struct tally *tally)
{
	int r = map_blocks(tally);

	for (uint32_t i = 0; !r && i < tally->count; i++) {
		struct flock lock = lock_of(i, F_RDLCK);

		if (fcntl(tally->fd, F_OFD_GETLK, &lock))
			r = -errno;
		tally->held[i] = lock.l_type != F_UNLCK;
	}
	return r;
}

/* ---- rows ---- */

/* Of a rule without a name: by its conditions, wherever in the listener it stands. */
static void name_conditions(const struct http_rule *rule, char name[WEIR_NAME_MAX])
{
	uint32_t hash[2] = { 1, 2 };

	for (int i = 0; i < 2; i++)
		vec_foreach(condition, &rule->conditions) {
			const char *key = condition->key ?: "";

			hash[i] = lookup_hash(hash[i], &condition->field, 1);
			hash[i] = lookup_hash(hash[i], key, strlen(key) + 1);
			vec_foreach(pattern, &condition->values) {
				hash[i] = lookup_hash(hash[i], &pattern->kind, 1);
				hash[i] = lookup_hash(hash[i], pattern->text,
						      strlen(pattern->text) + 1);
			}
			vec_foreach(prefix, &condition->addresses) {
				char text[ADDR_PREFIX_MAX];

				addr_prefix_print(prefix, text);
				hash[i] = lookup_hash(hash[i], text, strlen(text) + 1);
			}
		}
	snprintf(name, WEIR_NAME_MAX, "/%08x%08x", hash[0], hash[1]);
}

static struct name name_of(const char *listener, const struct http_rule *rule)
{
	struct name name = {};

	snprintf(name.listener, sizeof(name.listener), "%s", listener);
	if (rule && *rule->name)
		snprintf(name.part, sizeof(name.part), "%s", rule->name);
	else if (rule)
		name_conditions(rule, name.part);
	return name;
}

static struct name name_of_endpoint(const struct tally_name *endpoint)
{
	struct name name = name_of(endpoint->listener, NULL);
	uint32_t hash[2] = { 3, 4 };

	for (int i = 0; i < 2; i++) {
		hash[i] = lookup_hash(hash[i], endpoint->group, strlen(endpoint->group) + 1);
		hash[i] = lookup_hash(hash[i], endpoint->endpoint, strlen(endpoint->endpoint) + 1);
		hash[i] = lookup_hash(hash[i], endpoint->address, sizeof(*endpoint->address));
		hash[i] = lookup_hash(hash[i], &endpoint->port, sizeof(endpoint->port));
	}
	snprintf(name.part, sizeof(name.part), "=%08x%08x", hash[0], hash[1]);
	return name;
}

/* Names that have come since. */
static int learn(struct tally *tally, enum kind kind)
{
	const struct name *names = tally->directory->names;

	while (tally->known[kind] < named(tally, kind)) {
		uint32_t item = first[kind] + tally->known[kind];
		int r = lookup_add(&tally->lookup,
				   lookup_hash(0, &names[item], sizeof(struct name)), item);

		if (r < 0)
			return r;
		tally->known[kind]++;
	}
	return 0;
}

static int find(struct tally *tally, enum kind kind, const struct name *name)
{
	int r = learn(tally, kind);

	if (r < 0)
		return r;
	lookup_foreach(item, &tally->lookup, lookup_hash(0, name, sizeof(*name)))
		if (!memcmp(&tally->directory->names[item], name, sizeof(*name)))
			return (int)(item - first[kind]);
	return -ENOENT;
}

static int find_or_name(struct tally *tally, enum kind kind, const struct name *name)
{
	struct directory *directory = tally->directory;
	uint32_t row = directory->named[kind];
	int r = find(tally, kind, name);

	if (r != -ENOENT)
		return r;
	if (row >= capacity[kind])
		return -ENOSPC;
	directory->names[first[kind] + row] = *name;
	__atomic_store_n(&directory->named[kind], row + 1, __ATOMIC_RELEASE);
	return (int)row;
}

int tally_find_listener(struct tally *tally, const char *listener)
{
	struct name name = name_of(listener, NULL);

	return find(tally, LISTENERS, &name);
}

int tally_find_rule(struct tally *tally, const char *listener, const struct http_rule *rule)
{
	struct name name = name_of(listener, rule);

	return find(tally, RULES, &name);
}

int tally_name_listener(struct tally *tally, const char *listener)
{
	struct name name = name_of(listener, NULL);

	return find_or_name(tally, LISTENERS, &name);
}

int tally_name_rule(struct tally *tally, const char *listener, const struct http_rule *rule)
{
	struct name name = name_of(listener, rule);

	return find_or_name(tally, RULES, &name);
}

int tally_find_endpoint(struct tally *tally, const struct tally_name *endpoint)
{
	struct name name = name_of_endpoint(endpoint);

	return find(tally, ENDPOINTS, &name);
}

int tally_name_endpoint(struct tally *tally, const struct tally_name *endpoint)
{
	struct name name = name_of_endpoint(endpoint);

	return find_or_name(tally, ENDPOINTS, &name);
}

/* ---- endpoints ---- */

struct tally_endpoint *tally_endpoint(struct tally *tally, int row)
{
	return &tally->endpoints[row];
}

/* What the dead had is counted until their blocks are lent anew: too much rather than too little.
 */
static uint32_t busy(const struct tally *tally, int row)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < tally->count; i++)
		sum += __atomic_load_n(&tally->blocks[i]->busy[row], __ATOMIC_SEQ_CST);
	return sum;
}

bool tally_take(struct tally *tally, int row, uint32_t most)
{
	uint32_t blocks = __atomic_load_n(&tally->directory->blocks, __ATOMIC_ACQUIRE);

	if (tally->count < blocks && map_blocks(tally) < 0)
		return false;
	/* First told, then looked: of two that do so at once one sees the other. */
	__atomic_add_fetch(&tally->own->busy[row], 1, __ATOMIC_SEQ_CST);
	if (busy(tally, row) <= most)
		return true;
	tally_give(tally, row);
	return false;
}

void tally_give(struct tally *tally, int row)
{
	__atomic_sub_fetch(&tally->own->busy[row], 1, __ATOMIC_SEQ_CST);
}

/* ---- sums ---- */

static uint64_t load(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void tally_sum_listener(const struct tally *tally, int row, struct tally_listener *ret)
{
	*ret = (struct tally_listener){};
	for (uint32_t i = 0; row >= 0 && i < tally->count; i++) {
		const struct tally_listener *one = &tally->blocks[i]->listeners[row];

		for (uint32_t end = 0; end < TALLY_ENDS; end++)
			ret->ends[end] += load(&one->ends[end]);
		for (uint32_t entry = 0; entry < WEIR_LATENCY_ENTRIES; entry++)
			ret->took[entry] += load(&one->took[entry]);
		ret->took_us += load(&one->took_us);
		ret->routed += load(&one->routed);
		ret->connections += tally->held[i] ? load(&one->connections) : 0;
		ret->requests += tally->held[i] ? load(&one->requests) : 0;
	}
}

uint64_t tally_sum_rule(const struct tally *tally, int row)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; row >= 0 && i < tally->count; i++)
		sum += load(&tally->blocks[i]->rules[row]);
	return sum;
}

static uint32_t sum_busy(const struct tally *tally, int row)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < tally->count; i++)
		sum += tally->held[i]
			       ? __atomic_load_n(&tally->blocks[i]->busy[row], __ATOMIC_RELAXED)
			       : 0;
	return sum;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

void tally_look(struct tally *tally, const struct tally_name *endpoint, struct tally_sight *ret)
{
	int row = tally_find_endpoint(tally, endpoint);
	const struct tally_endpoint *known;
	uint64_t until, now = now_ms();

	*ret = (struct tally_sight){ .known = row >= 0 };
	if (row < 0)
		return;
	known = &tally->endpoints[row];
	until = load(&known->until);
	ret->busy = sum_busy(tally, row);
	ret->aside = until > now ? until - now : 0;
	ret->times = __atomic_load_n(&known->times, __ATOMIC_RELAXED);
}

uint64_t tally_lines_lost(const struct tally *tally)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < tally->count; i++)
		sum += load(&tally->blocks[i]->lines_lost);
	return sum;
}
