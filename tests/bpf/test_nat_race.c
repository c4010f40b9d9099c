// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: with packets on all CPUs, endpoints that come and go, time that flies, sweeps and readers,
 * all at once, the NAT table loses no port and gives none to two flows: every answer reaches the
 * client that it is for, and in the end records, tags, reply entries and counters agree. Needs
 * root.
 */
#include <bpf/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/flows.h"
#include "dataplane/nat.h"
#include "rig_suite.h"

#define SECONDS	   6
#define WRITERS	   4
#define PRIVATE	   150 /* flows of each writer that are his alone */
#define SHARED	   4   /* flows that all writers open, use and end */
#define LIFE	   20  /* s: less than any record lives */
#define LIVE_BATCH 16

RIG_SUITE(nat_race);

static bool stop;

struct writer {
	pthread_t thread;
	int cpu;
	unsigned seed;
	uint8_t host; /* last byte of his clients' address */
	uint64_t opened;
	uint64_t answered;
	char fault[160]; /* the first one; "": none */
};

static void fail(struct writer *writer, const char *what, const struct packet *in,
		 const struct packet *out)
{
	if (writer->fault[0])
		return;
	snprintf(writer->fault, sizeof(writer->fault), "%s: client port %u, got to port %u of ..%u",
		 what, packet_get16(in, in->l4), out ? packet_get16(out, in->l4 + 2) : 0,
		 out ? out->bytes[in->l3 + 19] : 0);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
}

/* As rig_run(), for threads. */
static int run(const struct packet *packet, struct packet *out)
{
	struct xdp_md context = {
		.data_end = (uint32_t)packet->size,
		.ingress_ifindex = rig.arm[0],
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet->bytes,
		    .data_size_in = (uint32_t)packet->size, .data_out = out->bytes,
		    .data_size_out = PACKET_MAX, .ctx_in = &context, .ctx_size_in = sizeof(context),
		    .repeat = 1);

	if (bpf_prog_test_run_opts(rig.object->program, &options))
		return -1;
	out->size = options.data_size_out;
	return (int)options.retval;
}

static uint32_t offset_now(void)
{
	return __atomic_load_n(&rig.object->control->clock_offset, __ATOMIC_SEQ_CST);
}

/* Opens a flow of his own; the endpoint's answer must come back to this client, at once. */
static void talk_in_private(struct writer *writer, struct packet *request, struct packet *reply)
{
	uint16_t port = (uint16_t)(1000 + rand_r(&writer->seed) % PRIVATE);
	static _Thread_local struct packet out;
	uint32_t began = offset_now();
	int verdict;

	packet_set16(request, request->l4, port);
	request->bytes[request->l4 + 13] = TH_SYN;
	if (run(request, &out) != XDP_TX)
		return; /* no port, no room, no endpoint */
	writer->opened++;
	memcpy(reply->bytes + reply->l3 + 12, out.bytes + request->l3 + 16, 4);
	packet_set16(reply, reply->l4, packet_get16(&out, request->l4 + 2));
	packet_set16(reply, reply->l4 + 2, packet_get16(&out, request->l4));
	verdict = run(reply, &out);
	if (offset_now() - began > LIFE)
		return;
	if (verdict != XDP_TX)
		fail(writer, "an answer was lost", request, NULL);
	else if (packet_get16(&out, reply->l4 + 2) != port ||
		 memcmp(out.bytes + reply->l3 + 16, request->bytes + request->l3 + 12, 4))
		fail(writer, "an answer for another client", request, &out);
	else
		writer->answered++;
	if (rand_r(&writer->seed) % 2) {
		request->bytes[request->l4 + 13] = TH_RST;
		run(request, &out);
	}
}

static void talk_in_public(struct writer *writer, struct packet *tcp, struct packet *udp)
{
	static const uint8_t flags[] = { TH_SYN, TH_SYN, TH_SYN, TH_ACK, TH_RST, TH_FIN | TH_ACK };
	static _Thread_local struct packet out;
	uint16_t port = (uint16_t)(1 + rand_r(&writer->seed) % SHARED);
	struct packet *packet = rand_r(&writer->seed) % 2 ? tcp : udp;

	packet_set16(packet, packet->l4, port);
	if (packet == tcp)
		packet->bytes[packet->l4 + 13] =
			flags[(unsigned)rand_r(&writer->seed) % sizeof(flags)];
	run(packet, &out);
}

/* Behind the thread that changes the configuration, which has to wait for all CPUs each time. */
static void pin_thread(int cpu)
{
	cpu_set_t set;

	setpriority(PRIO_PROCESS, (id_t)gettid(), 10);

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *write_flows(void *user)
{
	struct writer *writer = user;
	struct packet own = TCP(.src = "198.51.100.10", .dst = VIP4, .dport = 80, .flags = TH_SYN);
	struct packet tcp = TCP(.src = "198.51.100.9", .dst = VIP4, .dport = 80, .flags = TH_SYN);
	struct packet udp = UDP(.src = "198.51.100.9", .dst = VIP4, .dport = 80);
	struct packet reply = TCP(.src = "10.0.0.11", .dst = SNAT4, .flags = TH_SYN | TH_ACK);

	own.bytes[own.l3 + 15] = writer->host;
	pin_thread(writer->cpu);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		talk_in_private(writer, &own, &reply);
		for (int i = 0; i < 4; i++)
			talk_in_public(writer, &tcp, &udp);
	}
	return NULL;
}

/* Frames as from a wire, in softirq context: they interrupt what the sweep is about. */
static void *send_live(void *user)
{
	struct writer *writer = user;
	struct packet syn = TCP(.src = "198.51.100.9", .dst = VIP4, .dport = 80, .flags = TH_SYN);
	struct xdp_md context = {
		.data_end = (uint32_t)syn.size,
		.ingress_ifindex = rig.arm[0],
	};

	pin_thread(writer->cpu);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = syn.bytes,
			    .data_size_in = (uint32_t)syn.size, .ctx_in = &context,
			    .ctx_size_in = sizeof(context), .repeat = LIVE_BATCH,
			    .batch_size = LIVE_BATCH, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

		packet_set16(&syn, syn.l4, (uint16_t)(1 + rand_r(&writer->seed) % SHARED));
		if (bpf_prog_test_run_opts(rig.object->program, &options))
			fail(writer, "live frames are refused", &syn, NULL);
		else
			writer->opened++;
	}
	return NULL;
}

/* What `weir show` does: a look at any moment finds whole records only. */
static void *look(void *user)
{
	struct writer *writer = user;
	uint32_t size = nat_size(rig.object);

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		for (uint32_t i = 0; i < size; i++) {
			struct weir_nat_record record;

			if (!nat_read(rig.object, i, &record))
				continue;
			writer->answered++;
			if (record.listener_port != 80 || record.client_addr[12] != 198 ||
			    record.snat_port < SNAT_FIRST || record.snat_port > SNAT_LAST)
				snprintf(writer->fault, sizeof(writer->fault),
					 "record %u was read in parts", i);
		}
	}
	return NULL;
}

static void configure(const char *endpoints)
{
	rig_configure(
		"version: 1\nlisteners:\n"
		"- {name: tcp, protocol: tcp, address: " VIP4 ", port: 80, idle_timeout: 60s, "
		"endpoint_groups: [{name: all, endpoints: [%s]}]}\n"
		"- {name: udp, protocol: udp, address: " VIP4 ", port: 80, idle_timeout: 60s, "
		"endpoint_groups: [{name: all, endpoints: [%s]}]}\n",
		endpoints, endpoints);
}

/* Endpoints change, rows are released and used again under other generations, and time flies. */
static unsigned churn(void)
{
	static const char *const sets[] = { "10.0.0.11, 10.0.0.12", "10.0.0.12",
					    "10.0.0.12, 10.0.0.13", "10.0.0.11, 10.0.0.13",
					    "10.0.0.13, '10.0.0.14 weight 0'" };
	time_t end = time(NULL) + SECONDS;
	unsigned rounds = 0;

	while (time(NULL) < end && !__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		configure(sets[rounds % (sizeof(sets) / sizeof(sets[0]))]);
		for (int i = 0; i < 8; i++) {
			rig_advance(1);
			rig_upkeep();
		}
		rounds++;
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	return rounds;
}

/* What a record claims: no two may have the same. */
struct claim {
	uint8_t endpoint[16];
	uint16_t endpoint_port;
	uint16_t snat_port;
	uint8_t udp;
	uint8_t snat;
};

static int compare_claims(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct claim));
}

static void expect_no_port_twice(void)
{
	uint32_t size = nat_size(rig.object), count = 0;
	struct claim *claims = calloc(size, sizeof(*claims));

	for (uint32_t i = 0; i < size; i++) {
		const struct weir_nat_record *record = &rig.object->nat_records[i];
		const struct weir_endpoint *row = &rig.object->endpoints[record->word.is.endpoint];

		cr_assert_neq(record->word.is.state, WEIR_NAT_BUSY, "record %u is BUSY", i);
		if (record->word.is.state != WEIR_NAT_LIVE)
			continue;
		cr_assert_eq((uint16_t)row->generation, record->word.is.endpoint_generation);
		memcpy(claims[count].endpoint, row->addr, 16);
		claims[count].endpoint_port = row->port ?: record->listener_port;
		claims[count].snat_port = record->snat_port;
		claims[count].udp = record->word.is.udp;
		claims[count++].snat = record->client.snat;
	}
	qsort(claims, count, sizeof(*claims), compare_claims);
	for (uint32_t i = 1; i < count; i++)
		cr_assert(compare_claims(&claims[i - 1], &claims[i]), "port %u of two flows",
			  claims[i].snat_port);
	free(claims);
}

static void expect_agreement(void)
{
	uint32_t records = rig_count_nat();

	cr_assert_eq(rig_count_tags(), records, "%u tags, %u records", rig_count_tags(), records);
	cr_assert_eq(rig_count_replies(), records, "%u reply entries, %u records",
		     rig_count_replies(), records);
	cr_assert_eq(rig_nat_open(), records, "opened - closed is %llu, records are %u",
		     (unsigned long long)rig_nat_open(), records);
}

Test(nat_race, no_port_is_lost_or_doubled, .timeout = 60)
{
	struct writer writers[WRITERS + 3] = {};
	size_t count = sizeof(writers) / sizeof(writers[0]);
	uint64_t opened = 0, answered = 0;
	unsigned rounds;

	cr_assert_eq(system("ip link set arm0 up && ip link set arm1 up"), 0);
	configure("10.0.0.11, 10.0.0.12");
	for (size_t i = 0; i < count; i++) {
		void *(*work)(void *) = i < WRITERS	? write_flows
					: i + 1 < count ? send_live
							: look;

		writers[i].cpu = (int)(i % 2);
		writers[i].seed = (unsigned)i + 1;
		writers[i].host = (uint8_t)(10 + i);
		cr_assert_eq(pthread_create(&writers[i].thread, NULL, work, &writers[i]), 0);
	}
	rounds = churn();
	for (size_t i = 0; i < count; i++)
		pthread_join(writers[i].thread, NULL);
	for (size_t i = 0; i < count; i++)
		cr_assert_str_eq(writers[i].fault, "");
	for (size_t i = 0; i < WRITERS; i++) {
		opened += writers[i].opened;
		answered += writers[i].answered;
	}
	cr_log_info("%llu SYNs, %llu answered, %llu + %llu live batches, %llu records read, %u "
		    "configurations, %llu races",
		    (unsigned long long)opened, (unsigned long long)answered,
		    (unsigned long long)writers[WRITERS].opened,
		    (unsigned long long)writers[WRITERS + 1].opened,
		    (unsigned long long)writers[WRITERS + 2].answered, rounds,
		    (unsigned long long)rig_counted("tcp", WEIR_R_NAT_RACE));
	cr_assert(answered > 1000 && rounds > 5, "%llu answers, %u rounds",
		  (unsigned long long)answered, rounds);
	expect_no_port_twice();
	expect_agreement();
	rig_advance(1000);
	rig_upkeep();
	expect_agreement();
	cr_assert_eq(rig_count_nat(), 0);
}
