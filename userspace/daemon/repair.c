// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/repair.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/interfaces.h"
#include "daemon/world.h"
#include "dataplane/attach.h"
#include "util/log.h"

#define LOGGED 20

static bool is_attached(const struct attachments *attachments, uint32_t ifindex)
{
	vec_foreach(attachment, &attachments->list)
		if (attachment->ifindex == ifindex)
			return true;
	return false;
}

static int find_interfaces(struct daemon *daemon, struct drift *found, struct err *err)
{
	struct attachments wanted = {}, attached = {};
	int r = interfaces_wanted(daemon, daemon->model, &wanted, err);

	r = r ?: attach_list(daemon->object->directory, &attached, err);
	vec_foreach(attachment, &wanted.list)
		if (!r && !is_attached(&attached, attachment->ifindex))
			drift_add(found, attachment->name, "the program is not attached");
	vec_free(&wanted.list);
	vec_free(&attached.list);
	return r;
}

/* Once, however many listeners have the address. */
static void on_unanswered(void *user, const struct addr *address, const char *interface)
{
	const char *where = interface ?: "routes";
	char text[ADDR_TEXT_MAX], what[ADDR_TEXT_MAX + 40];
	struct drift *found = user;

	snprintf(what, sizeof(what), "the host does not answer for %s", addr_print(address, text));
	vec_foreach(item, &found->list)
		if (!strcmp(item->where, where) && !strcmp(item->what, what))
			return;
	drift_add(found, where, "%s", what);
}

static int find(struct daemon *daemon, enum drift_action action, struct drift *found,
		struct err *err)
{
	int r;

	drift_find(daemon->object, daemon->plan, action, found);
	r = find_interfaces(daemon, found, err);
	if (!r)
		world_unanswered(daemon->nl, daemon->plan, on_unanswered, found);
	if (!r && found->failed)
		r = err_set(err, -ENOMEM, "out of memory");
	return r;
}

int repair_find(struct daemon *daemon, struct drift *ret, struct err *err)
{
	return find(daemon, DRIFT_LOOK, ret, err);
}

int repair_all(struct daemon *daemon, struct drift *ret, struct err *err)
{
	int r = find(daemon, DRIFT_REPAIR, ret, err);

	if (!r && ret->programs)
		r = object_reload(daemon->object, err);
	for (size_t i = 0; i < ret->list.count && i < LOGGED; i++)
		log_warning("%s: %s: changed by someone else; repaired", ret->list.items[i].where,
			    ret->list.items[i].what);
	if (ret->count > LOGGED)
		log_warning("... and %zu more", ret->count - LOGGED);
	return r < 0 ? err_at(err, r, "what someone else has changed cannot be repaired") : 0;
}
