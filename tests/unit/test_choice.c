// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: no endpoint has more requests at a time than it may, however many workers ask; one that
 * fails several in a row is left alone by all of them for a while, unless nobody else is left; one
 * that comes has a tenth of its share first, then more and more, and at the end all of it.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "plan/support.h"
#include "proxy/choice.h"
#include "proxy/engine.h"
#include "proxy/tally.h"
#include "proxy/upstream.h"

#define WEB(keys, endpoints)                                                                       \
	"version: 1\n"                                                                             \
	"listeners:\n"                                                                             \
	"  - name: web\n"                                                                          \
	"    protocol: http\n"                                                                     \
	"    address: 192.0.2.1\n"                                                                 \
	"    port: 80\n" keys "    endpoint_groups:\n"                                             \
	"      - { name: main, " endpoints " }\n"
#define TWO(more) WEB("", more "endpoints: [10.0.0.1, 10.0.0.2]")

static struct support_world world;
static struct tally *tally;
static char path[64];

/* What one process has. */
struct worker {
	struct engine engine;
	struct setup *setup;
	struct service *service;
	struct pool *pool;
};

static void name_rows(const struct model *model)
{
	const struct listener *listener = &model->listeners.items[0];

	vec_foreach(group, &listener->groups)
		vec_foreach(endpoint, &group->endpoints) {
			const struct tally_name name = { listener->name, group->name,
							 endpoint->name, &endpoint->address, 80 };

			cr_assert_geq(tally_name_endpoint(tally, &name), 0);
		}
}

static void follow(struct worker *worker, const char *text)
{
	_cleanup_(model_freep) struct model *model = support_parse(text);
	struct setup *setup;
	struct err err = {};

	if (!world.plan)
		world = support_begin();
	support_build(&world, text);
	name_rows(model);
	cr_assert_eq(setup_new(snapshot_new(text, model, world.plan), worker->setup,
			       &worker->engine.upstreams, &setup, &err),
		     0, "%s", err.text);
	choice_prepare(&worker->engine, setup, worker->setup);
	setup_unref(worker->setup);
	worker->setup = setup;
	worker->service = &setup->services[0];
	worker->pool = &worker->service->pools[0];
}

static void begin(struct worker *worker, const char *text)
{
	struct err err = {};
	uint32_t block;
	int fd;

	snprintf(path, sizeof(path), "/tmp/weir-choice-%d", getpid());
	if (!tally)
		cr_assert_eq(tally_make(path, &tally, &err), 0, "%s", err.text);
	fd = tally_lend(tally, &block);
	cr_assert_geq(fd, 0);
	*worker = (struct worker){ .engine.now = 1000000 };
	cr_assert_eq(tally_attach(fd, block, &worker->engine.tally), 0);
	follow(worker, text);
}

static void end(struct worker *worker)
{
	setup_unref(worker->setup);
	cr_expect_null(worker->engine.upstreams);
	tally_free(worker->engine.tally);
}

static void end_all(void)
{
	tally_free(tally);
	tally = NULL;
	unlink(path);
	support_end(&world);
	world = (struct support_world){};
}

static bool full;

static const struct target *choose_for(struct worker *worker, uint32_t client,
				       const struct target * not )
{
	struct addr address = support_addr("198.51.100.1");

	memcpy(address.bytes + 13, &client, 3);
	return choice_make(&worker->engine, worker->setup, worker->service, worker->pool, &address,
			   not, &full);
}

static const struct target *choose(struct worker *worker)
{
	return choose_for(worker, 0, NULL);
}

/* Of so many requests, one after the other, how many each endpoint gets. */
static void count(struct worker *worker, unsigned requests, unsigned counts[4])
{
	memset(counts, 0, 4 * sizeof(*counts));
	for (unsigned i = 0; i < requests; i++) {
		const struct target *target = choose(worker);

		cr_assert(target);
		counts[target - worker->pool->targets]++;
		choice_end(&worker->engine, target);
	}
}

static void fail_times(struct worker *worker, unsigned times, int place)
{
	for (unsigned i = 0; i < times; i++)
		choice_failed(&worker->engine, worker->service, &worker->pool->targets[place]);
}

Test(choice, limits)
{
	static const char text[] = WEB("", "endpoints: [{ address: 10.0.0.1, max_connections: 3 }, "
					   "{ address: 10.0.0.2, weight: 1, max_connections: 2 }]");
	const struct target *taken[5], *one;
	struct worker workers[2];
	unsigned counts[4] = {};

	for (int i = 0; i < 2; i++)
		begin(&workers[i], text);
	for (int i = 0; i < 5; i++) {
		taken[i] = choose(&workers[i % 2]);
		cr_assert(taken[i]);
		counts[taken[i] - workers[i % 2].pool->targets]++;
	}
	cr_expect(counts[0] == 3 && counts[1] == 2, "%u, %u", counts[0], counts[1]);
	for (int i = 0; i < 2; i++) {
		cr_expect_null(choose(&workers[i]));
		cr_expect(full);
	}
	choice_end(&workers[0].engine, taken[0]);
	one = choose(&workers[1]);
	cr_expect_str_eq(one->endpoint->name, taken[0]->endpoint->name);
	cr_expect_null(choose(&workers[0]));

	/* Whom a worker has is the same under the next configuration. */
	follow(&workers[0], text);
	cr_expect_null(choose(&workers[0]));
	end(&workers[1]);
	begin(&workers[1], text);
	cr_expect(choose(&workers[0]), "the dead one's are free");
	for (int i = 0; i < 2; i++)
		end(&workers[i]);
	end_all();
}

Test(choice, put_aside)
{
	static const char text[] =
		TWO("passive_health: { failures: 3, duration: 4s, server_errors: true }, ");
	struct worker workers[2];
	unsigned counts[4];

	for (int i = 0; i < 2; i++)
		begin(&workers[i], text);
	fail_times(&workers[0], 2, 0);
	choice_served(&workers[1].pool->targets[0]);
	fail_times(&workers[0], 2, 0);
	count(&workers[0], 1000, counts);
	cr_expect_gt(counts[0], 400, "three in a row it were not");
	fail_times(&workers[1], 1, 0);
	for (int i = 0; i < 2; i++) {
		workers[i].engine.now += 3999;
		count(&workers[i], 1000, counts);
		cr_expect_eq(counts[0], 0, "all workers know");
	}

	/* Both are: better one of them than none; and somebody else for a request that has failed.
	 */
	fail_times(&workers[0], 3, 1);
	count(&workers[0], 1000, counts);
	cr_expect(counts[0] > 400 && counts[1] > 400);
	cr_expect_eq(choose_for(&workers[0], 0, &workers[0].pool->targets[1]),
		     &workers[0].pool->targets[0]);

	/* The first comes back after its time; one failure more is enough then. */
	workers[0].engine.now += 1;
	count(&workers[0], 1000, counts);
	cr_expect(counts[0] == 1000);
	workers[0].engine.now += 4000;
	count(&workers[0], 1000, counts);
	cr_expect(counts[0] > 400 && counts[1] > 400);
	fail_times(&workers[0], 1, 1);
	count(&workers[0], 1000, counts);
	cr_expect_eq(counts[1], 0);
	cr_expect_eq(workers[0].pool->targets[1].shared->times, 2);

	/* Other weights do not forgive. */
	follow(&workers[0], WEB("", "passive_health: { failures: 3, duration: 4s }, endpoints: "
				    "[10.0.0.1, 10.0.0.2 weight 10]"));
	count(&workers[0], 1000, counts);
	cr_expect_eq(counts[1], 0);
	follow(&workers[0], TWO(""));
	count(&workers[0], 1000, counts);
	cr_expect_gt(counts[1], 400, "nobody asks any more");
	for (int i = 0; i < 2; i++)
		end(&workers[i]);
	end_all();
}

#define STARTING(endpoints) WEB("", "slow_start: 10s, endpoints: [" endpoints "]")

static void expect_about(unsigned got, unsigned wanted)
{
	cr_expect(got + 200 > wanted && got < wanted + 200, "%u, not about %u", got, wanted);
}

Test(choice, slow_start)
{
	struct worker worker;
	unsigned counts[4];

	begin(&worker, STARTING("10.0.0.1, 10.0.0.2, 10.0.0.3 weight 0"));
	count(&worker, 9000, counts);
	expect_about(counts[0], 4500); /* all are new: nobody is slow */
	follow(&worker, STARTING("10.0.0.1, 10.0.0.2, 10.0.0.3"));
	for (int second = 0; second <= 10; second++) {
		unsigned share = 3000 * (10 + 9 * second) / 100;

		count(&worker, 9000, counts);
		expect_about(counts[2], share);
		expect_about(counts[0], (9000 - share) / 2);
		worker.engine.now += 1000;
	}

	/* A change of others does not begin it anew, and the last of a round of new ones is none.
	 */
	follow(&worker, STARTING("10.0.0.1 weight 50, 10.0.0.2 weight 50, 10.0.0.3"));
	count(&worker, 8000, counts);
	expect_about(counts[2], 4000);
	follow(&worker, STARTING("10.0.0.4, 10.0.0.5 weight 200"));
	count(&worker, 9000, counts);
	expect_about(counts[0], 3000);
	worker.engine.now += 5000;
	count(&worker, 9000, counts);
	expect_about(counts[0], 3000);
	end(&worker);
	end_all();
}

Test(choice, slow_return)
{
	struct worker worker;
	unsigned counts[4];

	begin(&worker, TWO("slow_start: 10s, passive_health: { failures: 1, duration: 5s }, "));
	fail_times(&worker, 1, 0);
	worker.engine.now += 4999;
	count(&worker, 1000, counts);
	cr_expect_eq(counts[0], 0);
	worker.engine.now += 1;
	count(&worker, 9000, counts);
	expect_about(counts[0], 450);
	worker.engine.now += 5000;
	count(&worker, 9000, counts);
	expect_about(counts[0], 2475);
	worker.engine.now += 5000;
	count(&worker, 9000, counts);
	expect_about(counts[0], 4500);
	end(&worker);
	end_all();
}

Test(choice, affinity)
{
	const struct target *before[512];
	struct worker worker;
	unsigned moved = 0;

	begin(&worker, WEB("    client_affinity: source_ip\n",
			   "slow_start: 10s, passive_health: { failures: 1, duration: 5s }, "
			   "endpoints: [10.0.0.1, 10.0.0.2, 10.0.0.3]"));
	for (uint32_t i = 0; i < 512; i++)
		before[i] = choose_for(&worker, i, NULL);
	fail_times(&worker, 1, 1);
	for (uint32_t i = 0; i < 512; i++) {
		const struct target *target = choose_for(&worker, i, NULL);

		cr_expect_neq(target, &worker.pool->targets[1]);
		cr_expect(before[i] == target || before[i] == &worker.pool->targets[1],
			  "only whose endpoint it was go elsewhere");
	}
	/* Back again, slowly: who has come back stays. */
	for (int second = 0; second <= 10; second++) {
		static bool is_back[512];

		worker.engine.now += second ? 1000 : 5000;
		for (uint32_t i = 0; i < 512; i++) {
			bool back = choose_for(&worker, i, NULL) == before[i];

			moved += back && !is_back[i];
			cr_expect(back || !is_back[i]);
			is_back[i] = back;
		}
	}
	cr_expect_eq(moved, 512);
	end(&worker);
	end_all();
}

Test(choice, without_a_tally)
{
	struct worker worker = { .engine.now = 1000 };
	struct model *model;
	struct err err = {};
	unsigned counts[4];

	world = support_begin();
	support_build(&world, TWO("passive_health: {}, "));
	model = support_parse(TWO("passive_health: {}, "));
	cr_assert_eq(setup_new(snapshot_new(TWO("passive_health: {}, "), model, world.plan), NULL,
			       &worker.engine.upstreams, &worker.setup, &err),
		     0);
	choice_prepare(&worker.engine, worker.setup, NULL);
	worker.service = &worker.setup->services[0];
	worker.pool = &worker.service->pools[0];
	fail_times(&worker, 100, 0);
	count(&worker, 1000, counts);
	cr_expect(counts[0] > 400 && counts[1] > 400, "it serves all the same");
	model_free(model);
	setup_unref(worker.setup);
	support_end(&world);
}
