/*
** lookup.c: runs getaddrinfo(3) on threads.
**
** A lookup is a heap block with one owner at a time. The owner is the opening
** that started it. If the opening gives up while a thread is inside
** getaddrinfo, the thread becomes the owner and frees the block when
** getaddrinfo returns. The lock of the queue guards the block, so a thread
** never signals a closed descriptor.
**
** MOST_AT_ONCE lookups begin at once. One that has waited for PATIENCE behind
** those begins beside them, so that names whose server is silent do not stop the
** others, up to MOST_THREADS. Beyond that, one begins in the place of an abandoned
** one each PATIENCE. Giving up a lookup starts none: whoever cancels a thousand
** does not begin what he is about to cancel.
**
** While lookups wait, a thread waits with them until one is due. A thread without
** work ends after IDLE_TIME; no other is started while it is there.
*/

#include "internal.h"

#include <sched.h>
#include <signal.h>

#define MOST_AT_ONCE 16
#define MOST_THREADS 256
/* Of those that are asked aside of others, which are up to two for each name. */
#define MOST_ASIDE (MOST_THREADS / 2)

#define PATIENCE (100 * S99_MILLISECOND)
#define IDLE_TIME (250 * S99_MILLISECOND)

/* How often a caller gives way before it sleeps: some ten microseconds, in which a name
** of /etc/hosts is found. To wake a caller takes longer. */
#define YIELDS 100

/* Added to what other threads of the program have, which holds its thread-local data:
** getaddrinfo keeps its buffers on the stack. What is not used is only reserved. */
#define STACK_SIZE ((size_t)256 * 1024)


/* Lookups that have not begun, the first to begin at the head. */
struct line {
  struct s99_lookup *first, *last;
};

/* Each process has one. After fork(2) the child makes a new queue: the lock of
** the copied one may be held by a thread that exists only in the parent. */
struct queue {
  pthread_mutex_t lock;
  pthread_cond_t has_work;
  int64_t process;
  struct line line, aside;
  int queued;
  int threads;
  int busy;      /* threads inside getaddrinfo */
  int abandoned; /* of those, inside lookups that nobody waits for */
  int64_t last_begin;
  struct queue *parent;
};

enum progress { QUEUED, RUNNING, ABANDONED, ANSWERED };

struct s99_lookup {
  struct s99_lookup *next, *previous;
  struct queue *queue;
  struct line *line;
  int64_t due; /* when it may begin beside MOST_AT_ONCE others */
  enum progress progress;
  int wake[2]; /* read end, write end; an eventfd is both */
  struct addrinfo hints;
  const char *name, *service;
  struct s99_answer answer;
  char text[];
};

static struct queue *current;


/*
** The queue
*/

static int init_queue(struct queue *queue) {
  int error = pthread_mutex_init(&queue->lock, NULL);
  if (error != 0)
    return error;
  error = s99_condition_init(&queue->has_work);
  if (error != 0)
    pthread_mutex_destroy(&queue->lock);
  return error;
}


/* NULL, with an errno in `error`, on failure. */
static struct queue *new_queue(struct queue *parent, int *error) {
  struct queue *queue = calloc(1, sizeof(*queue));
  *error = queue == NULL ? ENOMEM : init_queue(queue);
  if (*error != 0) {
    free(queue);
    return NULL;
  }
  queue->process = s99_process();
  queue->parent = parent;
  return queue;
}


static struct queue *queue_of_process(int *error) {
  for (;;) {
    struct queue *queue = __atomic_load_n(&current, __ATOMIC_ACQUIRE);
    struct queue *made;
    if (queue != NULL && queue->process == s99_process())
      return queue;
    made = new_queue(queue, error);
    if (made == NULL)
      return NULL;
    if (__atomic_compare_exchange_n(&current, &queue, made, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
      return made;
    pthread_cond_destroy(&made->has_work);
    pthread_mutex_destroy(&made->lock);
    free(made);
  }
}


static void append(struct queue *queue, struct s99_lookup *lookup) {
  struct line *line = lookup->line;
  lookup->previous = line->last;
  if (line->last != NULL)
    line->last->next = lookup;
  else
    line->first = lookup;
  line->last = lookup;
  queue->queued++;
}


static void unlink_queued(struct queue *queue, struct s99_lookup *lookup) {
  struct line *line = lookup->line;
  if (lookup->previous != NULL)
    lookup->previous->next = lookup->next;
  else
    line->first = lookup->next;
  if (lookup->next != NULL)
    lookup->next->previous = lookup->previous;
  else
    line->last = lookup->previous;
  lookup->next = lookup->previous = NULL;
  queue->queued--;
}


/*
** When a lookup begins
*/

static int64_t due_at(const struct queue *queue, int64_t now) {
  bool at_once = queue->busy - queue->abandoned + queue->queued < MOST_AT_ONCE &&
                 queue->busy + queue->queued < MOST_THREADS;
  return at_once ? now : now + PATIENCE;
}


/* The time at which the first of a line begins, unless a thread has done its work before
** that; S99_NEVER: there is none, or a thread must have done its work. */
static int64_t begins_at(const struct queue *queue, const struct line *line, int most) {
  if (line->first == NULL)
    return S99_NEVER;
  if (queue->busy < MOST_AT_ONCE)
    return 0;
  if (queue->busy - queue->abandoned >= most)
    return S99_NEVER;
  if (queue->abandoned >= MOST_THREADS && queue->last_begin + PATIENCE > line->first->due)
    return queue->last_begin + PATIENCE;
  return line->first->due;
}


/* The next to begin, and when; NULL, and S99_NEVER, as above. */
static struct s99_lookup *next_lookup(const struct queue *queue, int64_t *at) {
  int64_t line = begins_at(queue, &queue->line, MOST_THREADS);
  int64_t aside = begins_at(queue, &queue->aside, MOST_ASIDE);
  *at = line <= aside ? line : aside;
  if (*at == S99_NEVER)
    return NULL;
  return line <= aside ? queue->line.first : queue->aside.first;
}


/*
** Lookups
*/

static void close_wake(struct s99_lookup *lookup) {
  close(lookup->wake[0]);
  if (lookup->wake[1] != lookup->wake[0])
    close(lookup->wake[1]);
}


static void free_lookup(struct s99_lookup *lookup) {
  if (lookup->answer.found != NULL)
    freeaddrinfo(lookup->answer.found);
  free(lookup);
}


/* Called under the lock. */
static void answer(struct s99_lookup *lookup, const struct s99_answer *found) {
  lookup->answer = *found;
  lookup->queue->busy--;
  if (lookup->progress == ABANDONED) {
    lookup->queue->abandoned--;
    free_lookup(lookup);
    return;
  }
  __atomic_store_n(&lookup->progress, ANSWERED, __ATOMIC_RELEASE);
  s99_wake(lookup->wake[1]);
}


static void look_up(const struct s99_lookup *lookup, struct s99_answer *found) {
  found->found = NULL;
  found->code = getaddrinfo(lookup->name, lookup->service, &lookup->hints, &found->found);
  found->error = errno;
  if (found->code != 0)
    found->found = NULL;
}


/*
** Threads
*/

static size_t stack_size(const pthread_attr_t *attributes) {
  size_t usual = 0;
  pthread_attr_getstacksize(attributes, &usual);
  return usual + STACK_SIZE;
}


/* Starts a detached thread with all signals blocked. */
static int start_thread(struct queue *queue, void *(*work)(void *)) {
  pthread_attr_t attributes;
  pthread_t thread;
  sigset_t all, before;
  int error = pthread_attr_init(&attributes);
  if (error != 0)
    return error;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, stack_size(&attributes));
  sigfillset(&all);
  error = pthread_sigmask(SIG_SETMASK, &all, &before);
  if (error == 0) {
    error = pthread_create(&thread, &attributes, work, queue);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
  pthread_attr_destroy(&attributes);
  if (error == 0)
    queue->threads++;
  return error;
}


/* Waits for a lookup that may begin, and takes it; NULL: none came for a while. */
static struct s99_lookup *await_work(struct queue *queue) {
  int64_t end = s99_now() + IDLE_TIME;
  int error = 0;
  while (queue->queued > 0 || error == 0) {
    int64_t at, now = s99_now();
    struct s99_lookup *lookup = next_lookup(queue, &at);
    if (at <= now) {
      unlink_queued(queue, lookup);
      return lookup;
    }
    if (at == S99_NEVER)
      at = queue->queued > 0 ? now + PATIENCE : end;
    error = s99_condition_wait(&queue->has_work, &queue->lock, at);
  }
  return NULL;
}


static void begin(struct queue *queue, struct s99_lookup *lookup) {
  __atomic_store_n(&lookup->progress, RUNNING, __ATOMIC_RELAXED);
  queue->busy++;
  queue->last_begin = s99_now();
}


/* While lookups wait, so does a thread. */
static void *work(void *argument) {
  struct queue *queue = argument;
  struct s99_lookup *lookup;
  pthread_mutex_lock(&queue->lock);
  while ((lookup = await_work(queue)) != NULL) {
    struct s99_answer found;
    begin(queue, lookup);
    if (queue->queued > 0 && queue->threads == queue->busy)
      start_thread(queue, work);
    pthread_mutex_unlock(&queue->lock);
    look_up(lookup, &found);
    pthread_mutex_lock(&queue->lock);
    answer(lookup, &found);
  }
  queue->threads--;
  pthread_mutex_unlock(&queue->lock);
  return NULL;
}


/* Called under the lock, for a lookup that was queued. Failing to start a thread is an
** error only if there is no other thread to do the work. */
static int want_thread(struct queue *queue, bool at_once) {
  int idle = queue->threads - queue->busy, error = 0;
  if (idle == 0 || (at_once && idle < queue->queued))
    error = start_thread(queue, work);
  return queue->threads > 0 ? 0 : error;
}


/*
** Calls of an opening
*/

static struct s99_lookup *new_lookup(const char *name, const char *service,
                                     const struct addrinfo *hints) {
  size_t name_size = strlen(name) + 1;
  size_t service_size = service != NULL ? strlen(service) + 1 : 0;
  struct s99_lookup *lookup = calloc(1, sizeof(*lookup) + name_size + service_size);
  if (lookup == NULL)
    return NULL;
  lookup->hints = *hints;
  lookup->name = memcpy(lookup->text, name, name_size);
  if (service != NULL)
    lookup->service = memcpy(lookup->text + name_size, service, service_size);
  return lookup;
}


static int enqueue(struct queue *queue, struct s99_lookup *lookup) {
  int64_t now = s99_now();
  int error;
  pthread_mutex_lock(&queue->lock);
  lookup->due = due_at(queue, now);
  append(queue, lookup);
  error = want_thread(queue, lookup->due == now);
  if (error != 0)
    unlink_queued(queue, lookup);
  pthread_mutex_unlock(&queue->lock);
  pthread_cond_signal(&queue->has_work);
  return error;
}


struct s99_lookup *s99_lookup_start(const char *name, const char *service,
                                    const struct addrinfo *hints, bool aside, int *error) {
  struct queue *queue = queue_of_process(error);
  struct s99_lookup *lookup;
  if (queue == NULL)
    return NULL;
  lookup = new_lookup(name, service, hints);
  if (lookup == NULL) {
    *error = ENOMEM;
    return NULL;
  }
  lookup->queue = queue;
  lookup->line = aside ? &queue->aside : &queue->line;
  if (s99_wake_open(lookup->wake) != 0) {
    *error = errno;
    free(lookup);
    return NULL;
  }
  *error = enqueue(queue, lookup);
  if (*error == 0)
    return lookup;
  close_wake(lookup);
  free(lookup);
  return NULL;
}


int s99_lookup_fd(const struct s99_lookup *lookup) {
  return lookup->wake[0];
}


void s99_lookup_give_way(const struct s99_lookup *lookup) {
  int i;
  for (i = 0; i < YIELDS; i++) {
    if (__atomic_load_n(&lookup->progress, __ATOMIC_ACQUIRE) == ANSWERED)
      break;
    sched_yield();
  }
}


bool s99_lookup_take(struct s99_lookup *lookup, struct s99_answer *answer) {
  bool answered;
  pthread_mutex_lock(&lookup->queue->lock);
  answered = lookup->progress == ANSWERED;
  if (answered) {
    *answer = lookup->answer;
    lookup->answer.found = NULL;
  }
  pthread_mutex_unlock(&lookup->queue->lock);
  return answered;
}


void s99_lookup_end(struct s99_lookup *lookup) {
  struct queue *queue = lookup->queue;
  bool ours = true;
  /* In a child of the process that started it, the block is a copy without a
  ** thread, and its answer may be half-written, so it is not freed. */
  if (queue->process != s99_process()) {
    close_wake(lookup);
    free(lookup);
    return;
  }
  pthread_mutex_lock(&queue->lock);
  close_wake(lookup);
  if (lookup->progress == QUEUED) {
    unlink_queued(queue, lookup);
  } else if (lookup->progress == RUNNING) {
    ours = false;
    lookup->progress = ABANDONED;
    queue->abandoned++;
  }
  pthread_mutex_unlock(&queue->lock);
  if (ours)
    free_lookup(lookup);
}
