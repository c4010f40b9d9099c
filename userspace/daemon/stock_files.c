// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/stock_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/privileges.h"
#include "util/aside.h"
#include "util/file.h"
#include "util/log.h"

struct source {
	char *path;		/* owned */
	bool tried;		/* has it been read, whatever came of it? */
	bool fresh;		/* read just now, for who is being called */
	struct file_state read; /* what was read, or could not be */
	struct file_state seen; /* at the last look */
	bool good;		/* has it been read, ever? */
	char *trouble;		/* owned, why it could not be last; NULL: it could */
	struct instances instances;
};

/* A file that is being read, by a thread that touches nothing else and writes no log. */
struct reading {
	char *path; /* owned */
	/* What has come of it. */
	struct file_state state;
	struct instances instances;
	struct err err;
	int result; /* 0, or -errno with a text */
};

struct stock_files {
	struct loop *loop; /* NULL: nobody is told of what becomes of files */
	struct stock_files_calls calls;
	VEC(struct source *) sources;
	struct aside *aside; /* reads; NULL: nobody does */
	VEC(struct reading) readings;
};

static void source_free(struct source *source)
{
	if (!source)
		return;
	instances_fini(&source->instances);
	free(source->trouble);
	free(source->path);
	free(source);
}

static void say(const struct source *source)
{
	const struct instances *instances = &source->instances;

	if (source->trouble) {
		log_error("inventory: %s: %s; what was known of its instances stays", source->path,
			  source->trouble);
		return;
	}
	log_info("inventory: %s: %zu instance%s", source->path, instances->list.count,
		 instances->list.count == 1 ? "" : "s");
	if (instances->missing)
		log_warning(
			"inventory: %s: is one page of several, %zu more are not in it; add the "
			"other pages, one behind the other",
			source->path, instances->missing);
}

static struct source *find_source(const struct stock_files *files, const char *path)
{
	vec_foreach(source, &files->sources)
		if (!strcmp((*source)->path, path))
			return *source;
	return NULL;
}

/* Entries for those of the model that have none. 0 or -ENOMEM. */
static int add_sources(struct stock_files *files, const struct model *model)
{
	vec_foreach(path, &model->inventory.files) {
		struct source *source = find_source(files, *path);

		if (source)
			continue;
		source = calloc(1, sizeof(*source));
		if (source)
			source->path = strdup(*path);
		if (!source || !source->path || vec_push(&files->sources, source)) {
			source_free(source);
			return -ENOMEM;
		}
	}
	return 0;
}

/* ---- reading ---- */

static void reading_fini(struct reading *reading)
{
	instances_fini(&reading->instances);
	free(reading->path);
	*reading = (struct reading){};
}

static void read_file(struct reading *reading)
{
	_cleanup_(freep) char *text = NULL;
	size_t size = 0;

	reading->state = file_look(reading->path);
	reading->result = file_read(reading->path, FILE_MAX, &text, &size);
	if (reading->result < 0)
		err_set(&reading->err, reading->result, "%s", file_error(reading->result));
	else
		reading->result = instances_parse(text, size, &reading->instances, &reading->err);
}

/* Whatever has become of it, the file is not read again before it changes. */
static void take_reading(const struct stock_files *files, struct source *source,
			 struct reading *reading)
{
	source->read = source->seen = reading->state;
	source->tried = true;
	free(source->trouble);
	source->trouble = NULL;
	if (reading->result < 0) {
		privileges_explain(source->path, reading->result, &reading->err);
		source->trouble = strdup(reading->err.text);
	} else {
		instances_fini(&source->instances);
		source->instances = reading->instances;
		reading->instances = (struct instances){};
		source->good = true;
	}
	if (files->loop)
		say(source);
}

static void read_source(struct stock_files *files, struct source *source)
{
	struct reading reading = { .path = source->path };

	read_file(&reading);
	take_reading(files, source, &reading);
}

static void run(void *user)
{
	struct stock_files *files = user;

	vec_foreach(reading, &files->readings)
		read_file(reading);
}

static void forget_readings(struct stock_files *files)
{
	vec_foreach(reading, &files->readings)
		reading_fini(reading);
	vec_free(&files->readings);
}

/* Until who has waited for them has been called they count as fresh. */
static void on_read(void *user)
{
	struct stock_files *files = user;

	aside_free(take_ptr(files->aside));
	vec_foreach(reading, &files->readings) {
		struct source *source = find_source(files, reading->path);

		if (!source)
			continue; /* forgotten meanwhile */
		take_reading(files, source, reading);
		source->fresh = true;
	}
	forget_readings(files);
	files->calls.read(files->calls.user);
	vec_foreach(source, &files->sources)
		(*source)->fresh = false;
}

/* To be read by read_beside(). 0 or -ENOMEM. */
static int add_reading(struct stock_files *files, const struct source *source)
{
	struct reading reading = { .path = strdup(source->path) };

	if (reading.path && !vec_push(&files->readings, reading))
		return 0;
	free(reading.path);
	return -ENOMEM;
}

/* -EINPROGRESS, or why there is no thread to be had. */
static int read_beside(struct stock_files *files)
{
	const struct aside_work work = { run, on_read, files };
	int r = aside_start(files->loop, &work, &files->aside);

	if (r < 0)
		forget_readings(files);
	return r ?: -EINPROGRESS;
}

int stock_files_open(struct stock_files *files, const struct model *model)
{
	if (add_sources(files, model) < 0)
		return -ENOMEM;
	vec_foreach(source, &files->sources)
		if (!(*source)->tried)
			read_source(files, *source);
	return 0;
}

static bool is_named(const struct model *model, const char *path)
{
	vec_foreach(file, &model->inventory.files)
		if (!strcmp(*file, path))
			return true;
	return false;
}

void stock_files_keep(struct stock_files *files, const struct model *model)
{
	size_t kept = 0;

	vec_foreach(source, &files->sources) {
		if (is_named(model, (*source)->path))
			files->sources.items[kept++] = *source;
		else
			source_free(*source);
	}
	files->sources.count = kept;
}

const struct instance *stock_files_find(const struct stock_files *files, const struct model *model,
					const struct endpoint *endpoint, bool *ret_sure)
{
	*ret_sure = true;
	vec_foreach(path, &model->inventory.files) {
		const struct source *source = find_source(files, *path);
		const struct instance *instance =
			source ? instances_find(&source->instances, endpoint->type,
						endpoint->domain)
			       : NULL;

		if (instance)
			return instance;
		*ret_sure &= source && source->good;
	}
	return NULL;
}

int stock_files_ready(struct stock_files *files, const struct model *model)
{
	bool any = false;
	int r = add_sources(files, model);

	vec_foreach(path, &model->inventory.files) {
		const struct source *source = r ? NULL : find_source(files, *path);
		struct file_state now = file_look(*path);

		if (!source || source->fresh || (source->tried && file_same(&now, &source->read)))
			continue;
		any = true;
		if (!files->aside)
			r = add_reading(files, source);
	}
	if (r < 0 && !files->aside)
		forget_readings(files);
	if (r < 0 || !any)
		return r;
	return files->aside ? -EINPROGRESS : read_beside(files);
}

/* Changed, and left alone since the last look: it is not being written. */
static bool has_settled(struct source *source)
{
	struct file_state now = file_look(source->path);
	bool settled = file_same(&now, &source->seen) && !file_same(&now, &source->read);

	source->seen = now;
	return settled;
}

void stock_files_look(struct stock_files *files, const struct model *model)
{
	int r = 0;

	if (files->aside)
		return;
	vec_foreach(source, &files->sources)
		if (is_named(model, (*source)->path) && has_settled(*source))
			r = r ?: add_reading(files, *source);
	if (files->readings.count)
		read_beside(files); /* or else after the next look */
}

void stock_files_report(const struct stock_files *files, const struct model *model,
			struct remarks *remarks)
{
	for (size_t i = 0; i < model->inventory.files.count; i++) {
		const struct remark_place place = { REMARK_INVENTORY_FILE, { i } };
		const char *path = model->inventory.files.items[i];
		const struct source *source = find_source(files, path);

		if (source && source->trouble)
			remarks_add(remarks, &place, "inventory: %s: %s", path, source->trouble);
		else if (source && source->instances.missing)
			remarks_add(
				remarks, &place,
				"inventory: %s: is one page of several, %zu more are not in it; "
				"add the other pages, one behind the other",
				path, source->instances.missing);
	}
}

int stock_files_new(struct loop *loop, const struct stock_files_calls *calls,
		    struct stock_files **ret)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	(*ret)->loop = loop;
	if (loop)
		(*ret)->calls = *calls;
	return 0;
}

void stock_files_free(struct stock_files *files)
{
	if (!files)
		return;
	aside_free(files->aside);
	forget_readings(files);
	vec_foreach(source, &files->sources)
		source_free(*source);
	vec_free(&files->sources);
	free(files);
}
