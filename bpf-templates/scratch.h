/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Per-CPU slots, claimed by atomic exchange: under preempt=full several tasks can be inside the program on one CPU,
 * and they leave in any order.
 */
#pragma once

/*
 * The first free one of `slots`.  Without a free one the event goes on: unless texts decide, its verdict needs no slot,
 * and what it would report is counted as lost.  `values`: words of an event's values in the tail.
 */
STENCIL(claim)(struct frame *f, u64 slots, u64 values)
{
	f->slot = NULL;
	f->key = 0;
	f->unreadable = 0;
	NO_UNROLL
	for (u32 i = 0; i < slots; i++) {
		u32 number = i;
		struct slot *slot = map_lookup_elem(&scratch, &number);
		if (!slot)
			break;
		if (__sync_lock_test_and_set(&slot->busy, 1))
			continue;
		slot->words = values;
		f->slot = slot;
		break;
	}
	return 0;
}

#define WAIT_ROUNDS (1 << 23) /* as many as a kernel allows: some time slices */

struct wait {
	u64 found; /* number of the slot, from 1 */
};

static long wait_round(u64 round, struct wait *w)
{
	u32 number = round & (SCRATCH_SLOTS - 1);
	struct slot *slot = map_lookup_elem(&scratch, &number);
	if (!slot)
		return 1;
	if (__sync_lock_test_and_set(&slot->busy, 1))
		return 0;
	w->found = (round & (SCRATCH_SLOTS - 1)) + 1;
	return 1;
}

/*
 * Where texts decide what is denied, a task without a slot must not go on.  One that holds a slot was preempted, so
 * this one can be preempted too, and then the other gives its slot back.  Only for programs that run as the task.
 */
STENCIL(wait_for_slot)(struct frame *f, u64 values)
{
	if (f->slot)
		return 0;
	struct wait w = {.found = unknown_zero()};
	loop(WAIT_ROUNDS, wait_round, &w, 0);
	u64 found = w.found;
	u32 number = (found - 1) & (SCRATCH_SLOTS - 1);
	struct slot *slot = map_lookup_elem(&scratch, &number);
	if (!found || !slot)
		return 1;
	slot->words = values;
	f->slot = slot;
	return 0;
}

#define EAGAIN 11
/* Waited in vain: those that hold the slots never got to run.  What cannot be judged is refused. */
STENCIL(refuse)(struct frame *f)
{
	count_lost();
	return -EAGAIN;
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
