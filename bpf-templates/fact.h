/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Facts of the process that makes the call, read from its task when a condition asks for them.
 *
 * A number goes into `fact`, from where its lookup takes it.  The number of a namespace is that of its inode, with
 * HOST_NAMESPACE if it is the host's.  A task on its way out has no namespaces: 0.
 *
 * Source: Linux 6.1 and 6.12, include/linux/sched.h, nsproxy.h, pid.h, cred.h, mm_types.h.
 */
#pragma once

INLINE u64 namespace_number(u32 inode, u32 kind)
{
	u64 differ = inode ^ ((struct node_header *)node)->host_namespaces[kind];
	return inode | (differ - 1) >> 63 << 32;
}

#define NAMESPACE_OF_PROXY(name, field, kind) \
	STENCIL(fact_##name##_namespace)(struct frame *f) \
	{ \
		f->fact = namespace_number(get_current_task_btf()->nsproxy->field->ns.inum, kind); \
		return 0; \
	}
NAMESPACE_OF_PROXY(uts, uts_ns, 0)
NAMESPACE_OF_PROXY(ipc, ipc_ns, 1)
NAMESPACE_OF_PROXY(mnt, mnt_ns, 2)
NAMESPACE_OF_PROXY(pid_for_children, pid_ns_for_children, 4)
NAMESPACE_OF_PROXY(net, net_ns, 5)
NAMESPACE_OF_PROXY(time, time_ns, 6)
NAMESPACE_OF_PROXY(time_for_children, time_ns_for_children, 7)
NAMESPACE_OF_PROXY(cgroup, cgroup_ns, 8)

STENCIL(fact_user_namespace)(struct frame *f)
{
	f->fact = namespace_number(get_current_task_btf()->cred->user_ns->ns.inum, 9);
	return 0;
}

/* What a PID is in the innermost namespace that it has a number in. */
INLINE u64 innermost(struct pid *pid)
{
	u64 level = pid->level, at = (u64)pid;
	NUMBER(at);
	return at + FIELD_OFFSET(struct pid, numbers) + level * FIELD_BYTES(struct pid, numbers[0]);
}
STENCIL(fact_pid_namespace)(struct frame *f)
{
	u64 namespace = read_u64(innermost(get_current_task_btf()->thread_pid) + FIELD_OFFSET(struct upid, ns));
	f->fact = namespace_number(read_u64(namespace + FIELD_OFFSET(struct pid_namespace, ns.inum)), 3);
	return 0;
}

STENCIL(fact_pid)(struct frame *f)
{
	f->fact = (u32)get_current_task_btf()->tgid;
	return 0;
}
/* 0 in the initial namespace. */
STENCIL(fact_namespace_pid)(struct frame *f)
{
	struct pid *pid = get_current_task_btf()->group_leader->thread_pid;
	u64 number = 0;
	if (pid->level)
		number = (u32)read_u64(innermost(pid) + FIELD_OFFSET(struct upid, nr));
	f->fact = number;
	return 0;
}

#define CAPABILITIES(name) \
	STENCIL(fact_##name##_capabilities)(struct frame *f) \
	{ \
		struct kernel_cap_struct *set = (void *)get_current_task_btf()->cred + FIELD_OFFSET(struct cred, cap_##name); \
		f->fact = set->low | (u64)set->high << 32; \
		return 0; \
	}
CAPABILITIES(permitted)
CAPABILITIES(effective)
CAPABILITIES(inheritable)

STENCIL(fact_lookup)(struct frame *f, u64 table, u64 dimension)
{
	f->ids[dimension] = atom_of_point(table, f->fact);
	return 0;
}
STENCIL(fact_interval_lookup)(struct frame *f, u64 table, u64 dimension)
{
	f->ids[dimension] = atom_of_interval(table, f->fact);
	return 0;
}
STENCIL(fact_mask_lookup)(struct frame *f, u64 table, u64 dimension)
{
	f->ids[dimension] = atom_of_masks(table, f->fact);
	return 0;
}

/*
 * The file that the process runs; `k` is no argument of the hooked function.  A thread of the kernel has none: what is
 * read of a NULL file is 0, and such a path cannot be read.
 */
STENCIL(path_of_binary)(struct frame *f, u64 k)
{
	struct file *file = get_current_task_btf()->mm->exe_file;
	f->args[k] = (u64)&file->f_path;
	return 0;
}
