/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Calls whose policies want what they return: the program of the call leaves its ACT words in the task's storage, that
 * of the return takes them from there.  A task's storage ends with the task, so that a call that never returns leaves
 * nothing behind.
 *
 * A call is known by where its return address stands: while the call lasts, no other call of the same operation has
 * that place.  A kernel that misses a return (it keeps few of them at a time) leaves the words; the next call at the
 * same place takes them away and counts them as lost, before anything else, so that no return is taken for another's.
 */
#pragma once

struct call {
	u64 stack; /* where the return address stands; 0: nobody's */
	u64 key;   /* of the call's records */
	u32 operation, pad;
	u64 words[CALL_WORDS]; /* the call's ACT words, then zeros */
};
struct calls {
	struct call all[CALLS];
};
struct {
	int (*type)[MAP_TASK_STORAGE];
	int (*map_flags)[1]; /* BPF_F_NO_PREALLOC */
	int *key;
	struct calls *value;
} calls SEC(".maps");

#define STORAGE_CREATE 1
/* A return program's `args[0]` is the returned value; this one holds the call. */
#define TAKEN_CALL 1

INLINE struct calls *calls_of_task(u64 flags)
{
	return task_storage_get(&calls, get_current_task_btf(), NULL, flags);
}

/* All ones if `x` is 0, else 0, without a branch. */
INLINE u64 mask_if_zero(u64 x)
{
	u64 minus = -x;
	OPAQUE(minus);
	x = (x | minus) >> 63;
	OPAQUE(x);
	return x - 1;
}

/* Number of a call, from 1; 0 if it is not there.  Without a branch, so that there is one way for the verifier. */
INLINE u64 number_of_call(struct calls *calls, u64 stack, u64 operation)
{
	u64 found = 0;
#pragma clang loop unroll(full)
	for (u64 i = 0; i < CALLS; i++) {
		u64 differ = (calls->all[i].stack ^ stack) | (calls->all[i].operation ^ operation);
		u64 is_it = mask_if_zero(differ);
		found = (found & ~is_it) | ((i + 1) & is_it);
	}
	OPAQUE(found);
	return found;
}
INLINE struct call *numbered_call(struct calls *calls, u64 number)
{
	number = (number - 1) & (CALLS - 1);
	return (void *)calls + number * sizeof(struct call);
}

/* At a call, first of all: what is left of an earlier one at this place will never return. */
STENCIL(forget_call)(struct frame *f, u64 operation)
{
	struct calls *calls = calls_of_task(0);
	if (!calls)
		return 0;
	u64 number = number_of_call(calls, ((struct pt_regs *)f->ctx)->sp, operation);
	if (!number)
		return 0;
	struct call *call = numbered_call(calls, number);
	call->stack = 0;
	call->operation = 0;
	count_lost();
	return 0;
}

/* Behind `if_posted` and limits.  What finds no place is counted as lost: its event is not published. */
STENCIL(await_return)(struct frame *f, u64 operation, u64 values)
{
	struct slot *slot = f->slot;
	if (!slot)
		return 0;
	struct calls *calls = calls_of_task(STORAGE_CREATE);
	/* A free one. */
	u64 number = calls ? number_of_call(calls, 0, 0) : 0;
	if (!calls || !number) {
		count_lost();
		return 0;
	}
	struct call *call = numbered_call(calls, number);
	u64 words = slot->words;
	OPAQUE(words);
	words &= 2 * EVENT_TAIL - 1;
	words -= values;
	OPAQUE(words);
	if (words > CALL_WORDS) {
		count_lost();
		return 0;
	}
	__builtin_memset(call->words, 0, sizeof(call->words));
	probe_read_kernel(call->words, words * 8, slot->texts[0].tail + values);
	call->key = f->key;
	call->operation = operation;
	call->stack = ((struct pt_regs *)f->ctx)->sp;
	return 0;
}

/*
 * At a return, first of all: leaves unless a policy waits for it.  `operation`: that of the call.  The return address
 * has been taken off the stack.
 */
STENCIL(take_call)(struct frame *f, u64 operation)
{
	struct calls *calls = calls_of_task(0);
	if (!calls)
		return 1;
	u64 number = number_of_call(calls, ((struct pt_regs *)f->ctx)->sp - 8, operation);
	if (!number)
		return 1;
	struct call *call = numbered_call(calls, number);
	call->stack = 0;
	call->operation = 0;
	f->args[TAKEN_CALL] = (u64)call;
	return 0;
}

/* A list acts if it did so at the call. */
INLINE void act_if_awaited(struct frame *f, u64 word, u64 *counter)
{
	struct call *call = (void *)f->args[TAKEN_CALL];
	u64 found = 0;
#pragma clang loop unroll(full)
	for (u64 i = 0; i < CALL_WORDS; i++) {
		found |= mask_if_zero((call->words[i] ^ word) & (~0ull << 32 | ACT_RETURN));
	}
	OPAQUE(found);
	if (found)
		act(f, word, counter);
}
static long round_returned(u64 round, struct frame *f)
{
	ACT_ROUND(f, row_any, act_if_awaited);
}
STENCIL(act_returned)(struct frame *f)
{
	start(f);
	loop(ACT_ROUNDS, round_returned, f, 0);
	return 0;
}

/* As `if_posted`, with the key of the call. */
STENCIL(if_returned)(struct frame *f, u64 values)
{
	struct slot *slot = f->slot;
	if (!slot || slot->words <= values)
		return 1;
	f->key = ((struct call *)f->args[TAKEN_CALL])->key;
	return 0;
}
