// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/privileges.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weir/names.h>

#include "dataplane/object.h"
#include "util/caps.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/log.h"

#define FOLDER_MODE 0750
#define DEPTH	    3 /* folders in folders, of any that the daemon has */

struct user {
	char name[64];
	uid_t uid;
	gid_t gid;
};

/* Root in a container may be too weak to become somebody else. */
static bool can_become(void)
{
	return caps_has(CAP_SETUID) && caps_has(CAP_SETGID) && caps_has(CAP_CHOWN);
}

static int find_user(const char *name, struct user *ret, struct err *err)
{
	const struct passwd *found = getpwnam(name ?: PRIVILEGES_USER);

	if (name && !found)
		return err_set(
			err, -EINVAL,
			"--user: there is no user '%.40s'; make one with: useradd --system "
			"--user-group --home-dir /nonexistent --shell /usr/sbin/nologin %.40s",
			name, name);
	if (!name && (!found || !can_become()))
		found = getpwuid(0);
	*ret = (struct user){ .name = "root" };
	if (found) {
		snprintf(ret->name, sizeof(ret->name), "%s", found->pw_name);
		ret->uid = found->pw_uid;
		ret->gid = found->pw_gid;
	}
	return 0;
}

static void closedirp(DIR **folder)
{
	if (*folder)
		closedir(*folder);
}

static int give(int fd, const struct user *user)
{
	struct stat status;

	if (fstat(fd, &status))
		return -errno;
	if (status.st_uid == user->uid && status.st_gid == user->gid)
		return 0;
	/* Of several names one may be elsewhere: in a folder that was another's before, anything
	 * may have been put. */
	if (!S_ISDIR(status.st_mode) && status.st_nlink > 1)
		return 0;
	return fchownat(fd, "", user->uid, user->gid, AT_EMPTY_PATH) ? -errno : 0;
}

static int give_entry(int folder, const char *name, const struct user *user, int depth);

/* Takes the descriptor over. */
static int give_contents(int fd, const struct user *user, int depth)
{
	_cleanup_(closedirp) DIR *folder = fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!folder) {
		r = -errno;
		close(fd);
		return r;
	}
	while (!r && (entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			r = give_entry(dirfd(folder), entry->d_name, user, depth);
	return r;
}

/* Symbolic links stay whose they are: whoever owns the folder can remove them. */
static int give_entry(int folder, const char *name, const struct user *user, int depth)
{
	_cleanup_(closep) int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	int inside, r;

	if (fd < 0 || fstat(fd, &status))
		return errno == ENOENT ? 0 : -errno;
	if (S_ISLNK(status.st_mode))
		return 0;
	r = give(fd, user);
	if (r < 0 || !S_ISDIR(status.st_mode) || !depth)
		return r;
	inside = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return inside < 0 ? -errno : give_contents(inside, user, depth - 1);
}

/* PARENT/INSTANCE, made if it is missing. */
static int hand_over(const char *parent, const char *instance, const struct user *user,
		     struct err *err)
{
	char path[PATH_MAX];
	_cleanup_(closep) int fd = -1;
	int r;

	snprintf(path, sizeof(path), "%s/%s", parent, instance);
	if (mkdir(path, FOLDER_MODE) && errno != EEXIST)
		return err_set(err, -errno, "cannot make %s: %s", path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, FOLDER_MODE))
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	r = give_entry(AT_FDCWD, path, user, DEPTH);
	return r < 0 ? err_set(err, r, "cannot hand %s to user '%s': %s", path, user->name,
			       strerror(-r))
		     : 0;
}

/* So that a user who is not root reaches his own folder in it. */
static int open_bpffs(struct err *err)
{
	struct stat status;
	int r = object_mount_bpffs(err);

	if (r < 0)
		return r;
	if (stat(WEIR_BPFFS, &status) ||
	    ((status.st_mode & 0111) != 0111 && chmod(WEIR_BPFFS, (status.st_mode & 07777) | 0111)))
		return err_set(err, -errno, WEIR_BPFFS ": %s", strerror(errno));
	return 0;
}

static int prepare(const char *instance, const struct user *user, struct err *err)
{
	int r = user->uid ? open_bpffs(err) : object_mount_bpffs(err);

	r = r ?: hand_over(WEIR_BPFFS, instance, user, err);
	r = r ?: hand_over(WEIR_STATE_DIR, instance, user, err);
	return r ?: hand_over(WEIR_RUN_DIR, instance, user, err);
}

int privileges_prepare(const char *instance, const char *name, struct err *err)
{
	struct user user;
	int r;

	if (geteuid())
		return err_set(err, -EPERM, "only root can hand folders to another user");
	r = find_user(name, &user, err);
	return r ?: prepare(instance, &user, err);
}

/* With its capabilities, of which caps_keep() then keeps three. */
static int become(const struct user *user, struct err *err)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || initgroups(user->name, user->gid) ||
	    setresgid(user->gid, user->gid, user->gid) ||
	    setresuid(user->uid, user->uid, user->uid))
		return err_set(err, -errno,
			       "cannot become user '%s': %s; --user root stays what it is",
			       user->name, strerror(errno));
	return 0;
}

static int check_self(const char *name, struct err *err)
{
	const struct passwd *found = name ? getpwnam(name) : NULL;

	if (!name || (found && found->pw_uid == geteuid()))
		return 0;
	return err_set(err, -EPERM, "--user: only root can become user '%.40s'", name);
}

/* The name of the user that this process is, or his number. */
static const char *own_name(char text[64])
{
	const struct passwd *self = getpwuid(geteuid());

	if (self)
		snprintf(text, 64, "%s", self->pw_name);
	else
		snprintf(text, 64, "%u", geteuid());
	return text;
}

static void say(const char *user)
{
	char name[64], capabilities[CAPS_TEXT_MAX];

	log_info("runs as user '%s' with %s and nothing else", own_name(name),
		 caps_print(capabilities));
	if (!geteuid() && !user)
		log_warning("root owns what it writes; better a user of its own: useradd --system "
			    "--user-group --home-dir /nonexistent --shell "
			    "/usr/sbin/nologin " PRIVILEGES_USER);
}

int privileges_settle(const char *instance, const char *name, struct err *err)
{
	struct user user = {};
	int r;

	if (geteuid()) {
		r = check_self(name, err);
		r = r ?: caps_limit(err);
	} else {
		r = find_user(name, &user, err);
		r = r ?: prepare(instance, &user, err);
		r = r ?: caps_limit(err);
		if (!r && user.uid)
			r = become(&user, err);
	}
	r = r ?: caps_keep(err);
	if (!r)
		say(name);
	return r;
}

void privileges_explain(const char *path, int code, struct err *err)
{
	const struct group *group = code == -EACCES ? getgrgid(getegid()) : NULL;
	char user[64];

	if (code != -EACCES)
		return;
	own_name(user);
	err_set(err, code,
		"user '%s', whom the daemon runs as, may not read it; let him: chgrp %s %s && "
		"chmod g+r %s (and chmod o+x the folders on the way)",
		user, group ? group->gr_name : user, path, path);
}

int privileges_read(const char *path, char **ret, size_t *ret_size, struct err *err)
{
	int r = file_read(path, FILE_MAX, ret, ret_size);
	struct err why;

	if (!r)
		return 0;
	err_set(&why, r, "%s", file_error(r));
	privileges_explain(path, r, &why);
	return err_set(err, r, "%s: %s", path, why.text);
}
