/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Parts of a socket: args[k] is its struct sock, or an address of one.  A part that cannot be read has the atom behind all others, and so has
 * the address of a socket that is of neither internet family.
 *
 * A number is read into ids[dimension], where its lookup takes it from and leaves the atom.
 *
 * Source: Linux 6.1 and 6.12, include/net/sock.h (struct sock_common); ports as Tetragon shows them, in host order.
 */
#pragma once

#define AF_INET 2
#define AF_INET6 10
/* No part of a socket has more than 16 bits. */
#define NO_NUMBER ((u32)-1)

/* A socket that is being made or let go has none. */
STENCIL(sock_of_socket_typed)(struct frame *f, u64 k)
{
	struct socket *socket = (void *)f->args[k];
	f->args[k] = (u64)socket->sk;
	return 0;
}
STENCIL(sock_of_socket_probed)(struct frame *f, u64 k)
{
	f->args[k] = read_u64(f->args[k] + FIELD_OFFSET(struct socket, sk));
	return 0;
}

#define AS_IS(x) (x)
#define NUMBER_OF_FLOW(name, type, field, CONVERT) \
	STENCIL(flow_##name##_typed)(struct frame *f, u64 k, u64 dimension) \
	{ \
		struct sock *sk = (void *)f->args[k]; \
		u32 number = NO_NUMBER; \
		if (sk) \
			number = CONVERT(sk->field); \
		f->ids[dimension] = number; \
		return 0; \
	} \
	STENCIL(flow_##name##_probed)(struct frame *f, u64 k, u64 dimension) \
	{ \
		type value; \
		u32 number = NO_NUMBER; \
		if (!probe_read_kernel(&value, sizeof(value), (void *)f->args[k] + FIELD_OFFSET(struct sock, field))) \
			number = CONVERT(value); \
		f->ids[dimension] = number; \
		return 0; \
	}

NUMBER_OF_FLOW(source_port, u16, __sk_common.skc_num, AS_IS)
NUMBER_OF_FLOW(destination_port, u16, __sk_common.skc_dport, __builtin_bswap16)
NUMBER_OF_FLOW(protocol, u16, sk_protocol, AS_IS)
NUMBER_OF_FLOW(family, u16, __sk_common.skc_family, AS_IS)
NUMBER_OF_FLOW(state, u8, __sk_common.skc_state, AS_IS)

/* Whatever is found: `unreadable` if there is no number. No table holds a value as large. */
INLINE u32 or_unreadable(u32 atom, u32 number, u64 unreadable)
{
	u32 is_there = ((u64)number + 1) >> 32;
	OPAQUE(is_there);
	return atom | ((u32)unreadable & -is_there);
}
STENCIL(number_lookup)(struct frame *f, u64 table, u64 dimension, u64 unreadable)
{
	u32 number = f->ids[dimension];
	f->ids[dimension] = or_unreadable(atom_of_point(table, number), number, unreadable);
	return 0;
}
STENCIL(number_interval_lookup)(struct frame *f, u64 table, u64 dimension, u64 unreadable)
{
	u32 number = f->ids[dimension];
	f->ids[dimension] = or_unreadable(atom_of_interval(table, number), number, unreadable);
	return 0;
}

/* ---- Addresses ---- */
INLINE u32 atom_of_ipv4(u64 table, u32 address)
{
	u64 at = table_offset(table), value = (u64)__builtin_bswap32(address), key = value << 32 | (u32)-1;
	u32 count = ((struct address_table *)(tables + at))->count4, base = unknown_zero();
	at += offsetof(struct address_table, ranges);
	HALVE(key, at, count, base)
	u64 piece = *(u64 *)at_tables(at + (u64)base * 8);
	return (base + 1) & (u32)mask_if_not_above(piece >> 32, value) & (u32)mask_if_not_above(value, (u32)piece) & -count;
}

struct wide {
	u64 upper, lower;
};
INLINE u64 wide_if_not_above(struct wide a, struct wide b)
{
	return mask_if_not_above(a.upper, b.upper) &
	       (mask_if_not_above(a.lower, b.lower) | ~mask_if_not_above(b.upper, a.upper));
}
INLINE struct wide wide_at(u64 at)
{
	return (struct wide){*(u64 *)at_tables(at), *(u64 *)at_tables(at + 8)};
}
INLINE u32 atom_of_ipv6(u64 table, struct wide value)
{
	u64 at = table_offset(table);
	struct address_table *head = (void *)(tables + at);
	u32 before = head->count4, all = head->count6, count = all, base = unknown_zero();
	at += offsetof(struct address_table, ranges) + (u64)before * 8;
	value.upper = __builtin_bswap64(value.upper);
	value.lower = __builtin_bswap64(value.lower);
	NO_UNROLL
	for (int round = 0; round < HALVINGS; round++) {
		if (count < 2)
			break;
		u32 half = count >> 1;
		base += half & (u32)wide_if_not_above(wide_at(at + (u64)(base + half) * 16), value);
		count -= half;
	}
	u64 is_inside = wide_if_not_above(wide_at(at + (u64)base * 16), value) &
			wide_if_not_above(value, wide_at(at + (u64)(base + all) * 16));
	return (before + base + 1) & (u32)is_inside & -count;
}

#define ADDRESS_OF_FLOW(name, of4, of6) \
	STENCIL(name##_address_typed)(struct frame *f, u64 k, u64 table, u64 dimension, u64 unreadable) \
	{ \
		struct sock *sk = (void *)f->args[k]; \
		u32 atom = unreadable; \
		if (sk) { \
			u32 family = sk->__sk_common.skc_family; \
			if (family == AF_INET) { \
				atom = atom_of_ipv4(table, sk->__sk_common.of4); \
			} else if (family == AF_INET6) { \
				u64 *words = (void *)&sk->__sk_common.of6; \
				struct wide value = {words[0], words[1]}; \
				atom = atom_of_ipv6(table, value); \
			} \
		} \
		f->ids[dimension] = atom; \
		return 0; \
	} \
	STENCIL(name##_address_probed)(struct frame *f, u64 k, u64 table, u64 dimension, u64 unreadable) \
	{ \
		void *sk = (void *)f->args[k]; \
		u16 family = 0; \
		u32 narrow, atom = unreadable; \
		struct wide wide; \
		probe_read_kernel(&family, sizeof(family), sk + FIELD_OFFSET(struct sock, __sk_common.skc_family)); \
		if (family == AF_INET) { \
			if (!probe_read_kernel(&narrow, sizeof(narrow), sk + FIELD_OFFSET(struct sock, __sk_common.of4))) \
				atom = atom_of_ipv4(table, narrow); \
		} else if (family == AF_INET6) { \
			if (!probe_read_kernel(&wide, sizeof(wide), sk + FIELD_OFFSET(struct sock, __sk_common.of6))) \
				atom = atom_of_ipv6(table, wide); \
		} \
		f->ids[dimension] = atom; \
		return 0; \
	}

ADDRESS_OF_FLOW(source, skc_rcv_saddr, skc_v6_rcv_saddr)
ADDRESS_OF_FLOW(destination, skc_daddr, skc_v6_daddr)

/*
 * args[k] is a struct sockaddr, read as a number: the kernel's copy, whatever its kind.  What comes behind the length that
 * the task gave is not looked at by anyone: the kernel refuses such calls.
 */
struct sockaddr_head {
	u16 family, port;
};
STENCIL(sockaddr_family)(struct frame *f, u64 k, u64 dimension)
{
	u16 family;
	u32 number = NO_NUMBER;
	if (!probe_read_kernel(&family, sizeof(family), (void *)f->args[k]))
		number = family;
	f->ids[dimension] = number;
	return 0;
}
/* Of a family that has no ports: 0. */
STENCIL(sockaddr_port)(struct frame *f, u64 k, u64 dimension)
{
	struct sockaddr_head head;
	u32 number = NO_NUMBER;
	if (!probe_read_kernel(&head, sizeof(head), (void *)f->args[k]))
		number = head.family == AF_INET || head.family == AF_INET6 ? __builtin_bswap16(head.port) : 0;
	f->ids[dimension] = number;
	return 0;
}
STENCIL(sockaddr_address)(struct frame *f, u64 k, u64 table, u64 dimension, u64 unreadable)
{
	void *address = (void *)f->args[k];
	u16 family = 0;
	u32 narrow, atom = unreadable;
	struct wide wide;
	probe_read_kernel(&family, sizeof(family), address);
	if (family == AF_INET) {
		if (!probe_read_kernel(&narrow, sizeof(narrow), address + 4))
			atom = atom_of_ipv4(table, narrow);
	} else if (family == AF_INET6) {
		if (!probe_read_kernel(&wide, sizeof(wide), address + 8))
			atom = atom_of_ipv6(table, wide);
	}
	f->ids[dimension] = atom;
	return 0;
}
