// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>

#include "cli/check.h"
#include "cli/output.h"
#include "config/clients.h"
#include "config/config.h"
#include "daemon/locating.h"
#include "daemon/stock.h"
#include "net/countries.h"
#include "util/file.h"

static int out_of_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

static int check_inventory(const struct model *model, struct remarks *remarks, struct err *err)
{
	_cleanup_(stock_freep) struct stock *stock = NULL;

	if (!model->inventory.files.count)
		return 0;
	if (stock_new(NULL, NULL, &stock) < 0)
		return out_of_memory(err);
	stock_report(stock, model, remarks);
	return remarks->failed ? out_of_memory(err) : 0;
}

/* One that cannot be read; apply refuses the configuration where it finds none. */
static int not_here(enum remark_kind kind, const char *path, const char *why,
		    struct remarks *remarks)
{
	remarks_add(remarks, &(struct remark_place){ .kind = kind }, "client_regions: %s: %s", path,
		    why);
	return 0;
}

static int check_clients(const struct model *model, struct remarks *remarks, struct err *err)
{
	_cleanup_(findings_fini) struct findings findings = {};
	_cleanup_(clients_fini) struct clients clients = {};
	_cleanup_(freep) char *text = NULL;
	const char *path = model->clients_file;
	size_t size = 0;
	int r;

	if (!path)
		return 0;
	r = file_read(path, FILE_MAX, &text, &size);
	if (r < 0)
		return not_here(REMARK_CLIENTS_FILE, path, file_error(r), remarks);
	r = clients_parse(text, size, &clients, &findings);
	if (r == -ENOMEM)
		return out_of_memory(err);
	findings_print(&findings, path, text, size, output_colour(stderr), stderr);
	if (r < 0)
		return err_set(err, -EBADMSG, "%s: %zu error%s", path, findings.errors,
			       findings.errors == 1 ? "" : "s");
	locating_report_names(path, &clients, model, remarks);
	return 0;
}

static int look_at(const struct addr_prefix *prefix, const struct country *country, void *user)
{
	(void)prefix;
	(void)country;
	(void)user;
	return 0;
}

/* The whole of a database, since damage may be anywhere in it. */
static int check_database(const struct model *model, struct remarks *remarks, struct err *err)
{
	const char *path = model->clients_maxmind;
	struct err why = {};
	int r;

	if (!path)
		return 0;
	r = countries_each(path, look_at, NULL, &why);
	if (r == -EINVAL)
		return err_set(err, -EBADMSG, "client_regions: %s: %s", path, why.text);
	return r < 0 ? not_here(REMARK_CLIENTS_MAXMIND, path, why.text, remarks) : 0;
}

int check_files(const struct model *model, struct remarks *remarks, struct err *err)
{
	int r = check_inventory(model, remarks, err);

	r = r ?: check_clients(model, remarks, err);
	r = r ?: check_database(model, remarks, err);
	if (!r && remarks->failed)
		r = out_of_memory(err);
	return r;
}
