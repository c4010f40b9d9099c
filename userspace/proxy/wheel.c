// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/wheel.h"

#include <stddef.h>

void wheel_init(struct wheel *wheel, uint64_t now)
{
	*wheel = (struct wheel){ .tick = now / WHEEL_TICK };
}

static void take_out(struct wheel *wheel, struct wheel_timer *timer)
{
	if (!timer->link)
		return;
	*timer->link = timer->next;
	if (timer->next)
		timer->next->link = timer->link;
	timer->link = NULL;
	wheel->count--;
}

/* One tick late, so that what is looked at is over; not beyond the wheel's horizon. */
static void put_in(struct wheel *wheel, struct wheel_timer *timer)
{
	uint64_t tick = timer->deadline / WHEEL_TICK + 1;
	struct wheel_timer **slot;

	if (tick <= wheel->tick)
		tick = wheel->tick + 1;
	if (tick - wheel->tick >= WHEEL_SLOTS)
		tick = wheel->tick + WHEEL_SLOTS - 1;
	slot = &wheel->slots[tick % WHEEL_SLOTS];
	timer->tick = tick;
	timer->next = *slot;
	timer->link = slot;
	if (*slot)
		(*slot)->link = &timer->next;
	*slot = timer;
	wheel->count++;
}

void wheel_set(struct wheel *wheel, struct wheel_timer *timer, uint64_t deadline)
{
	timer->deadline = deadline;
	if (!deadline) {
		take_out(wheel, timer);
		return;
	}
	if (timer->link && deadline / WHEEL_TICK + 1 >= timer->tick)
		return;
	take_out(wheel, timer);
	put_in(wheel, timer);
}

void wheel_remove(struct wheel *wheel, struct wheel_timer *timer)
{
	take_out(wheel, timer);
}

struct wheel_timer *wheel_expire(struct wheel *wheel, uint64_t now)
{
	for (; wheel->tick < now / WHEEL_TICK; wheel->tick++) {
		struct wheel_timer **slot = &wheel->slots[(wheel->tick + 1) % WHEEL_SLOTS];

		if (!wheel->count) {
			wheel->tick = now / WHEEL_TICK;
			break;
		}
		while (*slot) {
			struct wheel_timer *timer = *slot;

			take_out(wheel, timer);
			if (timer->deadline <= now)
				return timer;
			wheel->tick++; /* its own slot has come round: the next is to be found */
			put_in(wheel, timer);
			wheel->tick--;
		}
	}
	return NULL;
}

int wheel_wait(const struct wheel *wheel, uint64_t now)
{
	if (!wheel->count)
		return -1;
	return (int)(WHEEL_TICK - now % WHEEL_TICK);
}
