/* tests/power/memory_disk.h: a disk in memory behind the spool's seam: folders, files, open
 * descriptions with their locks. Made by the thousand from states that share their pages.
 *
 * Two kinds of handles. Plain ones are numbers that mean something to this disk alone. Portable
 * ones are descriptors of the process (the writing ends of pipes whose octets nobody ever sends),
 * so that they can travel over a channel to another room, and a description is known to be closed,
 * and its lock free, when its last copy is gone. */
#ifndef TESTS_POWER_MEMORY_DISK_H
#define TESTS_POWER_MEMORY_DISK_H

#include <pthread.h>
#include <stdbool.h>

#include "content.h"
#include "spool/disk.h"

enum { DISK_NAME = 48, DISK_ROOT = 0 };

/* A name in a folder. */
struct dir_entry {
    char text[DISK_NAME];
    unsigned node;
};

struct folder {
    struct dir_entry *names;
    size_t count, room;
};

struct dir_entry *folder_find(const struct folder *folder, const char *text);
/* Replaces what is there. */
void folder_set(struct folder *folder, const char *text, unsigned node);
void folder_remove(struct folder *folder, const char *text);
void folder_copy(struct folder *to, const struct folder *from);
void folder_clear(struct folder *folder);

/* A file or a folder. */
struct node {
    bool is_dir;
    struct content *content; /* NULL for folders, and for files that nobody can reach any more */
    struct folder folder;
    unsigned links;
    unsigned opens;
    size_t locked_by; /* a description, plus one; 0: nobody */
};

struct description;

struct memory_disk {
    struct disk disk; /* first */
    pthread_mutex_t mutex;
    struct node *nodes; /* 0 is the root folder */
    size_t node_count, node_room;
    struct description *descriptions;
    size_t description_count, description_room;
    bool is_portable;
    struct disk_space space;
    uint64_t random;
};

/* With an empty root folder. seed: of `random`, which is foretellable here. */
struct memory_disk *memory_disk_new(bool is_portable, uint64_t seed);
void memory_disk_free(struct memory_disk **disk);
/* For building a state. The content is taken over. The node's number is given back. */
unsigned memory_disk_add_dir(struct memory_disk *disk, unsigned dir, const char *name);
unsigned memory_disk_add_file(
    struct memory_disk *disk, unsigned dir, const char *name, struct content *content);
/* A handle of the root folder. */
int memory_disk_root(struct memory_disk *disk);
/* Which node a handle is of. */
unsigned memory_disk_node(struct memory_disk *disk, int handle);

#endif
