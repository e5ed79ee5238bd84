/* The only program of the images that fill real runtimes' stores: does what its arguments say, so that no shell is needed, and is small.
 *
 *     tool [write PATH TEXT | append PATH TEXT | mkdir PATH | remove PATH | chmod OCTAL PATH | chown UID GID PATH | link OLD NEW |
 *           symlink TARGET PATH | rename OLD NEW | fifo PATH | xattr PATH NAME VALUE | sparse PATH SIZE | show PATH |
 *           exit STATUS | wait]…
 *
 * `remove` takes whole directories. A word that begins with `try-` may fail (a rename of a lower directory does, on most overlays).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int put(const char *path, int how, const char *text) {
    int file = open(path, O_WRONLY | O_CREAT | how, 0644);
    if (file < 0 || write(file, text, strlen(text)) < 0 || write(file, "\n", 1) < 0) return -1;
    return close(file);
}

static void say(const char *text) {
    if (write(2, text, strlen(text)) < 0) _exit(102);
}

static int show(const char *path) {
    char part[4096];
    int file = open(path, O_RDONLY), length;
    if (file < 0) return -1;
    while ((length = read(file, part, sizeof part)) > 0)
        if (write(1, part, length) != length) return -1;
    return length;
}

static int gone(const char *path, const struct stat *st, int flag, struct FTW *walk) {
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

static int sparse(const char *path, long long size) {
    int file = open(path, O_WRONLY | O_CREAT, 0644);
    return file < 0 || pwrite(file, "end", 3, size - 3) != 3 || close(file) ? -1 : 0;
}

static void stop(int signal) {
    (void)signal;
    _exit(0);
}

int main(int count, char **words) {
    umask(022);
    for (int at = 1; at < count;) {
        char *word = words[at], **of = words + at + 1;
        int may = !strncmp(word, "try-", 4), left = count - at - 1, used = 2, result;
        if (may) word += 4;
        if (!strcmp(word, "wait")) {
            signal(SIGTERM, stop); /* the first process of a container has no default */
            for (;;) pause();
        }
        if (!strcmp(word, "write") && left > 1) result = put(of[0], O_TRUNC, of[1]);
        else if (!strcmp(word, "append") && left > 1) result = put(of[0], O_APPEND, of[1]);
        else if (!strcmp(word, "mkdir") && left > 0) result = mkdir(of[0], 0755), used = 1;
        else if (!strcmp(word, "remove") && left > 0) result = nftw(of[0], gone, 16, FTW_DEPTH | FTW_PHYS), used = 1;
        else if (!strcmp(word, "chmod") && left > 1) result = chmod(of[1], strtol(of[0], 0, 8));
        else if (!strcmp(word, "chown") && left > 2) result = lchown(of[2], atoi(of[0]), atoi(of[1])), used = 3;
        else if (!strcmp(word, "link") && left > 1) result = link(of[0], of[1]);
        else if (!strcmp(word, "symlink") && left > 1) result = symlink(of[0], of[1]);
        else if (!strcmp(word, "rename") && left > 1) result = rename(of[0], of[1]);
        else if (!strcmp(word, "fifo") && left > 0) result = mkfifo(of[0], 0644), used = 1;
        else if (!strcmp(word, "xattr") && left > 2) result = lsetxattr(of[0], of[1], of[2], strlen(of[2]), 0), used = 3;
        else if (!strcmp(word, "sparse") && left > 1) result = sparse(of[0], atoll(of[1]));
        else if (!strcmp(word, "show") && left > 0) result = show(of[0]), used = 1;
        else if (!strcmp(word, "exit") && left > 0) return atoi(of[0]);
        else return say("unknown: "), say(word), say("\n"), 100;
        if (result) {
            say(word), say(" "), say(of[0]), say(": "), say(strerror(errno)), say("\n");
            if (!may) return 101;
        }
        at += used + 1;
    }
    return 0;
}
