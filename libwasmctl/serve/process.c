#include <dirent.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "serve/metrics.h"

/* proc_pid_stat(5): fields are counted from 1, and the second, the name in parentheses, may hold anything. */
enum { STAT_MOST = 64 * 1024, AFTER_NAME = 3, UTIME = 14, STIME = 15, STARTTIME = 22, VSIZE = 23, RSS = 24 };

static void set(struct metrics *m, enum metric_kind kind, const char *name, const char *help, double value)
{
    metric_set(metrics_add(m, kind, name, help, NULL, NULL), value);
}

/* Seconds since 1970 at which the machine was started; 0 when unknown. */
static int64_t boot_time(void)
{
    _cleanup_free_ char *text = NULL;
    int64_t at = 0;

    if (file_read("/proc/stat", (size_t)16 * 1024 * 1024, &text, NULL, NULL) < 0)
        return 0;
    _cleanup_strv_ char **lines = strv_split(text, '\n', false);
    for (char **line = lines; *line; line++)
        if (str_starts(*line, "btime "))
            str_to_i64(*line + strlen("btime "), 0, INT64_MAX, &at);
    return at;
}

static void add_stat(struct metrics *m)
{
    _cleanup_free_ char *text = NULL;
    long ticks = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
    int64_t v[RSS + 1] = {0};

    if (ticks <= 0 || page <= 0 || file_read("/proc/self/stat", STAT_MOST, &text, NULL, NULL) < 0)
        return;
    const char *rest = strrchr(text, ')');
    if (!rest)
        return;
    _cleanup_strv_ char **fields = strv_split(rest + 1, ' ', false);
    if (strv_len(fields) <= RSS - AFTER_NAME)
        return;
    for (int i = AFTER_NAME; i <= RSS; i++)
        str_to_i64(fields[i - AFTER_NAME], 0, INT64_MAX, &v[i]);
    set(m, METRIC_COUNTER, "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
        (double)(v[UTIME] + v[STIME]) / (double)ticks);
    set(m, METRIC_GAUGE, "process_virtual_memory_bytes", "Virtual memory size in bytes.", (double)v[VSIZE]);
    set(m, METRIC_GAUGE, "process_resident_memory_bytes", "Resident memory size in bytes.",
        (double)v[RSS] * (double)page);
    int64_t boot = boot_time();
    if (boot)
        set(m, METRIC_GAUGE, "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            (double)boot + (double)v[STARTTIME] / (double)ticks);
}

static void add_descriptors(struct metrics *m)
{
    DIR *d = opendir("/proc/self/fd");
    struct rlimit limit;
    double n = 0;

    if (d) {
        for (const struct dirent *e; (e = readdir(d));)
            n += e->d_name[0] != '.';
        closedir(d);
        /* Without the one that was open for counting. */
        set(m, METRIC_GAUGE, "process_open_fds", "Number of open file descriptors.", n - 1);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        set(m, METRIC_GAUGE, "process_max_fds", "Maximum number of open file descriptors.",
            (double)limit.rlim_cur);
}

void metrics_add_process(struct metrics *m)
{
    add_stat(m);
    add_descriptors(m);
}
