// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/selector.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool matches(const char *pattern, const char *name)
{
	const char *star = NULL, *retry = NULL;

	while (*name) {
		if (*pattern == '*') {
			star = pattern++;
			retry = name;
		} else if (*pattern == *name) {
			pattern++;
			name++;
		} else if (star) { /* let the last star take one more */
			pattern = star + 1;
			name = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

int selector_parse(const char *text, struct selector *ret, struct err *err)
{
	struct selector selector = {};
	const char *part = text;

	for (;;) {
		size_t size = strcspn(part, "/");

		if (selector.parts == SELECTOR_PARTS)
			return err_set(err, -EINVAL,
				       "selector '%.80s': has more parts than "
				       "LISTENER/GROUP/ENDPOINT",
				       text);
		if (!size || size >= WEIR_NAME_MAX)
			return err_set(err, -EINVAL,
				       "selector '%.80s': %s name; write "
				       "LISTENER[/GROUP[/ENDPOINT]]",
				       text, size ? "an overlong" : "an empty");
		memcpy(selector.part[selector.parts++], part, size);
		if (!part[size])
			break;
		part += size + 1;
	}
	*ret = selector;
	return 0;
}

bool selector_matches(const struct selector *selector, const char *listener, const char *group,
		      const char *endpoint)
{
	const char *names[SELECTOR_PARTS] = { listener, group, endpoint };

	for (int i = 0; i < selector->parts; i++)
		if (!matches(selector->part[i], names[i]))
			return false;
	return true;
}

bool selector_matches_listener(const struct selector *selector, const char *listener)
{
	return !selector->parts || matches(selector->part[0], listener);
}

void selector_offer(struct selector_search *search, const char *listener, const char *group,
		    const char *endpoint)
{
	snprintf(search->path, sizeof(search->path), "%s%s%s%s%s", listener, *group ? "/" : "",
		 group, *endpoint ? "/" : "", endpoint);
	str_nearest_offer(&search->nearest, search->path);
	if (search->nearest.best != search->path)
		return;
	strcpy(search->best, search->path); /* `path` is overwritten */
	search->nearest.best = search->best;
}

int selector_no_match(const struct selector_search *search, const struct selector *selector,
		      struct err *err)
{
	static const char *const objects[] = { "listener", "group", "endpoint" };

	return err_set(err, -ESRCH, "no %s matches '%s'%s%s%s; list them with: weir show endpoints",
		       objects[selector->parts - 1], search->nearest.word,
		       search->best[0] ? "; did you mean '" : "", search->best,
		       search->best[0] ? "'?" : "");
}
