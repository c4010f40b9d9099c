/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `weir doctor`: what on this host would keep weir from working, or make it slow, with the command
 * that mends it. It reads and asks, and writes nothing. One check, one function, one row of the
 * table in doctor.c; the functions are in
 *
 *   doctor_host.c   kernel, rights, clock        doctor_files.c  what the daemon must be able to
 * read doctor_link.c   interfaces                   doctor_net.c    routes, neighbours, addresses,
 * ports
 */
#ifndef WEIR_CLI_DOCTOR_H
#define WEIR_CLI_DOCTOR_H

#include <sys/timex.h>
#include <sys/types.h>

#include "cli/cli.h"
#include "config/model.h"
#include "dataplane/attach.h"
#include "net/ethtool.h"
#include "net/nl.h"
#include "plan/facts.h"

enum doctor_severity {
	DOCTOR_OK,
	DOCTOR_UNSEEN, /* could not be looked at */
	DOCTOR_WARNING,
	DOCTOR_ERROR,
};

struct doctor_finding {
	const char *check; /* name of the row */
	enum doctor_severity severity;
	char *what;	    /* owned, as the next */
	char *fix;	    /* a command for a shell; NULL: nothing to mend */
	const char *causes; /* what it leads to; NULL: nothing */
};

struct doctor_interface {
	char name[IF_NAMESIZE];
	bool attached; /* weir's program is on it, as follows */
	struct attachment attachment;
};

/* What the checks know, filled in by doctor_examine()'s caller. NULL or 0: not known. */
struct doctor {
	const char *root; /* before /proc and /sys: "", but in tests */
	const char *instance;
	const struct model *model; /* without endpoints whose address is a domain */
	const char *file;	   /* that the model is from */
	struct nl *nl;
	struct facts facts; /* of the model, and all ways out by the interfaces */
	pid_t daemon;
	VEC(struct doctor_interface) interfaces; /* that the model names, and that are attached */
	uint64_t capabilities;			 /* of this process */
	int (*clock)(struct timex *);		 /* adjtimex(2) */
	int (*feature)(const char *interface, enum ethtool_feature); /* ethtool_feature() */

	const char *check; /* underway */
	VEC(struct doctor_finding) findings;
	bool failed; /* without memory */
};

/* Runs all checks. */
void doctor_examine(struct doctor *doctor);

/* What the findings amount to: the worst severity. */
enum doctor_severity doctor_verdict(const struct doctor *doctor);

void doctor_fini(struct doctor *doctor);

/* For the checks: */
void doctor_ok(struct doctor *doctor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void doctor_unseen(struct doctor *doctor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A problem: how bad, what it leads to, a command ("" if there is none), and what is wrong. */
void doctor_problem(struct doctor *doctor, enum doctor_severity severity, const char *causes,
		    const char *fix, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The first line of a file below `root`; -ENOENT, ... */
int doctor_read(const struct doctor *doctor, const char *path, char *ret, size_t size);

/* A number in it: 0, -ENOENT, -EINVAL. */
int doctor_number(const struct doctor *doctor, const char *path, long *ret);

void doctor_kernel(struct doctor *doctor);
void doctor_btf(struct doctor *doctor);
void doctor_jit(struct doctor *doctor);
void doctor_unprivileged(struct doctor *doctor);
void doctor_bpffs(struct doctor *doctor);
void doctor_memory(struct doctor *doctor);
void doctor_capabilities(struct doctor *doctor);
void doctor_daemon(struct doctor *doctor);
void doctor_clock(struct doctor *doctor);

void doctor_interfaces(struct doctor *doctor);
void doctor_xdp(struct doctor *doctor);
void doctor_veth(struct doctor *doctor);
void doctor_checksums(struct doctor *doctor);
void doctor_merging(struct doctor *doctor);
void doctor_vlans(struct doctor *doctor);
void doctor_ways(struct doctor *doctor);
void doctor_mtu(struct doctor *doctor);

void doctor_rp_filter(struct doctor *doctor);
void doctor_forwarding(struct doctor *doctor);
void doctor_routes(struct doctor *doctor);
void doctor_neighbours(struct doctor *doctor);
void doctor_addresses(struct doctor *doctor);
void doctor_ports(struct doctor *doctor);
void doctor_conntrack(struct doctor *doctor);
void doctor_cookies(struct doctor *doctor);
void doctor_files(struct doctor *doctor);
void doctor_nftables(struct doctor *doctor);

#endif
