#include "dev/parts.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { MAX_PATH = 4096 };

extern const char dev_parts_versions[];

void dev_parts_release(struct dev_parts *p)
{
    for (size_t i = 0; i < p->len; i++) {
        free(p->items[i].name);
        free(p->items[i].version);
        strv_free(p->items[i].programs);
    }
    free(p->items);
    *p = (struct dev_parts){0};
}

/* Words separated by blanks and tabs. */
static char **words(const char *line, size_t len)
{
    _cleanup_free_ char *copy = xstrndup(line, len);

    for (char *p = copy; *p; p++)
        if (*p == '\t' || *p == '\r')
            *p = ' ';
    return strv_split(copy, ' ', false);
}

/* Both become part of a path. */
static bool is_name(const char *s)
{
    return s[0] != '.' &&
           s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == '\0';
}

static int add_line(struct dev_parts *p, char **fields, unsigned line, struct err **err)
{
    if (strv_len(fields) < 3)
        return err_set(err, ERR_INVALID, "line %u of the table of parts: needs part, version and programs",
                       line);
    for (char **f = fields; *f; f++)
        if (!is_name(*f))
            return err_set(err, ERR_INVALID, "line %u of the table of parts: \"%s\" is no name", line, *f);
    if (dev_parts_find(p, fields[0]))
        return err_set(err, ERR_INVALID, "line %u of the table of parts: %s stands there twice", line,
                       fields[0]);
    p->items = xreallocarray(p->items, p->len + 1, sizeof(*p->items));
    p->items[p->len++] = (struct dev_part){
        .name = xstrdup(fields[0]),
        .version = xstrdup(fields[1]),
        .programs = strv_copy(&fields[2]),
    };
    return 0;
}

int dev_parts_parse(const char *text, struct dev_parts *ret, struct err **err)
{
    struct dev_parts p = {0};
    int r = 0;

    for (unsigned line = 1; *text && r == 0; line++) {
        size_t len = strcspn(text, "\n");
        _cleanup_strv_ char **fields = words(text, len);
        if (strv_len(fields) && fields[0][0] != '#')
            r = add_line(&p, fields, line, err);
        text += len;
        text += *text == '\n';
    }
    if (r < 0)
        dev_parts_release(&p);
    else
        *ret = p;
    return r;
}

const struct dev_part *dev_parts_find(const struct dev_parts *p, const char *name)
{
    for (size_t i = 0; i < p->len; i++)
        if (streq(p->items[i].name, name))
            return &p->items[i];
    return NULL;
}

int dev_part_program(const char *part, const char *program, char **ret_path, struct err **err)
{
    _cleanup_(dev_parts_release) struct dev_parts table = {0};
    _cleanup_free_ char *cache = file_cache_dir();
    int r = dev_parts_parse(dev_parts_versions, &table, err);

    if (r < 0)
        return r;
    const struct dev_part *p = dev_parts_find(&table, part);
    if (!p || !strv_has(p->programs, program))
        return err_set(err, ERR_NOT_FOUND, "the table of parts names no program %s of part %s", program,
                       part);
    _cleanup_free_ char *path = xasprintf("%s/%s-%s/bin/%s", cache, p->name, p->version, program);
    if (access(path, F_OK) < 0)
        return err_set(
            err, ERR_NOT_FOUND,
            "%s %s is missing (no %s); in a source checkout of wasmctl, ./install.sh parts builds it",
            p->name, p->version, path);
    *ret_path = TAKE_PTR(path);
    return 0;
}

/* Folder of the running program; NULL when the system does not tell. */
static char *own_folder(void)
{
    char path[MAX_PATH];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (n <= 0)
        return NULL;
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash)
        return NULL;
    *slash = '\0';
    return xstrdup(path);
}

int dev_program_beside(const char *program, char **ret_path, struct err **err)
{
    _cleanup_free_ char *own = own_folder();
    const char *path = getenv("PATH");
    _cleanup_strv_ char **folders = strv_split(path ? path : "", ':', false);

    if (own) {
        _cleanup_free_ char *beside = xasprintf("%s/%s", own, program);
        if (access(beside, X_OK) == 0) {
            *ret_path = TAKE_PTR(beside);
            return 0;
        }
    }
    for (char **f = folders; f && *f; f++) {
        _cleanup_free_ char *there = xasprintf("%s/%s", *f, program);
        if ((*f)[0] == '/' && access(there, X_OK) == 0) {
            *ret_path = TAKE_PTR(there);
            return 0;
        }
    }
    return err_set(err, ERR_NOT_FOUND, "%s was found neither in %s, beside this program, nor in PATH",
                   program, own ? own : "the folder of this program");
}
