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

/* A text up to its NUL; one that is too long is cut. */
#define TAKE_TEXT(to, address) s.failed |= probe_read_kernel_str(to, sizeof(to), (void *)(address)) < 0;
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

/*
 * What a system call is given lies in memory of the task, what it hands on in the kernel's.  No address is one of both.
 */
INLINE int take_of_either(void *to, u32 size, u64 address)
{
	if (!probe_read_kernel(to, size, (void *)address))
		return 0;
	return !!probe_read_user(to, size, (void *)address);
}
#define TAKE_OF_EITHER(to, type, field) \
	s.failed |= take_of_either(&(to), sizeof(to), s.object + FIELD_OFFSET(type, field));

INLINE int take_name_of_either(void *to, u32 size, u64 address)
{
	if (probe_read_kernel_str(to, size, (void *)address) >= 0)
		return 0;
	return probe_read_user_str(to, size, (void *)address) < 0;
}

STENCIL(value_bpf_attr)(struct frame *f, u64 k, u64 place)
{
	STRUCTURE(value_bpf_attr, VALUE_BPF_ATTR)
	TAKE_OF_EITHER(value->program_type, union bpf_attr, prog_type)
	TAKE_OF_EITHER(value->instructions, union bpf_attr, insn_cnt)
	s.failed |= take_name_of_either(value->name, sizeof(value->name), s.object + FIELD_OFFSET(union bpf_attr, prog_name));
	return structure_end(&s);
}
STENCIL(value_bpf_prog)(struct frame *f, u64 k, u64 place)
{
	STRUCTURE(value_bpf_prog, VALUE_BPF_PROG)
	TAKE(value->program_type, struct bpf_prog, type)
	TAKE(value->instructions, struct bpf_prog, len)
	u64 further = 0;
	TAKE(further, struct bpf_prog, aux)
	TAKE_TEXT(value->name, further + FIELD_OFFSET(struct bpf_prog_aux, name))
	return structure_end(&s);
}

STENCIL(value_bpf_map)(struct frame *f, u64 k, u64 place)
{
	STRUCTURE(value_bpf_map, VALUE_BPF_MAP)
	TAKE(value->map_type, struct bpf_map, map_type)
	TAKE(value->key_size, struct bpf_map, key_size)
	TAKE(value->value_size, struct bpf_map, value_size)
	TAKE(value->max_entries, struct bpf_map, max_entries)
	TAKE_TEXT(value->name, s.object + FIELD_OFFSET(struct bpf_map, name))
	return structure_end(&s);
}

/* The function's name lies in memory of the task; of other events something else stands in place of its address. */
STENCIL(value_perf_event)(struct frame *f, u64 k, u64 place)
{
	STRUCTURE(value_perf_event, VALUE_PERF_EVENT)
	TAKE(value->config, struct perf_event, attr.config)
	TAKE(value->probe_offset, struct perf_event, attr.probe_offset)
	TAKE(value->type, struct perf_event, attr.type)
	u64 name = 0;
	TAKE(name, struct perf_event, attr.kprobe_func)
	probe_read_user_str(value->kprobe_function, sizeof(value->kprobe_function), (void *)name);
	return structure_end(&s);
}

STENCIL(value_user_namespace)(struct frame *f, u64 k, u64 place)
{
	STRUCTURE(value_user_namespace, VALUE_USER_NAMESPACE)
	TAKE(value->level, struct user_namespace, level)
	TAKE(value->uid, struct user_namespace, owner)
	TAKE(value->gid, struct user_namespace, group)
	TAKE(value->inode, struct user_namespace, ns.inum)
	return structure_end(&s);
}

STENCIL(value_module)(struct frame *f, u64 k, u64 place)
{
	STRUCTURE(value_module, VALUE_MODULE)
	TAKE(value->taints, struct module, taints)
	TAKE_TEXT(value->name, s.object + FIELD_OFFSET(struct module, name))
	return structure_end(&s);
}

/* A kernel that does not check signatures found none to be good. */
STENCIL(value_load_info)(struct frame *f, u64 k, u64 place)
{
	STRUCTURE(value_load_info, VALUE_LOAD_INFO)
	u64 name = 0, module = 0;
	u8 is_signed = 0;
	TAKE(name, struct load_info, name)
	TAKE_TEXT(value->name, name)
	if (FIELD_EXISTS(struct load_info, sig_ok))
		TAKE(is_signed, struct load_info, sig_ok)
	value->signature_ok = is_signed;
	TAKE(module, struct load_info, mod)
	s.object = module;
	TAKE(value->taints, struct module, taints)
	return structure_end(&s);
}

/* Eight bytes in all kernels, whatever their names. */
STENCIL(value_capabilities)(struct frame *f, u64 k, u64 place)
{
	STRUCTURE(value_capabilities, VALUE_CAPABILITIES)
	s.failed |= probe_read_kernel(&value->capabilities, sizeof(value->capabilities), (void *)s.object);
	return structure_end(&s);
}
