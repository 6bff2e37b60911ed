/*
** inject.h: which calls fail, and with what. control.c says so, inject.c does it.
*/
#ifndef FAULTS_INJECT_H
#define FAULTS_INJECT_H

#include <stdbool.h>

/* What becomes of a call. */
enum fault_mode {
  FAULT_FAIL,  /* it fails with an error, and nothing is done */
  FAULT_DONE,  /* it fails with an error, but what it was to do is done */
  FAULT_SHORT, /* one byte is taken or given, one message, one piece of a file */
  FAULT_READY, /* poll says at once that all is ready */
  FAULT_QUIET, /* poll says at once that the time is over */
  FAULT_BLANK  /* poll says that one is ready, and not which */
};

/* What the injector itself does wrong, so that a check must notice. */
enum fault_sabotage {
  SABOTAGE_NONE,
  SABOTAGE_CLOSE,  /* descriptors are not closed */
  SABOTAGE_UNLINK, /* files are not removed */
  SABOTAGE_EINTR,  /* an interruption looks like an I/O error */
  SABOTAGE_ERRNO,  /* every error looks like another one */
  SABOTAGE_BYTE,   /* a stream loses a byte of each read */
  SABOTAGE_MASK,   /* a signal stays blocked */
  SABOTAGE_THREAD, /* a thread does not end */
  SABOTAGE_HANG,   /* poll never returns */
  SABOTAGE_CRASH   /* bind ends the process */
};

/* Occurrences `first` to `last` of a call, counted from 1. */
struct fault {
  int call;
  int first, last;
  enum fault_mode mode;
  int error;
  int fired;
};

#define MOST_FAULTS 8
#define MOST_NOTED 8192

extern enum fault_sabotage fault_sabotage;

/* The number of a call's name; -1: not known. */
int fault_call(const char *name);
const char *fault_call_name(int call);

/* From now on until fault_end calls of the product are noted, and fail. */
void fault_begin(void);
int fault_add(const struct fault *fault);
void fault_clear(void);
void fault_end(void);
int fault_fired(int i);
int fault_noted(int i);
int fault_noted_count(void);

#endif
