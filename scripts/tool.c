/* The only program of the demo node's images: does what its arguments say, so that no shell is needed.
 *
 *     tool [write PATH TEXT | mkdir PATH | remove PATH | wait | fail]...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int count, char **words) {
    for (int at = 1; at < count; at++) {
        if (!strcmp(words[at], "write") && at + 2 < count) {
            FILE *file = fopen(words[at + 1], "w");
            if (!file || fprintf(file, "%s\n", words[at + 2]) < 0 || fclose(file)) return 1;
            at += 2;
        } else if (!strcmp(words[at], "mkdir") && at + 1 < count) {
            mkdir(words[++at], 0755);
        } else if (!strcmp(words[at], "remove") && at + 1 < count) {
            if (remove(words[++at])) return 1;
        } else if (!strcmp(words[at], "wait")) {
            for (;;) pause();
        } else if (!strcmp(words[at], "fail")) {
            return 3;
        }
    }
    return 0;
}
