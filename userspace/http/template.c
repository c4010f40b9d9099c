// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "http/template.h"

static const char *const names[] = {
	[TEMPLATE_PROTOCOL] = "${protocol}",
	[TEMPLATE_HOST] = "${host}",
	[TEMPLATE_PORT] = "${port}",
	[TEMPLATE_PATH] = "${path}",
	[TEMPLATE_QUERY] = "${query}",
	[TEMPLATE_1] = "${1}",
	[TEMPLATE_2] = "${2}",
	[TEMPLATE_3] = "${3}",
};

/* The variable that stands here, or TEMPLATE_TEXT. */
static enum template_variable variable_at(const char *at)
{
	enum template_variable variable = 0;

	while (variable < TEMPLATE_VARIABLES &&
	       strncmp(at, names[variable], strlen(names[variable])))
		variable++;
	return variable;
}

int template_init(const char *text, struct template *ret)
{
	struct template template = {};

	while (*text) {
		enum template_variable variable = variable_at(text);
		struct template_part part = { variable, { text, 0 } };

		if (variable != TEMPLATE_TEXT) {
			part.text.size = strlen(names[variable]);
			template.used |= 1 << variable;
		}
		while (variable == TEMPLATE_TEXT && text[part.text.size] &&
		       (!part.text.size || variable_at(text + part.text.size) == TEMPLATE_TEXT))
			part.text.size++;
		if (vec_push(&template.parts, part) < 0) {
			template_fini(&template);
			return -ENOMEM;
		}
		text += part.text.size;
	}
	*ret = template;
	return 0;
}

void template_fini(struct template *template)
{
	vec_free(&template->parts);
}

void template_write(const struct template *template, const struct slice values[TEMPLATE_VARIABLES],
		    struct writer *out)
{
	const struct template_part *parts = template->parts.items;
	size_t count = template->parts.count;

	for (size_t i = 0; i < count; i++) {
		struct slice text = parts[i].variable == TEMPLATE_TEXT ? parts[i].text
								       : values[parts[i].variable];

		if (text.size && i + 2 == count && parts[i].variable == TEMPLATE_TEXT &&
		    parts[i + 1].variable == TEMPLATE_QUERY && !values[TEMPLATE_QUERY].size &&
		    strchr("?&", text.at[text.size - 1]))
			text.size--;
		writer_slice(out, text);
	}
}
