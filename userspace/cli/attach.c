// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* attach, detach, down: the data plane on interfaces. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include <weir/names.h>

#include "cli/client.h"
#include "cli/output.h"
#include "daemon/confirm.h"
#include "daemon/daemon.h"
#include "daemon/state.h"
#include "daemon/ways.h"
#include "daemon/world.h"
#include "daemon/workers.h"
#include "dataplane/attach.h"
#include "dataplane/decap.h"
#include "dataplane/sync.h"
#include "util/caps.h"

#define STOP_WAIT_MS 5000
#define STOP_STEP_MS 20

/* What a daemon does for an interface, but for endpoints behind it: answers find their way back. */
static int enter_egress(struct object *object, const char *name, struct err *err)
{
	_cleanup_(facts_fini) struct facts facts = {};
	_cleanup_(nl_freep) struct nl *nl = NULL;
	struct nl_link link;
	uint32_t ifindex;
	int r = nl_new(&nl, err);

	r = r ?: nl_link_get(nl, name, 0, &link, err);
	if (r < 0)
		return r;
	ifindex = link.ifindex;
	r = ways_add(nl, &ifindex, 1, &facts, err);
	vec_foreach(interface, &facts.interfaces) {
		struct weir_egress egress = facts_egress(interface);

		r = r ?: sync_egress(object, &egress, err);
	}
	return r;
}

/* As a daemon would: what is detached must not be the way to an endpoint. */
static int check_behind(const struct object *object, const char *name, struct err *err)
{
	_cleanup_(plan_freep) struct plan *plan = NULL;
	uint32_t ifindex = if_nametoindex(name);
	int r = sync_adopt(object, &plan, err);

	if (r < 0)
		return r;
	vec_foreach(listener, &plan->listeners) {
		vec_foreach(endpoint, &listener->endpoints) {
			uint32_t index = endpoint->nexthop.egress;

			if (endpoint->state == WEIR_ENDPOINT_GONE || index >= plan->egress.count ||
			    !index || !ifindex || plan->egress.items[index].ifindex != ifindex)
				continue;
			return err_set(err, -EBUSY,
				       "%s: is the way to endpoint %s; take that out of the "
				       "configuration first, or remove everything with: weir down",
				       name, endpoint->name);
		}
	}
	return 0;
}

/* Without a daemon: on the pins alone, which must be there; the next daemon is told. */
static int attach_pinned(const struct cli *cli, const char *name, bool attach, bool generic,
			 struct err *err)
{
	struct state_interface wanted = { .attached = attach, .generic = generic };
	_cleanup_(object_closep) struct object *object = NULL;
	_cleanup_(state_fini) struct state state = {};
	_cleanup_(closep) int lock = -1;
	bool fresh;
	int r = object_open(cli->instance, &object, err);

	if (r == -ENOENT)
		return -EHOSTDOWN;
	r = r ?: daemon_lock(cli->instance, &lock, err);
	r = r ?: state_load(cli->instance, &state, err);
	if (r < 0)
		return r;
	if (attach) {
		struct capacity capacity = object->capacity;

		object_close(take_ptr(object));
		r = object_load(cli->instance, &capacity, &object, &fresh, err);
		r = r
			    ?: attach_interface(object->directory, object->program, name,
						generic ? ATTACH_GENERIC : ATTACH_NATIVE, err);
		r = r ?: enter_egress(object, name, err);
	} else {
		r = check_behind(object, name, err);
		r = r ?: attach_detach(object->directory, name, err);
	}
	if (r < 0)
		return r;
	snprintf(wanted.name, sizeof(wanted.name), "%s", name);
	r = state_set_interface(&state, &wanted);
	return r < 0 ? err_set(err, r, "out of memory") : state_save(cli->instance, &state, err);
}

/* Packets without checksums pass through weir and are dropped by whoever receives them: connections
 * stall, and no counter tells why. */
static void warn_of_checksums(const char *name)
{
	_cleanup_(nl_freep) struct nl *nl = NULL;
	struct nl_veth_peer peer;

	if (nl_new(&nl, NULL) || !nl_veth_leaves_checksums(nl, name, &peer))
		return;
	fprintf(stderr,
		"weir: warning: %s: what is sent from its other end%s%s may come without checksums "
		"(tx checksum offload), and nobody completes them; on that end run: "
		"%s%s%sethtool -K %s tx off\n",
		name, peer.name[0] ? ", " : "", peer.name, peer.netns[0] ? "ip netns exec " : "",
		peer.netns, peer.netns[0] ? " " : "", peer.name[0] ? peer.name : "IF");
}

static int change(const struct cli *cli, const char *name, bool attach, bool generic,
		  struct err *err)
{
	json_t *request = json_pack("{s:s, s:s, s:b}", "call", attach ? "attach" : "detach",
				    "interface", name, "generic", generic);
	int r = client_call(cli, request, NULL, err);

	if (r == -EHOSTDOWN)
		r = attach_pinned(cli, name, attach, generic, err);
	if (r < 0)
		return r;
	if (attach)
		warn_of_checksums(name);
	if (cli->json)
		output_json(cli, json_pack("{s:s, s:b, s:b}", "interface", name, "attached", attach,
					   "generic", generic));
	else
		printf("%s: %s%s\n", name, attach ? "attached" : "detached",
		       !attach	 ? ""
		       : generic ? " in generic mode"
				 : " in native mode");
	return 0;
}

static bool has_option(const struct cli *cli, const char *option)
{
	for (int i = 1; i < cli->argc; i++)
		if (!strcmp(cli->argv[i], option))
			return true;
	return false;
}

int cli_attach(const struct cli *cli, struct err *err)
{
	bool generic = has_option(cli, "--generic");
	int names = 0, r = 0;

	if (has_option(cli, "--decap"))
		return cli_attach_decap(cli, err);

	for (int i = 1; !r && i < cli->argc; i++) {
		if (!strcmp(cli->argv[i], "--generic"))
			continue;
		if (cli->argv[i][0] == '-')
			return err_set(err, CLI_USAGE, "attach: unexpected '%.40s'", cli->argv[i]);
		names++;
		r = change(cli, cli->argv[i], true, generic, err);
	}
	return names ? r : err_set(err, CLI_USAGE, "attach: name an interface");
}

int cli_detach(const struct cli *cli, struct err *err)
{
	int r = 0;

	if (has_option(cli, "--decap"))
		return cli_detach_decap(cli, err);
	if (cli->argc < 2)
		return err_set(err, CLI_USAGE, "detach: name an interface");
	for (int i = 1; !r && i < cli->argc; i++)
		r = change(cli, cli->argv[i], false, false, err);
	return r;
}

/* Asks the daemon to end and waits until it has. */
static int stop_daemon(const struct cli *cli, struct err *err)
{
	int r = client_call(cli, json_pack("{s:s}", "call", "stop"), NULL, err);

	for (int waited = 0; !r && waited < STOP_WAIT_MS; waited += STOP_STEP_MS) {
		nanosleep(&(struct timespec){ .tv_nsec = STOP_STEP_MS * 1000000l }, NULL);
		r = client_call(cli, json_pack("{s:s}", "call", "status"), NULL, NULL);
	}
	if (!r)
		return err_set(err, -ETIMEDOUT, "the daemon does not end; its pid is in %s/%s/lock",
			       WEIR_RUN_DIR, cli->instance);
	return r == -EHOSTDOWN || r == -ECONNRESET || r == -EPIPE ? 0 : r;
}

/*
 * Takes back what was asked of the host, as the state remembers it; where that cannot be read, by
 * weir's mark. What was attached or detached by hand is forgotten with the data plane; weights and
 * drains are not.
 */
static void leave_host(const struct cli *cli, bool pinned)
{
	_cleanup_(object_closep) struct object *object = NULL;
	_cleanup_(plan_freep) struct plan *plan = NULL;
	_cleanup_(state_fini) struct state state = {};
	_cleanup_(nl_freep) struct nl *nl = NULL;
	struct addr_list none = {};
	bool known = !state_load(cli->instance, &state, NULL);

	if (nl_new(&nl, NULL))
		return;
	if (pinned && !client_open(cli, &object, &plan, NULL))
		world_leave(nl, plan);
	else if (pinned)
		nl_neighbour_release_all(nl, NULL);
	if (pinned && !known)
		nl_vips(nl, &state.addresses, NULL);
	world_unanswer(nl, &state.addresses, &none);
	if (!known || (!state.addresses.list.count && !state.interfaces.count))
		return;
	vec_free(&state.addresses.list);
	vec_free(&state.interfaces);
	state_save(cli->instance, &state, NULL);
	state_save_addresses(cli->instance, &state, NULL);
}

int cli_down(const struct cli *cli, struct err *err)
{
	_cleanup_(closep) int lock = -1;
	char pins[OBJECT_PATH_MAX];
	int r;

	if (cli->argc > 1)
		return err_set(err, CLI_USAGE, "down: takes no argument");
	snprintf(pins, sizeof(pins), WEIR_BPFFS "/%s", cli->instance);
	r = caps_require(err); /* before the daemon is gone, and its data plane is not */
	r = r ?: stop_daemon(cli, err);
	r = r ?: daemon_lock(cli->instance, &lock, err);
	if (r < 0)
		return r;
	leave_host(cli, !access(pins, F_OK));
	confirm_clear(cli->instance);
	workers_end(cli->instance);
	r = object_unpin(cli->instance, err);
	r = r ?: decap_unpin(cli->instance, err);
	if (r < 0)
		return r;
	if (cli->json)
		output_json(cli, json_pack("{s:b}", "down", true));
	else
		printf("%s: the data plane is gone\n", cli->instance);
	return 0;
}
