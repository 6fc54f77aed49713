/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Paths, from the last component up to the task's root.  The same walk does two jobs: it feeds the components to the
 * automaton of the tables (abi.h), and it writes them into a text.
 *
 * A path counts only if it ends at the root of the task: what lies outside it, in a detached mount or in no mount at
 * all (memfd) has none.  Neither has an unlinked file.  Typed loads cannot go from a vfsmount to its mount: where the
 * walk leaves a mount, and for names that stand outside their dentry, probe reads take over from the same state.
 * A rename during the walk can mix old and new components.
 */
#pragma once

#define WALK_ROUNDS 8192 /* more than components, mount points, edges and pieces of names in 4096 bytes */
#ifndef WALK_INLINE
#define WALK_INLINE 12 /* components before the first loop */
#endif

enum { WALK_GO, WALK_ROOT, WALK_MISS };

/* ---- automaton ---- */
INLINE u64 last_word_mask(u32 len)
{
	return ~0ULL >> (-(u64)len * 8 & 63);
}
/* The only candidate of a hashed node, by the hash over the words. */
INLINE u64 candidate(u32 reference, u64 hash)
{
	u64 at = table_offset(reference);
	struct hash_node *n = (void *)tables + at;
	hash ^= hash >> 32;
	hash *= n->k;
	struct hash_node *d = table_element(at + (hash >> 22 & n->buckets) * 2);
	u64 slot = (hash >> 43 ^ d->disp[0]) & n->mask;
	return *(u32 *)table_element(n->slots + slot * 4);
}
INLINE u64 edge_size(u32 len)
{
	return sizeof(struct edge) + ((len + 7) & ~7u);
}
/*
 * One component of at most 31 bytes; WORD(i) loads word i of its name, only when it is needed.  Yields 1 if an edge
 * took it or another edge is to be tried; `taken` says which; 0 if the node has no such edge.
 */
#define COMPONENT(len, WORD, reference, id, taken) ({ \
	u64 at_ = reference, first_; \
	if (reference & REF_HASH) { \
		u64 k_ = ((struct hash_node *)at_tables(reference))->k, mask_ = last_word_mask(len), h_; \
		first_ = WORD(0); \
		if (len <= 8) { \
			h_ = (first_ & mask_) * k_; \
		} else { \
			h_ = first_ * k_; \
			if (len <= 16) { \
				h_ = (h_ ^ (WORD(1) & mask_)) * k_; \
			} else { \
				h_ = (h_ ^ WORD(1)) * k_; \
				if (len <= 24) { \
					h_ = (h_ ^ (WORD(2) & mask_)) * k_; \
				} else { \
					h_ = (h_ ^ WORD(2)) * k_; \
					h_ = (h_ ^ (WORD(3) & mask_)) * k_; \
				} \
			} \
		} \
		at_ = candidate(reference, h_); \
	} \
	at_ = table_offset(at_); \
	struct edge *e_ = (void *)tables + at_; \
	u32 len_weight_ = e_->len_weight, next_ = e_->next; \
	taken = 0; \
	if ((len_weight_ & 0xff) == len) { \
		u64 x_ = WORD(0) ^ e_->words[0]; \
		do { \
			if (len > 8) { \
				if (x_) \
					break; \
				x_ = WORD(1) ^ e_->words[1]; \
				if (len > 16) { \
					if (x_) \
						break; \
					x_ = WORD(2) ^ e_->words[2]; \
					if (len > 24) { \
						if (x_) \
							break; \
						x_ = WORD(3) ^ e_->words[3]; \
					} \
				} \
			} \
			if (!(x_ & e_->mask)) \
				taken = 1; \
		} while (0); \
	} \
	int more_ = 1; \
	if (taken) { \
		id += len_weight_ >> 8; \
		reference = next_; \
	} else if (next_ & EDGE_MORE) { \
		reference = at_ + edge_size(len_weight_ & 0xff); \
	} else { \
		more_ = 0; \
	} \
	more_; \
})

/* ---- probe reads ---- */
INLINE u64 read_u64(u64 address)
{
	u64 value = 0;
	probe_read_kernel(&value, sizeof(value), (void *)address);
	return value;
}

/* The part of a dentry that the walk wants, in one read where the kernel keeps this order. */
struct dentry_part {
	u64 parent;
	u32 hash, len;
	u64 name, inode;
	u64 inline_name[INLINE_NAME / 8];
};
INLINE int read_dentry(struct dentry_part *part, u64 dentry)
{
	u64 parent = FIELD_OFFSET(struct dentry, d_parent), name = inline_name_offset();
	if (FIELD_OFFSET(struct dentry, d_name.len) - parent == offsetof(struct dentry_part, len) &&
	    FIELD_OFFSET(struct dentry, d_name.name) - parent == offsetof(struct dentry_part, name) &&
	    name - parent == offsetof(struct dentry_part, inline_name))
		return probe_read_kernel(part, sizeof(*part), (void *)dentry + parent);
	part->parent = read_u64(dentry + parent);
	part->name = read_u64(dentry + FIELD_OFFSET(struct dentry, d_name.name));
	part->len = read_u64(dentry + FIELD_OFFSET(struct dentry, d_name.len));
	return probe_read_kernel(part->inline_name, INLINE_NAME, (void *)dentry + name);
}
INLINE int unlinked_probed(u64 dentry)
{
	return !read_u64(dentry + FIELD_OFFSET(struct dentry, d_hash.pprev)) &&
	       read_u64(dentry + FIELD_OFFSET(struct dentry, d_parent)) != dentry;
}
INLINE int unlinked_typed(struct dentry *dentry)
{
	return !dentry->d_hash.pprev && dentry->d_parent != dentry;
}

struct walk {
	u64 dentry, mount, mount_root;
	u64 root_dentry, root_mount;
	struct text *text; /* where to write; NULL: only the length counts */
	u64 hash, differ;  /* of a long name so far */
	u32 job;
	u32 status;
	u32 reference, id; /* MATCH */
	u32 done;	   /* MATCH: bytes of a long name that were looked at */
	u32 pos;	   /* WRITE: where the text begins */
};
enum { MATCH, WRITE };

/* A long name, 64 bytes a round; hashing turns the node into its candidate edge, then the edge is compared. */
#define PIECE 64
INLINE long match_long(struct walk *w, u64 name, u32 len, u64 parent, u64 *piece)
{
	u32 done = w->done, n = len - done;
	if (n > PIECE)
		n = PIECE;
	done &= 192;
	__builtin_memset(piece, 0, PIECE);
	OPAQUE(n);
	if (n > PIECE || probe_read_kernel(piece, n, (void *)name + done)) {
		w->status = WALK_MISS;
		return 1;
	}
	u32 reference = w->reference, last = done + PIECE >= len;
	w->done = last ? 0 : done + PIECE;
	if (reference & REF_HASH) {
		u64 k = ((struct hash_node *)at_tables(reference))->k, hash = done ? w->hash : 0;
		for (u32 i = 0; i < PIECE / 8; i++)
			if (i * 8 < n)
				hash = (hash ^ piece[i]) * k;
		w->hash = hash;
		if (last)
			w->reference = candidate(reference, hash) & ~7u;
		return 0;
	}
	u64 at = table_offset(reference), differ = done ? w->differ : 0;
	struct edge *e = (void *)tables + at;
	u64 *words = (void *)e->words + done;
	for (u32 i = 0; i < PIECE / 8; i++)
		differ |= i * 8 < n ? words[i] ^ piece[i] : 0;
	differ |= (e->len_weight & 0xff) ^ len;
	w->differ = differ;
	if (!last)
		return 0;
	if (!differ) {
		w->id += e->len_weight >> 8;
		w->reference = e->next;
		w->dentry = parent;
	} else if (e->next & EDGE_MORE) {
		w->reference = at + edge_size(e->len_weight & 0xff);
	} else {
		w->status = WALK_MISS;
		return 1;
	}
	return 0;
}

static long walk_round(u64 round, struct walk *w)
{
	union {
		struct dentry_part part;
		u64 piece[PIECE / 8];
		u64 up[2];
	} u;
	u64 dentry = w->dentry, mount = w->mount;
	if (dentry == w->root_dentry && mount == w->root_mount) {
		w->status = WALK_ROOT;
		return 1;
	}
	if (dentry == w->mount_root) {
		mount -= FIELD_OFFSET(struct mount, mnt);
		u.up[0] = read_u64(mount + FIELD_OFFSET(struct mount, mnt_parent));
		u.up[1] = read_u64(mount + FIELD_OFFSET(struct mount, mnt_mountpoint));
		if (!u.up[0] || u.up[0] == mount) {
			w->status = WALK_MISS;
			return 1;
		}
		w->dentry = u.up[1];
		w->mount = u.up[0] + FIELD_OFFSET(struct mount, mnt);
		w->mount_root = read_u64(w->mount + FIELD_OFFSET(struct vfsmount, mnt_root));
		return 0;
	}
	if (read_dentry(&u.part, dentry) || u.part.parent == dentry) {
		w->status = WALK_MISS;
		return 1;
	}
	u32 len = u.part.len;
	u64 parent = u.part.parent, name = u.part.name;
	if (w->job == MATCH) {
		if (len >= INLINE_NAME)
			return match_long(w, name, len, parent, u.piece);
		u32 reference = w->reference, id = w->id;
		int taken;
#define READ_WORD(i) (u.part.inline_name[i])
		if (!COMPONENT(len, READ_WORD, reference, id, taken)) {
			w->status = WALK_MISS;
			return 1;
		}
		w->reference = reference;
		w->id = id;
		if (taken)
			w->dentry = parent;
		return 0;
	}
	u64 pos = w->pos;
	if (len > 255 || pos <= len) {
		w->status = WALK_MISS;
		return 1;
	}
	struct text *text = w->text;
	if (text) {
		pos -= len;
		OPAQUE(pos);
		pos &= TEXT_MAX - 1;
		len &= 255;
		OPAQUE(len);
		if (probe_read_kernel(text->bytes + pos, len, (void *)name)) {
			w->status = WALK_MISS;
			return 1;
		}
		pos--;
		OPAQUE(pos);
		pos &= TEXT_MAX - 1;
		text->bytes[pos] = '/';
		w->pos = pos;
	} else {
		w->pos = pos - len - 1;
	}
	w->dentry = parent;
	return 0;
}

/* ---- exact paths ---- */
INLINE void probe_from(struct walk *w, u32 job, u64 dentry, u64 mount, u64 mount_root, u32 reference, u32 id, u32 pos)
{
	u64 zero = unknown_zero();
	struct fs_struct *fs = get_current_task_btf()->fs;
	u64 root_dentry = (u64)fs->root.dentry, root_mount = (u64)fs->root.mnt;
	NUMBER(root_dentry);
	NUMBER(root_mount);
	w->dentry = dentry;
	w->mount = mount;
	w->mount_root = mount_root;
	w->root_dentry = root_dentry;
	w->root_mount = root_mount;
	w->text = NULL;
	w->hash = w->differ = zero;
	w->job = job;
	w->status = WALK_GO + zero;
	w->reference = reference + zero;
	w->id = id + zero;
	w->done = zero;
	w->pos = pos + zero;
}

STENCIL(walk_typed)(struct frame *f, u64 k, u64 root, u64 dimension)
{
	struct path *path = (void *)f->args[k];
	struct dentry *leaf = path->dentry, *dentry = leaf, *mount_root;
	struct vfsmount *mount = path->mnt;
	u64 name = inline_name_offset();
	u32 reference = root, id = 1, i;
	struct walk w;

	mount_root = mount->mnt_root;
	NO_UNROLL
	for (i = 0; i < WALK_INLINE; i++) {
		if (dentry == mount_root)
			goto top;
		u32 len = dentry->d_name.len;
		if (len >= INLINE_NAME)
			break;
		void *words = (void *)dentry + name;
		int taken;
#define LOAD_WORD(i) (((u64 *)words)[i])
		if (!COMPONENT(len, LOAD_WORD, reference, id, taken)) {
			/* A name that no policy has: where the root is does not matter. */
			if (!i)
				return 0;
			goto miss;
		}
		if (taken)
			dentry = dentry->d_parent;
	}
	goto on;
top: {
	struct fs_struct *fs = get_current_task_btf()->fs;
	struct dentry *root_dentry = fs->root.dentry;
	struct vfsmount *root_mount = fs->root.mnt;
	if (dentry == root_dentry && mount == root_mount) {
		if (reference & EDGE_ACCEPT && !unlinked_typed(leaf))
			f->ids[dimension] = id;
		return 0;
	}
	if (root_mount->mnt_root != root_dentry)
		goto again;
	goto on;
}
miss: {
	/* Only in a chroot to a plain directory can the path have ended before. */
	struct fs_struct *fs = get_current_task_btf()->fs;
	if (fs->root.mnt->mnt_root == fs->root.dentry)
		return 0;
}
again:
	dentry = leaf;
	reference = root;
	id = 1;
on: {
	u64 d = (u64)dentry, m = (u64)mount, r = (u64)mount_root;
	NUMBER(d);
	NUMBER(m);
	NUMBER(r);
	probe_from(&w, MATCH, d, m, r, reference, id, 0);
	loop(WALK_ROUNDS, walk_round, &w, 0);
	if (w.status == WALK_ROOT && w.reference & EDGE_ACCEPT && !unlinked_typed(leaf))
		f->ids[dimension] = w.id;
	return 0;
}
}

STENCIL(walk_probed)(struct frame *f, u64 k, u64 root, u64 dimension)
{
	struct walk w;
	u64 path = f->args[k], leaf = read_u64(path + FIELD_OFFSET(struct path, dentry)),
	    mount = read_u64(path + FIELD_OFFSET(struct path, mnt));
	probe_from(&w, MATCH, leaf, mount, read_u64(mount + FIELD_OFFSET(struct vfsmount, mnt_root)), root, 1, 0);
	loop(WALK_ROUNDS, walk_round, &w, 0);
	if (w.status == WALK_ROOT && w.reference & EDGE_ACCEPT && !unlinked_probed(leaf))
		f->ids[dimension] = w.id;
	return 0;
}
