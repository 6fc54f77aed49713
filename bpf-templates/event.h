/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What leaves the kernel: signal, records, verdict. */
#pragma once

#define NO_TEXT 0xff

/*
 * A record is sent from where its text lies: its head in front of the text's first byte, the entries behind its last
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

/* `head`: bytes of the record in front of the text. */
INLINE struct event *record_of(struct text *text, u64 len, u64 head)
{
	u64 at = EVENT_HEAD + TEXT_MAX - head - len;
	OPAQUE(at);
	return (void *)text + offsetof(struct text, head) + at;
}

INLINE void header(struct event *e, struct frame *f, u32 kind, u32 values, u32 acts, u64 operation, u32 len)
{
	u64 id = get_current_pid_tgid();
	e->kind = kind;
	e->values = values;
	e->acts = acts;
	e->generation = ((struct node_header *)node)->generation;
	e->operation = operation;
	e->len = len;
	e->key = f->key;
	e->cgroup = get_current_cgroup_id();
	e->pid = id >> 32;
	e->tid = id;
}

/* The header of an argument's value, as one word. */
INLINE u64 argument(u64 index, u64 form, u64 flags, u64 len)
{
	return VALUE_ARGUMENT | index << 8 | form << 16 | flags << 24 | len << 32;
}

/* A further text; comes before `post`. */
STENCIL(post_text)(struct frame *f, u64 operation, u64 arg, u64 number)
{
	struct slot *slot = f->slot;
	struct text *text = text_of(f, number);
	if (!text || !slot->entries)
		return 0;
	if (!f->key)
		f->key = ktime_get_ns();
	u64 len = 0, flags = VALUE_UNREADABLE;
	if (!(f->unreadable >> number & 1)) {
		len = length_of(text);
		flags = 0;
	}
	struct event *e = record_of(text, len, sizeof(*e) + sizeof(struct value));
	header(e, f, EVENT_PART, 1, 0, operation, sizeof(struct value) + len);
	*(u64 *)(e + 1) = argument(arg, VALUE_TEXT, flags, len);
	if (ringbuf_output(&events, e, sizeof(*e) + sizeof(struct value) + len, 0))
		count_lost();
	return 0;
}

/*
 * The event, if a policy wants one.  `arg`: of the text, NO_TEXT if there is none; `integers`: the type of args[k] as
 * int_lookup takes it, in the INTEGER_BITS bits from k * INTEGER_BITS on, 0 if it is none; `count`: how many there are.
 */
#define INTEGER_BITS 6
STENCIL(post)(struct frame *f, u64 operation, u64 arg, u64 integers, u64 count)
{
	struct slot *slot = f->slot;
	if (!slot)
		return 0;
	u64 entries = slot->entries;
	if (!entries)
		return 0;
	if (!f->key)
		f->key = ktime_get_ns();
	u64 len = 0, flags = 0, values = count, head = count * INTEGER_BYTES;
	if (arg != NO_TEXT) {
		flags = VALUE_UNREADABLE;
		if (!(f->unreadable & 1)) {
			len = length_of(&slot->texts[0]);
			flags = 0;
		}
		values++;
		head += sizeof(struct value);
	}
	OPAQUE(entries);
	entries &= 2 * EVENT_ENTRIES - 1;
	if (entries > EVENT_ENTRIES)
		entries = EVENT_ENTRIES;
	struct event *e = record_of(&slot->texts[0], len, head + sizeof(*e));
	header(e, f, EVENT_POLICY, values, entries, operation, head + len);
	u64 *value = (void *)(e + 1);
#pragma clang loop unroll(full)
	for (int k = 0; k < EVENT_ARGS; k++) {
		u64 type = integers >> k * INTEGER_BITS;
		if (type & 15) {
			value[0] = argument(k, VALUE_INTEGER, 0, 8);
			value[1] = widened(f->args[k], type);
			value += 2;
		}
	}
	if (arg != NO_TEXT)
		value[0] = argument(arg, VALUE_TEXT, flags, len);
	if (ringbuf_output(&events, e, sizeof(*e) + head + len + entries * 8, 0))
		count_lost();
	return 0;
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
