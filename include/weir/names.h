/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names that live outside the process: map and program names (at most 15 characters, the kernel's
 * limit) and the layout below the instance's folder in bpffs:
 *
 *   /sys/fs/bpf/INSTANCE/MAP          one pin per map, named as the map
 *   /sys/fs/bpf/INSTANCE/program      the XDP program
 *   /sys/fs/bpf/INSTANCE/link-IFNAME  one bpf_link per attached interface
 */
#ifndef WEIR_NAMES_H
#define WEIR_NAMES_H

#define WEIR_INSTANCE_DEFAULT "weir"
#define WEIR_BPFFS	      "/sys/fs/bpf"
#define WEIR_PIN_PROGRAM      "program"
#define WEIR_PIN_LINK_PREFIX  "link-"

/* Marks what weir adds to the host's own tables: routes (rtm_protocol), addresses (IFA_PROTO). */
#define WEIR_RTPROTO   87

#define WEIR_RUN_DIR   "/run"	  /* /run/INSTANCE/admin.sock and lock */
#define WEIR_STATE_DIR "/var/lib" /* /var/lib/INSTANCE/ */

#endif
