// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: no answer of a name server makes the resolver crash, leak or hang, or gives an endpoint an
 * address that no host can have. c-ares is asked over the loopback of a network of its own, where
 * this is the server: the head and the question are right, so that c-ares reads on; flags, counts
 * and records are the input's, its first half for the one family and its second for the other.
 */
#include <netinet/in.h>
#include <stdint.h>

#include "dns/resolver.h"
#include "net.h"

#define HEAD	    12 /* bytes of a message's */
#define QUIET_MS    2  /* so long after the last answer the round is over */
#define QUERIES_MAX 16

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int server = -1;

static struct run {
	struct loop *loop;
	struct loop_source *timer;
	const uint8_t *data;
	size_t size;
	unsigned queries;
} run;

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static void on_changed(void *user, const struct names_domain *domain)
{
	(void)user;
	vec_foreach(known, &domain->addresses)
		require(!addr_is_martian(&known->address));
}

static void on_troubled(void *user, const char *domain, const char *reason)
{
	(void)user;
	require(*domain && (!reason || *reason));
}

static void on_quiet(void *user, uint32_t expirations)
{
	(void)user;
	(void)expirations;
	loop_stop(run.loop, 0);
}

/* The length of head and question of a query, or 0. */
static size_t question_end(const uint8_t *query, size_t size)
{
	size_t at = HEAD;

	while (at < size && query[at])
		at += 1 + query[at];
	return at + 5 <= size ? at + 5 : 0;
}

static void on_query(void *user, uint32_t events)
{
	uint8_t query[512], answer[16384];
	struct sockaddr_storage from;
	socklen_t from_size = sizeof(from);
	ssize_t got = recvfrom(server, query, sizeof(query), MSG_DONTWAIT, (struct sockaddr *)&from,
			       &from_size);
	size_t end = got > 0 ? question_end(query, got) : 0, half = run.size / 2;
	const uint8_t *part = run.queries % 2 ? run.data + half : run.data;
	size_t size = run.queries % 2 ? run.size - half : half;

	(void)user;
	(void)events;
	if (!end)
		return;
	memcpy(answer, query, end);
	memset(answer + 2, 0, HEAD - 2);
	if (size >= 8) { /* flags, and counts but that of questions */
		memcpy(answer + 2, part, 2);
		memcpy(answer + 6, part + 2, 6);
		part += 8;
		size -= 8;
	}
	answer[2] = (answer[2] | 0x80) & ~0x02; /* an answer, not cut: TCP would be asked */
	answer[5] = 1;
	if (size > sizeof(answer) - end)
		size = sizeof(answer) - end;
	memcpy(answer + end, part, size);
	sendto(server, answer, end + size, MSG_DONTWAIT, (struct sockaddr *)&from, from_size);
	loop_set_timer(run.timer, ++run.queries < QUERIES_MAX ? QUIET_MS : 0, 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_port = htons(53),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	(void)argc;
	(void)argv;
	net_begin();
	server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (server < 0 || bind(server, (struct sockaddr *)&name, sizeof(name))) {
		perror("the name server");
		exit(1);
	}
	return 0;
}

/* One endpoint with a name, and who is to be asked for it. */
static struct model *make_model(void)
{
	struct model *model = calloc(1, sizeof(*model));
	struct endpoint_group group = { .name = "g" };
	struct endpoint endpoint = { .name = "e", .type = TYPE_CUSTOM_DOMAIN };
	struct listener listener = { .name = "l" };
	struct addr loopback;

	require(model && !addr_parse("127.0.0.1", &loopback));
	endpoint.domain = strdup("a.example");
	require(!vec_push(&group.endpoints, endpoint) && !vec_push(&listener.groups, group) &&
		!vec_push(&model->listeners, listener) && !vec_push(&model->nameservers, loopback));
	return model;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct resolver_calls calls = { on_changed, on_troubled, NULL };
	_cleanup_(model_freep) struct model *model = make_model();
	struct resolver *resolver = NULL;
	struct loop_source *source;
	struct err err = {};

	run = (struct run){ .data = data, .size = size };
	require(!loop_new(&run.loop) &&
		!loop_add_fd(run.loop, server, EPOLLIN, (struct loop_call){ on_query, NULL },
			     &source) &&
		!loop_add_timer(run.loop, (struct loop_call){ on_quiet, NULL }, &run.timer) &&
		!resolver_new(run.loop, &calls, &resolver, &err) &&
		!resolver_follow(resolver, model));
	loop_set_timer(run.timer, 100, 0);
	loop_run(run.loop);
	vec_foreach(domain, &resolver_names(resolver)->list)
		on_changed(NULL, domain);
	resolver_free(resolver);
	loop_remove(source);
	loop_free(run.loop);
	return 0;
}
