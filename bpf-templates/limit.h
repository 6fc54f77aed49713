/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Posts that a policy wants once in a while only.  Before an event is sent, the ACT words of those whose limit forbids
 * it are taken out of the tail: what they enforce is done all the same, and other policies' words stay.
 *
 * A limit counts together what has one key: action record, thread or process, function, and of each argument that the
 * policy declares the value, of a text its length and its first LIMIT_TEXT bytes.  The key is compared in full, so that
 * nobody can make an event look like another one.  The kernel drops the keys that were used least when the map is
 * full: an event too many is sent then, never one too few.
 */
#pragma once

struct limit_key {
	u32 record;
	u32 whose; /* thread, process, or 0 */
	u64 point; /* as in the event */
	u64 words[LIMIT_WORDS]; /* of arguments; those that are not the policy's are 0.  The map has as many as are used */
};
/* Behind the last text of the operation, where there is room (TEXT_ROOM). */
struct limit_room {
	struct limit_key key;
	u64 words[LIMIT_WORDS]; /* of all arguments that any limit looks at */
};
_Static_assert(sizeof(struct limit_room) <= TEXT_ROOM, "a key has no room");

struct {
	int (*type)[MAP_LRU_HASH];
	struct limit_key *key;
	u64 *value; /* when such an event was sent last */
	int (*max_entries)[1];
} limits SEC(".maps");

INLINE struct limit_room *limit_room(struct slot *slot, u64 texts)
{
	return (void *)slot->texts + texts * sizeof(struct text);
}

/* The integer whose header is at `place` of the tail.  `texts`: areas for them before the room. */
STENCIL(limit_integer)(struct frame *f, u64 place, u64 at, u64 texts)
{
	struct slot *slot = f->slot;
	if (!slot)
		return 0;
	limit_room(slot, texts)->words[at] = slot->texts[0].tail[place + 1];
	return 0;
}

/* Of the socket or the packet there: family, protocol, ports and addresses. */
STENCIL(limit_socket)(struct frame *f, u64 place, u64 at, u64 texts)
{
	struct slot *slot = f->slot;
	if (!slot)
		return 0;
	u64 *from = slot->texts[0].tail + place, *to = limit_room(slot, texts)->words + at;
	to[0] = from[0];
	to[1] = from[1] & ~0xff00ull;
#pragma clang loop unroll(full)
	for (int i = 2; i < LIMIT_SOCKET_WORDS; i++)
		to[i] = from[i];
	return 0;
}

/* The structure there, of `words` words with its header. */
STENCIL(limit_structure)(struct frame *f, u64 place, u64 at, u64 texts, u64 words)
{
	struct slot *slot = f->slot;
	if (!slot)
		return 0;
	u64 *from = slot->texts[0].tail + place, *to = limit_room(slot, texts)->words + at;
	NO_UNROLL
	for (u64 i = 0; i < words; i++)
		to[i] = from[i];
	return 0;
}

STENCIL(limit_text)(struct frame *f, u64 number, u64 at, u64 texts)
{
	struct slot *slot = f->slot;
	if (!slot)
		return 0;
	u64 *to = limit_room(slot, texts)->words + at;
	__builtin_memset(to, 0, LIMIT_TEXT_WORDS * 8);
	if (f->unreadable >> number & 1) {
		to[0] = ~0ull;
		return 0;
	}
	struct text *text = (void *)slot->texts + number * sizeof(struct text);
	u64 len = text->len;
	if (len > TEXT_MAX)
		len = TEXT_MAX;
	to[0] = len;
	u64 size = len < LIMIT_TEXT ? len : LIMIT_TEXT;
	OPAQUE(size);
	if (size > LIMIT_TEXT)
		size = LIMIT_TEXT;
	probe_read_kernel(to + 1, size, (void *)text->bytes + TEXT_MAX - len);
	return 0;
}

struct limiter {
	struct slot *slot;
	struct limit_room *room;
	u64 table;  /* of struct limit, from number 1 on */
	u64 values; /* words of the tail before the ACT words */
	u64 words;  /* of keys */
	u64 now, point;
};

INLINE int may_post(struct limiter *l, u64 word)
{
	u64 number = word >> ACT_LIMIT_SHIFT & ACT_LIMIT_MAX;
	if (!number)
		return 1;
	struct limit *limit = at_tables(l->table + (number - 1) * sizeof(struct limit));
	u64 window = limit->window, id = get_current_pid_tgid();
	u32 scope = limit->scope, used = limit->words;
	struct limit_room *room = l->room;
	room->key.record = word >> 32;
	room->key.whose = scope == LIMIT_THREAD ? id : scope == LIMIT_PROCESS ? id >> 32 : 0;
	room->key.point = l->point;
	NO_UNROLL
	for (u64 i = 0; i < LIMIT_WORDS; i++) {
		if (i >= l->words)
			break;
		u64 is_used = -(u64)(used >> i & 1);
		OPAQUE(is_used);
		room->key.words[i] = room->words[i] & is_used;
	}
	u64 *last = map_lookup_elem(&limits, &room->key), now = l->now;
	if (last) {
		u64 before = *(volatile u64 *)last, stands = before;
		/* Another CPU's clock may be ahead. */
		if ((s64)(now - before) >= (s64)window) {
			/* Who comes second leaves it to the first. */
			if (__sync_lock_test_and_set(last, now) == before)
				return 1;
			stands = now;
		}
		/* Meanwhile the place may have become another key's. */
		last = map_lookup_elem(&limits, &room->key);
		return !last || *(volatile u64 *)last != stands;
	}
	/* Without a place for it nothing is limited. */
	return map_update_elem(&limits, &room->key, &now, BPF_NOEXIST) != -EEXIST;
}

static long limit_round(u64 round, struct limiter *l)
{
	struct slot *slot = l->slot;
	u64 at = round + l->values;
	if (at >= slot->wanted)
		return 1;
	at &= EVENT_TAIL - 1;
	u64 word = slot->texts[0].tail[at];
	if (!may_post(l, word))
		return 0;
	u64 to = slot->words;
	to &= EVENT_TAIL - 1;
	slot->texts[0].tail[to] = word;
	slot->words = to + 1;
	return 0;
}

INLINE int limit_posts(struct frame *f, u64 table, u64 values, u64 texts, u64 words, u64 point)
{
	struct slot *slot = f->slot;
	if (!slot)
		return 1;
	struct limiter l = {
		.slot = slot,
		.room = limit_room(slot, texts),
		.table = table,
		.values = values,
		.words = words,
		.now = f->key,
		.point = point,
	};
	slot->wanted = slot->words;
	slot->words = values;
	loop(EVENT_TAIL, limit_round, &l, 0);
	return slot->words <= values;
}
/* Behind the values and `limit_*` of those that keys have; leaves if nothing is left to post. */
STENCIL(limit)(struct frame *f, u64 table, u64 values, u64 texts, u64 words)
{
	return limit_posts(f, table, values, texts, words, 0);
}
STENCIL(limit_of_several)(struct frame *f, u64 table, u64 values, u64 texts, u64 words)
{
	return limit_posts(f, table, values, texts, words, get_attach_cookie((void *)f->ctx));
}
