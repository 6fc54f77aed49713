/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Per-CPU slots, claimed by atomic exchange: under preempt=full several tasks can be inside the program on one CPU,
 * and they leave in any order.
 */
#pragma once

/*
 * `slots` of `size` bytes each.  Without a free one the event goes on: its verdict does not need a slot, what it
 * would report is counted as lost.
 */
STENCIL(claim)(struct frame *f, u64 slots, u64 size)
{
	u32 key = 0;
	char *base = map_lookup_elem(&scratch, &key);
	if (!base)
		return 0;
	NO_UNROLL
	for (u32 i = 0; i < slots; i++, base += size) {
		struct slot *slot = (void *)base;
		if (__sync_lock_test_and_set(&slot->busy, 1))
			continue;
		slot->entries = 0;
		f->slot = slot;
		break;
	}
	return 0;
}

STENCIL(release)(struct frame *f)
{
	struct slot *slot = f->slot;
	if (slot)
		*(volatile u64 *)&slot->busy = 0;
	return 0;
}

INLINE struct text *text_of(struct frame *f, u64 number)
{
	struct slot *slot = f->slot;
	return slot ? (void *)slot + sizeof(*slot) + number * sizeof(struct text) : NULL;
}
