/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names that live outside the process: map and program names (at most 15 characters, the kernel's
 * limit) and the layout below the instance's folder in bpffs:
 *
 *   /sys/fs/bpf/INSTANCE/MAP          one link per map, named as the map: to current/MAP
 *   /sys/fs/bpf/INSTANCE/program      the XDP program: a link, too
 *   /sys/fs/bpf/INSTANCE/sweep        the program that removes NAT flows that are over: a link
 *   /sys/fs/bpf/INSTANCE/show-...     tables for people, to be read with cat: links
 *   /sys/fs/bpf/INSTANCE/steer        the program that leads connections to workers: a link
 *   /sys/fs/bpf/INSTANCE/steering-link  the bpf_link of its network namespace, if it has http
 *                                     listeners
 *   /sys/fs/bpf/INSTANCE/current      a link to the set in force
 *   /sys/fs/bpf/INSTANCE/set-N        a set of pins: all maps, and the program that uses them
 *   /sys/fs/bpf/INSTANCE/link-IFNAME  one bpf_link per attached interface
 *
 * Whoever needs several maps that belong together reads `current` once (dataplane/sets.h).
 */
#ifndef WEIR_NAMES_H
#define WEIR_NAMES_H

#define WEIR_INSTANCE_DEFAULT	"weir"
#define WEIR_BPFFS		"/sys/fs/bpf"
#define WEIR_PIN_PROGRAM	"program"
#define WEIR_PIN_CURRENT	"current"
#define WEIR_PIN_SET_PREFIX	"set-"
#define WEIR_PIN_SWEEP		"sweep"
#define WEIR_PIN_STEER		"steer"
#define WEIR_PIN_STEERING	"steering-link"
#define WEIR_PIN_LINK_PREFIX	"link-"

#define WEIR_PIN_SHOW_PREFIX	"show-"
#define WEIR_PIN_SHOW_LISTENERS WEIR_PIN_SHOW_PREFIX "listeners"
#define WEIR_PIN_SHOW_ENDPOINTS WEIR_PIN_SHOW_PREFIX "endpoints"

/* Marks what weir adds to the host's own tables: routes (rtm_protocol), addresses (IFA_PROTO). */
#define WEIR_RTPROTO   87

#define WEIR_RUN_DIR   "/run"	  /* /run/INSTANCE/admin.sock and lock */
#define WEIR_STATE_DIR "/var/lib" /* /var/lib/INSTANCE/ */

#endif
