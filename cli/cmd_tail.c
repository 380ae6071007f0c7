#include "cli/tail.h"

#include <stdlib.h>

#include "base/timefmt.h"
#include "cli/fleet.h"
#include "cli/tail_config.h"
#include "cli/tail_prompt.h"
#include "cli/when.h"

#define O(member) offsetof(struct tail_options, member)

static const char *const times_choices[] = {"none", "default", "short", NULL};
static const char *const state_choices[] = {"all", "running", "waiting", "terminated", NULL};

static const char *const output_choices[] = {"default", "raw",     "json",      "ndjson",
                                             "pretty",  "extjson", "ppextjson", NULL};

static const struct cmd_opt tail_opts[] = {
    {"all-namespaces", 'A', OPT_FLAG, O(all_namespaces), NULL, NULL, "Pods of all namespaces"},
    {"condition", 0, OPT_STRING, O(condition), "NAME[=STATUS]", NULL,
     "Only Pods with this condition, like ready=false; STATUS is true when not given"},
    {"config", 0, OPT_STRING, O(config), "FILE", NULL,
     "Options from there; else tail.yaml in $XDG_CONFIG_HOME/wasmctl or ~/.config/wasmctl"},
    {"container", 'c', OPT_STRING, O(container), "REGEX", NULL, "Only containers whose names match"},
    {"container-colors", 0, OPT_CSV, O(container_colours), "SGR", NULL,
     "Colours of containers, as many as --pod-colors"},
    {"container-state", 0, OPT_ENUM, O(state), "all|running|waiting|terminated", "all",
     "Of the containers that are there at the start only those in this state", .choices = state_choices},
    {"diff-container", 'd', OPT_FLAG, O(by_container), NULL, NULL,
     "A colour for each container, not for each Pod"},
    {"ephemeral-containers", 0, OPT_FLAG, O(ephemeral_containers), NULL, "true", "Also ephemeral containers"},
    {"events", 0, OPT_FLAG, O(events), NULL, NULL,
     "Also Kubernetes Events, as lines: of the Pods and objects of the query, and what owns the Pods"},
    {"exclude", 'e', OPT_LIST, O(exclude), "REGEX", NULL,
     "No lines that match; repeatable; goes before --include"},
    {"exclude-container", 'E', OPT_LIST, O(exclude_containers), "REGEX", NULL,
     "No containers whose names match; repeatable"},
    {"exclude-pod", 0, OPT_LIST, O(exclude_pods), "REGEX", NULL, "No Pods whose names match; repeatable"},
    {"field-selector", 0, OPT_STRING, O(field_selector), "SELECTOR", NULL, "Only Pods whose fields match"},
    {"fields", 0, OPT_CSV, O(fields), "NAME", NULL,
     "Of JSON messages these members behind level and text, with commas: names, or paths like http.status; "
     "means --output=pretty"},
    {"file", 0, OPT_LIST, O(files), "PATH", NULL,
     "Lines of a file, followed by its name through rotation and truncation; repeatable; Pods only with a "
     "query"},
    {"highlight", 'H', OPT_LIST, O(highlight), "REGEX", NULL, "Make what matches stand out; repeatable"},
    {"host-lines", 0, OPT_FLAG, O(host_lines), NULL, NULL,
     "Of wasmactor/NAME and wasmprovider/NAME all lines of their hosts, not only those that name it"},
    {"ignore-case", 0, OPT_FLAG, O(ignore_case), NULL, NULL,
     "Upper and lower case are the same in --include, --exclude and --highlight"},
    {"include", 'i', OPT_LIST, O(include), "REGEX", NULL,
     "Only lines that match, and make it stand out; repeatable: any of them"},
    {"init-containers", 0, OPT_FLAG, O(init_containers), NULL, "true", "Also init containers"},
    {"lattice-events", 0, OPT_FLAG, O(lattice_events), NULL, NULL,
     "Also what happens on the lattice of lattice/NAME, latticehost/NAME, wasmactor/NAME or "
     "wasmprovider/NAME"},
    {"max-log-requests", 0, OPT_INT, O(streams_most), NULL, "1000",
     "Logs read at the same time from one context; more wait for their turn; 0 = any number", .min = 0,
     .max = 100000},
    {"multiline", 0, OPT_STRING, O(multiline), "REGEX", NULL,
     "Keep stack traces and what else is written over several lines together; with a pattern: of the lines "
     "that "
     "begin a record",
     .bare = ""},
    {"no-follow", 0, OPT_FLAG, O(no_follow), NULL, NULL, "Print what there is and end"},
    {"node", 0, OPT_STRING, O(node), "NODE", NULL, "Only Pods of this node"},
    {"only-log-lines", 0, OPT_FLAG, O(only_lines), NULL, NULL,
     "Do not tell on stderr which containers come and go"},
    {"order-window", 0, OPT_DURATION, O(window_ns), NULL, "250ms",
     "How long a line may wait for earlier ones of other sources; 0 = print as they arrive"},
    {"out-dir", 0, OPT_STRING, O(out_dir), "DIR", NULL,
     "Write the lines of each container into a file of its own there, behind what it holds already, and none "
     "to "
     "stdout"},
    {"output", 'o', OPT_ENUM, O(output), "default|raw|json|ndjson|pretty|extjson|ppextjson", "default",
     "Form of the lines; pretty shows JSON messages readably", .choices = output_choices},
    {"pod-colors", 0, OPT_CSV, O(pod_colours), "SGR", NULL,
     "Colours of Pods, with commas, each as the numbers of an escape sequence: 91,92 or '38;5;208,1;4;36'"},
    {"previous", 'p', OPT_FLAG, O(previous), NULL, NULL, "The logs of the containers' previous instances"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL, "Only Pods whose labels match"},
    {"show-skew", 0, OPT_FLAG, O(show_skew), NULL, NULL,
     "Tell how far the clocks of the clusters are from the one here"},
    {"prompt", 0, OPT_FLAG, O(prompt), NULL, NULL,
     "List the Pods first, and follow those that are chosen then"},
    {"qps", 0, OPT_INT, O(ignored), "N", NULL,
     "Taken as stern's, and without effect: requests are not slowed down here, the server says when to",
     .min = -1, .max = 1000000},
    {"burst", 0, OPT_INT, O(ignored), "N", NULL, "As --qps", .min = 0, .max = 1000000},
    {"since", 0, OPT_STRING, O(since), "WHEN", NULL,
     "Only lines of the last while, like 5m, or from a time on, like 15:04 or 2026-01-02T03:04:05Z"},
    {"since-time", 0, OPT_STRING, O(since_time), "TIME", NULL,
     "Only lines from this time on, like 2026-01-02T03:04:05Z"},
    {"stdin", 0, OPT_FLAG, O(from_stdin), NULL, NULL, "Lines of standard input; Pods only with a query"},
    {"tail", 0, OPT_INT, O(lines), "LINES", "-1",
     "So many of the last lines of each container that is there at the start; -1 = all, 0 = only new ones",
     .min = -1, .max = 1000000000},
    {"tail-total", 0, OPT_INT, O(total), "LINES", NULL,
     "Of what is there at the start only so many of the last lines of all containers together", .min = 0,
     .max = 1000000},
    {"template", 0, OPT_STRING, O(template), "TEMPLATE", NULL,
     "Form of the lines as a Go template, with its end: '{{.PodName}} {{.Message}}{{\"\\n\"}}'"},
    {"template-file", 'T', OPT_STRING, O(template_file), "FILE", NULL,
     "The same out of a file; goes before --template"},
    {"timestamps", 't', OPT_ENUM, O(times), "default|short", "none", "Put the time in front of the line",
     .choices = times_choices, .bare = "default"},
    {"timezone", 0, OPT_STRING, O(timezone), "ZONE", NULL,
     "Zone of the times, like UTC or Europe/Paris; else the local one"},
    {"until", 0, OPT_STRING, O(until), "WHEN", NULL,
     "End then: after a while, like 10m, or at a time, like 15:04; a time that is past shows what was logged "
     "before it"},
    {"until-complete", 0, OPT_FLAG, O(until_complete), NULL, NULL,
     "End when all Pods that were followed have succeeded, failed or gone"},
    {"until-match", 0, OPT_STRING, O(until_match), "REGEX", NULL,
     "End with the first line that matches; exit 1 when --until comes before it"},
    OPT_TABLE_END,
};

static int check(struct cmd_ctx *c, struct tail_options *o, struct err **err)
{
    int64_t now = time_now_ns();
    int r = tail_config_read(c, o->config, err);

    if (r < 0)
        return r;
    if (o->timezone && (setenv("TZ", o->timezone, 1) < 0))
        return err_set(err, ERR_INVALID, "--timezone=%s cannot be set", o->timezone);
    if (o->until && when_parse(o->until, true, now, &o->until_ns, err) < 0)
        return err_wrap(err, "--until");
    if (o->until_ns && o->until_ns <= now)
        o->no_follow = true;
    if (o->previous && !o->no_follow)
        return cmd_usage(c, err, "--previous goes with --no-follow: what has ended does not go on");
    if (o->no_follow && o->lines == 0)
        return cmd_usage(c, err, "--no-follow with --tail=0 would print nothing");
    if (o->no_follow && o->lattice_events)
        return cmd_usage(c, err,
                         "--lattice-events tells what happens from now on: it does not go with --no-follow");
    if (o->fields && !cmd_given(c, "output"))
        o->output = TAIL_OUTPUT_PRETTY;
    if (o->fields && o->output != TAIL_OUTPUT_PRETTY)
        return cmd_usage(c, err, "--fields goes with --output=pretty");
    if (o->out_dir && o->total)
        return cmd_usage(c, err, "--tail-total is of all containers together: it does not go with --out-dir");
    if (o->total && (o->lines < 0 || o->lines > o->total))
        o->lines = o->total;
    return 0;
}

static int run_tail(struct cmd_ctx *c, struct err **err)
{
    static const char key;
    struct tail_options *o = c->options;
    struct tailing *own = NULL;
    int r = check(c, o, err);

    if (r < 0 || (tail_wants_pods(c) && (r = cmd_client(c, NULL, err)) < 0))
        return r;
    if (o->prompt && fleet_is(c))
        return cmd_usage(c, err, "--prompt chooses in one context, not in several");
    if (o->prompt && !tail_wants_pods(c))
        return cmd_usage(c, err, "--prompt chooses Pods: it does not go with files alone");
    if (o->prompt && (r = tail_prompt(c, err)) < 0)
        return r;
    void **place = fleet_shared(c, &key, tailing_free);
    struct tailing **shared = place ? (struct tailing **)place : &own;
    if (!*shared && (r = tailing_new(c, shared, err)) < 0)
        return r;
    if (tail_is_filter(c))
        r = tail_stdin(tailing_filter(*shared), tailing_format(*shared), o->multiline != NULL,
                       tailing_begins(*shared), err);
    else
        r = tail_context(c, *shared, err);
    if (!place)
        tailing_free(own);
    return r;
}

const struct cmd_entry cmd_tail = {
    .name = "tail",
    .group = CMD_GROUP_WATCH,
    .brief = "Follow the logs of many Pods, in time order",
    .help =
        "Follow the logs of all Pods whose names match, of one cluster or many, as one stream in the order "
        "of "
        "time. Pods that come, restart or go are followed; a stream that breaks is read on where it broke, "
        "without a line lost or printed twice.\n\n"
        "A query is a regular expression for names of Pods, or KIND/NAME of something that selects Pods. Of "
        "several any one counts. wasmactor/NAME, wasmprovider/NAME, latticehost/NAME and lattice/NAME mean "
        "the "
        "Pods of the hosts that run them, wherever they move; of the first two the lines that name them. "
        "With "
        "--contexts the logs of several clusters are merged. -n takes several namespaces with commas.",
    .usage = "[QUERY...] [options]",
    .examples =
        "# Everything whose name begins with web\n%P tail '^web'\n"
        "# A Deployment, the last 20 lines of each container and what follows\n%P tail deployment/web "
        "--tail=20\n"
        "# Errors of two clouds, with their times\n%P tail --contexts gcp,aws web -i 'error|panic' -t\n"
        "# What was logged in the last ten minutes, as JSON\n%P tail web --since=10m --no-follow -o json",
    .opts = tail_opts,
    .options_size = sizeof(struct tail_options),
    .max_args = -1,
    .args = CMD_ARGS_LOGS,
    .flags = CMD_FLEET,
    .run = run_tail,
};
