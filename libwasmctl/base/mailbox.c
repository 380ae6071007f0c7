#include "base/mailbox.h"

#include <pthread.h>
#include <uv.h>

#include "base/loop_uv.h"
#include "base/mem.h"

struct mail {
    struct mail *next;
    void *message;
};

struct mailbox {
    uv_async_t uv;
    pthread_mutex_t lock; /* guards all up to `dropped` */
    struct mail *head, **tail;
    size_t waiting, dropped;
    size_t limit;
    mailbox_fn fn;
    void (*free_message)(void *);
    void *arg;
    bool closing;
};

static struct mail *take_all(struct mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    struct mail *list = m->head;
    m->head = NULL;
    m->tail = &m->head;
    m->waiting = 0;
    pthread_mutex_unlock(&m->lock);
    return list;
}

static void deliver(uv_async_t *uv)
{
    struct mailbox *m = uv->data;
    struct mail *list = take_all(m);

    while (list) {
        struct mail *mail = list;
        list = mail->next;
        void *message = mail->message;
        free(mail);
        /* The receiver may free the mailbox: its memory lives until the close callback, the rest is then
         * dropped. */
        if (m->closing)
            m->free_message(message);
        else
            m->fn(m->arg, message);
    }
}

struct mailbox *mailbox_new(struct loop *l, size_t limit, mailbox_fn fn, void (*free_message)(void *),
                            void *arg)
{
    struct mailbox *m = xcalloc(1, sizeof(*m));

    m->limit = limit;
    m->fn = fn;
    m->free_message = free_message;
    m->arg = arg;
    m->tail = &m->head;
    pthread_mutex_init(&m->lock, NULL);
    if (uv_async_init(loop_uv(l), &m->uv, deliver) < 0)
        abort();
    m->uv.data = m;
    return m;
}

bool mailbox_post(struct mailbox *m, void *message)
{
    struct mail *mail = xmalloc(sizeof(*mail));

    *mail = (struct mail){.message = message};
    pthread_mutex_lock(&m->lock);
    bool fits = m->waiting < m->limit;
    if (fits) {
        *m->tail = mail;
        m->tail = &mail->next;
        m->waiting++;
    } else {
        m->dropped++;
    }
    /* Woken under the lock: once mailbox_free() holds it, no thread is inside uv_async_send() any more. */
    if (fits)
        uv_async_send(&m->uv);
    pthread_mutex_unlock(&m->lock);
    if (!fits)
        free(mail);
    return fits;
}

size_t mailbox_dropped(struct mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    size_t n = m->dropped;
    m->dropped = 0;
    pthread_mutex_unlock(&m->lock);
    return n;
}

static void on_closed(uv_handle_t *h)
{
    struct mailbox *m = h->data;

    pthread_mutex_destroy(&m->lock);
    free(m);
}

void mailbox_free(struct mailbox *m)
{
    if (!m || m->closing)
        return;
    m->closing = true;
    for (struct mail *list = take_all(m); list;) {
        struct mail *mail = list;
        list = mail->next;
        m->free_message(mail->message);
        free(mail);
    }
    uv_close((uv_handle_t *)&m->uv, on_closed);
}
