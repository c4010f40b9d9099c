// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "util/notify.h"

#define STATUS_MS  2000 /* a change of the status is told within */
#define STATUS_MAX 512

struct service {
	struct daemon *daemon;
	struct loop_source *alive;
	struct loop_source *status;
	char said[STATUS_MAX];
};

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* "3 listeners, 12 endpoints, 2 of them abnormal". Returns `text`. */
static const char *describe(const struct daemon *daemon, char text[STATUS_MAX])
{
	size_t endpoints = 0, abnormal = 0;
	char health[64] = "";

	vec_foreach(listener, &daemon->plan->listeners) {
		vec_foreach(endpoint, &listener->endpoints) {
			if (endpoint->state == WEIR_ENDPOINT_GONE)
				continue;
			endpoints++;
			abnormal += endpoint->health.state == WEIR_HEALTH_ABNORMAL;
		}
	}
	if (abnormal)
		snprintf(health, sizeof(health), ", %zu of them abnormal", abnormal);
	snprintf(text, STATUS_MAX, "%s%s%zu listener%s, %zu endpoint%s%s",
		 daemon->file_refused ? daemon->options->config : "",
		 daemon->file_refused ? " is NOT in force, the configuration before is: " : "",
		 daemon->plan->listeners.count, plural(daemon->plan->listeners.count), endpoints,
		 plural(endpoints), health);
	return text;
}

void service_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	notify_send("RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		    now.tv_sec * UINT64_C(1000000) + now.tv_nsec / 1000);
}

void service_ready(struct daemon *daemon)
{
	if (daemon->service)
		notify_send("READY=1\nSTATUS=%s", describe(daemon, daemon->service->said));
}

void service_stopping(void)
{
	notify_send("STOPPING=1\nSTATUS=stopped; the data plane goes on");
}

static void on_alive(void *user, uint32_t expirations)
{
	(void)user;
	(void)expirations;
	notify_send("WATCHDOG=1");
}

static void on_status(void *user, uint32_t expirations)
{
	struct service *service = user;
	char text[STATUS_MAX];

	(void)expirations;
	describe(service->daemon, text);
	if (strcmp(text, service->said) && !notify_send("STATUS=%s", text))
		strcpy(service->said, text);
}

static int watch(struct service *service)
{
	struct loop *loop = service->daemon->loop;
	uint64_t interval = notify_watchdog() / 1000 / 2; /* ms */
	int r;

	r = loop_add_timer(loop, (struct loop_call){ on_status, service }, &service->status);
	r = r ?: loop_set_timer(service->status, STATUS_MS, STATUS_MS);
	if (r < 0 || !interval)
		return r;
	r = loop_add_timer(loop, (struct loop_call){ on_alive, service }, &service->alive);
	return r ?: loop_set_timer(service->alive, 0, interval);
}

int service_start(struct daemon *daemon, struct err *err)
{
	struct service *service;
	int r;

	if (!notify_wanted())
		return 0;
	service = calloc(1, sizeof(*service));
	if (!service)
		return err_set(err, -ENOMEM, "out of memory");
	service->daemon = daemon;
	daemon->service = service;
	r = watch(service);
	if (r < 0)
		return err_set(err, r, "event loop: %s", strerror(-r));
	service_ready(daemon);
	return 0;
}

void service_stop(struct service *service)
{
	if (!service)
		return;
	loop_remove(service->alive);
	loop_remove(service->status);
	free(service);
}
