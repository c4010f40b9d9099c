// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "talk.h"

#include <string.h>

void talk_configure(int b)
{
	static const char *const protocols[] = { "tcp", "udp" };
	char text[4096] = "version: 1\nlisteners:\n";

	for (int i = 0; i < 2; i++) {
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used,
			 "- name: %s\n"
			 "  protocol: %s\n"
			 "  address: [" VIP4 ", '" VIP6 "']\n"
			 "  port: 80\n"
			 "  idle_timeout: 60s\n"
			 "  endpoint_groups:\n"
			 "  - name: all\n"
			 "    endpoints: ['10.0.0.11:8080', '[fd00::11]:8080', "
			 "'10.0.0.12 weight %d']\n",
			 protocols[i], protocols[i], b);
	}
	rig_configure("%s", text);
}

struct packet talk_request(const struct talk *talk, struct packet_spec more)
{
	more.protocol = talk->protocol;
	more.src = talk->client;
	more.sport = talk->client_port;
	more.dst = talk->listener;
	more.dport = talk->listener_port;
	return packet_build(&more);
}

struct packet talk_request_sent(const struct talk *talk, struct packet_spec more)
{
	memset(more.vlan, 0, sizeof(more.vlan));
	return talk_request_tagged(talk, more);
}

struct packet talk_request_tagged(const struct talk *talk, struct packet_spec more)
{
	static char mac[RIG_MAC_TEXT];

	more.protocol = talk->protocol;
	more.src = talk->snat;
	more.sport = talk->snat_port;
	more.dst = talk->endpoint;
	more.dport = talk->endpoint_port;
	more.ttl = (uint8_t)((more.ttl ?: 64) - 1);
	more.from_mac = ARM0_MAC;
	more.to_mac = rig_mac(talk->endpoint, mac);
	return packet_build(&more);
}

struct packet talk_reply(const struct talk *talk, struct packet_spec more)
{
	static char mac[RIG_MAC_TEXT];

	more.protocol = talk->protocol;
	more.src = talk->endpoint;
	more.sport = talk->endpoint_port;
	more.dst = talk->snat;
	more.dport = talk->snat_port;
	more.from_mac = rig_mac(talk->endpoint, mac);
	return packet_build(&more);
}

struct packet talk_reply_sent(const struct talk *talk, struct packet_spec more)
{
	memset(more.vlan, 0, sizeof(more.vlan));
	return talk_reply_tagged(talk, more);
}

struct packet talk_reply_tagged(const struct talk *talk, struct packet_spec more)
{
	more.protocol = talk->protocol;
	more.src = talk->listener;
	more.sport = talk->listener_port;
	more.dst = talk->client;
	more.dport = talk->client_port;
	more.ttl = (uint8_t)((more.ttl ?: 64) - 1);
	more.from_mac = ARM0_MAC;
	more.to_mac = PACKET_FROM;
	return packet_build(&more);
}

struct rig_result talk_open(struct talk *talk)
{
	struct packet syn = talk_request(talk, SPEC(.flags = TH_SYN));
	struct rig_result result = rig_send(&syn);

	cr_assert_eq(result.reason, WEIR_R_FORWARDED, "%s", rig_reason(result.reason));
	talk->snat_port = packet_get16(&result.out, syn.l4);
	return result;
}

enum weir_reason talk_reason(const struct talk *talk, uint8_t flags)
{
	struct packet packet = talk_request(talk, SPEC(.flags = flags));

	return rig_send(&packet).reason;
}

struct weir_nat_record *talk_record(const struct talk *talk)
{
	struct packet packet = talk_request(talk, SPEC(0));
	struct weir_flow key = rig_flow(&packet);

	return rig_nat_record(&key);
}
