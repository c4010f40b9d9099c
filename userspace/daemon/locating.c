// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/locating.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/clients.h"
#include "config/regions.h"
#include "daemon/change.h"
#include "net/countries.h"
#include "util/file.h"
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
	struct source file;
	struct source maxmind;
	struct model *asked; /* the regions by which the database was read; NULL: of nobody */
	struct locations *locations; /* of both; NULL: not known */
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

/* ---- reading ---- */

static void say_findings(const struct source *source, const struct findings *findings)
{
	size_t said = 0;

	vec_foreach(finding, &findings->list)
		if (said++ < ERRORS_SAID)
			log_error("client_regions: %s:%u:%u: %s", source->path, finding->line,
				  finding->column, finding->message);
}

static int read_file(struct source *source, struct clients *ret, struct err *err)
{
	_cleanup_(findings_fini) struct findings findings = {};
	_cleanup_(freep) char *text = NULL;
	size_t size = 0;
	int r = file_read(source->path, FILE_MAX, &text, &size);

	if (r == -EFBIG)
		return err_set(err, r, "is larger than %u MiB", FILE_MAX >> 20);
	if (r < 0)
		return err_set(err, r, "%s", file_error(r));
	r = clients_parse(text, size, ret, &findings);
	if (r != -EINVAL)
		return r < 0 ? err_set(err, r, "out of memory") : 0;
	say_findings(source, &findings);
	return err_set(err, r, "%zu error%s, the first in line %u: %s", findings.errors,
		       findings.errors == 1 ? "" : "s", findings.list.items[0].line,
		       findings.list.items[0].message);
}

/* Prefixes of a database, of the regions that a model gives its countries. */
struct countries {
	const struct model *model;
	struct clients *clients;
};

static int add_country(const struct addr_prefix *prefix, const struct country *country, void *user)
{
	struct countries *countries = user;
	const struct region *region =
		regions_of_country(countries->model, country->country, country->continent);

	return region ? clients_add(countries->clients, prefix, region->name, 0) : 0;
}

static int read_maxmind(struct source *source, const struct model *model, struct clients *ret,
			struct err *err)
{
	struct countries countries = { .model = model, .clients = ret };

	return countries_each(source->path, add_country, &countries, err);
}

/* Whatever becomes of it, it is not read again before it changes. `model`: of a database, whose
 * regions its countries are in; NULL: it is the file. */
static void read_source(struct source *source, const struct model *model)
{
	struct clients clients = {};
	struct err err = {};
	int r;

	source->read = source->seen = file_look(source->path);
	r = model ? read_maxmind(source, model, &clients, &err) : read_file(source, &clients, &err);
	free(source->trouble);
	source->trouble = NULL;
	if (r < 0) {
		clients_fini(&clients);
		source->trouble = strdup(err.text);
		log_error("client_regions: %s: %s; %s", source->path, err.text,
			  source->good ? "what was last read of it stays"
				       : "where its clients are is not known");
		return;
	}
	clients_fini(&source->clients);
	source->clients = clients;
	source->good = true;
	log_info("client_regions: %s: %zu prefix%s, %zu region%s", source->path,
		 clients.prefixes.count, clients.prefixes.count == 1 ? "" : "es",
		 clients.regions.count, clients.regions.count == 1 ? "" : "s");
}

/* Another path is another file, of which nothing is known. Returns whether it is to be read. */
static bool open_source(struct source *source, const char *path)
{
	struct file_state now;

	if (!str_equal(source->path, path)) {
		source_fini(source);
		if (str_copy(path, &source->path) < 0 || !source->path)
			return false;
		return true;
	}
	if (!path)
		return false;
	now = file_look(path);
	return !file_same(&now, &source->read);
}

/* The same countries in the same regions? */
static int ask_for(struct locating *locating, const struct model *model, bool *ret_same)
{
	struct model *asked;

	*ret_same = locating->asked && regions_equal(locating->asked, model);
	if (*ret_same)
		return 0;
	asked = calloc(1, sizeof(*asked));
	if (!asked)
		return -ENOMEM;
	forget_asked(locating);
	locating->asked = asked;
	return regions_copy(model, asked);
}

static int combine(struct locating *locating)
{
	const struct clients *layers[] = { &locating->file.clients, &locating->maxmind.clients };

	locations_free(take_ptr(locating->locations));
	return locations_build(layers, 2, &locating->locations);
}

/* 0 or -ENOMEM. */
static int refresh(struct locating *locating, const struct model *model)
{
	bool same, file = open_source(&locating->file, model->clients_file);
	bool maxmind = open_source(&locating->maxmind, model->clients_maxmind);
	int r = ask_for(locating, model, &same);

	if (r < 0)
		return r;
	if (file)
		read_source(&locating->file, NULL);
	if (locating->maxmind.path && (maxmind || !same))
		read_source(&locating->maxmind, model);
	return file || maxmind || !same || !locating->locations ? combine(locating) : 0;
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
	int r;

	*ret = NULL;
	if (!model->clients_file && !model->clients_maxmind)
		return 0;
	if (refresh(locating, model) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	r = check_source(&locating->file, demand, &known, err);
	r = r ?: check_source(&locating->maxmind, demand, &known, err);
	if (!r && known)
		*ret = locating->locations;
	return r;
}

/* ---- reports ---- */

void locating_report_names(const char *path, const struct clients *clients,
			   const struct model *model, struct str *out)
{
	size_t unknown = 0;

	vec_foreach(region, &clients->regions) {
		if (regions_known(model, region->name) || unknown++ >= NAMES_SAID)
			continue;
		str_add(out,
			"warning: client_regions: %s: region '%s' is neither under 'regions:' nor "
			"a group's; its clients count as near to this balancer\n",
			path, region->name);
	}
	if (unknown > NAMES_SAID)
		str_add(out, "warning: client_regions: %s: %zu more regions are not known\n", path,
			unknown - NAMES_SAID);
}

void locating_report(const struct locating *locating, const struct model *model, struct str *out)
{
	const struct source *sources[] = { &locating->file, &locating->maxmind };

	if (!model->clients_file && !model->clients_maxmind)
		return;
	for (int i = 0; i < 2; i++)
		if (sources[i]->trouble)
			str_add(out, "warning: client_regions: %s: %s; what was known stays\n",
				sources[i]->path, sources[i]->trouble);
	locating_report_names(locating->file.path, &locating->file.clients, model, out);
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
static bool is_of(const struct source *source, const char *path)
{
	return str_equal(source->path, path);
}

static void on_time(void *user, uint32_t expirations)
{
	struct locating *locating = user;
	struct daemon *daemon = locating->daemon;
	const struct model *model = daemon->model;
	struct err err = {};
	bool changed;

	(void)expirations;
	if (!model || (!model->clients_file && !model->clients_maxmind))
		return;
	changed = !is_of(&locating->file, model->clients_file) ||
		  !is_of(&locating->maxmind, model->clients_maxmind);
	changed |= has_settled(&locating->file);
	changed |= has_settled(&locating->maxmind);
	if (changed && change_world(daemon, &err) < 0)
		log_error("client_regions: what was read is not in force: %s", err.text);
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
	loop_remove(locating->timer);
	source_fini(&locating->file);
	source_fini(&locating->maxmind);
	forget_asked(locating);
	locations_free(locating->locations);
	free(locating);
}
