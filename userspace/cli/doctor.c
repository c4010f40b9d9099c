// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include <weir/names.h>

#include "cli/client.h"
#include "cli/output.h"
#include "config/config.h"
#include "daemon/state.h"
#include "daemon/ways.h"
#include "daemon/world.h"
#include "plan/names.h"
#include "util/caps.h"
#include "util/file.h"
#include "util/str.h"

enum needs {
	NEEDS_NOTHING = 0,
	NEEDS_MODEL = 1,
	NEEDS_INTERFACES = 2,
	NEEDS_NETLINK = 4,
};

/* In the order in which one would look. */
static const struct {
	const char *name;
	void (*look)(struct doctor *doctor);
	unsigned needs;
} checks[] = {
	{ "kernel", doctor_kernel, NEEDS_NOTHING },
	{ "btf", doctor_btf, NEEDS_NOTHING },
	{ "jit", doctor_jit, NEEDS_NOTHING },
	{ "unprivileged-bpf", doctor_unprivileged, NEEDS_NOTHING },
	{ "bpffs", doctor_bpffs, NEEDS_NOTHING },
	{ "memory", doctor_memory, NEEDS_NOTHING },
	{ "capabilities", doctor_capabilities, NEEDS_NOTHING },
	{ "daemon", doctor_daemon, NEEDS_NOTHING },
	{ "clock", doctor_clock, NEEDS_NOTHING },
	{ "files", doctor_files, NEEDS_MODEL },
	{ "interface", doctor_interfaces, NEEDS_INTERFACES | NEEDS_NETLINK },
	{ "xdp", doctor_xdp, NEEDS_INTERFACES | NEEDS_NETLINK },
	{ "veth", doctor_veth, NEEDS_INTERFACES | NEEDS_NETLINK },
	{ "checksums", doctor_checksums, NEEDS_INTERFACES | NEEDS_NETLINK },
	{ "merging", doctor_merging, NEEDS_INTERFACES },
	{ "vlan", doctor_vlans, NEEDS_INTERFACES | NEEDS_NETLINK },
	{ "ways", doctor_ways, NEEDS_INTERFACES | NEEDS_NETLINK },
	{ "mtu", doctor_mtu, NEEDS_MODEL | NEEDS_NETLINK },
	{ "rp-filter", doctor_rp_filter, NEEDS_INTERFACES },
	{ "forwarding", doctor_forwarding, NEEDS_MODEL | NEEDS_NETLINK },
	{ "route", doctor_routes, NEEDS_MODEL | NEEDS_NETLINK },
	{ "neighbour", doctor_neighbours, NEEDS_MODEL | NEEDS_NETLINK },
	{ "address", doctor_addresses, NEEDS_MODEL | NEEDS_NETLINK },
	{ "ports", doctor_ports, NEEDS_MODEL | NEEDS_NETLINK },
	{ "conntrack", doctor_conntrack, NEEDS_NOTHING },
	{ "cookies", doctor_cookies, NEEDS_MODEL },
	{ "nftables", doctor_nftables, NEEDS_NOTHING },
};

static void add(struct doctor *doctor, struct doctor_finding finding, const char *fix,
		const char *format, va_list arguments)
{
	_cleanup_(str_fini) struct str what = {};

	str_vadd(&what, format, arguments);
	finding.check = doctor->check;
	finding.what = str_take(&what);
	finding.fix = fix && fix[0] ? strdup(fix) : NULL;
	if (finding.what && (finding.fix || !fix || !fix[0]) &&
	    !vec_push(&doctor->findings, finding))
		return;
	doctor->failed = true;
	free(finding.what);
	free(finding.fix);
}

void doctor_ok(struct doctor *doctor, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(doctor, (struct doctor_finding){ .severity = DOCTOR_OK }, NULL, format, arguments);
	va_end(arguments);
}

void doctor_unseen(struct doctor *doctor, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(doctor, (struct doctor_finding){ .severity = DOCTOR_UNSEEN }, NULL, format, arguments);
	va_end(arguments);
}

void doctor_problem(struct doctor *doctor, enum doctor_severity severity, const char *causes,
		    const char *fix, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(doctor, (struct doctor_finding){ .severity = severity, .causes = causes }, fix, format,
	    arguments);
	va_end(arguments);
}

int doctor_read(const struct doctor *doctor, const char *path, char *ret, size_t size)
{
	_cleanup_(fclosep) FILE *file = NULL;
	char full[512];

	snprintf(full, sizeof(full), "%s%s", doctor->root, path);
	file = fopen(full, "re");
	if (!file)
		return -errno;
	if (!fgets(ret, size, file))
		return -ENODATA;
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

int doctor_number(const struct doctor *doctor, const char *path, long *ret)
{
	char text[64], *end;
	int r = doctor_read(doctor, path, text, sizeof(text));
	long number;

	if (r < 0)
		return r;
	number = strtol(text, &end, 10);
	if (end == text)
		return -EINVAL;
	*ret = number;
	return 0;
}

void doctor_examine(struct doctor *doctor)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		doctor->check = checks[i].name;
		if (checks[i].needs & NEEDS_MODEL && !doctor->model)
			doctor_unseen(doctor, "no configuration is known; name one: weir doctor -c "
					      "FILE");
		else if (checks[i].needs & NEEDS_INTERFACES && !doctor->interfaces.count)
			doctor_unseen(doctor, "no interface is known; name a configuration: weir "
					      "doctor -c FILE");
		else if (checks[i].needs & NEEDS_NETLINK && !doctor->nl)
			doctor_unseen(doctor, "netlink does not answer");
		else
			checks[i].look(doctor);
	}
}

enum doctor_severity doctor_verdict(const struct doctor *doctor)
{
	enum doctor_severity worst = DOCTOR_OK;

	vec_foreach(finding, &doctor->findings)
		if (finding->severity > worst)
			worst = finding->severity;
	return worst;
}

void doctor_fini(struct doctor *doctor)
{
	vec_foreach(finding, &doctor->findings) {
		free(finding->what);
		free(finding->fix);
	}
	vec_free(&doctor->findings);
	vec_free(&doctor->interfaces);
	facts_fini(&doctor->facts);
	nl_free(doctor->nl);
}

/* ---- what there is to look at ---- */

static struct doctor_interface *find_interface(struct doctor *doctor, const char *name)
{
	struct doctor_interface interface = {};

	vec_foreach(known, &doctor->interfaces)
		if (!strcmp(known->name, name))
			return known;
	snprintf(interface.name, sizeof(interface.name), "%s", name);
	if (vec_push(&doctor->interfaces, interface))
		return NULL;
	return &doctor->interfaces.items[doctor->interfaces.count - 1];
}

static void gather_interfaces(struct doctor *doctor, const struct attachments *attachments)
{
	vec_foreach(attachment, &attachments->list) {
		struct doctor_interface *interface = find_interface(doctor, attachment->name);

		if (!interface)
			continue;
		interface->attached = true;
		interface->attachment = *attachment;
	}
	if (doctor->model)
		vec_foreach(name, &doctor->model->interfaces)
			find_interface(doctor, *name);
}

/* The file that is named, or else what is in force. *ret stays NULL where neither is known. */
static int read_model(const struct cli *cli, const char *path, struct model **ret, struct err *err)
{
	_cleanup_(findings_fini) struct findings findings = {};
	_cleanup_(model_freep) struct model *model = NULL;
	_cleanup_(freep) char *text = NULL;
	struct names none = {};
	size_t size = 0;
	int r;

	if (path) {
		r = file_read_stream(path, FILE_MAX, &text, &size);
		if (r < 0)
			return err_set(err, r, "%s: %s", path, file_error(r));
	} else {
		if (state_load_config(cli->instance, &text, NULL) < 0)
			return 0;
		size = strlen(text);
	}
	r = config_parse(text, size, &model, &findings);
	if (r == -ENOMEM)
		return err_set(err, r, "out of memory");
	if (r < 0 && !path)
		return 0;
	if (r < 0) {
		findings_print(&findings, path, text, size, output_colour(stderr), stderr);
		return err_set(err, -EBADMSG, "%s: %zu error%s", path, findings.errors,
			       findings.errors == 1 ? "" : "s");
	}
	*ret = names_expand(&none, &none, model);
	return *ret ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* Its process, and its file, unless another is looked at. The answer is the caller's. */
static json_t *ask_daemon(struct doctor *doctor, const struct cli *cli)
{
	json_t *answer = NULL;

	if (client_call(cli, json_pack("{s:s}", "call", "status"), &answer, NULL) < 0)
		return NULL;
	doctor->daemon = json_integer_value(json_object_get(answer, "pid"));
	if (!doctor->file)
		doctor->file = json_string_value(json_object_get(answer, "config"));
	return answer;
}

/* Also of interfaces that will be attached. */
static void gather_ways(struct doctor *doctor)
{
	VEC(uint32_t) attached = {};
	int r = 0;

	vec_foreach(interface, &doctor->interfaces)
		r = r ?: vec_push(&attached, if_nametoindex(interface->name));
	r = r ?: ways_add(doctor->nl, attached.items, attached.count, &doctor->facts, NULL);
	doctor->failed |= r == -ENOMEM;
	vec_free(&attached);
}

static void gather(struct doctor *doctor, const struct cli *cli)
{
	struct attachments attachments = {};
	char directory[OBJECT_PATH_MAX];

	snprintf(directory, sizeof(directory), WEIR_BPFFS "/%s", cli->instance);
	attach_list(directory, &attachments, NULL);
	gather_interfaces(doctor, &attachments);
	caps_of(getpid(), &doctor->capabilities);
	if (!nl_new(&doctor->nl, NULL) && doctor->model &&
	    world_gather(doctor->nl, doctor->model, &attachments, false, &doctor->facts, NULL) < 0)
		doctor->model = NULL;
	if (doctor->nl)
		gather_ways(doctor);
	vec_free(&attachments.list);
}

/* ---- what is said of it ---- */

static const char *severity_name(enum doctor_severity severity)
{
	static const char *const names[] = { "ok", "unseen", "warning", "error" };

	return names[severity];
}

static json_t *finding_json(const struct doctor_finding *finding)
{
	json_t *json = json_pack("{s:s, s:s, s:s}", "check", finding->check, "severity",
				 severity_name(finding->severity), "what", finding->what);

	if (finding->causes)
		json_object_set_new(json, "causes", json_string(finding->causes));
	if (finding->fix)
		json_object_set_new(json, "fix", json_string(finding->fix));
	return json;
}

static void print_json(const struct cli *cli, const struct doctor *doctor)
{
	json_t *list = json_array();

	vec_foreach(finding, &doctor->findings)
		json_array_append_new(list, finding_json(finding));
	output_json(cli, list);
}

static void print_finding(const struct doctor_finding *finding)
{
	static const char *const colours[] = { "\033[32m", "", "\033[33m", "\033[31m" };
	bool colour = output_colour(stdout);

	printf("%s%-7s%s  %-16s  %s\n", colour ? colours[finding->severity] : "",
	       finding->severity == DOCTOR_UNSEEN ? "-" : severity_name(finding->severity),
	       colour ? "\033[0m" : "", finding->check, finding->what);
	if (finding->causes)
		printf("%27s%s\n", "", finding->causes);
	if (finding->fix)
		printf("%27s%s%s%s\n", "", colour ? "\033[1m" : "", finding->fix,
		       colour ? "\033[0m" : "");
}

/* The checks that lacked the same as this one, on one line, unless one before it has said so. */
static void print_unseen(const struct doctor *doctor, const struct doctor_finding *finding)
{
	bool said = false;

	vec_foreach(other, &doctor->findings) {
		if (other->severity != DOCTOR_UNSEEN || strcmp(other->what, finding->what))
			continue;
		if (other < finding)
			return;
		printf(said ? ", %s" : "-        %s", other->check);
		said = true;
	}
	printf(": %s\n", finding->what);
}

static void print(const struct doctor *doctor)
{
	unsigned count[DOCTOR_ERROR + 1] = {};

	vec_foreach(finding, &doctor->findings) {
		count[finding->severity]++;
		if (finding->severity != DOCTOR_UNSEEN)
			print_finding(finding);
	}
	vec_foreach(finding, &doctor->findings)
		if (finding->severity == DOCTOR_UNSEEN)
			print_unseen(doctor, finding);
	printf("\n%u error%s, %u warning%s, %u ok", count[DOCTOR_ERROR],
	       count[DOCTOR_ERROR] == 1 ? "" : "s", count[DOCTOR_WARNING],
	       count[DOCTOR_WARNING] == 1 ? "" : "s", count[DOCTOR_OK]);
	if (count[DOCTOR_UNSEEN])
		printf(", %u not looked at", count[DOCTOR_UNSEEN]);
	printf("\n");
}

int cli_doctor(const struct cli *cli, struct err *err)
{
	_cleanup_(doctor_fini) struct doctor doctor = {
		.root = "",
		.instance = cli->instance,
		.clock = adjtimex,
		.feature = ethtool_feature,
	};
	_cleanup_(model_freep) struct model *model = NULL;
	_cleanup_(json_decrefp) json_t *status = NULL;
	const char *path = NULL;
	bool verdict = false;
	int r;

	for (int i = 1; i < cli->argc; i++) {
		if (!strcmp(cli->argv[i], "--exit-code"))
			verdict = true;
		else if (!strcmp(cli->argv[i], "-c") && cli->argv[i + 1])
			path = cli->argv[++i];
		else
			return err_set(err, CLI_USAGE, "doctor: unexpected '%.40s'", cli->argv[i]);
	}
	r = read_model(cli, path, &model, err);
	if (r < 0)
		return r;
	doctor.model = model;
	doctor.file = path;
	status = ask_daemon(&doctor, cli);
	gather(&doctor, cli);
	doctor_examine(&doctor);
	if (doctor.failed)
		return err_set(err, -ENOMEM, "out of memory");
	if (cli->json)
		print_json(cli, &doctor);
	else
		print(&doctor);
	return verdict && doctor_verdict(&doctor) >= DOCTOR_WARNING ? CLI_DIFFERS : 0;
}
