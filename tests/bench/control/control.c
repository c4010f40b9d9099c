// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What configuration costs: bench/control WEIR [ROUNDS [FILE]], run by `make bench-control`. In
 * each round a daemon starts with nothing, gets 10 000 listeners of 4 endpoints each out of a file
 * (the CPU time of daemon and command), and then changes one weight among them, several times (from
 * the start of `weir set` until packets see it). All of it in a network namespace of its own, in
 * which every endpoint is behind one router.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <weir/names.h>

#include "dataplane/sync.h"

#define LISTENERS   10000u
#define ENDPOINTS   4u
#define WEIGHTS	    9 /* changes of one weight per round */
#define ROUNDS_GOOD 7
#define ROUNDS_MAX  1000
#define READY_MS    20000
#define VISIBLE_MS  2000
#define SETTLE_MS   900 /* after the apply: its own routes come back to the daemon as news */
#define PATH_ROOM   128

struct bench {
	const char *weir;
	char instance[64];
	char folder[PATH_ROOM];
	pid_t daemon;
};

struct result {
	const char *row;
	const char *what;
	double goal; /* ms */
	double *ms;
	size_t count;
};

static void die(const char *what)
{
	fprintf(stderr, "control: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void shell(const char *command)
{
	if (system(command))
		die(command);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000l }, NULL);
}

/* One router, whose MAC is known. */
static void make_network(void)
{
	if (unshare(CLONE_NEWNET))
		die("a network namespace (run as root)");
	shell("ip link set lo up");
	shell("ip link add eth0 type veth peer name router address 02:00:00:00:00:01");
	shell("ip link set router up && ip link set eth0 up");
	shell("ip address add 10.0.0.2/24 dev eth0");
	shell("ip neighbour add 10.0.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent");
	shell("ip route add default via 10.0.0.1");
}

static void write_files(const struct bench *bench)
{
	char path[PATH_ROOM + 16];
	FILE *out;

	snprintf(path, sizeof(path), "%s/none.yaml", bench->folder);
	out = fopen(path, "we");
	if (!out)
		die(path);
	fprintf(out, "version: 1\ninterfaces: [eth0]\nlisteners: []\n");
	fclose(out);
	snprintf(path, sizeof(path), "%s/many.yaml", bench->folder);
	out = fopen(path, "we");
	if (!out)
		die(path);
	fprintf(out, "version: 1\ninterfaces: [eth0]\nlisteners:\n");
	for (unsigned i = 0; i < LISTENERS; i++) {
		fprintf(out,
			"  - name: l%u\n    protocol: tcp\n    address: 192.168.%u.%u\n"
			"    port: 80\n    endpoint_groups:\n      - name: main\n"
			"        endpoints:\n",
			i, i / 250, 1 + i % 250);
		for (unsigned k = i * ENDPOINTS; k < (i + 1) * ENDPOINTS; k++)
			fprintf(out,
				"          - { name: e%u, address: 10.%u.%u.%u, port: 8080 }\n",
				k % ENDPOINTS, 1 + k / 62500, k / 250 % 250, 1 + k % 250);
	}
	fclose(out);
}

/* Starts weir with up to three arguments, its output to a file of the folder. */
static pid_t start(const struct bench *bench, const char *log, const char *const arguments[4])
{
	char path[PATH_ROOM + 16];
	pid_t pid = fork();
	int fd;

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	snprintf(path, sizeof(path), "%s/%s", bench->folder, log);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	execl(bench->weir, "weir", "-N", bench->instance, arguments[0], arguments[1], arguments[2],
	      NULL);
	_exit(127);
}

/* CPU time of a command that has to succeed (ms). */
static double wait_for(const struct bench *bench, pid_t pid, const char *log)
{
	struct rusage usage;
	int status;

	if (wait4(pid, &status, 0, &usage) != pid)
		die("wait4");
	if (status) {
		fprintf(stderr, "control: weir failed; see %s/%s\n", bench->folder, log);
		exit(EXIT_FAILURE);
	}
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static double run(const struct bench *bench, const char *const arguments[4])
{
	return wait_for(bench, start(bench, "command.log", arguments), "command.log");
}

/* What the daemon has used of a CPU so far (ms). */
static double daemon_ms(const struct bench *bench)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", bench->daemon);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%llu", &ns) != 1)
		die(path);
	fclose(file);
	return ns / 1e6;
}

static void start_daemon(struct bench *bench)
{
	char config[PATH_ROOM + 16], socket[PATH_ROOM];
	double end = now_ms() + READY_MS;

	snprintf(config, sizeof(config), "%s/none.yaml", bench->folder);
	snprintf(socket, sizeof(socket), WEIR_RUN_DIR "/%s/admin.sock", bench->instance);
	bench->daemon =
		start(bench, "daemon.log", (const char *const[]){ "run", "-c", config, NULL });
	while (access(socket, F_OK)) {
		if (now_ms() > end || waitpid(bench->daemon, NULL, WNOHANG)) {
			fprintf(stderr, "control: the daemon did not start; see %s/daemon.log\n",
				bench->folder);
			exit(EXIT_FAILURE);
		}
		sleep_ms(5);
	}
}

/* The command is not over before the daemon is. */
static void stop_daemon(struct bench *bench)
{
	run(bench, (const char *const[]){ "down", NULL, NULL, NULL });
	waitpid(bench->daemon, NULL, 0);
	bench->daemon = 0;
}

static double apply(const struct bench *bench)
{
	double before = daemon_ms(bench), command;
	char config[PATH_ROOM + 16];

	snprintf(config, sizeof(config), "%s/many.yaml", bench->folder);
	command = run(bench, (const char *const[]){ "apply", config, NULL, NULL });
	return command + daemon_ms(bench) - before;
}

/* The weight in force of endpoint e1 of a listener, by its table in the maps. */
static double share_of(const struct object *object, const char *name)
{
	struct plan *plan = NULL;
	const struct plan_listener *listener;
	const struct plan_table *table;
	uint32_t place = 0, slots = 0, size;
	struct err err = {};

	if (sync_adopt(object, &plan, &err) < 0) {
		fprintf(stderr, "control: %s\n", err.text);
		exit(EXIT_FAILURE);
	}
	listener = plan_find_listener(plan, name);
	table = &listener->table[PLAN_IP4];
	vec_foreach(endpoint, &listener->endpoints)
		if (!strcmp(endpoint->name, "e1"))
			place = endpoint->row - listener->block;
	for (uint32_t i = 0; i < table->size; i++)
		slots += table->slots[i].current == place;
	size = table->size;
	plan_free(plan);
	return (double)slots / size;
}

/* From the start of the command until a packet is answered by the new table. */
static double set_weight(const struct bench *bench, unsigned listener, unsigned weight)
{
	struct object *object = NULL;
	char name[32], path[64], value[32];
	double begun, seen = 0, expected = weight / (weight + 300.0);
	uint32_t generation;
	struct err err = {};
	pid_t command;

	snprintf(name, sizeof(name), "l%u", listener);
	snprintf(path, sizeof(path), "l%u/main/e1", listener);
	snprintf(value, sizeof(value), "weight=%u", weight);
	if (object_open(bench->instance, &object, &err) < 0) {
		fprintf(stderr, "control: %s\n", err.text);
		exit(EXIT_FAILURE);
	}
	generation = __atomic_load_n(&object->control->generation, __ATOMIC_ACQUIRE);
	begun = now_ms();
	command = start(bench, "command.log", (const char *const[]){ "set", path, value, NULL });
	while (!seen && now_ms() < begun + VISIBLE_MS) {
		if (__atomic_load_n(&object->control->generation, __ATOMIC_ACQUIRE) != generation)
			seen = now_ms();
		else
			nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
	}
	wait_for(bench, command, "command.log");
	if (!seen || share_of(object, name) < expected - 0.01 ||
	    share_of(object, name) > expected + 0.01) {
		fprintf(stderr, "control: the weight of %s is not in force\n", path);
		exit(EXIT_FAILURE);
	}
	object_close(object);
	return seen - begun;
}

static int compare_numbers(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(struct result *result, unsigned rounds, FILE *json)
{
	double median;

	qsort(result->ms, result->count, sizeof(*result->ms), compare_numbers);
	median = (result->ms[(result->count - 1) / 2] + result->ms[result->count / 2]) / 2;
	printf("%-24s %8.1f %8.1f %8.1f %6g%-5s %s\n", result->row, median, result->ms[0],
	       result->ms[result->count - 1], result->goal, median <= result->goal ? "" : " over",
	       result->what);
	if (json)
		fprintf(json,
			"{\"row\":\"%s\",\"median_ms\":%.2f,\"min_ms\":%.2f,\"max_ms\":%.2f,"
			"\"goal\":%g,\"rounds\":%u,\"listeners\":%u,\"endpoints\":%u}\n",
			result->row, median, result->ms[0], result->ms[result->count - 1],
			result->goal, rounds, LISTENERS, LISTENERS * ENDPOINTS);
}

static struct bench the_bench;

static void clean_up(void)
{
	char command[3 * PATH_ROOM];

	if (the_bench.daemon > 0)
		stop_daemon(&the_bench);
	snprintf(command, sizeof(command), "rm -rf %s /run/%s /var/lib/%s", the_bench.folder,
		 the_bench.instance, the_bench.instance);
	if (system(command))
		fprintf(stderr, "control: %s\n", command);
}

int main(int argc, char **argv)
{
	unsigned rounds =
		argc > 2 && argv[2][0] ? (unsigned)strtoul(argv[2], NULL, 10) : ROUNDS_GOOD;
	struct result applied = { "control-apply-10k", "CPU of daemon and command, from a file",
				  1000 };
	struct result weighed = { "control-weight-10k", "from `weir set` to packets", 10 };
	FILE *json = argc > 3 ? fopen(argv[3], "we") : NULL;

	if (argc < 2 || argc > 4 || !rounds || rounds > ROUNDS_MAX || (argc > 3 && !json)) {
		fprintf(stderr, "usage: control WEIR [ROUNDS [FILE]]\n");
		return EXIT_FAILURE;
	}
	the_bench.weir = argv[1];
	snprintf(the_bench.instance, sizeof(the_bench.instance), "weir-bench-%d", getpid());
	strcpy(the_bench.folder, "/tmp/weir-bench-XXXXXX");
	if (!mkdtemp(the_bench.folder))
		die(the_bench.folder);
	atexit(clean_up);
	setpriority(PRIO_PROCESS, 0, -20); /* steadier beside other processes, not needed */
	make_network();
	write_files(&the_bench);
	applied.ms = calloc(rounds, sizeof(double));
	weighed.ms = calloc(rounds * WEIGHTS, sizeof(double));
	if (!applied.ms || !weighed.ms)
		die("memory");
	for (unsigned round = 0; round < rounds; round++) {
		start_daemon(&the_bench);
		applied.ms[applied.count++] = apply(&the_bench);
		sleep_ms(SETTLE_MS);
		for (unsigned i = 0; i < WEIGHTS; i++)
			weighed.ms[weighed.count++] =
				set_weight(&the_bench, 1000 * i + round, 20 + 20 * i);
		stop_daemon(&the_bench);
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\rround %u of %u", round + 1, rounds);
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%*s\r", 30, "");
	printf("%-24s %8s %8s %8s %6s%-5s %s\n", "row", "ms", "min", "max", "goal", "", "what");
	report(&applied, rounds, json);
	report(&weighed, rounds, json);
	if (json)
		fclose(json);
	free(applied.ms);
	free(weighed.ms);
	return EXIT_SUCCESS;
}
