/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Packets in events. */
#pragma once

STENCIL(value_packet)(struct frame *f, u64 k, u64 place)
{
	void *skb = (void *)f->args[k];
	struct slot *slot = f->slot;
	struct packet p;
	u32 length = 0, priority = 0, mark = 0, hash = 0;
	if (!slot)
		return 0;
	u64 *at = slot->texts[0].tail + place;
	int unreadable = !!READ_SKB(length, len);
	value_header((void *)at, k, VALUE_PACKET, unreadable ? VALUE_UNREADABLE : 0, sizeof(struct value_packet));
	for (u32 word = 1; word <= sizeof(struct value_packet) / 8; word++)
		at[word] = 0;
	if (unreadable)
		return 0;
	struct value_packet *value = (void *)(at + 1);
	READ_SKB(priority, priority);
	READ_SKB(mark, mark);
	READ_SKB(hash, hash);
	value->length = length;
	value->priority = priority;
	value->mark = mark;
	value->hash = hash;
	find_packet(&p, skb);
	struct transport t = transport_of(&p);
	struct ports ports = ports_of(&p, &t);
	value->family = p.family;
	if (t.protocol == NO_NUMBER)
		value->lacks |= PACKET_PROTOCOL;
	else
		value->protocol = t.protocol;
	if (ports.source == NO_NUMBER) {
		value->lacks |= PACKET_PORTS;
	} else {
		value->source_port = ports.source;
		value->destination_port = ports.destination;
	}
	if (p.family == AF_INET) {
		*(u32 *)value->source = p.quarters[SOURCE_IPV4];
		*(u32 *)value->destination = p.quarters[DESTINATION_IPV4];
	} else if (p.family == AF_INET6) {
		value->source[0] = p.words[SOURCE_IPV6];
		value->source[1] = p.words[SOURCE_IPV6 + 1];
		value->destination[0] = p.words[DESTINATION_IPV6];
		value->destination[1] = p.words[DESTINATION_IPV6 + 1];
	}
	return 0;
}
