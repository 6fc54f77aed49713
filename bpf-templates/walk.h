/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Paths, from the last component up to the task's root.  The same walk does two jobs: it feeds the components to the
 * automaton of the tables (abi.h), and it writes them into a text.
 *
 * A path counts only if it ends at the root of the task: what lies outside it, in a detached mount or in no mount at
 * all (memfd) has none.  Neither has an unlinked file.  Typed loads cannot go from a vfsmount to its mount: where the
 * walk leaves a mount, and for names that stand outside their dentry, probe reads take over from the same state.
 *
 * A path belongs to one moment: see "moments" below.
 */
#pragma once

/*
 * A walk takes less than 8192: components, mount points, edges and pieces of names in 4096 bytes.  The others are for
 * walks that must be made again.  A path of ten components gets about 6000 tries.
 */
#define WALK_ROUNDS (1 << 16)
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
 * The sum of the weights is kept in the upper bits of a word, where it may wrap: a sum that only grows would be
 * another number in every round, and the verifier would follow them all.
 */
#define WEIGHT_SHIFT 40
#define FIRST_ID (1ULL << WEIGHT_SHIFT)
INLINE u64 weight(u64 head)
{
	return head >> WEIGHT_SHIFT << WEIGHT_SHIFT;
}
INLINE u32 edge_len(u64 head)
{
	return (u32)(head >> 32) & 0xff;
}

/*
 * One component of at most 31 bytes; WORD(i) loads word i of its name, only when it is needed.  What becomes of it:
 * an edge takes it, or another edge of the node is to be tried, or the node has no such edge.
 */
enum { TAKEN, NEXT_EDGE, NO_EDGE };
#define COMPONENT(len, WORD, reference, sum) ({ \
	u64 at_ = reference, first_ = WORD(0), x_; \
	int result_ = NO_EDGE; \
	if (reference & REF_HASH) { \
		u64 k_ = ((struct hash_node *)at_tables(reference))->k, mask_ = last_word_mask(len), h_; \
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
	u64 head_ = *(u64 *)e_; /* next and len_weight */ \
	do { \
		if (edge_len(head_) != len) \
			break; \
		x_ = first_ ^ e_->words[0]; \
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
			result_ = TAKEN; \
	} while (0); \
	if (result_ == TAKEN) { \
		sum += weight(head_); \
		reference = head_; \
	} else if (head_ & EDGE_MORE) { \
		reference = at_ + edge_size(edge_len(head_)); \
		result_ = NEXT_EDGE; \
	} \
	result_; \
})

/*
 * As COMPONENT, for a name that stands outside its dentry, copied to `words`; the last word is 0 behind the name.  The
 * first four words are always there, each further one is asked for: a loop would take twice the instructions.
 */
#define LONG_NAME 128 /* bytes; a longer name is compared by the probe walk, in pieces */
#define FURTHER_WORDS(STEP) \
	do { \
		STEP(4) STEP(5) STEP(6) STEP(7) STEP(8) STEP(9) STEP(10) STEP(11) STEP(12) STEP(13) STEP(14) STEP(15) \
	} while (0)
INLINE int long_component(const u64 *words, u32 len, u32 *reference, u64 *sum)
{
	u64 at = *reference, differ;
	if (at & REF_HASH) {
		u64 k = ((struct hash_node *)at_tables(at))->k, hash = words[0] * k;
		hash = (hash ^ words[1]) * k;
		hash = (hash ^ words[2]) * k;
		hash = (hash ^ words[3]) * k;
#define HASH_WORD(i) \
	if (len <= i * 8) \
		break; \
	hash = (hash ^ words[i]) * k;
		FURTHER_WORDS(HASH_WORD);
		at = candidate(at, hash);
	}
	at = table_offset(at);
	struct edge *e = (void *)tables + at;
	u64 head = *(u64 *)e;
	differ = edge_len(head) ^ len;
	differ |= words[0] ^ e->words[0];
	differ |= words[1] ^ e->words[1];
	differ |= words[2] ^ e->words[2];
	differ |= words[3] ^ e->words[3];
#define COMPARE_WORD(i) \
	if (len <= i * 8) \
		break; \
	differ |= words[i] ^ e->words[i];
	FURTHER_WORDS(COMPARE_WORD);
	if (!differ) {
		*sum += weight(head);
		*reference = head;
		return TAKEN;
	}
	if (head & EDGE_MORE) {
		*reference = at + edge_size(edge_len(head));
		return NEXT_EDGE;
	}
	return NO_EDGE;
}

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

/* ---- moments ---- */
/*
 * The kernel changes names and parents of dentries under rename_lock, and the places of mounts under mount_lock
 * (Linux 6.12, fs/dcache.c and fs/namespace.c).  Both count: once when a writer begins, which makes the number odd,
 * and once when it ends.  A walk is of one moment if the number behind it is the even one from before it.
 *
 * Only a probe read gets at a number, so the one from before is what some earlier walk has found: the number only
 * grows, and if it is the same behind the walk, it was so all along.  It could come round to the same one after 2^32
 * steps, hence the time with it.  A walk that stays inside the mount of the task's root needs no mount_lock.
 * Loads are not reordered on x86-64; elsewhere this would need barriers.
 */
#define ERA_SHIFT 10
INLINE u64 era(void)
{
	return jiffies64() >> ERA_SHIFT << 32;
}
/* Odd, like that of a writer who is not done, if it cannot be read. */
INLINE u32 sequence(u64 lock)
{
	u32 sequence;
	u64 error = probe_read_kernel(&sequence, sizeof(sequence), (void *)lock);
	return sequence | error >> 63;
}
/* Never odd, so that it is equal to no odd one. */
INLINE u64 remembered(u64 era, u32 sequence)
{
	return era | (sequence & ~1u);
}

/* Before the first walk of an event. */
STENCIL(moment)(struct frame *f)
{
	volatile struct node_header *header = (void *)node;
	u64 renames = header->renames, mounts = header->mounts, now = era();
	if (((renames ^ now) | (mounts ^ now)) >> 32) {
		renames = remembered(now, sequence(header->rename_lock));
		mounts = remembered(now, sequence(header->mount_lock));
		header->renames = renames;
		header->mounts = mounts;
	}
	f->renames = renames;
	f->mounts = mounts;
	return 0;
}

struct walk {
	u64 dentry, mount, mount_root;
	u64 leaf, leaf_mount; /* where it begins anew */
	u64 root_dentry, root_mount;
	struct text *text; /* where to write; NULL: only the length counts */
	u64 sum;	  /* MATCH: of the weights */
	u64 piece;	  /* MATCH: of a long name so far, its hash or what differs */
	u32 done;	  /* MATCH: bytes of a long name that were looked at */
	u32 reference;	  /* MATCH */
	u32 start;	  /* MATCH: reference of the automaton; 0: nothing is to be matched */
	u32 pos;	  /* WRITE: where the text begins */
	u32 renames, mounts; /* the sequences before it */
	u32 job;
	u32 first_job;	  /* of a walk that is made again */
	u32 again;	  /* whether it is one */
	u32 status;
	u32 settled;	  /* whether all of it was of one moment */
};
/* What is written is then matched, unless a match of the same moment is there. */
enum { MATCH, WRITE };

/* A long name, 64 bytes a round; hashing turns the node into its candidate edge, then the edge is compared. */
#define PIECE 64
INLINE u32 match_long(struct walk *w, u64 name, u32 len, u64 parent, u64 *piece)
{
	u32 done = w->done, n = len - done;
	if (n > PIECE)
		n = PIECE;
	done &= 192;
	__builtin_memset(piece, 0, PIECE);
	OPAQUE(n);
	if (n > PIECE || probe_read_kernel(piece, n, (void *)name + done))
		return WALK_MISS;
	u32 reference = w->reference, last = done + PIECE >= len;
	w->done = last ? 0 : done + PIECE;
	if (reference & REF_HASH) {
		u64 k = ((struct hash_node *)at_tables(reference))->k, hash = done ? w->piece : 0;
		for (u32 i = 0; i < PIECE / 8; i++)
			if (i * 8 < n)
				hash = (hash ^ piece[i]) * k;
		w->piece = hash;
		if (last)
			w->reference = candidate(reference, hash) & ~7u;
		return WALK_GO;
	}
	u64 at = table_offset(reference), differ = done ? w->piece : 0;
	struct edge *e = (void *)tables + at;
	u64 *words = (void *)e->words + done;
	for (u32 i = 0; i < PIECE / 8; i++)
		differ |= i * 8 < n ? words[i] ^ piece[i] : 0;
	u64 head = *(u64 *)e;
	differ |= edge_len(head) ^ len;
	w->piece = differ;
	if (!last)
		return WALK_GO;
	if (!differ) {
		w->sum += weight(head);
		w->reference = head;
		w->dentry = parent;
	} else if (head & EDGE_MORE) {
		w->reference = at + edge_size(edge_len(head));
	} else {
		return WALK_MISS;
	}
	return WALK_GO;
}

INLINE u32 walk_step(struct walk *w)
{
	union {
		struct dentry_part part;
		u64 piece[PIECE / 8];
		u64 up[2];
	} u;
	u64 dentry = w->dentry, mount = w->mount;
	if (dentry == w->root_dentry && mount == w->root_mount)
		return WALK_ROOT;
	if (dentry == w->mount_root) {
		mount -= FIELD_OFFSET(struct mount, mnt);
		u.up[0] = read_u64(mount + FIELD_OFFSET(struct mount, mnt_parent));
		u.up[1] = read_u64(mount + FIELD_OFFSET(struct mount, mnt_mountpoint));
		if (!u.up[0] || u.up[0] == mount)
			return WALK_MISS;
		w->dentry = u.up[1];
		w->mount = u.up[0] + FIELD_OFFSET(struct mount, mnt);
		w->mount_root = read_u64(w->mount + FIELD_OFFSET(struct vfsmount, mnt_root));
		return WALK_GO;
	}
	if (read_dentry(&u.part, dentry) || u.part.parent == dentry)
		return WALK_MISS;
	u32 len = u.part.len;
	u64 parent = u.part.parent, name = u.part.name;
	if (w->job == MATCH) {
		if (len >= INLINE_NAME)
			return match_long(w, name, len, parent, u.piece);
		u32 reference = w->reference;
		u64 sum = w->sum;
#define READ_WORD(i) (u.part.inline_name[i])
		int result = COMPONENT(len, READ_WORD, reference, sum);
		if (result == NO_EDGE)
			return WALK_MISS;
		w->reference = reference;
		w->sum = sum;
		if (result == TAKEN)
			w->dentry = parent;
		return WALK_GO;
	}
	u64 pos = w->pos;
	if (len > 255 || pos <= len)
		return WALK_MISS;
	struct text *text = w->text;
	pos -= len;
	OPAQUE(pos);
	pos &= TEXT_MAX - 1;
	if (text) {
		len &= 255;
		OPAQUE(len);
		if (probe_read_kernel(text->bytes + pos, len, (void *)name))
			return WALK_MISS;
	}
	pos--;
	OPAQUE(pos);
	pos &= TEXT_MAX - 1;
	if (text)
		text->bytes[pos] = '/';
	w->pos = pos;
	w->dentry = parent;
	return WALK_GO;
}

INLINE void walk_begin(struct walk *w, u64 zero)
{
	w->dentry = w->leaf;
	w->mount = w->leaf_mount;
	w->mount_root = read_u64(w->mount + FIELD_OFFSET(struct vfsmount, mnt_root));
	w->reference = w->start + zero;
	w->sum = FIRST_ID + zero;
	w->done = zero;
	w->status = WALK_GO + zero;
}
/*
 * One step, or, behind the last one, the question whether all were of one moment.  That is a round of its own, so that
 * the verifier meets it once and not behind each way out of a step.
 */
static long walk_round(u64 round, struct walk *w)
{
	u32 status = w->status;
	if (status == WALK_GO) {
		w->status = walk_step(w) + unknown_zero();
		return 0;
	}
	u64 zero = unknown_zero();
	if (w->job == WRITE && w->again && w->start && status == WALK_ROOT) {
		w->job = MATCH + zero;
		walk_begin(w, zero);
		return 0;
	}
	struct node_header *header = (void *)node;
	u64 now = era();
	u32 renames = sequence(header->rename_lock), mounts = sequence(header->mount_lock);
	u64 moved = (renames ^ w->renames) | (mounts ^ w->mounts);
	OPAQUE(moved);
	if (!moved) {
		w->settled = 1 + zero;
		return 1;
	}
	header->renames = remembered(now, renames);
	header->mounts = remembered(now, mounts);
	w->renames = renames & ~1u;
	w->mounts = mounts & ~1u;
	__sync_fetch_and_add(&header->repeated, 1);
	w->pos = TEXT_MAX + zero;
	w->job = w->first_job;
	w->again = 1 + zero;
	walk_begin(w, zero);
	return 0;
}

/* ---- exact paths ---- */
INLINE void probe_from(struct walk *w, struct frame *f, u32 job, u64 dentry, u64 leaf, u64 mount, u64 mount_root,
		       u64 root_dentry, u64 root_mount, u32 start, u32 reference, u64 sum, u32 pos)
{
	u64 zero = unknown_zero();
	w->dentry = dentry;
	w->leaf = leaf;
	w->leaf_mount = w->mount = mount;
	w->mount_root = mount_root;
	w->root_dentry = root_dentry;
	w->root_mount = root_mount;
	w->text = NULL;
	w->piece = zero;
	w->job = job == WRITE && start ? WRITE + zero : job; /* it changes only there */
	w->first_job = job;
	w->again = zero;
	w->status = WALK_GO + zero;
	w->settled = zero;
	w->start = start;
	w->reference = reference + zero;
	w->sum = sum + zero;
	w->done = zero;
	w->pos = pos + zero;
	w->renames = f->renames;
	w->mounts = f->mounts;
}
/* Behind the loop.  As numbers that the verifier does not know, so that it goes on with few states. */
INLINE int settled(const struct walk *w)
{
	if (w->settled)
		return 1;
	__sync_fetch_and_add(&((struct node_header *)node)->unsettled, 1);
	return 0;
}
INLINE u32 matched(const struct walk *w, int unlinked)
{
	u64 id = unknown_zero();
	if (w->status == WALK_ROOT && w->reference & EDGE_ACCEPT && !unlinked)
		id = w->sum >> WEIGHT_SHIFT;
	return id;
}

/*
 * The file that a process runs keeps its name when it is unlinked or replaced: it was started by it, and an upgrade of
 * its package must not make it another program.
 */
enum linked { IF_LINKED, LINKED_OR_NOT };
INLINE int has_no_name(struct dentry *leaf, enum linked linked)
{
	return linked == IF_LINKED && unlinked_typed(leaf);
}

INLINE int walk_of_path(struct frame *f, u64 k, u64 root, u64 dimension, u64 unreadable, enum linked linked)
{
	struct path *path = (void *)f->args[k], *task_root = &get_current_task_btf()->fs->root;
	struct dentry *leaf = path->dentry, *dentry = leaf, *root_dentry = task_root->dentry, *stop = root_dentry;
	struct vfsmount *mount = path->mnt, *root_mount = task_root->mnt;
	u64 name = inline_name_offset();
	u32 reference = root, status = WALK_GO, id = unknown_zero();
	u64 sum = FIRST_ID;
	union {
		u64 words[LONG_NAME / 8];
		struct walk walk;
	} u;

	/*
	 * In the mount of the task's root the walk ends there; what lies beside or above it runs into the file system's
	 * root, whose name "/" no edge has.  In another mount it ends where that begins.
	 */
	if (mount != root_mount)
		stop = mount->mnt_root;
	NO_UNROLL
	for (u32 i = 0; i < WALK_INLINE; i++) {
		if (dentry == stop) {
			if (mount != root_mount)
				break;
			status = WALK_ROOT;
			if (reference & EDGE_ACCEPT && !has_no_name(leaf, linked))
				id = sum >> WEIGHT_SHIFT;
			break;
		}
		u32 len = dentry->d_name.len;
		int result;
		if (len >= INLINE_NAME) {
			OPAQUE(len);
			if (len > LONG_NAME)
				break;
			/* The read leaves the end of the last word as it is.  To the verifier this sets all of them. */
			u.words[(len - 1) / 8 % (LONG_NAME / 8)] = 0;
			if (probe_read_kernel(u.words, len, dentry->d_name.name))
				break;
			result = long_component(u.words, len, &reference, &sum);
		} else {
			void *words = (void *)dentry + name;
#define LOAD_WORD(i) (((u64 *)words)[i])
			result = COMPONENT(len, LOAD_WORD, reference, sum);
		}
		if (result == NO_EDGE) {
			status = WALK_MISS;
			break;
		}
		if (result == TAKEN)
			dentry = dentry->d_parent;
	}
	if (status != WALK_GO && sequence(((struct node_header *)node)->rename_lock) == f->renames) {
		f->ids[dimension] = id;
		return 0;
	}

	/* It goes on, or comes to its end once more and begins anew from there. */
	u64 d = (u64)dentry, l = (u64)leaf, m = (u64)mount, s = (u64)mount->mnt_root, rd = (u64)root_dentry,
	    rm = (u64)root_mount;
	NUMBER(d);
	NUMBER(l);
	NUMBER(m);
	NUMBER(s);
	NUMBER(rd);
	NUMBER(rm);
	probe_from(&u.walk, f, MATCH, d, l, m, s, rd, rm, root, reference, sum, 0);
	loop(WALK_ROUNDS, walk_round, &u.walk, 0);
	f->ids[dimension] = settled(&u.walk) ? matched(&u.walk, has_no_name(leaf, linked)) : unreadable + unknown_zero();
	return 0;
}
STENCIL(walk_typed)(struct frame *f, u64 k, u64 root, u64 dimension, u64 unreadable)
{
	return walk_of_path(f, k, root, dimension, unreadable, IF_LINKED);
}
STENCIL(walk_binary)(struct frame *f, u64 k, u64 root, u64 dimension, u64 unreadable)
{
	return walk_of_path(f, k, root, dimension, unreadable, LINKED_OR_NOT);
}

STENCIL(walk_probed)(struct frame *f, u64 k, u64 root, u64 dimension, u64 unreadable)
{
	struct walk w;
	struct path *task_root = &get_current_task_btf()->fs->root;
	u64 rd = (u64)task_root->dentry, rm = (u64)task_root->mnt;
	u64 path = f->args[k], leaf = read_u64(path + FIELD_OFFSET(struct path, dentry)),
	    mount = read_u64(path + FIELD_OFFSET(struct path, mnt));
	NUMBER(rd);
	NUMBER(rm);
	probe_from(&w, f, MATCH, leaf, leaf, mount, read_u64(mount + FIELD_OFFSET(struct vfsmount, mnt_root)), rd, rm, root,
		   root, FIRST_ID, 0);
	loop(WALK_ROUNDS, walk_round, &w, 0);
	f->ids[dimension] = settled(&w) ? matched(&w, unlinked_probed(leaf)) : unreadable + unknown_zero();
	return 0;
}
