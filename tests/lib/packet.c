// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "packet.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <linux/if_ether.h>
#include <netinet/ether.h>
#include <string.h>

#include "net/addr.h"

#define DEFAULT_TTL 64
#define DEFAULT_ID  0x1234
#define ICMP_HEADER 8

static const struct {
	uint8_t protocol;
	uint8_t size;
	uint8_t length; /* as in the header */
	uint16_t fragment;
} extensions[] = {
	[EXT_HOP] = { IPPROTO_HOPOPTS, 8, 0, 0x0104 }, /* PadN of 6 bytes */
	[EXT_ROUTING] = { IPPROTO_ROUTING, 24, 2, 0x0400 },
	[EXT_DEST] = { IPPROTO_DSTOPTS, 16, 1, 0x010c },
	[EXT_AH] = { IPPROTO_AH, 24, 4, 0 },
	[EXT_ATOMIC] = { IPPROTO_FRAGMENT, 8, 0, 0x0000 },
	[EXT_FIRST] = { IPPROTO_FRAGMENT, 8, 0, 0x0001 },
	[EXT_LATER] = { IPPROTO_FRAGMENT, 8, 0, 0x00b8 },
};

static bool is_icmp(uint8_t protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

uint16_t packet_get16(const struct packet *packet, size_t offset)
{
	return (uint16_t)(packet->bytes[offset] << 8 | packet->bytes[offset + 1]);
}

void packet_set16(struct packet *packet, size_t offset, uint16_t value)
{
	packet->bytes[offset] = (uint8_t)(value >> 8);
	packet->bytes[offset + 1] = (uint8_t)value;
}

/* Adds bytes as 16-bit words to a sum that is not folded yet (RFC 1071). */
static uint32_t sum_bytes(uint32_t sum, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum += (uint32_t)bytes[i] << (i & 1 ? 0 : 8);
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The part of a layer 4 sum that comes from the IP header. */
static uint32_t pseudo_sum(const uint8_t *l3, uint8_t protocol, size_t length)
{
	bool ip6 = l3[0] >> 4 == 6;
	uint32_t sum = sum_bytes(0, l3 + (ip6 ? 8 : 12), ip6 ? 32 : 8);

	return sum + protocol + (uint32_t)length;
}

static void add(struct packet *packet, const void *bytes, size_t size)
{
	cr_assert_leq(packet->size + size, PACKET_MAX);
	if (bytes)
		memcpy(packet->bytes + packet->size, bytes, size);
	else
		memset(packet->bytes + packet->size, 0, size);
	packet->size += size;
}

static void add16(struct packet *packet, uint16_t value)
{
	uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };

	add(packet, bytes, sizeof(bytes));
}

static void add_tags(struct packet *packet, const uint16_t vlan[3])
{
	for (size_t i = 0; i < 3 && vlan[i]; i++) {
		bool inner = i == 2 || !vlan[i + 1];

		add16(packet, inner ? ETH_P_8021Q : ETH_P_8021AD);
		add16(packet, vlan[i]);
	}
}

static void add_ethernet(struct packet *packet, const struct packet_spec *spec, uint16_t type)
{
	struct ether_addr to, from;

	cr_assert(ether_aton_r(spec->to_mac ?: PACKET_TO, &to));
	cr_assert(ether_aton_r(spec->from_mac ?: PACKET_FROM, &from));
	add(packet, &to, ETH_ALEN);
	add(packet, &from, ETH_ALEN);
	add_tags(packet, spec->vlan);
	add16(packet, type);
}

static void add_ip4(struct packet *packet, const struct packet_spec *spec, const struct addr *src,
		    const struct addr *dst)
{
	uint8_t header[20] = {
		[0] = (uint8_t)(0x40 | (20 + spec->ip_options) / 4),
		[1] = spec->tos,
		[4] = (uint8_t)((spec->id ?: DEFAULT_ID) >> 8),
		[5] = (uint8_t)(spec->id ?: DEFAULT_ID),
		[6] = (uint8_t)(spec->fragment >> 8),
		[7] = (uint8_t)spec->fragment,
		[8] = spec->ttl ?: DEFAULT_TTL,
		[9] = spec->protocol,
	};

	memcpy(header + 12, src->bytes + 12, 4);
	memcpy(header + 16, dst->bytes + 12, 4);
	add(packet, header, sizeof(header));
	for (unsigned i = 0; i < spec->ip_options; i++)
		add(packet, "\x01", 1); /* no operation */
}

static void add_ip6(struct packet *packet, const struct packet_spec *spec, const struct addr *src,
		    const struct addr *dst)
{
	uint8_t header[8] = { (uint8_t)(0x60 | spec->tos >> 4), (uint8_t)(spec->tos << 4 | 0x01),
			      0x23, 0x45, [7] = spec->ttl ?: DEFAULT_TTL };
	size_t next = packet->size + 6;

	add(packet, header, sizeof(header));
	add(packet, src->bytes, 16);
	add(packet, dst->bytes, 16);
	for (size_t i = 0; i < PACKET_MAX_EXTENSIONS && spec->extensions[i]; i++) {
		uint8_t kind = spec->extensions[i];
		size_t start = packet->size;

		packet->bytes[next] = extensions[kind].protocol;
		add(packet, NULL, extensions[kind].size);
		packet->bytes[start + 1] = extensions[kind].length;
		packet_set16(packet, start + 2, extensions[kind].fragment);
		if (extensions[kind].protocol == IPPROTO_FRAGMENT) {
			packet_set16(packet, start + 4, (uint16_t)(spec->id >> 16));
			packet_set16(packet, start + 6, (uint16_t)(spec->id ?: DEFAULT_ID));
		}
		next = start;
	}
	packet->bytes[next] = spec->protocol;
}

/* The same of both families. */
static void add_icmp(struct packet *packet, const struct packet_spec *spec)
{
	uint8_t header[ICMP_HEADER] = { spec->icmp_type,
					spec->icmp_code,
					[4] = (uint8_t)(spec->icmp_rest >> 24),
					[5] = (uint8_t)(spec->icmp_rest >> 16),
					[6] = (uint8_t)(spec->icmp_rest >> 8),
					[7] = (uint8_t)spec->icmp_rest };

	add(packet, header, sizeof(header));
}

static void add_l4(struct packet *packet, const struct packet_spec *spec)
{
	if (is_icmp(spec->protocol))
		add_icmp(packet, spec);
	if (spec->protocol != IPPROTO_TCP && spec->protocol != IPPROTO_UDP)
		return;
	add16(packet, spec->sport);
	add16(packet, spec->dport);
	if (spec->protocol == IPPROTO_UDP) {
		add16(packet, (uint16_t)(8 + spec->payload));
		add16(packet, !spec->without_checksum);
		return;
	}
	add(packet, "\x11\x22\x33\x44\x55\x66\x77\x88", 8); /* sequence, acknowledgement */
	add16(packet, (uint16_t)((20 + spec->tcp_options) / 4 << 12 | spec->flags));
	add16(packet, 0xfaf0); /* window */
	add(packet, NULL, 4);  /* checksum, urgent */
	for (unsigned i = 0; i < spec->tcp_options; i++)
		add(packet, "\x01", 1);
}

static void add_quote(struct packet *packet, const struct packet *quote, size_t quoted)
{
	size_t size = quote->size - quote->l3;

	cr_assert_leq(quoted, size);
	add(packet, quote->bytes + quote->l3, quoted ?: size);
}

static void set_length(struct packet *packet)
{
	if (packet->bytes[packet->l3] >> 4 == 4)
		packet_set16(packet, packet->l3 + 2, (uint16_t)(packet->size - packet->l3));
	else
		packet_set16(packet, packet->l3 + 4, (uint16_t)(packet->size - packet->l3 - 40));
}

struct packet packet_build(const struct packet_spec *from)
{
	struct packet_spec spec = *from;
	struct packet packet = {};
	struct addr src, dst;
	bool ip4;

	cr_assert_eq(addr_parse(spec.src, &src), 0, "%s", spec.src);
	cr_assert_eq(addr_parse(spec.dst, &dst), 0, "%s", spec.dst);
	cr_assert_eq(addr_family(&src), addr_family(&dst));
	ip4 = addr_family(&dst) == AF_INET;
	if (spec.protocol == IPPROTO_ICMP && !ip4)
		spec.protocol = IPPROTO_ICMPV6;
	add_ethernet(&packet, &spec, ip4 ? ETH_P_IP : ETH_P_IPV6);
	packet.l3 = packet.size;
	(ip4 ? add_ip4 : add_ip6)(&packet, &spec, &src, &dst);
	packet.l4 = packet.size;
	add_l4(&packet, &spec);
	packet.data = packet.size;
	packet.protocol = packet.data > packet.l4 ? spec.protocol : 0;
	if (spec.quote)
		add_quote(&packet, spec.quote, spec.quoted);
	for (unsigned i = 0; i < spec.payload; i++)
		add(&packet, &(uint8_t){ (uint8_t)(i * 7 + 1) }, 1);
	set_length(&packet);
	packet_sum(&packet);
	add(&packet, NULL, spec.trailer);
	return packet;
}

/* Ethernet and IP of an answer: back to who sent it, from where it was sent to. */
static struct packet begin_answer(const struct packet *to, uint8_t protocol, uint8_t tos)
{
	uint8_t ip4[20] = { 0x45, tos, [6] = 0x40, [8] = DEFAULT_TTL, [9] = protocol };
	uint8_t ip6[40] = { 0x60, [6] = protocol, [7] = DEFAULT_TTL };
	const uint8_t *ip = to->bytes + to->l3;
	struct packet packet = { .l3 = to->l3, .protocol = protocol };

	add(&packet, to->bytes + ETH_ALEN, ETH_ALEN);
	add(&packet, to->bytes, ETH_ALEN);
	add(&packet, to->bytes + 2 * ETH_ALEN, to->l3 - 2 * ETH_ALEN);
	if (ip[0] >> 4 == 4) {
		memcpy(ip4 + 12, ip + 16, 4);
		memcpy(ip4 + 16, ip + 12, 4);
		add(&packet, ip4, sizeof(ip4));
	} else {
		memcpy(ip6 + 8, ip + 24, 16);
		memcpy(ip6 + 24, ip + 8, 16);
		add(&packet, ip6, sizeof(ip6));
	}
	packet.l4 = packet.size;
	return packet;
}

/* RFC 9293, 3.10.7.1. */
struct packet packet_reset(const struct packet *to)
{
	struct packet packet = begin_answer(to, IPPROTO_TCP, 0);
	const uint8_t *tcp = to->bytes + to->l4;
	const uint8_t *ip = to->bytes + to->l3;
	size_t length = ip[0] >> 4 == 4 ? (size_t)packet_get16(to, to->l3 + 2)
					: (size_t)packet_get16(to, to->l3 + 4) + 40;
	uint32_t next;

	length -= to->l4 - to->l3 + (tcp[12] >> 4) * 4u;
	length += !!(tcp[13] & TH_SYN) + !!(tcp[13] & TH_FIN);
	next = ((uint32_t)tcp[4] << 24 | tcp[5] << 16 | tcp[6] << 8 | tcp[7]) + (uint32_t)length;
	add(&packet, tcp + 2, 2);
	add(&packet, tcp, 2);
	add(&packet, tcp[13] & TH_ACK ? tcp + 8 : NULL, 4);
	next = tcp[13] & TH_ACK ? 0 : htonl(next);
	add(&packet, &next, 4);
	add16(&packet, tcp[13] & TH_ACK ? 0x5000 | TH_RST : 0x5000 | TH_RST | TH_ACK);
	add(&packet, NULL, 6);
	packet.data = packet.size;
	set_length(&packet);
	packet_sum(&packet);
	return packet;
}

struct packet packet_icmp_error(const struct packet *to, uint8_t type, uint8_t code, uint32_t rest)
{
	bool ip4 = to->bytes[to->l3] >> 4 == 4;
	struct packet packet = begin_answer(to, ip4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, 0xc0);
	size_t room = (ip4 ? 576 : 1280) - (packet.l4 - packet.l3) - ICMP_HEADER;
	size_t whole = ip4 ? (size_t)packet_get16(to, to->l3 + 2)
			   : (size_t)packet_get16(to, to->l3 + 4) + 40;

	add_icmp(&packet,
		 &(struct packet_spec){ .icmp_type = type, .icmp_code = code, .icmp_rest = rest });
	packet.data = packet.size;
	add(&packet, to->bytes + to->l3, whole < room ? whole : room);
	set_length(&packet);
	packet_sum(&packet);
	return packet;
}

struct packet packet_echo_reply(const struct packet *to)
{
	bool ip4 = to->bytes[to->l3] >> 4 == 4;
	size_t addresses = to->l3 + (ip4 ? 12 : 8), size = ip4 ? 4 : 16;
	struct packet packet = *to;

	memcpy(packet.bytes, to->bytes + ETH_ALEN, ETH_ALEN);
	memcpy(packet.bytes + ETH_ALEN, to->bytes, ETH_ALEN);
	memcpy(packet.bytes + addresses, to->bytes + addresses + size, size);
	memcpy(packet.bytes + addresses + size, to->bytes + addresses, size);
	packet.bytes[packet.l3 + (ip4 ? 8 : 7)] = DEFAULT_TTL;
	packet.bytes[packet.l4] = ip4 ? 0 : 129;
	packet_sum(&packet);
	return packet;
}

/* Where layer 4 is, as a receiver finds it. */
struct place {
	uint8_t protocol;
	size_t l3;
	size_t l4;
	size_t length; /* of layer 4, by the lengths in the headers */
};

static bool find_ip4(const uint8_t *bytes, size_t size, struct place *place)
{
	const uint8_t *ip = bytes + place->l3;
	size_t header, total;

	if (size < place->l3 + 20 || ip[0] >> 4 != 4)
		return false;
	header = (ip[0] & 0xfu) * 4;
	total = (size_t)ip[2] << 8 | ip[3];
	if (header < 20 || total < header || place->l3 + total > size)
		return false;
	place->l4 = place->l3 + header;
	place->length = total - header;
	place->protocol = ip[9];
	if ((ip[6] & 0x3f) | ip[7])
		place->protocol = 0;
	return true;
}

static bool find_ip6(const uint8_t *bytes, size_t size, struct place *place)
{
	const uint8_t *ip = bytes + place->l3;
	size_t end, at = place->l3 + 40;
	bool fragment = false, later = false;
	uint8_t next;

	if (size < at || ip[0] >> 4 != 6)
		return false;
	end = at + ((size_t)ip[4] << 8 | ip[5]);
	next = ip[6];
	if (end > size)
		return false;
	while (!later &&
	       (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
		next == IPPROTO_FRAGMENT || next == IPPROTO_AH)) {
		const uint8_t *header = bytes + at;

		if (at + 8 > end)
			return false;
		if (next == IPPROTO_FRAGMENT && (header[2] | (header[3] & 0xf9)))
			fragment = true;
		if (next == IPPROTO_FRAGMENT && (header[2] | (header[3] & 0xf8)))
			later = true;
		at += next == IPPROTO_FRAGMENT ? 8
		      : next == IPPROTO_AH     ? (header[1] + 2u) * 4
					       : (header[1] + 1u) * 8;
		next = header[0];
	}
	if (at > end)
		return false;
	place->l4 = at;
	place->length = end - at;
	place->protocol = fragment ? 0 : next;
	return true;
}

static bool find(const uint8_t *bytes, size_t size, struct place *place)
{
	uint16_t type;

	place->l3 = ETH_HLEN;
	if (size < ETH_HLEN)
		return false;
	type = (uint16_t)(bytes[12] << 8 | bytes[13]);
	for (int i = 0; i < 2 && (type == ETH_P_8021Q || type == ETH_P_8021AD); i++) {
		if (size < place->l3 + 4)
			return false;
		type = (uint16_t)(bytes[place->l3 + 2] << 8 | bytes[place->l3 + 3]);
		place->l3 += 4;
	}
	return (type == ETH_P_IP && find_ip4(bytes, size, place)) ||
	       (type == ETH_P_IPV6 && find_ip6(bytes, size, place));
}

static bool has_pseudo_header(uint8_t protocol)
{
	return protocol != IPPROTO_ICMP;
}

static size_t sum_offset(uint8_t protocol)
{
	return protocol == IPPROTO_UDP ? 6 : is_icmp(protocol) ? 2 : 16;
}

/* Where the quote of an ICMP error begins; 0: it is none, or too short for an IP header. */
static size_t find_quote(const uint8_t *bytes, const struct place *place)
{
	const uint8_t *icmp = bytes + place->l4;
	bool ip4 = place->protocol == IPPROTO_ICMP;

	if (!is_icmp(place->protocol) || place->length < ICMP_HEADER + (ip4 ? 20 : 40))
		return 0;
	if (ip4 ? icmp[0] != 3 && icmp[0] != 11 && icmp[0] != 12 : icmp[0] < 1 || icmp[0] > 4)
		return 0;
	return place->l4 + ICMP_HEADER;
}

static enum packet_sum_state header_state(const uint8_t *header, size_t size)
{
	return fold(sum_bytes(0, header, size)) == 0xffff ? SUM_GOOD : SUM_BAD;
}

static enum packet_sum_state quoted_state(const uint8_t *bytes, const struct place *place)
{
	size_t at = find_quote(bytes, place), size;

	if (!at || bytes[at] >> 4 != 4)
		return SUM_NONE;
	size = (bytes[at] & 0xfu) * 4;
	if (size < 20 || at + size > place->l4 + place->length)
		return SUM_NONE;
	return header_state(bytes + at, size);
}

static enum packet_sum_state l4_state(const uint8_t *bytes, const struct place *place)
{
	const uint8_t *l4 = bytes + place->l4;
	size_t length = place->length;
	uint32_t sum;

	if (place->protocol == IPPROTO_UDP) {
		if (length < 8 || ((size_t)l4[4] << 8 | l4[5]) > length || !(l4[6] | l4[7]))
			return SUM_NONE;
		length = (size_t)l4[4] << 8 | l4[5];
	} else if (is_icmp(place->protocol)) {
		if (length < ICMP_HEADER ||
		    (place->protocol == IPPROTO_ICMP) != (bytes[place->l3] >> 4 == 4))
			return SUM_NONE;
	} else if (place->protocol != IPPROTO_TCP || length < 20) {
		return SUM_NONE;
	}
	sum = has_pseudo_header(place->protocol)
		      ? pseudo_sum(bytes + place->l3, place->protocol, length)
		      : 0;
	return fold(sum_bytes(sum, l4, length)) == 0xffff ? SUM_GOOD : SUM_BAD;
}

struct packet_sums packet_sums(const uint8_t *bytes, size_t size)
{
	struct packet_sums sums = { SUM_NONE, SUM_NONE, SUM_NONE };
	struct place place;

	if (!find(bytes, size, &place))
		return sums;
	if (bytes[place.l3] >> 4 == 4)
		sums.ip = header_state(bytes + place.l3, place.l4 - place.l3);
	sums.l4 = l4_state(bytes, &place);
	sums.quoted = quoted_state(bytes, &place);
	return sums;
}

static void put_sum(struct packet *packet, size_t field, uint32_t sum)
{
	packet_set16(packet, field, (uint16_t)~fold(sum));
}

void packet_sum(struct packet *packet)
{
	bool ip4 = packet->bytes[packet->l3] >> 4 == 4;
	size_t length = ip4 ? packet->l3 + packet_get16(packet, packet->l3 + 2) - packet->l4
			    : packet->l3 + 40 + packet_get16(packet, packet->l3 + 4) - packet->l4;
	bool udp = packet->protocol == IPPROTO_UDP;
	size_t field = packet->l4 + sum_offset(packet->protocol);
	uint32_t sum = 0;

	if (ip4) {
		packet_set16(packet, packet->l3 + 10, 0);
		put_sum(packet, packet->l3 + 10,
			sum_bytes(0, packet->bytes + packet->l3, packet->l4 - packet->l3));
	}
	if (!packet->protocol || (udp && !packet_get16(packet, field)))
		return;
	packet_set16(packet, field, 0);
	if (has_pseudo_header(packet->protocol))
		sum = pseudo_sum(packet->bytes + packet->l3, packet->protocol, length);
	put_sum(packet, field, sum_bytes(sum, packet->bytes + packet->l4, length));
	if (udp && !packet_get16(packet, field))
		packet_set16(packet, field, 0xffff); /* RFC 768 */
}

static size_t inner_length(const struct packet *packet)
{
	if (packet->bytes[packet->l3] >> 4 == 4)
		return packet_get16(packet, packet->l3 + 2);
	return 40u + packet_get16(packet, packet->l3 + 4);
}

static void add_outer_ip4(struct packet *packet, const struct packet_outer *outer, uint8_t protocol,
			  const struct addr *src, const struct addr *dst)
{
	uint8_t header[20] = {
		[0] = 0x45,
		[1] = outer->tos,
		[4] = (uint8_t)(outer->id >> 8),
		[5] = (uint8_t)outer->id,
		[6] = (uint8_t)(outer->fragment >> 8),
		[7] = (uint8_t)outer->fragment,
		[8] = outer->ttl ?: DEFAULT_TTL,
		[9] = protocol,
	};

	memcpy(header + 12, src->bytes + 12, 4);
	memcpy(header + 16, dst->bytes + 12, 4);
	add(packet, header, sizeof(header));
}

static void add_outer_ip6(struct packet *packet, const struct packet_outer *outer, uint8_t protocol,
			  const struct addr *src, const struct addr *dst)
{
	uint32_t word = 6u << 28 | (uint32_t)outer->tos << 20 | outer->label;

	add16(packet, (uint16_t)(word >> 16));
	add16(packet, (uint16_t)word);
	add16(packet, 0); /* length */
	add16(packet, (uint16_t)(protocol << 8 | (outer->ttl ?: DEFAULT_TTL)));
	add(packet, src->bytes, 16);
	add(packet, dst->bytes, 16);
}

static void sum_outer(struct packet *packet, const struct packet_outer *outer, size_t udp, bool ip4)
{
	uint32_t sum;

	if (ip4) {
		packet_set16(packet, packet->l3 + 2, (uint16_t)(packet->size - packet->l3));
		put_sum(packet, packet->l3 + 10,
			sum_bytes(0, packet->bytes + packet->l3, udp - packet->l3));
	} else {
		packet_set16(packet, packet->l3 + 4, (uint16_t)(packet->size - udp));
	}
	if (!outer->gue)
		return;
	packet_set16(packet, udp + 4, (uint16_t)(packet->size - udp));
	if (outer->without_checksum)
		return;
	sum = pseudo_sum(packet->bytes + packet->l3, IPPROTO_UDP, packet->size - udp);
	put_sum(packet, udp + 6, sum_bytes(sum, packet->bytes + udp, packet->size - udp));
	if (!packet_get16(packet, udp + 6))
		packet_set16(packet, udp + 6, 0xffff);
}

struct packet packet_tagged(const struct packet *packet, const uint16_t vlan[3])
{
	static const uint16_t none[3];
	struct packet tagged = { .protocol = packet->protocol };
	size_t shift;

	add(&tagged, packet->bytes, (size_t)2 * ETH_ALEN);
	add_tags(&tagged, vlan ?: none);
	shift = packet->l3 - tagged.size - 2;
	add(&tagged, packet->bytes + packet->l3 - 2, packet->size - packet->l3 + 2);
	tagged.l3 = packet->l3 - shift;
	tagged.l4 = packet->l4 - shift;
	tagged.data = packet->data - shift;
	return tagged;
}

struct packet packet_tunnel(const struct packet *inner, const struct packet_outer *outer)
{
	uint8_t protocol = inner->bytes[inner->l3] >> 4 == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	uint8_t next = outer->gue ? IPPROTO_UDP : protocol;
	struct packet packet = { .l3 = inner->l3 };
	struct ether_addr mac;
	struct addr src, dst;
	size_t udp;
	bool ip4;

	cr_assert_eq(addr_parse(outer->src, &src), 0, "%s", outer->src);
	cr_assert_eq(addr_parse(outer->dst, &dst), 0, "%s", outer->dst);
	ip4 = addr_family(&dst) == AF_INET;
	add(&packet, inner->bytes, inner->l3);
	cr_assert(ether_aton_r(outer->to_mac ?: PACKET_TO, &mac));
	memcpy(packet.bytes, &mac, ETH_ALEN);
	cr_assert(ether_aton_r(outer->from_mac ?: PACKET_FROM, &mac));
	memcpy(packet.bytes + ETH_ALEN, &mac, ETH_ALEN);
	packet_set16(&packet, packet.l3 - 2, ip4 ? ETH_P_IP : ETH_P_IPV6);
	(ip4 ? add_outer_ip4 : add_outer_ip6)(&packet, outer, next, &src, &dst);
	udp = packet.size;
	if (outer->gue) {
		add16(&packet, outer->sport);
		add16(&packet, outer->dport ?: 6080);
		add(&packet, NULL, 4); /* length, checksum */
		add16(&packet, protocol);
		add16(&packet, 0);
	}
	packet.l4 = packet.size;
	packet.data = packet.size + inner->l4 - inner->l3;
	add(&packet, inner->bytes + inner->l3, inner_length(inner));
	sum_outer(&packet, outer, udp, ip4);
	return packet;
}

bool packet_is_sound(const uint8_t *bytes, size_t size)
{
	struct place place;

	if (!find(bytes, size, &place))
		return false;
	if (place.protocol == IPPROTO_TCP)
		return place.length >= 20 && (bytes[place.l4 + 12] >> 4) * 4u >= 20 &&
		       (bytes[place.l4 + 12] >> 4) * 4u <= place.length;
	if (place.protocol == IPPROTO_UDP)
		return place.length >= 8 &&
		       ((size_t)bytes[place.l4 + 4] << 8 | bytes[place.l4 + 5]) <= place.length;
	return !is_icmp(place.protocol) || place.length >= ICMP_HEADER;
}

void packet_repair(struct packet *packet)
{
	struct place place;
	size_t field;

	if (!find(packet->bytes, packet->size, &place))
		return;
	if (packet->bytes[place.l3] >> 4 == 4) {
		packet_set16(packet, place.l3 + 10, 0);
		put_sum(packet, place.l3 + 10,
			sum_bytes(0, packet->bytes + place.l3, place.l4 - place.l3));
	}
	if (l4_state(packet->bytes, &place) != SUM_BAD)
		return;
	if (place.protocol == IPPROTO_UDP)
		place.length = packet_get16(packet, place.l4 + 4);
	field = place.l4 + sum_offset(place.protocol);
	packet_set16(packet, field, 0);
	put_sum(packet, field,
		sum_bytes(
			has_pseudo_header(place.protocol)
				? pseudo_sum(packet->bytes + place.l3, place.protocol, place.length)
				: 0,
			packet->bytes + place.l4, place.length));
	if (place.protocol == IPPROTO_UDP && !packet_get16(packet, field))
		packet_set16(packet, field, 0xffff);
}

long packet_difference(const struct packet *a, const struct packet *b)
{
	size_t shorter = a->size < b->size ? a->size : b->size;

	for (size_t i = 0; i < shorter; i++)
		if (a->bytes[i] != b->bytes[i])
			return (long)i;
	return a->size == b->size ? -1 : (long)shorter;
}
