// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "health/schedule.h"

#define JITTER	 10   /* the part of an interval by which a probe may come sooner */
#define FIRST_MS 1000 /* within which the first probes are */

void schedule_fini(struct schedule *schedule)
{
	vec_free(&schedule->heap);
}

static void put(struct schedule *schedule, size_t place, struct schedule_entry *entry)
{
	schedule->heap.items[place] = entry;
	entry->place = place + 1;
}

static void sift_up(struct schedule *schedule, size_t place)
{
	struct schedule_entry *entry = schedule->heap.items[place];

	while (place > 0) {
		struct schedule_entry *parent = schedule->heap.items[(place - 1) / 2];

		if (parent->due <= entry->due)
			break;
		put(schedule, place, parent);
		place = (place - 1) / 2;
	}
	put(schedule, place, entry);
}

static void sift_down(struct schedule *schedule, size_t place)
{
	struct schedule_entry *entry = schedule->heap.items[place];

	for (;;) {
		size_t child = 2 * place + 1;

		if (child >= schedule->heap.count)
			break;
		if (child + 1 < schedule->heap.count &&
		    schedule->heap.items[child + 1]->due < schedule->heap.items[child]->due)
			child++;
		if (entry->due <= schedule->heap.items[child]->due)
			break;
		put(schedule, place, schedule->heap.items[child]);
		place = child;
	}
	put(schedule, place, entry);
}

int schedule_set(struct schedule *schedule, struct schedule_entry *entry, uint64_t due)
{
	if (!entry->place) {
		if (vec_push(&schedule->heap, entry))
			return -ENOMEM;
		entry->place = schedule->heap.count;
	}
	entry->due = due;
	sift_up(schedule, entry->place - 1);
	sift_down(schedule, entry->place - 1);
	return 0;
}

void schedule_remove(struct schedule *schedule, struct schedule_entry *entry)
{
	size_t place = entry->place - 1;
	struct schedule_entry *last;

	if (!entry->place)
		return;
	entry->place = 0;
	last = schedule->heap.items[--schedule->heap.count];
	if (last == entry)
		return;
	put(schedule, place, last);
	sift_up(schedule, place);
	sift_down(schedule, last->place - 1);
}

struct schedule_entry *schedule_first(const struct schedule *schedule)
{
	return schedule->heap.count ? schedule->heap.items[0] : NULL;
}

/* A random part of a time: 0 to `most`. */
static uint64_t part(uint64_t most, uint32_t random)
{
	return (most + 1) * random >> 32;
}

uint64_t schedule_next(uint64_t begun, uint32_t interval, uint32_t random, uint64_t now)
{
	uint64_t due = begun + interval - part(interval / JITTER, random);

	return due > now ? due : now;
}

uint64_t schedule_begin(uint32_t interval, uint32_t random, uint64_t now)
{
	return now + part(interval < FIRST_MS ? interval : FIRST_MS, random);
}
