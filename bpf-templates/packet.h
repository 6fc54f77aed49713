/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Parts of a packet: args[k] is the address of its struct sk_buff, of whatever kind, read as a number.
 *
 * A packet is what its network header is: IPv4 or IPv6, by the version in the first byte.  Without a network header
 * (offset 0: messages of netlink and unix sockets, and packets that have not got one yet) it is of neither family, and
 * has no part.  Only bytes of the linear part are looked at: what is behind its end is not the packet's.
 *
 * Source: Linux 6.1 and 6.12, include/linux/skbuff.h, include/uapi/linux/ip.h and ipv6.h; RFC 8200, RFC 4302.
 */
#pragma once

#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPV4_BYTES 20
#define IPV6_BYTES 40

struct packet {
	u64 at;	    /* address of the network header */
	u32 linear; /* bytes from there to the end of the linear part */
	u32 family; /* 0: neither */
	union {
		u8 bytes[IPV6_BYTES];
		u32 quarters[IPV6_BYTES / 4];
		u64 words[IPV6_BYTES / 8];
	};
};

#define READ_SKB(to, field) probe_read_kernel(&(to), sizeof(to), skb + FIELD_OFFSET(struct sk_buff, field))
INLINE void find_packet(struct packet *p, void *skb)
{
	u16 network = 0;
	u32 end = 0;
	u64 head = 0;
	p->family = 0;
	if (READ_SKB(network, network_header) || READ_SKB(end, tail) || READ_SKB(head, head))
		return;
	if (!network || end < network + IPV4_BYTES)
		return;
	p->at = head + network;
	p->linear = end - network;
	if (probe_read_kernel(p->bytes, IPV4_BYTES, (void *)p->at))
		return;
	u32 version = p->bytes[0] >> 4;
	if (version == 4)
		p->family = AF_INET;
	else if (version == 6 && p->linear >= IPV6_BYTES && !probe_read_kernel(p->bytes, IPV6_BYTES, (void *)p->at))
		p->family = AF_INET6;
}

struct transport {
	u32 protocol; /* NO_NUMBER: not found */
	u32 at;	      /* from the network header on; 0: not in this packet */
};

#define HOP_BY_HOP 0
#define ROUTING 43
#define FRAGMENT 44
#define AUTHENTICATION 51
#define DESTINATION 60
#define EXTENSIONS 7
INLINE u32 is_extension(u32 next)
{
	u64 all = 1ULL << HOP_BY_HOP | 1ULL << ROUTING | 1ULL << FRAGMENT | 1ULL << AUTHENTICATION | 1ULL << DESTINATION;
	return next < 64 && all >> (next & 63) & 1;
}

/* Behind the first fragment of a packet there are no headers, whatever the bytes look like. */
INLINE struct transport transport_of_ipv6(struct packet *p)
{
	u32 next = p->bytes[6], at = IPV6_BYTES, later = 0;
	NO_UNROLL
	for (int round = 0; round < EXTENSIONS; round++) {
		if (!is_extension(next))
			break;
		u8 head[4];
		if (later || at + 8 > p->linear || probe_read_kernel(head, sizeof(head), (void *)(p->at + at))) {
			next = NO_NUMBER;
			continue;
		}
		u32 size = (head[1] + 1) * 8;
		if (next == FRAGMENT) {
			size = 8;
			later = head[2] | (head[3] & 0xf8);
		} else if (next == AUTHENTICATION) {
			size = (head[1] + 2) * 4;
		}
		at += size;
		next = head[0];
	}
	return (struct transport){is_extension(next) ? NO_NUMBER : next, later ? 0 : at};
}
INLINE struct transport transport_of(struct packet *p)
{
	if (p->family == AF_INET6)
		return transport_of_ipv6(p);
	if (p->family != AF_INET)
		return (struct transport){NO_NUMBER, 0};
	u32 later = (p->bytes[6] & 0x1f) | p->bytes[7], size = (p->bytes[0] & 15) * 4;
	return (struct transport){p->bytes[9], later || size < IPV4_BYTES ? 0 : size};
}

struct ports {
	u32 source, destination;
};
/* 0 of a protocol other than TCP and UDP; NO_NUMBER if they cannot be read. */
INLINE struct ports ports_of(struct packet *p, struct transport *t)
{
	u16 ports[2];
	if (t->protocol == NO_NUMBER)
		return (struct ports){NO_NUMBER, NO_NUMBER};
	if (t->protocol != IPPROTO_TCP && t->protocol != IPPROTO_UDP)
		return (struct ports){0, 0};
	if (!t->at || t->at + sizeof(ports) > p->linear || probe_read_kernel(ports, sizeof(ports), (void *)(p->at + t->at)))
		return (struct ports){NO_NUMBER, NO_NUMBER};
	return (struct ports){__builtin_bswap16(ports[0]), __builtin_bswap16(ports[1])};
}

/*
 * What is found is a number that the verifier does not know, on every way to it: else it would follow each of them, with
 * the number that it leads to, through all that comes behind.
 */
STENCIL(packet_family)(struct frame *f, u64 k, u64 dimension)
{
	struct packet p;
	find_packet(&p, (void *)f->args[k]);
	f->ids[dimension] = (p.family ? p.family : NO_NUMBER) + unknown_zero();
	return 0;
}
STENCIL(packet_protocol)(struct frame *f, u64 k, u64 dimension)
{
	struct packet p;
	find_packet(&p, (void *)f->args[k]);
	f->ids[dimension] = transport_of(&p).protocol + unknown_zero();
	return 0;
}
#define PORT_OF_PACKET(name) \
	STENCIL(packet_##name##_port)(struct frame *f, u64 k, u64 dimension) \
	{ \
		struct packet p; \
		find_packet(&p, (void *)f->args[k]); \
		struct transport t = transport_of(&p); \
		f->ids[dimension] = ports_of(&p, &t).name + unknown_zero(); \
		return 0; \
	}
PORT_OF_PACKET(source)
PORT_OF_PACKET(destination)

#define ADDRESS_OF_PACKET(name, of4, of6) \
	STENCIL(packet_##name##_address)(struct frame *f, u64 k, u64 table, u64 dimension, u64 unreadable) \
	{ \
		struct packet p; \
		u32 atom = unreadable; \
		find_packet(&p, (void *)f->args[k]); \
		if (p.family == AF_INET) { \
			atom = atom_of_ipv4(table, p.quarters[of4]); \
		} else if (p.family == AF_INET6) { \
			struct wide value = {p.words[of6], p.words[of6 + 1]}; \
			atom = atom_of_ipv6(table, value); \
		} \
		f->ids[dimension] = atom + unknown_zero(); \
		return 0; \
	}
/* Where the addresses stand in the headers: in units of four bytes and of eight. */
#define SOURCE_IPV4 3
#define DESTINATION_IPV4 4
#define SOURCE_IPV6 1
#define DESTINATION_IPV6 3
ADDRESS_OF_PACKET(source, SOURCE_IPV4, SOURCE_IPV6)
ADDRESS_OF_PACKET(destination, DESTINATION_IPV4, DESTINATION_IPV6)
