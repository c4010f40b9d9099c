/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The NAT flow table: opening and removing records, by the rules of include/weir/nat.h. Every
 * function with a loop is one of its own, as parse_extensions(). Nobody ever waits: who meets a
 * BUSY record takes another way, or gives up.
 */
#ifndef WEIR_BPF_NAT_CLAIM_H
#define WEIR_BPF_NAT_CLAIM_H

#include "explain.h"
#include "nat_table.h"

#define NAT_OWN_PROBES	32  /* in the CPU's own block of ports */
#define NAT_PORT_PROBES 128 /* in all: enough to find one among a hundred, nearly always */
#define NAT_CLAIM_TRIES 8   /* free ways that others may snatch */
#define NAT_AGED	4   /* records that each new flow looks at, to remove what is over */

/* Set before the program is loaded. */
const volatile __u32 nat_cpus = 1;

static __always_inline __u64 nat_hash(const struct weir_flow *flow)
{
	const struct weir_control *all;
	__u32 zero = 0;

	all = bpf_map_lookup_elem(&control, &zero);
	return all ? weir_hash_nat(flow, all->nat_seed) : 0;
}

static __always_inline void nat_set_word(struct weir_nat_record *record, union weir_nat_word word)
{
	*(volatile __u64 *)&record->word.all = word.all;
}

/* FREE or LIVE to BUSY; false: another was quicker. */
static __always_inline bool nat_seize(struct weir_nat_record *record, union weir_nat_word from,
				      union weir_nat_word to)
{
	return __sync_val_compare_and_swap(&record->word.all, from.all, to.all) == from.all;
}

static __always_inline void nat_set_tag(__u32 index, __u8 tag)
{
	struct weir_nat_tags *tags = nat_bucket_tags(index / WEIR_NAT_WAYS);

	if (tags)
		((volatile __u8 *)tags->tag)[index % WEIR_NAT_WAYS] = tag;
}

enum nat_port_claim {
	NAT_PORT_CLAIMED,
	NAT_PORT_TAKEN,
	NAT_PORT_NO_WAY, /* its bucket is full */
};

/*
 * Enters `entry` into a bucket, at `home` if that is free, unless there is one with its tag:
 * perhaps of the same port, and then there must not be two. Who finds another one after he has
 * entered his own steps back, too.
 */
__noinline int nat_claim_entry(__u32 bucket, __u32 entry, __u32 home)
{
	struct weir_nat_replies *replies = bpf_map_lookup_elem(&nat_replies, &bucket);
	__u32 tag = entry & ~nat_index_mask;

	if (!replies)
		return NAT_PORT_NO_WAY;
	if (nat_reply_ways(replies, tag))
		return NAT_PORT_TAKEN;
	for (__u32 i = 0; i < WEIR_NAT_WAYS; i++) {
		__u32 *mine = &replies->entry[(home + i) % WEIR_NAT_WAYS];
		__u64 ways;

		if (*(volatile __u32 *)mine)
			continue;
		if (EXPLAINING)
			return NAT_PORT_CLAIMED;
		if (__sync_val_compare_and_swap(mine, 0, entry))
			continue;
		ways = nat_reply_ways(replies, tag);
		if (!(ways & (ways - 1)))
			return NAT_PORT_CLAIMED;
		*(volatile __u32 *)mine = 0;
		return NAT_PORT_TAKEN;
	}
	return NAT_PORT_NO_WAY;
}

/* Only its owner has this entry: it names his record. */
static __always_inline void nat_release_entry(__u32 bucket, __u32 entry)
{
	struct weir_nat_replies *replies = bpf_map_lookup_elem(&nat_replies, &bucket);

	for (__u32 i = 0; replies && i < WEIR_NAT_WAYS; i++) {
		if (*(volatile __u32 *)&replies->entry[i] == entry) {
			*(volatile __u32 *)&replies->entry[i] = 0;
			break;
		}
	}
}

/* Port number k of those that weir may use on the address. */
static __always_inline __u16 nat_port(const struct weir_snat *from, __u32 k)
{
	for (__u32 i = 0; i < WEIR_SNAT_RANGES; i++) {
		__u32 size = from->range[i].last - from->range[i].first + 1;

		if (k < size)
			return from->range[i].first + k;
		k -= size;
	}
	return 0;
}

/*
 * The n-th port to try, as a number in [0, ports). Each CPU walks a block of its own, endpoint by
 * endpoint in a circle, so that a port rests as long as possible before it is used again: the
 * endpoint may keep the old connection in TIME_WAIT. A full block is left for any port.
 */
static __always_inline __u32 nat_candidate(__u64 *cursor, __u32 ports, __u32 n)
{
	__u32 block = ports / nat_cpus, start = bpf_get_smp_processor_id() % nat_cpus * block;
	__u32 next = *cursor;

	if (!block || n >= NAT_OWN_PROBES)
		return ((__u64)bpf_get_prandom_u32() * ports) >> 32;
	if (!next) /* anywhere: endpoints remember the ports of an instance before this one */
		next = bpf_get_prandom_u32();
	if (EXPLAINING)
		next += n;
	else
		*cursor = next + 1;
	return start + next % block;
}

/* One of the endpoint's SNAT addresses. */
static __always_inline __u32 nat_snat_row(const struct nat_new *new)
{
	__u32 row = new->first_snat;

	if (new->snat_rows > 1)
		row += ((__u64)bpf_get_prandom_u32() * new->snat_rows) >> 32;
	return row;
}

/*
 * Chooses the n-th SNAT address and port to try: completes new->back and new->client. A port that
 * is refused leads to another address, too: perhaps this one has none left. An enum weir_reason.
 */
__noinline int nat_choose_port(struct nat_new *new, __u32 n)
{
	const struct weir_snat *from;
	struct weir_endpoint_stats *stats;
	__u64 hash;
	__u32 row;

	if (!new)
		return WEIR_R_INTERNAL;
	row = new->endpoint; /* Linux 6.1 takes no key that lies where an argument points to */
	stats = bpf_map_lookup_elem(&endpoint_stats, &row);
	if (!stats)
		return WEIR_R_INTERNAL;
	row = n && n < NAT_OWN_PROBES ? new->client.snat : nat_snat_row(new);
	from = bpf_map_lookup_elem(&snat, &row);
	if (!row || !from || !from->ports)
		return WEIR_R_NAT_NO_PORT;
	new->client.snat = row;
	new->back.dport = nat_port(from, nat_candidate(&stats->nat_cursor, from->ports, n));
	addr_copy(new->back.dst, from->addr);
	hash = nat_hash(&new->back);
	new->back_bucket = nat_reply_bucket(hash);
	new->back_hash = hash;
	return GO_ON;
}

/*
 * Reads what a claim of the chosen port will need, and needs none of it yet: it is far away, and so
 * is the record that is claimed meanwhile. The processor fetches both at once, unless an
 * instruction with a lock stands between them.
 */
static __always_inline void nat_fetch_port(const struct nat_new *new)
{
	__u32 bucket = new->back_bucket, entry;
	const struct weir_nat_replies *replies = bpf_map_lookup_elem(&nat_replies, &bucket);

	if (!replies)
		return;
	entry = *(const volatile __u32 *)&replies->entry[0];
	asm volatile("" : : "r"(entry));
}

static __always_inline __u32 nat_back_entry(const struct nat_new *new)
{
	return nat_reply_tag(new->back_hash) | (new->index + 1);
}

/* Claims the chosen port, or another one that is chosen then. An enum weir_reason. */
__noinline int nat_claim_port(struct nat_new *new)
{
	if (!new)
		return WEIR_R_INTERNAL;
	for (__u32 n = 1; n <= NAT_PORT_PROBES; n++) {
		int reason;

		if (new->back.dport &&
		    nat_claim_entry(new->back_bucket, nat_back_entry(new),
				    nat_reply_home(new->back_hash)) == NAT_PORT_CLAIMED)
			return GO_ON;
		reason = nat_choose_port(new, n);
		if (reason != GO_ON)
			return reason;
	}
	return WEIR_R_NAT_NO_PORT;
}

/* The key by which answers to a record come, from its own fields. */
static __always_inline bool nat_back_of(const struct weir_nat_record *record,
					union weir_nat_word word, struct weir_flow *ret)
{
	__u32 row = word.is.endpoint, snat_row = record->client.snat;
	const struct weir_endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &row);
	const struct weir_snat *from = bpf_map_lookup_elem(&snat, &snat_row);

	if (!endpoint || !from)
		return false;
	__builtin_memset(ret, 0, sizeof(*ret));
	addr_copy(ret->src, endpoint->addr);
	addr_copy(ret->dst, from->addr);
	ret->sport = endpoint->port ?: record->listener_port;
	ret->dport = record->snat_port;
	ret->protocol = word.is.udp ? IPPROTO_UDP : IPPROTO_TCP;
	return true;
}

/*
 * Removes a LIVE record, if its word is still `all`. Returns whether it did. May run in a process,
 * too, which packets interrupt: so what both count is added in one instruction.
 */
__noinline bool nat_remove(__u32 index, __u64 all)
{
	union weir_nat_word live = { .all = all }, word;
	struct weir_nat_record *record = nat_record(index);
	struct weir_endpoint_stats *stats;
	__u32 row = live.is.endpoint;
	struct weir_flow back;

	word = (union weir_nat_word){ .busy = { .state = WEIR_NAT_BUSY,
						.generation = live.is.generation + 1 } };
	if (EXPLAINING)
		return record && nat_word(record).all == all;
	if (!record || !nat_seize(record, live, word))
		return false;
	if (nat_back_of(record, live, &back)) {
		__u64 hash = nat_hash(&back);

		nat_release_entry(nat_reply_bucket(hash), nat_reply_tag(hash) | (index + 1));
	}
	stats = bpf_map_lookup_elem(&endpoint_stats, &row);
	if (stats)
		__sync_fetch_and_add(&stats->nat_closed, 1);
	nat_set_tag(index, 0);
	word.busy.state = WEIR_NAT_FREE;
	nat_set_word(record, word);
	return true;
}

/* The endpoint that a record's word names, NULL if it is no more: the row may have a new owner. */
static __always_inline const struct weir_endpoint *nat_endpoint(union weir_nat_word word)
{
	__u32 row = word.is.endpoint;
	const struct weir_endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &row);

	return endpoint && (__u16)endpoint->generation == word.is.endpoint_generation ? endpoint
										      : NULL;
}

/* Is a record's time over at `now`? Also, soon, that of a flow whose endpoint is no more (NULL). */
static __always_inline bool nat_is_over(const struct weir_nat_record *record,
					union weir_nat_word word,
					const struct weir_endpoint *endpoint, __u32 now)
{
	if (record->seen == now)
		return false;
	return weir_nat_is_over(record, word.is.udp,
				endpoint ? endpoint->idle_timeout : WEIR_TIMEOUT_CLOSING, now);
}

/* Removes a record if it is over, for so long that no packet still takes it for alive. */
static __always_inline bool nat_remove_if_over(__u32 index, __u32 now)
{
	const struct weir_nat_record *record = nat_record(index);
	union weir_nat_word word;

	if (!record)
		return false;
	word = nat_word(record);
	return word.is.state == WEIR_NAT_LIVE &&
	       nat_is_over(record, word, nat_endpoint(word), now - WEIR_NAT_GRACE) &&
	       nat_remove(index, word.all);
}

/* Frees one way of two full buckets, if one is over. Returns whether there is room now. */
static __always_inline bool nat_make_room(__u32 first, __u32 second, __u32 now)
{
	for (__u32 i = 0; i < 2 * WEIR_NAT_WAYS; i++) {
		__u32 bucket = i < WEIR_NAT_WAYS ? first : second;

		if (nat_remove_if_over(bucket * WEIR_NAT_WAYS + i % WEIR_NAT_WAYS, now))
			return true;
	}
	return false;
}

/* Looks at the next few records of the table, CPU by CPU in a circle of its own. */
__noinline int nat_age(__u32 now)
{
	struct nat_scratch *scratch;
	struct weir_nat_tags *tags;
	__u32 zero = 0, index;

	scratch = bpf_map_lookup_elem(&nat_scratch, &zero);
	if (!scratch)
		return 0;
	index = scratch->hand;
	tags = nat_bucket_tags(index / WEIR_NAT_WAYS);
	scratch->hand = tags ? index + NAT_AGED : 0;
	for (__u32 i = 0; tags && i < NAT_AGED; i++)
		if (tags->tag[(index + i) % WEIR_NAT_WAYS])
			nat_remove_if_over(index + i, now);
	return 0;
}

/* How many of some ways there are, of one bucket. */
static __always_inline __u32 nat_count(__u64 ways)
{
	__u64 ones = 0x0101010101010101ull;

	ways = (ways & ones) + (ways >> 1 & ones) + (ways >> 2 & ones) + (ways >> 3 & ones);
	return ways * ones >> 56;
}

/* Makes a FREE record BUSY. */
static __always_inline bool nat_claim_record(__u32 index, const struct nat_new *new)
{
	struct weir_nat_record *record = nat_record(index);
	union weir_nat_word free, busy;

	if (!record)
		return false;
	free = nat_word(record);
	busy = (union weir_nat_word){ .busy = { .state = WEIR_NAT_BUSY,
						.udp = new->flow.protocol == IPPROTO_UDP,
						.generation = free.is.generation + 1,
						.mark = new->mark } };
	return free.is.state == WEIR_NAT_FREE && nat_seize(record, free, busy);
}

__noinline bool nat_has_twin(const struct nat_new *new);

/* Is there a way, or would there be one: that of a record whose time is over, or which this flow
 * takes the place of? */
static __always_inline enum weir_reason nat_explain_way(struct nat_new *new, __u64 ways)
{
	new->index = NAT_NONE;
	return ways || nat_make_room(new->at.first, new->at.second, new->now) || nat_has_twin(new)
		       ? GO_ON
		       : WEIR_R_NAT_FULL;
}

/* Some of the free ways, to take one of: the one at home, else those of the emptier bucket. */
static __always_inline __u64 nat_better(const struct nat_places *at, __u64 ways)
{
	__u64 home = 1ull << (at->home % (WEIR_NAT_WAYS / 2) * 8 + at->home / (WEIR_NAT_WAYS / 2));
	__u64 first = ways & NAT_WAYS_FIRST, second = ways & NAT_WAYS_SECOND;

	if (ways & home)
		return home;
	return nat_count(second) > nat_count(first) || !first ? second : first;
}

/* Claims a free way for new->flow: new->index. An enum weir_reason. */
__noinline int nat_claim_way(struct nat_new *new)
{
	const struct weir_nat_tags *first, *second;
	const struct nat_places *at;
	__u64 ways;

	if (!new)
		return WEIR_R_INTERNAL;
	at = &new->at;
	first = nat_bucket_tags(at->first);
	second = nat_bucket_tags(at->second);
	if (!first || !second)
		return WEIR_R_INTERNAL;
	ways = nat_ways(first, second, 0);
	if (EXPLAINING)
		return nat_explain_way(new, ways);
	if (!ways && nat_make_room(at->first, at->second, new->now))
		ways = nat_ways(first, second, 0);
	for (int i = 0; ways && i < NAT_CLAIM_TRIES; i++) {
		__u64 better = nat_better(at, ways);

		new->index = nat_lowest(at, better);
		if (nat_claim_record(new->index, new)) {
			nat_set_tag(new->index, at->tag);
			return GO_ON;
		}
		ways &= ~(better & -better);
	}
	return WEIR_R_NAT_FULL;
}

/* Does another record than new->index have the same key, or is one being made? */
__noinline bool nat_has_twin(const struct nat_new *new)
{
	const struct weir_nat_tags *first, *second;
	struct nat_places at;
	__u64 ways;

	if (!new)
		return true;
	at = new->at;
	first = nat_bucket_tags(at.first);
	second = nat_bucket_tags(at.second);
	if (!first || !second)
		return true;
	ways = nat_ways(first, second, at.tag);
	for (int i = 0; ways && i < NAT_WAYS_MAX; i++, ways &= ways - 1) {
		__u32 index = nat_lowest(&at, ways);
		const struct weir_nat_record *record = nat_record(index);
		union weir_nat_word word;

		if (!record || index == new->index)
			continue;
		word = nat_word(record);
		if (nat_is_of(record, word, &new->flow))
			return true;
		if (word.busy.state == WEIR_NAT_BUSY && word.busy.mark == new->mark)
			return true;
	}
	return false;
}

/* Gives a claimed record back; `port`: with its port. */
__noinline int nat_step_back(const struct nat_new *new, bool port)
{
	struct weir_nat_record *record;
	union weir_nat_word word;

	if (!new)
		return 0;
	record = nat_record(new->index);
	if (!record)
		return 0;
	if (port)
		nat_release_entry(new->back_bucket, nat_back_entry(new));
	nat_set_tag(new->index, 0);
	word = nat_word(record);
	word.busy.state = WEIR_NAT_FREE;
	nat_set_word(record, word);
	return 0;
}

static __always_inline void nat_write(struct weir_nat_record *record, const struct nat_new *new)
{
	addr_copy(record->client_addr, new->flow.src);
	addr_copy(record->listener_addr, new->flow.dst);
	record->client_port = new->flow.sport;
	record->listener_port = new->flow.dport;
	record->snat_port = new->back.dport;
	record->client_state = new->client_state;
	record->endpoint_state = WEIR_FLOW_SYN;
	record->client = new->client;
	record->seen = new->now;
	record->opened = new->opened;
}

/*
 * Opens a record for new->flow to new->endpoint: new->index, new->client.snat and new->back are
 * set. An enum weir_reason: NAT_RACE where another CPU does so, too, or has done so.
 */
__noinline int nat_insert(struct nat_new *new)
{
	struct weir_endpoint_stats *stats;
	struct weir_nat_record *record;
	union weir_nat_word word;
	__u32 row;
	int reason;

	if (!new)
		return WEIR_R_INTERNAL;
	row = new->endpoint; /* see nat_choose_port() */
	stats = bpf_map_lookup_elem(&endpoint_stats, &row);
	if (!stats)
		return WEIR_R_INTERNAL;
	reason = nat_choose_port(new, 0);
	if (reason != GO_ON)
		return reason;
	nat_fetch_port(new);
	reason = nat_claim_way(new);
	if (reason != GO_ON)
		return reason;
	if (EXPLAINING) /* a free port is as good as a claimed one: there is nothing to publish */
		return nat_claim_port(new);
	record = nat_record(new->index);
	if (!record)
		return WEIR_R_INTERNAL;
	reason = nat_claim_port(new);
	if (reason == GO_ON && nat_has_twin(new)) {
		nat_step_back(new, true);
		return WEIR_R_NAT_RACE;
	}
	if (reason != GO_ON) {
		nat_step_back(new, false);
		return reason;
	}
	nat_write(record, new);
	word = nat_word(record);
	word.is.endpoint = new->endpoint;
	word.is.endpoint_generation = new->endpoint_generation;
	word.is.state = WEIR_NAT_LIVE;
	__sync_lock_test_and_set(&record->word.all, word.all); /* all before it can be seen */
	stats->nat_opened++;
	return GO_ON;
}

#endif
