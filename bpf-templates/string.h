/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * NUL-terminated strings as texts.  Of a longer one the first TEXT_MAX - 1 bytes count (Tetragon 4fbfe2d,
 * bpf/process/types/string.h).
 */
#pragma once

/* Bit of `unreadable`, above those of the texts: the string was read. */
#define STRING_READ 16

#define CHUNK 32

/*
 * A process can change its string at any time: it is read once for the whole event, so that every condition and the
 * event itself see the same bytes.  Only the read tells the length, and a text ends at the end of its area: the bytes
 * are read to the front and moved from there, the last chunk first, because the two places can overlap.  The last
 * chunk may reach into the room behind the text.
 */
INLINE void text_of_string(struct frame *f, u64 number, u64 address, int user)
{
	u32 state = f->unreadable;
	if (state >> (STRING_READ + number) & 1)
		return;
	/* As a number that the verifier does not know, or it would follow each of its values to the program's end. */
	state += unknown_zero();
	state |= 1u << (STRING_READ + number) | 1u << number;
	f->unreadable = state;
	struct text *text = text_of(f, number);
	if (!text)
		return;
	text->len = 0;
	s64 size = user ? probe_read_user_str(text->bytes, TEXT_MAX, (void *)address)
			: probe_read_kernel_str(text->bytes, TEXT_MAX, (void *)address);
	/* Of an empty string: 1, NUL included, or 0 (Linux 6.12, mm/maccess.c, strncpy_from_user_nofault). */
	if (size <= 0) {
		if (size < 0)
			return;
		size = 1;
		OPAQUE(size);
	}
	f->unreadable = state ^ 1u << number;
	u64 len = size - 1, to = TEXT_MAX - len, chunks = (len + CHUNK - 1) / CHUNK;
	text->len = len;
	NO_UNROLL
	for (u32 i = 0; i < TEXT_MAX / CHUNK; i++) {
		if (!chunks)
			break;
		chunks--;
		OPAQUE(chunks);
		u64 source = chunks * CHUNK, target = source + to;
		OPAQUE(source);
		OPAQUE(target);
		source &= TEXT_MAX - 1;
		target &= TEXT_MAX - 1;
		u64 *from = (void *)text->bytes + source, *into = (void *)text->bytes + target;
		u64 a = from[0], b = from[1], c = from[2], d = from[3];
		into[0] = a;
		into[1] = b;
		into[2] = c;
		into[3] = d;
	}
}

/* Of a system call: always an address of the process. */
STENCIL(text_of_user_string)(struct frame *f, u64 k, u64 number)
{
	text_of_string(f, number, f->args[k], 1);
	return 0;
}

/* Of what the kernel itself names. */
STENCIL(text_of_kernel_string)(struct frame *f, u64 k, u64 number)
{
	text_of_string(f, number, f->args[k], 0);
	return 0;
}

/* Of a function of the kernel: the address tells whose it is. */
STENCIL(text_of_either_string)(struct frame *f, u64 k, u64 number)
{
	u64 address = f->args[k];
	text_of_string(f, number, address, !(address >> 63));
	return 0;
}
