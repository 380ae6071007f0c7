#include "serve/metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

enum { SERIES_MOST = 1000, LABELS_MOST = 8, BUCKETS_MOST = 32 };

static const double default_buckets[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                         0.5,   1,      2.5,   5,    10,    30,   60,  0};

struct sample {
    double value; /* sum for histograms */
    uint64_t count, buckets[BUCKETS_MOST];
};

struct metric {
    enum metric_kind kind;
    char *name, *help;
    char **labels;
    size_t nlabels, nbuckets;
    double buckets[BUCKETS_MOST];
    struct map *series; /* printed labels -> struct sample * */
};

struct metrics {
    struct map *all; /* name -> struct metric * */
};

static void metric_free(void *p)
{
    struct metric *m = p;

    free(m->name);
    free(m->help);
    strv_free(m->labels);
    map_free(m->series);
    free(m);
}

struct metrics *metrics_new(void)
{
    struct metrics *m = xcalloc(1, sizeof(*m));

    m->all = map_new(metric_free);
    return m;
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    map_free(m->all);
    free(m);
}

struct metric *metrics_add(struct metrics *all, enum metric_kind kind, const char *name, const char *help,
                           const char *const *label_names, const double *buckets)
{
    struct metric *m = map_get(all->all, name);

    if (m)
        return m;
    m = xcalloc(1, sizeof(*m));
    m->kind = kind;
    m->name = xstrdup(name);
    m->help = xstrdup(help);
    m->labels = strv_new();
    for (size_t i = 0; label_names && label_names[i] && i < LABELS_MOST; i++)
        strv_push(&m->labels, label_names[i]);
    m->nlabels = strv_len(m->labels);
    m->series = map_new(free);
    if (!buckets)
        buckets = default_buckets;
    for (size_t i = 0; kind == METRIC_HISTOGRAM && buckets[i] != 0 && i < BUCKETS_MOST; i++)
        m->buckets[m->nbuckets++] = buckets[i];
    /* What has no labels has one series, from the start: a counter that is 0 is known to be 0. */
    if (!m->nlabels)
        map_set(m->series, "", xcalloc(1, sizeof(struct sample)));
    map_set(all->all, name, m);
    return m;
}

/* One byte that is no UTF-8 would make a reader refuse the whole text. */
static void add_escaped(struct buf *b, const char *s, bool quotes)
{
    while (*s) {
        uint32_t cp = 0;
        size_t n = str_utf8_next(s, &cp);
        if (!n)
            buf_adds(b, "\xef\xbf\xbd");
        else if (cp == '\\')
            buf_adds(b, "\\\\");
        else if (cp == '\n')
            buf_adds(b, "\\n");
        else if (cp == '"' && quotes)
            buf_adds(b, "\\\"");
        else
            buf_add(b, s, n);
        s += n ? n : 1;
    }
}

/* a="x",b="y" */
static char *print_labels(const struct metric *m, va_list values)
{
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < m->nlabels; i++) {
        const char *value = va_arg(values, const char *);
        buf_addf(&b, "%s%s=\"", i ? "," : "", m->labels[i]);
        add_escaped(&b, value ? value : "", true);
        buf_addc(&b, '"');
    }
    return buf_take(&b);
}

static struct sample *sample_of(struct metric *m, char *labels)
{
    _cleanup_free_ char *key = labels;
    struct sample *s = map_get(m->series, key);

    if (s)
        return s;
    if (map_len(m->series) >= SERIES_MOST) {
        struct buf b = BUF_INIT;
        for (size_t i = 0; i < m->nlabels; i++)
            buf_addf(&b, "%s%s=\"other\"", i ? "," : "", m->labels[i]);
        free(key);
        key = buf_take(&b);
        if ((s = map_get(m->series, key)))
            return s;
    }
    s = xcalloc(1, sizeof(*s));
    map_set(m->series, key, s);
    return s;
}

void metric_add(struct metric *m, double value, ...)
{
    va_list ap;

    /* A counter never falls: readers would take it for a restart. */
    if (!m || (m->kind == METRIC_COUNTER && !(value >= 0)))
        return;
    va_start(ap, value);
    sample_of(m, print_labels(m, ap))->value += value;
    va_end(ap);
}

void metric_set(struct metric *m, double value, ...)
{
    va_list ap;

    if (!m)
        return;
    va_start(ap, value);
    sample_of(m, print_labels(m, ap))->value = value;
    va_end(ap);
}

void metric_observe(struct metric *m, double value, ...)
{
    va_list ap;

    if (!m)
        return;
    va_start(ap, value);
    struct sample *s = sample_of(m, print_labels(m, ap));
    va_end(ap);
    s->value += value;
    s->count++;
    for (size_t i = 0; i < m->nbuckets; i++)
        if (value <= m->buckets[i])
            s->buckets[i]++;
}

void metric_clear(struct metric *m)
{
    map_clear(m->series);
    if (!m->nlabels)
        map_set(m->series, "", xcalloc(1, sizeof(struct sample)));
}

static void add_number(struct buf *b, double d)
{
    if (isnan(d))
        buf_adds(b, "NaN");
    else if (isinf(d))
        buf_adds(b, d > 0 ? "+Inf" : "-Inf");
    else if (d == floor(d) && fabs(d) < 1e15)
        buf_addf(b, "%.0f", d);
    else
        buf_addf(b, "%.15g", d);
}

static void print_line(struct buf *out, const char *name, const char *suffix, const char *labels,
                       const char *extra, double value)
{
    buf_addf(out, "%s%s", name, suffix);
    if (*labels || *extra)
        buf_addf(out, "{%s%s%s}", labels, *labels && *extra ? "," : "", extra);
    buf_addc(out, ' ');
    add_number(out, value);
    buf_addc(out, '\n');
}

static void print_histogram(struct buf *out, const struct metric *m, const char *labels,
                            const struct sample *s)
{
    char bound[64];

    for (size_t i = 0; i < m->nbuckets; i++) {
        snprintf(bound, sizeof(bound), "le=\"%.15g\"", m->buckets[i]);
        print_line(out, m->name, "_bucket", labels, bound, (double)s->buckets[i]);
    }
    print_line(out, m->name, "_bucket", labels, "le=\"+Inf\"", (double)s->count);
    print_line(out, m->name, "_sum", labels, "", s->value);
    print_line(out, m->name, "_count", labels, "", (double)s->count);
}

void metrics_print(const struct metrics *all, struct buf *out)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};

    for (struct map_iter it = {0}; map_next(all->all, &it);) {
        const struct metric *m = it.value;
        buf_addf(out, "# HELP %s ", m->name);
        add_escaped(out, m->help, false);
        buf_addf(out, "\n# TYPE %s %s\n", m->name, kinds[m->kind]);
        for (struct map_iter s = {0}; map_next(m->series, &s);) {
            if (m->kind == METRIC_HISTOGRAM)
                print_histogram(out, m, s.key, s.value);
            else
                print_line(out, m->name, "", s.key, "", ((const struct sample *)s.value)->value);
        }
    }
}
