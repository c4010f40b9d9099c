/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The NAT flow table as it lies in memory, for the program that keeps it and for those that read
 * it. Three arrays; N records in buckets of WEIR_NAT_WAYS:
 *
 *   nat_records  N records of a cache line. A flow's record is in one of two buckets, which the
 *                hash of its key names (client → listener)
 *   nat_tags     by bucket: a byte of each record's hash, 0 where the way is free. Small enough to
 *                stay in the processor's cache, so that a lookup reads one cold line: the record
 *   nat_replies  by bucket of the hash of (endpoint → SNAT address): where the record is. Only one
 *                bucket, since weir chooses the port: where a bucket is full it takes another port
 *
 * A record belongs to whoever moved its word from FREE, or from LIVE, to BUSY by compare-and-swap;
 * only he writes its key, its tag and its reply entry, in this order:
 *
 *   claim   word = BUSY, tag, port (reply entry), key, twin? -> undo; word = LIVE
 *   remove  word = BUSY, reply entry = 0, tag = 0, word = FREE
 *
 * So a FREE record has no tag and no reply entry, and one key has at most one LIVE record: of two
 * who claim for the same key at once, at least one sees the other before he publishes (each has
 * written his tag, then executed a locked instruction, then looks) and steps back.
 *
 * Readers take no lock: word, key, fields, and the word again; if it has changed meanwhile, so may
 * have what they read. That relies on the order in which x86 makes loads and stores visible.
 */
#ifndef WEIR_NAT_H
#define WEIR_NAT_H

#include <linux/types.h>

#include <weir/abi.h>

#define WEIR_NAT_WAYS 16u

/*
 * So many flows a table is made for by bucket: 81 %, at which less than one of a thousand new flows
 * finds both its buckets full, however long flows come and go (tests/bpf/test_nat_fill.c).
 */
#define WEIR_NAT_FLOWS_PER_BUCKET 13u

/* A record that is over makes room for others this much later (s), when no CPU's packet can still
 * take it for alive. */
#define WEIR_NAT_GRACE 2u

enum weir_nat_state {
	WEIR_NAT_FREE = 0,
	WEIR_NAT_BUSY = 1, /* being written, or taken away */
	WEIR_NAT_LIVE = 2,
};

/* Of a BUSY record: enough of the key's hash to know a twin by. */
#define WEIR_NAT_MARK_SHIFT 28
#define WEIR_NAT_MARK(hash) ((hash) >> WEIR_NAT_MARK_SHIFT)

/* Read and written whole. */
union weir_nat_word {
	__u64 all;
	struct {
		__u64 state : 2;       /* enum weir_nat_state */
		__u64 udp : 1;	       /* or TCP */
		__u64 generation : 24; /* another one each time the record is claimed or removed */
		__u64 endpoint : 20;   /* row */
		__u64 endpoint_generation : 16; /* low bits of the row's */
		__u64 zero : 1;			/* for tools whose numbers have a sign */
	} is;
	struct {
		__u64 state : 2;
		__u64 udp : 1;
		__u64 generation : 24;
		__u64 mark : 36;
		__u64 zero : 1;
	} busy;
};

/* Towards the client, and as whom towards the endpoint: one word, read and written whole. */
struct weir_nat_client {
	__u8 mac[6];
	__u8 egress; /* index in egress */
	__u8 snat;   /* row in snat */
} __attribute__((aligned(8)));

/* nat_records[]; key: client, listener, protocol */
struct weir_nat_record {
	union weir_nat_word word;
	__u8 client_addr[16];
	__u8 listener_addr[16];
	__u16 client_port;
	__u16 listener_port;
	__u16 snat_port;
	/* enum weir_flow_state of each direction, written by its packets alone; the endpoint's is
	 * SYN until it answers */
	__u8 client_state;
	__u8 endpoint_state;
	struct weir_nat_client client;
	__u32 seen;   /* s, of either direction */
	__u32 opened; /* us, the low bits; 0: not to be measured, see nat_latency */
};

/* nat_tags[] by bucket */
struct weir_nat_tags {
	__u8 tag[WEIR_NAT_WAYS];
} __attribute__((aligned(8)));

/* nat_replies[] by bucket: a tag above the index + 1 of a record; 0: free */
struct weir_nat_replies {
	__u32 entry[WEIR_NAT_WAYS];
} __attribute__((aligned(8)));

/*
 * nat_latency[] by endpoint row: how long its first answers took, SYN to SYN-ACK or datagram to
 * datagram; not of a SYN that had to be sent again. Entry i counts those below 8 << i us that are
 * in no entry before, the last one all others.
 */
#define WEIR_LATENCY_ENTRIES 20u
#define WEIR_LATENCY_FIRST   8u /* us */

struct weir_nat_latency {
	__u32 answers[WEIR_LATENCY_ENTRIES];
};

/* Context of the program that removes what is over, as user space runs it. */
struct weir_nat_sweep {
	__u32 first; /* record */
	__u32 count; /* records */
	__u32 now;   /* s */
	__u32 removed;
};

/* How long a record lives after its last packet (s). */
static inline __attribute__((always_inline)) __u32 weir_nat_timeout(
	const struct weir_nat_record *record, int udp, __u32 idle_timeout)
{
	__u8 client = record->client_state, endpoint = record->endpoint_state;

	if (udp)
		return idle_timeout;
	if (client == WEIR_FLOW_RESET || endpoint == WEIR_FLOW_RESET ||
	    (client == WEIR_FLOW_CLOSING && endpoint == WEIR_FLOW_CLOSING))
		return WEIR_TIMEOUT_CLOSING;
	if (client == WEIR_FLOW_SYN || endpoint == WEIR_FLOW_SYN)
		return WEIR_TIMEOUT_SYN;
	return idle_timeout;
}

/* One rule for both halves. */
static inline __attribute__((always_inline)) int weir_nat_is_over(
	const struct weir_nat_record *record, int udp, __u32 idle_timeout, __u32 now)
{
	return weir_is_over(now, record->seen, weir_nat_timeout(record, udp, idle_timeout));
}

#ifndef __cplusplus
_Static_assert(sizeof(union weir_nat_word) == 8, "nat word");
_Static_assert(sizeof(struct weir_nat_client) == 8, "nat client is one word");
_Static_assert(sizeof(struct weir_nat_record) == 64, "nat record is a cache line");
_Static_assert(sizeof(struct weir_nat_tags) == 16, "nat tags");
_Static_assert(sizeof(struct weir_nat_replies) == 64, "nat replies are a cache line");
_Static_assert(sizeof(struct weir_nat_latency) % 8 == 0, "mapped arrays have a stride of 8");
_Static_assert(sizeof(struct weir_nat_sweep) == 16, "nat sweep");
#endif

#endif
