// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "net/passing.h"
#include "util/cleanup.h"
#include "util/log.h"

#define ROOM	(4u << 20)   /* bytes of lines, a power of two */
#define AT_ONCE (256u << 10) /* of them in a write */
#define LOOK_MS 50	     /* between looks for lines */
#define SAY_S	10	     /* between complaints */

/* Both positions only grow; what lies between them is whole lines. */
struct ring {
	_Alignas(64) uint64_t written; /* the worker's */
	uint64_t dropped;	       /* lines */
	_Alignas(64) uint64_t read;    /* the writer's */
	uint64_t failed;	       /* lines that could not be written */
	_Alignas(64) char bytes[ROOM];
};

struct logger {
	struct ring *ring;
	int worker, writer; /* ends of a socket, that files are handed over by; -1: closed */
	int file;	    /* the writer's; of the worker: 0 or -1, whether there is one */
	uint64_t told[2];   /* of lines that are dropped, and that have failed */
	int error;	    /* -errno, of the last of them */
	time_t said;
};

int logger_new(struct logger **ret)
{
	struct logger *logger = calloc(1, sizeof(*logger));
	int ends[2], r;

	if (!logger)
		return -ENOMEM;
	logger->ring = mmap(NULL, sizeof(struct ring), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (logger->ring == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends)) {
		r = -errno;
		if (logger->ring != MAP_FAILED)
			munmap(logger->ring, sizeof(struct ring));
		free(logger);
		return r;
	}
	logger->worker = ends[0];
	logger->writer = ends[1];
	logger->file = -1;
	*ret = logger;
	return 0;
}

void logger_free(struct logger *logger)
{
	if (!logger)
		return;
	munmap(logger->ring, sizeof(struct ring));
	closep(&logger->worker);
	closep(&logger->writer);
	free(logger);
}

static uint64_t dropped_of(const struct ring *ring)
{
	return __atomic_load_n(&ring->dropped, __ATOMIC_RELAXED);
}

static uint64_t failed_of(const struct ring *ring)
{
	return __atomic_load_n(&ring->failed, __ATOMIC_RELAXED);
}

uint64_t logger_lost(const struct logger *logger)
{
	return dropped_of(logger->ring) + failed_of(logger->ring);
}

/* ---- the worker ---- */

void logger_begin(struct logger *logger)
{
	close(take_fd(&logger->writer));
	fcntl(logger->worker, F_SETFL, O_NONBLOCK);
}

int logger_follow(struct logger *logger, int file)
{
	int r;

	if (file < 0 && logger->file < 0)
		return 0;
	r = passing_send(logger->worker, "", 1, &file, file >= 0);
	if (!r)
		logger->file = file < 0 ? -1 : 0;
	return r;
}

bool logger_wants(const struct logger *logger)
{
	return logger && logger->file >= 0;
}

bool logger_add(struct logger *logger, const char *line, size_t size)
{
	struct ring *ring = logger->ring;
	uint64_t at = ring->written;
	size_t first = ROOM - at % ROOM;

	if (at + size - __atomic_load_n(&ring->read, __ATOMIC_ACQUIRE) > ROOM) {
		__atomic_store_n(&ring->dropped, ring->dropped + 1, __ATOMIC_RELAXED);
		return false;
	}
	if (first > size)
		first = size;
	memcpy(ring->bytes + at % ROOM, line, first);
	memcpy(ring->bytes, line + first, size - first);
	__atomic_store_n(&ring->written, at + size, __ATOMIC_RELEASE);
	return true;
}

/* ---- the process that writes ---- */

static char at(const struct ring *ring, uint64_t position)
{
	return ring->bytes[position % ROOM];
}

/* In one call as a rule: the lines of other workers come before or behind it. */
static void write_out(struct logger *logger, uint64_t from, uint64_t to)
{
	const struct ring *ring = logger->ring;
	uint64_t failed = 0;

	while (from < to && logger->file >= 0) {
		size_t first = ROOM - from % ROOM, all = to - from;
		struct iovec parts[2] = {
			{ (char *)ring->bytes + from % ROOM, first < all ? first : all },
			{ (char *)ring->bytes, first < all ? all - first : 0 },
		};
		ssize_t size = writev(logger->file, parts, 2);

		if (size >= 0)
			from += size;
		else if (errno != EINTR)
			break;
	}
	if (from == to || logger->file < 0)
		return;
	logger->error = -errno;
	for (; from < to; from++)
		failed += at(ring, from) == '\n';
	__atomic_store_n(&logger->ring->failed, ring->failed + failed, __ATOMIC_RELAXED);
}

static void drain(struct logger *logger)
{
	struct ring *ring = logger->ring;
	uint64_t from = ring->read, to;

	while (from < (to = __atomic_load_n(&ring->written, __ATOMIC_ACQUIRE))) {
		if (to - from > AT_ONCE)
			for (to = from + AT_ONCE; at(ring, to - 1) != '\n';)
				to--;
		write_out(logger, from, to);
		from = to;
		__atomic_store_n(&ring->read, from, __ATOMIC_RELEASE);
	}
}

/* What has been lost, now and then. */
static void complain(struct logger *logger)
{
	uint64_t dropped = dropped_of(logger->ring) - logger->told[0];
	uint64_t failed = failed_of(logger->ring) - logger->told[1];
	time_t now = time(NULL);

	if ((!dropped && !failed) || now - logger->said < SAY_S)
		return;
	if (dropped)
		log_warning("access log: %llu lines dropped: its file takes them too slowly",
			    (unsigned long long)dropped);
	if (failed)
		log_error("access log: %llu lines lost: %s", (unsigned long long)failed,
			  strerror(-logger->error));
	logger->told[0] += dropped;
	logger->told[1] += failed;
	logger->said = now;
}

/* Without a file there is nothing to look for. */
static void be_patient(const struct logger *logger)
{
	struct timeval patience = { .tv_usec = logger->file < 0 ? 0 : LOOK_MS * 1000 };

	setsockopt(logger->writer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

void logger_serve(struct logger *logger)
{
	ssize_t size;

	close(take_fd(&logger->worker));
	do {
		int file = -1, count = 1;
		char byte;

		size = passing_receive(logger->writer, &byte, 1, &file, &count);
		if (logger->file >= 0) /* else what is there is for the file that comes */
			drain(logger);
		complain(logger);
		if (size <= 0)
			continue;
		closep(&logger->file);
		logger->file = count ? file : -1;
		be_patient(logger);
	} while (size > 0 || size == -EAGAIN || size == -EINTR);
	logger->said = 0;
	complain(logger);
}
