// A file system with faults, for LD_PRELOAD: calls on paths that contain FAULTS_PART fail at random, as on a
// network file system.
//
//   FAULTS_ERRNO  the error, e.g. 116 (ESTALE) or 28 (ENOSPC)
//   FAULTS_SHARE  how many of 1,000 calls that open, rename or link fail; with ENOSPC, of those that create a file
//   FAULTS_LOCKS  if set, flock fails with ENOLCK
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int number(const char *name) {
  const char *text = getenv(name);
  return text ? atoi(text) : 0;
}

// Whether this call fails. Every process has faults of its own.
static int fails(const char *path) {
  static __thread unsigned state;
  const char *part = getenv("FAULTS_PART");
  if (!part || !path || !strstr(path, part)) return 0;
  if (!state) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    state = (unsigned)now.tv_nsec ^ ((unsigned)getpid() << 16) ^ (unsigned)(size_t)&now;
  }
  if (rand_r(&state) % 1000 >= number("FAULTS_SHARE")) return 0;
  errno = number("FAULTS_ERRNO");
  return 1;
}

static int opened(const char *name, const char *path, int flags, mode_t mode) {
  if ((number("FAULTS_ERRNO") != ENOSPC || flags & O_CREAT) && fails(path)) return -1;
  int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, name);
  return real(path, flags, mode);
}

#define OPEN(NAME)                                 \
  int NAME(const char *path, int flags, ...) {     \
    va_list rest;                                  \
    va_start(rest, flags);                         \
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                  \
    return opened(#NAME, path, flags, mode);       \
  }
OPEN(open)
OPEN(open64)

#define PAIR(NAME)                                 \
  int NAME(const char *from, const char *to) {     \
    if (fails(to)) return -1;                      \
    int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, #NAME); \
    return real(from, to);                         \
  }
PAIR(rename)
PAIR(link)

int linkat(int a, const char *from, int b, const char *to, int flags) {
  if (fails(to)) return -1;
  int (*real)(int, const char *, int, const char *, int) = dlsym(RTLD_NEXT, "linkat");
  return real(a, from, b, to, flags);
}

int flock(int file, int operation) {
  if (getenv("FAULTS_LOCKS")) {
    errno = ENOLCK;
    return -1;
  }
  int (*real)(int, int) = dlsym(RTLD_NEXT, "flock");
  return real(file, operation);
}
