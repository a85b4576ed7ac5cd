// A file system with faults, for LD_PRELOAD: calls on paths that contain FAULTS_PART fail at random, as on a
// network file system.
//
//   FAULTS_ERRNO  the error, e.g. 116 (ESTALE) or 28 (ENOSPC)
//   FAULTS_SHARE  how many of 1,000 calls that open, rename or link fail; with ENOSPC, of those that create a file
//   FAULTS_LOCKS  if set, flock fails with ENOLCK
//   FAULTS_STALE  how many milliseconds a process remembers the names in a folder: new ones are missing, removed ones are still there
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

// The names in a folder, as a process remembers them. Never freed: a worker lists few folders.
struct listing {
  struct listing *next;
  char *path;
  struct timespec since;
  int count;
  struct dirent64 *entries;
};
struct reader {
  struct reader *next;
  DIR *folder;
  struct listing *listing;
  int at;
};
static pthread_mutex_t lists = PTHREAD_MUTEX_INITIALIZER;
static struct listing *listings;
static struct reader *readers;

static struct dirent64 *next(DIR *folder) {
  struct dirent64 *(*real)(DIR *) = dlsym(RTLD_NEXT, "readdir64");
  return real(folder);
}

static struct listing *remembered(const char *path, DIR *folder) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  for (struct listing *old = listings; old; old = old->next) {
    if (strcmp(old->path, path)) continue;
    long age = (now.tv_sec - old->since.tv_sec) * 1000 + (now.tv_nsec - old->since.tv_nsec) / 1000000;
    if (age < number("FAULTS_STALE")) return old;
    break;
  }
  struct listing *new = calloc(1, sizeof *new);
  *new = (struct listing){.next = listings, .path = strdup(path), .since = now};
  for (struct dirent64 *entry; (entry = next(folder)); new->count++) {
    new->entries = realloc(new->entries, (new->count + 1) * sizeof *entry);
    memcpy(&new->entries[new->count], entry, entry->d_reclen);
  }
  return listings = new;
}

DIR *opendir(const char *path) {
  DIR *(*real)(const char *) = dlsym(RTLD_NEXT, "opendir");
  DIR *folder = real(path);
  const char *part = getenv("FAULTS_PART");
  if (!folder || !number("FAULTS_STALE") || !part || !strstr(path, part)) return folder;
  pthread_mutex_lock(&lists);
  struct reader *reader = calloc(1, sizeof *reader);
  *reader = (struct reader){.next = readers, .folder = folder, .listing = remembered(path, folder)};
  readers = reader;
  pthread_mutex_unlock(&lists);
  return folder;
}

struct dirent64 *readdir64(DIR *folder) {
  struct dirent64 *entry = NULL;
  pthread_mutex_lock(&lists);
  struct reader *reader = readers;
  while (reader && reader->folder != folder) reader = reader->next;
  if (!reader) {
    entry = next(folder);
  } else if (reader->at < reader->listing->count) {
    entry = &reader->listing->entries[reader->at++];
  }
  pthread_mutex_unlock(&lists);
  return entry;
}

int closedir(DIR *folder) {
  pthread_mutex_lock(&lists);
  for (struct reader **at = &readers; *at; at = &(*at)->next) {
    if ((*at)->folder == folder) {
      *at = (*at)->next;
      break;
    }
  }
  pthread_mutex_unlock(&lists);
  int (*real)(DIR *) = dlsym(RTLD_NEXT, "closedir");
  return real(folder);
}
