// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Small requests of listeners of http with `kernel_routing`, on to endpoints and their answers back
 * without the worker, which has made the connections, says where what is asked for goes, and gets
 * whatever is not plain (include/weir/routing.h, plain.h).
 *
 * A plain request, on a connection that is the kernel's and for which there is a route, goes on
 * over a connection to its endpoint that is free; any other goes to the worker, and with it all
 * that follows, until the worker leaves the connection to the kernel again. A short answer goes to
 * the client whose request its connection has, any other to the worker.
 *
 * A segment is a request, or it is the worker's: a program that waited for more would have to keep
 * it, and to watch the time.
 */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include <weir/plain.h>

#define SAID_SIZE (512 << 10) /* room for each place, and each client's twice */
#define TRIES	  4	      /* at a way that another CPU may take at the same time */

/* What is read of the kernel's own. */
struct tcp_sock {
	__u32 snd_una, write_seq;
	__u64 bytes_received;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, WEIR_ROUTING_CLIENTS);
	__type(key, __u32); /* place */
	__type(value, __u64);
} client_sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, WEIR_ROUTING_UPSTREAMS);
	__type(key, __u32); /* the same */
	__type(value, __u64);
} upstream_sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WEIR_ROUTING_CLIENTS + WEIR_ROUTING_UPSTREAMS);
	__type(key, __u64);   /* a socket's cookie */
	__type(value, __u32); /* its place, and WEIR_ROUTING_IS_UPSTREAM */
} places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WEIR_ROUTING_ROUTES);
	__type(key, struct weir_routing_key);
	__type(value, struct weir_routing_route);
} routes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct weir_routing);
} routing SEC(".maps");

/* Places that the worker should look at. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SAID_SIZE);
} said SEC(".maps");

/* A head that is being read. A program of another socket may interrupt the one that reads it: where
 * a process holds a socket, what came meanwhile is looked at when it lets go, by the process. */
struct reading {
	struct plain_room room;
	__u32 busy;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reading);
} scratch SEC(".maps");

static __always_inline void tell(__u32 place)
{
	bpf_ringbuf_output(&said, &place, sizeof(place), 0);
}

static __always_inline __u32 *find_place(struct __sk_buff *skb)
{
	__u64 cookie = bpf_get_socket_cookie(skb);

	return bpf_map_lookup_elem(&places, &cookie);
}

/* Nobody reads in it, and from now on only the caller does, until end_reading(); or NULL. */
static __always_inline struct reading *begin_reading(void)
{
	__u32 zero = 0;
	struct reading *reading = bpf_map_lookup_elem(&scratch, &zero);

	return reading && !__sync_val_compare_and_swap(&reading->busy, 0, 1) ? reading : NULL;
}

static __always_inline void end_reading(struct reading *reading)
{
	__sync_lock_test_and_set(&reading->busy, 0);
}

/* The first bytes of a segment, so many that a head can be in them; true: they are there. What the
 * compiler knows of the size the verifiers of Linux 6.1 and later are to see. */
static __always_inline int load(struct __sk_buff *skb, char *to, __u64 size)
{
	asm volatile("" : "+r"(size));
	if (size < PLAIN_LEAST || size >= WEIR_ROUTING_HEAD)
		return 0;
	return !bpf_skb_load_bytes(skb, 0, to, size);
}

static __always_inline struct tcp_sock *tcp_of(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	return sk ? bpf_skc_to_tcp_sock(sk) : NULL;
}

/*
 * How many bytes have come behind those that the program was given; less than 0: some it was given
 * twice. A segment that begins with the end of the one before, as after a loss, comes to a program
 * whole, where read(2) would skip that. As long as others wait behind it nothing is to be seen of
 * it, so an answer must end with all that has come. (A FIN counts for a byte.)
 */
static __always_inline __s64 unseen(struct __sk_buff *skb, __u64 seen)
{
	struct tcp_sock *tcp = tcp_of(skb);

	return tcp ? (__s64)(tcp->bytes_received - seen) : -1;
}

/* ---- requests ---- */

/* A whole request and nothing else, into the client's cell, with its key. */
static __always_inline int read_request(struct __sk_buff *skb, struct weir_routing_client *client)
{
	struct reading *reading;
	__u32 size = skb->len;
	int plain;

	if (size > client->head_limit || !load(skb, client->head, size))
		return 0;
	client->head_size = size;
	__builtin_memset(&client->key, 0, sizeof(client->key));
	client->key.listener = client->listener;
	reading = begin_reading();
	if (!reading)
		return 0;
	plain = plain_read_request(&reading->room, client->head, size, &client->key,
				   &client->is_head);
	end_reading(reading);
	return plain;
}

/* The lowest bit of a word, which is not 0. */
static __always_inline __u32 lowest(__u64 word)
{
	__u32 at = 0;

	if (!(word & 0xffffffff)) {
		word >>= 32;
		at += 32;
	}
	if (!(word & 0xffff)) {
		word >>= 16;
		at += 16;
	}
	if (!(word & 0xff)) {
		word >>= 8;
		at += 8;
	}
	if (!(word & 0xf)) {
		word >>= 4;
		at += 4;
	}
	if (!(word & 3)) {
		word >>= 2;
		at += 2;
	}
	return at + !(word & 1);
}

/* 1 + the place of a connection to a pool's address that was free and is the caller's, or 0. */
static __always_inline __u32 take_way(struct weir_routing *all, __u32 pool)
{
	struct weir_routing_pool *of = &all->pools[pool & (WEIR_ROUTING_POOLS - 1)];

	for (__u32 i = 0; i < WEIR_ROUTING_WORDS; i++) {
		for (__u32 tries = 0; tries < TRIES; tries++) {
			__u64 idle = of->idle[i], bit = idle & -idle;

			if (!idle)
				break;
			if (__sync_val_compare_and_swap(&of->idle[i], idle, idle & ~bit) == idle)
				return 1 + pool * WEIR_ROUTING_WAYS + i * 64 + lowest(bit);
		}
	}
	return 0;
}

static __always_inline __u64 *idle_word(struct weir_routing *all, __u32 place)
{
	__u32 pool = place / WEIR_ROUTING_WAYS, word = place % WEIR_ROUTING_WAYS / 64;

	return &all->pools[pool & (WEIR_ROUTING_POOLS - 1)].idle[word & (WEIR_ROUTING_WORDS - 1)];
}

static __always_inline void give_way(struct weir_routing *all, __u32 place)
{
	__sync_fetch_and_or(idle_word(all, place), 1ull << (place & 63));
}

/* Nobody else shall get it; whoever has it has it. */
static __always_inline void withdraw(struct weir_routing *all, __u32 place)
{
	__sync_fetch_and_and(idle_word(all, place), ~(1ull << (place & 63)));
}

/* Has the client taken all that it was sent? Then nothing is on its way to it. */
static __always_inline int has_taken_all(struct __sk_buff *skb, struct weir_routing_client *client)
{
	struct tcp_sock *tcp = tcp_of(skb);
	__u32 wrote;

	if (!tcp)
		return 0;
	wrote = tcp->write_seq;
	if (tcp->snd_una != wrote || (client->known && client->wrote != wrote))
		return 0;
	client->wrote = wrote;
	return 1;
}

/* Who the request goes to: 1 + its way, or 0 and why not. */
static __always_inline __u32 choose(struct weir_routing *all, struct weir_routing_client *client)
{
	struct weir_routing_route *route = bpf_map_lookup_elem(&routes, &client->key), *again;
	__u32 turn, lane, way;
	__u64 id;

	client->why = WEIR_ROUTING_NO_ROUTE;
	if (!route || route->setup != all->setup)
		return 0;
	id = *(volatile __u64 *)&route->id;
	turn = __sync_fetch_and_add(&route->turn, 1);
	lane = route->lanes[turn & (WEIR_ROUTING_SLOTS - 1)] & (WEIR_ROUTING_LANES - 1);
	/* The map gives what is removed to the next key at once: was this one's read? */
	again = bpf_map_lookup_elem(&routes, &client->key);
	if (!again || *(volatile __u64 *)&again->id != id)
		return 0;
	client->why = WEIR_ROUTING_NO_WAY;
	way = take_way(all, all->lanes[lane].pool & (WEIR_ROUTING_POOLS - 1));
	client->lane = lane;
	return way;
}

enum sending {
	NOT_SENT, /* it is the worker's, and the client's cell says why */
	SENT,
	GONE,
};

/* On to an endpoint. */
static __always_inline enum sending route(struct __sk_buff *skb, struct weir_routing *all,
					  struct weir_routing_client *client, __u32 place)
{
	struct weir_routing_upstream *upstream;
	int is_ours;
	__u32 way;

	client->why = WEIR_ROUTING_EARLY;
	if (client->flight || !has_taken_all(skb, client))
		return NOT_SENT;
	client->why = WEIR_ROUTING_NO_ROUTE;
	if (client->setup != all->setup)
		return NOT_SENT;
	client->why = WEIR_ROUTING_HEAD_ODD;
	if (!read_request(skb, client))
		return NOT_SENT;
	way = choose(all, client);
	if (!way)
		return NOT_SENT;
	upstream = &all->upstreams[(way - 1) & (WEIR_ROUTING_UPSTREAMS - 1)];
	if (upstream->handed)
		return NOT_SENT; /* the worker closes it */
	upstream->client = place + 1;
	upstream->begun = 0;
	client->asked = bpf_ktime_get_ns();
	/* Whoever takes the connection from now on sees this; whoever has, we see. */
	__sync_lock_test_and_set(&client->flight, way);
	__sync_fetch_and_add(&client->taken, skb->len);
	is_ours = !(client->owner & WEIR_ROUTING_WORKERS) && client->setup == all->setup;
	if (is_ours && bpf_sk_redirect_map(skb, &upstream_sockets, way - 1, 0) == SK_PASS)
		return SENT;
	/* Its socket has just been closed, or the worker has just taken the client's. If the worker
	 * has seen the request, it asks again itself, and these bytes go. */
	if (__sync_val_compare_and_swap(&client->flight, way, 0) != way)
		return GONE;
	upstream->client = 0;
	if (!is_ours)
		give_way(all, way - 1);
	__sync_fetch_and_sub(&client->taken, skb->len);
	return NOT_SENT;
}

SEC("sk_skb/stream_verdict")
int weir_request(struct __sk_buff *skb)
{
	__u32 zero = 0, *found = find_place(skb), place;
	struct weir_routing *all = bpf_map_lookup_elem(&routing, &zero);
	struct weir_routing_client *client;
	__u64 owner, passed = (__u64)skb->len << 1;
	enum sending sending;

	if (!all || !found || !skb->len)
		return SK_PASS;
	place = *found & (WEIR_ROUTING_CLIENTS - 1);
	client = &all->clients[place];
	client->seen += skb->len;
	if (unseen(skb, client->seen) < 0) {
		__sync_fetch_and_add(&all->handed[WEIR_ROUTING_TWICE], 1);
		client->broken = 1;
		tell(place);
		return SK_DROP;
	}
	owner = client->owner;
	/* Only this program and the worker write it; the worker once, to leave it to the kernel. */
	for (__u32 tries = 0; tries < TRIES && owner & WEIR_ROUTING_WORKERS; tries++) {
		__u64 before = __sync_val_compare_and_swap(&client->owner, owner, owner + passed);

		if (before == owner)
			return SK_PASS;
		owner = before;
	}
	sending = route(skb, all, client, place);
	if (sending != NOT_SENT)
		return sending == SENT ? SK_PASS : SK_DROP;
	__sync_fetch_and_add(&all->handed[client->why & (WEIR_ROUTING_WHYS - 1)], 1);
	__sync_fetch_and_add(&client->owner, passed);
	__sync_fetch_and_or(&client->owner, WEIR_ROUTING_WORKERS);
	tell(place);
	return SK_PASS;
}

/* ---- answers ---- */

/* The first segment of an answer: how many bytes it has in all, or 0: it is the worker's. */
static __always_inline __u32 read_answer(struct __sk_buff *skb, struct weir_routing_client *client,
					 struct weir_routing_upstream *upstream)
{
	__u32 size = skb->len < WEIR_ROUTING_HEAD ? skb->len : WEIR_ROUTING_HEAD - 1, bytes = 0;
	struct reading *reading = begin_reading();

	if (!reading)
		return 0;
	if (load(skb, reading->room.bytes, size))
		bytes = plain_read_answer(&reading->room, size, client->is_head);
	upstream->status = reading->room.status;
	end_reading(reading);
	return skb->len > bytes ? 0 : bytes;
}

static __always_inline void count(struct weir_routing *all,
				  const struct weir_routing_client *client,
				  const struct weir_routing_upstream *upstream, __u64 now)
{
	struct weir_routing_lane *lane = &all->lanes[client->lane & (WEIR_ROUTING_LANES - 1)];
	__u64 took = (now - client->asked) / 1000, left = took / WEIR_LATENCY_FIRST;
	__u32 entry = 0, class = upstream->status / 100 - 1;

	while (entry < WEIR_LATENCY_ENTRIES - 1 && left >> entry)
		entry++;
	if (class < 5)
		__sync_fetch_and_add(&lane->answers[class], 1);
	__sync_fetch_and_add(&lane->request_bytes, client->head_size);
	__sync_fetch_and_add(&lane->answer_bytes, upstream->bytes);
	__sync_fetch_and_add(&lane->took_us, took);
	if (entry < WEIR_LATENCY_ENTRIES)
		__sync_fetch_and_add(&lane->took[entry], 1);
	__sync_fetch_and_add(&lane->requests, 1); /* the last: by this the others are looked at */
}

/* All of it has come: the way is free, and the client may ask again. */
static __always_inline void land(struct weir_routing *all, struct weir_routing_client *client,
				 struct weir_routing_upstream *upstream, __u32 place)
{
	__u32 who = upstream->client - 1;

	upstream->used = bpf_ktime_get_ns();
	count(all, client, upstream, upstream->used);
	client->wrote += upstream->bytes;
	client->known = 1;
	upstream->client = 0;
	/* In this order: who closes the client must not end what another one has by then. */
	__sync_lock_test_and_set(&client->flight, 0);
	give_way(all, place);
	if (client->owner & WEIR_ROUTING_WORKERS)
		tell(who); /* it waits for this */
}

/* The worker gets it, and all that follows. */
static __always_inline int hand(struct weir_routing *all, struct weir_routing_upstream *upstream,
				__u32 place, __u32 as)
{
	__sync_fetch_and_add(&all->handed[WEIR_ROUTING_ANSWER], 1);
	if (as == WEIR_ROUTING_UNASKED)
		withdraw(all, place);
	upstream->handed = as;
	tell(place | WEIR_ROUTING_IS_UPSTREAM);
	return SK_PASS;
}

SEC("sk_skb/stream_verdict")
int weir_answer(struct __sk_buff *skb)
{
	__u32 zero = 0, *found = find_place(skb), place, who, size = skb->len;
	struct weir_routing *all = bpf_map_lookup_elem(&routing, &zero);
	struct weir_routing_upstream *upstream;
	struct weir_routing_client *client;
	int verdict;
	__s64 more;

	if (!all || !found || !size)
		return SK_PASS;
	place = *found & (WEIR_ROUTING_UPSTREAMS - 1);
	upstream = &all->upstreams[place];
	upstream->seen += size;
	if (upstream->handed)
		return SK_PASS;
	who = upstream->client - 1;
	if (!upstream->client)
		return hand(all, upstream, place, WEIR_ROUTING_UNASKED);
	client = &all->clients[who & (WEIR_ROUTING_CLIENTS - 1)];
	if (!upstream->begun)
		upstream->left = upstream->bytes = read_answer(skb, client, upstream);
	if (size > upstream->left)
		return hand(all, upstream, place, WEIR_ROUTING_ASKED);
	/* Behind its end comes nothing but that of the connection. */
	more = unseen(skb, upstream->seen);
	if (more < 0 || (size == upstream->left && more > 1))
		return hand(all, upstream, place, WEIR_ROUTING_UNASKED);
	upstream->begun = 1;
	upstream->left -= size;
	__sync_fetch_and_add(&client->given, size);
	verdict = (int)bpf_sk_redirect_map(skb, &client_sockets, who, 0);
	/* From then on another client may have that place. */
	if (!upstream->left)
		land(all, client, upstream, place);
	return verdict;
}

char _license[] SEC("license") = "Dual BSD/GPL";
