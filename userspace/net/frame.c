// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "net/frame.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>

#define TTL	    64
#define WINDOW	    65535
#define FIRST_SEQ   1
#define GUE_PORT    6080 /* IANA */
#define GUE_SIZE    4
#define IP4_OFFSET  0x1fff /* of frag_off */
#define ICMP_HEADER 8

/* RFC 1071: the sum of 16-bit words in network order, not yet folded; `size` is even. */
static uint32_t sum_words(const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i += 2)
		sum += (uint32_t)byte[i] << 8 | byte[i + 1];
	return sum;
}

static uint16_t sum_finish(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static size_t put_ip(const struct frame_spec *spec, uint8_t *at, size_t payload)
{
	size_t size;
	const void *src = addr_raw(&spec->src, &size), *dst = addr_raw(&spec->dst, &size);
	struct ip6_hdr ip6 = {
		.ip6_flow = htonl(6u << 28),
		.ip6_plen = htons((uint16_t)payload),
		.ip6_nxt = spec->protocol,
		.ip6_hlim = TTL,
	};
	struct iphdr ip4 = {
		.version = 4,
		.ihl = sizeof(ip4) / 4,
		.tot_len = htons((uint16_t)(sizeof(ip4) + payload)),
		.frag_off = htons(IP_DF),
		.ttl = TTL,
		.protocol = spec->protocol,
	};

	if (addr_family(&spec->dst) == AF_INET6) {
		memcpy(&ip6.ip6_src, src, size);
		memcpy(&ip6.ip6_dst, dst, size);
		memcpy(at, &ip6, sizeof(ip6));
		return sizeof(ip6);
	}
	memcpy(&ip4.saddr, src, size);
	memcpy(&ip4.daddr, dst, size);
	ip4.check = sum_finish(sum_words(&ip4, sizeof(ip4)));
	memcpy(at, &ip4, sizeof(ip4));
	return sizeof(ip4);
}

static uint16_t layer4_sum(const struct frame_spec *spec, const void *header, size_t size)
{
	uint32_t sum = spec->protocol + (uint32_t)size + sum_words(header, size);
	size_t raw;
	const void *src = addr_raw(&spec->src, &raw), *dst = addr_raw(&spec->dst, &raw);

	return sum_finish(sum + sum_words(src, raw) + sum_words(dst, raw));
}

static void put_layer4(const struct frame_spec *spec, uint8_t *at)
{
	struct tcphdr tcp = {
		.source = htons(spec->sport),
		.dest = htons(spec->dport),
		.seq = htonl(FIRST_SEQ),
		.ack_seq = htonl(spec->syn ? 0 : FIRST_SEQ),
		.doff = sizeof(tcp) / 4,
		.syn = spec->syn,
		.ack = !spec->syn,
		.window = htons(WINDOW),
	};
	struct udphdr udp = {
		.source = htons(spec->sport),
		.dest = htons(spec->dport),
		.len = htons(sizeof(udp)),
	};

	if (spec->protocol == IPPROTO_TCP) {
		tcp.check = layer4_sum(spec, &tcp, sizeof(tcp));
		memcpy(at, &tcp, sizeof(tcp));
	} else {
		udp.check = layer4_sum(spec, &udp, sizeof(udp)) ?: 0xffff;
		memcpy(at, &udp, sizeof(udp));
	}
}

/* Returns their bytes. */
static size_t put_tags(const struct frame_spec *spec, uint16_t type, uint8_t *at)
{
	uint16_t words[2 * WEIR_VLANS + 1];
	size_t count = 0;

	for (size_t i = 0; i < WEIR_VLANS && spec->vlan[i]; i++) {
		bool service = spec->vlan[i] & WEIR_VLAN_8021AD;

		words[count++] = htons(service ? ETH_P_8021AD : ETH_P_8021Q);
		words[count++] = htons(spec->vlan[i] & WEIR_VLAN_ID);
	}
	words[count++] = htons(type);
	memcpy(at, words, count * sizeof(*words));
	return count * sizeof(*words);
}

size_t frame_build(const struct frame_spec *spec, uint8_t ret[FRAME_BUILD_MAX])
{
	size_t payload =
		spec->protocol == IPPROTO_TCP ? sizeof(struct tcphdr) : sizeof(struct udphdr);
	bool ip6 = addr_family(&spec->dst) == AF_INET6;
	size_t size = 2 * ETH_ALEN;

	memcpy(ret, spec->dst_mac, ETH_ALEN);
	memcpy(ret + ETH_ALEN, spec->src_mac, ETH_ALEN);
	size += put_tags(spec, ip6 ? ETH_P_IPV6 : ETH_P_IP, ret + size);
	size += put_ip(spec, ret + size, payload);
	put_layer4(spec, ret + size);
	return size + payload;
}

/* What is left of a frame, and what it is. */
struct reader {
	const uint8_t *at;
	size_t left;
	struct frame_layer *layers;
	size_t count;
};

enum next {
	END = -1, /* of what is known */
	NEXT_GUE = 256,
	/* any other: an IP protocol */
};

/* Copies a header of `size` bytes and steps over `whole` of them; false: it is cut off. */
static bool take(struct reader *reader, void *header, size_t size, size_t whole)
{
	if (reader->left < size || reader->left < whole)
		return false;
	memcpy(header, reader->at, size);
	reader->at += whole;
	reader->left -= whole;
	return true;
}

static struct frame_layer *add(struct reader *reader, const char *name, const char *what)
{
	struct frame_layer *layer = &reader->layers[reader->count++];

	*layer = (struct frame_layer){ .name = name, .what = what };
	return layer;
}

static void print_mac(const uint8_t mac[ETH_ALEN], char text[ADDR_TEXT_MAX])
{
	snprintf(text, ADDR_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
}

static void print_ends(struct frame_layer *layer, const void *src, const void *dst, size_t size)
{
	struct addr addr;

	if (!addr_from_raw(src, size, &addr))
		addr_print(&addr, layer->src);
	if (!addr_from_raw(dst, size, &addr))
		addr_print(&addr, layer->dst);
}

static void print_ports(struct frame_layer *layer, uint16_t src, uint16_t dst)
{
	snprintf(layer->src, sizeof(layer->src), "%u", ntohs(src));
	snprintf(layer->dst, sizeof(layer->dst), "%u", ntohs(dst));
}

static int read_ip4(struct reader *reader)
{
	struct frame_layer *layer;
	struct iphdr ip;

	if (!take(reader, &ip, sizeof(ip), sizeof(ip)))
		return END;
	layer = add(reader, "ipv4", "ttl");
	print_ends(layer, &ip.saddr, &ip.daddr, sizeof(ip.saddr));
	snprintf(layer->value, sizeof(layer->value), "%u", ip.ttl);
	if (ip.ihl * 4u < sizeof(ip) || ip.ihl * 4u - sizeof(ip) > reader->left ||
	    ntohs(ip.frag_off) & IP4_OFFSET)
		return END;
	reader->at += ip.ihl * 4u - sizeof(ip);
	reader->left -= ip.ihl * 4u - sizeof(ip);
	return ip.protocol;
}

static int read_ip6(struct reader *reader)
{
	struct frame_layer *layer;
	struct ip6_hdr ip;

	if (!take(reader, &ip, sizeof(ip), sizeof(ip)))
		return END;
	layer = add(reader, "ipv6", "ttl");
	print_ends(layer, &ip.ip6_src, &ip.ip6_dst, sizeof(ip.ip6_src));
	snprintf(layer->value, sizeof(layer->value), "%u", ip.ip6_hlim);
	return ip.ip6_nxt;
}

static int read_tcp(struct reader *reader)
{
	struct frame_layer *layer;
	struct tcphdr tcp;

	if (!take(reader, &tcp, sizeof(tcp), sizeof(tcp)))
		return END;
	layer = add(reader, "tcp", "flags");
	print_ports(layer, tcp.source, tcp.dest);
	snprintf(layer->value, sizeof(layer->value), "%s%s%s%s", tcp.syn ? "SYN " : "",
		 tcp.fin ? "FIN " : "", tcp.rst ? "RST " : "", tcp.ack ? "ACK " : "");
	layer->value[strlen(layer->value) - !!layer->value[0]] = '\0';
	return END;
}

static int read_udp(struct reader *reader)
{
	struct udphdr udp;

	if (!take(reader, &udp, sizeof(udp), sizeof(udp)))
		return END;
	print_ports(add(reader, "udp", NULL), udp.source, udp.dest);
	return ntohs(udp.dest) == GUE_PORT ? NEXT_GUE : END;
}

static int read_gue(struct reader *reader)
{
	uint8_t header[GUE_SIZE];

	/* version 0, no options, data; whatever else uses the port is left alone */
	if (!take(reader, header, sizeof(header), sizeof(header)) || header[0])
		return END;
	add(reader, "gue", NULL);
	return header[1];
}

static int read_icmp(struct reader *reader, const char *name)
{
	uint8_t header[ICMP_HEADER];
	struct frame_layer *layer;

	if (!take(reader, header, sizeof(header), sizeof(header)))
		return END;
	layer = add(reader, name, "type");
	snprintf(layer->value, sizeof(layer->value), "%u code %u", header[0], header[1]);
	return END;
}

static int read_protocol(struct reader *reader, int protocol)
{
	switch (protocol) {
	case IPPROTO_IPIP:
		return read_ip4(reader);
	case IPPROTO_IPV6:
		return read_ip6(reader);
	case IPPROTO_TCP:
		return read_tcp(reader);
	case IPPROTO_UDP:
		return read_udp(reader);
	case IPPROTO_ICMP:
		return read_icmp(reader, "icmp");
	case IPPROTO_ICMPV6:
		return read_icmp(reader, "icmpv6");
	case NEXT_GUE:
		return read_gue(reader);
	default:
		return END;
	}
}

static int read_ethernet(struct reader *reader)
{
	struct frame_layer *layer;
	struct ethhdr eth;
	uint16_t tag[2], type;

	if (!take(reader, &eth, sizeof(eth), sizeof(eth)))
		return END;
	layer = add(reader, "eth", NULL);
	print_mac(eth.h_source, layer->src);
	print_mac(eth.h_dest, layer->dst);
	type = ntohs(eth.h_proto);
	while ((type == ETH_P_8021Q || type == ETH_P_8021AD) && reader->count < FRAME_LAYERS) {
		if (!take(reader, tag, sizeof(tag), sizeof(tag)))
			return END;
		layer = add(reader, "vlan", "id");
		snprintf(layer->value, sizeof(layer->value), "%u", ntohs(tag[0]) & 0xfff);
		type = ntohs(tag[1]);
	}
	return type == ETH_P_IP ? IPPROTO_IPIP : type == ETH_P_IPV6 ? IPPROTO_IPV6 : END;
}

size_t frame_read(const uint8_t *frame, size_t size, struct frame_layer ret[FRAME_LAYERS])
{
	struct reader reader = { .at = frame, .left = size, .layers = ret };
	int next = read_ethernet(&reader);

	while (next != END && reader.count < FRAME_LAYERS)
		next = read_protocol(&reader, next);
	return reader.count;
}
