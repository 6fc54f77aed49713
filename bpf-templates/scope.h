/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Which policies apply to the current process, and what they want to know. */
#pragma once

/* A workload inside a workload is one more level: five of them. */
#define NESTED 5

/* The slot of the cgroup or, if the table does not have it, NULL. */
INLINE struct cgroup_slot *cgroup_slot(u64 id)
{
	u64 hash = id * CGROUP_HASH;
	PATCHED_SHR(hash, CGROUP_SHIFT);
	struct cgroup_slot *slot = (void *)(node + sizeof(struct node_header)) + hash * sizeof(*slot);
	NO_UNROLL
	for (int probe = 0; probe < CGROUP_PROBES; probe++, slot++) {
		u64 found = slot->id;
		if (!found)
			return NULL;
		if (found == id)
			return slot;
	}
	return NULL;
}

/*
 * Looks the process's ancestor up at the lowest level at which there are workloads, then at the levels that the
 * entries name; the deepest entry with a set wins.  A process outside every such subtree pays for one lookup.
 * Leaves if nothing applies.  Starts the frame.
 */
STENCIL(scope_set)(struct frame *f, u64 heads)
{
	u32 level = ((struct node_header *)node)->low_level;
	u64 head = heads;
	NO_UNROLL
	for (int nested = 0; nested < NESTED && level; nested++) {
		u64 id = get_current_ancestor_cgroup_id(level);
		/* 0, "above that level", is what a free slot holds. */
		if (!id)
			break;
		struct cgroup_slot *slot = cgroup_slot(id);
		if (!slot)
			break;
		u32 value = slot->value, set = value & SET_NONE;
		if (set != SET_NONE)
			head = heads + set * 4;
		level = value >> 24;
	}
	head = node_u32(head);
	if (!head)
		return 1;
	u64 zero = unknown_zero();
	f->set = at_node(head);
	f->slot = NULL;
	f->key = 0;
	f->unreadable = 0;
	f->signal = f->ret = zero;
	/* All of them: decision words choose the dimension. */
	__builtin_memset(f->ids, 0, sizeof(f->ids));
	return 0;
}

/* Leaves if no policy of the set asks for the dimension. */
STENCIL(unneeded)(struct frame *f, u64 dimension)
{
	return !(f->set->needs >> dimension & 1);
}

/* Leaves if nothing can happen for this atom, whatever the others are.  The row is a plain bitset. */
STENCIL(quiet_bits)(struct frame *f, u64 dimension)
{
	u32 row = f->set->quiet[dimension];
	return row && row_bit(row, f->ids[dimension]);
}

/* The same for any kind of row. */
STENCIL(quiet_any)(struct frame *f, u64 dimension)
{
	u32 row = f->set->quiet[dimension];
	return row && row_any(row, f->ids[dimension]);
}
