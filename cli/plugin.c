#include "cli/plugin.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

/* Words past this many are arguments of the plugin in any case. */
enum { WORDS_MOST = 8 };

static char *find_in_path(const char *name)
{
    const char *path = getenv("PATH");
    _cleanup_strv_ char **folders = strv_split(path ? path : "", ':', false);

    for (char **f = folders; f && *f; f++) {
        char *file = xasprintf("%s/%s", *f, name);
        struct stat st;
        if (stat(file, &st) == 0 && S_ISREG(st.st_mode) && access(file, X_OK) == 0)
            return file;
        free(file);
    }
    return NULL;
}

char *plugin_find(char *const *words, size_t *ret_taken)
{
    size_t n = 0;

    while (words[n] && n < WORDS_MOST && *words[n] && *words[n] != '-' && !strchr(words[n], '/'))
        n++;
    for (; n; n--) {
        _cleanup_free_ char *name = NULL;
        struct buf b = BUF_INIT;
        buf_adds(&b, "wasmctl");
        for (size_t i = 0; i < n; i++) {
            buf_addc(&b, '-');
            for (const char *p = words[i]; *p; p++)
                buf_addc(&b, *p == '-' ? '_' : *p);
        }
        name = buf_take(&b);
        char *file = find_in_path(name);
        if (file) {
            *ret_taken = n;
            return file;
        }
    }
    return NULL;
}

int plugin_exec(char *const *words, struct err **err)
{
    _cleanup_free_ char *file = NULL;
    _cleanup_free_ char **argv = NULL;
    size_t taken = 0, n = 1;

    file = plugin_find(words, &taken);
    if (!file)
        return 0;
    argv = xcalloc(strv_len(words) + 2, sizeof(*argv));
    argv[0] = file;
    for (char *const *w = words + taken; *w; w++)
        argv[n++] = *w;
    /* Ignored signals stay ignored in a new program: the plugin gets them as wasmctl got them. */
    signal(SIGPIPE, SIG_DFL);
    execv(file, argv);
    int os = errno;
    signal(SIGPIPE, SIG_IGN);
    return err_set_os(err, os, "run the plugin %s", file);
}
