// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/interfaces.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/change.h"
#include "util/log.h"

static const struct state_interface *override_of(const struct daemon *daemon, const char *name)
{
	vec_foreach(interface, &daemon->state.interfaces)
		if (!strcmp(interface->name, name))
			return interface;
	return NULL;
}

/* By hand outweighs -i, and that the file. */
static bool is_wanted(const struct daemon *daemon, const struct model *model, const char *name)
{
	const struct daemon_options *options = daemon->options;
	const struct state_interface *override = override_of(daemon, name);

	if (override)
		return override->attached;
	for (size_t i = 0; i < options->interface_count; i++)
		if (!strcmp(options->interfaces[i], name))
			return true;
	if (options->interface_count)
		return false;
	vec_foreach(interface, &model->interfaces)
		if (!strcmp(*interface, name))
			return true;
	return false;
}

static bool is_attached(const struct attachments *attachments, const char *name,
			enum attach_mode mode)
{
	vec_foreach(attachment, &attachments->list)
		if (attachment->ifindex && attachment->mode == mode &&
		    !strcmp(attachment->name, name))
			return true;
	return false;
}

/* Once, not at every event of the network. */
static void complain(struct daemon *daemon, const struct err *why)
{
	if (strcmp(daemon->complaint.text, why->text))
		log_warning("%s", why->text);
	daemon->complaint = *why;
}

static int attach_one(struct daemon *daemon, const struct attachments *attachments,
		      const char *name, bool strict, struct err *err)
{
	const struct state_interface *override = override_of(daemon, name);
	bool generic = override ? override->generic : daemon->options->generic;
	enum attach_mode mode = generic ? ATTACH_GENERIC : ATTACH_NATIVE;
	struct err why = {};
	int r;

	if (is_attached(attachments, name, mode) || (override && !override->attached))
		return 0;
	if (!strict && !if_nametoindex(name))
		return 0;
	r = attach_interface(daemon->object->directory, daemon->object->program, name, mode, &why);
	if (!r)
		log_info("%s: attached in %s mode", name, generic ? "generic" : "native");
	else if (strict)
		return err_set(err, r, "%s", why.text);
	else
		complain(daemon, &why);
	return 0;
}

/* Whoever takes off the last interface that packets come by, and has no other, takes down all. */
static int check_left(struct daemon *daemon, const struct model *model,
		      const struct attachments *before, struct err *err)
{
	struct attachments left = {};
	int r = 0;

	if (!before->list.count || !interfaces_any(daemon, model))
		return 0;
	r = interfaces_list(daemon, model, &left, err);
	if (!r && !left.list.count)
		r = err_set(err, -ENODEV,
			    "none of the interfaces that are named can be attached, and %s, which "
			    "is, is none of them; it stays as it is",
			    before->list.items[0].name);
	vec_free(&left.list);
	return r;
}

int interfaces_attach(struct daemon *daemon, const struct model *model, bool strict,
		      struct err *err)
{
	const struct daemon_options *options = daemon->options;
	struct attachments attachments = {};
	int r = attach_list(daemon->object->directory, &attachments, err);

	for (size_t i = 0; !r && i < options->interface_count; i++)
		r = attach_one(daemon, &attachments, options->interfaces[i], strict, err);
	if (!options->interface_count)
		vec_foreach(interface, &model->interfaces)
			r = r ?: attach_one(daemon, &attachments, *interface, strict, err);
	/* What was attached by hand may be gone for good: that is no reason to refuse a file. */
	vec_foreach(interface, &daemon->state.interfaces)
		if (interface->attached)
			r = r ?: attach_one(daemon, &attachments, interface->name, false, err);
	r = r ?: check_left(daemon, model, &attachments, err);
	vec_free(&attachments.list);
	return r;
}

void interfaces_detach(struct daemon *daemon, const struct model *model)
{
	struct attachments attachments = {};

	if (attach_list(daemon->object->directory, &attachments, NULL) < 0)
		return;
	vec_foreach(attachment, &attachments.list) {
		if (is_wanted(daemon, model, attachment->name))
			continue;
		if (!attach_detach(daemon->object->directory, attachment->name, NULL))
			log_info("%s: detached", attachment->name);
	}
	vec_free(&attachments.list);
}

int interfaces_list(struct daemon *daemon, const struct model *model, struct attachments *ret,
		    struct err *err)
{
	size_t kept = 0;
	int r = attach_list(daemon->object->directory, ret, err);

	if (r < 0)
		return r;
	vec_foreach(attachment, &ret->list)
		if (is_wanted(daemon, model, attachment->name))
			ret->list.items[kept++] = *attachment;
	ret->list.count = kept;
	return 0;
}

static int want(struct daemon *daemon, const struct model *model, const char *name,
		struct attachments *wanted)
{
	struct attachment attachment = { .ifindex = if_nametoindex(name) };

	if (!attachment.ifindex || !is_wanted(daemon, model, name))
		return 0;
	vec_foreach(known, &wanted->list)
		if (known->ifindex == attachment.ifindex)
			return 0;
	snprintf(attachment.name, sizeof(attachment.name), "%s", name);
	return vec_push(&wanted->list, attachment);
}

int interfaces_wanted(struct daemon *daemon, const struct model *model, struct attachments *ret,
		      struct err *err)
{
	const struct daemon_options *options = daemon->options;
	struct attachments wanted = {};
	int r = 0;

	for (size_t i = 0; i < options->interface_count; i++)
		r = r ?: want(daemon, model, options->interfaces[i], &wanted);
	vec_foreach(interface, &model->interfaces)
		r = r ?: want(daemon, model, *interface, &wanted);
	vec_foreach(interface, &daemon->state.interfaces)
		r = r ?: want(daemon, model, interface->name, &wanted);
	if (r < 0) {
		vec_free(&wanted.list);
		return err_set(err, r, "out of memory");
	}
	*ret = wanted;
	return 0;
}

static int remember_interface(struct daemon *daemon, const struct state_interface *wanted,
			      struct err *err)
{
	if (state_set_interface(&daemon->state, wanted))
		return err_set(err, -ENOMEM, "out of memory");
	return state_save(daemon->options->instance, &daemon->state, err);
}

static bool has_link(const struct daemon *daemon, const char *name)
{
	struct attachments attachments = {};
	bool found = false;

	if (attach_list(daemon->object->directory, &attachments, NULL) < 0)
		return false;
	vec_foreach(attachment, &attachments.list)
		found |= !strcmp(attachment->name, name);
	vec_free(&attachments.list);
	return found;
}

/* What is detached must not be the way to an endpoint. */
static int check_behind(const struct daemon *daemon, const struct state_interface *wanted,
			struct err *err)
{
	uint32_t ifindex = wanted->attached ? 0 : if_nametoindex(wanted->name);
	char text[ADDR_TEXT_MAX];

	vec_foreach(target, &daemon->facts.targets) {
		const struct facts_interface *way =
			facts_interface(&daemon->facts, target->ifindex);

		if (ifindex && way && way->attached == ifindex)
			return err_set(err, -EBUSY,
				       "%s: is the way to endpoint %s; take that out of the "
				       "configuration first",
				       wanted->name, addr_print(&target->address, text));
	}
	return 0;
}

bool interfaces_any(const struct daemon *daemon, const struct model *model)
{
	vec_foreach(interface, &daemon->state.interfaces)
		if (is_wanted(daemon, model, interface->name))
			return true;
	for (size_t i = 0; i < daemon->options->interface_count; i++)
		if (is_wanted(daemon, model, daemon->options->interfaces[i]))
			return true;
	vec_foreach(interface, &model->interfaces)
		if (is_wanted(daemon, model, *interface))
			return true;
	return false;
}

int interfaces_change(struct daemon *daemon, const struct state_interface *wanted, struct err *err)
{
	const char *directory = daemon->object->directory;
	const struct state_interface *known = override_of(daemon, wanted->name);
	struct state_interface before = {};
	int r;

	if (known)
		before = *known;
	if (!wanted->attached && !has_link(daemon, wanted->name))
		return err_set(err, -ENOENT, "%s: weir is not attached there", wanted->name);
	if (wanted->attached) {
		r = attach_interface(directory, daemon->object->program, wanted->name,
				     wanted->generic ? ATTACH_GENERIC : ATTACH_NATIVE, err);
		if (r < 0)
			return r;
	}
	r = remember_interface(daemon, wanted, err);
	r = r ?: check_behind(daemon, wanted, err);
	r = r ?: change_world(daemon, err);
	if (r < 0) { /* endpoints are behind it, for one */
		state_forget_interface(&daemon->state, wanted->name);
		if (before.name[0])
			remember_interface(daemon, &before, NULL);
		state_save(daemon->options->instance, &daemon->state, NULL);
		interfaces_detach(daemon, daemon->model);
		return r;
	}
	if (!wanted->attached)
		r = attach_detach(directory, wanted->name, err);
	if (!r)
		log_info("%s: %s by hand", wanted->name,
			 wanted->attached ? "attached" : "detached");
	return r;
}
