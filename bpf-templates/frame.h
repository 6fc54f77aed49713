/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What lives from one stencil to the next: the frame on the stack, and the claimed slot of per-CPU scratch memory.
 * Numbers that loops change stand in the slot and not in the frame: the verifier follows every value on the stack
 * and none in a map.
 */
#pragma once
#include "abi.h"

struct frame {
	u64 ctx;
	struct set_block *set;
	struct slot *slot;	   /* NULL: none was free */
	u64 args[EVENT_ARGS];	   /* as the glue loaded them; a path argument becomes a struct path * by its reader */
	u64 key;		   /* of the records of this event */
	u32 ids[DIMENSIONS];	   /* atom per dimension */
	union {
		struct {
			u32 pc;	 /* reference of the next decision word */
			s32 ret; /* value of the first override, 0 = none */
		};
		u64 fact; /* before the decision lists: a number of the process, from its reader to its lookup */
	};
	u32 signal;		   /* ACT_SIGKILL or 0 */
	u32 unreadable;		   /* bit per text; TEXT_READ bits above: bit per text that is there */
	u32 renames, mounts;	   /* what `moment` found: the sequences before the first walk */
};
#define TEXT_READ 16

/*
 * One text.  It ends at the end of `bytes`, so that a path can be built from its last component on, and a record can be
 * sent from where it lies: its head is written in front of the text, and `tail` is behind it.
 */
struct text {
	u32 len, pad;
	struct event event;
	struct value value; /* of the text */
	u8 bytes[TEXT_MAX];
	u64 tail[EVENT_TAIL]; /* of the first text only; of the others room for stores of whole words */
};

struct slot {
	u64 busy;
	u32 words;  /* of the tail: those of its values, and of the ACT words so far */
	u32 wanted; /* as many as there were before limits (limit.h) */
	struct text texts[]; /* then TEXT_ROOM bytes */
};
