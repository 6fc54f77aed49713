/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Tables, node, scratch and ring, and how to reach into them.  Tables and node are global variables: their address is
 * an immediate, without lookup and null check.  Every offset that comes from data is masked, in an instruction of its
 * own, so that the verifier sees the result inside.
 */
#pragma once

char tables[TABLES_SIZE] __attribute__((section(".data"), aligned(8))) = {};
char node[NODE_SIZE] __attribute__((section(".bss"), aligned(8)));

struct {
	int (*type)[MAP_RINGBUF];
	int (*max_entries)[65536];
} events SEC(".maps");

struct scratch {
	u8 bytes[sizeof(struct slot) + sizeof(struct text) + TEXT_ROOM];
};
struct {
	int (*type)[MAP_PERCPU_ARRAY];
	u32 *key;
	struct scratch *value;
	int (*max_entries)[SCRATCH_SLOTS];
} scratch SEC(".maps");

INLINE u64 table_offset(u64 reference)
{
	PATCHED_AND(reference, TABLES_MASK);
	return reference;
}
INLINE void *at_tables(u64 reference)
{
	return tables + table_offset(reference);
}
/* An element of 2 or 4 bytes, which need not begin at a multiple of 8; `fixed` is added behind the mask. */
INLINE void *table_element(u64 offset)
{
	PATCHED_AND(offset, TABLES_MASK_ANY);
	return tables + offset;
}
INLINE void *at_node(u64 reference)
{
	PATCHED_AND(reference, NODE_MASK);
	return node + reference;
}
INLINE u32 node_u32(u64 offset)
{
	PATCHED_AND(offset, NODE_MASK_ANY);
	return *(u32 *)(node + offset);
}
INLINE void count_lost(void)
{
	__sync_fetch_and_add(&((struct node_header *)node)->lost, 1);
}

/*
 * Where a loop's state begins.  Linux 6.1 verifies a callback of bpf_loop() for its first round only and removes
 * what that round cannot reach: a constant there is taken for a constant in every round, and what comes after the loop
 * is judged by one round as well.  Whatever a callback changes starts as something plus this.
 */
INLINE u64 unknown_zero(void)
{
	return *(volatile u64 *)&((struct node_header *)node)->zero;
}

/* ---- rows ---- */
INLINE u32 row_bit(u32 row, u32 id)
{
	u64 *words = at_node(row + (u64)(id >> 6) * 8);
	return *words >> (id & 63) & 1;
}

/*
 * Ascending list: one halving a round, without a branch, so that the rounds are the only thing that the verifier
 * counts.  2^20 atoms are more than a table can hold.
 */
#define HALVINGS 20
INLINE u32 row_list(u32 row, u32 id)
{
	u64 list = row & ~7u;
	u32 count = node_u32(list), base = 0;
	NO_UNROLL
	for (int round = 0; round < HALVINGS; round++) {
		if (count < 2)
			break;
		u32 half = count >> 1;
		u32 middle = node_u32(list + 4 + (u64)(base + half) * 4);
		base += middle <= id ? half : 0;
		count -= half;
	}
	return count && node_u32(list + 4 + (u64)base * 4) == id;
}
INLINE u32 row_any(u32 row, u32 id)
{
	u32 in = row & ROW_LIST ? row_list(row, id) : row_bit(row, id);
	return in ^ (row & ROW_INVERT ? 1 : 0);
}
