#include "cli/opt.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

static const struct cmd_opt *find(const struct opt_group *groups, size_t ngroups, const char *name,
                                  size_t len, char letter, void **ret_base)
{
    for (size_t g = 0; g < ngroups; g++)
        for (const struct cmd_opt *o = groups[g].opts; o && o->type != OPT_END; o++) {
            bool hit =
                letter ? o->letter == letter : strncmp(o->name, name, len) == 0 && o->name[len] == '\0';
            if (hit) {
                *ret_base = groups[g].base;
                return o;
            }
        }
    return NULL;
}

/* ", did you mean --selector?" or ""; caller frees. */
static char *suggestion(const struct opt_group *groups, size_t ngroups, const char *name, size_t len)
{
    _cleanup_free_ char *word = xstrndup(name, len);
    VEC(const char *) names = {0};

    for (size_t g = 0; g < ngroups; g++)
        for (const struct cmd_opt *o = groups[g].opts; o && o->type != OPT_END; o++)
            /* Short names are near to anything. */
            if (!o->hidden && strlen(o->name) > 2)
                vec_push(&names, o->name);
    vec_push(&names, NULL);
    const char *near = str_suggest(word, names.items);
    char *text = near ? xasprintf(", did you mean --%s?", near) : xstrdup("");
    free(names.items);
    return text;
}

static bool wants_value(const struct cmd_opt *o)
{
    return o->type != OPT_FLAG && !o->bare;
}

/* "-n, --namespace", as pflag names a flag in messages */
static char *flag_title(const struct cmd_opt *o)
{
    return o->letter ? xasprintf("-%c, --%s", o->letter, o->name) : xasprintf("--%s", o->name);
}

static int bad_value(const struct cmd_opt *o, const char *value, struct err **err, const char *why)
{
    _cleanup_free_ char *title = flag_title(o);

    return err_set(err, ERR_INVALID, "invalid argument \"%s\" for \"%s\" flag: %s", value, title, why);
}

static int parse_bool(const char *s, bool *ret)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};

    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (streq(s, yes[i]))
            return *ret = true, 0;
        if (streq(s, no[i]))
            return *ret = false, 0;
    }
    return ERR_INVALID;
}

static int set_int(const struct cmd_opt *o, int64_t *target, const char *value, struct err **err)
{
    int64_t min = o->min, max = o->max;
    _cleanup_free_ char *why = NULL;

    if (!min && !max) {
        min = INT64_MIN;
        max = INT64_MAX;
    }
    if (str_to_i64(value, min, max, target))
        return 0;
    if (min == INT64_MIN)
        why = xstrdup("must be a whole number");
    else if (max == INT64_MAX)
        why = xasprintf("must be a whole number, %lld or more", (long long)min);
    else
        why = xasprintf("must be a whole number from %lld to %lld", (long long)min, (long long)max);
    return bad_value(o, value, err, why);
}

static int set_duration(const struct cmd_opt *o, int64_t *target, const char *value, struct err **err)
{
    _cleanup_err_ struct err *why = NULL;
    int64_t ns, seconds;

    if (o->seconds && str_to_i64(value, 0, INT64_C(3000000000), &seconds))
        ns = seconds * INT64_C(1000000000);
    else if (time_parse_duration(value, &ns, &why) < 0)
        return bad_value(o, value, err, "must be a duration with a unit, like 500ms, 30s or 1h30m");
    if (ns < 0 && !o->negative)
        return bad_value(o, value, err, "must not be negative");
    *target = ns;
    return 0;
}

static int set_enum(const struct cmd_opt *o, int *target, const char *value, struct err **err)
{
    _cleanup_free_ char *list = NULL, *why = NULL;

    for (int i = 0; o->choices[i]; i++)
        if (streq(o->choices[i], value)) {
            *target = i;
            return 0;
        }
    list = strv_join((char *const *)o->choices, ", ");
    why = xasprintf("must be one of %s", list);
    return bad_value(o, value, err, why);
}

static int set_value(const struct cmd_opt *o, void *base, const char *value, struct err **err)
{
    void *target = (char *)base + o->offset;
    bool flag;

    switch (o->type) {
    case OPT_FLAG:
        if (parse_bool(value, &flag) < 0)
            return bad_value(o, value, err, "must be true or false");
        *(bool *)target = flag;
        return 0;
    case OPT_STRING:
        *(const char **)target = value;
        return 0;
    case OPT_LIST:
        strv_push((char ***)target, value);
        return 0;
    case OPT_CSV: {
        _cleanup_strv_ char **parts = strv_split(value, ',', false);
        for (char **p = parts; p && *p; p++)
            strv_push((char ***)target, *p);
        return 0;
    }
    case OPT_INT:
        return set_int(o, target, value, err);
    case OPT_DURATION:
        return set_duration(o, target, value, err);
    case OPT_ENUM:
        return set_enum(o, target, value, err);
    case OPT_END:
        break;
    }
    abort();
}

int opt_set(const struct opt_group *group, const struct cmd_opt *o, const char *value, struct err **err)
{
    return set_value(o, group->base, value, err);
}

void opt_defaults(const struct opt_group *groups, size_t ngroups)
{
    for (size_t g = 0; g < ngroups; g++)
        for (const struct cmd_opt *o = groups[g].opts; o && o->type != OPT_END; o++)
            if (o->def && set_value(o, groups[g].base, o->def, NULL) < 0)
                abort();
}

void opt_release(const struct opt_group *groups, size_t ngroups)
{
    for (size_t g = 0; g < ngroups; g++)
        for (const struct cmd_opt *o = groups[g].opts; o && o->type != OPT_END; o++)
            if (o->type == OPT_LIST || o->type == OPT_CSV) {
                char ***target = (char ***)((char *)groups[g].base + o->offset);
                strv_free(*target);
                *target = NULL;
            }
}

/* The first value on the command line replaces the default of a list. */
static void note_given(const struct cmd_opt *o, void *base, char ***given)
{
    if (*given && strv_has(*given, o->name))
        return;
    if (o->def && (o->type == OPT_LIST || o->type == OPT_CSV)) {
        char ***target = (char ***)((char *)base + o->offset);
        strv_free(*target);
        *target = NULL;
    }
    strv_push(given, o->name);
}

struct reader {
    const struct opt_group *groups;
    size_t ngroups;
    int argc, pos; /* pos: the next word */
    char **argv;
    char ***given;
};

static int read_long(struct reader *r, const char *word, struct err **err)
{
    const char *name = word + 2, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const char *value;
    void *base = NULL;

    if (len == 0 || name[0] == '-')
        return err_set(err, ERR_INVALID, "bad flag syntax: %s", word);
    const struct cmd_opt *o = find(r->groups, r->ngroups, name, len, 0, &base);
    if (!o) {
        _cleanup_free_ char *near = suggestion(r->groups, r->ngroups, name, len);
        return err_set(err, ERR_INVALID, "unknown flag: --%.*s%s", (int)len, name, near);
    }
    if (equals)
        value = equals + 1;
    else if (!wants_value(o))
        value = o->bare ? o->bare : "true";
    else if (r->pos < r->argc)
        value = r->argv[r->pos++];
    else
        return err_set(err, ERR_INVALID, "flag needs an argument: %s", word);
    note_given(o, base, r->given);
    return set_value(o, base, value, err);
}

static int read_short(struct reader *r, const char *word, struct err **err)
{
    for (const char *p = word + 1; *p; p++) {
        const char *value;
        void *base = NULL;
        bool last = true;
        const struct cmd_opt *o = find(r->groups, r->ngroups, NULL, 0, *p, &base);

        if (!o)
            return err_set(err, ERR_INVALID, "unknown shorthand flag: '%c' in %s", *p, word);
        if (p[1] == '=') {
            value = p + 2;
        } else if (!wants_value(o)) {
            value = o->bare ? o->bare : "true";
            last = false;
        } else if (p[1]) {
            value = p + 1;
        } else if (r->pos < r->argc) {
            value = r->argv[r->pos++];
        } else {
            return err_set(err, ERR_INVALID, "flag needs an argument: '%c' in %s", *p, word);
        }
        note_given(o, base, r->given);
        int ret = set_value(o, base, value, err);
        if (ret < 0)
            return ret;
        if (last)
            break;
    }
    return 0;
}

int opt_parse(const struct opt_group *groups, size_t ngroups, int argc, char **argv, char **args,
              int *ret_nargs, char ***given, struct err **err)
{
    struct reader r = {groups, ngroups, argc, 0, argv, given};
    int nargs = 0;

    while (r.pos < argc) {
        char *word = argv[r.pos++];
        int ret = 0;

        if (streq(word, "--")) {
            while (r.pos < argc)
                args[nargs++] = argv[r.pos++];
        } else if (str_starts(word, "--")) {
            ret = read_long(&r, word, err);
        } else if (word[0] == '-' && word[1]) {
            ret = read_short(&r, word, err);
        } else {
            args[nargs++] = word;
        }
        if (ret < 0)
            return ret;
    }
    args[nargs] = NULL;
    *ret_nargs = nargs;
    return 0;
}

/* *ret_rest: what of the word stands behind the option. */
static const struct cmd_opt *find_word(const struct opt_group *groups, size_t ngroups, const char *word,
                                       const char **ret_rest)
{
    const struct cmd_opt *o = NULL;
    void *base = NULL;

    if (str_starts(word, "--")) {
        size_t len = strcspn(word + 2, "=");
        *ret_rest = word + 2 + len;
        return find(groups, ngroups, word + 2, len, 0, &base);
    }
    for (const char *p = word + 1; *p; p++) {
        o = find(groups, ngroups, NULL, 0, *p, &base);
        *ret_rest = p + 1;
        if (!o || p[1] == '=' || wants_value(o))
            break;
    }
    return o;
}

const struct cmd_opt *opt_find(const struct opt_group *groups, size_t ngroups, const char *word)
{
    const char *rest = "";

    return find_word(groups, ngroups, word, &rest);
}

bool opt_takes_next(const struct opt_group *groups, size_t ngroups, const char *word)
{
    const char *rest = "";
    const struct cmd_opt *o = find_word(groups, ngroups, word, &rest);

    return o && wants_value(o) && !*rest;
}
