// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "live/contestant.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>

#include "subject.h"

#define ENDPOINTS	100	   /* of `nft`, as many as a subject's first listener has */
#define ENDPOINT	"10.0.0.1" /* the first */
#define ENDPOINT_PREFIX "10.0.0."
#define ENDPOINT_NET	"10.0.0.0/16"
#define GATEWAY		"10.0.255.254"
#define CONNTRACK_MIN	131072ul /* flows that the kernel must have room for */

/* Bytes 1 to 4 of an Ethernet address, see subject.c. */
#define MAC_ENDPOINT 0x000000e0u
#define MAC_BALANCER 0x000000a0u

enum kind {
	KIND_DROP,
	KIND_BOUNCE,
	KIND_FORWARD,
	KIND_NFT,
	KIND_WEIR,
};

struct spec {
	const char *name;
	enum kind kind;
	uint32_t mac; /* of what arrives */
	const char *dst;
	uint32_t dst_count;
	uint8_t protocol;
	uint8_t opening;   /* TCP flags */
	const char *chain; /* KIND_NFT: a second one */
};

/* clang-format off */
#define SNAT_CHAIN                                                                                 \
	"chain postrouting {\n"                                                                    \
	"type nat hook postrouting priority srcnat\n"                                              \
	"ip daddr " ENDPOINT_NET " snat to " GATEWAY "\n"                                          \
	"}\n"

/* conntrack takes a flow that it did not see begin as established. One whose SYN is not answered,
 * as no SYN is here, it would not: its data would then go unbalanced. */
static const struct spec specs[] = {
	{ "drop", KIND_DROP },
	{ "tx", KIND_BOUNCE, MAC_BALANCER, SUBJECT_VIP4, 1, IPPROTO_TCP },
	{ "forward", KIND_FORWARD, MAC_ENDPOINT, SUBJECT_VIP4, 1, IPPROTO_TCP },
	{ "nft", KIND_NFT, MAC_ENDPOINT, ENDPOINT, ENDPOINTS, IPPROTO_TCP, TH_ACK },
	{ "nft-snat", KIND_NFT, MAC_ENDPOINT, ENDPOINT, ENDPOINTS, IPPROTO_TCP, TH_ACK,
	  SNAT_CHAIN },
	{ "nat", KIND_WEIR, MAC_ENDPOINT, ENDPOINT, ENDPOINTS, IPPROTO_TCP, TH_SYN },
	{ "dsr", KIND_WEIR, MAC_ENDPOINT, SUBJECT_VIP4, 1, IPPROTO_TCP },
	{ "ipip", KIND_WEIR, MAC_ENDPOINT, ENDPOINT, ENDPOINTS, IPPROTO_IPIP },
	{ "gue", KIND_WEIR, MAC_ENDPOINT, ENDPOINT, ENDPOINTS, IPPROTO_UDP },
};
/* clang-format on */

struct contestant {
	const struct spec *spec;
	struct lane *lane;
	struct subject *subject; /* KIND_WEIR */
};

/* The kernel as a router: all endpoints on its one link, their neighbour entries permanent. */
static int set_up_router(const struct contestant *contestant, struct err *err)
{
	return lane_shell(contestant->lane, err,
			  "{ sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 "
			  "net.ipv4.conf." LANE_DEVICE ".send_redirects=0 "
			  "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf." LANE_DEVICE ".rp_filter=0 "
			  "&& { echo address add " GATEWAY "/16 dev " LANE_DEVICE "; "
			  "echo route add default via " ENDPOINT "; "
			  "for i in $(seq 0 %d); do echo neighbour add " ENDPOINT_PREFIX
			  "$((i + 1)) "
			  "lladdr 02:00:00:00:e0:$(printf %%02x $i) nud permanent dev " LANE_DEVICE
			  "; done; } | ip -batch -; } 2>&1",
			  ENDPOINTS - 1);
}

static int check_conntrack(const struct contestant *contestant, struct err *err)
{
	_cleanup_(fclosep) FILE *file = fopen("/proc/sys/net/netfilter/nf_conntrack_max", "re");
	unsigned long most = 0;

	if (!file || fscanf(file, "%lu", &most) != 1)
		return err_set(err, -ENOENT,
			       "the kernel has no connection tracking, which the "
			       "nftables balancer needs");
	if (most < CONNTRACK_MIN)
		return err_set(err, -ENOSPC,
			       "the kernel tracks %lu connections at most, too few; run: "
			       "sysctl net.netfilter.nf_conntrack_max=%lu",
			       most, CONNTRACK_MIN);
	/* A network card would have checked the sums for it. */
	return lane_shell(contestant->lane, err,
			  "sysctl -qw net.netfilter.nf_conntrack_checksum=0 "
			  "net.netfilter.nf_conntrack_tcp_loose=1 2>&1");
}

static int set_up_nft(const struct contestant *contestant, struct err *err)
{
	char endpoints[ENDPOINTS * 24] = "";
	size_t used = 0;
	int r;

	r = lane_shell(contestant->lane, err, "command -v nft >/dev/null");
	if (r < 0)
		return err_set(err, -ENOENT,
			       "nft is not installed; run: sudo tools/deps bench-live");
	for (unsigned i = 0; i < ENDPOINTS; i++)
		used += (size_t)snprintf(endpoints + used, sizeof(endpoints) - used,
					 "%s%u : " ENDPOINT_PREFIX "%u", i ? ", " : "", i, i + 1);
	r = lane_shell(contestant->lane, err,
		       "nft -f - 2>&1 <<'END'\n"
		       "table ip balancer {\n"
		       "chain prerouting {\n"
		       "type nat hook prerouting priority dstnat\n"
		       "ip daddr " SUBJECT_VIP4
		       " tcp dport %u dnat to numgen inc mod %u map { %s }\n"
		       "}\n"
		       "%s"
		       "}\nEND\n",
		       SUBJECT_PORT, ENDPOINTS, endpoints, contestant->spec->chain ?: "");
	return r < 0 ? r : check_conntrack(contestant, err);
}

static int set_up_weir(struct contestant *contestant, struct err *err)
{
	int r = lane_enter(contestant->lane, err);

	if (r < 0)
		return r;
	r = subject_open_on(contestant->spec->name, LANE_DEVICE, &contestant->subject, err);
	if (lane_leave(contestant->lane, r < 0 ? NULL : err) < 0 || r < 0)
		return r < 0 ? r : -EPERM;
	return lane_attach(contestant->lane, contestant->subject->object->program, err);
}

static int set_up(struct pipe *pipe, struct contestant *contestant, struct err *err)
{
	static const enum pipe_program programs[] = {
		[KIND_DROP] = PIPE_DROP,
		[KIND_BOUNCE] = PIPE_BOUNCE,
		[KIND_FORWARD] = PIPE_PASS,
		[KIND_NFT] = PIPE_PASS,
	};
	enum kind kind = contestant->spec->kind;
	int r = lane_new(pipe, &contestant->lane, err);

	if (r < 0)
		return r;
	if (kind == KIND_WEIR)
		return set_up_weir(contestant, err);
	r = lane_attach(contestant->lane, pipe_program(pipe, programs[kind]), err);
	if (!r && (kind == KIND_FORWARD || kind == KIND_NFT))
		r = set_up_router(contestant, err);
	if (!r && kind == KIND_NFT)
		r = set_up_nft(contestant, err);
	return r;
}

int contestant_new(struct pipe *pipe, const char *name, struct contestant **ret, struct err *err)
{
	_cleanup_(contestant_freep) struct contestant *contestant = calloc(1, sizeof(*contestant));
	int r;

	if (!contestant)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		if (!strcmp(specs[i].name, name))
			contestant->spec = &specs[i];
	if (!contestant->spec)
		return err_set(err, -ENOENT, "there is no contestant %s", name);
	r = set_up(pipe, contestant, err);
	if (r < 0)
		return err_at(err, r, "%s", name);
	*ret = take_ptr(contestant);
	return 0;
}

void contestant_free(struct contestant *contestant)
{
	if (!contestant)
		return;
	subject_close(contestant->subject);
	free(contestant);
}

uint8_t contestant_opening(const struct contestant *contestant)
{
	return contestant->spec->opening;
}

/* IPCTNL_MSG_CT_DELETE that names no connection is for all of the namespace. */
static int flush_conntrack(struct err *err)
{
	struct nfgenmsg all = { .nfgen_family = AF_INET, .version = NFNETLINK_V0 };
	struct nl_sock *socket = nl_socket_alloc();
	int r = socket ? nl_connect(socket, NETLINK_NETFILTER) : -NLE_NOMEM;

	if (!r)
		r = nl_send_simple(socket, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
				   NLM_F_ACK, &all, sizeof(all));
	if (r >= 0)
		r = nl_wait_for_ack(socket);
	nl_socket_free(socket);
	return r < 0 ? err_set(err, -EIO, "cannot forget connections: %s", nl_geterror(r)) : 0;
}

int contestant_flush(const struct contestant *contestant, struct err *err)
{
	int r;

	if (contestant->spec->kind == KIND_WEIR)
		return subject_flush(contestant->subject, err);
	if (contestant->spec->kind != KIND_NFT)
		return 0;
	r = lane_enter(contestant->lane, err);
	if (r < 0)
		return r;
	r = flush_conntrack(err);
	return lane_leave(contestant->lane, r < 0 ? NULL : err) ?: r;
}

/* Packets that weir has forwarded by its own account. */
static int counted(const struct contestant *contestant, uint64_t *ret, struct err *err)
{
	*ret = 0;
	return contestant->subject ? subject_count(contestant->subject, WEIR_R_FORWARDED, ret, err)
				   : 0;
}

static struct lane_run run_of(const struct contestant *contestant, const struct traffic *traffic)
{
	const struct spec *spec = contestant->spec;

	return (struct lane_run){
		.traffic = traffic,
		.dropped = spec->kind == KIND_DROP,
		.expect = {
			.dst_first = spec->dst ? ntohl(inet_addr(spec->dst)) : 0,
			.dst_count = spec->dst_count,
			.mac = htonl(spec->mac),
			.protocol = spec->protocol,
		},
	};
}

int contestant_time(struct contestant *contestant, const struct traffic *traffic, uint32_t position,
		    uint32_t count, double *ret_ns, struct err *err)
{
	struct lane_run run = run_of(contestant, traffic);
	uint64_t before, after;
	int r;

	run.position = position;
	run.count = count;
	r = counted(contestant, &before, err);
	if (!r)
		r = lane_time(contestant->lane, &run, ret_ns, err);
	if (!r)
		r = counted(contestant, &after, err);
	if (!r && contestant->subject && after - before != count)
		return err_set(err, -EPROTO, "weir counts %llu of %u packets as forwarded",
			       (unsigned long long)(after - before), count);
	return r;
}

int contestant_check(struct contestant *contestant, const struct traffic *traffic, struct err *err)
{
	struct lane_run run = run_of(contestant, traffic);

	return lane_check(contestant->lane, &run, err);
}

int contestant_check_flows(const struct contestant *contestant, uint32_t flows, struct err *err)
{
	_cleanup_(fclosep) FILE *file = NULL;
	unsigned known;
	int r;

	if (contestant->spec->kind != KIND_NFT)
		return 0;
	r = lane_enter(contestant->lane, err);
	if (r < 0)
		return r;
	file = fopen("/proc/sys/net/netfilter/nf_conntrack_count", "re");
	r = lane_leave(contestant->lane, err);
	if (r < 0)
		return r;
	if (!file || fscanf(file, "%u", &known) != 1)
		return err_set(err, -EIO, "cannot read nf_conntrack_count");
	if (known != flows)
		return err_set(err, -EPROTO, "it knows %u flows, not %u", known, flows);
	return 0;
}
