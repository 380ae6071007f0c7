/*
 * The in-memory lattice for unit tests and benchmarks: same front, no bus. Opened with driver "memory"; the
 * test then adds hosts and faults through the instance.
 */
#ifndef WASMCTL_LATTICE_DRIVER_MEM_H
#define WASMCTL_LATTICE_DRIVER_MEM_H

#include "lattice/lattice.h"

struct lat_mem;
/* The instance behind a lattice opened with driver "memory". */
struct lat_mem *lat_mem_of(struct lattice *lat);

/* labels: "k=v" strings, NULL-ended. */
void lat_mem_host_add(struct lat_mem *m, const char *id, const char *const *labels);
enum lat_mem_fault {
    LAT_MEM_OK,
    LAT_MEM_KILLED, /* no responders */
    LAT_MEM_FROZEN, /* silence; requests pile up and are served after LAT_MEM_OK */
};
void lat_mem_host_fault(struct lat_mem *m, const char *id, enum lat_mem_fault f);
/* The bus goes away or comes back. */
void lat_mem_disconnect(struct lat_mem *m, bool down);
/* It loses its watch of the store, until it is added again. */
void lat_mem_host_deaf(struct lat_mem *m, const char *id);
void lat_mem_store_down(struct lat_mem *m, bool down);
/* Starts of this image fail with the text (NULL: succeed again). */
void lat_mem_image_fails(struct lat_mem *m, const char *image, const char *text);
void lat_mem_set_delay(struct lat_mem *m, int64_t start_ms);
/* Behind the operator's back. */
void lat_mem_component_kill(struct lat_mem *m, const char *host, const char *id);
/* Number of operations asked for since the start, by name ("component_set"...). */
uint64_t lat_mem_calls(const struct lat_mem *m, const char *op);

#endif
