// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "health/trusts.h"

#include <string.h>

void trusts_fini(struct trusts *trusts)
{
	vec_foreach(entry, &trusts->list) {
		free(entry->ca_file);
		tls_trust_free(entry->trust);
	}
	vec_free(&trusts->list);
}

static bool is(const struct trusts_entry *entry, const struct health_check *check)
{
	if (entry->verify != check->verify || !entry->ca_file != !check->ca_file)
		return false;
	return !check->ca_file || !strcmp(entry->ca_file, check->ca_file);
}

int trusts_get(struct trusts *trusts, const struct health_check *check,
	       const struct tls_trust **ret, struct err *err)
{
	_cleanup_(tls_trust_freep) struct tls_trust *trust = NULL;
	_cleanup_(freep) char *ca_file = NULL;
	int r;

	vec_foreach(entry, &trusts->list) {
		if (is(entry, check)) {
			*ret = entry->trust;
			return 0;
		}
	}
	r = tls_trust_new(check->ca_file, check->verify, &trust, err);
	if (r < 0)
		return r;
	ca_file = check->ca_file ? strdup(check->ca_file) : NULL;
	if ((check->ca_file && !ca_file) ||
	    vec_push(&trusts->list, ((struct trusts_entry){ ca_file, check->verify, trust })))
		return err_set(err, -ENOMEM, "out of memory");
	*ret = take_ptr(trust);
	take_ptr(ca_file);
	return 0;
}

int trusts_read(const struct model *model, struct trusts *ret, struct err *err)
{
	vec_foreach(listener, &model->listeners) {
		vec_foreach(group, &listener->groups) {
			const struct health_check *check = group->health_check;
			const struct tls_trust *trust;
			int r;

			if (!check || check->protocol != HEALTH_HTTPS)
				continue;
			r = trusts_get(ret, check, &trust, err);
			if (r < 0)
				return err_at(err, r,
					      "listener %s: endpoint group %s: health_check",
					      listener->name, group->name);
		}
	}
	return 0;
}
