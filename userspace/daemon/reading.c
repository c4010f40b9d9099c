// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/reading.h"

#include <errno.h>
#include <stdlib.h>

#include "config/regions.h"
#include "net/countries.h"
#include "util/str.h"

int reading_init(struct reading *reading, const struct model *model)
{
	*reading = (struct reading){ .regions = calloc(1, sizeof(*reading->regions)) };
	if (!reading->regions || regions_copy(model, reading->regions) ||
	    str_copy(model->clients_file, &reading->sources[READING_FILE].path) ||
	    str_copy(model->clients_maxmind, &reading->sources[READING_MAXMIND].path))
		return -ENOMEM;
	return 0;
}

void reading_fini(struct reading *reading)
{
	for (int kind = 0; kind < READING_KINDS; kind++) {
		struct reading_source *source = &reading->sources[kind];

		clients_fini(&source->clients);
		findings_fini(&source->findings);
		free(source->path);
	}
	if (reading->regions)
		regions_fini(reading->regions);
	free(reading->regions);
	locations_free(reading->locations);
	*reading = (struct reading){};
}

static int read_file(struct reading_source *source)
{
	_cleanup_(freep) char *text = NULL;
	struct findings *findings = &source->findings;
	struct err *err = &source->err;
	size_t size = 0;
	int r = file_read(source->path, FILE_MAX, &text, &size);

	if (r == -EFBIG)
		return err_set(err, r, "is larger than %u MiB", FILE_MAX >> 20);
	if (r < 0)
		return err_set(err, r, "%s", file_error(r));
	r = clients_parse(text, size, &source->clients, findings);
	if (r != -EINVAL)
		return r < 0 ? err_set(err, r, "out of memory") : 0;
	return err_set(err, r, "%zu error%s, the first in line %u: %s", findings->errors,
		       findings->errors == 1 ? "" : "s", findings->list.items[0].line,
		       findings->list.items[0].message);
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

static int read_maxmind(struct reading_source *source, const struct model *regions)
{
	struct countries countries = { .model = regions, .clients = &source->clients };

	return countries_each(source->path, add_country, &countries, &source->err);
}

void reading_run(void *user)
{
	static const struct clients none = {};
	const struct clients *layers[READING_KINDS];
	struct reading *reading = user;

	for (int kind = 0; kind < READING_KINDS; kind++) {
		struct reading_source *source = &reading->sources[kind];

		layers[kind] = source->before ?: &none;
		if (!source->wanted)
			continue;
		source->state = file_look(source->path);
		source->result = kind == READING_FILE ? read_file(source)
						      : read_maxmind(source, reading->regions);
		if (!source->result)
			layers[kind] = &source->clients;
	}
	locations_build(layers, READING_KINDS, &reading->locations);
}
