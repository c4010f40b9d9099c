/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The admin socket, /run/INSTANCE/admin.sock: one JSON object per line in, one per line out.
 *
 *   {"call": "apply", "name": "weir.yaml", "text": "..."}   without text: the daemon's own file;
 *                          "confirm": 60   taken back after as many seconds but for
 *   {"call": "confirm"}
 *   {"call": "rollback", "number": 3}   without number: what was in force before
 *   {"call": "set", "selector": "web/main/a", "weight": 30}
 *   {"call": "drain", "selector": "web"}  and "undrain"
 *                          both: "for": 600   seconds, "reason": "disk"
 *   {"call": "attach", "interface": "eth1", "generic": false}  and "detach"
 *   {"call": "status"}, {"call": "stop"}
 *
 * Answers are {"ok": true, ...} or {"ok": false, "error": TEXT, "code": ERRNO, "report": TEXT?}.
 * Whoever may open the socket (0660) has full control; who it was is logged by SO_PEERCRED.
 */
#ifndef WEIR_DAEMON_ADMIN_H
#define WEIR_DAEMON_ADMIN_H

#include "daemon/daemon.h"

/* Listens and serves on the daemon's loop; sets daemon->admin. */
int admin_start(struct daemon *daemon, struct err *err);
void admin_stop(struct admin *admin);

/* Calls that have waited for something (-EINPROGRESS) are carried out anew. NULL is fine. */
void admin_go_on(struct admin *admin);

#endif
