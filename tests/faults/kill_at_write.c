/* A power cut at a moment of our choice: the process is killed at its KILL_AT-th change of the disk. For LD_PRELOAD.

   Changes are counted that reach a regular file below KILL_BELOW by its descriptor, and every change of a name:
   write, fsync, ftruncate, rename, unlink. Of a write that is cut, half reaches the file. */

#define _GNU_SOURCE
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long count;

static int is_cut(void)
{
    const char *at = getenv("KILL_AT");
    return at && ++count == atol(at);
}

static int is_watched(int fd)
{
    const char *below = getenv("KILL_BELOW");
    char link[64], path[PATH_MAX];
    struct stat status;
    if (!below || fstat(fd, &status) || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return !strncmp(path, below, strlen(below));
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    pause();
}

ssize_t write(int fd, const void *data, size_t size)
{
    if (is_watched(fd) && is_cut()) {
        syscall(SYS_write, fd, data, size / 2);
        die();
    }
    return syscall(SYS_write, fd, data, size);
}

int fsync(int fd)
{
    if (is_watched(fd) && is_cut())
        die();
    return (int)syscall(SYS_fsync, fd);
}

int ftruncate(int fd, off_t size)
{
    if (is_watched(fd) && is_cut())
        die();
    return (int)syscall(SYS_ftruncate, fd, size);
}

int renameat(int from, const char *old_path, int to, const char *new_path)
{
    if (is_cut())
        die();
    return (int)syscall(SYS_renameat2, from, old_path, to, new_path, 0);
}

int rename(const char *old_path, const char *new_path)
{
    return renameat(-100, old_path, -100, new_path); /* AT_FDCWD */
}

int unlinkat(int folder, const char *path, int flags)
{
    if (is_cut())
        die();
    return (int)syscall(SYS_unlinkat, folder, path, flags);
}

int unlink(const char *path)
{
    return unlinkat(-100, path, 0); /* AT_FDCWD */
}
