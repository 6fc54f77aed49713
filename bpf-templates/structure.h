/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Kernel structures in events: args[k] is the address of one, read as a number whatever the hook, because only events
 * that are sent pay for it.  A value of which one field cannot be read is unreadable.
 *
 * Source: Linux 6.1 and 6.12; which fields are shown: Tetragon 4fbfe2d, bpf/process/types/basic.h.
 */
#pragma once

struct structure {
	u64 object;	/* its address */
	struct value *header;
	u64 failed;	/* not 0: some read did */
};

/* A value at `place` in the tail, all zero; what follows the header is returned.  NULL: there is no slot. */
INLINE void *structure_value(struct structure *s, struct frame *f, u64 k, u64 place, u64 form, u64 bytes)
{
	struct slot *slot = f->slot;
	if (!slot)
		return NULL;
	u64 *at = slot->texts[0].tail + place;
	value_header((void *)at, k, form, 0, bytes);
	for (u32 word = 1; word <= bytes / 8; word++)
		at[word] = 0;
	s->object = f->args[k];
	s->header = (void *)at;
	s->failed = 0;
	return at + 1;
}
INLINE int structure_end(struct structure *s)
{
	if (s->failed)
		s->header->flags = VALUE_UNREADABLE;
	return 0;
}
#define STRUCTURE(name, form) \
	struct structure s; \
	struct name *value = structure_value(&s, f, k, place, form, sizeof(struct name)); \
	if (!value) \
		return 0;
#define TAKE(to, type, field) s.failed |= probe_read_kernel(&(to), sizeof(to), (void *)s.object + FIELD_OFFSET(type, field));

STENCIL(value_cred)(struct frame *f, u64 k, u64 place)
{
	STRUCTURE(value_cred, VALUE_CRED)
	TAKE(value->permitted, struct cred, cap_permitted)
	TAKE(value->effective, struct cred, cap_effective)
	TAKE(value->inheritable, struct cred, cap_inheritable)
	TAKE(value->uid, struct cred, uid)
	TAKE(value->gid, struct cred, gid)
	TAKE(value->euid, struct cred, euid)
	TAKE(value->egid, struct cred, egid)
	TAKE(value->suid, struct cred, suid)
	TAKE(value->sgid, struct cred, sgid)
	TAKE(value->fsuid, struct cred, fsuid)
	TAKE(value->fsgid, struct cred, fsgid)
	TAKE(value->securebits, struct cred, securebits)
	u64 namespace = 0;
	TAKE(namespace, struct cred, user_ns)
	s.object = namespace;
	TAKE(value->namespace_level, struct user_namespace, level)
	TAKE(value->namespace_uid, struct user_namespace, owner)
	TAKE(value->namespace_gid, struct user_namespace, group)
	TAKE(value->namespace_inode, struct user_namespace, ns.inum)
	return structure_end(&s);
}
