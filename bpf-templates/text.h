/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Texts of arguments: for events, for conditions on parts of a value, and to tell "another value" from "cannot be
 * read".  Without a slot nothing is written, but whether a path can be read is still found out.
 *
 * A text is of the moment of the walk that found the same path's atom (`root`, `dimension`).  If names moved since then,
 * text and atom are both found anew, in one moment.
 */
#pragma once

INLINE void text_done(struct frame *f, struct text *text, u64 number, u64 pos, int readable)
{
	if (!readable)
		f->unreadable |= 1u << number;
	if (!text)
		return;
	/* The root itself. */
	if (readable && pos == TEXT_MAX) {
		text->bytes[TEXT_MAX - 1] = '/';
		pos--;
	}
	text->len = TEXT_MAX - pos;
}

/* Whole words of the name, merged into what stands behind it.  Ends where the mount, the task's root or the text does. */
struct typed_write {
	struct dentry *dentry, *mount_root, *stop;
	struct text *text;
	u32 pos;
};
static long write_round(u64 round, struct typed_write *w)
{
	struct dentry *dentry = w->dentry, *parent;
	u64 pos = w->pos;
	if (dentry == w->stop || dentry == w->mount_root)
		return 1;
	u32 len = dentry->d_name.len;
	parent = dentry->d_parent;
	if (len > 255 || !len || pos <= len || parent == dentry)
		return 1;
	pos -= len;
	OPAQUE(pos);
	pos &= TEXT_MAX - 1;
	u64 *to = (void *)w->text->bytes + pos, *name = (void *)dentry + inline_name_offset(), mask = last_word_mask(len);
	if (len >= INLINE_NAME) {
		OPAQUE(len);
		if (probe_read_kernel(to, len & 255, dentry->d_name.name))
			return 1;
	} else if (len <= 8) {
		to[0] = (to[0] & ~mask) | (name[0] & mask);
	} else {
		to[0] = name[0];
		if (len <= 16) {
			to[1] = (to[1] & ~mask) | (name[1] & mask);
		} else {
			to[1] = name[1];
			if (len <= 24) {
				to[2] = (to[2] & ~mask) | (name[2] & mask);
			} else {
				to[2] = name[2];
				to[3] = (to[3] & ~mask) | (name[3] & mask);
			}
		}
	}
	pos--;
	OPAQUE(pos);
	pos &= TEXT_MAX - 1;
	w->text->bytes[pos] = '/';
	w->pos = pos;
	w->dentry = parent;
	return 0;
}

/* Once for the whole event, so that every condition and the event itself see the same path. */
INLINE int text_is_there(struct frame *f, u64 number)
{
	u32 state = f->unreadable;
	if (state >> (TEXT_READ + number) & 1)
		return 1;
	/* As a number that the verifier does not know, or it would follow each of its values to the program's end. */
	f->unreadable = (state + unknown_zero()) | 1u << (TEXT_READ + number);
	return 0;
}

/* A path that had an atom was no unlinked file's at that moment. */
INLINE void text_walked(struct frame *f, struct walk *w, struct text *text, u64 number, u64 root, u64 dimension, int unlinked)
{
	int readable = settled(w) && (w->status == WALK_ROOT || w->job == MATCH), known = 0;
	if (root) {
		if (w->again)
			f->ids[dimension] = readable && w->job == MATCH ? matched(w, unlinked) : unknown_zero();
		known = !!f->ids[dimension];
	}
	text_done(f, text, number, w->pos, readable && (known || !unlinked));
}

INLINE int text_of_path(struct frame *f, u64 k, u64 number, u64 root, u64 dimension, enum linked linked)
{
	if (text_is_there(f, number))
		return 0;
	struct path *path = (void *)f->args[k], *task_root = &get_current_task_btf()->fs->root;
	struct dentry *leaf = path->dentry, *dentry = leaf, *root_dentry = task_root->dentry;
	struct vfsmount *mount = path->mnt, *root_mount = task_root->mnt;
	struct dentry *mount_root = mount->mnt_root;
	struct text *text = text_of(f, number);
	u64 pos = TEXT_MAX;
	union {
		struct typed_write typed;
		struct walk probed;
	} u;

	if (text) {
		u.typed.dentry = dentry;
		u.typed.mount_root = mount_root;
		u.typed.stop = mount == root_mount ? root_dentry : mount_root;
		u.typed.text = text;
		u.typed.pos = TEXT_MAX + unknown_zero();
		loop(WALK_ROUNDS, write_round, &u.typed, 0);
		dentry = u.typed.dentry;
		pos = u.typed.pos;
		if (dentry == root_dentry && mount == root_mount) {
			int readable = (root && f->ids[dimension]) || !has_no_name(leaf, linked);
			if (sequence(((struct node_header *)node)->rename_lock) == f->renames) {
				text_done(f, text, number, pos, readable);
				return 0;
			}
		}
	}
	u64 d = (u64)dentry, l = (u64)leaf, m = (u64)mount, s = (u64)mount_root, rd = (u64)root_dentry, rm = (u64)root_mount;
	NUMBER(d);
	NUMBER(l);
	NUMBER(m);
	NUMBER(s);
	NUMBER(rd);
	NUMBER(rm);
	probe_from(&u.probed, f, WRITE, d, l, m, s, rd, rm, root, 0, 0, pos);
	u.probed.text = text;
	loop(WALK_ROUNDS, walk_round, &u.probed, 0);
	text_walked(f, &u.probed, text, number, root, dimension, has_no_name(leaf, linked));
	return 0;
}
STENCIL(text_of_path_typed)(struct frame *f, u64 k, u64 number, u64 root, u64 dimension)
{
	return text_of_path(f, k, number, root, dimension, IF_LINKED);
}
STENCIL(text_of_binary)(struct frame *f, u64 k, u64 number, u64 root, u64 dimension)
{
	return text_of_path(f, k, number, root, dimension, LINKED_OR_NOT);
}

STENCIL(text_of_path_probed)(struct frame *f, u64 k, u64 number, u64 root, u64 dimension)
{
	if (text_is_there(f, number))
		return 0;
	struct walk w;
	struct path *task_root = &get_current_task_btf()->fs->root;
	struct text *text = text_of(f, number);
	u64 rd = (u64)task_root->dentry, rm = (u64)task_root->mnt;
	u64 path = f->args[k], leaf = read_u64(path + FIELD_OFFSET(struct path, dentry)),
	    mount = read_u64(path + FIELD_OFFSET(struct path, mnt));
	NUMBER(rd);
	NUMBER(rm);
	probe_from(&w, f, WRITE, leaf, leaf, mount, read_u64(mount + FIELD_OFFSET(struct vfsmount, mnt_root)), rd, rm, root,
		   0, 0, TEXT_MAX);
	w.text = text;
	loop(WALK_ROUNDS, walk_round, &w, 0);
	text_walked(f, &w, text, number, root, dimension, unlinked_probed(leaf));
	return 0;
}

/* A walk knows only values that policies name; the text says whether the others can be read. */
STENCIL(refine)(struct frame *f, u64 dimension, u64 unreadable, u64 number)
{
	if (f->unreadable >> number & 1 && !f->ids[dimension])
		f->ids[dimension] = unreadable;
	return 0;
}
