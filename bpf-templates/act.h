/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The decision lists of the set: every list that matches acts. */
#pragma once

#define ACT_ROUNDS (1 << 20)

INLINE void act(struct frame *f, u64 word, u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
	if (word & ACT_OVERRIDE && !f->ret)
		f->ret = (s16)(word >> 16);
	f->signal |= word & ACT_SIGKILL;
	if (!(word & ACT_POST))
		return;
	struct slot *slot = f->slot;
	if (!slot) {
		count_lost();
		return;
	}
	u64 n = slot->words;
	if (n >= EVENT_TAIL) {
		count_lost();
		return;
	}
	n &= EVENT_TAIL - 1;
	slot->texts[0].tail[n] = word;
	slot->words = n + 1;
}

#define ACT_ROUND(f, IN, ACT) do { \
	u64 at_ = f->pc; \
	PATCHED_AND(at_, NODE_MASK); \
	u64 *words_ = (void *)node + at_, word_ = words_[0]; \
	if ((word_ & 15) == WORD_TEST) { \
		if (!IN(word_ >> 32, f->ids[word_ >> 8 & (DIMENSIONS - 1)])) { \
			f->pc = at_ + 8 + (word_ >> 16 & 0xffff) * 8; \
			return 0; \
		} \
		at_ += 8; \
		word_ = *++words_; \
		if ((word_ & 15) == WORD_TEST) { \
			f->pc = at_; \
			return 0; \
		} \
	} \
	if ((word_ & 15) == WORD_ACT) { \
		ACT(f, word_, words_ + 1); \
		f->pc = at_ + 16; \
		return 0; \
	} \
	if ((word_ & 15) != WORD_SKIP) \
		return 1; \
	f->pc = at_ + 8 + (word_ >> 16 & 0xffff) * 8; \
	return 0; \
} while (0)

/* A test may name the row of the other atoms: the one that makes the set quiet. */
INLINE u32 test_bit(u32 row, u32 id)
{
	return row_bit(row, id) ^ (row >> 1 & 1);
}
static long round_bits(u64 round, struct frame *f)
{
	ACT_ROUND(f, test_bit, act);
}
static long round_any(u64 round, struct frame *f)
{
	ACT_ROUND(f, row_any, act);
}

INLINE void start(struct frame *f)
{
	u64 zero = unknown_zero();
	f->pc = f->set->code;
	f->ret = f->signal = zero;
}
/* All rows are bitsets. */
STENCIL(act_bits)(struct frame *f)
{
	start(f);
	loop(ACT_ROUNDS, round_bits, f, 0);
	return 0;
}
STENCIL(act_any)(struct frame *f)
{
	start(f);
	loop(ACT_ROUNDS, round_any, f, 0);
	return 0;
}
