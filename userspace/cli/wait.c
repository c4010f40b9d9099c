// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/client.h"
#include "dataplane/flows.h"
#include "util/str.h"

#define PAUSE_MS 500

/*
 * How many flows a drained endpoint has. With mode nat each has a record. With the others only
 * while slots change hands: until an idle timeout after the drain there may be flows that were not
 * seen yet, then all that live are recorded.
 */
struct count {
	const char *path;
	uint32_t flows;
	bool unsure;
};

struct counts {
	VEC(struct count) list;
	uint32_t flows; /* of all */
	uint32_t unsure_for;
	bool unsure;
};

static int begin(json_t *changed, struct counts *ret)
{
	json_t *one;
	size_t i;

	json_array_foreach(changed, i, one) {
		struct count count = { json_string_value(json_object_get(one, "endpoint")), 0, 0 };

		if (count.path && vec_push(&ret->list, count))
			return -ENOMEM;
	}
	return 0;
}

static struct count *find(struct counts *counts, const struct plan_listener *listener,
			  const struct plan_endpoint *endpoint)
{
	char path[3 * WEIR_NAME_MAX];

	snprintf(path, sizeof(path), "%s/%s/%s", listener->name, endpoint->group, endpoint->name);
	vec_foreach(count, &counts->list)
		if (!strcmp(count->path, path))
			return count;
	return NULL;
}

/* May a flow that no record tells of still belong to the row? */
static bool is_left_by_slots(const struct plan_listener *listener, uint32_t row)
{
	plan_foreach_table(table,
			   listener) for (uint32_t i = 0; table->slots && i < table->size;
					  i++) if (table->slots[i].phase == WEIR_MOVING &&
						   listener->block + table->slots[i].previous ==
							   row) return true;
	return false;
}

static void note_deadline(struct counts *counts, const struct plan_listener *listener, uint32_t now)
{
	counts->unsure = true;
	plan_foreach_table(table,
			   listener) if (table->deadline && (int32_t)(table->deadline - now) >
								    (int32_t)counts->unsure_for)
		counts->unsure_for = table->deadline - now;
}

static void count_all(struct counts *counts, const struct plan *plan, const struct flows *flows,
		      uint32_t now)
{
	counts->flows = counts->unsure_for = 0;
	counts->unsure = false;
	vec_foreach(count, &counts->list)
		*count = (struct count){ .path = count->path };
	vec_foreach(listener, &plan->listeners) {
		vec_foreach(endpoint, &listener->endpoints) {
			struct count *count = find(counts, listener, endpoint);

			if (!count || endpoint->state == WEIR_ENDPOINT_GONE)
				continue;
			count->flows += flows->by_row[endpoint->row];
			counts->flows += flows->by_row[endpoint->row];
			if (endpoint->mode == WEIR_MODE_NAT ||
			    !is_left_by_slots(listener, endpoint->row))
				continue;
			count->unsure = true;
			note_deadline(counts, listener, now);
		}
	}
}

static int look(const struct cli *cli, struct counts *counts, struct err *err)
{
	_cleanup_(object_closep) struct object *object = NULL;
	_cleanup_(plan_freep) struct plan *plan = NULL;
	_cleanup_(flows_fini) struct flows flows = {};
	int r = client_open(cli, &object, &plan, err);
	uint32_t now;

	if (r < 0)
		return r;
	now = object_now(object);
	r = flows_scan(object, now, false, &flows, err);
	if (!r)
		count_all(counts, plan, &flows, now);
	return r;
}

static unsigned now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

/* "web/main/ep1 12, web/main/ep2 3, ..." as far as a line of a terminal goes. */
static char *list_left(const struct counts *counts, size_t room)
{
	struct str out = {};

	vec_foreach(count, &counts->list) {
		if (!count->flows && !count->unsure)
			continue;
		if (out.size > room) {
			str_add(&out, ", ...");
			break;
		}
		str_add(&out, "%s%s %u", out.size ? ", " : "", count->path, count->flows);
	}
	return str_take(&out);
}

static void show_progress(const struct counts *counts, unsigned waited)
{
	_cleanup_(freep) char *left = NULL;

	if (!isatty(STDERR_FILENO))
		return;
	left = list_left(counts, 60);
	fprintf(stderr, "\r\033[K%u flows left, %u s: %s", counts->flows, waited, left ?: "");
	if (counts->unsure)
		fprintf(stderr, " (others may show within %u s)", counts->unsure_for);
}

static void add_left(const struct counts *counts, json_t *answer, unsigned waited)
{
	json_t *left = json_array();

	vec_foreach(count, &counts->list)
		json_array_append_new(left,
				      json_pack("{s:s, s:I, s:b}", "endpoint", count->path, "flows",
						(json_int_t)count->flows, "all", !count->unsure));
	json_object_set_new(answer, "left", left);
	json_object_set_new(answer, "seconds", json_integer(waited));
}

static int timed_out(const struct counts *counts, unsigned timeout, struct err *err)
{
	_cleanup_(freep) char *left = list_left(counts, 400);

	if (!counts->flows)
		return err_set(err, -ETIMEDOUT,
			       "after %u s no flow is known to be left, but one that is idle may "
			       "show within %u s more: %s",
			       timeout, counts->unsure_for, left ?: "");
	return err_set(err, -ETIMEDOUT, "after %u s %u flow%s left: %s", timeout, counts->flows,
		       counts->flows == 1 ? " is" : "s are", left ?: "");
}

static int wait_for_all(const struct cli *cli, struct counts *counts, unsigned timeout,
			json_t *answer, struct err *err)
{
	unsigned begun = now_s();

	for (;;) {
		int r = look(cli, counts, err);
		unsigned waited = now_s() - begun;

		if (r < 0)
			return r;
		show_progress(counts, waited);
		if ((counts->flows || counts->unsure) && (!timeout || waited < timeout)) {
			nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * 1000000l }, NULL);
			continue;
		}
		if (isatty(STDERR_FILENO))
			fputs("\r\033[K", stderr);
		add_left(counts, answer, waited);
		return counts->flows || counts->unsure ? timed_out(counts, timeout, err) : 0;
	}
}

int wait_until_empty(const struct cli *cli, json_t *changed, unsigned timeout, json_t *answer,
		     struct err *err)
{
	struct counts counts = {};
	int r = begin(changed, &counts);

	if (r < 0)
		return err_set(err, r, "out of memory");
	r = wait_for_all(cli, &counts, timeout, answer, err);
	vec_free(&counts.list);
	return r;
}
