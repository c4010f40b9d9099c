// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* attach --decap, detach --decap, show decap: the far end of a tunnel, on an endpoint's host. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/table.h"
#include "dataplane/decap.h"
#include "net/nl.h"

/* The arguments of attach --decap. */
struct wish {
	struct decap_setup setup;
	VEC(const char *) names;
	bool generic;
};

static void wish_fini(struct wish *wish)
{
	decap_setup_fini(&wish->setup);
	vec_free(&wish->names);
}

static int take_prefix(const char *text, struct wish *wish, struct err *err)
{
	char meant[ADDR_PREFIX_MAX];
	struct addr_prefix prefix;
	int r = text ? addr_prefix_parse(text, &prefix) : -EINVAL;

	if (r == -ERANGE)
		return err_set(err, CLI_USAGE,
			       "attach: '%.60s' has bits beyond the prefix; write %s", text,
			       addr_prefix_print(&prefix, meant));
	if (r < 0)
		return err_set(err, CLI_USAGE,
			       "attach: --from wants a prefix like 10.0.0.0/8 or an address%s%.60s",
			       text ? ", not " : "", text ?: "");
	return vec_push(&wish->setup.prefixes, prefix) ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int take_port(const char *text, struct wish *wish, struct err *err)
{
	char *end = NULL;
	long port = text && *text >= '1' && *text <= '9' ? strtol(text, &end, 10) : 0;

	if (!end || *end || port > UINT16_MAX)
		return err_set(err, CLI_USAGE, "attach: --gue-port wants a port, 1 to %u",
			       UINT16_MAX);
	wish->setup.gue_port = port;
	return 0;
}

static int take_arguments(const struct cli *cli, struct wish *wish, struct err *err)
{
	int r = 0;

	for (int i = 1; !r && i < cli->argc; i++) {
		const char *argument = cli->argv[i];

		if (!strcmp(argument, "--decap"))
			continue;
		if (!strcmp(argument, "--generic"))
			wish->generic = true;
		else if (!strcmp(argument, "--from"))
			r = take_prefix(cli->argv[++i], wish, err);
		else if (!strcmp(argument, "--gue-port"))
			r = take_port(cli->argv[++i], wish, err);
		else if (argument[0] == '-')
			r = err_set(err, CLI_USAGE, "attach: unexpected '%.40s'", argument);
		else if (vec_push(&wish->names, argument))
			r = err_set(err, -ENOMEM, "out of memory");
	}
	if (!r && !wish->names.count)
		return err_set(err, CLI_USAGE, "attach: name an interface");
	return r;
}

/* All that this host has now: what comes later is for the next call. */
static int add_addresses(struct wish *wish, struct err *err)
{
	_cleanup_(nl_freep) struct nl *nl = NULL;
	struct addr_list own = {};
	int r = nl_new(&nl, err);

	r = r ?: nl_addresses(nl, &own, err);
	vec_foreach(address, &own.list)
		if (!r && !addr_is_martian(address) && vec_push(&wish->setup.addresses, *address))
			r = err_set(err, -ENOMEM, "out of memory");
	vec_free(&own.list);
	return r;
}

static void print_wish(const struct cli *cli, const struct wish *wish)
{
	json_t *names = json_array(), *addresses = json_array(), *from = json_array();
	char text[ADDR_PREFIX_MAX];

	vec_foreach(name, &wish->names)
		json_array_append_new(names, json_string(*name));
	vec_foreach(address, &wish->setup.addresses)
		json_array_append_new(addresses, json_string(addr_print(address, text)));
	vec_foreach(prefix, &wish->setup.prefixes)
		json_array_append_new(from, json_string(addr_prefix_print(prefix, text)));
	if (cli->json) {
		output_json(cli, json_pack("{s:o, s:b, s:o, s:o, s:i}", "interfaces", names,
					   "generic", wish->generic, "addresses", addresses, "from",
					   from, "gue_port", wish->setup.gue_port));
		return;
	}
	vec_foreach(name, &wish->names)
		printf("%s: decapsulates%s\n", *name,
		       wish->generic ? " in generic mode" : " in native mode");
	printf("for");
	vec_foreach(address, &wish->setup.addresses)
		printf(" %s", addr_print(address, text));
	printf("\nfrom");
	vec_foreach(prefix, &wish->setup.prefixes)
		printf(" %s", addr_prefix_print(prefix, text));
	printf("%s\n", wish->setup.prefixes.count ? "" : " anywhere; limit it with --from PREFIX");
	json_decref(names);
	json_decref(addresses);
	json_decref(from);
}

int cli_attach_decap(const struct cli *cli, struct err *err)
{
	_cleanup_(wish_fini) struct wish wish = { .setup.gue_port = WEIR_GUE_PORT };
	int r = take_arguments(cli, &wish, err);

	r = r ?: add_addresses(&wish, err);
	r = r
		    ?: decap_attach(cli->instance, &wish.setup, wish.names.items, wish.names.count,
				    wish.generic ? ATTACH_GENERIC : ATTACH_NATIVE, err);
	if (!r)
		print_wish(cli, &wish);
	return r;
}

int cli_detach_decap(const struct cli *cli, struct err *err)
{
	int names = 0, r = 0;

	for (int i = 1; !r && i < cli->argc; i++) {
		const char *name = cli->argv[i];

		if (!strcmp(name, "--decap"))
			continue;
		if (name[0] == '-')
			return err_set(err, CLI_USAGE, "detach: unexpected '%.40s'", name);
		names++;
		r = decap_detach(cli->instance, name, err);
		if (r < 0)
			return r;
		if (cli->json)
			output_json(cli,
				    json_pack("{s:s, s:b}", "interface", name, "attached", false));
		else
			printf("%s: no longer decapsulates\n", name);
	}
	return names ? r : err_set(err, CLI_USAGE, "detach: name an interface");
}

static const struct {
	const char *kind;
	const char *name;
	const char *help;
	const char *hint;
} reasons[WEIR_DECAP_COUNT] = {
#define X(name, kind, metric, help, hint) [WEIR_DECAP_##name] = { #kind, metric, help, hint },
	WEIR_DECAP_REASONS(X)
#undef X
};

static void kind_text(const char *kind, char text[8])
{
	snprintf(text, 8, "%s", kind);
	for (size_t i = 0; text[i]; i++)
		text[i] |= 0x20;
}

static json_t *counts_json(const uint64_t counts[WEIR_DECAP_COUNT])
{
	json_t *list = json_array();
	char kind[8];

	for (int i = 0; i < WEIR_DECAP_COUNT; i++) {
		kind_text(reasons[i].kind, kind);
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:I, s:s, s:s}", "kind", kind, "reason",
						reasons[i].name, "packets", (json_int_t)counts[i],
						"help", reasons[i].help, "hint", reasons[i].hint));
	}
	return list;
}

static void print_counts(const uint64_t counts[WEIR_DECAP_COUNT])
{
	static const char *const head[] = { "KIND", "REASON", "PACKETS", "WHAT" };
	struct table table = { .align = "llrl" };
	char kind[8];

	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		table_add(&table, "%s", head[i]);
	for (int i = 0; i < WEIR_DECAP_COUNT; i++) {
		if (!counts[i])
			continue;
		kind_text(reasons[i].kind, kind);
		table_add(&table, "%s", kind);
		table_add(&table, "%s", reasons[i].name);
		table_add(&table, "%llu", (unsigned long long)counts[i]);
		table_add(&table, "%s%s%s", reasons[i].help, reasons[i].hint[0] ? "; " : "",
			  reasons[i].hint);
	}
	table_print(&table, stdout);
}

int cli_show_decap(const struct cli *cli, struct err *err)
{
	uint64_t counts[WEIR_DECAP_COUNT];
	struct attachments attachments = {};
	json_t *names;
	int r = decap_read(cli->instance, counts, &attachments, err);

	if (r < 0)
		return r == -ENOENT ? -EHOSTDOWN : r;
	if (cli->json) {
		names = json_array();
		vec_foreach(attachment, &attachments.list)
			json_array_append_new(names, json_string(attachment->name));
		output_json(cli, json_pack("{s:o, s:o}", "interfaces", names, "reasons",
					   counts_json(counts)));
	} else {
		vec_foreach(attachment, &attachments.list)
			printf("%s: %s\n", attachment->name,
			       !attachment->ifindex		    ? "the interface is gone"
			       : attachment->mode == ATTACH_GENERIC ? "in generic mode"
								    : "in native mode");
		print_counts(counts);
	}
	vec_free(&attachments.list);
	return 0;
}
