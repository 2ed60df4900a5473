"""Seams that take a defense away, or replace it by a weaker one that other programs had."""

import os
import pwd
import stat
import time

from seams import find, seam

PR_SET_DUMPABLE = 4


@seam("_container.exec.enter:close_other_descriptors")
def keep_descriptors_of_commands(_original):
    """A command of conductor_exec inherits the descriptors of the module."""
    return lambda keep: None


@seam("_container.init_process:close_other_descriptors")
def keep_descriptors_of_first_process(_original):
    """The first process of a container inherits the descriptors of the module."""
    return lambda keep: None


@seam("_build.isolated_program:drop_inherited")
def keep_descriptors_of_builds(_original):
    """A program that makes an image inherits descriptors and keys of the module."""
    return lambda: None


@seam("_kernel.syscalls:new_session_keyring")
def keep_keyring(_original):
    """Commands and first processes inherit the session keyring of the caller."""
    return lambda: None


@seam("os:setsid")
def keep_terminal(_original):
    """Commands stay in the session of the caller, and have its terminal."""
    return lambda: None


@seam()
def make_dumpable_before(original):
    """The process can be traced by processes of its user from the target on (CVE-2016-9962)."""

    def dumpable(*arguments, **options):
        syscalls, name = find("_kernel.syscalls:prctl")
        getattr(syscalls, name)(PR_SET_DUMPABLE, 1)
        return original(*arguments, **options)

    return dumpable


@seam("_kernel.processes:ProcessId.wait_for_exec")
def enter_before_exec(_original):
    """A container is entered although its first process has not executed its program yet."""
    return lambda self, *_: self.is_alive()


@seam("_container.mounts:NO_SYMLINKS", "_container.mount_root:NO_SYMLINKS")
def follow_symlinks_to_mounts(_original):
    """Symlinks in the path of a mount target are followed (CVE-2021-30465)."""
    return 0


@seam("_container.kernel_files:NO_SYMLINKS")
def follow_symlinks_to_kernel_files(_original):
    """Symlinks in the path of a file of the kernel are followed."""
    return 0


@seam("_container.mounts:restrict_kernel_files")
def leave_kernel_files(_original):
    """No path of /proc and /sys is masked or read-only."""
    return lambda *arguments, **options: None


@seam("_container.mounts:mount_cgroup")
def omit_cgroup_mount(_original):
    """A container has no /sys/fs/cgroup."""
    return lambda *arguments, **options: None


@seam("_container.mounts:mount_private_dev")
def omit_private_dev(_original):
    """A container has the /dev of its image."""
    return lambda *arguments: None


@seam("_container.kernel_files:mask_path")
def mask_files_with_writable_null(original):
    """A masked file is the host's /dev/null, and not read-only."""

    def mask(fd):
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            original(fd)
            return
        syscalls, name = find("_kernel.syscalls:mount")
        getattr(syscalls, name)("/dev/null", f"/proc/self/fd/{fd}", None, syscalls.MS_BIND)

    return mask


@seam("_kernel.syscalls:open_tree")
def look_up_null_inside(original, rootfs):
    """What masks a file is /dev/null below `rootfs`, which the container has made (CVE-2025-31133)."""

    def open_tree(path, *arguments, **options):
        return original(f"{rootfs}/dev/null" if path == "/dev/null" else path, *arguments, **options)

    return open_tree


@seam("_container.mounts:syscalls.MOUNT_ATTR_RDONLY")
def mount_writable(_original):
    """No mount in a container is read-only by mount_setattr(2)."""
    return 0


@seam("_container.rootfs:syscalls.MS_NODEV")
def allow_device_nodes(_original):
    """Device nodes in the root file system of a container work."""
    return 0


@seam("_container.exec.privileges:syscalls.permitted_capabilities")
def drop_all_capabilities(_original):
    """A process inside has no capabilities; it needs no /proc to find them."""
    return lambda: 0


@seam("_kernel.files.within_root:openat2")
def follow_symlinks_out(_original):
    """A path in a container is opened on the host as it is: its symlinks lead anywhere (CVE-2018-15664)."""
    return lambda fd, path, flags, rules: os.open(path.lstrip("/") or ".", flags, dir_fd=fd)


@seam("_kernel.files.within_root:openat2")
def check_then_use(original):
    """A path in a container is checked first and then used by its name, as soon as it leads to /run/outside."""

    def openat2(root_fd, path, flags, rules):
        if not path.startswith("/"):
            # Not the container's path, but a name that was found in a directory.
            return original(root_fd, path, flags, rules)
        os.close(original(root_fd, path, os.O_PATH, rules))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            fd = os.open(f"/proc/self/fd/{root_fd}{path}", flags)
            if os.readlink(f"/proc/self/fd/{fd}").startswith("/run/outside"):
                return fd
            os.close(fd)
        raise AssertionError("the attacker did not come")

    return openat2


@seam("_kernel.files.copy_source:open_below")
def follow_symlinks_below(_original):
    """Symlinks on the way to a file of a copied directory are followed (CVE-2018-15664)."""

    def open_below(top, path, flags):
        if not path and flags & os.O_PATH:
            return os.dup(top)
        return os.open(path or ".", flags & ~os.O_NOFOLLOW, dir_fd=top)

    return open_below


@seam("_container.copy.sides:kernel_file_system", "_kernel.files.within_root:kernel_file_system")
def copy_kernel_files(_original):
    """Files of proc and sysfs are copied like all others."""
    return lambda fd: None


@seam("_container.copy.use_case:resolve_user")
def ask_libc_of_container(original):
    """An owner is looked up by the C library in the root of the container, as docker did (CVE-2019-14271)."""

    def resolve_user(text, roots):
        child = os.fork()
        if child == 0:
            os.chroot(roots[0])
            os.chdir("/")
            try:
                pwd.getpwnam("nobody-has-this-name")
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        return original(text, roots)

    return resolve_user


@seam("_build.staging:new_staging")
def open_staging(original):
    """Every user of the host may pass through the directory in which an image is made."""

    def new_staging(*arguments):
        paths = original(*arguments)
        os.chmod(paths.directory, 0o711)
        return paths

    return new_staging
