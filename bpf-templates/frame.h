/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What lives from one stencil to the next: the frame on the stack, and the claimed slot of per-CPU scratch memory.
 * Numbers that loops change stand in the slot and not in the frame: the verifier follows every value on the stack
 * and none in a map.
 */
#pragma once
#include "abi.h"

#define DIMENSIONS 16

struct frame {
	u64 ctx;
	struct set_block *set;
	struct slot *slot;	   /* NULL: none was free */
	u64 args[EVENT_ARGS];	   /* as the glue loaded them; a path argument becomes a struct path * by its reader */
	u64 key;		   /* of the records of this event */
	u32 ids[DIMENSIONS];	   /* atom per dimension */
	u32 pc;			   /* reference of the next decision word */
	s32 ret;		   /* value of the first override, 0 = none */
	u32 signal;		   /* ACT_SIGKILL or 0 */
	u32 unreadable;		   /* bit per text */
};

/* A record in front of its text: the header, integers, and the text's own header. */
#define INTEGER_BYTES (sizeof(struct value) + 8)
#define EVENT_HEAD (sizeof(struct event) + EVENT_ARGS * INTEGER_BYTES + sizeof(struct value))

/*
 * One text.  It ends at the end of `bytes`, so that a path can be built from its last component on, and an event can
 * be sent from where it lies: its head is written in front of the text, the entries stand behind it.
 */
struct text {
	u32 len, pad;
	u8 head[EVENT_HEAD];
	u8 bytes[TEXT_MAX];
	u64 entries[EVENT_ENTRIES]; /* of the first text only; of the others room for stores of whole words */
};

struct slot {
	u64 busy;
	u32 entries, pad;
	struct text texts[]; /* then TEXT_ROOM bytes */
};
