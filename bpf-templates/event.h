/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What leaves the kernel: signal, records, verdict. */
#pragma once

#define NO_TEXT 0xff

/*
 * A record is sent from where its text lies: the headers in front of the text's first byte, the tail behind its last
 * one.  No byte is sent that this event did not write.
 *
 * The record begins the earlier the longer it is.  The verifier knows of no such relation: it adds the latest beginning
 * to the greatest length.  So the lengths are told apart in steps of TEXT_ROOM, and there is that much room behind the
 * last text.  A branch that does nothing would be removed.
 */
#define STEP(len) asm volatile("%0 += 0" : "+r"(len))
INLINE u64 length_of(struct text *text)
{
	u64 len = text->len;
	if (len > TEXT_MAX)
		len = TEXT_MAX;
	if (len > TEXT_ROOM) {
		STEP(len);
		if (len > 2 * TEXT_ROOM) {
			STEP(len);
			if (len > 3 * TEXT_ROOM) {
				STEP(len);
				if (len > 4 * TEXT_ROOM) {
					STEP(len);
					if (len > 5 * TEXT_ROOM) {
						STEP(len);
						if (len > 6 * TEXT_ROOM) {
							STEP(len);
							if (len > 7 * TEXT_ROOM)
								STEP(len);
						}
					}
				}
			}
		}
	}
	OPAQUE(len);
	return len;
}

INLINE void header(struct event *e, struct frame *f, u32 kind, u32 values, u32 acts, u64 operation, u64 point)
{
	u64 id = get_current_pid_tgid();
	e->kind = kind;
	e->abi = EVENT_ABI;
	e->values = values;
	e->acts = acts;
	e->generation = ((struct node_header *)node)->generation;
	e->operation = operation;
	e->point = point;
	e->key = f->key;
	e->cgroup = get_current_cgroup_id();
	e->pid = id >> 32;
	e->tid = id;
}

INLINE void value_header(struct value *v, u64 index, u64 form, u64 flags, u64 len)
{
	*(u32 *)v = VALUE_ARGUMENT | index << 8 | form << 16 | flags << 24;
	v->len = len;
}

/* Leaves if no policy wants an event.  What comes behind it finds the slot. */
STENCIL(if_posted)(struct frame *f, u64 values)
{
	struct slot *slot = f->slot;
	if (!slot || slot->words <= values)
		return 1;
	f->key = ktime_get_ns();
	return 0;
}

/* The integer in args[k], its type as int_lookup takes it, at `place` in the tail: as value `index`. */
INLINE int put_integer(struct frame *f, u64 k, u64 index, u64 place, u64 type)
{
	struct slot *slot = f->slot;
	if (!slot)
		return 0;
	u64 *at = slot->texts[0].tail + place;
	value_header((void *)at, index, type & INT_SIGNED ? VALUE_SIGNED : VALUE_UNSIGNED, 0, 8);
	at[1] = widened(f->args[k], type);
	return 0;
}
STENCIL(value_integer)(struct frame *f, u64 k, u64 place, u64 type)
{
	return put_integer(f, k, k, place, type);
}
/* A field of a tracepoint's record, which the glue has put into args[0]: as its number, that of the field. */
STENCIL(value_field)(struct frame *f, u64 field, u64 place, u64 type)
{
	return put_integer(f, 0, field, place, type);
}

/* A record of `values` values, with text `number` unless `arg` is NO_TEXT, and with `words` words of the tail. */
INLINE u64 send(struct frame *f, struct text *text, u64 kind, u64 operation, u64 number, u64 arg, u64 values, u64 words,
		u64 acts, u64 point)
{
	struct event *e = (void *)text + offsetof(struct text, tail) - sizeof(*e);
	u64 size = sizeof(*e) + words * 8;
	if (arg != NO_TEXT) {
		u64 len = 0, flags = VALUE_UNREADABLE;
		if (!(f->unreadable >> number & 1)) {
			len = length_of(text);
			flags = 0;
		}
		u64 at = TEXT_MAX - len;
		OPAQUE(at);
		e = (void *)text + offsetof(struct text, event) + at;
		value_header((void *)(e + 1), arg, VALUE_TEXT, flags, len);
		size += sizeof(struct value) + len;
	}
	header(e, f, kind, values, acts, operation, point);
	if (ringbuf_output(&events, e, size, 0))
		count_lost();
	return 0;
}

/* A further text; comes before `post`. */
STENCIL(post_text)(struct frame *f, u64 operation, u64 arg, u64 number)
{
	struct slot *slot = f->slot;
	if (!slot)
		return 0;
	struct text *text = (void *)slot->texts + number * sizeof(struct text);
	return send(f, text, EVENT_PART, operation, number, arg, 1, 0, 0, 0);
}

INLINE u64 post_policy(struct frame *f, u64 operation, u64 arg, u64 values, u64 tail, u64 point)
{
	struct slot *slot = f->slot;
	if (!slot)
		return 0;
	u64 words = slot->words;
	OPAQUE(words);
	words &= 2 * EVENT_TAIL - 1;
	if (words > EVENT_TAIL)
		words = EVENT_TAIL;
	return send(f, slot->texts, EVENT_POLICY, operation, 0, arg, values, words, words - tail, point);
}

/* The event.  `arg`: of the text, NO_TEXT if there is none; `values`: how many there are; `tail`: words of those behind it. */
STENCIL(post)(struct frame *f, u64 operation, u64 arg, u64 values, u64 tail)
{
	return post_policy(f, operation, arg, values, tail, 0);
}
/* At one of several functions: each is attached with its number as cookie, which the stub's tail call leaves alone. */
STENCIL(post_of_several)(struct frame *f, u64 operation, u64 arg, u64 values, u64 tail)
{
	return post_policy(f, operation, arg, values, tail, get_attach_cookie((void *)f->ctx));
}

STENCIL(kill)(struct frame *f)
{
	if (f->signal)
		send_signal(9);
	return 0;
}

/*
 * The last stencil of a program that returns a verdict: its r0 is what the hook returns.  The kernel wants it proved
 * to lie in -4095..0; another value denies.
 */
STENCIL(verdict)(struct frame *f)
{
	s64 ret = f->ret;
	if (ret > 0 || ret < -4095)
		ret = -1;
	return ret;
}
