#include "base/fiber.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define WITH_ASAN 1
#else
#define WITH_ASAN 0
#endif

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(from, to) 0
#define VALGRIND_STACK_DEREGISTER(id)     (void)(id)
#endif

struct fiber {
    ucontext_t here, back; /* where it stands; where fiber_resume() was called */
    fiber_fn fn;
    void *arg;
    char *map; /* the page that must not be touched, then the stack */
    size_t map_len, guard;
    const bool *flag;
    bool started, done, cancelled;
    unsigned valgrind_id;
#if WITH_ASAN
    void *fake_stack;
    const void *back_stack;
    size_t back_size;
#endif
};

static struct fiber *current;

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fiber: %s\n", what);
        abort();
    }
}

struct fiber *fiber_new(fiber_fn fn, void *arg)
{
    struct fiber *f = xcalloc(1, sizeof(*f));

    f->fn = fn;
    f->arg = arg;
    f->guard = (size_t)sysconf(_SC_PAGESIZE);
    f->map_len = FIBER_STACK + f->guard;
    f->map = mmap(NULL, f->map_len, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    must(f->map != MAP_FAILED, "no memory for a stack");
    must(mprotect(f->map, f->guard, PROT_NONE) == 0, "a stack cannot be guarded");
    f->valgrind_id = VALGRIND_STACK_REGISTER(f->map + f->guard, f->map + f->map_len);
    return f;
}

void fiber_free(struct fiber *f)
{
    if (!f)
        return;
    must(f->done || !f->started, "freed while it stands in the middle");
    VALGRIND_STACK_DEREGISTER(f->valgrind_id);
    munmap(f->map, f->map_len);
    free(f);
}

struct fiber *fiber_current(void)
{
    return current;
}

/* To the main stack. */
static void leave(struct fiber *f)
{
    current = NULL;
#if WITH_ASAN
    /* An end for good lets go of what the sanitizer keeps for the stack. */
    __sanitizer_start_switch_fiber(f->done ? NULL : &f->fake_stack, f->back_stack, f->back_size);
#endif
    must(swapcontext(&f->here, &f->back) == 0, "cannot switch back");
#if WITH_ASAN
    __sanitizer_finish_switch_fiber(f->fake_stack, &f->back_stack, &f->back_size);
#endif
}

static void enter(void)
{
    struct fiber *f = current;

#if WITH_ASAN
    __sanitizer_finish_switch_fiber(NULL, &f->back_stack, &f->back_size);
#endif
    f->fn(f->arg);
    f->done = true;
    leave(f);
    must(false, "resumed after its end");
}

bool fiber_resume(struct fiber *f)
{
    must(!current, "resumed from within a fiber");
    if (f->done)
        return false;
    if (!f->started) {
        must(getcontext(&f->here) == 0, "no context");
        f->here.uc_stack.ss_sp = f->map + f->guard;
        f->here.uc_stack.ss_size = f->map_len - f->guard;
        f->here.uc_link = NULL;
        makecontext(&f->here, enter, 0);
        f->started = true;
    }
    current = f;
#if WITH_ASAN
    void *fake_stack = NULL;
    __sanitizer_start_switch_fiber(&fake_stack, f->map + f->guard, f->map_len - f->guard);
#endif
    must(swapcontext(&f->back, &f->here) == 0, "cannot switch");
#if WITH_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
#endif
    return !f->done;
}

bool fiber_is_due(const struct fiber *f)
{
    return !f->done && (!f->flag || *f->flag || f->cancelled);
}

bool fiber_has_flag(const struct fiber *f)
{
    return f->flag != NULL;
}

void fiber_cancel(struct fiber *f)
{
    f->cancelled = true;
}

bool fiber_cancelled(void)
{
    return current && current->cancelled;
}

void fiber_yield(void)
{
    must(current != NULL, "yield outside a fiber");
    leave(current);
}

bool fiber_wait(const bool *flag)
{
    struct fiber *f = current;

    must(f != NULL, "wait outside a fiber");
    f->flag = flag;
    while (!*flag && !f->cancelled)
        leave(f);
    f->flag = NULL;
    return *flag;
}
