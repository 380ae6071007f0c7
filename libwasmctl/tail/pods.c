#include "tail/pods.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "kube/watch.h"
#include "tail/names.h"
#include "tail/pod_stream.h"

enum {
    TELL_MS = 300,    /* streams of one cluster break together: they are told together */
    LEFT_MOST = 4096, /* containers that were let go, by where their logs were left */
    NAMES_MOST = 64,  /* words that lines are narrowed to; beyond that old ones are forgotten */
};
#define OLD_NS                                                                                               \
    INT64_C(60000000000) /* a container that began so long before us is no new one, whatever the clocks say  \
                          */

struct instance;

/* A container by its place: namespace/pod/container. */
struct place {
    char *key;
    char *instance_id; /* containerID of the instance that was seen last */
    struct instance *current;
    struct instance *last; /* the run before it, while that is read */
    bool seen;             /* in the list that is being read */
    bool over;             /* its Pod has succeeded or failed: nothing is started any more */
};

/* One run of a container. */
struct instance {
    struct tail_pods *pods;
    struct instance *prev, *next;   /* of all */
    struct instance *queue_next;    /* waiting for a stream */
    struct place *place;            /* NULL when another instance, or nothing, has taken its place */
    struct tail_pod_stream *stream; /* NULL while it waits */
    struct tail_source *source;
    char *namespace, *pod, *container, *id;
    char **names; /* only lines that name one of them; NULL = all */
    int64_t since_ns, tail_lines;
    int64_t last_ns;        /* of the lines so far */
    struct kube_req *check; /* of what the Pod is now, when there is a doubt */
    bool ended, restarted;  /* the container; to be told to the stream when it begins */
    struct place *last_of;  /* where it is the run before the current one */
    bool waits, away, orphan;
    bool let_go; /* not wanted any more, while it goes on */
};

struct tail_pods {
    struct tail_pods_options options;
    struct loop *loop;
    char *context, *namespace, *label_selector, *field_selector;
    struct kube_watch *watch;
    struct map *places;
    struct map *workloads; /* uid of the owner -> number of its Pods so far, as a pointer */
    struct map *siblings;  /* namespace/pod -> its number + 1 */
    struct map *left; /* containerID -> int64_t: what is let go is read on from there when it comes back */
    bool selected;    /* the list that is read next is of another selection */
    bool blocked;     /* a container is wanted that was let go and is not read to its end yet */
    struct loop_defer *again;
    int64_t start_ns; /* wall clock */
    struct instance *instances, *queue, **queue_end;
    struct loop_timer *tell;
    struct err *last_err;
    size_t streams, naway, told_away, nqueued;
    uint64_t started;
    bool listed, told_queue, told_done, watch_away;
};

static void start_waiting(struct tail_pods *p);
static void read_again(struct tail_pods *p);

static void note(struct tail_pods *p, bool chatter, const char *fmt, ...) _printf_(3, 4);
static void note(struct tail_pods *p, bool chatter, const char *fmt, ...)
{
    va_list ap;

    if (!p->options.note)
        return;
    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    p->options.note(p->options.arg, chatter, text);
}

/* Instances */

static void instance_free(struct instance *i)
{
    struct tail_pods *p = i->pods;

    if (i->waits) {
        struct instance **at = &p->queue;
        while (*at != i)
            at = &(*at)->queue_next;
        *at = i->queue_next;
        if (!*at)
            p->queue_end = at;
        p->nqueued--;
    }
    p->streams -= i->stream != NULL;
    p->naway -= i->away;
    if (i->place)
        i->place->current = NULL;
    if (i->last_of)
        i->last_of->last = NULL;
    if (i->let_go) {
        int64_t *at = xmalloc(sizeof(*at));
        *at = i->last_ns;
        if (map_len(p->left) >= LEFT_MOST)
            map_clear(p->left);
        map_set(p->left, i->id, at);
        /* It was wanted again meanwhile, which could not be done before. */
        if (p->blocked)
            read_again(p);
        p->blocked = false;
    }
    if (i->prev)
        i->prev->next = i->next;
    else
        p->instances = i->next;
    if (i->next)
        i->next->prev = i->prev;
    kube_req_cancel(i->check);
    tail_pod_stream_free(i->stream);
    if (i->source)
        tail_source_end(i->source);
    free(i->namespace);
    free(i->pod);
    free(i->container);
    free(i->id);
    strv_free(i->names);
    free(i);
}

static void maybe_done(struct tail_pods *p)
{
    const struct tail_pods_options *o = &p->options;

    if (p->told_done || !p->listed || p->instances || !o->done ||
        (o->follow && !(o->until_complete && p->started)))
        return;
    for (struct map_iter it = {0}; o->follow && map_next(p->places, &it);)
        if (!((const struct place *)it.value)->over)
            return;
    p->told_done = true;
    o->done(o->arg);
}

static void tell_away(void *arg)
{
    struct tail_pods *p = arg;

    if (p->naway && p->naway != p->told_away)
        note(p, false, "%zu of %zu log streams of context %s are interrupted (%s), trying again", p->naway,
             p->streams, p->context, err_text(p->last_err));
    else if (!p->naway && p->told_away)
        note(p, false, "the log streams of context %s are back", p->context);
    p->told_away = p->naway;
}

static void set_away(struct instance *i, bool away)
{
    struct tail_pods *p = i->pods;

    if (i->away == away)
        return;
    i->away = away;
    p->naway = away ? p->naway + 1 : p->naway - 1;
    if ((p->naway != 0) != (p->told_away != 0) && !loop_timer_active(p->tell))
        loop_timer_start(p->tell, TELL_MS);
}

static bool on_line(void *arg, const struct tail_line *line)
{
    struct instance *i = arg;

    if (line->ns > i->last_ns)
        i->last_ns = line->ns;
    if (i->names && !(line->flags & (TAIL_GAP | TAIL_NOTICE)) &&
        !tail_names_any(i->names, line->text, line->len)) {
        tail_source_heard(i->source, line->ns);
        return true;
    }
    return tail_source_line(i->source, line);
}

static void on_room(void *arg)
{
    struct instance *i = arg;

    if (i->stream)
        tail_pod_stream_more(i->stream);
}

static void on_pod(void *arg, enum kube_event type, cJSON *pod);

static const cJSON *status_of(const cJSON *pod, const char *container)
{
    static const char *const lists[] = {"containerStatuses", "initContainerStatuses",
                                        "ephemeralContainerStatuses"};

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        json_each (status, json_get(json_get(pod, "status"), lists[i]))
            if (streq(json_str_or(status, "name", ""), container))
                return status;
    return NULL;
}

static void on_checked(void *arg, const struct kube_response *response, const struct err *err)
{
    struct instance *i = arg;
    _cleanup_json_ cJSON *pod = NULL;

    i->check = NULL;
    if (err || !i->place || json_parse(response->body, response->len, i->pod, &pod, NULL) < 0)
        return;
    const char *id = json_str_or(status_of(pod, i->container), "containerID", "");
    if (*id && !streq_null(i->place->instance_id, id))
        on_pod(i->pods, KUBE_MODIFIED, pod);
}

/* The watch may be away, or slower than the log: ask. */
static void check(struct instance *i)
{
    _cleanup_free_ char *path = kube_path(kube_builtin_find("pods"), i->namespace, i->pod, NULL);
    struct kube_call call = {.method = "GET", .path = path, .done = on_checked, .arg = i};

    if (!i->check)
        i->check = kube_do(i->pods->options.client, &call);
}

static void on_stream(void *arg, enum tail_stream_state state, const struct err *err)
{
    struct instance *i = arg;
    struct tail_pods *p = i->pods;

    switch (state) {
    case TAIL_STREAM_OPENED:
        set_away(i, false);
        tail_source_opened(i->source);
        return;
    case TAIL_STREAM_AWAY:
        tail_source_away(i->source);
        /* A clean end is nothing to worry about, nor is a container that has not begun yet. */
        if (err && err->http != 400 && err->http != 404) {
            err_free(p->last_err);
            p->last_err = err_copy(err);
            set_away(i, true);
        }
        return;
    case TAIL_STREAM_DOUBT:
        tail_source_away(i->source);
        check(i);
        return;
    case TAIL_STREAM_ENDED:
        if (err && err->http != 404)
            note(p, false, "context %s: %s/%s %s: %s", p->context, i->namespace, i->pod, i->container,
                 err_text(err));
        else
            note(p, true, "- %s/%s %s", i->namespace, i->pod, i->container);
        instance_free(i);
        start_waiting(p);
        maybe_done(p);
        return;
    }
}

static void start(struct instance *i)
{
    struct tail_pods *p = i->pods;
    const struct tail_pods_options *o = &p->options;
    struct tail_pod_stream_options options = {
        .client = o->client,
        .namespace = i->namespace,
        .pod = i->pod,
        .container = i->container,
        .follow = o->follow,
        .watched = o->follow,
        .previous = o->previous,
        .since_ns = i->since_ns,
        .tail_lines = i->tail_lines,
        .line = on_line,
        .state = on_stream,
        .arg = i,
    };

    i->stream = tail_pod_stream_new(&options);
    p->streams++;
    p->started++;
    if (i->orphan)
        tail_pod_stream_orphan(i->stream);
    else if (i->ended)
        tail_pod_stream_container_ended(i->stream, i->restarted);
    note(p, true, "+ %s/%s %s", i->namespace, i->pod, i->container);
}

static void start_waiting(struct tail_pods *p)
{
    while (p->queue && (!p->options.streams_most || p->streams < p->options.streams_most)) {
        struct instance *i = p->queue;
        p->queue = i->queue_next;
        if (!p->queue)
            p->queue_end = &p->queue;
        p->nqueued--;
        i->waits = false;
        start(i);
    }
    if (p->queue && !p->told_queue) {
        p->told_queue = true;
        note(p, false, "context %s: %zu containers wait for one of the %zu log streams (--max-log-requests)",
             p->context, p->nqueued, p->options.streams_most);
    }
}

static void enqueue(struct instance *i)
{
    struct tail_pods *p = i->pods;

    i->waits = true;
    *p->queue_end = i;
    p->queue_end = &i->queue_next;
    p->nqueued++;
}

static void container_ended(struct instance *i, bool restarted)
{
    if (i->ended && i->restarted >= restarted)
        return;
    i->ended = true;
    i->restarted = restarted;
    if (i->stream)
        tail_pod_stream_container_ended(i->stream, restarted);
}

/* What the name stands for is not, or not for long, this one. */
static void orphan(struct instance *i)
{
    if (i->last_of) {
        i->last_of->last = NULL;
        i->last_of = NULL;
    }
    i->ended = i->orphan = true;
    if (i->stream)
        tail_pod_stream_orphan(i->stream);
}

/* Pods */

/* Replicas of one workload are told apart by their number. */
static unsigned sibling_number(struct tail_pods *p, const cJSON *pod, const char *pod_key)
{
    uintptr_t known = (uintptr_t)map_get(p->siblings, pod_key);
    const char *owner = json_str_or(pod, "metadata.ownerReferences[0].uid", "");

    if (!known) {
        uintptr_t n = (uintptr_t)map_get(p->workloads, owner);
        map_set(p->workloads, owner, (void *)(n + 1));
        known = n + 1;
        map_set(p->siblings, pod_key, (void *)known);
    }
    return (unsigned)(known - 1);
}

/* Where to begin with a container that is found after the start: at the first line of a new one, where its
 * log was left, or when we began, of one that has been there for long. */
static int64_t since_late(struct tail_pods *p, const cJSON *status, const char *id)
{
    const int64_t *left = map_get(p->left, id);
    const char *started = json_str(status, "state.running.startedAt");
    int64_t ns = 0;

    if (left)
        return *left + 1;
    if (started && time_parse_rfc3339(started, &ns, NULL) == 0 && ns < p->start_ns - OLD_NS)
        return p->start_ns > p->options.since_ns ? p->start_ns : p->options.since_ns;
    return 0;
}

static struct instance *instance_new(struct tail_pods *p, const cJSON *pod, const cJSON *status, bool fresh)
{
    const char *container = json_str_or(status, "name", ""), *id = json_str_or(status, "containerID", "");
    struct instance *i = xcalloc(1, sizeof(*i));
    const char *ns = json_str_or(pod, "metadata.namespace", ""),
               *name = json_str_or(pod, "metadata.name", "");
    _cleanup_free_ char *pod_key = xasprintf("%s/%s", ns, name);
    struct tail_info info = {
        .context = xstrdup(p->context),
        .namespace = xstrdup(ns),
        .pod = xstrdup(name),
        .container = xstrdup(container),
        .node = xstrdup_null(json_str_or(pod, "spec.nodeName", NULL)),
        .labels = cJSON_Duplicate(json_at(pod, "metadata.labels"), true),
        .annotations = cJSON_Duplicate(json_at(pod, "metadata.annotations"), true),
    };

    /* One that begins while we look is read from its first line. */
    *i = (struct instance){.pods = p,
                           .next = p->instances,
                           .namespace = xstrdup(ns),
                           .pod = xstrdup(name),
                           .container = xstrdup(container),
                           .id = xstrdup(id),
                           .since_ns = fresh ? since_late(p, status, id) : p->options.since_ns,
                           .tail_lines = fresh ? -1 : p->options.tail_lines};
    if (p->instances)
        p->instances->prev = i;
    p->instances = i;
    i->source = tail_source_new(p->options.engine, &info, sibling_number(p, pod, pod_key), i->tail_lines != 0,
                                on_room, i);
    return i;
}

static bool name_wanted(struct tail_pattern *want, struct tail_pattern *const * not, const char *name)
{
    for (; not &&*not ; not ++)
        if (tail_pattern_matches((struct tail_pattern *)*not, name))
            return false;
    return !want || tail_pattern_matches(want, name);
}

static unsigned state_of(const cJSON *status)
{
    const cJSON *state = json_get(status, "state");

    return json_get(state, "running")      ? TAIL_RUNNING
           : json_get(state, "terminated") ? TAIL_TERMINATED
                                           : TAIL_WAITING;
}

/* One that was let go and is not read to its end yet: only then its log can be read on. */
static bool is_ending(struct tail_pods *p, const char *id)
{
    for (struct instance *i = p->instances; i; i = i->next)
        if (i->let_go && streq(i->id, id)) {
            p->blocked = true;
            return true;
        }
    return false;
}

/* More names are added to those an instance has: lines that are under way may bear the old ones. */
static void add_names(struct instance *i, char *const *names)
{
    if (!i->names)
        return;
    if (!names || strv_len(i->names) > NAMES_MOST) {
        strv_free(i->names);
        i->names = names ? strv_copy(names) : NULL;
        return;
    }
    for (char *const *n = names; *n; n++)
        if (!strv_has(i->names, *n))
            strv_push(&i->names, *n);
}

static void on_container(struct tail_pods *p, const cJSON *pod, const cJSON *status, char *const *names)
{
    const struct tail_pods_options *o = &p->options;
    const char *name = json_str_or(status, "name", ""), *id = json_str_or(status, "containerID", "");
    unsigned state = state_of(status);

    if (!name_wanted(o->container, o->exclude_containers, name))
        return;
    _cleanup_free_ char *key = xasprintf("%s/%s/%s", json_str_or(pod, "metadata.namespace", ""),
                                         json_str_or(pod, "metadata.name", ""), name);
    struct place *place = map_get(p->places, key);
    if (!place) {
        if (!*id || is_ending(p, id) || (!p->listed && o->states && !(o->states & state)))
            return;
        place = xcalloc(1, sizeof(*place));
        place->key = xstrdup(key);
        map_set(p->places, key, place);
    }
    const char *phase = json_str_or(pod, "status.phase", "");
    place->seen = true;
    place->over = streq(phase, "Succeeded") || streq(phase, "Failed");
    if (*id && !streq_null(place->instance_id, id)) {
        bool fresh = p->listed || place->instance_id;
        /* The log of one run before the current one is kept, no older ones. */
        if (place->last)
            orphan(place->last);
        if (place->current) {
            container_ended(place->current, true);
            place->current->place = NULL;
            place->current->last_of = place;
            place->last = place->current;
        }
        xstr_replace(&place->instance_id, id);
        place->current = instance_new(p, pod, status, fresh);
        place->current->place = place;
        place->current->names = names ? strv_copy(names) : NULL;
        enqueue(place->current);
    }
    if (place->current)
        add_names(place->current, names);
    if (place->current && state == TAIL_TERMINATED)
        container_ended(place->current, false);
    else if (place->current && place->current->stream && state == TAIL_RUNNING)
        tail_pod_stream_retry(place->current->stream);
}

static void drop_place(struct tail_pods *p, struct place *place)
{
    if (place->last)
        orphan(place->last);
    if (place->current) {
        struct instance *i = place->current;
        i->place = NULL;
        place->current = NULL;
        orphan(i);
    }
    map_del(p->places, place->key);
}

/* Pods that are there but wanted no more. */
static void let_go(struct tail_pods *p, struct place *place)
{
    if (place->current)
        place->current->let_go = true;
    drop_place(p, place);
}

static void on_pod_gone(struct tail_pods *p, const cJSON *pod, bool there)
{
    _cleanup_free_ char *prefix = xasprintf("%s/%s/", json_str_or(pod, "metadata.namespace", ""),
                                            json_str_or(pod, "metadata.name", ""));

    for (struct map_iter it = {0}; map_next(p->places, &it);)
        if (str_starts(it.key, prefix) && there)
            let_go(p, it.value);
        else if (str_starts(it.key, prefix))
            drop_place(p, it.value);
    if (there)
        return;
    prefix[strlen(prefix) - 1] = '\0';
    map_del(p->siblings, prefix);
    maybe_done(p);
}

static void on_pod(void *arg, enum kube_event type, cJSON *pod)
{
    static const char *const lists[] = {"initContainerStatuses", "containerStatuses",
                                        "ephemeralContainerStatuses"};
    struct tail_pods *p = arg;
    const struct tail_pods_options *o = &p->options;
    const cJSON *status = json_get(pod, "status");

    if (!o->follow && p->listed)
        return;
    if (type == KUBE_DELETED) {
        on_pod_gone(p, pod, false);
        return;
    }
    if (!name_wanted(o->pod, o->exclude_pods, json_str_or(pod, "metadata.name", "")))
        return;
    _cleanup_strv_ char **names = NULL;
    if (o->wants && !o->wants(o->arg, pod, &names)) {
        on_pod_gone(p, pod, true);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        if ((i == 0 && o->no_init_containers) || (i == 2 && o->no_ephemeral_containers))
            continue;
        json_each (container, json_get(status, lists[i]))
            on_container(p, pod, container, names);
    }
    /* The first list is started as a whole, when it is known. */
    if (p->listed) {
        start_waiting(p);
        maybe_done(p);
    }
}

static void on_relist(void *arg)
{
    struct tail_pods *p = arg;

    for (struct map_iter it = {0}; map_next(p->places, &it);)
        ((struct place *)it.value)->seen = false;
}

static void on_synced(void *arg)
{
    struct tail_pods *p = arg;
    bool first = !p->listed;

    for (struct map_iter it = {0}; map_next(p->places, &it);)
        if (!((struct place *)it.value)->seen && p->selected)
            let_go(p, it.value);
        else if (!((struct place *)it.value)->seen)
            drop_place(p, it.value);
    p->selected = false;
    p->listed = true;
    start_waiting(p);
    if (first && p->options.listed)
        p->options.listed(p->options.arg, p->streams + p->nqueued, NULL);
    if (first)
        maybe_done(p);
}

static void on_state(void *arg, const struct err *err)
{
    struct tail_pods *p = arg;

    if (err && !p->watch_away) {
        if (!p->listed && p->options.listed)
            p->options.listed(p->options.arg, 0, err);
        else
            note(p, false, "the watch of Pods in context %s is interrupted (%s), trying again", p->context,
                 err_text(err));
    } else if (!err && p->watch_away) {
        note(p, false, "Pods of context %s are watched again", p->context);
    }
    p->watch_away = err != NULL;
}

static void place_free(void *arg)
{
    struct place *place = arg;

    free(place->key);
    free(place->instance_id);
    free(place);
}

static void watch_pods(struct tail_pods *p)
{
    struct kube_watch_options watch = {
        .resource = kube_builtin_find("pods"),
        .namespace = p->namespace,
        .label_selector = p->label_selector,
        .field_selector = p->field_selector,
        .event = on_pod,
        .relist = on_relist,
        .synced = on_synced,
        .state = on_state,
        .arg = p,
    };

    kube_watch_free(p->watch);
    p->watch = kube_watch_new(p->options.client, &watch);
}

static void on_again(void *arg)
{
    struct tail_pods *p = arg;

    p->again = NULL;
    watch_pods(p);
}

static void read_again(struct tail_pods *p)
{
    if (!p->again)
        p->again = loop_defer(p->loop, on_again, p);
}

void tail_pods_select(struct tail_pods *p, const char *label_selector)
{
    xstr_replace(&p->label_selector, label_selector);
    p->selected = true;
    read_again(p);
}

struct tail_pods *tail_pods_new(const struct tail_pods_options *options)
{
    struct tail_pods *p = xcalloc(1, sizeof(*p));

    p->options = *options;
    p->loop = kube_client_loop(options->client);
    p->context = xstrdup(options->context);
    p->namespace = xstrdup_null(options->namespace);
    p->label_selector = xstrdup_null(options->label_selector);
    p->field_selector = xstrdup_null(options->field_selector);
    p->places = map_new(place_free);
    p->workloads = map_new(NULL);
    p->siblings = map_new(NULL);
    p->left = map_new(free);
    p->start_ns = time_now_ns();
    p->queue_end = &p->queue;
    p->tell = loop_timer_new(p->loop, tell_away, p);
    watch_pods(p);
    return p;
}

void tail_pods_free(struct tail_pods *p)
{
    if (!p)
        return;
    kube_watch_free(p->watch);
    while (p->instances)
        instance_free(p->instances);
    map_free(p->places);
    map_free(p->workloads);
    map_free(p->siblings);
    map_free(p->left);
    loop_defer_cancel(p->again);
    loop_timer_free(p->tell);
    err_free(p->last_err);
    free(p->context);
    free(p->namespace);
    free(p->label_selector);
    free(p->field_selector);
    free(p);
}

struct tail_pods_stats tail_pods_stats(const struct tail_pods *p)
{
    return (struct tail_pods_stats){
        .following = p->streams - p->naway, .waiting = p->nqueued, .away = p->naway, .started = p->started};
}
