/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Sockets and their addresses in events. */
#pragma once

/* A socket value at `place` in the tail, all zero, for what cannot be read. NULL: there is no slot. */
INLINE struct value_socket *socket_value(struct frame *f, u64 k, u64 place, u64 flags)
{
	struct slot *slot = f->slot;
	if (!slot)
		return NULL;
	u64 *at = slot->texts[0].tail + place;
	value_header((void *)at, k, VALUE_SOCKET, flags, sizeof(struct value_socket));
	for (u32 word = 1; word <= sizeof(struct value_socket) / 8; word++)
		at[word] = 0;
	return (void *)(at + 1);
}

STENCIL(value_sock_typed)(struct frame *f, u64 k, u64 place)
{
	struct sock *sk = (void *)f->args[k];
	struct value_socket *value = socket_value(f, k, place, sk ? 0 : VALUE_UNREADABLE);
	if (!value || !sk)
		return 0;
	value->family = sk->__sk_common.skc_family;
	value->state = sk->__sk_common.skc_state;
	value->protocol = sk->sk_protocol;
	value->source_port = sk->__sk_common.skc_num;
	value->destination_port = __builtin_bswap16(sk->__sk_common.skc_dport);
	if (sk->__sk_common.skc_family == AF_INET) {
		*(u32 *)value->source = sk->__sk_common.skc_rcv_saddr;
		*(u32 *)value->destination = sk->__sk_common.skc_daddr;
	} else if (sk->__sk_common.skc_family == AF_INET6) {
		u64 *source = (void *)&sk->__sk_common.skc_v6_rcv_saddr, *destination = (void *)&sk->__sk_common.skc_v6_daddr;
		value->source[0] = source[0];
		value->source[1] = source[1];
		value->destination[0] = destination[0];
		value->destination[1] = destination[1];
	}
	return 0;
}

#define READ(to, field) probe_read_kernel(&(to), sizeof(to), sk + FIELD_OFFSET(struct sock, field))
STENCIL(value_sock_probed)(struct frame *f, u64 k, u64 place)
{
	void *sk = (void *)f->args[k];
	u16 family = 0, protocol = 0, source_port = 0, destination_port = 0;
	u8 state = 0;
	int unreadable = !!READ(family, __sk_common.skc_family);
	struct value_socket *value = socket_value(f, k, place, unreadable ? VALUE_UNREADABLE : 0);
	if (!value || unreadable)
		return 0;
	READ(state, __sk_common.skc_state);
	READ(protocol, sk_protocol);
	READ(source_port, __sk_common.skc_num);
	READ(destination_port, __sk_common.skc_dport);
	value->family = family;
	value->state = state;
	value->protocol = protocol;
	value->source_port = source_port;
	value->destination_port = __builtin_bswap16(destination_port);
	if (family == AF_INET) {
		READ(*(u32 *)value->source, __sk_common.skc_rcv_saddr);
		READ(*(u32 *)value->destination, __sk_common.skc_daddr);
	} else if (family == AF_INET6) {
		READ(value->source, __sk_common.skc_v6_rcv_saddr);
		READ(value->destination, __sk_common.skc_v6_daddr);
	}
	return 0;
}

/* Port and address are those of the source, as conditions compare them. */
STENCIL(value_sockaddr)(struct frame *f, u64 k, u64 place)
{
	void *address = (void *)f->args[k];
	struct sockaddr_head head = {};
	int unreadable = !!probe_read_kernel(&head, sizeof(head), address);
	struct value_socket *value = socket_value(f, k, place, unreadable ? VALUE_UNREADABLE : 0);
	if (!value || unreadable)
		return 0;
	value->family = head.family;
	if (head.family == AF_INET || head.family == AF_INET6)
		value->source_port = __builtin_bswap16(head.port);
	if (head.family == AF_INET)
		probe_read_kernel(value->source, 4, address + 4);
	else if (head.family == AF_INET6)
		probe_read_kernel(value->source, 16, address + 8);
	return 0;
}
