/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The atom of a text in a trie (abi.h): of the whole text, of the longest value that it begins with, or of the
 * longest one that it ends with.  A text that cannot be read has the atom that the step names.
 */
#pragma once

/* What the conditions look at (Tetragon 4fbfe2d, bpf/lib/bpf_helpers.h and bpf/process/string_maps.h). */
#define PREFIX_MAX 255
#define POSTFIX_MAX 127
#define TRIE_ROUNDS (TEXT_MAX + 8) /* every round but the root's and the last takes at least one byte */

enum { FORWARD, BACKWARD };
struct trie_walk {
	struct text *text;
	u32 direction;
	u32 node; /* reference */
	u32 done; /* bytes of its label that were compared */
	u32 pos;  /* in `bytes`: where the next word of the text begins */
	u32 rest; /* bytes of the text that are left */
	u32 deepest, whole; /* atoms: of the longest value so far, and of the one that is the text */
};

/* One word of a label; behind the last one, the step to a child. */
static long trie_round(u64 round, struct trie_walk *w)
{
	u64 pos = w->pos, at = table_offset(w->node), done = w->done, rest = w->rest, backward = w->direction;
	struct trie_node *node = (void *)tables + at;
	u32 label_len = node->label_len, left = label_len - done, take = left;
	if (left > 8)
		take = 8;
	if (take > rest)
		return 1;
	if (take) {
		done &= TRIE_LABEL_MAX - 8;
		u64 from = pos;
		OPAQUE(from);
		from &= TEXT_MAX - 1;
		u64 word = *(u64 *)(w->text->bytes + from), *label = (void *)node->label + done;
		if (backward)
			word = __builtin_bswap64(word);
		if ((word ^ *label) & last_word_mask(take))
			return 1;
		rest -= take;
		pos += backward ? -(u64)take : take;
	}
	if (left > 8) {
		w->done = done + 8;
		w->pos = pos;
		w->rest = rest;
		return 0;
	}
	u32 atom = node->atom;
	if (atom)
		w->deepest = atom;
	if (!rest) {
		w->whole = atom;
		return 1;
	}
	u64 from = pos + (backward ? 7 : 0);
	OPAQUE(from);
	from &= TEXT_MAX - 1;
	u32 child = (u8)(w->text->bytes[from] - node->first);
	if (child >= node->count)
		return 1;
	u32 next = *(u32 *)table_element(at + offsetof(struct trie_node, label) + ((label_len + 7) & ~7u) + child * 4);
	if (!next)
		return 1;
	w->node = next;
	w->done = 0;
	w->pos = pos + (backward ? -1 : 1);
	w->rest = rest - 1;
	return 0;
}

/* Whether there was a text; `at_most` of its bytes count. */
INLINE int trie_walk(struct trie_walk *w, struct frame *f, u64 number, u32 root, u32 direction, u32 at_most)
{
	struct text *text = text_of(f, number);
	if (!text || f->unreadable >> number & 1)
		return 0;
	u64 zero = unknown_zero();
	u32 len = text->len;
	w->text = text;
	w->direction = direction;
	w->node = root + zero;
	w->done = zero;
	w->pos = (direction == BACKWARD ? TEXT_MAX - 8 + zero : TEXT_MAX - len);
	w->rest = len < at_most ? len : at_most + zero;
	w->deepest = w->whole = zero;
	loop(TRIE_ROUNDS, trie_round, w, 0);
	return 1;
}

/* An empty text begins and ends with nothing, not even with an empty value. */
INLINE u32 part_of(struct trie_walk *w)
{
	return w->text->len ? w->deepest : 0;
}

STENCIL(trie_equal)(struct frame *f, u64 number, u64 root, u64 dimension, u64 unreadable)
{
	struct trie_walk w;
	f->ids[dimension] = trie_walk(&w, f, number, root, FORWARD, TEXT_MAX) ? w.whole : unreadable;
	return 0;
}
STENCIL(trie_prefix)(struct frame *f, u64 number, u64 root, u64 dimension, u64 unreadable)
{
	struct trie_walk w;
	f->ids[dimension] = trie_walk(&w, f, number, root, FORWARD, PREFIX_MAX) ? part_of(&w) : unreadable;
	return 0;
}
STENCIL(trie_postfix)(struct frame *f, u64 number, u64 root, u64 dimension, u64 unreadable)
{
	struct trie_walk w;
	f->ids[dimension] = trie_walk(&w, f, number, root, BACKWARD, POSTFIX_MAX) ? part_of(&w) : unreadable;
	return 0;
}
