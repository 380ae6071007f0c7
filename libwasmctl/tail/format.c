#include "tail/format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "tail/readable.h"

#define RESET     "\033[0m"
#define FAINT     "\033[2m"
#define BOLD      "\033[1m"
#define HIGHLIGHT "\033[1;31m"

enum { SPANS_MOST = 64, STAMP_LEN = 64, NS_DIGITS = 9 };

const char *const tail_output_choices[] = {"default", "raw", "json", "ndjson", "pretty", NULL};

struct tail_format {
    struct tail_format_options options;
    /* The time in front of the fraction, of the second it was made for. */
    int64_t second;
    char date[STAMP_LEN], zone[STAMP_LEN];
};

struct tail_style {
    char *prefix; /* ends with a blank; with colours */
    size_t prefix_len;
    const struct tail_info *info; /* outlives it */
    const char *pod_colour, *container_colour;
    cJSON *cache; /* of options.render */
    char *json;   /* members after message and timestamp, and the brace */
    size_t json_len;
};

void tail_info_release(struct tail_info *i)
{
    free(i->context);
    free(i->namespace);
    free(i->pod);
    free(i->container);
    free(i->node);
    cJSON_Delete(i->labels);
    cJSON_Delete(i->annotations);
    *i = (struct tail_info){0};
}

struct tail_format *tail_format_new(const struct tail_format_options *options)
{
    struct tail_format *f = xcalloc(1, sizeof(*f));

    f->options = *options;
    f->second = INT64_MIN;
    tzset();
    return f;
}

void tail_format_free(struct tail_format *f)
{
    free(f);
}

/* Sources: their looks */

/* Told apart without a look at red and green alone; no red, which is for what is wrong. */
static const char *const colours[][2] = {
    {"36", "96"},
    {"33", "93"},
    {"35", "95"},
    {"34", "94"},
    {"32", "92"},
    {"38;5;208", "38;5;214"},
    {"38;5;111", "38;5;117"},
    {"38;5;177", "38;5;183"},
    {"38;5;150", "38;5;156"},
    {"38;5;180", "38;5;186"},
};

/* The colour of number n: of the Pod, or of a container. */
static const char *colour_of(const struct tail_format *f, uint64_t n, bool container)
{
    char *const *own =
        container && f->options.container_colours ? f->options.container_colours : f->options.pod_colours;

    if (own && *own)
        return own[n % strv_len(own)];
    return colours[n % ARRAY_LEN(colours)][container];
}

static void add_part(const struct tail_format *f, struct buf *out, const char *colour, const char *text)
{
    if (!text)
        return;
    _cleanup_free_ char *shown = str_escape_control(text, false);
    if (f->options.colour)
        buf_addf(out, "\033[%sm%s" RESET " ", colour, shown);
    else
        buf_addf(out, "%s ", shown);
}

static void add_member(struct buf *out, const char *key, const cJSON *value)
{
    _cleanup_free_ char *text = value ? json_print(value) : NULL;

    if (text)
        buf_addf(out, ",\"%s\":%s", key, text);
}

static void add_string(struct buf *out, const char *key, const char *value)
{
    cJSON *o = value ? cJSON_CreateString(value) : NULL;

    add_member(out, key, o);
    cJSON_Delete(o);
}

struct tail_style *tail_style_new(const struct tail_format *f, const struct tail_info *info,
                                  unsigned siblings)
{
    struct tail_style *s = xcalloc(1, sizeof(*s));
    struct buf prefix = BUF_INIT, json = BUF_INIT;
    uint64_t container = f->options.by_container && info->container
                             ? str_hash64(info->container, strlen(info->container), STR_HASH64_INIT)
                             : siblings;

    s->info = info;
    s->pod_colour = colour_of(f, siblings, false);
    s->container_colour = colour_of(f, container, true);
    if (f->options.contexts)
        add_part(f, &prefix, "2", info->context);
    if (f->options.namespaces)
        add_part(f, &prefix, "2", info->namespace);
    add_part(f, &prefix, s->pod_colour, info->pod);
    add_part(f, &prefix, s->container_colour, info->container);
    s->prefix_len = prefix.len;
    s->prefix = buf_take(&prefix);
    add_string(&json, "context", info->context);
    add_string(&json, "nodeName", info->node);
    add_string(&json, "namespace", info->namespace);
    add_string(&json, "podName", info->pod);
    add_string(&json, "containerName", info->container);
    add_member(&json, "labels", info->labels);
    add_member(&json, "annotations", info->annotations);
    buf_adds(&json, "}\n");
    s->json_len = json.len;
    s->json = buf_take(&json);
    return s;
}

void tail_style_free(struct tail_style *s)
{
    if (!s)
        return;
    cJSON_Delete(s->cache);
    free(s->prefix);
    free(s->json);
    free(s);
}

/* Times */

static void make_second(struct tail_format *f, int64_t second)
{
    time_t t = (time_t)second;
    struct tm tm;

    f->second = second;
    if (!localtime_r(&t, &tm))
        gmtime_r(&t, &tm);
    if (f->options.times == TAIL_TIMES_SHORT) {
        strftime(f->date, sizeof(f->date), "%m-%d %H:%M:%S", &tm);
        return;
    }
    strftime(f->date, sizeof(f->date), "%Y-%m-%dT%H:%M:%S.", &tm);
    long off = tm.tm_gmtoff / 60;
    if (off == 0)
        memcpy(f->zone, "Z", 2);
    else
        snprintf(f->zone, sizeof(f->zone), "%c%02ld:%02ld", off < 0 ? '-' : '+', labs(off) / 60,
                 labs(off) % 60);
}

static void add_time(struct tail_format *f, struct buf *out, int64_t ns)
{
    int64_t second = ns / 1000000000, rest = ns % 1000000000;
    char digits[NS_DIGITS];

    if (rest < 0) {
        rest += 1000000000;
        second--;
    }
    if (second != f->second)
        make_second(f, second);
    buf_adds(out, f->date);
    if (f->options.times == TAIL_TIMES_SHORT)
        return;
    for (int i = NS_DIGITS; i-- > 0; rest /= 10)
        digits[i] = (char)('0' + rest % 10);
    buf_add(out, digits, sizeof(digits));
    buf_adds(out, f->zone);
}

/* Messages */

/* Bytes that do something to a terminal: control characters, but for tabs. */
static bool is_control(unsigned char c)
{
    return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* Length of an SGR sequence (colours) at p, 0 if there is none: the only one that may pass. */
static size_t sgr_len(const char *p, const char *end)
{
    const char *q = p + 2;

    if (end - p < 3 || p[0] != '\033' || p[1] != '[')
        return 0;
    while (q < end && ((*q >= '0' && *q <= '9') || *q == ';' || *q == ':'))
        q++;
    return q < end && *q == 'm' ? (size_t)(q - p) + 1 : 0;
}

/* Makes control characters visible; colours pass. Returns whether there was a colour. */
static bool add_safe(struct buf *out, const char *text, size_t len)
{
    const char *p = text, *end = text + len, *plain = text;
    bool coloured = false;

    while (p < end) {
        /* C1 control characters are two bytes in UTF-8. */
        bool c1 = (unsigned char)p[0] == 0xc2 && end - p > 1 && (unsigned char)p[1] < 0xa0 &&
                  (unsigned char)p[1] >= 0x80;
        if (!c1 && !is_control((unsigned char)*p)) {
            p++;
            continue;
        }
        size_t n = sgr_len(p, end);
        if (n) {
            coloured = true;
            p += n;
            continue;
        }
        buf_add(out, plain, (size_t)(p - plain));
        n = c1 ? 2 : 1;
        buf_addf(out, "\\x%02x", c1 ? (unsigned char)p[1] : (unsigned char)*p);
        p += n;
        plain = p;
    }
    buf_add(out, plain, (size_t)(end - plain));
    return coloured;
}

static void add_marked(struct tail_format *f, struct buf *out, const char *text, size_t len)
{
    struct tail_span spans[SPANS_MOST];
    size_t n = f->options.filter ? tail_filter_spans(f->options.filter, text, len, spans, SPANS_MOST) : 0;
    size_t at = 0;
    bool coloured = false;

    for (size_t i = 0; i < n; i++) {
        coloured |= add_safe(out, text + at, spans[i].from - at);
        buf_adds(out, HIGHLIGHT);
        add_safe(out, text + spans[i].from, spans[i].to - spans[i].from);
        buf_adds(out, RESET);
        at = spans[i].to;
    }
    coloured |= add_safe(out, text + at, len - at);
    if (coloured)
        buf_adds(out, RESET);
}

static void add_message(struct tail_format *f, struct buf *out, const struct tail_line *line)
{
    size_t len = line->len;

    /* Windows' line ends would overwrite the line. */
    if (len && line->text[len - 1] == '\r')
        len--;
    if (f->options.colour)
        add_marked(f, out, line->text, len);
    else
        buf_add(out, line->text, len);
    if (line->flags & TAIL_CUT)
        buf_adds(out, "... (cut)");
}

/* JSON */

/* A string as JSON; what is not UTF-8 becomes U+FFFD. */
static void add_json_string(struct buf *out, const char *text, size_t len)
{
    const char *p = text, *end = text + len, *plain = text;

    buf_addc(out, '"');
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        size_t n = 1;
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            p++;
            continue;
        }
        if (c >= 0x80) {
            /* The text is not NUL-terminated: look at a copy near its end. */
            char near[8] = "";
            uint32_t cp;
            memcpy(near, p, (size_t)(end - p) < 7 ? (size_t)(end - p) : 7);
            n = str_utf8_next(near, &cp);
            if (n && n <= (size_t)(end - p)) {
                p += n;
                continue;
            }
            n = 1;
        }
        buf_add(out, plain, (size_t)(p - plain));
        if (c >= 0x80)
            buf_adds(out, "\xef\xbf\xbd");
        else if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c == '\t' || c == '\n')
            buf_adds(out, c == '\t' ? "\\t" : "\\n");
        else
            buf_addf(out, "\\u%04x", c);
        p += n;
        plain = p;
    }
    buf_add(out, plain, (size_t)(end - plain));
    buf_addc(out, '"');
}

static void format_json(struct tail_format *f, struct buf *out, const struct tail_style *style,
                        const struct tail_line *line)
{
    buf_adds(out, "{\"message\":");
    add_json_string(out, line->text, line->len);
    if (line->ns) {
        buf_adds(out, ",\"timestamp\":\"");
        add_time(f, out, line->ns);
        buf_addc(out, '"');
    }
    if (line->flags & TAIL_LATE)
        buf_adds(out, ",\"late\":true");
    if (line->flags & TAIL_CUT)
        buf_adds(out, ",\"cut\":true");
    if (line->flags & (TAIL_GAP | TAIL_NOTICE))
        buf_addf(out, ",\"kind\":\"%s\"", line->flags & TAIL_GAP ? "gap" : "notice");
    buf_add(out, style->json, style->json_len);
}

static void add_readable_text(void *arg, struct buf *out, const char *text, size_t len)
{
    const struct tail_line line = {.text = text, .len = len};

    add_message(arg, out, &line);
}

static bool add_pretty(struct tail_format *f, struct buf *out, const struct tail_line *line)
{
    const struct tail_readable r = {f->options.colour, f->options.fields, add_readable_text, f};

    return !(line->flags & TAIL_CUT) && tail_readable(&r, out, line->text, line->len);
}

/* What stands out is marked line by line: the ends of lines are no control characters here. */
static void mark_lines(struct tail_format *f, struct buf *out, const char *text, size_t len)
{
    while (len) {
        const char *end = memchr(text, '\n', len);
        size_t n = end ? (size_t)(end - text) : len;
        add_marked(f, out, text, n);
        if (end)
            buf_addc(out, '\n');
        n += end != NULL;
        text += n;
        len -= n;
    }
}

/* False: the renderer could not. */
static bool rendered(struct tail_format *f, struct buf *out, struct tail_style *style,
                     const struct tail_line *line)
{
    const struct tail_format_options *o = &f->options;
    _cleanup_err_ struct err *err = NULL;
    _cleanup_buf_ struct buf stamp = BUF_INIT;
    size_t before = out->len;

    if (o->times != TAIL_TIMES_NONE && line->ns)
        add_time(f, &stamp, line->ns);
    struct tail_render what = {
        style->info, line, buf_str(&stamp), style->pod_colour, style->container_colour, &style->cache};
    if (o->render(o->render_arg, &what, out, &err) == 0) {
        if (o->colour && o->filter) {
            _cleanup_free_ char *text = xstrndup(out->data + before, out->len - before);
            size_t len = out->len - before;
            buf_truncate(out, before);
            mark_lines(f, out, text, len);
        }
        return true;
    }
    buf_truncate(out, before);
    if (o->render_failed)
        o->render_failed(o->render_arg, style->info, err);
    return false;
}

static void format_line(struct tail_format *f, struct buf *out, struct tail_style *style,
                        const struct tail_line *line)
{
    const struct tail_format_options *o = &f->options;

    if (o->render && !(line->flags & (TAIL_GAP | TAIL_NOTICE))) {
        if (rendered(f, out, style, line))
            return;
        buf_add(out, line->text, line->len);
        buf_addc(out, '\n');
        return;
    }
    if (o->output == TAIL_OUTPUT_JSON || o->output == TAIL_OUTPUT_NDJSON) {
        format_json(f, out, style, line);
        return;
    }
    if (o->output != TAIL_OUTPUT_RAW)
        buf_add(out, style->prefix, style->prefix_len);
    if (o->times != TAIL_TIMES_NONE && line->ns) {
        add_time(f, out, line->ns);
        buf_addc(out, ' ');
    }
    if (line->flags & (TAIL_GAP | TAIL_NOTICE)) {
        buf_adds(out, o->colour ? BOLD "-- " : "-- ");
        add_message(f, out, line);
        buf_adds(out, o->colour ? " --" RESET "\n" : " --\n");
        return;
    }
    if (line->flags & TAIL_LATE && o->output != TAIL_OUTPUT_RAW)
        buf_adds(out, o->colour ? FAINT "(late)" RESET " " : "(late) ");
    if (o->output == TAIL_OUTPUT_RAW)
        buf_add(out, line->text, line->len);
    else if (o->output != TAIL_OUTPUT_PRETTY || !add_pretty(f, out, line))
        add_message(f, out, line);
    buf_addc(out, '\n');
}

void tail_format_line(struct tail_format *f, struct buf *out, struct tail_style *style,
                      const struct tail_line *line)
{
    const struct tail_format_options *o = &f->options;
    bool whole = o->render || o->output == TAIL_OUTPUT_JSON || o->output == TAIL_OUTPUT_NDJSON;

    if (whole || !(line->flags & TAIL_RECORD)) {
        format_line(f, out, style, line);
        return;
    }
    struct tail_line part = *line;
    for (const char *p = line->text, *end = p + line->len; p <= end; p += part.len + 1) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        part.text = p;
        part.len = (size_t)((newline ? newline : end) - p);
        part.flags = newline ? line->flags & ~(unsigned)TAIL_CUT : line->flags;
        format_line(f, out, style, &part);
        part.flags = line->flags;
    }
}
