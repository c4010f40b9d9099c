// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/cut.h"

#include <errno.h>
#include <string.h>

#include "util/str.h"

static struct cut_part next_word(const char *text, size_t *at)
{
	struct cut_part word;

	*at += strspn(text + *at, " \t");
	word.from = *at;
	word.size = strcspn(text + *at, " \t");
	*at += word.size;
	return word;
}

static bool part_is(const char *text, struct cut_part part, const char *word)
{
	return part.size == strlen(word) && !strncmp(text + part.from, word, part.size);
}

/* HOST[:PORT]: a port follows brackets, or the only colon. */
static int cut_host(const char *text, struct cut_part host, struct cut_endpoint_parts *ret,
		    struct err *err)
{
	const char *begin = text + host.from;
	const char *colon = memchr(begin, ':', host.size);
	const char *close = memchr(begin, ']', host.size);
	size_t end = host.from + host.size;
	size_t address_end = end;

	ret->address.from = host.from;
	if (host.size && *begin == '[') {
		if (!close || !colon || colon > close)
			return err_set(err, -EINVAL,
				       "brackets hold an IPv6 address, as in \"[2001:db8::1]:80\"");
		ret->address.from++;
		address_end = close - text;
		colon = address_end + 1 < end ? close + 1 : NULL;
		if (colon && *colon != ':')
			return err_set(err, -EINVAL, "after ']' only :PORT can follow");
	} else if (colon && !memchr(colon + 1, ':', end - (colon + 1 - text))) {
		address_end = colon - text;
	} else {
		colon = NULL;
	}
	ret->address.size = address_end - ret->address.from;
	ret->has_port = colon;
	if (colon)
		ret->port = (struct cut_part){ colon + 1 - text, end - (colon + 1 - text) };
	return 0;
}

int cut_endpoint(const char *text, struct cut_endpoint_parts *ret, struct cut_part *ret_wrong,
		 struct err *err)
{
	struct cut_endpoint_parts cut = {};
	size_t at = 0;
	struct cut_part host = next_word(text, &at);
	struct cut_part word = next_word(text, &at);
	struct cut_part number = next_word(text, &at);
	struct cut_part more = next_word(text, &at);
	char quoted[STR_QUOTE_MAX];

	*ret_wrong = host;
	if (cut_host(text, host, &cut, err) < 0)
		return -EINVAL;
	*ret_wrong = word;
	if (word.size && !part_is(text, word, "weight"))
		return err_set(err, -EINVAL,
			       "'%s' is not understood; an endpoint is HOST[:PORT] [weight N]",
			       str_quote(text + word.from, word.size, quoted));
	*ret_wrong = more;
	if (more.size)
		return err_set(err, -EINVAL,
			       "'%s' is not understood; nothing can follow the weight",
			       str_quote(text + more.from, more.size, quoted));
	cut.has_weight = word.size;
	cut.weight = number;
	*ret = cut;
	return 0;
}

bool cut_port(const char *text, size_t *at, struct cut_part *ret)
{
	size_t size = strlen(text);

	if (*at > size)
		return false;
	if (*at)
		*at += strspn(text + *at, " ");
	ret->from = *at;
	ret->size = strcspn(text + *at, ",");
	/* Past the end, so that "80," has an empty part behind the comma. */
	*at += ret->size + 1;
	return true;
}
