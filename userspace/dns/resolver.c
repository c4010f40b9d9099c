// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dns/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <time.h>

#include "dns/channel.h"

#define STREAMS_MAX   64   /* names that are asked by channels of their own, at once */
#define RETRY_MS      1000 /* after a failure, twice as long after the next, up to: */
#define RETRY_MAX_MS  30000
#define ADDRESSES_MAX 64 /* of a family; what is beyond them is left out */
#define SERVERS_TEXT  4096

enum family {
	FAMILY_IP4,
	FAMILY_IP6,
	FAMILIES,
};

struct question;

/* A domain that is followed. */
struct task {
	LIST_ENTRY(task) entry;
	struct resolver *resolver;
	char *name;		 /* owned */
	uint64_t due;		 /* ms: of the next round */
	unsigned open;		 /* questions of this round without an answer */
	bool apart;		 /* its answers need a stream, and it a channel of its own */
	struct channel *channel; /* its own, in a round; or NULL */
	bool dropped;		 /* nobody wants it any more: it goes with its last question */
	bool kept;		 /* while the model is read */
	bool troubled;
	unsigned failures; /* rounds in a row */
	uint32_t ttl;	   /* s, the smallest of the round */
	int status[FAMILIES];
};

struct question {
	struct task *task;
	enum family family;
	struct channel *channel; /* by which it is asked */
	unsigned refused;	 /* streams, before it was asked */
};

LIST_HEAD(task_list, task);
LIST_HEAD(channel_list, channel);

struct resolver {
	struct loop *loop;
	struct resolver_calls calls;
	struct loop_source *timer;
	struct channel *shared; /* has no streams */
	struct channel_list channels;
	unsigned apart; /* channels but for the shared one */
	struct task_list tasks;
	struct names names;
	struct ares_addr_port_node *own; /* nameservers of the host */
	char servers[SERVERS_TEXT];	 /* that are asked; "": the host's */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

uint32_t resolver_clamp(int ttl)
{
	if (ttl < RESOLVER_TTL_MIN)
		return RESOLVER_TTL_MIN;
	return ttl > RESOLVER_TTL_MAX ? RESOLVER_TTL_MAX : ttl;
}

/* A name that needs a channel of its own waits while there are too many. */
static bool may_begin(const struct task *task)
{
	return !task->open && (!task->apart || task->resolver->apart < STREAMS_MAX);
}

/* Until the next round is due, or until c-ares wants to be asked. */
static void set_timer(struct resolver *resolver)
{
	uint64_t now = now_ms(), first = UINT64_MAX;
	struct channel *channel;
	struct task *task;

	LIST_FOREACH(task, &resolver->tasks, entry)
	if (may_begin(task) && task->due < first)
		first = task->due;
	LIST_FOREACH(channel, &resolver->channels, entry)
	{
		uint64_t wait = channel->over ? 0 : channel_wait(channel);

		if (wait != UINT64_MAX && now + wait < first)
			first = now + wait;
	}
	if (first == UINT64_MAX)
		loop_stop_timer(resolver->timer);
	else
		loop_set_timer(resolver->timer, first > now ? first - now : 0, 0);
}

static void on_served(void *user)
{
	set_timer(user);
}

static void set_servers_of(const struct resolver *resolver, const struct channel *channel)
{
	if (*resolver->servers)
		ares_set_servers_ports_csv(channel->ares, resolver->servers);
	else
		ares_set_servers_ports(channel->ares, resolver->own);
}

static int open_channel(struct resolver *resolver, bool streams, struct channel **ret)
{
	const struct channel_calls calls = { on_served, resolver };
	int status = channel_new(resolver->loop, streams, &calls, ret);

	if (status == ARES_SUCCESS)
		LIST_INSERT_HEAD(&resolver->channels, *ret, entry);
	return status;
}

/* Those whose round has ended. */
static void close_channels(struct resolver *resolver)
{
	struct channel *channel, *next;

	for (channel = LIST_FIRST(&resolver->channels); channel; channel = next) {
		next = LIST_NEXT(channel, entry);
		if (!channel->over)
			continue;
		LIST_REMOVE(channel, entry);
		channel_free(channel);
		resolver->apart--;
	}
}

static void task_free(struct task *task)
{
	LIST_REMOVE(task, entry);
	free(task->name);
	free(task);
}

static bool read_address(const struct ares_addrinfo_node *node, struct addr *ret)
{
	*ret = (struct addr){};
	if (node->ai_family == AF_INET) {
		const struct sockaddr_in *from = (const struct sockaddr_in *)node->ai_addr;

		ret->bytes[10] = ret->bytes[11] = 0xff;
		memcpy(ret->bytes + 12, &from->sin_addr, 4);
	} else {
		const struct sockaddr_in6 *from = (const struct sockaddr_in6 *)node->ai_addr;

		memcpy(ret->bytes, &from->sin6_addr, 16);
	}
	return !addr_is_martian(ret) && !addr_is_link_local(ret);
}

/* The addresses of an answer that can serve; the answer holds as long as its shortest record. */
static size_t read_answer(const struct ares_addrinfo *info, int family, uint32_t *ttl,
			  struct addr addresses[ADDRESSES_MAX])
{
	const struct ares_addrinfo_cname *alias;
	const struct ares_addrinfo_node *node;
	size_t count = 0;

	for (alias = info->cnames; alias; alias = alias->next)
		if (resolver_clamp(alias->ttl) < *ttl)
			*ttl = resolver_clamp(alias->ttl);
	for (node = info->nodes; node && count < ADDRESSES_MAX; node = node->ai_next) {
		if (node->ai_family != family)
			continue;
		if (resolver_clamp(node->ai_ttl) < *ttl)
			*ttl = resolver_clamp(node->ai_ttl);
		/* A v4-mapped AAAA record is no address of IPv6. */
		if (read_address(node, &addresses[count]) &&
		    addr_family(&addresses[count]) == family)
			count++;
	}
	return count;
}

static void say_trouble(struct task *task, const char *reason)
{
	struct resolver *resolver = task->resolver;

	if (task->troubled == (reason != NULL))
		return;
	task->troubled = reason;
	resolver->calls.troubled(resolver->calls.user, task->name, reason);
}

/* A family without an address is a good answer if the other one has any. */
static bool is_empty(int status)
{
	return status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

/* Whoever has addresses of one family only has none of the other, if that is what DNS says. */
static void compare_families(struct task *task)
{
	struct resolver *resolver = task->resolver;
	struct names_domain *domain = names_find(&resolver->names, task->name);
	const int *status = task->status;
	bool changed = false;

	if (!domain)
		return;
	for (enum family family = 0; family < FAMILIES; family++)
		if (is_empty(status[family]) && status[!family] == ARES_SUCCESS)
			changed |= names_set(domain, family == FAMILY_IP4 ? AF_INET : AF_INET6,
					     NULL, 0, time(NULL));
	changed |= names_expire(domain, time(NULL) - RESOLVER_LEAVING);
	if (changed)
		resolver->calls.changed(resolver->calls.user, domain);
}

/* Whoever could do without a stream shares the channel of all again. */
static void leave_channel(struct task *task)
{
	if (!task->channel)
		return;
	task->apart = task->channel->streamed;
	task->channel->over = true;
	task->channel = NULL;
}

static void end_round(struct task *task)
{
	const int *status = task->status;
	bool empty = is_empty(status[FAMILY_IP4]) && is_empty(status[FAMILY_IP6]);
	int bad = status[FAMILY_IP4];

	leave_channel(task);
	if (bad == ARES_ECANCELLED || status[FAMILY_IP6] == ARES_ECANCELLED) {
		task->due = now_ms();
		return;
	}
	compare_families(task);
	if (bad == ARES_SUCCESS || (!empty && is_empty(bad)))
		bad = status[FAMILY_IP6];
	if (!empty && is_empty(bad))
		bad = ARES_SUCCESS;
	if (bad == ARES_SUCCESS) {
		task->failures = 0;
		task->due = now_ms() + task->ttl * 1000ull;
		say_trouble(task, NULL);
		return;
	}
	task->due = now_ms() + (task->failures < 5 ? RETRY_MS << task->failures : RETRY_MAX_MS);
	task->failures++;
	say_trouble(task, ares_strerror(bad));
}

static void ask(struct task *task, enum family family);

/* Has it failed since it was refused a stream? It may have been another one's. */
static bool needs_stream(const struct question *question, int status)
{
	return question->channel->refused != question->refused && status != ARES_SUCCESS &&
	       status != ARES_ECANCELLED && status != ARES_EDESTRUCTION && !is_empty(status) &&
	       !question->task->dropped;
}

static void on_answer(void *user, int status, int timeouts, struct ares_addrinfo *info)
{
	_cleanup_(freep) struct question *question = user;
	struct task *task = question->task;
	struct resolver *resolver = task->resolver;
	int family = question->family == FAMILY_IP4 ? AF_INET : AF_INET6;
	struct addr addresses[ADDRESSES_MAX];
	struct names_domain *domain = NULL;
	bool changed = false;
	size_t count;

	(void)timeouts;
	if (needs_stream(question, status)) {
		task->apart = true;
		ask(task, question->family);
		return;
	}
	if (status == ARES_SUCCESS && !task->dropped) {
		count = read_answer(info, family, &task->ttl, addresses);
		domain = count ? names_get(&resolver->names, task->name) : NULL;
		if (domain)
			changed = names_set(domain, family, addresses, count, time(NULL));
		else
			status = ARES_ENODATA; /* none that could be used */
	}
	if (info)
		ares_freeaddrinfo(info);
	task->status[question->family] = status;
	task->open--;
	if (task->dropped || status == ARES_EDESTRUCTION) {
		if (!task->open && task->dropped) {
			leave_channel(task);
			task_free(task);
		}
		return;
	}
	if (changed)
		resolver->calls.changed(resolver->calls.user, domain);
	if (!task->open)
		end_round(task);
}

/* ARES_ECANCELLED: there are too many at the moment. */
static int choose_channel(struct task *task, struct channel **ret)
{
	struct resolver *resolver = task->resolver;
	int status;

	if (task->apart && !task->channel) {
		if (resolver->apart == STREAMS_MAX)
			return ARES_ECANCELLED;
		status = open_channel(resolver, true, &task->channel);
		if (status != ARES_SUCCESS)
			return status;
		resolver->apart++;
		set_servers_of(resolver, task->channel);
	}
	*ret = task->channel ?: resolver->shared;
	return ARES_SUCCESS;
}

static void not_asked(struct task *task, enum family family, int status)
{
	task->status[family] = status;
	if (!--task->open)
		end_round(task);
}

/* An answer may be there at once, from /etc/hosts. */
static void ask(struct task *task, enum family family)
{
	struct ares_addrinfo_hints hints = {
		.ai_family = family == FAMILY_IP4 ? AF_INET : AF_INET6,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = ARES_AI_NOSORT,
	};
	struct channel *channel;
	struct question *question;
	int status = choose_channel(task, &channel);

	if (status != ARES_SUCCESS) {
		not_asked(task, family, status);
		return;
	}
	question = malloc(sizeof(*question));
	if (!question) {
		not_asked(task, family, ARES_ENOMEM);
		return;
	}
	*question = (struct question){ task, family, channel, channel->refused };
	ares_getaddrinfo(channel->ares, task->name, NULL, &hints, on_answer, question);
}

static void begin_round(struct task *task)
{
	task->open = FAMILIES + 1; /* and one for the way there, so that it does not end on it */
	task->ttl = RESOLVER_TTL_MAX;
	task->due = UINT64_MAX;
	for (enum family family = 0; family < FAMILIES; family++)
		ask(task, family);
	if (!--task->open)
		end_round(task);
}

static void on_timer(void *user, uint32_t expirations)
{
	struct resolver *resolver = user;
	uint64_t now = now_ms();
	struct channel *channel;
	struct task *task, *next;

	(void)expirations;
	LIST_FOREACH(channel, &resolver->channels, entry)
	channel_on_time(channel);
	close_channels(resolver);
	for (task = LIST_FIRST(&resolver->tasks); task; task = next) {
		next = LIST_NEXT(task, entry);
		if (may_begin(task) && task->due <= now)
			begin_round(task);
	}
	set_timer(resolver);
}

static int open_shared(struct resolver *resolver, struct err *err)
{
	int status = open_channel(resolver, false, &resolver->shared);

	if (status == ARES_SUCCESS)
		status = ares_get_servers_ports(resolver->shared->ares, &resolver->own);
	if (status == ARES_SUCCESS)
		return 0;
	return err_set(err, -ENOMEM, "the resolver: %s", ares_strerror(status));
}

int resolver_new(struct loop *loop, const struct resolver_calls *calls, struct resolver **ret,
		 struct err *err)
{
	_cleanup_(resolver_freep) struct resolver *resolver = calloc(1, sizeof(*resolver));
	int r;

	if (!resolver)
		return err_set(err, -ENOMEM, "out of memory");
	*resolver = (struct resolver){ .loop = loop, .calls = *calls };
	LIST_INIT(&resolver->channels);
	LIST_INIT(&resolver->tasks);
	r = loop_add_timer(loop, (struct loop_call){ on_timer, resolver }, &resolver->timer);
	if (r < 0)
		return err_set(err, r, "event loop: %s", strerror(-r));
	r = open_shared(resolver, err);
	if (r < 0)
		return r;
	*ret = take_ptr(resolver);
	return 0;
}

void resolver_free(struct resolver *resolver)
{
	struct channel *channel;

	if (!resolver)
		return;
	while ((channel = LIST_FIRST(&resolver->channels))) {
		LIST_REMOVE(channel, entry);
		channel_free(channel);
	}
	while (!LIST_EMPTY(&resolver->tasks))
		task_free(LIST_FIRST(&resolver->tasks));
	names_fini(&resolver->names);
	ares_free_data(resolver->own);
	loop_remove(resolver->timer);
	free(resolver);
}

void resolver_adopt(struct resolver *resolver, struct names *names)
{
	names_fini(&resolver->names);
	resolver->names = *names;
	*names = (struct names){};
}

static struct task *find_task(const struct resolver *resolver, const char *name)
{
	struct task *task;

	LIST_FOREACH(task, &resolver->tasks, entry)
	if (!task->dropped && !strcasecmp(task->name, name))
		return task;
	return NULL;
}

static int want(struct resolver *resolver, const char *name)
{
	struct task *task = find_task(resolver, name);

	if (!task) {
		task = calloc(1, sizeof(*task));
		if (!task)
			return -ENOMEM;
		task->resolver = resolver;
		task->name = strdup(name);
		if (!task->name) {
			free(task);
			return -ENOMEM;
		}
		LIST_INSERT_HEAD(&resolver->tasks, task, entry);
	}
	task->kept = true;
	return 0;
}

static bool is_followed(void *user, const char *name)
{
	return find_task(user, name);
}

/* Drops those that nobody wants, and what is known of them. */
static void drop_others(struct resolver *resolver)
{
	struct task *task, *next;

	for (task = LIST_FIRST(&resolver->tasks); task; task = next) {
		next = LIST_NEXT(task, entry);
		if (task->kept || task->dropped)
			continue;
		task->dropped = true;
		if (!task->open)
			task_free(task);
	}
	names_keep(&resolver->names, is_followed, resolver);
}

/* "10.0.0.53,[fd00::53]:53"; what is being asked is asked again. */
static void set_servers(struct resolver *resolver, const struct model *model)
{
	char servers[SERVERS_TEXT] = "", one[ADDR_PORT_TEXT_MAX];
	struct channel *channel;
	size_t size = 0;

	vec_foreach(address, &model->nameservers)
		if (size + sizeof(one) + 1 < sizeof(servers))
			size += snprintf(servers + size, sizeof(servers) - size, "%s%s",
					 size ? "," : "", addr_print_port(address, 53, one));
	if (!strcmp(servers, resolver->servers))
		return;
	memcpy(resolver->servers, servers, sizeof(servers));
	/* They change only while nothing is asked. */
	LIST_FOREACH(channel, &resolver->channels, entry)
	ares_cancel(channel->ares);
	set_servers_of(resolver, resolver->shared);
}

int resolver_follow(struct resolver *resolver, const struct model *model)
{
	struct task *task;
	int r = 0;

	LIST_FOREACH(task, &resolver->tasks, entry)
	task->kept = false;
	vec_foreach(listener, &model->listeners)
		vec_foreach(group, &listener->groups)
			vec_foreach(endpoint, &group->endpoints)
				if (!r && endpoint->domain && !model_is_instance(endpoint))
					r = want(resolver, endpoint->domain);
	if (r < 0)
		return r;
	drop_others(resolver);
	set_servers(resolver, model);
	set_timer(resolver);
	return 0;
}

const struct names *resolver_names(const struct resolver *resolver)
{
	return &resolver->names;
}
