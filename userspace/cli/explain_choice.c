// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/explain_choice.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "http/forward.h"
#include "proxy/choice.h"
#include "proxy/engine.h"

/* Without a loop, connections and clients: what choosing needs of it, by the clock of the others.
 */
static struct engine *bare_engine(struct tally *tally)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	struct timespec now;

	if (!engine)
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, &now);
	engine->now = now.tv_sec * 1000ull + now.tv_nsec / 1000000;
	engine->tally = tally;
	return engine;
}

/* Workers' counts are theirs: nobody is asked for a place among the connections. */
static void forget_limits(struct pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		pool->targets[i].most = 0;
}

static int make(const struct explain_choice *choice, struct engine *engine,
		const struct setup *setup, uint32_t *ret_row)
{
	const struct forward_client *client = choice->client;
	const struct service *service = setup_find(setup, &client->local, client->local_port);
	const struct target *target;
	struct pool *pool;
	bool full;

	if (!service)
		return 0;
	pool = setup_pool(service, choice->verdict, choice->region);
	forget_limits(pool);
	target = choice_make(engine, setup, service, pool, &client->addr, NULL, &full);
	if (!target)
		return 0;
	*ret_row = target->endpoint->row;
	return 1;
}

int explain_choice_make(const struct explain_choice *choice, uint32_t *ret_row, struct err *err)
{
	struct snapshot *snapshot = snapshot_new(choice->text, choice->model, choice->plan);
	_cleanup_(tally_freep) struct tally *tally = NULL;
	_cleanup_(setup_unrefp) struct setup *setup = NULL;
	_cleanup_(freep) struct engine *engine = NULL;
	struct upstreams *upstreams = NULL; /* they go with the setup */
	char path[TALLY_PATH_MAX];
	int r;

	if (!snapshot)
		return err_set(err, -ENOMEM, "out of memory");
	r = setup_new(snapshot, NULL, &upstreams, &setup, err);
	if (r < 0)
		return r;
	/* Who is put aside; where nobody has counted yet nobody is. */
	if (tally_open(tally_path(choice->instance, path), &tally, NULL) < 0) {
		tally_free(tally);
		tally = NULL;
	}
	engine = bare_engine(tally);
	if (!engine)
		return err_set(err, -ENOMEM, "out of memory");
	choice_prepare(engine, setup, NULL);
	return make(choice, engine, setup, ret_row);
}
