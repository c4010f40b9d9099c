/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The test rig: the real data plane, loaded into the kernel under a name of its own, with two
 * interfaces that no frame ever crosses; packets go through it by BPF_PROG_TEST_RUN. One instance
 * serves all tests of a program, each of which finds its maps empty and the clock at zero:
 *
 *   #include "rig_suite.h"
 *   RIG_SUITE(parse);
 *   Test(parse, plain) { rig_configure("version: 1 ..."); rig_send(&packet); }
 *
 * A configuration is a YAML text as users write it, plus facts by hand. Where a test names none,
 * endpoints are direct neighbours on interface 0 with a MAC made from their address.
 */
#ifndef TESTS_LIB_RIG_H
#define TESTS_LIB_RIG_H

#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <sys/types.h>

#include <weir/abi.h>

#include "dataplane/object.h"
#include "packet.h"
#include "plan/locations.h"
#include "plan/plan.h"

#define CLIENT4		  "198.51.100.7"
#define CLIENT6		  "2001:db8:c::7"
#define VIP4		  "192.0.2.1"
#define VIP6		  "2001:db8::1"
#define SNAT4		  "10.0.0.1"
#define SNAT6		  "fd00::1"
#define ARM0_MAC	  "02:00:00:00:a0:01"
#define ARM1_MAC	  "02:00:00:00:a0:02"
#define SNAT_FIRST	  20000
#define SNAT_LAST	  20999

#define RIG_MTU		  9000 /* of every path */
#define RIG_MAC_TEXT	  18
#define RIG_INSTANCE_NAME 32
#define RIG_LISTENERS	  64 /* ids whose counters are watched with every packet */
#define RIG_NODES	  2

struct rig {
	struct object *object;
	struct model *model;
	struct plan *plan; /* in force */
	struct overrides overrides;
	struct facts facts;
	struct locations *locations; /* that the facts name */
	uint32_t arm[2];	     /* interfaces */
	unsigned ingress;	     /* the arm that the next packet comes in by */
	bool no_headroom;	     /* the driver left none in front of it */
	uint64_t seen[RIG_LISTENERS][WEIR_R_COUNT];
};

extern struct rig rig;
extern const struct capacity rig_capacity; /* of every node */

/* What became of a packet. It is an error of the test if it was not counted exactly once. */
struct rig_result {
	int verdict;
	enum weir_reason reason;
	uint32_t listener;	  /* whose counter it was; 0: of no listener */
	bool noted[WEIR_R_COUNT]; /* reasons of kind NOTE that were counted, too */
	struct packet out;	  /* size and bytes only */
};

/* In the process that runs all tests. */
void rig_make_instance(void);
void rig_remove_instance(void);
void rig_instance_name(char name[RIG_INSTANCE_NAME], pid_t runner, unsigned node);

/* In the process of each test. rig_renew(): with new maps of this capacity, before rig_configure().
 */
void rig_up(void);
void rig_down(void);
void rig_renew(const struct capacity *capacity);
void rig_clear_flows(void);

/* `rig` becomes another node, 0 being the one that every test begins with: another instance with
 * maps of its own, empty at first, and facts of its own, on the same two interfaces. It is loaded
 * when it is first used. rig_down() ends them all. */
void rig_use_node(unsigned node);

/* The text becomes the configuration in force; printf-like. */
void rig_configure(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* ... or an error, and then nothing has changed. */
int rig_try(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
int rig_try_model(struct err *err); /* rig.model as it is */
/* The parts of it, for tests that look between them: text to rig.model (with facts for what is
 * new in it), model and facts to a plan, plan to maps. */
void rig_parse(const char *text);
struct plan *rig_plan(void);
void rig_enforce(struct plan *next);

/* Where clients are, as the file of client_regions says it, before rig_configure(); NULL: that is
 * not known. */
void rig_clients(const char *text);

/* Facts by hand, before rig_configure(); NULL mac: not resolved; arm -1: no route. */
void rig_target(const char *address, const char *mac, int arm);
void rig_router(const char *address, const char *next_hop, const char *mac, int arm);
/* A VLAN device on an arm, with the tags that its frames have (include/weir/abi.h; 0: none), and
 * that what leads to the target passes; both before rig_configure(). Returns its ifindex, of no
 * interface that there is. */
uint32_t rig_vlan(const char *name, int arm, uint16_t outer, uint16_t inner);
void rig_target_in(const char *address, uint32_t vlan);
void rig_ports(const char *address, uint32_t count, const struct weir_port_range *ranges);
void rig_advance(uint32_t seconds);

/* What the daemon does every other second, in its order (daemon/upkeep.c): settles and expires,
 * releases, pins. */
void rig_upkeep(void);

/* Through the program. */
struct rig_result rig_send(const struct packet *packet);
/* The verdict alone, without a look at counters: for many packets. `out` may be NULL. */
int rig_run(const struct packet *packet, struct packet *out);
/* After packets that rig_run() took. */
void rig_recount(void);

/* The usual three questions; `line` of the caller for the message. */
void rig_expect_pass(const struct packet *packet, enum weir_reason reason, int line);
void rig_expect_drop(const struct packet *packet, enum weir_reason reason, int line);
/* Answered by weir itself, for this reason and with these bytes. */
void rig_expect_answer(const struct packet *packet, enum weir_reason reason,
		       const struct packet *expected, int line);
void rig_expect_sent(const struct packet *packet, const struct packet *expected, int line);
/* Sent towards this endpoint, known by the MAC that rig_mac() gives it. */
void rig_expect_to(const struct packet *packet, const char *endpoint, int line);
#define EXPECT_TO(packet, endpoint) rig_expect_to(&(packet), endpoint, __LINE__)
#define EXPECT_PASS(packet, reason) rig_expect_pass(&(packet), WEIR_R_##reason, __LINE__)
#define EXPECT_DROP(packet, reason) rig_expect_drop(&(packet), WEIR_R_##reason, __LINE__)
#define EXPECT_ANSWER(packet, reason, expected)                                                    \
	rig_expect_answer(&(packet), WEIR_R_##reason, &(expected), __LINE__)
#define EXPECT_RESET(in, reason)                                                                   \
	do {                                                                                       \
		struct packet reset_ = packet_reset(&(in));                                        \
		EXPECT_ANSWER(in, reason, reset_);                                                 \
	} while (0)
#define EXPECT_ICMP(in, reason, type, code)                                                        \
	do {                                                                                       \
		struct packet error_ = packet_icmp_error(&(in), type, code, 0);                    \
		EXPECT_ANSWER(in, reason, error_);                                                 \
	} while (0)
#define EXPECT_SENT(packet, expected) rig_expect_sent(&(packet), &(expected), __LINE__)

const char *rig_reason(enum weir_reason reason);

/* What the maps say. */
struct weir_traffic rig_traffic(const char *listener);
struct weir_traffic rig_endpoint_traffic(const char *listener, const char *endpoint);
uint64_t rig_counted(const char *listener, enum weir_reason reason);
uint32_t rig_count_records(int map);
/* The NAT table: LIVE records, tags that are set, reply entries. They agree between packets. */
uint32_t rig_count_nat(void);
uint32_t rig_count_tags(void);
uint32_t rig_count_replies(void);
/* The record of a flow (client to listener) or NULL. */
struct weir_nat_record *rig_nat_record(const struct weir_flow *flow);
/* Opened - closed, of all endpoints. */
uint64_t rig_nat_open(void);
struct plan_listener *rig_listener(const char *name);
/* By its name or address, in the listener's block. */
struct plan_endpoint *rig_endpoint(const char *listener, const char *endpoint);
/* "02:00:00:00:00:0b" of 10.0.0.11: what facts give an endpoint by themselves. */
const char *rig_mac(const char *address, char text[RIG_MAC_TEXT]);
/* Where a packet went, by the destination MAC that rig_mac() gave its endpoint. */
bool rig_went_to(const struct packet *out, const char *address);
/* The key that the data plane makes of a packet built by TCP() or UDP(). */
struct weir_flow rig_flow(const struct packet *packet);

/* Takes every free place of a flow map with records of `key.src` 203.0.113.x; returns how many. */
uint32_t rig_fill(int map, const void *value);

#endif
