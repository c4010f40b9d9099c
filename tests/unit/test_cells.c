// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: a lookup as bpf/listener.h does it finds every key of the listener table within
 * WEIR_MAX_PROBES, and none that is not there; all that a configuration may hold fits.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>

#include <weir/hash.h>

#include "dataplane/cells.h"
#include "plan/support.h"

/* The lookup of a packet: the cell, or NULL. */
static const struct weir_listener *find(const struct weir_listener *cells,
					const struct weir_half *half, const struct addr *addr,
					uint16_t port, uint8_t protocol)
{
	uint32_t hash = weir_hash_listener(addr->bytes, port, protocol, half->seed);

	for (uint32_t i = 0; i < WEIR_MAX_PROBES; i++) {
		const struct weir_listener *cell = &cells[(hash + i) & half->mask];

		if (cell->kind == WEIR_CELL_FREE)
			return NULL;
		if (cell->port == port && cell->protocol == protocol &&
		    !memcmp(cell->addr, addr->bytes, sizeof(cell->addr)))
			return cell;
	}
	return NULL;
}

/* ... and where there is none, the one of the address's ranges. */
static const struct weir_listener *find_range(const struct weir_listener *cells,
					      const struct weir_half *half, const struct addr *addr,
					      uint16_t port, uint8_t protocol)
{
	const struct weir_listener *own = find(cells, half, addr, 0, 0);
	const struct weir_listener *cell = find(cells, half, addr, port, protocol);

	if (cell || !own || !(own->flags & WEIR_CELL_HAS_RANGES))
		return cell;
	for (uint32_t i = 0; i < own->range_count; i++) {
		cell = &cells[own->range_first + i];
		cr_assert_eq(cell->kind, WEIR_CELL_RANGE);
		cr_assert_arr_eq(cell->addr, addr->bytes, sizeof(cell->addr));
		cr_assert(!i || cell[-1].protocol < cell->protocol ||
			  (cell[-1].protocol == cell->protocol && cell[-1].last_port < cell->port));
		if (cell->protocol == protocol && cell->port <= port && port <= cell->last_port)
			return cell;
	}
	return NULL;
}

/* Each port by itself, so that each is a key. */
static struct plan_listener *add_listener(struct plan *plan, uint8_t protocol, uint16_t first,
					  uint16_t last)
{
	struct plan_listener listener = {
		.id = plan->listeners.count + 1,
		.protocol = protocol,
		.mode = WEIR_MODE_DSR,
		.idle_timeout = 1000 + plan->listeners.count,
		.block = 4 * plan->listeners.count,
	};

	for (uint32_t port = first; port <= last; port++)
		cr_assert_eq(vec_push(&listener.ports, ((struct port_range){ port, port })), 0);
	cr_assert_eq(vec_push(&plan->listeners, listener), 0);
	return &plan->listeners.items[plan->listeners.count - 1];
}

static void add_address(struct plan_listener *listener, const char *text, unsigned offset)
{
	struct addr address = support_addr(text);

	address.bytes[14] += offset >> 8;
	address.bytes[15] += offset;
	cr_assert_eq(vec_push(&listener->addresses, address), 0);
}

/* A row with two ranges of ports, first to first + 9 and last - 9 to last; first 0: free. */
static void add_snat(struct plan *plan, const char *text, unsigned offset, uint16_t first,
		     uint16_t last)
{
	struct plan_snat snat = {};
	struct addr address = support_addr(text);

	address.bytes[14] += offset >> 8;
	address.bytes[15] += offset;
	memcpy(snat.row.addr, address.bytes, sizeof(snat.row.addr));
	if (first) {
		snat.row.ports = 20;
		snat.row.ranges = 2;
		snat.row.range[0] = (struct weir_port_range){ first, first + 9 };
		snat.row.range[1] = (struct weir_port_range){ last - 9, last };
	}
	cr_assert_eq(vec_push(&plan->snat, snat), 0);
}

static void expect_listener(const struct weir_listener *cell, const struct plan_listener *listener,
			    enum plan_family family)
{
	const struct plan_table *table = &listener->table[family];

	cr_assert(cell, "listener %u is not found", listener->id);
	cr_expect(cell->kind == WEIR_CELL_LISTENER || cell->kind == WEIR_CELL_RANGE);
	cr_expect_eq(cell->id, listener->id);
	cr_expect_eq(cell->mode, listener->mode);
	cr_expect_eq(cell->idle_timeout, listener->idle_timeout);
	cr_expect_eq(cell->endpoint_base, listener->block);
	cr_expect_eq(cell->flags, table->slots ? 0 : WEIR_CELL_NO_ENDPOINT);
	cr_expect_eq(cell->slot_line, table->slots ? table->line : 0);
	cr_expect_eq(cell->slot_mask, table->slots ? table->size - 1 : 0);
}

/* An address's own cell says of one listener what that one's cell says. */
static void expect_first(const struct weir_listener *cells, const struct weir_half *half,
			 const struct addr *address, const struct weir_listener *own)
{
	const struct weir_listener *first =
		find_range(cells, half, address, own->first_port, own->first_protocol);

	cr_assert(own->first_port && first);
	cr_assert_eq(own->last_port,
		     first->kind == WEIR_CELL_RANGE ? first->last_port : own->first_port);
	cr_expect_eq(own->id, first->id);
	cr_expect_eq(own->mode, first->mode);
	cr_expect_eq(own->flags & ~(WEIR_CELL_HAS_LISTENERS | WEIR_CELL_HAS_RANGES), first->flags);
	cr_expect_eq(own->slot_line, first->slot_line);
	cr_expect_eq(own->slot_mask, first->slot_mask);
	cr_expect_eq(own->endpoint_base, first->endpoint_base);
	cr_expect_eq(own->idle_timeout, first->idle_timeout);
}

/* All keys of the plan are found, and the table has no cell beside them. */
static void expect_all(const struct plan *plan, const struct weir_half *half,
		       const struct weir_listener *cells)
{
	for (uint32_t i = 0; i < cells_count(half); i++)
		cr_expect_eq(cells[i].kind == WEIR_CELL_RANGE, i > half->mask);
	vec_foreach(listener, &plan->listeners) {
		vec_foreach(address, &listener->addresses) {
			const struct weir_listener *own = find(cells, half, address, 0, 0);
			bool ip4 = addr_family(address) == AF_INET;

			cr_assert(own && own->kind == WEIR_CELL_ADDRESS);
			cr_assert(own->flags & WEIR_CELL_HAS_LISTENERS);
			expect_first(cells, half, address, own);
			vec_foreach(range, &listener->ports)
				for (uint32_t port = range->first; port <= range->last; port++)
					expect_listener(find_range(cells, half, address, port,
								   listener->protocol),
							listener, ip4 ? PLAN_IP4 : PLAN_IP6);
		}
	}
}

static uint32_t count_used(const struct weir_listener *cells, const struct weir_half *half)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i <= half->mask; i++)
		used += cells[i].kind != WEIR_CELL_FREE;
	return used;
}

/* 1: an empty plan has an empty table in which nothing is found. */
Test(cells, empty)
{
	_cleanup_(plan_freep) struct plan *plan = plan_new();
	_cleanup_(freep) struct weir_listener *cells = NULL;
	struct weir_half half = { .first = 77 };
	struct addr address = support_addr("192.0.2.1");
	struct err err = {};

	cr_assert_eq(cells_build(plan, WEIR_MAX_CELLS, &half, &cells, &err), 0, "%s", err.text);
	cr_expect(half.first == 77 && count_used(cells, &half) == 0);
	cr_expect(((half.mask + 1) & half.mask) == 0 && half.mask < WEIR_MAX_CELLS);
	cr_expect_null(find(cells, &half, &address, 0, 0));
	expect_all(plan, &half, cells);
}

/* 2: cells say what the plan says, per protocol and client family. */
Test(cells, contents)
{
	_cleanup_(plan_freep) struct plan *plan = plan_new();
	_cleanup_(freep) struct weir_listener *cells = NULL;
	const struct weir_listener *cell;
	struct weir_half half = {};
	struct plan_listener *listener;
	struct err err = {};
	struct addr address;

	listener = add_listener(plan, IPPROTO_TCP, 80, 82);
	cr_assert_eq(vec_push(&listener->ports, ((struct port_range){ 65535, 65535 })), 0);
	add_address(listener, "192.0.2.1", 0);
	add_address(listener, "2001:db8::1", 0);
	listener->table[PLAN_IP4] = (struct plan_table){
		.slots = calloc(64, sizeof(struct slot)),
		.size = 64,
		.line = 12,
	};
	listener->table[PLAN_IP6].line = PLAN_NO_LINE;
	listener = add_listener(plan, IPPROTO_UDP, 80, 80);
	add_address(listener, "192.0.2.1", 0);
	/* Removed: has rows and no cell. */
	add_listener(plan, IPPROTO_UDP, 90, 90);
	add_snat(plan, "192.0.2.1", 0, 2000, 3000);
	add_snat(plan, "10.0.0.254", 0, 4000, 5000);
	add_snat(plan, "10.0.0.253", 0, 0, 0);
	add_snat(plan, "10.0.0.254", 0, 1024, 4500);
	cr_assert_eq(cells_build(plan, WEIR_MAX_CELLS, &half, &cells, &err), 0, "%s", err.text);
	expect_all(plan, &half, cells);
	cr_expect_eq(count_used(cells, &half), 2 + 8 + 1 + 1);

	address = support_addr("192.0.2.1");
	cell = find(cells, &half, &address, 0, 0);
	cr_expect(cell->snat_first == 2000 && cell->snat_last == 3000);
	cr_expect_eq(cell->flags, WEIR_CELL_HAS_LISTENERS);
	cr_expect_null(find(cells, &half, &address, 79, IPPROTO_TCP));
	cr_expect_null(find(cells, &half, &address, 83, IPPROTO_TCP));
	cr_expect_null(find(cells, &half, &address, 81, IPPROTO_UDP));
	cr_expect_null(find(cells, &half, &address, 90, IPPROTO_UDP));
	cr_expect_null(find(cells, &half, &address, 0, IPPROTO_TCP));
	address = support_addr("2001:db8::1");
	cell = find(cells, &half, &address, 0, 0);
	cr_expect(!cell->snat_first && !cell->snat_last);
	address = support_addr("10.0.0.254");
	cell = find(cells, &half, &address, 0, 0);
	cr_expect(cell->kind == WEIR_CELL_ADDRESS && !cell->flags);
	cr_expect(cell->snat_first == 1024 && cell->snat_last == 5000, "over all of its rows");
	address = support_addr("10.0.0.253");
	cr_expect_null(find(cells, &half, &address, 0, 0));
}

/* 3: the same plan gives the same bytes, unused cells and padding included. */
Test(cells, deterministic)
{
	_cleanup_(plan_freep) struct plan *plan = plan_new();
	_cleanup_(freep) struct weir_listener *one = NULL, *other = NULL;
	struct weir_half a = {}, b = {};
	struct err err = {};

	add_address(add_listener(plan, IPPROTO_TCP, 1, 500), "192.0.2.1", 0);
	cr_assert_eq(cells_build(plan, WEIR_MAX_CELLS, &a, &one, &err), 0, "%s", err.text);
	cr_assert_eq(cells_build(plan, WEIR_MAX_CELLS, &b, &other, &err), 0, "%s", err.text);
	cr_expect_eq(memcmp(&a, &b, sizeof(a)), 0);
	cr_expect_eq(memcmp(one, other, (a.mask + 1) * sizeof(*one)), 0);
}

/* 4: what configurations may hold (config/conflict.c: a quarter of the cells, and SNAT) fits, in
 * every shape, and keys that are not there are not found. */
Test(cells, full)
{
	static const struct {
		const char *what;
		const char *address;
		unsigned listeners, addresses, ports;
	} shapes[] = {
		{ "one address, all its ports", "192.0.2.1", 1, 1, 16383 },
		{ "one IPv6 address, all its ports", "2001:db8::1", 1, 1, 16383 },
		{ "neighbours, one port", "10.0.0.0", 1, 8192, 1 },
		{ "IPv6 neighbours, one port", "2001:db8::", 1, 8192, 1 },
		{ "many of each", "10.1.0.0", 1, 127, 128 },
		{ "a listener per address", "192.0.2.0", 4095, 1, 3 },
		{ "very many listeners", "192.0.2.0", 30000, 1, 1 },
	};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		_cleanup_(plan_freep) struct plan *plan = plan_new();
		_cleanup_(freep) struct weir_listener *cells = NULL;
		struct weir_half half = {};
		struct err err = {};
		struct addr address = support_addr(shapes[i].address);

		for (unsigned l = 0; l < shapes[i].listeners; l++) {
			struct plan_listener *listener =
				add_listener(plan, IPPROTO_TCP, 1, shapes[i].ports);

			for (unsigned k = 0; k < shapes[i].addresses; k++)
				add_address(listener, shapes[i].address, l + k);
		}
		for (unsigned k = 1; k < WEIR_MAX_SNAT; k++)
			add_snat(plan, "10.99.0.0", k, 1024, 65535);
		cr_assert_eq(cells_build(plan, WEIR_MAX_CELLS, &half, &cells, &err), 0, "%s: %s",
			     shapes[i].what, err.text);
		cr_expect_leq(half.mask + 1, WEIR_MAX_CELLS);
		cr_expect_eq((half.mask + 1) & half.mask, 0);
		expect_all(plan, &half, cells);
		for (uint32_t port = shapes[i].ports + 1; port <= 65535; port++)
			cr_assert_null(find(cells, &half, &address, port, IPPROTO_TCP));
		for (uint32_t port = 1; port <= 65535; port++)
			cr_assert_null(find(cells, &half, &address, port, IPPROTO_UDP));
	}
}

/* 5: random plans around every size of table. */
Test(cells, random)
{
	srand(1);
	for (unsigned round = 0; round < 60; round++) {
		_cleanup_(plan_freep) struct plan *plan = plan_new();
		_cleanup_(freep) struct weir_listener *cells = NULL;
		unsigned keys = 1u << rand() % 14, listeners = 1 + rand() % 5;
		struct weir_half half = {};
		struct err err = {};

		for (unsigned l = 0; l < listeners; l++) {
			unsigned first = 1 + rand() % 40000;
			struct plan_listener *listener =
				add_listener(plan, l % 2 ? IPPROTO_UDP : IPPROTO_TCP, first,
					     first + rand() % (keys / listeners + 1));

			add_address(listener, l % 3 ? "2001:db8::" : "192.0.0.0", 256 * l);
		}
		cr_assert_eq(cells_build(plan, WEIR_MAX_CELLS, &half, &cells, &err), 0, "%s",
			     err.text);
		expect_all(plan, &half, cells);
		for (unsigned i = 0; i < 2000; i++) {
			struct addr address = support_addr("192.0.0.0");

			address.bytes[13] = rand() % 256;
			address.bytes[15] = 1 + rand() % 255;
			cr_assert_null(find(cells, &half, &address, rand() % 65536, IPPROTO_TCP));
			cr_assert_null(find(cells, &half, &address, 0, 0));
		}
	}
}

/* 6: too many keys are refused with their number and what to do, and the outputs are untouched. */
Test(cells, too_many)
{
	_cleanup_(plan_freep) struct plan *plan = plan_new();
	struct weir_half half = { 1, 2, 3, 4 }, before = half;
	struct weir_listener *cells = NULL;
	struct err err = {};

	for (unsigned k = 0; k < 32; k++) {
		add_address(add_listener(plan, IPPROTO_TCP, 1, 65535), "192.0.2.1", k);
		add_address(add_listener(plan, IPPROTO_UDP, 1, 65535), "192.0.2.1", k);
	}
	add_address(add_listener(plan, IPPROTO_TCP, 1, 65535), "192.0.2.1", 64);
	cr_expect_eq(cells_build(plan, WEIR_MAX_CELLS, &half, &cells, &err), -ENOSPC);
	cr_expect_null(cells);
	cr_expect_eq(memcmp(&half, &before, sizeof(half)), 0);
	cr_expect_str_eq(err.text,
			 "too many addresses x ports: 4259841 keys, and the listener table has "
			 "4194304 cells; name fewer ports",
			 "%s", err.text);
}

/* 7: a range is one cell, however wide, and is found beside single ports and other ranges. */
Test(cells, ranges)
{
	_cleanup_(plan_freep) struct plan *plan = plan_new();
	_cleanup_(freep) struct weir_listener *cells = NULL;
	struct addr address = support_addr("192.0.2.1");
	struct weir_half half = {};
	struct err err = {};

	for (unsigned i = 0; i < 200; i++) {
		struct plan_listener *listener = add_listener(
			plan, i & 1 ? IPPROTO_UDP : IPPROTO_TCP, 100 * i + 1, 100 * i + 1);
		struct port_range wide = { 100 * i + 10, 100 * i + 90 };

		cr_assert_eq(vec_push(&listener->ports, wide), 0);
		add_address(listener, "192.0.2.1", i % 3);
		add_address(listener, "2001:db8::1", 0);
	}
	cr_assert_eq(cells_build(plan, WEIR_MAX_CELLS, &half, &cells, &err), 0, "%s", err.text);
	cr_expect_eq(half.ranges, 400);
	expect_all(plan, &half, cells);
	for (unsigned port = 0; port < 20000; port += 100) {
		cr_assert_null(find_range(cells, &half, &address, port + 9, IPPROTO_TCP));
		cr_assert_null(find_range(cells, &half, &address, port + 91, IPPROTO_UDP));
	}
}

/* 8: what is rewritten is what would have been built, and only that. */
Test(cells, rewrite)
{
	_cleanup_(plan_freep) struct plan *plan = plan_new();
	_cleanup_(freep) struct weir_listener *cells = NULL, *again = NULL;
	struct cells_places places = {};
	struct weir_half half = {}, same = {};
	struct plan_listener *listener;
	struct err err = {};

	for (unsigned i = 0; i < 50; i++) {
		listener = add_listener(plan, IPPROTO_TCP, 10 * i + 1, 10 * i + 2);
		cr_assert_eq(
			vec_push(&listener->ports, ((struct port_range){ 10 * i + 4, 10 * i + 7 })),
			0);
		add_address(listener, "192.0.2.1", i % 7);
		add_address(listener, "192.0.2.1", 100 + i % 5);
		listener->table[PLAN_IP4] = (struct plan_table){
			.slots = calloc(64, sizeof(struct slot)), .size = 64, .line = i
		};
	}
	cr_assert_eq(cells_build(plan, WEIR_MAX_CELLS, &half, &cells, &err), 0, "%s", err.text);
	for (unsigned i = 0; i < 50; i += 3) {
		listener = &plan->listeners.items[i];
		listener->table[PLAN_IP4].line += 1000;
		if (i % 2) {
			free(listener->table[PLAN_IP4].slots);
			listener->table[PLAN_IP4].slots = NULL;
		}
		cr_assert_eq(cells_rewrite(cells, &half, listener, &places), 0);
	}
	cr_assert_eq(cells_build(plan, WEIR_MAX_CELLS, &same, &again, &err), 0, "%s", err.text);
	cr_assert_arr_eq(&half, &same, sizeof(half));
	for (uint32_t i = 0; i < cells_count(&half); i++) {
		/* Where there are no slots, nobody asks for their line. */
		if (cells[i].flags & WEIR_CELL_NO_ENDPOINT)
			cells[i].slot_line = cells[i].slot_mask = 0;
		cr_assert_arr_eq(&cells[i], &again[i], sizeof(cells[i]), "cell %u", i);
	}
	cr_assert_gt(places.list.count, 17 * 2 * 3 - 1);
	vec_free(&places.list);
}
