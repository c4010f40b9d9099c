// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/history.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <weir/names.h>

#include "daemon/state.h"
#include "util/cleanup.h"
#include "util/file.h"

#define FOLDER "history"

void history_fini(struct history *history)
{
	vec_free(&history->list);
}

static void closedirp(DIR **folder)
{
	if (*folder)
		closedir(*folder);
}

/* "12.json" is 12; 0: no name of an entry. */
static uint32_t number_of(const char *name)
{
	char canonical[32];
	unsigned long number = strtoul(name, NULL, 10);

	snprintf(canonical, sizeof(canonical), "%lu.json", number);
	return number < UINT32_MAX && !strcmp(canonical, name) ? number : 0;
}

static void file_of(uint32_t number, const char *suffix, char ret[64])
{
	snprintf(ret, 64, FOLDER "/%u.%s", number, suffix);
}

static int load_entry(const char *instance, uint32_t number, struct history *history)
{
	_cleanup_(json_decrefp) json_t *object = NULL;
	struct history_entry entry = { .number = number };
	json_int_t when, who;
	const char *how;
	char file[64];

	file_of(number, "json", file);
	if (state_read_object(instance, file, &object, NULL) ||
	    json_unpack(object, "{s:I, s:I, s:s}", "when", &when, "who", &who, "how", &how))
		return 0;
	entry.when = when;
	entry.who = who;
	snprintf(entry.how, sizeof(entry.how), "%s", how);
	return vec_push(&history->list, entry);
}

static int compare_numbers(const void *left, const void *right)
{
	const struct history_entry *a = left, *b = right;

	return a->number < b->number ? -1 : a->number > b->number;
}

int history_load(const char *instance, struct history *ret, struct err *err)
{
	_cleanup_(history_fini) struct history history = {};
	_cleanup_(closedirp) DIR *folder = NULL;
	const struct dirent *entry;
	char path[PATH_MAX];
	int r = 0;

	snprintf(path, sizeof(path), WEIR_STATE_DIR "/%s/" FOLDER, instance);
	folder = opendir(path);
	if (!folder && errno != ENOENT)
		return errno == EACCES ? file_denied(path, -errno, err)
				       : err_set(err, -errno, "%s: %s", path, strerror(errno));
	while (!r && folder && (entry = readdir(folder))) {
		uint32_t number = number_of(entry->d_name);

		if (number)
			r = load_entry(instance, number, &history);
	}
	if (r < 0)
		return err_set(err, r, "out of memory");
	if (history.list.count)
		qsort(history.list.items, history.list.count, sizeof(*history.list.items),
		      compare_numbers);
	*ret = history;
	history = (struct history){};
	return 0;
}

const struct history_entry *history_find(const struct history *history, uint32_t number)
{
	vec_foreach(entry, &history->list)
		if (entry->number == number)
			return entry;
	return NULL;
}

int history_text(const char *instance, uint32_t number, char **ret, struct err *err)
{
	char file[64];

	file_of(number, "yaml", file);
	return state_read_text(instance, file, ret, err);
}

/* Only the newest stay; the description goes first, so that none is without its text. */
static void forget_old(const char *instance, const struct history *history)
{
	char file[64];

	for (size_t i = 0; i + HISTORY_KEPT <= history->list.count; i++) {
		uint32_t number = history->list.items[i].number;

		file_of(number, "json", file);
		if (state_remove(instance, file, NULL))
			continue;
		file_of(number, "yaml", file);
		state_remove(instance, file, NULL);
	}
}

static bool is_last(const char *instance, const struct history_entry *last, const char *text)
{
	_cleanup_(freep) char *known = NULL;

	return !history_text(instance, last->number, &known, NULL) && !strcmp(known, text);
}

int history_add(const char *instance, const char *text, uid_t who, const char *how, struct err *err)
{
	_cleanup_(json_decrefp) json_t *object = NULL;
	_cleanup_(history_fini) struct history history = {};
	const struct history_entry *last = NULL;
	uint32_t number;
	char file[64];
	int r;

	r = history_load(instance, &history, err);
	if (r < 0)
		return r;
	if (history.list.count)
		last = &history.list.items[history.list.count - 1];
	if (last && is_last(instance, last, text))
		return 0;

	number = last ? last->number + 1 : 1;
	object = json_pack("{s:I, s:I, s:s}", "when", (json_int_t)time(NULL), "who",
			   (json_int_t)who, "how", how);
	file_of(number, "yaml", file);
	r = state_write_text(instance, file, text, err);
	file_of(number, "json", file);
	r = r ?: state_write_object(instance, file, object, err);
	if (!r)
		forget_old(instance, &history);
	return r;
}
