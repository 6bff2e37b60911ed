/*
** lookup.c: runs getaddrinfo(3) on threads.
**
** A lookup is a heap block with one owner at a time. The owner is the opening
** that started it. If the opening gives up while a thread is inside
** getaddrinfo, the thread becomes the owner and frees the block when
** getaddrinfo returns. The lock of the queue guards the block, so a thread
** never signals a closed descriptor.
**
** Threads exist only while there is work. At most MOST_LIVE of them run
** lookups that an opening waits for, and at most MOST_THREADS exist, counting
** those stuck in abandoned lookups.
*/

#include "internal.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>

#define MOST_LIVE 16
#define MOST_THREADS 64

/* Added to the system's minimum; getaddrinfo keeps its buffers on the stack. */
#define STACK_SIZE ((size_t)256 * 1024)


/* Each process has one. After fork(2) the child makes a new queue: the lock of
** the copied one may be held by a thread that exists only in the parent. */
struct queue {
  pthread_mutex_t lock;
  pid_t process;
  struct s99_lookup *first, *last;
  int threads, stuck;
  struct queue *parent;
};

enum progress { QUEUED, RUNNING, ABANDONED, ANSWERED };

struct s99_lookup {
  struct s99_lookup *next;
  struct queue *queue;
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

/* NULL, with an errno in `error`, on failure. */
static struct queue *new_queue(struct queue *parent, int *error) {
  struct queue *queue = calloc(1, sizeof(*queue));
  *error = queue == NULL ? ENOMEM : pthread_mutex_init(&queue->lock, NULL);
  if (*error != 0) {
    free(queue);
    return NULL;
  }
  queue->process = getpid();
  queue->parent = parent;
  return queue;
}


/*
** Keeps this library mapped: a thread may be inside it when the program
** unloads it.
*/
static void stay_mapped(void) {
  Dl_info object;
  if (dladdr((const void *)&current, &object) != 0)
    dlopen(object.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}


static struct queue *queue_of_process(int *error) {
  for (;;) {
    struct queue *queue = __atomic_load_n(&current, __ATOMIC_ACQUIRE);
    struct queue *made;
    if (queue != NULL && queue->process == getpid())
      return queue;
    made = new_queue(queue, error);
    if (made == NULL)
      return NULL;
    stay_mapped();
    if (__atomic_compare_exchange_n(&current, &queue, made, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
      return made;
    pthread_mutex_destroy(&made->lock);
    free(made);
  }
}


static void append(struct queue *queue, struct s99_lookup *lookup) {
  if (queue->last != NULL)
    queue->last->next = lookup;
  else
    queue->first = lookup;
  queue->last = lookup;
}


static struct s99_lookup *take_first(struct queue *queue) {
  struct s99_lookup *lookup = queue->first;
  if (lookup == NULL)
    return NULL;
  queue->first = lookup->next;
  if (queue->first == NULL)
    queue->last = NULL;
  lookup->next = NULL;
  return lookup;
}


static void unlink_queued(struct queue *queue, const struct s99_lookup *lookup) {
  struct s99_lookup *before = NULL, *each;
  for (each = queue->first; each != lookup; each = each->next)
    before = each;
  if (before != NULL)
    before->next = lookup->next;
  else
    queue->first = lookup->next;
  if (queue->last == lookup)
    queue->last = before;
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
  if (lookup->progress == ABANDONED) {
    lookup->queue->stuck--;
    free_lookup(lookup);
    return;
  }
  lookup->progress = ANSWERED;
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

static void *work(void *argument) {
  struct queue *queue = argument;
  struct s99_lookup *lookup;
  pthread_mutex_lock(&queue->lock);
  while (queue->threads - queue->stuck <= MOST_LIVE && (lookup = take_first(queue)) != NULL) {
    struct s99_answer found;
    lookup->progress = RUNNING;
    pthread_mutex_unlock(&queue->lock);
    look_up(lookup, &found);
    pthread_mutex_lock(&queue->lock);
    answer(lookup, &found);
  }
  queue->threads--;
  pthread_mutex_unlock(&queue->lock);
  return NULL;
}


static size_t stack_size(void) {
#if defined(_SC_THREAD_STACK_MIN)
  long least = sysconf(_SC_THREAD_STACK_MIN);
  if (least > 0)
    return STACK_SIZE + (size_t)least;
#endif
  return STACK_SIZE + (size_t)PTHREAD_STACK_MIN;
}


/* Starts a detached thread with a small stack and all signals blocked. */
static int start_thread(struct queue *queue) {
  pthread_attr_t attributes;
  pthread_t thread;
  sigset_t all, before;
  int error = pthread_attr_init(&attributes);
  if (error != 0)
    return error;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, stack_size());
  sigfillset(&all);
  error = pthread_sigmask(SIG_SETMASK, &all, &before);
  if (error == 0) {
    error = pthread_create(&thread, &attributes, work, queue);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
  pthread_attr_destroy(&attributes);
  return error;
}


/* Called under the lock. Failing to start a thread is an error only if there is
** no other thread to do the work. */
static int want_thread(struct queue *queue) {
  int error;
  if (queue->threads - queue->stuck >= MOST_LIVE || queue->threads >= MOST_THREADS)
    return 0;
  error = start_thread(queue);
  if (error == 0)
    queue->threads++;
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
  int error;
  pthread_mutex_lock(&queue->lock);
  append(queue, lookup);
  error = want_thread(queue);
  if (error != 0)
    unlink_queued(queue, lookup);
  pthread_mutex_unlock(&queue->lock);
  return error;
}


struct s99_lookup *s99_lookup_start(const char *name, const char *service,
                                    const struct addrinfo *hints, int *error) {
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
  if (queue->process != getpid()) {
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
    queue->stuck++;
    if (queue->first != NULL)
      want_thread(queue);
  }
  pthread_mutex_unlock(&queue->lock);
  if (ours)
    free_lookup(lookup);
}
