/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A connection through mode nat, and each packet of it as it comes and as it shall leave: the
 * latter built anew, so that a byte that the data plane got wrong shows.
 */
#ifndef TESTS_LIB_TALK_H
#define TESTS_LIB_TALK_H

#include "rig.h"

#define A4 "10.0.0.11"
#define A6 "fd00::11"
#define B4 "10.0.0.12"

/* The two ends and weir's two in between; talk_open() finds the SNAT port. */
struct talk {
	uint8_t protocol;
	const char *client;
	const char *listener;
	const char *snat;
	const char *endpoint;
	uint16_t client_port;
	uint16_t listener_port;
	uint16_t snat_port;
	uint16_t endpoint_port;
};

#define TALK4(protocol_)                                                                           \
	{                                                                                          \
		.protocol = (protocol_), .client = CLIENT4, .listener = VIP4, .snat = SNAT4,       \
		.endpoint = A4, .client_port = 40000, .listener_port = 80, .endpoint_port = 8080   \
	}
#define TALK6(protocol_)                                                                           \
	{                                                                                          \
		.protocol = (protocol_), .client = CLIENT6, .listener = VIP6, .snat = SNAT6,       \
		.endpoint = A6, .client_port = 40000, .listener_port = 80, .endpoint_port = 8080   \
	}

/* Listeners tcp and udp on port 80; endpoint A on port 8080, B on the listener's with weight b. */
void talk_configure(int b);

#define SPEC(...) ((struct packet_spec){ __VA_ARGS__ })

/* `more` names what is particular: flags, payload, tags, ... */
struct packet talk_request(const struct talk *talk, struct packet_spec more);
struct packet talk_request_sent(const struct talk *talk, struct packet_spec more);
struct packet talk_reply(const struct talk *talk, struct packet_spec more);
struct packet talk_reply_sent(const struct talk *talk, struct packet_spec more);
/* What leaves has no tags, unless the next hop is in a VLAN: these say in which. */
struct packet talk_request_tagged(const struct talk *talk, struct packet_spec more);
struct packet talk_reply_tagged(const struct talk *talk, struct packet_spec more);

/* Sends a SYN (or the first datagram), which must be forwarded. */
struct rig_result talk_open(struct talk *talk);
/* Sends a request: what became of it. */
enum weir_reason talk_reason(const struct talk *talk, uint8_t flags);

/* Its record, or NULL. */
struct weir_nat_record *talk_record(const struct talk *talk);

#endif
