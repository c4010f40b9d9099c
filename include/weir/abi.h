/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The contract between the kernel half and the user half: every map's key and value.
 *
 * Addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d, so that one path serves both
 * families. Ports are in host order: people read these maps with bpftool. Times are whole seconds
 * of CLOCK_MONOTONIC plus control.clock_offset. Padding is explicit and zero.
 *
 * Configuration maps (control to endpoint_info) are written by user space only, through mmap, and
 * published by one store to control.generation; flow maps (exceptions, nat_*) are written by BPF,
 * and user space only deletes from exceptions. <weir/nat.h> has the NAT flow table.
 */
#ifndef WEIR_ABI_H
#define WEIR_ABI_H

#include <linux/types.h>

#include <weir/counters.h>
#include <weir/health.h>

#define WEIR_ABI_VERSION 6

#define WEIR_NAME_MAX	 64 /* with the final NUL */

/* Bounds. How much the maps of an instance hold is chosen when they are made, and grows: see
 * userspace/dataplane/capacity.h. */
#define WEIR_MAX_LISTENERS   131072u  /* listener ids; id 0 counts what belongs to no listener */
#define WEIR_MAX_CELLS	     4194304u /* cells of one generation of the listener table */
#define WEIR_MAX_PROBES	     8u	      /* cells looked at for one key; the writer keeps to it */
#define WEIR_MAX_ENDPOINTS   2097152u /* endpoint rows */
#define WEIR_MAX_SLOT_LINES  4194304u /* 128 Mi slots */
#define WEIR_SLOTS_PER_LINE  32u
#define WEIR_MAX_TABLE	     65536u  /* slots of one table unless it has > 512 endpoints */
#define WEIR_MAX_EGRESS	     64u     /* interfaces; index 0 means none */
#define WEIR_MAX_SNAT	     256u    /* SNAT addresses; index 0 means none */
#define WEIR_MAX_BOUND_LINES 262144u /* of address ranges */
#define WEIR_MAX_REGIONS     256u    /* of groups and of clients; 0: of none */
#define WEIR_MAX_CLIENT_ROWS 4194304u
#define WEIR_MAX_EXCEPTIONS  16777216u
#define WEIR_MAX_NAT_FLOWS   16777216u
#define WEIR_SNAT_RANGES     8u

#define WEIR_MAX_WORKERS     256u /* that serve http listeners */

/* How long a flow's record lives after its last packet, where that is not the idle timeout (s). */
#define WEIR_TIMEOUT_SYN       30u
#define WEIR_TIMEOUT_CLOSING   10u

#define WEIR_MAX_LEARNED_MTUS  65536u /* endpoints whose path takes less than the route says */
#define WEIR_TIMEOUT_MTU       600u   /* s, until more is tried again: RFC 1191, 6.3 */
#define WEIR_MAX_FRAGMENTED    8192u  /* packets whose later fragments are awaited at once */
#define WEIR_TIMEOUT_FRAGMENTS 30u    /* s; RFC 791 says 15, Linux waits 30 */

/* Programs that are called for what few packets need: places in `stages`. */
enum weir_stage {
	WEIR_STAGE_UNUSUAL,
	WEIR_STAGE_PORTLESS,
	WEIR_STAGE_ANSWER,
	WEIR_STAGE_COOKIE,
	WEIR_STAGES,
};

enum weir_mode {
	WEIR_MODE_NAT = 0,  /* destination and source rewritten, replies come back through weir */
	WEIR_MODE_DSR = 1,  /* only the destination MAC rewritten, the endpoint answers itself */
	WEIR_MODE_IPIP = 2, /* in an IP packet to the endpoint, which answers itself */
	WEIR_MODE_GUE = 3,  /* in a UDP packet to the endpoint, which answers itself */
	WEIR_MODE_COUNT,    /* of those that are configured */
	WEIR_MODE_PROXY = WEIR_MODE_COUNT, /* of http listeners: this host's workers serve it */
};

/* What weir itself says to a packet's sender; each kind has a limit of its own. */
enum weir_answer {
	WEIR_ANSWER_RESET = 0,
	WEIR_ANSWER_UNREACHABLE = 1,
	WEIR_ANSWER_EXPIRED = 2,
	WEIR_ANSWER_TOO_BIG = 3,
	WEIR_ANSWER_ECHO = 4, /* has none */
	WEIR_ANSWER_KINDS
};

/* Whom a listener's lists of addresses let in. */
enum weir_access {
	WEIR_ACCESS_ALL = 0,   /* it has none */
	WEIR_ACCESS_ALLOW = 1, /* who is in one of them */
	WEIR_ACCESS_DENY = 2,  /* who is in none of them */
};

/* The listener table of one generation: open addressing inside `listeners`, linear probing, and
 * behind it the port ranges. */
struct weir_half {
	__u32 first; /* its first cell */
	__u32 mask;  /* cells - 1; cells are a power of two */
	__u32 seed;  /* of weir_hash_listener(); chosen so that no key needs more than MAX_PROBES */
	__u32 ranges; /* cells of kind RANGE, behind the hash table */
};

/* Is something over that was seen at `seen`? The clock may tick between two CPUs' readings. */
static inline __attribute__((always_inline)) int weir_is_over(__u32 now, __u32 seen, __u32 timeout)
{
	__s32 age = now - seen;

	return age > 0 && (__u32)age > timeout;
}

/* control[0] */
struct weir_control {
	__u32 generation; /* the low bit tells which half is in force; store-release to publish */
	__u32 abi_version;
	__u32 slot_seed;	  /* of weir_hash_flow(); configuration, equal on all nodes */
	__u32 clock_offset;	  /* s, added to CLOCK_MONOTONIC; 0 but in tests */
	__u32 writing;		  /* odd while the daemon changes what readers piece together */
	__u32 answers_per_second; /* of each kind (bpf/answer.h); 0: none */
	__u32 nat_seed[2];	  /* of weir_hash_nat(); secret, random when the maps are made */
	struct weir_half half[2];
};

enum weir_cell_kind {
	WEIR_CELL_FREE = 0,
	WEIR_CELL_ADDRESS = 1, /* an address of a listener, of SNAT, or of both; port, protocol 0 */
	WEIR_CELL_LISTENER = 2, /* an address, port and protocol */
	WEIR_CELL_RANGE = 3,	/* the same of ports port..last_port; behind the hash table */
};

/* flags of a cell */
enum weir_cell_flags {
	WEIR_CELL_HAS_LISTENERS = 1, /* kind ADDRESS */
	WEIR_CELL_NO_ENDPOINT = 2,   /* kind LISTENER: no usable endpoint, there is no slot table */
	WEIR_CELL_CLIENT_AFFINITY = 4, /* kind LISTENER: the client's address alone chooses */
	WEIR_CELL_HAS_RANGES = 16,     /* kind ADDRESS: asked where there is no cell of the port */
	WEIR_CELL_NAT = 8, /* kind LISTENER: an endpoint is of mode nat, flows may be recorded */
	WEIR_CELL_CLIENT_REGIONS = 32, /* kind LISTENER: a table for each region of clients */
};

/* listeners[]: one cache line that answers "whose packet is this, and which table decides?" */
struct weir_listener {
	__u8 addr[16];
	__u16 port;
	__u8 protocol;	     /* IPPROTO_TCP, IPPROTO_UDP */
	__u8 kind;	     /* enum weir_cell_kind */
	__u32 id;	     /* of the listener: index of listener_info and listener_stats */
	__u32 slot_line;     /* first line of its table in slots; CLIENT_REGIONS: row of clients */
	__u32 slot_mask;     /* slots - 1, a power of two; CLIENT_REGIONS: the highest number */
	__u32 endpoint_base; /* row of endpoint 0 of its block in endpoints */
	__u32 idle_timeout;  /* s */
	__u16 snat_first;    /* kind ADDRESS: SNAT ports lie in first..last; 0: no SNAT here */
	__u16 snat_last;
	__u8 mode;  /* enum weir_mode */
	__u8 flags; /* enum weir_cell_flags */
	/* kind ADDRESS: of one of its listeners, for which the other fields stand here too, so that
	 * packets to these ports of it, first_port..last_port, need one probe; 0: it has none */
	__u16 first_port;
	__u8 first_protocol;
	__u8 pad0;
	__u16 last_port;   /* kind RANGE, too */
	__u32 guard;	   /* row of guards; 0: everybody is let in, at once */
	__u32 range_first; /* kind ADDRESS: its cells of kind RANGE, by protocol and port; from */
	__u32 range_count; /* the half's first on */
};

/*
 * bounds[]: ranges of addresses as a sorted list of bounds, of which every other one begins a range
 * and the next ends it: an address is in a range if the last bound that is not above it has an odd
 * index. The first bound is 0 and so before any range; the last cell is filled up with ones.
 *
 * The list is the lowest level of a tree of lines. The bounds of a line above it are the first ones
 * of its children; the children of line i are the lines WIDTH * i + 1 and following, from the
 * tree's first line on, and every level but the lowest has all of its lines.
 */
#define WEIR_BOUNDS_IP4	   16u /* in a line: its WIDTH */
#define WEIR_BOUNDS_IP6	   4u
#define WEIR_BOUNDS_LEVELS 9u /* at most; of IPv4 half of them do */

struct weir_bound6 {
	__u64 high; /* host order */
	__u64 low;
};

struct weir_bounds {
	union {
		__u32 ip4[WEIR_BOUNDS_IP4]; /* host order */
		struct weir_bound6 ip6[WEIR_BOUNDS_IP6];
	} of;
};

/* A tree in bounds. */
struct weir_ranges {
	__u32 line;   /* its first */
	__u32 levels; /* 0: there is none */
};

/* bound_regions[]: of each bound of a line, where clients from there on are: a region's number. */
struct weir_bound_regions {
	__u8 region[WEIR_BOUNDS_IP4];
};

#define WEIR_NO_TABLE 0xffffffffu /* as a table's slot_line: no endpoint takes new flows */

/*
 * clients[]: blocks of rows, one for each listener and family whose tables differ by where clients
 * are. The first row of a block names the tree that tells a client's region, row 1 + number that
 * region's slot table; number 0 is that of clients whose region is not known. Of a listener that
 * this host's workers serve there are no slots: slot_mask says who shares an order of groups with
 * whom.
 */
struct weir_clients {
	union {
		struct weir_ranges regions; /* the first row */
		struct {
			__u32 slot_line; /* as a cell's */
			__u32 slot_mask;
		} table;
	} of;
};

/* Whether SYNs are answered with cookies (bpf/cookie.h): for listeners that this host serves. */
enum weir_cookies {
	WEIR_COOKIES_OFF = 0,
	WEIR_COOKIES_MSS = 1, /* as the host's tcp_syncookies says; of TCP options the MSS alone */
	WEIR_COOKIES_TIMES = 2, /* the others, too: the host's tcp_timestamps is 2 */
};

/* guards[]: what a listener demands of a client before anything else is done for it. A row never
 * changes while a cell in force names it; each listener has two, by turns. */
struct weir_guard {
	struct weir_ranges ranges[2]; /* that `access` is about, by the client's family */
	__u8 access;		      /* enum weir_access */
	__u8 pad[3];
	/* How many new flows a source may open: `limit_count` in `limit_seconds`, and
	 * `limit_burst` ahead of that pace; 0: as many as it likes. */
	__u32 limit_count;
	__u32 limit_seconds;
	__u32 limit_burst;
	__u32 limit_interval; /* us between two flows at that pace */
	__u8 cookies;	      /* enum weir_cookies */
	__u8 cookie_wscale;   /* that the stack will choose; > 14: it does not scale windows */
	__u8 pad2[26];
};

/*
 * sources[]: those that have opened flows lately, where that is limited. A bucket is the low 48
 * bits: until when (us) its source has used up its pace; above them a tag of listener and source.
 * One that lies in the past tells nothing, and so its place is free.
 */
#define WEIR_SOURCE_WAYS  8u
#define WEIR_SOURCE_LINES 8192u /* a power of two; 65 536 sources, in half a megabyte */
#define WEIR_SOURCE_TIME  0xffffffffffffull

struct weir_sources {
	__u64 bucket[WEIR_SOURCE_WAYS];
};

/*
 * A slot names endpoints by their place in the listener's block: `current` here, `previous` in a
 * map of its own, which only packets of MOVING slots read. An unrecorded established flow belongs
 * to `previous` in MOVING, to `current` otherwise (bpf/select.h).
 */
enum weir_phase {
	WEIR_STABLE = 0, /* nothing is looked up or recorded */
	WEIR_MOVING = 1, /* changed less than an idle timeout ago: flows are recorded when seen */
	WEIR_PINNED = 2, /* all flows that stay elsewhere are recorded; nothing new is */
};

/* As `current`: no endpoint takes new flows, but those of `previous` go on. */
#define WEIR_SLOT_NONE 0x3fffu

struct weir_slot {
	__u16 current : 14;
	__u16 phase : 2; /* enum weir_phase */
};

/* slots[]: an array value is rounded up to 8 bytes, so slots come by the cache line. */
struct weir_slots {
	struct weir_slot slot[WEIR_SLOTS_PER_LINE];
};

/* slots_previous[], line by line as slots; written before a slot says MOVING, and only then. */
struct weir_slots_previous {
	__u16 endpoint[WEIR_SLOTS_PER_LINE];
};

/* One aligned word, read and written whole. */
struct weir_nexthop {
	__u8 mac[6];
	__u16 egress; /* index in egress; 0: not resolved */
} __attribute__((aligned(8)));

enum weir_endpoint_state {
	WEIR_ENDPOINT_FREE = 0,
	WEIR_ENDPOINT_ACTIVE = 1,
	WEIR_ENDPOINT_DRAINING = 2, /* takes no new flows, keeps those it has */
	WEIR_ENDPOINT_GONE = 3,	    /* removed: its flows are selected anew, or end */
	WEIR_ENDPOINT_DEAD = 4,	    /* the same, of one that health checks found abnormal */
};

/* endpoints[] */
struct weir_endpoint {
	__u8 addr[16];
	struct weir_nexthop nexthop;
	__u32 generation; /* differs each time the row gets a new owner */
	__u16 port;	  /* 0: the listener's */
	__u8 state;	  /* enum weir_endpoint_state */
	__u8 mode;	  /* enum weir_mode */
	__u32 listener;	  /* id */
	/* nat: one word, stored whole */
	__u16 snat;	/* first row in snat; 0: none */
	__u8 snat_rows; /* consecutive rows to choose from */
	/* ipip, gue: `source` is a prefix, and so many bits behind it are the flow hash's, so that
	 * an endpoint's network card spreads the flows over its CPUs; 0: it is an address. */
	__u8 source_bits;
	__u32 idle_timeout; /* s, of its listener */
	/* ipip, gue: bytes of a packet on the path, outer headers included. The daemon writes the
	 * route's; BPF lowers it where a router says so, for a time (bpf/mtu.h). */
	__u16 mtu;
	__u16 gue_port;
	__u8 source[16];
};

/* A VLAN tag: its id, and whether it is 802.1ad's (QinQ's outer one) or 802.1Q's. 0: none; an id of
 * 0 is none either, since it only tells a priority. */
#define WEIR_VLANS	 2u /* tags of a frame, at most */
#define WEIR_VLAN_ID	 0x0fffu
#define WEIR_VLAN_8021AD 0x1000u

/* egress[]: a way out, by an attached interface or by a VLAN device on one; the same index in
 * tx_ports (DEVMAP) redirects to the attached one. */
struct weir_egress {
	__u32 ifindex; /* of the attached interface; 0: free */
	__u8 mac[6];
	__u16 mtu;		/* bytes, layer 3; 0: not known */
	__u16 vlan[WEIR_VLANS]; /* tags of its frames, outermost first; read as one word */
	char name[16];		/* of the interface or VLAN device */
	__u32 device; /* ... its own ifindex, by which the stack knows it; 0: it is gone */
	__u8 pad[28];
};

struct weir_port_range {
	__u16 first;
	__u16 last;
};

/* snat[]: a source address towards endpoints, and the ports that weir may use on it. */
struct weir_snat {
	__u8 addr[16];
	__u32 ports; /* in all ranges */
	__u32 ranges;
	struct weir_port_range range[WEIR_SNAT_RANGES];
	__u8 pad[8];
};

/* The key of every flow map: one direction of a flow as it is on the wire. */
struct weir_flow {
	__u8 src[16];
	__u8 dst[16];
	__u16 sport;
	__u16 dport;
	__u8 protocol;
	__u8 pad[3];
} __attribute__((aligned(8)));

/* TCP as far as a timeout needs it; UDP is OPEN from its first packet. */
enum weir_flow_state {
	WEIR_FLOW_SYN = 0, /* only SYNs so far */
	WEIR_FLOW_OPEN = 1,
	WEIR_FLOW_CLOSING = 2, /* FIN seen */
	WEIR_FLOW_RESET = 3,   /* RST seen */
};

/* exceptions: weir_flow (client to listener) to the endpoint it stays on. */
struct weir_exception {
	__u32 endpoint;	    /* row */
	__u32 generation;   /* of the row */
	__u32 seen;	    /* s */
	__u32 idle_timeout; /* s */
	__u32 listener;
	__u8 state; /* enum weir_flow_state */
	__u8 pad[3];
};

/* One rule for both halves: BPF disregards what user space deletes. */
static inline __attribute__((always_inline)) int weir_exception_is_over(
	const struct weir_exception *exception, __u32 now)
{
	__u32 timeout = exception->state == WEIR_FLOW_SYN    ? WEIR_TIMEOUT_SYN
			: exception->state == WEIR_FLOW_OPEN ? exception->idle_timeout
							     : WEIR_TIMEOUT_CLOSING;

	return weir_is_over(now, exception->seen, timeout);
}

/* listener_stats and endpoint_stats, per CPU. */
struct weir_traffic {
	__u64 packets; /* from clients, forwarded */
	__u64 bytes;   /* of these, layer 3 */
	__u64 flows;   /* selected for a new connection (SYN) or a new UDP flow of a NAT listener */
	__u64 reply_packets;
	__u64 reply_bytes;
};

/* What is forwarded or replied is counted by endpoint alone: a listener's traffic is the sum. */
struct weir_listener_stats {
	__u64 reason[WEIR_R_COUNT];
};

struct weir_endpoint_stats {
	struct weir_traffic traffic;
	__u64 nat_opened; /* records in the NAT table; those that are there are opened - closed */
	__u64 nat_closed;
	__u64 nat_cursor; /* no count: where the next SNAT port is looked for, 0: anywhere */
};

/* steering[0] */
struct weir_steering {
	__u32 workers; /* places in workers, from 0 on, that may be taken */
	__u32 pad;
};

/* listener_http and endpoint_http: what workers have served, each by atomic additions. Of an
 * endpoint: what it was asked and has answered; of a listener: what its clients were told, by the
 * workers themselves included. */
struct weir_http {
	__u64 requests;
	__u64 answers[5];    /* by class: 1xx (an upgrade) to 5xx */
	__u64 request_bytes; /* heads and bodies */
	__u64 answer_bytes;
};

/* Cold halves, for people and for a starting daemon: what the hot rows have no room for. */

/* listener_info[id] */
struct weir_listener_info {
	char name[WEIR_NAME_MAX]; /* "": free */
	__u8 protocol;
	__u8 mode;
	__u8 vip_route; /* weir makes the addresses reachable */
	__u8 fail_open;
	__u32 idle_timeout;
	__u32 endpoint_base;  /* its block of rows, as last written; the cells tell which counts */
	__u32 endpoint_count; /* size of the block, a power of two; 0: no block */
	__u32 deadline[2];    /* s, by client family: MOVING slots become PINNED then; 0: none is */
	char lists[WEIR_NAME_MAX];   /* that its guard's `access` is about, as people name them */
	struct weir_traffic retired; /* of its endpoints whose rows are free again */
	struct weir_listener_stats carried; /* counted in smaller maps, before these; to be added */
};

/* endpoint_info[row] */
struct weir_endpoint_info {
	char name[WEIR_NAME_MAX];
	char group[WEIR_NAME_MAX];
	__u8 weight;		 /* in force: configuration and overrides */
	__u8 file_weight;	 /* in the configuration */
	__u8 undrained_weight;	 /* what the weight will be after a drain */
	__u8 sharers;		 /* addresses of a domain that share the weight; 0: it has one */
	__u8 traffic_percentage; /* of its group */
	__u8 region;		 /* of its group, in region_info */
	/* Of its group among the listener's: 0 is the nearest to the node; WEIR_NO_GROUP: a virtual
	 * one, which only rules reach. */
	__u16 group_place;
	__u32 want[2];	 /* share of new flows in millionths, of IPv4 and of IPv6 clients */
	__u16 route_mtu; /* ipip, gue: what the daemon has written as the endpoint's MTU */
	__u16 pad[3];
	__u64 flows_before;   /* the endpoint's counters when its listener's shares last changed: */
	__u64 packets_before; /* what came since then is what was got of what is wanted */
	struct weir_endpoint_stats carried; /* counted in smaller maps, before these; to be added */
	struct weir_health health;
};

#define WEIR_NO_GROUP 0xffffu

/* region_info[number]; the first one is that of nobody. */
struct weir_region_info {
	char name[WEIR_NAME_MAX]; /* "": free */
};

#ifndef __cplusplus
_Static_assert(sizeof(struct weir_control) == 64, "control is a cache line");
_Static_assert(sizeof(struct weir_listener) == 64, "listener is a cache line");
_Static_assert(sizeof(struct weir_bounds) == 64, "bounds come by the cache line");
_Static_assert(sizeof(struct weir_bound_regions) == 16, "a byte for each bound of a line");
_Static_assert(sizeof(struct weir_clients) == 8, "clients");
_Static_assert(sizeof(struct weir_guard) == 64, "guard is a cache line");
_Static_assert(sizeof(struct weir_sources) == 64, "sources come by the cache line");
_Static_assert(sizeof(struct weir_slots) == 64, "slots come by the cache line");
_Static_assert(sizeof(struct weir_slots_previous) == 64, "as slots");
_Static_assert(sizeof(struct weir_nexthop) == 8, "next hop is one word");
_Static_assert(sizeof(struct weir_endpoint) == 64, "endpoint is a cache line");
_Static_assert(sizeof(struct weir_egress) == 64, "egress is a cache line");
_Static_assert(sizeof(struct weir_snat) == 64, "snat is a cache line");
_Static_assert(sizeof(struct weir_flow) == 40, "flow key");
_Static_assert(sizeof(struct weir_exception) == 24, "exception");
_Static_assert(sizeof(struct weir_http) == 64, "a cache line: several workers write it");
_Static_assert(sizeof(struct weir_listener_info) == 192 + sizeof(struct weir_listener_stats),
	       "listener info");
_Static_assert(sizeof(struct weir_endpoint_info) ==
		       168 + sizeof(struct weir_endpoint_stats) + sizeof(struct weir_health),
	       "endpoint info");
#endif

#endif
