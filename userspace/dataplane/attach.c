// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>

#include <weir/names.h>

#include "dataplane/object.h"
#include "dataplane/steer.h"

static void link_path(const char *directory, const char *name, char path[OBJECT_PATH_MAX + 32])
{
	snprintf(path, OBJECT_PATH_MAX + 32, "%s/" WEIR_PIN_LINK_PREFIX "%s", directory, name);
}

/* All zero where the kernel does not say. */
static struct bpf_link_info link_info(int link)
{
	struct bpf_link_info info = {};
	unsigned size = sizeof(info);

	if (bpf_obj_get_info_by_fd(link, &info, &size))
		return (struct bpf_link_info){};
	return info;
}

static uint32_t link_ifindex(int link)
{
	return link_info(link).xdp.ifindex;
}

static enum attach_mode mode_of(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (!bpf_xdp_query(ifindex, 0, &query) && query.attach_mode == XDP_ATTACHED_SKB)
		return ATTACH_GENERIC;
	return ATTACH_NATIVE;
}

/* The error of an interface that has another program: which one, and how to be rid of it. */
static int busy_error(const char *name, uint32_t ifindex, struct err *err)
{
	struct bpf_prog_info info = {};
	unsigned size = sizeof(info);
	_cleanup_(closep) int fd = -1;
	uint32_t id = 0;

	bpf_xdp_query_id(ifindex, 0, &id);
	fd = id ? bpf_prog_get_fd_by_id(id) : -1;
	if (fd >= 0)
		bpf_obj_get_info_by_fd(fd, &info, &size);
	return err_set(err, -EBUSY,
		       "%s: another XDP program is attached (id %u, name '%s'); if it may go: ip "
		       "link set dev %s xdp off (or detach the instance of weir that owns it)",
		       name, id, info.name, name);
}

/*
 * bpf_link says only "Numerical result out of range". Netlink gives the driver's reason: attach
 * once over it, for the message.
 */
static void fetch_reason(int program, uint32_t ifindex, uint32_t flags)
{
	object_clear_kernel_message();
	if (!bpf_xdp_attach(ifindex, program, flags | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL))
		bpf_xdp_detach(ifindex, flags, NULL);
}

static int attach_error(int code, const char *name, uint32_t ifindex, int program, uint32_t flags,
			struct err *err)
{
	const char *reason;

	if (code == -EBUSY || code == -EEXIST)
		return busy_error(name, ifindex, err);
	if (code == -EPERM)
		return err_set(err, code,
			       "%s: not permitted: run as root, or give the process "
			       "CAP_NET_ADMIN and CAP_BPF",
			       name);
	if (code == -EOPNOTSUPP && flags == XDP_FLAGS_DRV_MODE)
		return err_set(err, code,
			       "%s: its driver has no native XDP; attach in generic mode "
			       "(slower, works everywhere) with --generic",
			       name);
	fetch_reason(program, ifindex, flags);
	reason = object_kernel_message();
	return err_set(err, code, "%s: cannot attach: %s%s", name,
		       reason[0] ? reason : strerror(-code),
		       strstr(reason, "MTU") ? "; lower the MTU of the interface or its peer" : "");
}

static int replace_program(const char *path, int program)
{
	_cleanup_(closep) int link = bpf_obj_get(path);

	if (link < 0)
		return -errno;
	return bpf_link_update(link, program, NULL) ? -errno : 0;
}

/* A pin that an interface has under a name of before becomes one of its name now. */
static void follow_rename(const char *directory, const char *name, uint32_t ifindex)
{
	char from[OBJECT_PATH_MAX + 32], to[OBJECT_PATH_MAX + 32];
	struct attachments attachments = {};

	if (attach_list(directory, &attachments, NULL) < 0)
		return;
	link_path(directory, name, to);
	vec_foreach(attachment, &attachments.list) {
		if (attachment->ifindex != ifindex || !strcmp(attachment->name, name))
			continue;
		link_path(directory, attachment->name, from);
		if (access(to, F_OK))
			rename(from, to);
	}
	vec_free(&attachments.list);
}

int attach_interface(const char *directory, int program, const char *name, enum attach_mode mode,
		     struct err *err)
{
	uint32_t flags = mode == ATTACH_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	uint32_t ifindex = if_nametoindex(name);
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
	char path[OBJECT_PATH_MAX + 32];
	_cleanup_(closep) int pinned = -1;
	_cleanup_(closep) int link = -1;
	bool switched = false;
	int r;

	if (!ifindex)
		return err_set(err, -ENODEV,
			       "%s: there is no such interface; list them with: ip link", name);
	follow_rename(directory, name, ifindex);
	link_path(directory, name, path);
	pinned = bpf_obj_get(path);
	if (pinned >= 0 && link_ifindex(pinned) == ifindex && mode_of(ifindex) == mode)
		return bpf_link_update(pinned, program, NULL)
			       ? attach_error(-errno, name, ifindex, program, flags, err)
			       : 0;
	if (pinned >= 0) { /* of an interface that is gone, or in the other mode */
		switched = link_ifindex(pinned) == ifindex;
		unlink(path);
		close(take_fd(&pinned));
	}
	link = bpf_link_create(program, ifindex, BPF_XDP, &options);
	if (link < 0) {
		r = attach_error(-errno, name, ifindex, program, flags, err);
		if (switched) /* better in the mode it was in than not at all */
			attach_interface(directory, program, name,
					 mode == ATTACH_GENERIC ? ATTACH_NATIVE : ATTACH_GENERIC,
					 NULL);
		return r;
	}
	r = object_pin(link, path);
	return r < 0 ? err_set(err, r, "%s: cannot pin %s: %s", name, path, strerror(-r)) : 0;
}

int attach_detach(const char *directory, const char *name, struct err *err)
{
	char path[OBJECT_PATH_MAX + 32];

	if (if_nametoindex(name))
		follow_rename(directory, name, if_nametoindex(name));
	link_path(directory, name, path);
	if (!unlink(path))
		return 0;
	if (errno == ENOENT)
		return err_set(err, -ENOENT, "%s: weir is not attached there", name);
	return err_set(err, -errno, "%s: %s", path, strerror(errno));
}

int attach_list(const char *directory, struct attachments *ret, struct err *err)
{
	const size_t prefix = strlen(WEIR_PIN_LINK_PREFIX);
	struct attachments found = {};
	struct dirent **entries;
	int count, r = 0;

	count = scandir(directory, &entries, NULL, alphasort);
	if (count < 0)
		return err_set(err, -errno, "%s: %s", directory, strerror(errno));
	for (int i = 0; i < count; i++) {
		struct attachment attachment = {};
		char path[OBJECT_PATH_MAX + 32];
		const char *file = entries[i]->d_name;
		_cleanup_(closep) int link = -1;

		if (!r && !strncmp(file, WEIR_PIN_LINK_PREFIX, prefix)) {
			snprintf(attachment.name, sizeof(attachment.name), "%s", file + prefix);
			link_path(directory, attachment.name, path);
			link = bpf_obj_get(path);
			if (link >= 0) {
				struct bpf_link_info info = link_info(link);

				attachment.ifindex = info.xdp.ifindex;
				attachment.program = info.prog_id;
			}
			attachment.mode = mode_of(attachment.ifindex);
			r = vec_push(&found.list, attachment);
		}
		free(entries[i]);
	}
	free(entries);
	if (r) {
		vec_free(&found.list);
		return err_set(err, r, "out of memory");
	}
	*ret = found;
	return 0;
}

int attach_replace_all(const struct object *object, struct err *err)
{
	struct attachments attachments = {};
	int r = attach_list(object->directory, &attachments, err);

	if (r < 0)
		return r;
	vec_foreach(attachment, &attachments.list) {
		char path[OBJECT_PATH_MAX + 32];

		if (!attachment->ifindex)
			continue;
		link_path(object->directory, attachment->name, path);
		r = replace_program(path, object->program);
		if (r < 0) {
			err_set(err, r, "%s: cannot replace the program: %s", attachment->name,
				strerror(-r));
			break;
		}
	}
	vec_free(&attachments.list);
	return r ?: steer_replace(object, err);
}
