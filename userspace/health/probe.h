/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One probe of one endpoint, from the connection attempt to a result. It never waits: whoever runs
 * it calls probe_step() when the descriptor is ready, and ends it when its time is over.
 *
 * A probe is a connection of this host's own, by the route that the kernel has to the endpoint, the
 * same that the data plane uses. It ends with a reset, so that nothing of it stays behind.
 */
#ifndef WEIR_HEALTH_PROBE_H
#define WEIR_HEALTH_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config/model.h"
#include "health/http_answer.h"
#include "health/judge.h"
#include "net/addr.h"
#include "net/tls.h"

/* What is asked, the same at every probe of an endpoint. */
struct probe_question {
	struct sockaddr_storage to;
	socklen_t to_size;
	char *request; /* owned; NULL: to be connected is enough */
	size_t request_size;
	char *server_name;	       /* owned, of the certificate; NULL: no TLS */
	const struct tls_trust *trust; /* its owner's; with a server_name */
	int error;		       /* why there is no trust: all probes come to this; 0: none */
};

/* 0 or -ENOMEM. */
int probe_question_init(struct probe_question *question, const struct health_check *check,
			const struct addr *address, uint16_t port);
void probe_question_fini(struct probe_question *question);

/* The same to the same, whoever is trusted. */
bool probe_question_equal(const struct probe_question *a, const struct probe_question *b);

enum probe_wait {
	PROBE_DONE = 0,	 /* probe->result is there, but for the latency */
	PROBE_READ = 1,	 /* go on when there is something to read */
	PROBE_WRITE = 2, /* ... or room to write */
};

enum probe_stage {
	PROBE_CONNECT,
	PROBE_HANDSHAKE,
	PROBE_SEND,
	PROBE_RECEIVE,
};

struct probe {
	int fd; /* -1: not running */
	enum probe_stage stage;
	const struct probe_question *question;
	struct tls *tls;
	size_t sent;
	struct http_answer answer;
	struct probe_result result;
};

/*
 * Begins: an enum probe_wait, or -errno where this host is at fault (out of descriptors, ports or
 * memory), which says nothing about the endpoint. The question must stay until probe_end(). Not to
 * be called while it runs.
 */
int probe_begin(struct probe *probe, const struct probe_question *question);

/* Goes on as far as it can, also where nothing is ready. As probe_begin(). */
int probe_step(struct probe *probe);

/* Why it has not passed yet, its time being over: sets the result. */
void probe_time_out(struct probe *probe);

/* Closes it. Fine on one that does not run. */
void probe_end(struct probe *probe);

#endif
