/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets for tests. A call names what matters and the builder computes the rest, lengths and
 * checksums in full, never incrementally: so a packet built anew is what the data plane's
 * arithmetic is compared with.
 *
 *   struct packet syn = TCP(.src = "198.51.100.7", .sport = 40000,
 *                           .dst = "192.0.2.1", .dport = 80, .flags = TH_SYN);
 */
#ifndef TESTS_LIB_PACKET_H
#define TESTS_LIB_PACKET_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX	      9216
#define PACKET_MAX_EXTENSIONS 12

/* IPv6 extension headers, each of another size so that a wrong unit shows. */
enum packet_extension {
	EXT_NONE = 0,
	EXT_HOP,     /* hop-by-hop options, 8 bytes */
	EXT_ROUTING, /* 24 bytes, no segments left */
	EXT_DEST,    /* destination options, 16 bytes */
	EXT_AH,	     /* 24 bytes; its length counts words */
	EXT_ATOMIC,  /* fragment header of a packet that is whole */
	EXT_FIRST,   /* ... of a first fragment */
	EXT_LATER,   /* ... of a later fragment */
};

/* Zero or NULL: the default, which is named. */
struct packet_spec {
	const char *src; /* address; required, of the family of dst */
	const char *dst;
	uint16_t sport;
	uint16_t dport;
	uint8_t protocol;     /* set by TCP(), UDP(), ICMP(); others have no layer 4 header */
	uint8_t flags;	      /* TH_SYN, ... of TCP */
	uint8_t ttl;	      /* 64 */
	uint8_t tos;	      /* or traffic class */
	const char *from_mac; /* PACKET_FROM */
	const char *to_mac;   /* PACKET_TO */
	uint16_t vlan[3];     /* tags with their priority, outermost first; 0 ends */
	uint8_t ip_options;   /* bytes, a multiple of 4 */
	uint8_t tcp_options;  /* bytes, a multiple of 4 */
	uint16_t fragment;    /* IPv4: flags and offset as on the wire, in host order */
	uint32_t id;	      /* of IPv4, or in IPv6's fragment header; 0x1234 */
	uint8_t extensions[PACKET_MAX_EXTENSIONS]; /* enum packet_extension; EXT_NONE ends */
	uint16_t payload;			   /* bytes */
	uint8_t trailer;       /* bytes of Ethernet padding after the IP packet */
	bool without_checksum; /* UDP: zero */
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint32_t icmp_rest;	    /* host order: identifier and sequence, or MTU */
	const struct packet *quote; /* ICMP: its IP packet is the payload ... */
	uint16_t quoted;	    /* ... or so many bytes of it */
};

#define PACKET_FROM "02:00:00:00:c0:01"
#define PACKET_TO   "02:00:00:00:a0:01"

/* Offsets of the parts; all but `size` are only of a packet that was built here. */
struct packet {
	size_t size;
	size_t l3;
	size_t l4;
	size_t data;
	uint8_t protocol; /* with a layer 4 header, or 0 */
	uint8_t bytes[PACKET_MAX];
};

struct packet packet_build(const struct packet_spec *spec);

#define TCP(...) packet_build(&(struct packet_spec){ .protocol = IPPROTO_TCP, __VA_ARGS__ })
#define UDP(...) packet_build(&(struct packet_spec){ .protocol = IPPROTO_UDP, __VA_ARGS__ })
/* ... and ICMPv6, by the family of dst. */
#define ICMP(...) packet_build(&(struct packet_spec){ .protocol = IPPROTO_ICMP, __VA_ARGS__ })

/* What weir itself shall say to the sender of a packet: built anew, byte by byte. */
struct packet packet_reset(const struct packet *to);
struct packet packet_icmp_error(const struct packet *to, uint8_t type, uint8_t code, uint32_t rest);
struct packet packet_echo_reply(const struct packet *to);

/* What a tunnel puts around a packet. */
struct packet_outer {
	const char *src; /* address; required, of the family of dst */
	const char *dst;
	const char *from_mac; /* PACKET_FROM */
	const char *to_mac;   /* PACKET_TO */
	uint8_t ttl;	      /* 64 */
	uint8_t tos;
	uint16_t id;	   /* IPv4 */
	uint16_t fragment; /* IPv4: flags and offset as on the wire, in host order */
	uint32_t label;	   /* IPv6: flow label */
	bool gue;
	uint16_t sport;	       /* gue */
	uint16_t dport;	       /* gue: 6080 */
	bool without_checksum; /* gue: zero */
};

/* `inner` as it travels in a tunnel: the same Ethernet tags, and no trailer. `l3` is the outer
 * header's, `l4` and `data` are the inner packet's l3 and l4. */
struct packet packet_tunnel(const struct packet *inner, const struct packet_outer *outer);

/* The same with other tags, as those of a spec; NULL: none. */
struct packet packet_tagged(const struct packet *packet, const uint16_t vlan[3]);

/* The checksums again, after a test has changed what they cover; lengths are left alone. */
void packet_sum(struct packet *packet);

enum packet_sum_state {
	SUM_NONE, /* there is none, or the packet is too damaged to say where */
	SUM_GOOD,
	SUM_BAD,
};

/* What a receiver would say; computed from the bytes alone. */
struct packet_sums {
	enum packet_sum_state ip;     /* of the IPv4 header */
	enum packet_sum_state l4;     /* of TCP, UDP or ICMP, not of fragments */
	enum packet_sum_state quoted; /* of the IPv4 header that an ICMP error quotes */
};

struct packet_sums packet_sums(const uint8_t *bytes, size_t size);

/* Is it IP, with a version and lengths that fit the frame, and whole headers of what it carries? */
bool packet_is_sound(const uint8_t *bytes, size_t size);

/* Rights what packet_sums() looks at, of any frame. */
void packet_repair(struct packet *packet);

/* The first byte at which two packets differ, or -1. */
long packet_difference(const struct packet *a, const struct packet *b);

uint16_t packet_get16(const struct packet *packet, size_t offset);
void packet_set16(struct packet *packet, size_t offset, uint16_t value);

#endif
