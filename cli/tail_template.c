#include "cli/tail_template.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/go_time.h"
#include "print/gotemplate_tree.h"

typedef const cJSON *const *values;

struct tail_template {
    struct print_gotemplate *template;
    bool colour, namespaces;
    const cJSON *root; /* of the line that is rendered */
};

static int give(struct print_gt_run *run, const char *text, const cJSON **ret, struct err **err)
{
    return print_gt_keep(run, cJSON_CreateString(text), ret, err);
}

static const char *text_of(const cJSON *v)
{
    return cJSON_IsString(v) ? v->valuestring : "";
}

/* JSON as Go writes it: keys of maps in order, and by default no < > & that could be taken for HTML. */

static void add_string(struct buf *out, const char *text, bool html)
{
    buf_addc(out, '"');
    for (const char *at = text; *at;) {
        uint32_t cp;
        size_t n = str_utf8_next(at, &cp);
        unsigned char c = (unsigned char)*at;
        if (!n)
            buf_adds(out, "\\ufffd");
        else if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f')
            buf_addf(out, "\\%c",
                     c == '\n'   ? 'n'
                     : c == '\r' ? 'r'
                     : c == '\t' ? 't'
                     : c == '\b' ? 'b'
                                 : 'f');
        else if (c < 0x20 || (html && (c == '<' || c == '>' || c == '&')))
            buf_addf(out, "\\u%04x", c);
        else if (cp == 0x2028 || cp == 0x2029)
            buf_addf(out, "\\u%04x", cp);
        else
            buf_add(out, at, n);
        at += n ? n : 1;
    }
    buf_addc(out, '"');
}

static int by_key(const void *a, const void *b)
{
    return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

static void new_line(struct buf *out, int indent, int depth)
{
    if (indent) {
        buf_addc(out, '\n');
        buf_fill(out, ' ', (size_t)(indent * depth));
    }
}

/* html: as Go by default; else keys keep their order too, as in messages that are only laid out. */
static void add_json(struct buf *out, const cJSON *v, bool html, int indent, int depth)
{
    size_t n = (size_t)cJSON_GetArraySize(v), i = 0;

    if (!v) {
        buf_adds(out, "null");
    } else if (cJSON_IsString(v)) {
        add_string(out, v->valuestring, html);
    } else if (!cJSON_IsObject(v) && !cJSON_IsArray(v)) {
        json_print_to(out, v, false);
    } else if (!n) {
        buf_adds(out, cJSON_IsObject(v) ? "{}" : "[]");
    } else {
        const cJSON **members = xcalloc(n, sizeof(*members));
        json_each (m, v)
            members[i++] = m;
        if (cJSON_IsObject(v) && html)
            qsort(members, n, sizeof(*members), by_key);
        buf_addc(out, cJSON_IsObject(v) ? '{' : '[');
        for (i = 0; i < n; i++) {
            buf_adds(out, i ? "," : "");
            new_line(out, indent, depth + 1);
            if (cJSON_IsObject(v)) {
                add_string(out, members[i]->string, html);
                buf_adds(out, indent ? ": " : ":");
            }
            add_json(out, members[i], html, indent, depth + 1);
        }
        new_line(out, indent, depth);
        buf_addc(out, cJSON_IsObject(v) ? '}' : ']');
        free(members);
    }
}

static int give_json(struct print_gt_run *run, const cJSON *v, int indent, const cJSON **ret,
                     struct err **err)
{
    _cleanup_buf_ struct buf out = BUF_INIT;

    add_json(&out, v, true, indent, 0);
    return give(run, buf_str(&out), ret, err);
}

/* The line as a whole: in the order stern has. */
static void add_line_json(struct buf *out, const cJSON *root)
{
    static const char *const members[][2] = {{"Message", "message"},
                                             {"Timestamp", "timestamp"},
                                             {"Context", "context"},
                                             {"NodeName", "nodeName"},
                                             {"Namespace", "namespace"},
                                             {"PodName", "podName"},
                                             {"ContainerName", "containerName"},
                                             {"Labels", "labels"},
                                             {"Annotations", "annotations"}};
    bool first = true;

    buf_addc(out, '{');
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const cJSON *v = json_get(root, members[i][0]);
        bool empty = !v || (cJSON_IsString(v) && !*v->valuestring) || (cJSON_IsObject(v) && !v->child);
        bool left_out = i == 1 || i == 2 || i >= 7;
        if (empty && left_out)
            continue;
        buf_addf(out, "%s\"%s\":", first ? "" : ",", members[i][1]);
        add_json(out, v, true, 0, 0);
        first = false;
    }
    buf_addc(out, '}');
}

static int call_json(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                     struct err **err)
{
    const struct tail_template *t = run->user;
    _cleanup_buf_ struct buf out = BUF_INIT;

    if (args[0] != t->root)
        return give_json(run, args[0], 0, ret, err);
    add_line_json(&out, args[0]);
    return give(run, buf_str(&out), ret, err);
}

static cJSON *parse_object(const cJSON *text, struct err **err)
{
    cJSON *o = NULL;

    if (json_parse(text_of(text), strlen(text_of(text)), "the message", &o, err) < 0)
        return NULL;
    if (!cJSON_IsObject(o)) {
        cJSON_Delete(o);
        err_set(err, ERR_INVALID, "the message is no JSON object");
        return NULL;
    }
    return o;
}

static int call_parse(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                      struct err **err)
{
    cJSON *o = parse_object(args[0], err);

    return o ? print_gt_keep(run, o, ret, err) : ERR_INVALID;
}

static int call_try_parse(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                          struct err **err)
{
    cJSON *o = parse_object(args[0], NULL);

    *ret = NULL;
    return o ? print_gt_keep(run, o, ret, err) : 0;
}

/* A member by its name, else by a path of names with dots. */
static const cJSON *part_of(const cJSON *o, const char *key)
{
    const cJSON *v = json_get(o, key);

    while (!v && o && *key) {
        size_t n = strcspn(key, ".");
        _cleanup_free_ char *name = xstrndup(key, n);
        o = json_get(o, name);
        key += n + (key[n] == '.');
        if (!*key)
            return o;
    }
    return v;
}

static int extract(struct print_gt_run *run, const cJSON *o, values parts, size_t n, const cJSON **ret,
                   struct err **err)
{
    _cleanup_buf_ struct buf out = BUF_INIT;

    for (size_t i = 0; i < n; i++) {
        const cJSON *v = part_of(o, text_of(parts[i]));
        buf_adds(&out, i ? ", " : "");
        print_gt_printf(&out, "%v", &v, 1);
    }
    return give(run, buf_str(&out), ret, err);
}

static int call_extract(struct print_gt_run *run, values args, size_t n, const cJSON **ret, struct err **err)
{
    _cleanup_json_ cJSON *o = parse_object(args[0], err);

    return o ? extract(run, o, args + 1, n - 1, ret, err) : ERR_INVALID;
}

static int call_try_extract(struct print_gt_run *run, values args, size_t n, const cJSON **ret,
                            struct err **err)
{
    _cleanup_json_ cJSON *o = parse_object(args[0], NULL);

    return o ? extract(run, o, args + 1, n - 1, ret, err) : give(run, text_of(args[0]), ret, err);
}

static int call_pretty(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                       struct err **err)
{
    _cleanup_json_ cJSON *parsed = cJSON_IsString(args[0]) ? parse_object(args[0], NULL) : NULL;
    const cJSON *o = parsed ? parsed : args[0];
    _cleanup_buf_ struct buf out = BUF_INIT;

    if (cJSON_IsObject(o))
        return give_json(run, o, 2, ret, err);
    print_gt_printf(&out, "%v", &o, 1);
    return give(run, buf_str(&out), ret, err);
}

/* extjson, ppextjson: the line as an object with colours, its message as JSON if it is that. */

static void add_coloured(const struct tail_template *t, struct buf *out, const cJSON *colour,
                         const cJSON *text)
{
    _cleanup_free_ char *painted =
        t->colour ? xasprintf("\033[%sm%s\033[0m", text_of(colour), text_of(text)) : xstrdup(text_of(text));
    _cleanup_buf_ struct buf quoted = BUF_INIT;

    add_string(&quoted, painted, false);
    /* Escape sequences stay such, so that a terminal shows them. */
    for (const char *at = buf_str(&quoted); *at;) {
        bool escape = str_starts(at, "\\u001b");
        buf_addc(out, escape ? '\033' : *at);
        at += escape ? 6 : 1;
    }
}

static void add_message(struct buf *out, const cJSON *message, int indent, int depth)
{
    _cleanup_json_ cJSON *parsed = NULL;
    const char *text = text_of(message);

    if (json_parse(text, strlen(text), "message", &parsed, NULL) < 0)
        add_string(out, text, false);
    else if (indent)
        add_json(out, parsed, false, indent, depth);
    else
        buf_adds(out, text);
}

static int ext_json(struct print_gt_run *run, const cJSON *v, int indent, const cJSON **ret, struct err **err)
{
    const struct tail_template *t = run->user;
    _cleanup_buf_ struct buf out = BUF_INIT;
    const char *colon = indent ? "\": " : "\":";
    static const char *const members[][3] = {{"context", "Context", NULL},
                                             {"namespace", "Namespace", "PodColor"},
                                             {"pod", "PodName", "PodColor"},
                                             {"container", "ContainerName", "ContainerColor"}};

    if (v != t->root) {
        add_message(&out, v, indent, 0);
        return give(run, buf_str(&out), ret, err);
    }
    buf_addc(&out, '{');
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const cJSON *value = json_get(v, members[i][1]);
        if ((i == 0 && !*text_of(value)) || (i == 1 && !t->namespaces))
            continue;
        buf_adds(&out, out.len > 1 ? "," : "");
        new_line(&out, indent, 1);
        buf_addf(&out, "\"%s%s", members[i][0], colon);
        if (members[i][2])
            add_coloured(t, &out, json_get(v, members[i][2]), value);
        else
            add_string(&out, text_of(value), false);
    }
    if (*text_of(json_get(v, "Timestamp"))) {
        buf_addc(&out, ',');
        new_line(&out, indent, 1);
        buf_addf(&out, "\"timestamp%s", colon);
        add_string(&out, text_of(json_get(v, "Timestamp")), false);
    }
    buf_addc(&out, ',');
    new_line(&out, indent, 1);
    buf_addf(&out, "\"message%s", colon);
    add_message(&out, json_get(v, "Message"), indent, 1);
    new_line(&out, indent, 0);
    buf_addc(&out, '}');
    return give(run, buf_str(&out), ret, err);
}

static int call_extjson(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                        struct err **err)
{
    return ext_json(run, args[0], 0, ret, err);
}

static int call_ppextjson(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                          struct err **err)
{
    return ext_json(run, args[0], 2, ret, err);
}

/* Times */

static int read_time(const cJSON *v, struct go_time *ret, struct err **err)
{
    _cleanup_buf_ struct buf text = BUF_INIT;

    if (cJSON_IsNumber(v)) {
        json_print_to(&text, v, false);
        return go_time_parse(buf_str(&text), ret, err);
    }
    return go_time_parse(text_of(v), ret, err);
}

static int give_time(struct print_gt_run *run, const struct go_time *t, const char *layout, const cJSON **ret,
                     struct err **err)
{
    _cleanup_buf_ struct buf out = BUF_INIT;

    go_time_format(t, layout, &out);
    return give(run, buf_str(&out), ret, err);
}

static int call_rfc3339(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                        struct err **err)
{
    struct go_time t;
    int r = read_time(args[0], &t, err);

    return r < 0 ? r : give_time(run, &t, GO_TIME_RFC3339_NANO, ret, err);
}

static int call_utc(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                    struct err **err)
{
    struct go_time t;
    int r = read_time(args[0], &t, err);

    if (r == 0)
        r = go_time_in(&t, "UTC", err);
    return r < 0 ? r : give_time(run, &t, GO_TIME_STRING, ret, err);
}

static int call_timestamp(struct print_gt_run *run, values args, size_t n, const cJSON **ret,
                          struct err **err)
{
    struct go_time t;
    int r = read_time(args[0], &t, err);

    if (r == 0)
        r = go_time_in(&t, n > 2 ? text_of(args[2]) : "", err);
    return r < 0 ? r : give_time(run, &t, text_of(args[1]), ret, err);
}

/* Colours */

static int paint(struct print_gt_run *run, const char *sgr, const char *text, const cJSON **ret,
                 struct err **err)
{
    const struct tail_template *t = run->user;
    _cleanup_free_ char *painted =
        t->colour && *sgr ? xasprintf("\033[%sm%s\033[0m", sgr, text) : xstrdup(text);

    return give(run, painted, ret, err);
}

static int call_color(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                      struct err **err)
{
    return paint(run, text_of(args[0]), text_of(args[1]), ret, err);
}

static int call_custom(struct print_gt_run *run, values args, size_t n, const cJSON **ret, struct err **err)
{
    _cleanup_buf_ struct buf sgr = BUF_INIT;

    for (size_t i = 1; i < n; i++) {
        if (!cJSON_IsNumber(args[i]) || args[i]->valuedouble < 0 || args[i]->valuedouble > 255)
            return err_set(err, ERR_INVALID,
                           "colorCustom: the attributes of a colour are numbers from 0 to 255");
        buf_addf(&sgr, "%s%.0f", i > 1 ? ";" : "", args[i]->valuedouble);
    }
    return paint(run, buf_str(&sgr), text_of(args[0]), ret, err);
}

/* colorRed and its like: a format and its arguments, as printf. */
static int call_named(struct print_gt_run *run, const char *sgr, values args, size_t n, const cJSON **ret,
                      struct err **err)
{
    _cleanup_buf_ struct buf text = BUF_INIT;

    print_gt_printf(&text, text_of(args[0]), args + 1, n - 1);
    return paint(run, sgr, buf_str(&text), ret, err);
}

#define NAMED(name, sgr)                                                                                     \
    static int call_##name(struct print_gt_run *run, values args, size_t n, const cJSON **ret,               \
                           struct err **err)                                                                 \
    {                                                                                                        \
        return call_named(run, sgr, args, n, ret, err);                                                      \
    }
NAMED(black, "30")
NAMED(red, "31")
NAMED(green, "32")
NAMED(yellow, "33")
NAMED(blue, "34")
NAMED(magenta, "35")
NAMED(cyan, "36")
NAMED(white, "37")

static int call_level(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                      struct err **err)
{
    static const char *const levels[][2] = {{"debug", "35"},   {"info", "34"},  {"warn", "33"},
                                            {"warning", "33"}, {"error", "31"}, {"dpanic", "31"},
                                            {"panic", "31"},   {"fatal", "36"}, {"critical", "36"}};
    _cleanup_free_ char *level = str_lower(text_of(args[0]));
    const char *sgr = "";

    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (streq(level, levels[i][0]))
            sgr = levels[i][1];
    return paint(run, sgr, text_of(args[0]), ret, err);
}

static int call_bunyan(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                       struct err **err)
{
    double level = cJSON_IsNumber(args[0]) ? args[0]->valuedouble : -1;
    char text[32];

    if (!cJSON_IsNumber(args[0]) || level < -1e9 || level > 1e9)
        return give(run, "", ret, err);
    snprintf(text, sizeof(text), "%lld", (long long)level);
    const char *sgr = level < 30    ? "35"
                      : level < 40  ? "34"
                      : level < 50  ? "33"
                      : level < 60  ? "31"
                      : level < 100 ? "36"
                                    : "";
    return paint(run, sgr, text, ret, err);
}

static const struct print_gt_function functions[] = {
    {"json", 1, 1, call_json},
    {"parseJSON", 1, 1, call_parse},
    {"tryParseJSON", 1, 1, call_try_parse},
    {"extractJSONParts", 1, -1, call_extract},
    {"tryExtractJSONParts", 1, -1, call_try_extract},
    {"extjson", 1, 1, call_extjson},
    {"ppextjson", 1, 1, call_ppextjson},
    {"prettyJSON", 1, 1, call_pretty},
    {"toRFC3339Nano", 1, 1, call_rfc3339},
    {"toUTC", 1, 1, call_utc},
    {"toTimestamp", 2, 3, call_timestamp},
    {"color", 2, 2, call_color},
    {"colorCustom", 1, -1, call_custom},
    {"colorBlack", 1, -1, call_black},
    {"colorRed", 1, -1, call_red},
    {"colorGreen", 1, -1, call_green},
    {"colorYellow", 1, -1, call_yellow},
    {"colorBlue", 1, -1, call_blue},
    {"colorMagenta", 1, -1, call_magenta},
    {"colorCyan", 1, -1, call_cyan},
    {"colorWhite", 1, -1, call_white},
    {"levelColor", 1, 1, call_level},
    {"bunyanLevelColor", 1, 1, call_bunyan},
    {NULL, 0, 0, NULL},
};

int tail_template_new(const char *text, bool colour, bool namespaces, struct tail_template **ret,
                      struct err **err)
{
    struct tail_template *t = xcalloc(1, sizeof(*t));
    int r = print_gotemplate_parse_with(text, false, functions, &t->template, err);

    if (r < 0) {
        free(t);
        return r;
    }
    t->colour = colour;
    t->namespaces = namespaces;
    *ret = t;
    return 0;
}

void tail_template_free(struct tail_template *t)
{
    if (!t)
        return;
    print_gotemplate_free(t->template);
    free(t);
}

static void set(cJSON *o, const char *name, cJSON *value)
{
    if (json_get(o, name))
        cJSON_ReplaceItemInObjectCaseSensitive(o, name, value);
    else
        cJSON_AddItemToObject(o, name, value);
}

static cJSON *text_value(const char *text)
{
    return cJSON_CreateString(text ? text : "");
}

/* What stays the same for all lines of a source. */
static cJSON *new_root(const struct tail_render *what)
{
    cJSON *o = cJSON_CreateObject();
    const struct tail_info *i = what->info;

    set(o, "Context", text_value(i->context));
    set(o, "NodeName", text_value(i->node));
    set(o, "Namespace", text_value(i->namespace));
    set(o, "PodName", text_value(i->pod));
    set(o, "ContainerName", text_value(i->container));
    set(o, "Labels", i->labels ? cJSON_Duplicate(i->labels, true) : cJSON_CreateObject());
    set(o, "Annotations", i->annotations ? cJSON_Duplicate(i->annotations, true) : cJSON_CreateObject());
    set(o, "PodColor", text_value(what->pod_colour));
    set(o, "ContainerColor", text_value(what->container_colour));
    return o;
}

int tail_template_render(void *template, const struct tail_render *what, struct buf *out, struct err **err)
{
    struct tail_template *t = template;
    _cleanup_buf_ struct buf message = BUF_INIT;

    if (!*what->cache)
        *what->cache = new_root(what);
    for (size_t i = 0; i < what->line->len; i++)
        if (what->line->text[i])
            buf_addc(&message, what->line->text[i]);
        else
            buf_adds(&message, "\xef\xbf\xbd");
    set(*what->cache, "Message", text_value(buf_str(&message)));
    set(*what->cache, "Timestamp", text_value(what->timestamp));
    t->root = *what->cache;
    return print_gotemplate_run_with(t->template, t->root, false, t, out, err);
}
