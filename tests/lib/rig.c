// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "rig.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <weir/names.h>

#include "config/config.h"
#include "dataplane/counters.h"
#include "dataplane/flows.h"
#include "dataplane/nat.h"
#include "dataplane/sync.h"

#define VLAN_IFINDEX 1000000u /* of VLAN devices that there are not, and those that follow */

struct rig rig;

/* The nodes that are not `rig`. */
static struct rig nodes[RIG_NODES];
static unsigned in_use;

/* object_load() would do, but verifies the program anew: that takes longer than most tests. So the
 * runner has made node 0, and the first test that uses another leaves it to those after it. */
static void open_instance(void)
{
	char name[RIG_INSTANCE_NAME];
	struct err err = {};
	bool fresh;
	int r;

	rig_instance_name(name, getppid(), in_use);
	r = object_open_writable(name, &rig.object, &err);
	if (r == -ENOENT && in_use)
		r = object_load(name, &rig_capacity, &rig.object, &fresh, &err);
	cr_assert_eq(r, 0, "%s", err.text);
}

void rig_renew(const struct capacity *capacity)
{
	char name[RIG_INSTANCE_NAME];
	struct err err = {};
	bool fresh;

	rig_instance_name(name, getppid(), in_use);
	object_close(rig.object);
	rig.object = NULL;
	cr_assert_eq(object_unpin(name, &err), 0, "%s", err.text);
	cr_assert_eq(object_load(name, capacity, &rig.object, &fresh, &err), 0, "%s", err.text);
	cr_assert(fresh);
}

#define CLEAR_BATCH 8192

static void clear_map(int map)
{
	static struct weir_flow keys[CLEAR_BATCH];
	static uint8_t values[CLEAR_BATCH][128];
	uint32_t position, next, count;
	void *from = NULL;
	int r;

	do {
		count = CLEAR_BATCH;
		r = bpf_map_lookup_and_delete_batch(map, from, &next, keys, values, &count, NULL);
		position = next;
		from = &position;
	} while (!r);
	cr_assert_eq(errno, ENOENT, "%s", strerror(errno));
}

static void clear_counters(int map, uint32_t key, size_t size)
{
	void *zeros = calloc((size_t)libbpf_num_possible_cpus(), size);

	cr_assert_eq(bpf_map_update_elem(map, &key, zeros, BPF_ANY), 0);
	free(zeros);
}

/* The records that are counted are no more. */
static void forget_opened(uint32_t row)
{
	size_t cpus = (size_t)libbpf_num_possible_cpus();
	struct weir_endpoint_stats *stats = calloc(cpus, sizeof(*stats));

	cr_assert_eq(bpf_map_lookup_elem(rig.object->endpoint_stats, &row, stats), 0);
	for (size_t cpu = 0; cpu < cpus; cpu++)
		stats[cpu].nat_opened = stats[cpu].nat_closed = 0;
	cr_assert_eq(bpf_map_update_elem(rig.object->endpoint_stats, &row, stats, BPF_ANY), 0);
	free(stats);
}

static uint32_t nat_buckets(void)
{
	return nat_size(rig.object) / WEIR_NAT_WAYS;
}

void rig_clear_flows(void)
{
	clear_map(rig.object->exceptions);
	memset(rig.object->nat_records, 0, nat_size(rig.object) * sizeof(*rig.object->nat_records));
	memset(rig.object->nat_tags, 0, nat_buckets() * sizeof(*rig.object->nat_tags));
	memset(rig.object->nat_replies, 0, nat_buckets() * sizeof(*rig.object->nat_replies));
	for (uint32_t row = 0; row < rig.object->capacity.of[CAPACITY_ROWS]; row++)
		if (rig.object->endpoints[row].generation)
			forget_opened(row);
}

/* As fresh as a new instance. */
static void clear_maps(void)
{
	struct object *object = rig.object;
	uint32_t listeners = object->capacity.of[CAPACITY_LISTENERS];
	uint32_t rows = object->capacity.of[CAPACITY_ROWS];

	for (uint32_t id = 0; id < listeners; id++)
		if (!id || object->listener_info[id].name[0])
			clear_counters(object->listener_stats, id,
				       sizeof(struct weir_listener_stats));
	for (uint32_t row = 0; row < rows; row++)
		if (object->endpoints[row].generation)
			clear_counters(object->endpoint_stats, row,
				       sizeof(struct weir_endpoint_stats));
	for (uint32_t i = 0; i < WEIR_MAX_EGRESS; i++)
		bpf_map_delete_elem(object->tx_ports, &i);
	*object->control = (struct weir_control){ .abi_version = WEIR_ABI_VERSION };
	memset(object->listeners, 0,
	       2 * object->capacity.of[CAPACITY_CELLS] * sizeof(*object->listeners));
	memset(object->slots, 0, object->capacity.of[CAPACITY_LINES] * sizeof(*object->slots));
	memset(object->slots_previous, 0,
	       object->capacity.of[CAPACITY_LINES] * sizeof(*object->slots_previous));
	memset(object->sources, 0,
	       object->capacity.of[CAPACITY_SOURCES] * sizeof(*object->sources));
	memset(object->cookies_sent, 0, listeners * sizeof(*object->cookies_sent));
	memset(object->guards, 0, 2 * listeners * sizeof(*object->guards));
	memset(object->bounds, 0,
	       object->capacity.of[CAPACITY_BOUND_LINES] * sizeof(*object->bounds));
	memset(object->bound_regions, 0,
	       object->capacity.of[CAPACITY_BOUND_LINES] * sizeof(*object->bound_regions));
	memset(object->clients, 0,
	       object->capacity.of[CAPACITY_CLIENT_ROWS] * sizeof(*object->clients));
	memset(object->endpoints, 0, rows * sizeof(*object->endpoints));
	memset(object->egress, 0, WEIR_MAX_EGRESS * sizeof(*object->egress));
	memset(object->snat, 0, WEIR_MAX_SNAT * sizeof(*object->snat));
	memset(object->listener_info, 0, listeners * sizeof(*object->listener_info));
	memset(object->endpoint_info, 0, rows * sizeof(*object->endpoint_info));
	memset(object->region_info, 0, WEIR_MAX_REGIONS * sizeof(*object->region_info));
	memset(object->nat_latency, 0, rows * sizeof(*object->nat_latency));
	clear_map(object->fragments);
	clear_map(object->learned_mtus);
	for (uint32_t kind = 0; kind < WEIR_ANSWER_KINDS; kind++)
		bpf_map_update_elem(object->answer_pace, &kind, &(uint64_t){ 0 }, BPF_ANY);
	rig_clear_flows();
}

static void make_arms(void)
{
	cr_assert_eq(unshare(CLONE_NEWNET), 0, "%s", strerror(errno));
	cr_assert_eq(system("ip link add arm0 address " ARM0_MAC
			    " type veth peer arm1 address " ARM1_MAC),
		     0);
}

static void add_arms(void)
{
	static const char *const names[] = { "arm0", "arm1" };

	for (int i = 0; i < 2; i++) {
		struct facts_interface arm = { .ifindex = if_nametoindex(names[i]) };
		const char *mac = i ? ARM1_MAC : ARM0_MAC;

		rig.arm[i] = arm.attached = arm.ifindex;
		snprintf(arm.name, sizeof(arm.name), "%s", names[i]);
		memcpy(arm.mac, ether_aton(mac), sizeof(arm.mac));
		cr_assert_eq(vec_push(&rig.facts.interfaces, arm), 0);
	}
}

static void begin_node(void)
{
	add_arms();
	open_instance();
	clear_maps();
	rig.plan = plan_new();
	cr_assert(rig.plan);
	rig.facts.now = object_now(rig.object);
	rig_recount();
}

static void end_node(void)
{
	model_free(rig.model);
	plan_free(rig.plan);
	overrides_fini(&rig.overrides);
	facts_fini(&rig.facts);
	locations_free(rig.locations);
	object_close(rig.object);
	rig = (struct rig){};
}

void rig_up(void)
{
	make_arms();
	begin_node();
}

void rig_down(void)
{
	nodes[in_use] = rig;
	for (unsigned node = 0; node < RIG_NODES; node++) {
		rig = nodes[node];
		nodes[node] = (struct rig){};
		end_node();
	}
	in_use = 0;
}

void rig_use_node(unsigned node)
{
	cr_assert(node < RIG_NODES);
	nodes[in_use] = rig;
	rig = nodes[node];
	in_use = node;
	if (!rig.object)
		begin_node();
}

void rig_clients(const char *text)
{
	const struct clients *layers[1];
	struct findings findings = {};
	struct clients clients = {};
	int r;

	locations_free(rig.locations);
	rig.facts.locations = rig.locations = NULL;
	if (!text)
		return;
	r = clients_parse(text, strlen(text), &clients, &findings);
	if (r)
		findings_print(&findings, "clients", text, strlen(text), false, stderr);
	cr_assert_eq(r, 0);
	findings_fini(&findings);
	layers[0] = &clients;
	cr_assert_eq(locations_build(layers, 1, &rig.locations), 0);
	clients_fini(&clients);
	rig.facts.locations = rig.locations;
}

static struct addr address_of(const char *text)
{
	struct addr addr = {};

	cr_assert_eq(addr_parse(text, &addr), 0, "not an address: %s", text);
	return addr;
}

const char *rig_mac(const char *address, char text[RIG_MAC_TEXT])
{
	struct addr addr = address_of(address);

	snprintf(text, RIG_MAC_TEXT, "02:00:00:00:%02x:%02x", addr.bytes[14], addr.bytes[15]);
	return text;
}

void rig_router(const char *address, const char *next_hop, const char *mac, int arm)
{
	struct addr addr = address_of(address);
	struct facts_target *target = facts_target(&rig.facts, &addr);

	if (!target) {
		cr_assert_eq(vec_push(&rig.facts.targets, (struct facts_target){}), 0);
		target = &rig.facts.targets.items[rig.facts.targets.count - 1];
	}
	*target = (struct facts_target){
		.address = addr,
		.next_hop = address_of(next_hop),
		.ifindex = arm < 0 ? 0 : rig.arm[arm],
		.source = address_of(addr_family(&addr) == AF_INET ? SNAT4 : SNAT6),
		.mtu = RIG_MTU,
		.resolved = mac,
	};
	if (mac)
		memcpy(target->mac, ether_aton(mac), sizeof(target->mac));
}

void rig_target(const char *address, const char *mac, int arm)
{
	rig_router(address, address, mac, arm);
}

uint32_t rig_vlan(const char *name, int arm, uint16_t outer, uint16_t inner)
{
	struct facts_interface vlan = rig.facts.interfaces.items[arm];

	vlan.ifindex = VLAN_IFINDEX + (uint32_t)rig.facts.interfaces.count;
	snprintf(vlan.name, sizeof(vlan.name), "%s", name);
	vlan.vlan[0] = outer;
	vlan.vlan[1] = inner;
	cr_assert_eq(vec_push(&rig.facts.interfaces, vlan), 0);
	return vlan.ifindex;
}

void rig_target_in(const char *address, uint32_t vlan)
{
	struct addr addr = address_of(address);
	struct facts_target *target = facts_target(&rig.facts, &addr);

	cr_assert(target, "%s is no target", address);
	target->ifindex = vlan;
}

void rig_ports(const char *address, uint32_t count, const struct weir_port_range *ranges)
{
	struct addr addr = address_of(address);
	struct facts_ports *ports = facts_ports(&rig.facts, &addr);

	if (!ports) {
		cr_assert_eq(vec_push(&rig.facts.ports, (struct facts_ports){}), 0);
		ports = &rig.facts.ports.items[rig.facts.ports.count - 1];
	}
	*ports = (struct facts_ports){ .address = addr, .ranges = count };
	memcpy(ports->range, ranges, count * sizeof(*ranges));
}

void rig_advance(uint32_t seconds)
{
	rig.object->control->clock_offset += seconds;
	rig.facts.now = object_now(rig.object);
}

static void add_ports(const struct addr *address)
{
	static const struct weir_port_range usual = { SNAT_FIRST, SNAT_LAST };
	char text[ADDR_TEXT_MAX];

	if (!facts_ports(&rig.facts, address))
		rig_ports(addr_print(address, text), 1, &usual);
}

static void add_facts(const struct listener *listener)
{
	char text[ADDR_TEXT_MAX], mac[RIG_MAC_TEXT];

	vec_foreach(group, &listener->groups) {
		vec_foreach(endpoint, &group->endpoints) {
			addr_print(&endpoint->address, text);
			if (!facts_target(&rig.facts, &endpoint->address))
				rig_target(text, rig_mac(text, mac), 0);
			add_ports(&facts_target(&rig.facts, &endpoint->address)->source);
		}
	}
	vec_foreach(address, &listener->snat)
		add_ports(address);
}

void rig_parse(const char *text)
{
	struct findings findings = {};
	struct model *model = NULL;
	int r = config_parse(text, strlen(text), &model, &findings);

	if (r)
		findings_print(&findings, "configuration", text, strlen(text), false, stderr);
	cr_assert_eq(r, 0);
	findings_fini(&findings);
	model_free(rig.model);
	rig.model = model;
	vec_foreach(listener, &model->listeners)
		add_facts(listener);
	vec_foreach(address, &model->snat)
		add_ports(address);
}

struct plan *rig_plan(void)
{
	struct plan *next = NULL;
	struct err err = {};
	int r = plan_build(rig.model, &rig.overrides, &rig.facts, rig.plan, &next, &err);

	cr_assert_eq(r, 0, "%s", err.text);
	return next;
}

void rig_enforce(struct plan *next)
{
	struct err err = {};

	cr_assert_eq(sync_plan(rig.object, rig.plan, next, &err), 0, "%s", err.text);
	plan_free(rig.plan);
	rig.plan = next;
	rig_recount();
}

static void settle(uint32_t now)
{
	struct flows_differences differences = {};
	struct err err = {};

	cr_assert_eq(flows_differ(rig.object, rig.plan, now, &differences, &err), 0, "%s",
		     err.text);
	vec_foreach(listener, &rig.plan->listeners) {
		plan_foreach_table(table, listener)
		{
			const bool *differs = flows_differs(&differences, listener, table);

			if (differs && slots_settle(table->slots, table->size, differs))
				sync_phases(rig.object, listener, table);
		}
	}
	flows_differences_fini(&differences);
}

static void pin(struct plan_listener *listener, struct plan_table *table, uint32_t now)
{
	if (!table->deadline || (int32_t)(now - table->deadline) <= 0)
		return;
	slots_pin(table->slots, table->size);
	table->deadline = 0;
	sync_phases(rig.object, listener, table);
}

void rig_upkeep(void)
{
	uint32_t now = object_now(rig.object);
	struct flows flows = {};
	struct err err = {};

	settle(now);
	cr_assert_eq(flows_scan(rig.object, now, true, &flows, &err), 0, "%s", err.text);
	if (plan_release(rig.plan, &flows.references))
		sync_released(rig.object, rig.plan);
	flows_fini(&flows);
	vec_foreach(listener, &rig.plan->listeners)
		plan_foreach_table(table, listener) pin(listener, table, now);
	rig.facts.now = now;
}

static char *format_text(const char *format, va_list arguments)
{
	char *text = NULL;

	cr_assert_geq(vasprintf(&text, format, arguments), 0);
	return text;
}

void rig_configure(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = format_text(format, arguments);
	va_end(arguments);
	rig_parse(text);
	free(text);
	rig_enforce(rig_plan());
}

int rig_try_model(struct err *err)
{
	struct plan *next = NULL;
	int r;

	r = plan_build(rig.model, &rig.overrides, &rig.facts, rig.plan, &next, err);
	r = r ?: sync_plan(rig.object, rig.plan, next, err);
	if (r) {
		plan_free(next);
		return r;
	}
	plan_free(rig.plan);
	rig.plan = next;
	rig_recount();
	return 0;
}

int rig_try(struct err *err, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = format_text(format, arguments);
	va_end(arguments);
	rig_parse(text);
	free(text);
	return rig_try_model(err);
}

#define HEADROOM_MAX 216 /* bytes of metadata that leave a frame no room */

/* Metadata in front of a frame takes the room that a program could let it grow into. */
int rig_run(const struct packet *packet, struct packet *out)
{
	static uint8_t in[HEADROOM_MAX + PACKET_MAX], taken[HEADROOM_MAX + PACKET_MAX];
	uint32_t metadata = rig.no_headroom ? HEADROOM_MAX : 0;
	struct xdp_md context = {
		.data = metadata,
		.data_end = metadata + (uint32_t)packet->size,
		.ingress_ifindex = rig.arm[rig.ingress],
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = in, .data_size_in = context.data_end,
		    .data_out = taken, .data_size_out = metadata + PACKET_MAX, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);

	memcpy(in + metadata, packet->bytes, packet->size);
	cr_assert_eq(bpf_prog_test_run_opts(rig.object->program, &options), 0, "%s",
		     strerror(errno));
	if (out) {
		out->size = options.data_size_out - metadata;
		memcpy(out->bytes, taken + metadata, out->size);
	}
	return (int)options.retval;
}

static const struct {
	const char *name;
	bool note;
} reasons[] = {
#define NOTE				  true
#define FORWARD				  false
#define PASS				  false
#define DROP				  false
#define ANSWER				  false
#define X(name, kind, metric, help, hint) { #name, kind },
	WEIR_REASONS(X)
#undef X
#undef NOTE
#undef FORWARD
#undef PASS
#undef DROP
#undef ANSWER
};

const char *rig_reason(enum weir_reason reason)
{
	return reason < WEIR_R_COUNT ? reasons[reason].name : "nothing";
}

static bool is_watched(uint32_t id)
{
	return id < RIG_LISTENERS && (!id || (rig.plan && plan_find_id(rig.plan, id)));
}

static void look(uint32_t id)
{
	struct counters stats = {};

	cr_assert_eq(counters_listener(rig.object, id ? plan_find_id(rig.plan, id) : NULL, &stats),
		     0);
	memcpy(rig.seen[id], stats.reason, sizeof(stats.reason));
}

void rig_recount(void)
{
	for (uint32_t id = 0; id < RIG_LISTENERS; id++)
		if (is_watched(id))
			look(id);
}

/* What was counted since the last look; true if it is exactly one verdict. */
static bool find_counted(struct rig_result *result)
{
	unsigned verdicts = 0;

	for (uint32_t id = 0; id < RIG_LISTENERS; id++) {
		uint64_t before[WEIR_R_COUNT];

		if (!is_watched(id))
			continue;
		memcpy(before, rig.seen[id], sizeof(before));
		look(id);
		for (unsigned i = 0; i < WEIR_R_COUNT; i++) {
			uint64_t more = rig.seen[id][i] - before[i];

			if (reasons[i].note) {
				result->noted[i] |= more == 1;
				verdicts += more > 1 ? 100 : 0;
			} else if (more) {
				verdicts += (unsigned)more;
				result->reason = (enum weir_reason)i;
				result->listener = id;
			}
		}
	}
	return verdicts == 1;
}

struct rig_result rig_send(const struct packet *packet)
{
	struct rig_result result = { .reason = WEIR_R_COUNT };

	result.verdict = rig_run(packet, &result.out);
	cr_assert(find_counted(&result), "a packet was not counted once (last seen: %s)",
		  rig_reason(result.reason));
	return result;
}

static const char *verdict_name(int verdict)
{
	static const char *const names[] = { "ABORTED", "DROP", "PASS", "TX", "REDIRECT" };

	return verdict >= 0 && verdict < 5 ? names[verdict] : "?";
}

static void expect_bytes(const struct packet *out, const struct packet *expected, int line)
{
	long at = packet_difference(out, expected);

	cr_assert_eq(at, -1, "line %d: byte %ld is %02x, not %02x (%zu bytes, not %zu)", line, at,
		     out->bytes[at < 0 ? 0 : at], expected->bytes[at < 0 ? 0 : at], out->size,
		     expected->size);
}

static struct rig_result expect_reason(const struct packet *packet, int verdict,
				       enum weir_reason reason, int line)
{
	struct rig_result result = rig_send(packet);

	cr_assert(result.verdict == verdict && result.reason == reason,
		  "line %d: %s of %s, not %s of %s", line, verdict_name(result.verdict),
		  rig_reason(result.reason), verdict_name(verdict), rig_reason(reason));
	return result;
}

void rig_expect_pass(const struct packet *packet, enum weir_reason reason, int line)
{
	struct rig_result result = expect_reason(packet, XDP_PASS, reason, line);

	expect_bytes(&result.out, packet, line);
}

void rig_expect_drop(const struct packet *packet, enum weir_reason reason, int line)
{
	expect_reason(packet, XDP_DROP, reason, line);
}

void rig_expect_answer(const struct packet *packet, enum weir_reason reason,
		       const struct packet *expected, int line)
{
	struct rig_result result = expect_reason(packet, XDP_TX, reason, line);

	cr_assert(result.noted[WEIR_R_ANSWERED], "line %d: not counted as answered", line);
	expect_bytes(&result.out, expected, line);
}

void rig_expect_sent(const struct packet *packet, const struct packet *expected, int line)
{
	struct rig_result result = rig_send(packet);

	cr_assert(result.verdict == XDP_TX || result.verdict == XDP_REDIRECT, "line %d: %s of %s",
		  line, verdict_name(result.verdict), rig_reason(result.reason));
	expect_bytes(&result.out, expected, line);
}

void rig_expect_to(const struct packet *packet, const char *endpoint, int line)
{
	struct rig_result result = rig_send(packet);

	cr_assert((result.verdict == XDP_TX || result.verdict == XDP_REDIRECT) &&
			  rig_went_to(&result.out, endpoint),
		  "line %d: %s of %s, to ..:%02x, not to %s", line, verdict_name(result.verdict),
		  rig_reason(result.reason), result.out.bytes[5], endpoint);
}

uint32_t rig_fill(int map, const void *value)
{
	struct addr src = address_of("203.0.113.1"), dst = address_of("203.0.113.2");
	struct weir_flow key = { .protocol = IPPROTO_TCP };
	uint32_t count = 0;

	memcpy(key.src, src.bytes, sizeof(key.src));
	memcpy(key.dst, dst.bytes, sizeof(key.dst));
	for (;; count++) {
		key.sport = (uint16_t)count;
		key.dport = (uint16_t)(count >> 16);
		if (bpf_map_update_elem(map, &key, value, BPF_NOEXIST))
			break;
	}
	cr_assert_eq(errno, E2BIG, "%s", strerror(errno));
	return count;
}
