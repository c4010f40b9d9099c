// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the configuration names in the file system: can the daemon, who is no root, read it? */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/doctor.h"
#include "daemon/privileges.h"

#define FIX_MAX	   1200
#define GROUPS_MAX 64

struct reader {
	char name[64];
	uid_t uid;
	gid_t groups[GROUPS_MAX]; /* the first is his own */
	int group_count;
};

/* The user of a process: not the owner of /proc/PID, which is root's where nobody may look in. */
static bool user_of(pid_t pid, uid_t *ret)
{
	_cleanup_(fclosep) FILE *file = NULL;
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Uid: %u", ret) == 1)
			return true;
	return false;
}

/* The daemon's user, or the one that it will have. */
static bool find_reader(const struct doctor *doctor, struct reader *ret)
{
	const struct passwd *user = NULL;
	uid_t uid;

	if (doctor->daemon && user_of(doctor->daemon, &uid))
		user = getpwuid(uid);
	else if (!doctor->daemon)
		user = getpwnam(PRIVILEGES_USER);
	if (!user)
		return false;
	*ret = (struct reader){ .uid = user->pw_uid, .group_count = GROUPS_MAX };
	snprintf(ret->name, sizeof(ret->name), "%s", user->pw_name);
	if (getgrouplist(user->pw_name, user->pw_gid, ret->groups, &ret->group_count) < 0)
		ret->group_count = GROUPS_MAX;
	return true;
}

/* `bits` are of S_IRWXO. Capabilities do not count: the daemon has none that would. */
static bool may(const struct reader *reader, const struct stat *status, mode_t bits)
{
	if (status->st_uid == reader->uid)
		return (status->st_mode >> 6 & bits) == bits;
	for (int i = 0; i < reader->group_count; i++)
		if (status->st_gid == reader->groups[i])
			return (status->st_mode >> 3 & bits) == bits;
	return (status->st_mode & bits) == bits;
}

/* The first folder on the way that he cannot pass: true, and its name is in `folder`. */
static bool is_stopped(const struct reader *reader, const char *path, char folder[512])
{
	struct stat status;

	for (const char *slash = path; (slash = strchr(slash + 1, '/'));) {
		snprintf(folder, 512, "%.*s", (int)(slash - path), path);
		if (!stat(folder, &status) && !may(reader, &status, S_IXOTH))
			return true;
	}
	return false;
}

/* Is it readable? Says so where it is not. */
static bool look_at(struct doctor *doctor, const struct reader *reader, const char *path)
{
	const struct group *group = getgrgid(reader->groups[0]);
	char folder[512], fix[FIX_MAX] = "";
	struct stat status;

	if (path[0] != '/')
		return true; /* who knows where the daemon was started */
	if (stat(path, &status)) {
		doctor_problem(doctor, DOCTOR_ERROR, "a configuration that names it is refused", "",
			       "%s: %s", path, strerror(errno));
		return false;
	}
	if (is_stopped(reader, path, folder)) {
		snprintf(fix, sizeof(fix), "chmod o+x %s", folder);
		doctor_problem(doctor, DOCTOR_ERROR, "the daemon cannot read what is below", fix,
			       "user '%s' cannot pass %s on the way to %s", reader->name, folder,
			       path);
		return false;
	}
	if (may(reader, &status, S_IROTH))
		return true;
	snprintf(fix, sizeof(fix), "chgrp %s %s && chmod g+r %s",
		 group ? group->gr_name : reader->name, path, path);
	doctor_problem(doctor, DOCTOR_ERROR, "the daemon cannot read it, and keeps what it knows",
		       fix, "%s: user '%s', whom the daemon runs as, may not read it", path,
		       reader->name);
	return false;
}

void doctor_files(struct doctor *doctor)
{
	const struct model *model = doctor->model;
	struct reader reader;
	unsigned good = 0;

	if (!find_reader(doctor, &reader)) {
		doctor_unseen(doctor, "nobody knows as which user the daemon will run");
		return;
	}
	good += doctor->file && look_at(doctor, &reader, doctor->file);
	good += model->clients_file && look_at(doctor, &reader, model->clients_file);
	good += model->clients_maxmind && look_at(doctor, &reader, model->clients_maxmind);
	vec_foreach(file, &model->inventory.files)
		good += look_at(doctor, &reader, *file);
	vec_foreach(listener, &model->listeners)
		vec_foreach(group, &listener->groups)
			if (group->health_check && group->health_check->ca_file)
				good += look_at(doctor, &reader, group->health_check->ca_file);
	if (good)
		doctor_ok(doctor, "user '%s' can read the configuration's file%s", reader.name,
			  good == 1 ? "" : "s");
}
