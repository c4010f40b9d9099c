// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "health/health.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "health/judge.h"
#include "health/probe.h"
#include "health/schedule.h"
#include "health/trusts.h"
#include "util/now.h"

#define NOT_BEFORE  SIZE_MAX
#define HINDERED_MS 60000 /* between two words about it */
#define TICK_MS	    10	  /* what is due within one is done at one wakeup */

struct check {
	struct health *health;
	struct schedule_entry entry; /* of the next probe, or of the end of the one that runs */
	size_t verdict;		     /* in health->verdicts */
	uint32_t interval, timeout;  /* ms */
	uint8_t threshold;
	size_t before; /* in health->checks, while they are made anew; NOT_BEFORE: there was none */
	struct probe_question question;
	struct probe probe;
	struct loop_source *source; /* NULL: no probe is running */
	int waits;		    /* enum probe_wait */
	uint64_t begun;		    /* us */
};

struct checks {
	VEC(struct check *) list;
	struct trusts trusts; /* of their questions */
};

struct health {
	struct loop *loop;
	struct loop_source *timer;
	struct health_calls calls;
	struct verdicts verdicts;
	struct checks checks;
	struct schedule schedule;
	uint64_t armed;	   /* ms: when the timer expires; 0: it does not run */
	uint64_t hindered; /* ms: when it was said last; 0: never */
	uint64_t random;   /* state of a generator */
};

static uint64_t now_ms(void)
{
	return now_us() / 1000;
}

/* For spreading alone. */
static uint32_t random_number(struct health *health)
{
	health->random = health->random * 6364136223846793005u + 1442695040888963407u;
	return health->random >> 32;
}

/* To the tick at which the first is due, or before it. */
static void set_timer(struct health *health)
{
	const struct schedule_entry *first = schedule_first(&health->schedule);
	uint64_t now, tick;

	if (!first)
		return;
	tick = (first->due + TICK_MS - 1) / TICK_MS * TICK_MS;
	if (health->armed && health->armed <= tick)
		return;
	now = now_ms();
	health->armed = tick;
	loop_set_timer(health->timer, tick > now ? tick - now : 0, 0);
}

static void end_probe(struct check *check)
{
	loop_remove(take_ptr(check->source));
	probe_end(&check->probe);
}

static void plan_next(struct check *check)
{
	struct health *health = check->health;

	schedule_set(&health->schedule, &check->entry,
		     schedule_next(check->begun / 1000, check->interval, random_number(health),
				   now_ms()));
}

/* A probe has its result. */
static void finish(struct check *check)
{
	struct health *health = check->health;
	struct verdict *verdict = &health->verdicts.list.items[check->verdict];
	struct timespec now;
	bool decided;

	check->probe.result.latency = now_us() - check->begun;
	end_probe(check);
	clock_gettime(CLOCK_REALTIME, &now);
	decided = judge(&verdict->health, &check->probe.result, check->threshold, now.tv_sec);
	plan_next(check);
	health->calls.probed(health->calls.user, verdict, decided);
}

/* This host could not ask; the endpoint stays what it was. */
static void give_up(struct check *check, int error)
{
	struct health *health = check->health;
	uint64_t now = now_ms();

	end_probe(check);
	plan_next(check);
	if (health->hindered && now - health->hindered < HINDERED_MS)
		return;
	health->hindered = now;
	health->calls.hindered(health->calls.user, error);
}

static uint32_t events_of(int waits)
{
	return waits == PROBE_READ ? EPOLLIN : EPOLLOUT;
}

static void on_ready(void *user, uint32_t events);

/* What a step of a probe came to. */
static void follow(struct check *check, int waits)
{
	struct loop_call call = { on_ready, check };
	int r = 0;

	if (waits < 0) {
		give_up(check, waits);
		return;
	}
	if (waits == PROBE_DONE) {
		finish(check);
		return;
	}
	if (!check->source)
		r = loop_add_fd(check->health->loop, check->probe.fd, events_of(waits), call,
				&check->source);
	else if (waits != check->waits)
		r = loop_set_events(check->source, events_of(waits));
	check->waits = waits;
	if (r < 0)
		give_up(check, r);
}

static void on_ready(void *user, uint32_t events)
{
	struct check *check = user;

	(void)events;
	follow(check, probe_step(&check->probe));
	if (!check->source)
		set_timer(check->health);
}

static void start_probe(struct check *check)
{
	check->begun = now_us();
	schedule_set(&check->health->schedule, &check->entry, check->begun / 1000 + check->timeout);
	follow(check, probe_begin(&check->probe, &check->question));
}

/* The answer may have been there before the loop came to it: the last look decides. */
static void end_in_time(struct check *check)
{
	int waits = probe_step(&check->probe);

	if (waits > 0) {
		probe_time_out(&check->probe);
		waits = PROBE_DONE;
	}
	follow(check, waits);
}

static void on_due(void *user, uint32_t expirations)
{
	struct health *health = user;
	struct schedule_entry *first;
	uint64_t now = now_ms();

	(void)expirations;
	health->armed = 0;
	while ((first = schedule_first(&health->schedule)) && first->due <= now) {
		struct check *check =
			(struct check *)((char *)first - offsetof(struct check, entry));

		if (check->source)
			end_in_time(check);
		else
			start_probe(check);
	}
	set_timer(health);
}

int health_new(struct loop *loop, const struct health_calls *calls, struct health **ret)
{
	_cleanup_(health_freep) struct health *health = calloc(1, sizeof(*health));
	int r;

	if (!health)
		return -ENOMEM;
	health->loop = loop;
	health->calls = *calls;
	if (getrandom(&health->random, sizeof(health->random), GRND_NONBLOCK) < 0)
		health->random = now_us();
	r = loop_add_timer(loop, (struct loop_call){ on_due, health }, &health->timer);
	if (r < 0)
		return r;
	*ret = take_ptr(health);
	return 0;
}

static void checks_fini(struct checks *checks)
{
	vec_foreach(check, &checks->list) {
		end_probe(*check);
		schedule_remove(&(*check)->health->schedule, &(*check)->entry);
		probe_question_fini(&(*check)->question);
		free(*check);
	}
	vec_free(&checks->list);
	trusts_fini(&checks->trusts);
}

void health_free(struct health *health)
{
	if (!health)
		return;
	checks_fini(&health->checks);
	schedule_fini(&health->schedule);
	verdicts_fini(&health->verdicts);
	loop_remove(health->timer);
	free(health);
}

static void set_names(struct verdict *verdict, const char *listener, const char *group,
		      const char *endpoint)
{
	snprintf(verdict->listener, sizeof(verdict->listener), "%s", listener);
	snprintf(verdict->group, sizeof(verdict->group), "%s", group);
	snprintf(verdict->endpoint, sizeof(verdict->endpoint), "%s", endpoint);
}

int health_adopt(struct health *health, const struct plan *plan)
{
	vec_foreach(listener, &plan->listeners) {
		vec_foreach(endpoint, &listener->endpoints) {
			struct verdict verdict = {
				.address = endpoint->address,
				.health = endpoint->health,
				.row = VERDICT_NO_ROW,
			};

			if (endpoint->health.state == WEIR_HEALTH_UNCHECKED ||
			    endpoint->state == WEIR_ENDPOINT_GONE ||
			    verdicts_find(&health->verdicts, listener->name, endpoint->group,
					  endpoint->name, &endpoint->address))
				continue;
			set_names(&verdict, listener->name, endpoint->group, endpoint->name);
			if (verdicts_add(&health->verdicts, &verdict))
				return -ENOMEM;
		}
	}
	return 0;
}

/* Certificates that cannot be read (any more) are this host's fault: nothing is known then. */
static int set_question(struct check *check, struct trusts *trusts, const struct listener *listener,
			const struct endpoint_group *group, const struct endpoint *endpoint)
{
	const struct health_check *how = group->health_check;
	int r = probe_question_init(&check->question, how, &endpoint->address,
				    model_health_port(listener, group, endpoint));

	if (!r && how->protocol == HEALTH_HTTPS &&
	    trusts_get(trusts, how, &check->question.trust, NULL) < 0)
		check->question.error = -ENOKEY;
	return r;
}

static int add_check(struct health *health, const struct listener *listener,
		     const struct endpoint_group *group, const struct endpoint *endpoint,
		     struct verdicts *verdicts, struct checks *checks)
{
	struct check *check = calloc(1, sizeof(*check));
	struct verdict verdict = { .address = endpoint->address, .row = VERDICT_NO_ROW };
	const struct verdict *before;

	if (!check || vec_push(&checks->list, check)) {
		free(check);
		return -ENOMEM;
	}
	*check = (struct check){
		.health = health,
		.verdict = verdicts->list.count,
		.interval = group->health_check->interval,
		.timeout = group->health_check->timeout,
		.threshold = group->health_check->threshold,
		.before = NOT_BEFORE,
		.probe.fd = -1,
	};
	set_names(&verdict, listener->name, group->name, endpoint->name);
	before = verdicts_find(&health->verdicts, verdict.listener, verdict.group, verdict.endpoint,
			       &verdict.address);
	if (before && health->checks.list.count) {
		check->before = before - health->verdicts.list.items;
		check->begun = health->checks.list.items[check->before]->begun;
	}
	verdict.health = verdicts_health(&health->verdicts, listener, group, endpoint);
	verdict.health.threshold = group->health_check->threshold;
	return verdicts_add(verdicts, &verdict)
		       ?: set_question(check, &checks->trusts, listener, group, endpoint);
}

static int add_checks(struct health *health, const struct model *model, struct verdicts *verdicts,
		      struct checks *checks)
{
	int r = 0;

	vec_foreach(listener, &model->listeners)
		vec_foreach(group, &listener->groups)
			vec_foreach(endpoint, &group->endpoints)
				if (!r && group->health_check)
					r = add_check(health, listener, group, endpoint, verdicts,
						      checks);
	return r;
}

static int schedule_all(struct health *health, const struct checks *checks)
{
	uint64_t now = now_ms();

	vec_foreach(item, &checks->list) {
		struct check *check = *item;
		uint32_t random = random_number(health);
		uint64_t due = schedule_begin(check->interval, random, now);

		if (check->begun)
			due = schedule_next(check->begun / 1000, check->interval, random, now);
		if (schedule_set(&health->schedule, &check->entry, due))
			return -ENOMEM;
	}
	return 0;
}

static bool is_same(const struct check *a, const struct check *b)
{
	return a->interval == b->interval && a->timeout == b->timeout &&
	       probe_question_equal(&a->question, &b->question);
}

/*
 * Who is asked the same as before goes on as it was, with the probe that runs and the time of the
 * next: changes that come faster than a timeout would keep everybody from having a result. Only
 * whom to trust is new, from the next probe on.
 */
static void keep_checks(struct checks *from, struct checks *to)
{
	vec_foreach(item, &to->list) {
		struct check *fresh = *item, **place, *kept;
		struct probe_question question;

		if (fresh->before == NOT_BEFORE)
			continue;
		place = &from->list.items[fresh->before];
		kept = *place;
		if (!is_same(kept, fresh))
			continue;
		question = kept->question;
		kept->question = fresh->question;
		fresh->question = question;
		kept->verdict = fresh->verdict;
		kept->threshold = fresh->threshold;
		*item = kept;
		*place = fresh;
	}
}

int health_follow(struct health *health, const struct model *model, struct trusts *trusts)
{
	struct verdicts verdicts = {};
	struct checks checks = { .trusts = *trusts };
	int r;

	*trusts = (struct trusts){};
	r = add_checks(health, model, &verdicts, &checks);
	r = r ?: schedule_all(health, &checks);
	if (r < 0) {
		checks_fini(&checks);
		verdicts_fini(&verdicts);
		return r;
	}
	keep_checks(&health->checks, &checks);
	checks_fini(&health->checks);
	verdicts_fini(&health->verdicts);
	health->checks = checks;
	health->verdicts = verdicts;
	set_timer(health);
	return 0;
}

void health_bind(struct health *health, const struct plan *plan)
{
	if (!health->verdicts.list.count)
		return;
	vec_foreach(verdict, &health->verdicts.list)
		verdict->row = VERDICT_NO_ROW;
	vec_foreach(listener, &plan->listeners) {
		vec_foreach(endpoint, &listener->endpoints) {
			struct verdict *verdict;

			if (endpoint->state == WEIR_ENDPOINT_GONE ||
			    !plan_in_block(listener, endpoint->row))
				continue;
			verdict = verdicts_find(&health->verdicts, listener->name, endpoint->group,
						endpoint->name, &endpoint->address);
			if (verdict)
				verdict->row = endpoint->row;
		}
	}
}

const struct verdicts *health_verdicts(const struct health *health)
{
	return &health->verdicts;
}
