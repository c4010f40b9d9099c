/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The data plane as the kernel has it: the pinned maps of an instance, the configuration maps
 * mapped into memory, and the XDP program. Everything lives in bpffs, not in a process: closing
 * an object changes nothing.
 */
#ifndef WEIR_DATAPLANE_OBJECT_H
#define WEIR_DATAPLANE_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/abi.h>
#include <weir/nat.h>

#include "dataplane/capacity.h"
#include "dataplane/cells.h"
#include "util/cleanup.h"
#include "util/err.h"

#define OBJECT_PATH_MAX 160
#define OBJECT_MAPS	32 /* at most */
#define OBJECT_STAGES	16 /* the same */

struct object {
	char directory[OBJECT_PATH_MAX]; /* /sys/fs/bpf/INSTANCE */
	uint32_t set;			 /* the folder in it, see dataplane/sets.h */
	int program;			 /* fd; -1 in an object opened for reading */
	uint32_t program_id;		 /* the kernel's number of it */
	int sweep;			 /* fd of the program that removes NAT records; -1 ... */
	int steer;			 /* fd of the program that steers to workers; -1 ... */
	bool writable;
	struct capacity capacity; /* of its maps */

	/* Mapped; read-only memory unless writable. */
	struct weir_control *control;		    /* 1 */
	struct weir_listener *listeners;	    /* 2 * capacity.of[CAPACITY_CELLS] */
	struct weir_slots *slots;		    /* CAPACITY_LINES */
	struct weir_slots_previous *slots_previous; /* the same */
	struct weir_guard *guards;		    /* 2 * CAPACITY_LISTENERS */
	struct weir_bounds *bounds;		    /* CAPACITY_BOUND_LINES */
	struct weir_bound_regions *bound_regions;   /* the same */
	struct weir_clients *clients;		    /* CAPACITY_CLIENT_ROWS */
	struct weir_endpoint *endpoints;	    /* CAPACITY_ROWS */
	struct weir_egress *egress;		    /* WEIR_MAX_EGRESS */
	struct weir_snat *snat;			    /* WEIR_MAX_SNAT */
	struct weir_listener_info *listener_info;   /* CAPACITY_LISTENERS */
	struct weir_endpoint_info *endpoint_info;   /* CAPACITY_ROWS */
	struct weir_region_info *region_info;	    /* WEIR_MAX_REGIONS */
	struct weir_http *listener_http;	    /* CAPACITY_LISTENERS */
	struct weir_http *endpoint_http;	    /* CAPACITY_ROWS */
	struct weir_steering *steering;		    /* 1 */
	struct weir_sources *sources;		    /* CAPACITY_SOURCES */
	uint64_t *cookies_sent;			    /* CAPACITY_LISTENERS */
	struct weir_nat_record *nat_records;	    /* nat_size() */
	struct weir_nat_tags *nat_tags;		    /* by bucket */
	struct weir_nat_replies *nat_replies;	    /* by bucket */
	struct weir_nat_latency *nat_latency;	    /* CAPACITY_ROWS */

	/* Descriptors of the others. */
	int stages; /* empties itself when nobody has it open or pinned */
	int tx_ports;
	int workers;
	int exceptions;
	int fragments;
	int learned_mtus;
	int answer_pace;
	int listener_stats;
	int endpoint_stats;

	/* For sync.c: is the half of the listener table that is not in force as the other, but for
	 * these cells? */
	bool idle_follows;
	struct cells_places idle_differs;

	/* When sync.c last put something in force, by CLOCK_MONOTONIC (us); 0: it has not yet. What
	 * it waits for after that concerns only what is no longer in force. */
	uint64_t in_force_since;

	/* Maps that these have replaced, in which workers may still count; see object_settle(). */
	struct remains *remains;

	/* For tables.c: which lines of slots are taken; NULL: it is to be found out. */
	struct tables_lines *lines;

	/* Of each of these maps, in the order of object.c. */
	struct {
		uint32_t id;
		size_t bytes; /* mapped */
		int fd;	      /* of a mapped one, to pin it again */
	} maps[OBJECT_MAPS];

	/* The programs that `stages` had when it was opened for writing, by the kernel's numbers.
	 */
	uint32_t stage_programs[OBJECT_STAGES];
	uint32_t stage_count;
};

enum object_access {
	OBJECT_READ,
	OBJECT_WRITE, /* the maps are writable, and there is the program to be attached */
};

/*
 * Opens what is in force, as it is. -ENOENT: the instance has no data plane; -EPROTO: it is of
 * another version of weir. The second for writing, for a process that loads no program of its own.
 */
int object_open(const char *instance, struct object **ret, struct err *err);
int object_open_writable(const char *instance, struct object **ret, struct err *err);

/*
 * Opens for writing, as the one process that may: finishes what another was killed at, loads this
 * binary's program onto the maps that are there, with all their contents, and puts it on the
 * attached interfaces. Where there are none yet, they are made in the size of `capacity` and
 * *ret_fresh is set. Mounts bpffs where it is missing.
 */
int object_load(const char *instance, const struct capacity *capacity, struct object **ret,
		bool *ret_fresh, struct err *err);

/*
 * Makes room for `need`: larger maps take the place of those that are too small, with all that is
 * in them, while packets go on being forwarded. A flow table is not made larger while it is in use.
 * On failure (-EBUSY for that; -ENOMEM, ...) the object is as it was. Pointers into its maps end.
 */
int object_grow(struct object *object, const struct capacity *need, struct err *err);

/* Puts new programs of this binary in the place of those that are there, with the same maps. As
 * object_grow(). */
int object_reload(struct object *object, struct err *err);

/* Adds to the counters what workers have counted since in maps that were replaced. */
void object_settle(struct object *object);

void object_close(struct object *object);
DEFINE_CLEANUP(struct object *, object_close)

/* Removes all pins of an instance, links included: the interfaces are without weir then. */
int object_unpin(const char *instance, struct err *err);

/* For sets.c: opens one set of an instance's directory. */
int object_open_set(const char *directory, uint32_t set, enum object_access access,
		    struct object **ret, struct err *err);

/* For sets.c: what is in the mapped maps of `from`, into those of `to` that are others. */
void object_copy_contents(const struct object *from, struct object *to);

/* For sets.c: the maps from `place` 0 on, by name and descriptor. False: there are no more. */
bool object_map(const struct object *object, size_t place, const char **ret_name, int *ret_fd);

/* A map as the kernel describes it. */
struct object_map_info {
	const char *name;
	const char *type; /* "array", "hash", ... */
	uint32_t id;
	uint32_t entries;
	uint32_t key_size, value_size; /* bytes */
	uint64_t bytes;		       /* that the kernel has set aside, as it tells */
};

/* Of the map at a place, as object_map(). -ENOENT: there are no more; or what bpf(2) says. */
int object_map_info(const struct object *object, size_t place, struct object_map_info *ret);

/* The kernel's number of a map, by which the same map is known in another set. */
uint32_t object_map_id(const struct object *object, const char *name);

/* The data plane's clock (s): what bpf/clock.h reads. */
uint32_t object_now(const struct object *object);

/*
 * Waits until no CPU runs a program that began before the call: an RCU grace period, which nothing
 * can hurry. On two busy CPUs it took 11 ms, at most 21 of 400 times; so long a change keeps the
 * daemon's loop, but what it is for has been in force since before.
 */
void object_wait(void);

/* Pins a map, a program or a link at a path, for the owner and the group of the folder: 0 or
 * -errno. */
int object_pin(int fd, const char *path);

/* Makes a folder for pins, 0750, owned as the one that it is in: 0 or -errno. */
int object_make_folder(const char *path);

/* Mounts bpffs where it is missing. */
int object_mount_bpffs(struct err *err);

/* What the kernel said last through libbpf, or "": bpf(2) itself only gives a number. */
const char *object_kernel_message(void);
void object_clear_kernel_message(void);

#endif
