// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the real binary, used wrongly or where it cannot work, says what to do on stderr, keeps
 * stdout for data, and ends with the exit code that main.c documents. Needs root: what lacks root
 * is started as nobody.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "util/cleanup.h"
#include "util/file.h"

#define ARGUMENTS_MAX 24
#define PATIENCE_MS   30000
#define OUTPUT_MAX    (1u << 20)

static char folder[] = "/tmp/weir-test-cli-XXXXXX"; /* also the current directory */
static char binary[PATH_MAX];
static char instance[32] = "weir-test-cli";

/* How a command ended. */
struct outcome {
	int code; /* exit code; 128 + signal */
	char *out;
	char *err;
};

static void outcome_fini(struct outcome *outcome)
{
	free(outcome->out);
	free(outcome->err);
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	cr_assert(file && fputs(text, file) >= 0 && !fclose(file), "%s", name);
}

#define MINIMAL(interfaces)                                                                        \
	"version: 1\n" interfaces "listeners:\n"                                                   \
	"  - {name: web, protocol: tcp, address: 192.0.2.1, port: 80, vip: none,\n"                \
	"     endpoint_groups: [{name: main, endpoints: [10.0.0.1]}]}\n"

static void find_binary(void)
{
	const char *builds[] = { getenv("BUILD"), "build/san", "build" };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(builds) / sizeof(*builds); i++) {
		snprintf(path, sizeof(path), "%s/weir", builds[i] ?: "");
		if (!access(path, X_OK) && realpath(path, binary))
			return;
	}
	cr_assert(false, "there is no build/san/weir");
}

#define REQUESTS                                                                                   \
	"version: 1\nlisteners:\n- name: web\n  protocol: http\n  address: 192.0.2.10\n"           \
	"  port: 80\n  endpoint_groups:\n  - { name: main, endpoints: [10.0.0.1] }\n"              \
	"  - { name: api, type: virtual, endpoints: [10.0.1.1 weight 50, 10.0.1.2 weight 150] }\n" \
	"  forwarding_rules:\n"                                                                    \
	"  - { name: v2, host: a.example, path: /v2/*, forward: api, rewrite: '/new/${1}' }\n"     \
	"  - { path: /old/*, redirect: 'https://b.example${path}' }\n"                             \
	"  - { path: '~^/x', method: GET, fixed_response: 403 }\n"                                 \
	"  - { path: /drop, header: { X-A: b }, drop: true }\n"

/* A configuration whose client_regions name a file of this folder. */
static void write_naming(const char *name, const char *key, const char *file)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 MINIMAL("regions: [{ name: far, latency: 9ms, countries: US }]\n"
			 "client_regions: { %s: %s/%s }\n"),
		 key, folder, file);
	write_file(name, text);
}

/* A namespace of its own, since weir looks at addresses and interfaces of the host. */
static void begin(void)
{
	find_binary();
	cr_assert_eq(unshare(CLONE_NEWNET), 0, "unshare: %s; run as root", strerror(errno));
	cr_assert(mkdtemp(folder) && !chdir(folder) && !chmod(folder, 0755));
	snprintf(instance, sizeof(instance), "weir-test-cli-%d", getpid());
	setenv("WEIR_INSTANCE", instance, 1);
	unsetenv("JOURNAL_STREAM");
	write_file("good.yaml", MINIMAL(""));
	write_file("requests.yaml", REQUESTS);
	write_file("absent0.yaml", MINIMAL("interfaces: [absent0]\n"));
	write_file("snat.yaml", MINIMAL("snat: [203.0.113.200, 203.0.113.201]\n"));
	write_naming("far.yaml", "file", "far");
	write_file("far", "10.0.0.0/8 far-east\n");
	write_naming("torn.yaml", "file", "torn");
	write_file("torn", "10.0.0.0/8 far-east\n10.1.0/16 far-east\n");
	write_naming("nofile.yaml", "file", "nofile");
	write_naming("nodb.yaml", "maxmind", "torn");
	write_file("bad.yaml", "version: 1\nlistners: []\n");
	write_file("empty.yaml", "");
	cr_assert(!mkdir("folder", 0755) && !close(creat("large.yaml", 0644)) &&
		  !truncate("large.yaml", FILE_MAX + 1));
}

static void end(void)
{
	char command[PATH_MAX + 256];

	snprintf(command, sizeof(command),
		 "%s down >/dev/null; rm -rf %s /run/%s /var/lib/%s; ! test -e /sys/fs/bpf/%s",
		 binary, folder, instance, instance, instance);
	cr_expect_eq(system(command), 0, "%s left something behind", instance);
}

TestSuite(cli, .init = begin, .fini = end, .timeout = 120);

static int wait_for(pid_t pid)
{
	const struct timespec step = { .tv_nsec = 5000000 };
	int status;

	for (int waited = 0; waited < PATIENCE_MS; waited += 5) {
		pid_t ended = waitpid(pid, &status, WNOHANG);

		cr_assert_geq(ended, 0);
		if (ended)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		nanosleep(&step, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	cr_assert(false, "no end after %d ms", PATIENCE_MS);
	return -1;
}

static char *read_output(const char *path)
{
	char *text = NULL;

	cr_assert_eq(file_read(path, OUTPUT_MAX, &text, NULL), 0, "%s", path);
	return text;
}

/* As strtok_r() with blanks, but that a word in quotes may have some, or nothing. */
static char *next_word(char *line, char **rest)
{
	char *word = line ?: *rest;
	bool quoted;

	word += strspn(word, " ");
	quoted = *word == '\'';
	if (!*word)
		return NULL;
	word += quoted;
	*rest = word + strcspn(word, quoted ? "'" : " ");
	if (**rest)
		*(*rest)++ = '\0';
	return word;
}

/* Starts a program with the arguments of a line, stdout to a file (NULL: closed). */
static struct outcome run_program(const char *program, const char *line, const char *out)
{
	_cleanup_(freep) char *copy = strdup(line);
	char *arguments[ARGUMENTS_MAX] = { (char *)program }, *rest = NULL;
	posix_spawn_file_actions_t actions;
	struct outcome outcome = {};
	size_t count = 1;
	pid_t pid;

	for (char *word = next_word(copy, &rest); word; word = next_word(NULL, &rest)) {
		cr_assert_lt(count, ARGUMENTS_MAX - 1);
		arguments[count++] = word;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (out)
		posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC,
						 0600);
	else
		posix_spawn_file_actions_addclose(&actions, 1);
	posix_spawn_file_actions_addopen(&actions, 2, "stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	cr_assert_eq(posix_spawnp(&pid, program, &actions, NULL, arguments, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	outcome.code = wait_for(pid);
	outcome.out = out && !strcmp(out, "stdout") ? read_output(out) : strdup("");
	outcome.err = read_output("stderr");
	cr_expect_null(strstr(outcome.err, "Sanitizer"), "%s: %s", line, outcome.err);
	cr_expect_null(strstr(outcome.err, "runtime error"), "%s: %s", line, outcome.err);
	return outcome;
}

static struct outcome run_weir(const char *line)
{
	return run_program(binary, line, "stdout");
}

/* A line of arguments, and what must come of it; NULL: nothing is printed there. */
struct expectation {
	const char *line;
	int code;
	const char *out; /* contained in stdout */
	const char *err; /* contained in stderr */
};

static void expect_text(const char *line, const char *name, const char *text, const char *wanted)
{
	if (wanted)
		cr_expect(strstr(text, wanted), "weir %s: %s is\n%swithout '%s'", line, name, text,
			  wanted);
	else
		cr_expect_str_eq(text, "", "weir %s: %s is\n%s", line, name, text);
}

static void expect(const struct expectation *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_(outcome_fini) struct outcome outcome = run_weir(cases[i].line);

		cr_expect_eq(outcome.code, cases[i].code, "weir %s: exit code %d, not %d\n%s",
			     cases[i].line, outcome.code, cases[i].code, outcome.err);
		expect_text(cases[i].line, "stdout", outcome.out, cases[i].out);
		expect_text(cases[i].line, "stderr", outcome.err, cases[i].err);
	}
}

#define EXPECT(cases) expect(cases, sizeof(cases) / sizeof(*(cases)))

/* 1: what is no verb; help. */
Test(cli, verbs)
{
	static const struct expectation cases[] = {
		{ "", 64, NULL, "usage: weir VERB" },
		{ "help", 0, "usage: weir VERB", NULL },
		{ "-h", 0, "usage: weir VERB", NULL },
		{ "--help", 0, "usage: weir VERB", NULL },
		{ "help set", 0, "usage: weir set LISTENER/GROUP/ENDPOINT weight=N", NULL },
		{ "help show", 0,
		  "\n       weir show flows [--client ADDRESS[/N]] [--port N] [--protocol "
		  "tcp|udp]\n"
		  "                 [--state opening|open|closing|reset] [--limit N] [--count]\n"
		  "       weir show rules [LISTENER] [-c FILE]\n",
		  NULL },
		{ "set --help", 0, "usage: weir set LISTENER/GROUP/ENDPOINT weight=N", NULL },
		{ "help nosuch", 64, NULL, "weir: unknown verb 'nosuch'" },
		{ "chekc good.yaml", 64, NULL,
		  "weir: unknown verb 'chekc'; did you mean 'check'?; see: weir help" },
		{ "drian web", 64, NULL, "did you mean 'drain'?" },
		{ "xyzzyx", 64, NULL, "weir: unknown verb 'xyzzyx'; see: weir help" },
		{ "''", 64, NULL, "weir: " },
		{ "s", 64, NULL, "weir: ambiguous verb 's': one of set, show, stats" },
		{ "d", 64, NULL,
		  "weir: ambiguous verb 'd': one of drain, disable, detach, doctor, down" },
		{ "ch good.yaml", 0, "good.yaml: ok: 1 listener, 1 endpoint", NULL },
		{ "v", 0, "weir ", NULL },
		{ "--bogus", 64, NULL, "weir: unknown verb '--bogus'" },
	};

	EXPECT(cases);
}

/* 2: arguments that are missing, too many, or unknown. */
Test(cli, arguments)
{
	static const struct expectation cases[] = {
		{ "check", 64, NULL, "usage: weir check FILE" },
		{ "check good.yaml bad.yaml", 64, NULL, "weir: check: name one file" },
		{ "check --strict good.yaml", 64, NULL, "weir: check: unexpected '--strict'" },
		{ "apply good.yaml bad.yaml", 64, NULL, "weir: apply: name one file" },
		{ "apply --confirm", 64, NULL, "weir: apply: --confirm wants a time" },
		{ "set", 64, NULL, "weir: set: name an endpoint and its weight" },
		{ "set web/main/a", 64, NULL, "weir: set: name an endpoint and its weight" },
		{ "set web/main/a weight=1 b", 64, NULL, "usage: weir set" },
		{ "set web/main/a wieght=1", 64, NULL,
		  "weir: set: only 'weight=N' and 'traffic_percentage=N' can be set, not "
		  "'wieght=1'" },
		{ "set -x web/main/a weight=1", 64, NULL, "weir: set: unexpected '-x'" },
		{ "drain", 64, NULL, "weir: drain: name what to drain" },
		{ "drain a b", 64, NULL, "usage: weir drain" },
		{ "drain a --for", 64, NULL, "weir: drain: --for wants a time, such as 10m" },
		{ "drain a --for 0", 64, NULL, "weir: --for" },
		{ "undrain a --for 1s", 64, NULL, "weir: undrain: unexpected '--for'" },
		{ "rollback x", 64, NULL, "weir: rollback: 'x' is no number" },
		{ "confirm x", 64, NULL, "weir: confirm: unexpected 'x'" },
		{ "drain --wait", 64, NULL, "weir: drain: name what to drain" },
		{ "drain a --timeout 3", 64, NULL, "weir: drain: --timeout is of --wait" },
		{ "drain a --wait --timeout", 64, NULL, "--timeout wants a time, such as 10m" },
		{ "undrain a --wait", 64, NULL, "weir: undrain: unexpected '--wait'" },
		{ "disable", 64, NULL, "weir: disable: name what to disable" },
		{ "enable a b", 64, NULL, "usage: weir enable" },
		{ "plan good.yaml bad.yaml", 64, NULL, "weir: plan: name one file" },
		{ "undrain", 64, NULL, "weir: undrain: name what to undrain" },
		{ "show", 64, NULL, "weir: show: name what to show" },
		{ "show everything", 64, NULL, "weir: show: 'everything' is none of listeners" },
		{ "show listeners web more", 64, NULL, "usage: weir show" },
		{ "show --all", 64, NULL, "weir: show: unexpected '--all'" },
		{ "show listeners --count", 64, NULL, "weir: show: '--count' is for show flows" },
		{ "show flows a b", 64, NULL, "weir: show flows: unexpected 'b'" },
		{ "show flows --port", 64, NULL, "weir: show flows: --port wants a value" },
		{ "show flows --port 65536", 64, NULL, "a number up to 65535, not '65536'" },
		{ "show flows --port 80abc", 64, NULL, "not '80abc'" },
		{ "show flows --limit many", 64, NULL, "--limit wants a number" },
		{ "show flows --client 10.0.0", 64, NULL, "ADDRESS/N, not '10.0.0'" },
		{ "show flows --client 10.0.0.0/33", 64, NULL, "from 0 to 32" },
		{ "show flows --client fd00::/129", 64, NULL, "from 0 to 128" },
		{ "show flows --client 10.0.0.0/8x", 64, NULL, "the prefix is a number" },
		{ "show flows --state done", 64, NULL, "'done' is no state: one of opening" },
		{ "show flows --protocol icmp", 64, NULL, "'icmp' is no protocol: tcp or udp" },
		{ "stats a b", 64, NULL, "weir: stats: unexpected 'b'" },
		{ "stats -x", 64, NULL, "weir: stats: unexpected '-x'" },
		{ "attach", 64, NULL, "weir: attach: name an interface" },
		{ "attach --generic", 64, NULL, "weir: attach: name an interface" },
		{ "attach --native eth0", 64, NULL, "weir: attach: unexpected '--native'" },
		{ "detach", 64, NULL, "weir: detach: name an interface" },
		{ "down all", 64, NULL, "weir: down: takes no argument" },
		{ "run", 64, NULL, "weir: run: name the configuration with -c FILE" },
		{ "run good.yaml", 64, NULL, "weir: run: unexpected 'good.yaml'" },
		{ "run -c", 64, NULL, "usage: weir run -c FILE" },
		{ "run -c good.yaml -i", 64, NULL, "usage: weir run -c FILE" },
		{ "run -c good.yaml --daemonize", 64, NULL, "weir: run: unexpected '--daemonize'" },
		{ "-N", 64, NULL, "weir: -N wants a name" },
		{ "version -N a/b", 64, NULL, "weir: -N wants a name" },
		{ "version -N ''", 64, NULL, "weir: -N wants a name" },
		{ "version -N ..", 64, NULL, "weir: -N wants a name" },
		{ "version -N "
		  "n234567890123456789012345678901234567890123456789012345678901234",
		  64, NULL, "weir: -N wants a name of at most 63 characters" },
		{ "version -x", 64, NULL, "weir: version: unexpected '-x'" },
	};

	EXPECT(cases);
}

/* 2: the same of explain, and what are no addresses. */
Test(cli, arguments_of_explain)
{
	static const struct expectation cases[] = {
		{ "explain", 64, NULL, "weir: explain: say from where to where" },
		{ "explain 10.0.0.1", 64, NULL, "usage: weir explain SRC DST" },
		{ "explain 10.0.0.1 192.0.2.1", 64, NULL,
		  "weir: explain: 192.0.2.1: to which port? write 10.0.0.1:80 or "
		  "[2001:db8::1]:80" },
		{ "explain 10.0.0.1 192.0.2.1:80a", 64, NULL,
		  "weir: explain: 192.0.2.1:80a: '80a' is no port: 1 to 65535" },
		{ "explain 10.0.0.1:0 192.0.2.1:80", 64, NULL, "'0' is no port" },
		{ "explain 10.0.0.1: 192.0.2.1:80", 64, NULL, "'' is no port" },
		{ "explain 10.0.0.1 192.0.2.1:65536", 64, NULL, "'65536' is no port" },
		{ "explain 10.0.0.1 192.0.2.1:+80", 64, NULL, "'+80' is no port" },
		{ "explain 10.0.0.1 web:80", 64, NULL, "weir: explain: 'web:80' is no address" },
		{ "explain 10.0.0.1 10.0.0.01:80", 64, NULL, "'10.0.0.01:80' is no address" },
		{ "explain ::1 [2001:db8::1:80", 64, NULL, "'[2001:db8::1:80' is no address" },
		{ "explain ::1 [2001:db8::1]80", 64, NULL, "'[2001:db8::1]80' is no address" },
		{ "explain ::1 2001:db8::1", 64, NULL,
		  "weir: explain: 2001:db8::1: to which port?" },
		{ "explain 10.0.0.1 [2001:db8::1]:80", 64, NULL, "are not of one address family" },
		{ "explain 10.0.0.1 192.0.2.1:80 tpc", 64, NULL,
		  "weir: explain: unknown protocol 'tpc'; did you mean 'tcp'?" },
		{ "explain 10.0.0.1 192.0.2.1:80 icmp", 64, NULL, "; it is tcp or udp" },
		{ "explain 10.0.0.1 192.0.2.1:80 tcp more", 64, NULL,
		  "weir: explain: unexpected 'more'" },
		{ "explain 10.0.0.1 192.0.2.1:80 --syn --established", 64, NULL,
		  "weir: explain: --syn or --established, not both" },
		{ "explain 10.0.0.1 192.0.2.1:80 udp --established", 64, NULL,
		  "weir: explain: UDP knows no --syn or --established" },
		{ "explain 10.0.0.1 192.0.2.1:80 --interface", 64, NULL,
		  "weir: explain: --interface wants the name of an interface" },
		{ "explain 10.0.0.1 192.0.2.1:80 --ack", 64, NULL,
		  "weir: explain: unexpected '--ack'" },
	};

	EXPECT(cases);
}

/* 2: what becomes of requests, by the rules of a file, and what those are in words. */
Test(cli, requests)
{
#define ASK(line) "explain 198.51.100.7 192.0.2.10:80 -c requests.yaml --http '" line "'"
	static const struct expectation cases[] = {
		{ ASK("GET /v2/x?y") " -H 'Host: a.example'", 0,
		  "endpoint  10.0.1.2, weight 150, 75.0 % of the group\n"
		  "the endpoint gets:\n"
		  "  GET /new/x?y HTTP/1.1\n"
		  "  Host: a.example\n"
		  "  X-Forwarded-For: 198.51.100.7\n",
		  NULL },
		{ ASK("GET /z/../v2/x") " -H 'Host: a.example'", 0,
		  "path      /v2/x, as rules see it\n"
		  "  rule      1 of 4 (v2): host a.example; path /v2/*\n",
		  NULL },
		{ ASK("GET / HTTP/1.0"), 0, "rule      none\n  group     main, default\n", NULL },
		{ ASK("GET /old/a") " -H Host:a", 0,
		  "weir answers 302 Found\n  Location: https://b.example/old/a\n", NULL },
		{ ASK("GET /x") " -H Host:a", 0, "weir answers 403 Forbidden\n", NULL },
		{ ASK("POST /x") " -H Host:a", 0, "rule      none\n", NULL },
		{ ASK("GET /drop") " -H Host:a -H 'X-A: b'", 0, "weir closes the connection\n",
		  NULL },
		{ ASK("GET /"), 0, "weir answers 400 Bad Request: there is no Host\n", NULL },
		{ ASK("GET /") " -H Host:a -H ''", 0, "400 Bad Request: a field is empty", NULL },
		{ ASK("GET /v2/x") " -H Host:a.example -j", 0,
		  "\"action\":\"forward\",\"rule_number\":1,\"rule\":\"v2\"", NULL },
		{ "explain 198.51.100.7 192.0.2.10:81 -c requests.yaml --http 'GET /'", 1, NULL,
		  "no http or https listener has the address 192.0.2.10:81" },
		{ "explain 198.51.100.7 192.0.2.10:80 -c bad.yaml --http 'GET /'", 65, NULL,
		  "bad.yaml has errors; see: weir check bad.yaml" },
		{ "explain 198.51.100.7 192.0.2.10:80 -c absent.yaml --http 'GET /'", 1, NULL,
		  "weir: absent.yaml: No such file" },
		{ "explain 198.51.100.7 192.0.2.10:80 -c requests.yaml", 64, NULL,
		  "weir: explain: -H and -c are for --http" },
		{ "explain 198.51.100.7 192.0.2.10:80 udp --http 'GET /'", 64, NULL,
		  "weir: explain: --http is for a new connection of TCP" },
		{ "explain 198.51.100.7 192.0.2.10:80 --http", 64, NULL, "--http wants a value" },
		{ "show rules -c requests.yaml", 0,
		  "web       2            -         -  path /old/*                 redirect, 302: "
		  "https://b.example${path}\n",
		  NULL },
		{ "show rules -c requests.yaml -j web", 0, "\"values\":[\"~^/x\"]", NULL },
		{ "show rules wep -c requests.yaml", 1, NULL, "did you mean 'web'?" },
		{ "show rules -c requests.yaml a b", 64, NULL, "show rules: unexpected 'b'" },
		{ "show rules", 1, NULL, "weir: no configuration is in force" },
	};

	EXPECT(cases);
}

/* 3: weights are whole numbers, and nothing that only begins like one. */
Test(cli, weights)
{
	static const char *const bad[] = { "80abc", "-1",   "256", "1e9", "",
					   "+5",    "0x10", "5.0", "1_0", "99999999999999999999" };
	static const struct expectation good[] = {
		{ "set web/main/a weight=0", 69, NULL, "weir: no daemon answers at /run/" },
		{ "set web/main/a weight=255", 69, NULL, "weir: no daemon answers at /run/" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char line[64], complaint[96];
		struct expectation one = { line, 64, NULL, complaint };

		snprintf(line, sizeof(line), "set web/main/a weight=%s", bad[i]);
		snprintf(complaint, sizeof(complaint),
			 "weir: set: '%s' is no weight: a whole number from 0 to 255", bad[i]);
		expect(&one, 1);
	}
	EXPECT(good);
}

/* 4: check says all about any file. */
Test(cli, check)
{
	static const struct expectation cases[] = {
		{ "check good.yaml", 0, "good.yaml: ok: 1 listener, 1 endpoint", NULL },
		{ "check bad.yaml", 65, NULL,
		  "bad.yaml:2:1: error: unknown key 'listners'; did you mean 'listeners'?" },
		{ "check bad.yaml", 65, NULL, "weir: bad.yaml: 1 error" },
		{ "check empty.yaml", 65, NULL, "empty.yaml: error: " },
		{ "check absent.yaml", 1, NULL, "weir: absent.yaml: No such file or directory" },
		{ "check folder", 1, NULL, "weir: folder: Is a directory" },
		{ "check large.yaml", 1, NULL,
		  "weir: large.yaml: larger than any configuration (64 MiB)" },
		{ "check good.yaml/deeper", 1, NULL, "weir: good.yaml/deeper: Not a directory" },
	};

	EXPECT(cases);
}

/* ... and about this host: the files that it names, and the flows that are possible. */
Test(cli, check_of_this_host)
{
	static const struct expectation cases[] = {
		{ "check snat.yaml", 0,
		  "  web: 129024 flows at a time to each endpoint, from 203.0.113.200 and 1 more\n",
		  NULL },
		{ "check far.yaml", 0, "far.yaml: ok", "region 'far-east' is neither under" },
		{ "check far.yaml", 0, "far.yaml: ok", "~  (client_regions.file)\n" },
		{ "-j check far.yaml", 0, "\"path\":\"client_regions.file\"", NULL },
		{ "-j check nodb.yaml", 65, "[", "/torn: is no MaxMind DB" },
		{ "check torn.yaml", 65, NULL,
		  "/torn:2:1: error: '10.1.0/16' is neither a prefix" },
		{ "check torn.yaml", 65, NULL, "/torn: 1 error" },
		{ "check nofile.yaml", 0, "nofile.yaml: ok", "/nofile: No such file or directory" },
		{ "check nodb.yaml", 65, NULL, "/torn: is no MaxMind DB" },
	};

	EXPECT(cases);
}

static json_t *json_of(const char *line, int code)
{
	_cleanup_(outcome_fini) struct outcome outcome = run_weir(line);
	json_error_t why = {};
	json_t *json = json_loads(outcome.out, JSON_REJECT_DUPLICATES, &why);

	cr_expect_eq(outcome.code, code, "weir %s: %d", line, outcome.code);
	cr_assert(json, "weir %s: %s: %s", line, why.text, outcome.out);
	return json;
}

/* 5: -j and -p print one JSON value each, and nothing else, on stdout. */
Test(cli, json)
{
	static const char *const versions[] = { "-j version", "version --json", "version -p" };
	json_t *json, *finding;

	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		json = json_of(versions[i], 0);
		cr_expect(json_is_string(json_object_get(json, "version")));
		cr_expect(json_is_integer(json_object_get(json, "abi")));
		json_decref(json);
	}
	json = json_of("-j check good.yaml", 0);
	cr_expect(json_is_array(json) && !json_array_size(json));
	json_decref(json);
	json = json_of("check -p bad.yaml", 65);
	cr_assert_eq(json_array_size(json), 1);
	finding = json_array_get(json, 0);
	cr_expect_str_eq(json_string_value(json_object_get(finding, "severity")), "error");
	cr_expect_eq(json_integer_value(json_object_get(finding, "line")), 2);
	cr_expect_eq(json_integer_value(json_object_get(finding, "column")), 1);
	cr_expect(strstr(json_string_value(json_object_get(finding, "message")), "'listners'"));
	json_decref(json);
	json = json_of("-j show overrides", 0);
	cr_expect(json_is_array(json) && !json_array_size(json));
	json_decref(json);
}

/* 6: no daemon, no data plane. */
Test(cli, unreachable)
{
	static const struct expectation cases[] = {
		{ "show listeners", 69, NULL, "start it with: weir run -c FILE" },
		{ "show endpoints web", 69, NULL, "weir: no data plane" },
		{ "show drops -j", 69, NULL, "weir: no data plane" },
		{ "show flows web --client 10.0.0.0/8 --count", 69, NULL, "weir: no data plane" },
		{ "show latency", 69, NULL, "weir: no data plane" },
		{ "stats", 69, NULL, "weir: no data plane" },
		{ "stats -w", 69, NULL, "weir: no data plane" },
		{ "apply", 69, NULL, "weir: no daemon answers at /run/" },
		{ "apply good.yaml", 69, NULL, "start it with: weir run -c FILE" },
		{ "drain web", 69, NULL, "weir: no daemon answers at /run/" },
		{ "undrain web", 69, NULL, "weir: no daemon answers at /run/" },
		{ "attach lo", 69, NULL, "weir: no data plane" },
		{ "detach lo", 69, NULL, "weir: no data plane" },
		{ "show listeners -N absent", 69, NULL, "absent" },
		{ "apply absent.yaml", 1, NULL, "weir: absent.yaml: No such file or directory" },
		{ "show overrides", 0, "WHERE", NULL },
	};

	EXPECT(cases);
}

/* 7: run refuses what it cannot run, by name, and leaves nothing in force. */
Test(cli, run_refuses)
{
	static const struct expectation cases[] = {
		{ "run -c bad.yaml", 65, NULL,
		  "bad.yaml:2:1: error: unknown key 'listners'; did you mean 'listeners'?" },
		{ "run -c bad.yaml", 65, NULL, "weir: bad.yaml: 1 error" },
		{ "run -c empty.yaml", 65, NULL, "empty.yaml: error: " },
		{ "run -c absent.yaml", 1, NULL, "weir: absent.yaml: No such file or directory" },
		{ "run -c folder", 1, NULL, "weir: folder: Is a directory" },
		{ "run -c large.yaml", 1, NULL, "weir: large.yaml: " },
		{ "run -c good.yaml", 65, NULL,
		  "weir: no interface to attach to: name one with -i, or under 'interfaces' in "
		  "good.yaml" },
		{ "run -c good.yaml -i absent0", 1, NULL, "absent0" },
		{ "run -c absent0.yaml", 1, NULL, "absent0" },
		{ "run -c good.yaml -i a-name-far-too-long-for-an-interface", 1, NULL,
		  "a-name-far-too-long" },
		{ "show listeners", 69, NULL, "weir: no data plane" },
		{ "down", 0, "the data plane is gone", NULL },
	};

	EXPECT(cases);
}

/* As nobody, with a copy of the binary that nobody may read. */
static struct outcome run_as_nobody(const char *line)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "--reuid=65534 --regid=65534 --clear-groups --inh-caps=-all -- ./weir %s", line);
	return run_program("setpriv", command, "stdout");
}

/* 8: without privileges, what is missing is named; what needs none works. */
Test(cli, unprivileged)
{
	static const struct expectation cases[] = {
		{ "run -c good.yaml -i lo", 77, NULL,
		  "missing capabilities: CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON; run as root" },
		{ "check good.yaml", 0, "good.yaml: ok", NULL },
		{ "version", 0, "weir ", NULL },
		{ "check secret.yaml", 77, NULL, "weir: secret.yaml: Permission denied" },
	};
	char command[PATH_MAX + 32];

	snprintf(command, sizeof(command), "install -m 0755 %s weir", binary);
	cr_assert_eq(system(command), 0);
	write_file("secret.yaml", "version: 1\n");
	cr_assert_eq(chmod("secret.yaml", 0600), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_cleanup_(outcome_fini) struct outcome outcome = run_as_nobody(cases[i].line);

		cr_expect_eq(outcome.code, cases[i].code, "%s: %d: %s", cases[i].line, outcome.code,
			     outcome.err);
		expect_text(cases[i].line, "stdout", outcome.out, cases[i].out);
		expect_text(cases[i].line, "stderr", outcome.err, cases[i].err);
	}
}

/* 9: output that cannot be written is a failure, not a silence. */
Test(cli, stdout_fails)
{
	static const char *const lines[] = { "version", "-j version", "help", "check good.yaml",
					     "show overrides -j" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		const char *const places[] = { "/dev/full", NULL };

		for (size_t k = 0; k < sizeof(places) / sizeof(*places); k++) {
			_cleanup_(outcome_fini) struct outcome outcome =
				run_program(binary, lines[i], places[k]);

			cr_expect_eq(outcome.code, 1, "%s > %s: %d", lines[i],
				     places[k] ?: "nowhere", outcome.code);
			expect_text(lines[i], "stderr", outcome.err,
				    "weir: cannot write to stdout");
		}
	}
}

/* 10: a reader that has gone (weir ... | head) ends it like any other command. */
Test(cli, pipe_closed)
{
	char command[PATH_MAX + 128];
	int status;

	signal(SIGPIPE, SIG_DFL);
	snprintf(command, sizeof(command),
		 "bash -c '(sleep 0.2; %s help; exit $?) | true; exit "
		 "${PIPESTATUS[0]}'",
		 binary);
	status = system(command);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGPIPE, "%d", status);
}
