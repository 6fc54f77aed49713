/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Which policies apply to the current process, and what they want to know. */
#pragma once

/* A workload inside a workload is one more level: five of them. */
#define NESTED 5

/*
 * Looks the process's ancestor up at the lowest level at which there are workloads, then at the levels that the
 * entries name; the deepest entry with a set wins.  A process outside every such subtree pays for one lookup.
 * Leaves if nothing applies.  Starts the frame.
 */
STENCIL(scope_set)(struct frame *f, u64 heads)
{
	u32 set = SET_DEFAULT, level = ((struct node_header *)node)->low_level;
	NO_UNROLL
	for (int nested = 0; nested < NESTED; nested++) {
		if (!level)
			break;
		u64 id = get_current_ancestor_cgroup_id(level);
		/* 0, "above that level", is what a free slot holds. */
		if (!id)
			break;
		u64 hash = id * CGROUP_HASH;
		PATCHED_SHR(hash, CGROUP_SHIFT);
		struct cgroup_slot *slot = (void *)(node + sizeof(struct node_header)) + hash * sizeof(*slot);
		u32 value = SET_NONE;
		NO_UNROLL
		for (int probe = 0; probe < CGROUP_PROBES; probe++, slot++) {
			u64 found = slot->id;
			if (found == id) {
				value = slot->value;
				break;
			}
			if (!found)
				break;
		}
		if ((value & SET_NONE) != SET_NONE)
			set = value & SET_NONE;
		level = value >> 24;
	}
	u32 head = node_u32(heads + set * 4);
	if (!head)
		return 1;
	f->set = at_node(head);
	f->slot = NULL;
	f->key = 0;
	f->signal = f->unreadable = 0;
	f->ret = 0;
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
