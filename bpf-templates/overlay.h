/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Calls that overlayfs makes on files of its layers, for an operation that was judged on the overlay's own file: one
 * open in a container reaches file_open two to four times.  They are left to that verdict and make no event.
 *
 * overlayfs works with the credentials of the task that mounted it: current->cred is not current->real_cred.  That
 * alone says little (io_uring, access(2) and nfsd change credentials too), but it is false nearly always and costs
 * next to nothing.  The file is a layer's if
 *
 * - it has the path of the overlay's file and the inode of the layer's (regular files before 6.8).  Only
 *   open_with_fake_path and its successors make such a file, and no task holds one as a descriptor; or
 * - its mount is one of those that overlayfs keeps for its layers: made by clone_private_mount, which marks its
 *   namespace with an error pointer, and not by the kernel for itself (MNT_INTERNAL: memfd, pipes, sockets).  Other
 *   detached mounts have a real namespace (open_tree, fsmount) or none (unmounted lazily).
 *
 * README.md, "Calls of overlayfs", says what was tried to forge this.
 * Source: Linux 6.1 and 6.12, fs/overlayfs/super.c, file.c, copy_up.c; fs/namespace.c; fs/open.c; fs/backing-file.c.
 */
#pragma once

#define MNT_INTERNAL 0x4000
#define FMODE_NOACCOUNT 0x20000000
#define MAX_ERRNO 4095

INLINE int has_own_credentials(void)
{
	struct task_struct *task = get_current_task_btf();
	return task->cred == task->real_cred;
}

INLINE int is_layer(u64 mount, u32 flags)
{
	u64 namespace = mount - FIELD_OFFSET(struct mount, mnt) + FIELD_OFFSET(struct mount, mnt_ns);
	return !(flags & MNT_INTERNAL) && read_u64(namespace) >= (u64)-MAX_ERRNO;
}
INLINE int is_layer_typed(struct vfsmount *mount)
{
	u64 address = (u64)mount;
	u32 flags = mount->mnt_flags;
	NUMBER(address);
	return is_layer(address, flags);
}
INLINE int is_layer_probed(u64 mount)
{
	return is_layer(mount, read_u64(mount + FIELD_OFFSET(struct vfsmount, mnt_flags)));
}

/* In: args[k] is the raw argument.  Leaves if the call is overlayfs's own. */
STENCIL(overlay_of_file_typed)(struct frame *f, u64 k)
{
	if (has_own_credentials())
		return 0;
	struct file *file = (void *)f->args[k];
	if (file->f_mode & FMODE_NOACCOUNT && file->f_inode != file->f_path.dentry->d_inode)
		return 1;
	return is_layer_typed(file->f_path.mnt);
}
STENCIL(overlay_of_path_typed)(struct frame *f, u64 k)
{
	if (has_own_credentials())
		return 0;
	struct path *path = (void *)f->args[k];
	return is_layer_typed(path->mnt);
}

/* What cannot be read is nobody's. */
STENCIL(overlay_of_file_probed)(struct frame *f, u64 k)
{
	if (has_own_credentials())
		return 0;
	u64 file = f->args[k], path = file + FIELD_OFFSET(struct file, f_path),
	    dentry = read_u64(path + FIELD_OFFSET(struct path, dentry));
	if (read_u64(file + FIELD_OFFSET(struct file, f_mode)) & FMODE_NOACCOUNT &&
	    read_u64(file + FIELD_OFFSET(struct file, f_inode)) != read_u64(dentry + FIELD_OFFSET(struct dentry, d_inode)))
		return 1;
	return is_layer_probed(read_u64(path + FIELD_OFFSET(struct path, mnt)));
}
STENCIL(overlay_of_path_probed)(struct frame *f, u64 k)
{
	if (has_own_credentials())
		return 0;
	return is_layer_probed(read_u64(f->args[k] + FIELD_OFFSET(struct path, mnt)));
}
