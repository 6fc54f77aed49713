/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The part of the kernel that stencils see: helpers by number, and only those fields that they read.  Offsets are
 * relocated when the program is loaded.
 */
#pragma once
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef short s16;
typedef int s32;
typedef long long s64;
#define NULL ((void *)0)

enum { MAP_PERCPU_ARRAY = 6, MAP_LRU_HASH = 9, MAP_RINGBUF = 27, MAP_TASK_STORAGE = 29 };
#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define NO_UNROLL _Pragma("clang loop unroll(disable)")
#define offsetof(type, member) __builtin_offsetof(type, member)
/* clang knows nothing about x any more */
#define OPAQUE(x) asm volatile("" : "+r"(x))
/* The verifier takes x for a number, whatever pointer it was. */
#define NUMBER(x) asm volatile("%0 = -%0; %0 = -%0" : "+r"(x))

static void *(*map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static u64 (*ktime_get_ns)(void) = (void *)5;
static u64 (*get_current_pid_tgid)(void) = (void *)14;
static u64 (*get_current_cgroup_id)(void) = (void *)80;
static long (*send_signal)(u32 sig) = (void *)109;
static long (*probe_read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static long (*probe_read_user_str)(void *to, u32 size, const void *from) = (void *)114;
static long (*probe_read_kernel_str)(void *to, u32 size, const void *from) = (void *)115;
static u64 (*jiffies64)(void) = (void *)118;
static u64 (*get_current_ancestor_cgroup_id)(int level) = (void *)123;
static long (*ringbuf_output)(void *ring, void *data, u64 size, u64 flags) = (void *)130;
struct task_struct;
static void *(*task_storage_get)(void *map, struct task_struct *task, void *value, u64 flags) = (void *)156;
static struct task_struct *(*get_current_task_btf)(void) = (void *)158;
static u64 (*get_attach_cookie)(void *ctx) = (void *)174;
static long (*loop)(u32 rounds, void *callback, void *state, u64 flags) = (void *)181;

#define BPF_NOEXIST 1
#define EEXIST 17

#define CORE __attribute__((preserve_access_index))
struct hlist_bl_node {
	struct hlist_bl_node *next, **pprev;
} CORE;
struct qstr {
	union {
		struct {
			u32 hash, len;
		} CORE;
		u64 hash_len;
	} CORE;
	const u8 *name;
} CORE;
struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	u8 d_iname[32];
} CORE;
union shortname_store {
	u8 string[40];
};
struct dentry___shortname { /* since 6.14, and in later stable kernels before it */
	union shortname_store d_shortname;
} CORE;
struct vfsmount {
	struct dentry *mnt_root;
	int mnt_flags;
} CORE;
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
} CORE;
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
} CORE;
struct file {
	u32 f_mode;
	struct path f_path;
	struct inode *f_inode;
} CORE;
struct fs_struct {
	struct path root;
} CORE;
struct ns_common {
	u32 inum;
} CORE;
struct uts_namespace {
	struct ns_common ns;
} CORE;
struct ipc_namespace {
	struct ns_common ns;
} CORE;
struct mnt_namespace {
	struct ns_common ns;
} CORE;
struct pid_namespace {
	struct ns_common ns;
} CORE;
struct net {
	struct ns_common ns;
} CORE;
struct time_namespace {
	struct ns_common ns;
} CORE;
struct cgroup_namespace {
	struct ns_common ns;
} CORE;
struct kernel_id { /* kuid_t and kgid_t, which have no name of their own */
	u32 val;
};
struct user_namespace {
	s32 level;
	struct kernel_id owner, group;
	struct ns_common ns;
} CORE;
struct nsproxy {
	struct uts_namespace *uts_ns;
	struct ipc_namespace *ipc_ns;
	struct mnt_namespace *mnt_ns;
	struct pid_namespace *pid_ns_for_children;
	struct net *net_ns;
	struct time_namespace *time_ns, *time_ns_for_children;
	struct cgroup_namespace *cgroup_ns;
} CORE;
struct upid {
	s32 nr;
	struct pid_namespace *ns;
} CORE;
struct pid {
	u32 level;
	struct upid numbers[1];
} CORE;
struct kernel_cap_struct { /* eight bytes: two numbers before 6.3, one since */
	u32 low, high;
};
struct cred {
	struct kernel_id uid, gid, suid, sgid, euid, egid, fsuid, fsgid;
	u32 securebits;
	struct kernel_cap_struct cap_inheritable, cap_permitted, cap_effective;
	struct user_namespace *user_ns;
} CORE;
struct net_device {
	u8 name[16];
} CORE;
struct filename {
	const u8 *name;
} CORE;
union bpf_attr {
	struct {
		u32 prog_type, insn_cnt;
		u8 prog_name[16];
	} CORE;
} CORE;
enum bpf_prog_type { BPF_PROG_TYPE_UNSPEC };
enum bpf_map_type { BPF_MAP_TYPE_UNSPEC };
struct bpf_prog_aux {
	u8 name[16];
} CORE;
struct bpf_prog {
	enum bpf_prog_type type;
	u32 len;
	struct bpf_prog_aux *aux;
} CORE;
struct bpf_map {
	enum bpf_map_type map_type;
	u32 key_size, value_size, max_entries;
	u8 name[16];
} CORE;
struct perf_event_attr {
	u32 type;
	u64 config;
	union {
		u64 kprobe_func;
	} CORE;
	union {
		u64 probe_offset;
	} CORE;
} CORE;
struct perf_event {
	struct perf_event_attr attr;
} CORE;
struct module {
	u8 name[56];
	u64 taints;
} CORE;
struct load_info {
	const u8 *name;
	struct module *mod;
	_Bool sig_ok;
} CORE;
struct mm_struct {
	struct file *exe_file;
} CORE;
struct task_struct {
	const struct cred *real_cred, *cred;
	struct fs_struct *fs;
	struct mm_struct *mm;
	struct nsproxy *nsproxy;
	struct pid *thread_pid;
	struct task_struct *group_leader;
	s32 tgid;
} CORE;
struct linux_binprm {
	struct file *file;
} CORE;

struct in6_addr { /* read as words, not by its members */
	u64 words[2];
};
struct sock_common {
	u32 skc_daddr, skc_rcv_saddr;
	u16 skc_dport, skc_num, skc_family;
	u8 skc_state;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
} CORE;
struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol;
} CORE;
struct socket {
	struct sock *sk;
} CORE;
struct sk_buff {
	u32 len, priority, mark, hash;
	u32 tail; /* from head on: 64-bit kernels have no pointer there */
	u16 network_header;
	u8 *head;
} CORE;

#define FIELD_OFFSET(type, field) __builtin_preserve_field_info(((type *)0)->field, 0)
#define FIELD_BYTES(type, field) __builtin_preserve_field_info(((type *)0)->field, 1)
#define FIELD_EXISTS(type, field) __builtin_preserve_field_info(((type *)0)->field, 2)
/* A name of up to 31 bytes stands inside its dentry. */
#define INLINE_NAME 32
INLINE u64 inline_name_offset(void)
{
	return FIELD_EXISTS(struct dentry, d_iname) ? FIELD_OFFSET(struct dentry, d_iname)
						    : FIELD_OFFSET(struct dentry___shortname, d_shortname);
}
