// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/locating.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/regions.h"
#include "daemon/change.h"
#include "daemon/privileges.h"
#include "daemon/reading.h"
#include "util/aside.h"
#include "util/log.h"

#define LOOK_MS	    1000
#define ERRORS_SAID 10 /* of a file, by line */
#define NAMES_SAID  5  /* regions that the configuration does not know */

/* A file that says where clients are. */
struct source {
	char *path;		/* owned; NULL: the configuration names none */
	struct file_state read; /* what was read, or could not be */
	struct file_state seen; /* at the last look */
	bool good;		/* has it been read, ever? */
	char *trouble;		/* owned, why it could not be last; NULL: it could */
	struct clients clients;
};

struct locating {
	struct daemon *daemon;
	struct loop_source *timer;
	struct source sources[READING_KINDS];
	struct model *asked;	     /* the regions by which they were read; NULL: of nobody */
	struct locations *locations; /* of both; NULL: not known */
	struct aside *aside;	     /* reads; NULL: nobody does */
	struct reading reading;	     /* what is being read */
	bool fresh;		     /* nothing has been done since with what was read last */
};

static void source_fini(struct source *source)
{
	clients_fini(&source->clients);
	free(source->trouble);
	free(source->path);
	*source = (struct source){};
}

static void forget_asked(struct locating *locating)
{
	if (locating->asked)
		regions_fini(locating->asked);
	free(locating->asked);
	locating->asked = NULL;
}

static const char *path_of(const struct model *model, enum reading_kind kind)
{
	return kind == READING_FILE ? model->clients_file : model->clients_maxmind;
}

static bool names_any(const struct model *model)
{
	return model->clients_file || model->clients_maxmind;
}

/* ---- reading ---- */

static void say_findings(const struct reading_source *source)
{
	size_t said = 0;

	vec_foreach(finding, &source->findings.list)
		if (said++ < ERRORS_SAID)
			log_error("client_regions: %s:%u:%u: %s", source->path, finding->line,
				  finding->column, finding->message);
}

/* Whatever has become of it, it is not read again before it changes. */
static void take_source(struct source *source, struct reading_source *read)
{
	if (!str_equal(source->path, read->path)) {
		source_fini(source);
		source->path = take_ptr(read->path);
	}
	if (!read->wanted)
		return;
	source->read = source->seen = read->state;
	free(source->trouble);
	source->trouble = NULL;
	if (read->result < 0) {
		privileges_explain(source->path, read->result, &read->err);
		source->trouble = strdup(read->err.text);
		read->path = read->path ?: strdup(source->path);
		say_findings(read);
		log_error("client_regions: %s: %s; %s", source->path, read->err.text,
			  source->good ? "what was last read of it stays"
				       : "where its clients are is not known");
		return;
	}
	clients_fini(&source->clients);
	source->clients = read->clients;
	read->clients = (struct clients){};
	source->good = true;
	log_info("client_regions: %s: %zu prefix%s, %zu region%s", source->path,
		 source->clients.prefixes.count, source->clients.prefixes.count == 1 ? "" : "es",
		 source->clients.regions.count, source->clients.regions.count == 1 ? "" : "s");
}

static void take_reading(struct locating *locating)
{
	struct reading *reading = &locating->reading;

	for (int kind = 0; kind < READING_KINDS; kind++)
		take_source(&locating->sources[kind], &reading->sources[kind]);
	forget_asked(locating);
	locating->asked = take_ptr(reading->regions);
	locations_free(locating->locations);
	locating->locations = take_ptr(reading->locations);
	reading_fini(reading);
}

/* Is what is known that of this model, whatever has become of the files since? */
static bool is_of(const struct locating *locating, const struct model *model)
{
	for (int kind = 0; kind < READING_KINDS; kind++)
		if (!str_equal(locating->sources[kind].path, path_of(model, kind)))
			return false;
	return locating->locations && locating->asked && regions_equal(locating->asked, model);
}

/* What of it is to be read for a model. 0 or -ENOMEM. */
static int prepare(struct locating *locating, const struct model *model, bool *ret_any)
{
	bool same = locating->asked && regions_equal(locating->asked, model);
	struct reading *reading = &locating->reading;
	int r = reading_init(reading, model);

	*ret_any = !is_of(locating, model);
	for (int kind = 0; !r && kind < READING_KINDS; kind++) {
		struct reading_source *read = &reading->sources[kind];
		struct source *source = &locating->sources[kind];
		struct file_state now;

		if (!read->path)
			continue;
		now = file_look(read->path);
		read->wanted = !str_equal(source->path, read->path) ||
			       !file_same(&now, &source->read) ||
			       (kind == READING_MAXMIND && !same);
		if (str_equal(source->path, read->path))
			read->before = &source->clients;
		*ret_any |= read->wanted;
	}
	if (r < 0 || !*ret_any)
		reading_fini(reading);
	return r;
}

static void take_up(struct locating *locating)
{
	struct err err = {};

	if (is_of(locating, locating->daemon->model) && change_world(locating->daemon, &err) < 0)
		log_error("client_regions: what was read is not in force: %s", err.text);
}

/* What has waited goes on; if that has not put it in force, it is so for the model that is. */
static void on_read(void *user)
{
	struct locating *locating = user;
	struct daemon *daemon = locating->daemon;
	uint64_t generation = daemon->generation;

	aside_free(take_ptr(locating->aside));
	take_reading(locating);
	locating->fresh = true;
	daemon_go_on(daemon);
	locating->fresh = false;
	if (daemon->generation == generation)
		take_up(locating);
}

static void run(void *user)
{
	struct locating *locating = user;

	reading_run(&locating->reading);
}

/* -EINPROGRESS, or 0: it has been read. `beside`: in a thread. */
static int read_for(struct locating *locating, const struct model *model, bool beside)
{
	const struct aside_work work = { run, on_read, locating };
	bool any;
	int r = prepare(locating, model, &any);

	if (r < 0 || !any)
		return r;
	if (beside && !aside_start(locating->daemon->loop, &work, &locating->aside))
		return -EINPROGRESS;
	run(locating);
	take_reading(locating);
	return 0;
}

int locating_ready(struct locating *locating, const struct model *model, struct err *err)
{
	int r;

	if (!names_any(model) || (locating->fresh && is_of(locating, model)))
		return 0;
	r = locating->aside ? -EINPROGRESS : read_for(locating, model, true);
	return r == -ENOMEM ? err_set(err, r, "out of memory") : r;
}

static int check_source(const struct source *source, enum locating_demand demand, bool *known,
			struct err *err)
{
	if (!source->path || source->good)
		return 0;
	*known = false;
	if (demand == LOCATING_ANY)
		return 0;
	return err_set(err, -EBADMSG, "client_regions: %s: %s", source->path,
		       source->trouble ?: "cannot be read");
}

int locating_find(struct locating *locating, const struct model *model, enum locating_demand demand,
		  const struct locations **ret, struct err *err)
{
	bool known = true;
	int r = 0;

	*ret = NULL;
	if (!names_any(model))
		return 0;
	/* Nobody waits for a daemon that starts. */
	if (!locating->daemon->model && read_for(locating, model, false) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	if (!is_of(locating, model))
		return demand == LOCATING_ANY
			       ? 0
			       : err_set(err, -EAGAIN, "client_regions: is being read; try again");
	for (int kind = 0; !r && kind < READING_KINDS; kind++)
		r = check_source(&locating->sources[kind], demand, &known, err);
	if (!r && known)
		*ret = locating->locations;
	return r;
}

/* ---- reports ---- */

void locating_report_names(const char *path, const struct clients *clients,
			   const struct model *model, struct remarks *remarks)
{
	static const struct remark_place place = { .kind = REMARK_CLIENTS_FILE };
	size_t unknown = 0;

	vec_foreach(region, &clients->regions) {
		if (regions_known(model, region->name) || unknown++ >= NAMES_SAID)
			continue;
		remarks_add(remarks, &place,
			    "client_regions: %s: region '%s' is neither under 'regions:' nor a "
			    "group's; its clients count as near to this balancer",
			    path, region->name);
	}
	if (unknown > NAMES_SAID)
		remarks_add(remarks, &place, "client_regions: %s: %zu more regions are not known",
			    path, unknown - NAMES_SAID);
}

void locating_report(const struct locating *locating, const struct model *model,
		     struct remarks *remarks)
{
	static const struct remark_place places[READING_KINDS] = {
		[READING_FILE] = { .kind = REMARK_CLIENTS_FILE },
		[READING_MAXMIND] = { .kind = REMARK_CLIENTS_MAXMIND },
	};
	const struct source *file = &locating->sources[READING_FILE];

	if (!names_any(model) || !is_of(locating, model))
		return;
	for (int kind = 0; kind < READING_KINDS; kind++)
		if (locating->sources[kind].trouble)
			remarks_add(remarks, &places[kind],
				    "client_regions: %s: %s; what was known stays",
				    locating->sources[kind].path, locating->sources[kind].trouble);
	locating_report_names(file->path, &file->clients, model, remarks);
}

/* ---- following ---- */

/* Changed, and left alone since the last look: it is not being written. */
static bool has_settled(struct source *source)
{
	struct file_state now;
	bool settled;

	if (!source->path)
		return false;
	now = file_look(source->path);
	settled = file_same(&now, &source->seen) && !file_same(&now, &source->read);
	source->seen = now;
	return settled;
}

/* Of the configuration in force alone: what was only tried is not followed. */
static void on_time(void *user, uint32_t expirations)
{
	struct locating *locating = user;
	const struct model *model = locating->daemon->model;
	bool changed;

	(void)expirations;
	if (!model || !names_any(model) || locating->aside)
		return;
	changed = !is_of(locating, model);
	for (int kind = 0; kind < READING_KINDS; kind++)
		changed |= has_settled(&locating->sources[kind]);
	if (changed && !read_for(locating, model, true))
		take_up(locating);
}

int locating_start(struct daemon *daemon, struct err *err)
{
	struct locating *locating = calloc(1, sizeof(*locating));
	int r;

	if (!locating)
		return err_set(err, -ENOMEM, "out of memory");
	locating->daemon = daemon;
	r = loop_add_timer(daemon->loop, (struct loop_call){ on_time, locating }, &locating->timer);
	r = r ?: loop_set_timer(locating->timer, LOOK_MS, LOOK_MS);
	if (r < 0) {
		locating_stop(locating);
		return err_set(err, r, "event loop: %s", strerror(-r));
	}
	daemon->locating = locating;
	return 0;
}

void locating_stop(struct locating *locating)
{
	if (!locating)
		return;
	aside_free(locating->aside);
	reading_fini(&locating->reading);
	loop_remove(locating->timer);
	for (int kind = 0; kind < READING_KINDS; kind++)
		source_fini(&locating->sources[kind]);
	forget_asked(locating);
	locations_free(locating->locations);
	free(locating);
}
