/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Which policies apply to the current process, and what they want to know. */
#pragma once

/* A workload inside a workload is one more level: five of them. */
#define NESTED 5

/* The cgroup's value; without an entry: no set, no further level. */
INLINE u32 cgroup_value(u64 id)
{
	u64 hash = id * CGROUP_HASH;
	PATCHED_SHR(hash, CGROUP_SHIFT);
	struct cgroup_slot *slot = (void *)(node + sizeof(struct node_header)) + hash * sizeof(*slot);
	NO_UNROLL
	for (int probe = 0; probe < CGROUP_PROBES; probe++, slot++) {
		u64 found = slot->id;
		if (!found)
			break;
		if (found == id)
			return slot->value;
	}
	return SET_NONE;
}

/*
 * Looks the process's ancestor up at the lowest level at which there are workloads, then at the levels that the
 * entries name; the deepest entry with a set wins.  A process outside every such subtree pays for one lookup.
 * Leaves if nothing applies.
 */
STENCIL(scope_set)(struct frame *f, u64 heads)
{
	u64 head = heads, id;
	u32 level = ((struct node_header *)node)->low_level, value;

	if (!level)
		goto chosen;
	/* 0, "above that level", is what a free slot holds. */
	id = get_current_ancestor_cgroup_id(level);
	if (!id)
		goto chosen;
	value = cgroup_value(id);
	if (value == SET_NONE)
		goto chosen;
	NO_UNROLL
	for (int nested = 1;; nested++) {
		u32 set = value & SET_NONE;
		if (set != SET_NONE)
			head = heads + set * 4;
		level = value >> 24;
		if (!level || nested == NESTED)
			break;
		id = get_current_ancestor_cgroup_id(level);
		if (!id)
			break;
		value = cgroup_value(id);
	}
chosen:
	head = node_u32(head);
	if (!head)
		return 1;
	f->set = at_node(head);
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
