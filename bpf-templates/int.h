/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The atom of an integer. */
#pragma once

/* All ones if a <= b, else 0, without a branch: the borrow of b - a stands in the top bit. */
INLINE u64 mask_if_not_above(u64 a, u64 b)
{
	u64 borrow = ((~b & a) | ((~b | a) & (b - a))) >> 63;
	OPAQUE(borrow);
	return borrow - 1;
}

#define INT_SIGNED 0x10
/* An argument of 1 to 8 bytes: the upper part of the register may hold anything. */
INLINE u64 widened(u64 value, u64 type)
{
	u64 unused = 64 - (type & 15) * 8;
	if (!unused)
		return value;
	value <<= unused;
	return type & INT_SIGNED ? (u64)((s64)value >> unused) : value >> unused;
}

/*
 * Numbers: the last of the ascending `firsts` that is not above `value`, and whether there is any.  One halving a round.
 * No round branches on what it reads, and it starts from numbers that the verifier does not know: all ways out of the
 * loop are then the same for it.  2^20 values are more than a table can hold.
 */
#define HALVE(value, at, count, base) \
	NO_UNROLL \
	for (int round = 0; round < HALVINGS; round++) { \
		if (count < 2) \
			break; \
		u32 half = count >> 1; \
		u64 middle = *(u64 *)at_tables(at + (u64)(base + half) * 8); \
		base += half & mask_if_not_above(middle, value); \
		count -= half; \
	}

/* Single numbers. */
INLINE u32 atom_of_point(u64 table, u64 value)
{
	u64 at = table_offset(table), differ;
	u32 count = ((struct int_table *)(tables + at))->count, base = unknown_zero();
	at += offsetof(struct int_table, values);
	HALVE(value, at, count, base)
	differ = *(u64 *)at_tables(at + (u64)base * 8) ^ value;
	differ = (differ | -differ) >> 63;
	OPAQUE(differ);
	/* 0 if they differ or if there is no value. */
	return (base + 1) & (u32)(differ - 1) & -count;
}
STENCIL(int_lookup)(struct frame *f, u64 k, u64 table, u64 dimension, u64 type)
{
	f->ids[dimension] = atom_of_point(table, widened(f->args[k], type));
	return 0;
}

/* Pieces with lengths: what lies before the first one is farther behind it than any piece is long. */
INLINE u32 atom_of_interval(u64 table, u64 value)
{
	u64 at = table_offset(table);
	u32 count = ((struct int_table *)(tables + at))->count, base = unknown_zero(), all = count;
	at += offsetof(struct int_table, values);
	HALVE(value, at, count, base)
	u64 behind = value - *(u64 *)at_tables(at + (u64)base * 8);
	u64 size = *(u64 *)at_tables(at + (u64)(base + all) * 8);
	return (base + 1) & (u32)mask_if_not_above(behind, size);
}
STENCIL(interval_lookup)(struct frame *f, u64 k, u64 table, u64 dimension, u64 type)
{
	f->ids[dimension] = atom_of_interval(table, widened(f->args[k], type));
	return 0;
}

/* Masks: bit i of the atom says that the value has a bit of masks[i]. */
INLINE u32 atom_of_masks(u64 table, u64 value)
{
	u64 at = table_offset(table), atom = unknown_zero();
	u32 count = ((struct mask_table *)(tables + at))->count;
	at += offsetof(struct mask_table, masks);
	NO_UNROLL
	for (u32 i = 0; i < MASKS_MAX; i++) {
		if (i >= count)
			break;
		u64 hit = value & *(u64 *)at_tables(at + (u64)i * 8), minus = -hit;
		/* A branch for each mask would be two ways for the verifier. */
		OPAQUE(minus);
		atom |= (hit | minus) >> 63 << i;
	}
	return atom & ((1u << MASKS_MAX) - 1);
}
STENCIL(mask_lookup)(struct frame *f, u64 k, u64 table, u64 dimension, u64 type)
{
	f->ids[dimension] = atom_of_masks(table, widened(f->args[k], type));
	return 0;
}
