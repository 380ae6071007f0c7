/* How things look in all panes: words and roles of states, ages. */
#ifndef WASMCTL_TUI_LOOK_H
#define WASMCTL_TUI_LOOK_H

#include "tui/canvas.h"
#include "tui/list.h"
#include "tui/store.h"

enum tui_role look_health_role(enum tui_health health);
enum tui_role look_source_role(const struct store_source *source);
/* "Ready", "Lost", "Updating"...: never told by colour alone. */
const char *look_state(const struct tui_object *o);
/* Names a host as people do: its friendly name, and the beginning of its id where that is not enough. */
void look_host(const struct tui_object *host, char *out, size_t size);
/* Age of what was created or happened at ns; "" for 0. */
void look_age(struct list_cell *cell, int64_t now_ns, int64_t ns);
/* A number that is the same for an object in every fill. */
uint64_t look_id(const struct tui_object *o);

#endif
