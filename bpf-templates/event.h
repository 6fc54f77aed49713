/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What leaves the kernel: signal, records, verdict. */
#pragma once

#define NO_TEXT 0xff

/* The smallest area that takes the text; the branches make it a constant for the verifier. */
INLINE u64 area_of(u32 len)
{
	u64 area = 64;
	if (len > 64) {
		area = 256;
		if (len > 256) {
			area = 1024;
			if (len > 1024)
				area = TEXT_MAX;
		}
	}
	return area;
}

INLINE void header(struct event *e, struct frame *f, u32 kind, u32 arg, u64 operation, u64 area)
{
	u64 id = get_current_pid_tgid();
	e->kind = kind;
	e->arg = arg;
	e->generation = ((struct node_header *)node)->generation;
	e->operation = operation;
	e->text_area = area;
	e->key = f->key;
	e->cgroup = get_current_cgroup_id();
	e->pid = id >> 32;
	e->tid = id;
	e->point = 0;
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
	u32 len = text->len;
	u64 area = area_of(len);
	OPAQUE(area);
	struct event *e = (void *)text->bytes + TEXT_MAX - area - sizeof(*e);
	header(e, f, EVENT_TEXT, arg, operation, area);
	e->flags = f->unreadable >> number & 1 ? EVENT_UNREADABLE : 0;
	e->text_len = len;
	e->entries = 0;
	__builtin_memset(e->args, 0, sizeof(e->args));
	if (ringbuf_output(&events, e, sizeof(*e) + area, 0))
		count_lost();
	return 0;
}

INLINE u64 send(struct frame *f, u64 operation, u64 arg, u64 integers, u64 is_of_several)
{
	struct slot *slot = f->slot;
	if (!slot)
		return 0;
	u64 entries = slot->entries;
	if (!entries)
		return 0;
	if (!f->key)
		f->key = ktime_get_ns();
	u64 area = 0;
	u32 len = 0, flags = 0;
	if (arg != NO_TEXT) {
		len = slot->texts[0].len;
		area = area_of(len);
		flags = f->unreadable & 1 ? EVENT_UNREADABLE : 0;
	}
	OPAQUE(area);
	struct event *e = (void *)slot->texts[0].bytes + TEXT_MAX - area - sizeof(*e);
	header(e, f, EVENT_POLICY, arg, operation, area);
	if (is_of_several)
		e->point = get_attach_cookie((void *)f->ctx);
	e->flags = flags;
	e->text_len = len;
	OPAQUE(entries);
	entries &= 2 * EVENT_ENTRIES - 1;
	if (entries > EVENT_ENTRIES)
		entries = EVENT_ENTRIES;
	e->entries = entries;
#pragma clang loop unroll(full)
	for (int k = 0; k < EVENT_ARGS; k++) {
		u64 value = 0;
		if (integers >> k & 1) {
			value = f->args[k];
			OPAQUE(value);
		}
		e->args[k] = value;
	}
	if (ringbuf_output(&events, e, sizeof(*e) + area + entries * 8, 0))
		count_lost();
	return 0;
}

/* The event, if a policy wants one.  `arg`: of the text, NO_TEXT if there is none; `integers`: bit k: args[k] is one. */
STENCIL(post)(struct frame *f, u64 operation, u64 arg, u64 integers)
{
	return send(f, operation, arg, integers, 0);
}
/* At one of several functions: each is attached with its number as cookie, which the stub's tail call leaves alone. */
STENCIL(post_of_several)(struct frame *f, u64 operation, u64 arg, u64 integers)
{
	return send(f, operation, arg, integers, 1);
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
