/* Forecasts of placements (place/forecast.h) for the command line: the hosts as the API server has them, what
 * is to be thought away, and the outcome as a table or as JSON. */
#ifndef WASMCTL_CLI_PLACE_H
#define WASMCTL_CLI_PLACE_H

#include "cli/cmd.h"
#include "place/forecast.h"

struct cli_place_host {
    struct model_host *host;
    struct model_host_report report;
};
struct cli_place {
    struct cli_place_host *hosts;
    struct place_object *objects; /* the same, for forecasts */
    size_t n;
    char *cluster_uid;    /* NULL when it may not be read */
    struct map *lattices; /* name -> char *: why nothing happens on it now, "" if nothing is known against it;
                             NULL when they may not be read */
};
/* Reads all LatticeHosts and Lattices. */
int cli_place_load(struct cmd_ctx *c, struct cli_place *ret, struct err **err);
void cli_place_release(struct cli_place *p);
#define _cleanup_place_ _cleanup_(cli_place_release)

/* What keeps the operator from carrying out any plan on the lattice; NULL if nothing does. Caller frees. */
char *cli_place_warning(const struct cli_place *p, const char *lattice);

/* Marks the hosts of lattice that are named by what: "host/NAME" (name, friendly name or at least six
 * characters of the name) or "KEY=VALUE", a label. ERR_INVALID, ERR_NOT_FOUND: fits none. */
int cli_place_without(struct cli_place *p, const char *lattice, const char *what, struct err **err);

struct cli_forecast {
    struct place_host *hosts;
    size_t *object; /* of each: index into cli_place.objects */
    int32_t *given; /* per object: replicas of the plan, -1 = not among the hosts */
    struct place_input in;
    struct place_plan plan;
    struct place_explained why;
};
void cli_forecast_make(const struct cli_place *p, const struct model_workload *w, struct cli_forecast *ret);
void cli_forecast_release(struct cli_forecast *f);
#define _cleanup_forecast_ _cleanup_(cli_forecast_release)
/* The forecasts that follow see what this one gave: as what the hosts run of w (after a loss of hosts), or as
 * load of other units. */
void cli_forecast_keep(struct cli_place *p, const struct cli_forecast *f);
void cli_forecast_load(struct cli_place *p, const struct model_workload *w, const struct cli_forecast *f);

/* One line: "3 of 3 replicas on 5 hosts". Caller frees. */
char *cli_forecast_summary(const struct cli_forecast *f);
/* The table of hosts, and the constraints under it. */
void cli_forecast_print(const struct cli_place *p, const struct cli_forecast *f, struct buf *out);
cJSON *cli_forecast_json(const struct cli_place *p, const struct cli_forecast *f);

#endif
